//! The lock that lets one process at a time write to a database.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::store::error::Fault;
use crate::store::owner;
use crate::store::place::FileIdentity;
use crate::store::writer::{DatabaseWriter, WriterProcess};
use celaje_sky::error::io_text;

/// How often a writer renews the file's time of change: its heartbeat for machines that do not see
/// each other's locks.
const BEAT: Duration = Duration::from_secs(20);

/// Symbolic links that are followed, as by Linux.
const MOST_LINKS: u32 = 40;

/// Held while a database is open for writing; released when dropped, and by the operating system
/// when the process ends.
///
/// It locks one byte of the database file, beyond the bytes that SQLite locks, so it is the same
/// lock under every name and mount of the file. It belongs to the open file, while SQLite's (POSIX)
/// locks belong to the process: it stays when another descriptor of the file is closed. But closing
/// `file` drops SQLite's locks of this process, so `file` is opened before the connection and
/// closed after it. Readers do not look at it.
#[derive(Debug)]
pub(super) struct WriterLock {
    file: Arc<File>,
    /// A second handle, which saw that the lock holds; closed with the first.
    witness: Option<File>,
    heartbeat: OnceLock<Option<Heartbeat>>,
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
                let writer = owner::read_beside(path).ok().flatten();
                return Err(Fault::SecondWriter(writer.map(Box::new)));
            }
            byte::Answer::NoLocks => None,
        };
        older::remove(path);
        Ok(Self { file: Arc::new(file), witness, heartbeat: OnceLock::new() })
    }

    /// Whether the lock keeps another process of this machine away; false on file systems without
    /// locks.
    pub(super) const fn works(&self) -> bool {
        self.witness.is_some()
    }

    /// The file, under whatever name it now has.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Whether the file at `path` is the one that is locked.
    pub(super) fn is_on(&self, path: &Path) -> bool {
        FileIdentity::of_file(&self.file)
            .is_ok_and(|own| FileIdentity::at(path).is_ok_and(|it| it == own))
    }

    /// Renews the file's time of change from now on, until the lock is dropped.
    pub(super) fn beat(&self) {
        self.heartbeat.get_or_init(|| Heartbeat::start(Arc::clone(&self.file)));
    }

    /// The process that has the database at `path` open for writing now, where it is known which;
    /// none when nobody has. Nothing is made.
    ///
    /// It closes the file, which drops SQLite's locks of this process: the caller has no connection
    /// to the database.
    pub(super) fn holder(path: &Path) -> Option<DatabaseWriter> {
        if let Some(pid) = older::holder(path) {
            return Some(DatabaseWriter::of(pid.map(WriterProcess::older)));
        }
        let is_held = File::open(path).ok().is_some_and(|file| byte::is_held(&file));
        match owner::read_beside(path).ok().flatten() {
            writer if is_held => Some(DatabaseWriter::of(writer)),
            Some(writer) if writer.seems_alive(path, BEAT * 3) => {
                Some(DatabaseWriter::of(Some(writer)))
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
                // It fails with the file; the next commit finds that out.
                let _ = touch(&file);
            }
        };
        let thread = std::thread::Builder::new().name("celaje-writer".to_owned()).spawn(work);
        let thread = thread.inspect_err(|error| tracing::warn!(%error, "no heartbeat")).ok()?;
        Some(Self { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        drop(self.end.take());
        // The thread has the file open, which must not be closed later than the lock.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Sets the file's time of change to now.
#[cfg(unix)]
pub(super) fn touch(file: &File) -> io::Result<()> {
    use nix::sys::{stat::futimens, time::TimeSpec};
    // Setting both times to now takes the right to write, not that of the owner.
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

    /// Other systems only have locks that would be in the way of SQLite's.
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

    /// Whether the lock is held through another opening of the file.
    pub(super) fn is_held(file: &File) -> bool {
        os::is_held(file)
    }
}

/// The lock of earlier versions: a file beside the database.
mod older {
    use super::{File, Path, PathBuf, Read, with_suffix};

    fn lock_file(path: &Path) -> PathBuf {
        let real = std::fs::canonicalize(path);
        with_suffix(&real.unwrap_or_else(|_| path.to_owned()), ".lock")
    }

    /// The earlier Celaje that writes now; its process id where it can be read.
    pub(super) fn holder(path: &Path) -> Option<Option<u32>> {
        let mut file = File::open(lock_file(path)).ok()?;
        let held = matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock));
        held.then(|| {
            let mut text = String::new();
            let _ = file.read_to_string(&mut text);
            text.trim().parse().ok()
        })
    }

    /// Removes the lock file, unless it is another program's.
    pub(super) fn remove(path: &Path) {
        let file = lock_file(path);
        let is_its = |text: String| text.trim().bytes().all(|byte| byte.is_ascii_digit());
        if std::fs::read_to_string(&file).is_ok_and(is_its) {
            let _ = std::fs::remove_file(&file);
        }
    }
}

/// The fault for an error of the operating system on opening a file for writing.
pub(super) fn refusal(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Fault::ReadOnly,
        _ => Fault::CannotOpen(io_text(error).to_string()),
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

/// The file at the end of the symbolic links at `path`, be it there or not.
pub(super) fn real(path: &Path) -> PathBuf {
    let mut real = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(target) = std::fs::read_link(&real) else { break };
        real = folder_of(&real).join(target);
    }
    real
}

/// What SQLite keeps beside the database at `path`, with `suffix` added to its name: beside the
/// file itself, where the path is a symbolic link.
pub(super) fn companion(path: &Path, suffix: &str) -> PathBuf {
    with_suffix(&real(path), suffix)
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
