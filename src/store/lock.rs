//! One writing Celaje a database, across processes.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::store::error::Fault;

/// Held while a database is open for writing; released when dropped, or by the operating system
/// when the process ends in whatever way.
///
/// An advisory lock on `<database>.lock`, a file beside it that stays there, empty: were it
/// removed, a process that has just opened it could hold a lock that nobody else sees. It is no
/// lock on the database itself: closing that file once more would drop SQLite's own locks (POSIX
/// releases all locks of a process on a file when it closes any descriptor of it). Readers, and
/// writers other than Celaje, never look at it.
#[derive(Debug)]
pub(super) struct WriterLock {
    file: File,
}

impl WriterLock {
    /// Takes the lock for the database at `path`, which need not exist yet.
    ///
    /// # Errors
    /// [`Fault::SecondWriter`] when another process, or this one, holds it; [`Fault::ReadOnly`] or
    /// [`Fault::CannotOpen`] when the lock file cannot be made.
    pub(super) fn take(path: &Path) -> Result<Self, Fault> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(lock_path(path))
            .map_err(|error| refusal(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Where locks are mandatory the text cannot be read; the sentence does without.
                let _ = file.read_to_string(&mut text);
                return Err(Fault::SecondWriter(text.trim().parse().ok()));
            }
            // A file system without locks: SQLite's own are then all there is.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(refusal(&error)),
        }
        // The process id is for the sentence that a second writer prints; the lock holds without.
        let _ = file.set_len(0);
        let _ = write!(file, "{}", std::process::id());
        Ok(Self { file })
    }

    /// The process that holds the lock for the database at `path` now, its id where it can be
    /// read; none when nobody holds it. Nothing is made.
    pub(super) fn holder(path: &Path) -> Option<Option<u32>> {
        let opened = OpenOptions::new().read(true).open(lock_path(path));
        let mut file = opened.ok()?;
        // Shared, so that two who ask do not see each other.
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)).then(|| {
            let mut text = String::new();
            let _ = file.read_to_string(&mut text);
            text.trim().parse().ok()
        })
    }
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
        let _ = self.file.rewind();
        let _ = self.file.unlock();
    }
}

/// What an operating system's refusal to write stands for.
pub(super) fn refusal(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Fault::ReadOnly,
        _ => Fault::CannotOpen(error.to_string()),
    }
}

/// `<database>.lock`, the same for every name of one file (links, relative paths).
fn lock_path(path: &Path) -> PathBuf {
    let real = std::fs::canonicalize(path).ok().or_else(|| {
        let folder = folder_of(path);
        Some(std::fs::canonicalize(folder).ok()?.join(path.file_name()?))
    });
    with_suffix(&real.unwrap_or_else(|| path.to_owned()), ".lock")
}

/// The folder that holds `path`.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `path` with `suffix` added to its name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_told_who_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("a.db");
        let first = WriterLock::take(&db).unwrap();
        match WriterLock::take(&db) {
            Err(Fault::SecondWriter(pid)) => assert_eq!(pid, Some(std::process::id())),
            other => panic!("{other:?}"),
        }
        drop(first);
        drop(WriterLock::take(&db).unwrap());
        assert_eq!(std::fs::read(folder.path().join("a.db.lock")).unwrap(), b"");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_the_same_database() {
        let folder = tempfile::tempdir().unwrap();
        let (db, link) = (folder.path().join("a.db"), folder.path().join("b.db"));
        std::fs::write(&db, b"").unwrap();
        std::os::unix::fs::symlink(&db, &link).unwrap();
        let _first = WriterLock::take(&db).unwrap();
        assert!(matches!(WriterLock::take(&link), Err(Fault::SecondWriter(_))));
    }

    #[test]
    fn a_lock_in_no_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(WriterLock::take(&folder.path().join("none/a.db")).is_err());
    }
}
