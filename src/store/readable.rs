//! Records that cannot be read where they are: something has to be written first, and may not be.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::store::Database;
use crate::store::connection::{Access, FileKind, connect, kind};
use crate::store::error::{CopyReason, Fault, StoreError};
use crate::store::lock::{companion, free_bytes, with_suffix};
use crate::store::owner;
use crate::store::unwritable::{FileStamp, ReadConnection};
use celaje_sky::error::io_text;
use celaje_sky::say;
use celaje_sky::station::Station;

/// How often a file is copied that changes meanwhile.
const TRIES: u32 = 3;

/// A record that can be read: the file itself, or a copy that goes when this is dropped.
#[derive(Debug)]
pub struct ReadableRecord {
    path: PathBuf,
    copy: Option<RecordCopy>,
}

/// A copy in a folder of temporary files.
#[derive(Debug)]
pub struct RecordCopy {
    folder: TempDir,
    /// Why there is one.
    pub reason: CopyReason,
    /// Bytes that were copied.
    pub bytes: u64,
}

impl RecordCopy {
    /// Where it is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl ReadableRecord {
    /// The record at `path`. Where it lies on a medium that may not be written and has first to be
    /// taken over, brought up to date or freed of a transaction that was cut off, a copy of it is
    /// made and that is done there; rows of the replaced system become those of `station`.
    ///
    /// # Errors
    /// When it cannot be read, nor its copy be made.
    pub fn of(path: &Path, station: &Station) -> Result<Self, StoreError> {
        match ReadConnection::open_current(path) {
            Ok(_) => Ok(Self { path: path.to_owned(), copy: None }),
            Err(Fault::CopyFirst(reason)) => {
                Self::copied(path, reason, station).map_err(|fault| fault.at(path))
            }
            Err(fault) => Err(fault.at(path)),
        }
    }

    fn copied(path: &Path, reason: CopyReason, station: &Station) -> Result<Self, Fault> {
        let unmade = |reason: String| Fault::Copied { folder: std::env::temp_dir(), reason };
        let folder = tempfile::Builder::new().prefix("celaje-").tempdir();
        let folder = folder.map_err(|error| unmade(io_text(&error).to_string()))?;
        let name = path.file_name().ok_or(Fault::NotAFile)?;
        let copy = folder.path().join(name);
        let bytes = copy_all(path, &copy).map_err(|fault| match fault {
            CopyFault::Changed => Fault::Busy,
            CopyFault::Unmade(reason) => unmade(reason),
        })?;
        settle(&copy, station)?;
        Ok(Self { path: copy, copy: Some(RecordCopy { folder, reason, bytes }) })
    }

    /// The file to read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The copy, if it is one.
    pub const fn copy(&self) -> Option<&RecordCopy> {
        self.copy.as_ref()
    }
}

/// Why no copy was made.
enum CopyFault {
    /// The file changed meanwhile.
    Changed,
    Unmade(String),
}

/// Copies the file at `path`, its log and its journal; gives their bytes.
fn copy_all(path: &Path, copy: &Path) -> Result<u64, CopyFault> {
    for _ in 0..TRIES {
        let before = FileStamp::of(path);
        if let Some(free) = copy.parent().and_then(free_bytes)
            && free < before.bytes()
        {
            let needed = before.bytes();
            let why = say!(
                "{needed} bytes are needed, {free} are free",
                "hacen falta {needed} bytes y hay {free} libres"
            );
            return Err(CopyFault::Unmade(why.to_string()));
        }
        let mut bytes = 0;
        for suffix in ["", "-wal", "-journal"] {
            let (from, to) = (companion(path, suffix), with_suffix(copy, suffix));
            match std::fs::copy(from, &to).and_then(|n| be_writable(&to).map(|()| n)) {
                Ok(n) => bytes += n,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(CopyFault::Unmade(io_text(&error).to_string())),
            }
        }
        if FileStamp::of(path) == before {
            return Ok(bytes);
        }
        for suffix in ["-wal", "-journal"] {
            let _ = std::fs::remove_file(with_suffix(copy, suffix));
        }
    }
    Err(CopyFault::Changed)
}

/// A copy has the permissions of what it is of.
fn be_writable(copy: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(copy, std::fs::Permissions::from_mode(0o600))
    }
    #[cfg(not(unix))]
    {
        let mut permissions = std::fs::metadata(copy)?.permissions();
        permissions.set_readonly(false);
        std::fs::set_permissions(copy, permissions)
    }
}

/// Undoes in a copy what was cut off, and brings it up to date.
fn settle(copy: &Path, station: &Station) -> Result<(), Fault> {
    let mut connection = connect(copy, Access::Read)?;
    // SQLite does the first when it reads.
    let kind = kind(&mut connection)?;
    // Nobody writes a copy.
    owner::clear(&mut connection)?;
    drop(connection);
    if matches!(kind, FileKind::Replaced | FileKind::Outdated) {
        drop(Database::open(copy, station).map_err(|error| error.fault)?);
    }
    Ok(())
}
