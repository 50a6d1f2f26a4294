//! Whether the file that is open is still the one at its path.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::store::lock::with_suffix;

/// A file, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    #[cfg(unix)]
    fn of(found: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: found.dev(), inode: found.ino() }
    }

    /// Other systems do not let an open file be moved or deleted.
    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Self {
        Self { device: 0, inode: 0 }
    }

    fn at(path: &Path) -> io::Result<Self> {
        std::fs::metadata(path).map(|found| Self::of(&found))
    }

    pub(super) fn of_file(file: &File) -> io::Result<Self> {
        file.metadata().map(|found| Self::of(&found))
    }

    /// The number of the file in its file system.
    pub(super) fn inode(self) -> String {
        self.inode.to_string()
    }
}

/// What became of a file that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Displacement {
    /// Nothing can be seen at its path.
    Gone,
    /// Another file is at its path, or it was emptied.
    Replaced,
    /// It is there, but its log beside it is not, or is another one.
    LogGone,
}

/// Where an open database is.
#[derive(Clone, Debug)]
pub(super) struct FilePlace {
    path: PathBuf,
    file: FileIdentity,
    /// None where SQLite keeps no log.
    log: Option<FileIdentity>,
}

impl FilePlace {
    /// The place of the database at `path`, which is open and has been read or written. The log
    /// beside it then stays as long as the connection.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let log = FileIdentity::at(&with_suffix(path, "-wal")).ok();
        Ok(Self { path: path.to_owned(), file: FileIdentity::at(path)?, log })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file is the one at another path.
    pub(super) fn is_moved_to(&self, path: &Path) -> bool {
        FileIdentity::at(path).is_ok_and(|identity| identity == self.file)
    }

    /// Whether `file` is the one at the path.
    pub(super) fn is_of(&self, file: &File) -> bool {
        FileIdentity::of_file(file).is_ok_and(|identity| identity == self.file)
    }

    /// What became of the database; nothing as long as it is in its place.
    pub(super) fn look(&self) -> Option<Displacement> {
        let Ok(found) = std::fs::metadata(&self.path) else {
            return Some(Displacement::Gone);
        };
        if FileIdentity::of(&found) != self.file || found.len() == 0 {
            return Some(Displacement::Replaced);
        }
        let log = FileIdentity::at(&with_suffix(&self.path, "-wal")).ok();
        (self.log.is_some() && log != self.log).then_some(Displacement::LogGone)
    }

    /// Whether the log beside the path is that of this file, though another one is there: SQLite
    /// would read it as the other's.
    pub(super) fn leaves_its_log(&self) -> bool {
        let log = FileIdentity::at(&with_suffix(&self.path, "-wal")).ok();
        self.log.is_some() && log == self.log && self.is_left()
    }

    /// Removes the log that this file left beside another one; it has been folded into this file.
    pub(super) fn drop_log(&self) {
        if self.leaves_its_log() {
            for suffix in ["-shm", "-wal"] {
                let _ = std::fs::remove_file(with_suffix(&self.path, suffix));
            }
        }
    }

    /// Whether another file, or none, is at the path. SQLite must then not close the connection:
    /// the last one to close removes the log by its name, which may be that of the other file.
    pub(super) fn is_left(&self) -> bool {
        !self.is_moved_to(&self.path)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_identity() {
        let folder = tempfile::tempdir().unwrap();
        let (db, log) = (folder.path().join("a.db"), folder.path().join("a.db-wal"));
        std::fs::write(&db, "data").unwrap();
        std::fs::write(&log, "").unwrap();
        let place = FilePlace::of(&db).unwrap();
        assert_eq!(place.look(), None);
        std::fs::remove_file(&log).unwrap();
        assert_eq!((place.look(), place.is_left()), (Some(Displacement::LogGone), false));
        let aside = folder.path().join("b.db");
        std::fs::rename(&db, &aside).unwrap();
        assert_eq!((place.look(), place.is_left()), (Some(Displacement::Gone), true));
        std::fs::write(&db, "data").unwrap();
        assert_eq!((place.look(), place.is_left()), (Some(Displacement::Replaced), true));
        std::fs::rename(&aside, &db).unwrap();
        std::fs::write(&db, "").unwrap();
        assert_eq!(place.look(), Some(Displacement::Replaced));
    }
}
