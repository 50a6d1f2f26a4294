//! Files that commands write: whole or not at all, and never over a database.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, Error, Read, Result, Write};
use std::path::{Path, PathBuf};

use celaje_sky::say;
use celaje_sky::text::BadValue;

/// How a database of SQLite, its log (either byte order) and the index of its log begin.
const DATABASE: [&[u8]; 4] =
    [b"SQLite format 3\0", b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83", b"\x18\xe2\x2d\x00"];

/// Replaces a file atomically: writes a temporary file in the same folder and renames it.
pub fn replace_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut replacement = Replacement::of(path)?;
    replacement.write_all(bytes)?;
    replacement.finish()
}

/// A file that takes another's place once it is written whole; dropped before that it leaves
/// nothing. A pipe or a device is written to as it is.
pub struct Replacement {
    path: PathBuf,
    /// The file that is to be renamed; none of a pipe or a device.
    partial: Option<PathBuf>,
    file: BufWriter<File>,
}

impl Replacement {
    /// # Errors
    /// If the file is a database or a part of one, or cannot be written.
    pub fn of(path: &Path) -> Result<Self> {
        // What a link leads to is replaced, not the link.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let before = std::fs::metadata(&path).ok();
        if before.as_ref().is_some_and(|before| !before.is_file() && !before.is_dir()) {
            let file = BufWriter::new(File::options().write(true).open(&path)?);
            return Ok(Self { path, partial: None, file });
        }
        if is_of_database(&path) {
            let why = say!(
                "it is an SQLite database or a part of one, and is not written over",
                "es una base de datos SQLite o parte de una, y no se escribe encima"
            );
            return Err(Error::other(BadValue(why)));
        }
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}.tmp", std::process::id()));
        let partial = path.with_file_name(name);
        let file = File::create(&partial)?;
        // As private as the one before.
        if let Some(before) = before {
            file.set_permissions(before.permissions())?;
        }
        Ok(Self { path, partial: Some(partial), file: BufWriter::new(file) })
    }

    pub fn finish(mut self) -> Result<()> {
        self.file.flush()?;
        match &self.partial {
            Some(partial) => std::fs::rename(partial, &self.path),
            None => Ok(()),
        }
    }
}

/// Whether a file is a database, by whatever name, or belongs to the database that lies beside it.
fn is_of_database(path: &Path) -> bool {
    let begins = |path: &Path| {
        let mut head = [0; 16];
        let read = File::open(path).and_then(|mut file| file.read(&mut head));
        let head = &head[..read.unwrap_or_default()];
        DATABASE.iter().any(|magic| head.starts_with(magic))
    };
    let name = path.to_string_lossy();
    let owner = ["-wal", "-shm", "-journal"].iter().find_map(|end| name.strip_suffix(end));
    begins(path) || owner.is_some_and(|owner| begins(Path::new(owner)))
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        self.file.flush()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if let Some(partial) = &self.partial {
            // It is gone where it has taken its place.
            let _ = std::fs::remove_file(partial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_or_stays() {
        let folder = tempfile::tempdir().unwrap();
        let names = || {
            let entries = std::fs::read_dir(folder.path()).unwrap();
            entries.map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>()
        };
        let path = folder.path().join("a.png");
        for bytes in [&b"first"[..], b"2"] {
            replace_file(&path, bytes).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
            assert_eq!(names(), ["a.png"]);
        }
        // What cannot be replaced stays, and nothing is left beside it.
        let taken = folder.path().join("taken");
        std::fs::create_dir(&taken).unwrap();
        assert!(replace_file(&taken, b"3").is_err());
        assert!(taken.is_dir());
        assert_eq!(names().len(), 2);
    }

    #[test]
    fn a_database_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("sky.db");
        std::fs::write(&database, b"SQLite format 3\0 and pages").unwrap();
        let other_name = folder.path().join("sky.csv");
        std::fs::hard_link(&database, &other_name).unwrap();
        for path in [&database, &other_name, &folder.path().join("sky.db-wal")] {
            let refused = replace_file(path, b"slot,okta").unwrap_err();
            assert!(refused.to_string().contains("SQLite"), "{refused}");
        }
        assert!(std::fs::read(&database).unwrap().starts_with(b"SQLite"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        let log = folder.path().join("lost-wal");
        std::fs::write(&log, b"\x37\x7f\x06\x82 and frames").unwrap();
        assert!(replace_file(&log, b"slot,okta").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_device_stays_and_a_link_is_followed() {
        use std::os::unix::fs::FileTypeExt;
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::read(pipe).unwrap()
        });
        replace_file(&pipe, b"through").unwrap();
        assert_eq!(reader.join().unwrap(), b"through");
        assert!(std::fs::metadata(&pipe).unwrap().file_type().is_fifo());
        let (link, target) = (folder.path().join("link"), folder.path().join("target"));
        std::fs::write(&target, b"old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        replace_file(&link, b"new").unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"new");
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
