//! Whether the file that is open is still the one at its path.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::store::lock::companion;

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

    pub(super) fn at(path: &Path) -> io::Result<Self> {
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

/// Bytes and time of change of a file: they differ once its contents do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ContentStamp {
    bytes: u64,
    changed: Option<SystemTime>,
}

impl ContentStamp {
    pub(super) const fn bytes(self) -> u64 {
        self.bytes
    }

    /// That of the file at `path`; none where there is none.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let found = std::fs::metadata(path).ok()?;
        Some(Self { bytes: found.len(), changed: found.modified().ok() })
    }
}

/// Whether only this machine uses the file system of the file at `path`, so that a lock on the file
/// holds for everybody. A file system that is not known is taken for a shared one.
#[cfg(target_os = "linux")]
pub(super) fn is_local(path: &Path) -> bool {
    use nix::sys::statfs::{
        BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, F2FS_SUPER_MAGIC, FsType, MSDOS_SUPER_MAGIC,
        NILFS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, REISERFS_SUPER_MAGIC, TMPFS_MAGIC, statfs,
    };
    // Those of include/uapi/linux/magic.h that libc lacks on some targets, and that of ZFS.
    const XFS: FsType = FsType(0x5846_5342);
    const EXFAT: FsType = FsType(0x2011_bab0);
    const UBIFS: FsType = FsType(0x2405_1905);
    const ZFS: FsType = FsType(0x2fc1_2fc1);
    let local = [
        BTRFS_SUPER_MAGIC,
        EXT4_SUPER_MAGIC,
        F2FS_SUPER_MAGIC,
        MSDOS_SUPER_MAGIC,
        NILFS_SUPER_MAGIC,
        OVERLAYFS_SUPER_MAGIC,
        REISERFS_SUPER_MAGIC,
        TMPFS_MAGIC,
        XFS,
        EXFAT,
        UBIFS,
        ZFS,
    ];
    statfs(path).is_ok_and(|found| local.contains(&found.filesystem_type()))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_local(_: &Path) -> bool {
    false
}

/// What became of a file that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Displacement {
    /// Nothing can be seen at its path.
    Gone,
    /// Another file is at its path.
    Replaced,
    /// It is there, but its log beside it is not, or is another one.
    LogGone,
    /// It was emptied, or something else was written into it, past SQLite.
    Overwritten,
    /// Its log was emptied or cut, past SQLite.
    LogCut,
    /// By way of SQLite, its contents were exchanged or another process made the file its own.
    Taken,
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
        let log = FileIdentity::at(&companion(path, "-wal")).ok();
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

    /// Bytes of the log; 0 where SQLite keeps none.
    pub(super) fn log_bytes(&self) -> u64 {
        std::fs::metadata(companion(&self.path, "-wal")).map_or(0, |found| found.len())
    }

    /// What became of the database; nothing as long as it is in its place. What is in the file is
    /// not looked at.
    pub(super) fn look(&self) -> Option<Displacement> {
        let Ok(found) = std::fs::metadata(&self.path) else {
            return Some(Displacement::Gone);
        };
        if FileIdentity::of(&found) != self.file {
            return Some(Displacement::Replaced);
        }
        if found.len() == 0 {
            return Some(Displacement::Overwritten);
        }
        let log = FileIdentity::at(&companion(&self.path, "-wal")).ok();
        (self.log.is_some() && log != self.log).then_some(Displacement::LogGone)
    }

    /// Whether the log beside the path is that of this file, though another one is there: SQLite
    /// would read it as the other's.
    pub(super) fn leaves_its_log(&self) -> bool {
        self.is_left() && self.has_its_log()
    }

    fn has_its_log(&self) -> bool {
        let log = FileIdentity::at(&companion(&self.path, "-wal")).ok();
        self.log.is_some() && log == self.log
    }

    /// Removes the log of this file, which does not belong to what is at the path now. Of an
    /// emptied file SQLite may have removed the -wal, but not the -shm.
    pub(super) fn remove_log(&self) {
        let is_removed = !companion(&self.path, "-wal").exists();
        if self.has_its_log() || (self.log.is_some() && is_removed) {
            for suffix in ["-shm", "-wal"] {
                let _ = std::fs::remove_file(companion(&self.path, suffix));
            }
        }
    }

    /// Whether SQLite must not close a connection that reads the file, since it would fold the log
    /// into what is there now.
    pub(super) fn must_stay_open(&self) -> bool {
        self.is_left() || (self.log.is_some() && self.look().is_some())
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
        assert_eq!(place.look(), Some(Displacement::Overwritten));
    }
}
