//! One writing Celaje a database, across processes.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::store::error::Fault;
use crate::store::owner::{self, DatabaseWriter, WriterProcess};

/// How often a writer renews the file's time of change: the sign of life that machines see which do
/// not see each other's locks.
const BEAT: Duration = Duration::from_secs(20);

/// Held while a database is open for writing; released when dropped, or by the operating system
/// when the process ends in whatever way.
///
/// A lock on one byte of the database file itself, beyond those that SQLite locks, so that it is
/// the same for every name and every mount of the file. It belongs to an open file description:
/// unlike SQLite's own (POSIX) locks it is no process's, and stays when another descriptor of the
/// file is closed. The reverse does not hold: closing `file` drops SQLite's locks of this process,
/// so it is opened before the connection and closed after it. Readers never look at it.
#[derive(Debug)]
pub(super) struct WriterLock {
    file: Arc<File>,
    /// A second handle, which saw that the lock holds; closed as late as the first.
    witness: Option<File>,
    beats: Option<Heartbeat>,
}

impl WriterLock {
    /// Takes the lock for the database at `path`; an empty file is made where there is none.
    ///
    /// # Errors
    /// [`Fault::SecondWriter`] when another process, or this one, holds it; [`Fault::ReadOnly`] or
    /// [`Fault::CannotOpen`] when the file cannot be opened.
    pub(super) fn take(path: &Path) -> Result<Self, Fault> {
        if let Some(pid) = older::holder(path) {
            return Err(Fault::SecondWriter(pid.map(|pid| Box::new(WriterProcess::older(pid)))));
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o644);
        let file = options.open(path).map_err(|error| refusal(&error))?;
        let witness = match byte::lock(&file) {
            byte::Answer::Taken => File::open(path).ok().filter(byte::is_held),
            byte::Answer::Held => {
                return Err(Fault::SecondWriter(owner::read_beside(path).map(Box::new)));
            }
            byte::Answer::NoLocks => None,
        };
        older::remove(path);
        Ok(Self { file: Arc::new(file), witness, beats: None })
    }

    /// Whether another process of this machine that asks for the lock is refused; not so on file
    /// systems without locks.
    pub(super) const fn works(&self) -> bool {
        self.witness.is_some()
    }

    /// The file, under whatever name it now has.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Renews the file's time of change from now on, until the lock is dropped.
    pub(super) fn beat(&mut self) {
        self.beats = Heartbeat::start(Arc::clone(&self.file));
    }

    /// The process that has the database at `path` open for writing now, where it can be told
    /// which; none when nobody has. Nothing is made.
    ///
    /// To be asked while this process has the database nowhere open: it closes the file.
    pub(super) fn holder(path: &Path) -> Option<DatabaseWriter> {
        if let Some(pid) = older::holder(path) {
            return Some(DatabaseWriter::of(pid.map(WriterProcess::older)));
        }
        let is_held = File::open(path).ok().is_some_and(|file| byte::is_held(&file));
        let writer = owner::read_beside(path);
        match writer {
            writer if is_held => Some(DatabaseWriter::of(writer)),
            Some(writer) if writer.seems_alive(path, BEAT * 3) => {
                Some(DatabaseWriter::Known(writer))
            }
            _ => None,
        }
    }
}

/// A thread that renews a file's time of change.
#[derive(Debug)]
struct Heartbeat {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Heartbeat {
    fn start(file: Arc<File>) -> Option<Self> {
        let (end, ended) = mpsc::channel();
        let work = move || {
            while ended.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                // The sign fails with the file, which the next commit finds out.
                let _ = touch(&file);
            }
        };
        let thread = std::thread::Builder::new().name("celaje-writer".to_owned()).spawn(work);
        let thread = thread.inspect_err(|error| tracing::warn!(%error, "no sign of life")).ok()?;
        Some(Self { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        drop(self.end.take());
        // It holds the file, which must not be closed any later than the lock.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Sets the file's time of change to now.
#[cfg(unix)]
pub(super) fn touch(file: &File) -> io::Result<()> {
    use nix::sys::{stat::futimens, time::TimeSpec};
    // Both to now: who may write may do that, and need not own the file.
    Ok(futimens(file, &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_NOW)?)
}

#[cfg(not(unix))]
pub(super) fn touch(file: &File) -> io::Result<()> {
    file.set_modified(crate::clock::Clock::SYSTEM.now().into())
}

/// The lock on a byte of the file.
mod byte {
    use std::fs::File;

    /// What came of asking for it.
    pub(super) enum Answer {
        Taken,
        Held,
        NoLocks,
    }

    #[cfg(target_os = "linux")]
    mod os {
        use std::fs::File;

        use nix::errno::Errno;
        use nix::fcntl::{FcntlArg, fcntl};
        use nix::libc;

        use super::Answer;

        /// SQLite locks the 512 bytes from 0x40000000 on.
        const PLACE: libc::off_t = 0x4000_0400;

        fn writing() -> libc::flock {
            libc::flock {
                l_type: libc::F_WRLCK as libc::c_short,
                l_whence: libc::SEEK_SET as libc::c_short,
                l_start: PLACE,
                l_len: 1,
                l_pid: 0,
            }
        }

        pub(in super::super) fn lock(file: &File) -> Answer {
            match fcntl(file, FcntlArg::F_OFD_SETLK(&writing())) {
                Ok(_) => Answer::Taken,
                Err(Errno::EAGAIN | Errno::EACCES) => Answer::Held,
                Err(_) => Answer::NoLocks,
            }
        }

        pub(in super::super) fn is_held(file: &File) -> bool {
            let mut found = writing();
            fcntl(file, FcntlArg::F_OFD_GETLK(&mut found)).is_ok()
                && found.l_type != libc::F_UNLCK as libc::c_short
        }
    }

    /// Other systems have only locks that would stand in SQLite's own way.
    #[cfg(not(target_os = "linux"))]
    mod os {
        use std::fs::File;

        use super::Answer;

        pub(in super::super) fn lock(_: &File) -> Answer {
            Answer::NoLocks
        }

        pub(in super::super) fn is_held(_: &File) -> bool {
            false
        }
    }

    /// Takes the lock, to be held until the last handle of this opening of the file is closed.
    pub(super) fn lock(file: &File) -> Answer {
        os::lock(file)
    }

    /// Whether somebody holds the lock by another opening of the file.
    pub(super) fn is_held(file: &File) -> bool {
        os::is_held(file)
    }
}

/// The lock of versions before this one: a file beside the database.
mod older {
    use super::{File, Path, PathBuf, Read, with_suffix};

    fn lock_file(path: &Path) -> PathBuf {
        let real = std::fs::canonicalize(path);
        with_suffix(&real.unwrap_or_else(|_| path.to_owned()), ".lock")
    }

    /// The older Celaje that writes now, its process id where it can be read.
    pub(super) fn holder(path: &Path) -> Option<Option<u32>> {
        let mut file = File::open(lock_file(path)).ok()?;
        let held = matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock));
        held.then(|| {
            let mut text = String::new();
            let _ = file.read_to_string(&mut text);
            text.trim().parse().ok()
        })
    }

    /// Removes the file, which nobody needs any more, unless it is somebody else's.
    pub(super) fn remove(path: &Path) {
        let file = lock_file(path);
        let is_its = |text: String| text.trim().bytes().all(|byte| byte.is_ascii_digit());
        if std::fs::read_to_string(&file).is_ok_and(is_its) {
            let _ = std::fs::remove_file(&file);
        }
    }
}

/// What an operating system's refusal to write stands for.
pub(super) fn refusal(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Fault::ReadOnly,
        _ => Fault::CannotOpen(error.to_string()),
    }
}

/// The folder that holds `path`.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Bytes that are free on the disk of `folder`, where the system tells.
pub(super) fn free_bytes(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let volume = nix::sys::statvfs::statvfs(folder).ok()?;
        // How wide these numbers are depends on the system.
        let free = u128::from(volume.blocks_available()) * u128::from(volume.fragment_size());
        // File systems that count nothing have no blocks at all.
        (volume.blocks() > 0).then(|| u64::try_from(free).ok())?
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

/// `path` with `suffix` added to its name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_file_is_the_same_database() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("a.db");
        let first = WriterLock::take(&db).unwrap();
        assert!(first.works());
        let (soft, hard) = (folder.path().join("b.db"), folder.path().join("c.db"));
        std::os::unix::fs::symlink(&db, &soft).unwrap();
        std::fs::hard_link(&db, &hard).unwrap();
        for name in [&db, &soft, &hard] {
            assert!(matches!(WriterLock::take(name), Err(Fault::SecondWriter(None))));
            assert!(WriterLock::holder(name).is_some());
        }
        drop(first);
        assert_eq!(WriterLock::holder(&hard), None);
        drop(WriterLock::take(&hard).unwrap());
    }

    #[test]
    fn an_older_celaje_that_runs_is_refused_and_its_lock_file_goes() {
        let folder = tempfile::tempdir().unwrap();
        let (db, lock) = (folder.path().join("a.db"), folder.path().join("a.db.lock"));
        std::fs::write(&lock, "77").unwrap();
        let held = File::open(&lock).unwrap();
        held.lock().unwrap();
        match WriterLock::take(&db) {
            Err(Fault::SecondWriter(Some(older))) => assert_eq!(older.pid, 77),
            other => panic!("{other:?}"),
        }
        assert!(!db.exists());
        std::fs::write(&lock, "").unwrap();
        drop(held);
        drop(WriterLock::take(&db).unwrap());
        assert!(!lock.exists());
    }

    #[test]
    fn a_lock_in_no_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(WriterLock::take(&folder.path().join("none/a.db")).is_err());
    }
}
