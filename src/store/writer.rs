//! The process that has a database open for writing, and whether it still lives.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::clock::Clock;
use crate::store::lock::{WriterLock, folder_of, real};
use crate::store::place::{self, FileIdentity};
use crate::store::rows::timestamp;
use celaje_sky::say;
use celaje_sky::text::Text;

/// How long the file must stay unchanged until a writer whose lock cannot be seen is taken for
/// dead: three heartbeats. Network file systems may keep what they know of a file as long.
pub(super) const STANDS_STILL: Duration = Duration::from_secs(60);
/// How often the file is looked at meanwhile.
const LOOKS_EVERY: Duration = Duration::from_millis(100);

/// Who has a database open for writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseWriter {
    /// This process.
    Known(Box<WriterProcess>),
    /// A process that did not say who it is.
    Unknown,
}

impl DatabaseWriter {
    pub(super) fn of(process: Option<WriterProcess>) -> Self {
        process.map_or(Self::Unknown, |process| Self::Known(Box::new(process)))
    }

    /// The process, where it is known.
    pub(crate) fn process(self) -> Option<WriterProcess> {
        match self {
            Self::Known(process) => Some(*process),
            Self::Unknown => None,
        }
    }
}

/// A process that has a database open for writing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriterProcess {
    /// Its id, where it runs.
    pub pid: u32,
    /// Name of its machine; empty when that is not known.
    pub host: String,
    /// Program and command; empty when that is not known.
    pub command: String,
    /// When it opened the database, UTC; empty when that is not known.
    pub opened_at: String,
    /// A random number of this opening.
    pub(super) token: String,
    /// Boot id of the kernel.
    pub(super) boot: String,
    /// Id of the machine's installation, which clones share.
    pub(super) machine: String,
    /// Namespace of `pid`, and when the process began.
    pub(super) process: String,
    /// Inode of the file: a copy of the file has another one.
    pub(super) inode: String,
    /// Whether it held a lock that works.
    pub(super) locks: bool,
    /// The path at which it opened the file; empty when that is not known.
    pub(super) path: String,
    /// Whether the file, as it was read, has all rows that the process stored.
    pub(super) is_whole: bool,
    /// How often the process marked the file as not whole.
    pub(super) mark: i64,
}

/// Whether a writer still lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriterLife {
    Alive,
    Dead,
    /// Only the file's time of change can tell.
    Unknown,
}

impl WriterProcess {
    /// This process, which holds `lock` on the file at `path`.
    pub(super) fn this(lock: &WriterLock, path: &Path) -> Self {
        let pid = std::process::id();
        Self {
            pid,
            host: host(),
            command: command(std::env::args()),
            opened_at: timestamp(Clock::SYSTEM.now()),
            token: format!("{:016x}", rand::random::<u64>()),
            boot: line_of("/proc/sys/kernel/random/boot_id"),
            machine: line_of("/etc/machine-id"),
            process: process(pid),
            inode: FileIdentity::of_file(lock.file()).map(FileIdentity::inode).unwrap_or_default(),
            locks: lock.works(),
            path: canonical(path),
            is_whole: false,
            mark: 1,
        }
    }

    /// One of a version that left nothing but its id.
    pub(super) fn older(pid: u32) -> Self {
        Self { pid, ..Self::default() }
    }

    /// Process, machine and command, by which a person finds it.
    pub fn text(&self) -> Text {
        let Self { pid, host, command, opened_at, .. } = self;
        match (host.is_empty(), command.is_empty()) {
            (false, false) => say!(
                "process {pid} on '{host}': {command}, since {opened_at} UTC",
                "proceso {pid} en '{host}': {command}, desde {opened_at} UTC"
            ),
            _ => say!("process {pid}", "proceso {pid}"),
        }
    }

    /// That the file at `db` lacks the rows in the log of this writer, where the log is, and what
    /// to do.
    pub(super) fn log_text(&self, db: &Path) -> Text {
        let Text { en, es } = self.text();
        let is_there = self.path == canonical(db);
        // For a shell.
        let quoted = db.display().to_string().replace('\'', r"'\''");
        let (path, db) = (&self.path, db.display());
        if is_there {
            return say!(
                "the log '{path}-wal' of the database '{db}' is gone, and with it what {en} stored \
                 last, if it came to that; put it back, or do without it by \"celaje db \
                 forget-log --db '{quoted}'\"",
                "falta el diario '{path}-wal' de la base de datos '{db}', y con él lo último que \
                 guardó {es}, si llegó a guardar algo; devuélvalo a su lugar, o prescinda de él \
                 con \"celaje db forget-log --db '{quoted}'\""
            );
        }
        say!(
            "the database '{db}' is seen without its log: what {en} stored last is in \
             '{path}-wal'; open it as '{path}', or, where only the log is left there, move that to \
             '{db}-wal' (if it is lost, \"celaje db forget-log --db '{quoted}'\" does without its \
             rows)",
            "la base de datos '{db}' se ve sin su diario: lo último que guardó {es} está en \
             '{path}-wal'; ábrala como '{path}' o, si allí solo queda el diario, muévalo a \
             '{db}-wal' (si se perdió, \"celaje db forget-log --db '{quoted}'\" prescinde de sus \
             filas)"
        )
    }

    /// Whether this writer lives, as far as `me` knows without waiting. `me` holds the lock where
    /// locks work; `is_local`: on a file system that only this machine uses.
    ///
    /// Boot id and process id are no proof of death where machines share the file: a clone of a
    /// machine has both. Only the heartbeat tells then.
    pub(super) fn standing(&self, me: &Self, is_local: bool) -> WriterLife {
        // The lock of a living writer would have stood in the way of `me`, unless its file is
        // another one, of which this is a copy.
        if is_local && me.locks && (self.locks || self.inode != me.inode) {
            return WriterLife::Dead;
        }
        match self.by_its_process(&me.boot) {
            WriterLife::Alive => WriterLife::Alive,
            WriterLife::Dead | WriterLife::Unknown => WriterLife::Unknown,
        }
    }

    /// Whether the process lives, as far as this one, which runs under the kernel of `boot`, sees
    /// processes.
    fn by_its_process(&self, boot: &str) -> WriterLife {
        let namespace = |process: &str| process.split(' ').next().map(str::to_owned);
        let mine = namespace(&process(std::process::id())).filter(|name| !name.is_empty());
        if boot.is_empty() || boot != self.boot || mine != namespace(&self.process) {
            return WriterLife::Unknown;
        }
        match mine.is_some() && process(self.pid) == self.process {
            true => WriterLife::Alive,
            false => WriterLife::Dead,
        }
    }

    /// The same of this process.
    pub(super) fn life(&self) -> WriterLife {
        self.by_its_process(&line_of("/proc/sys/kernel/random/boot_id"))
    }

    /// Whether a writer of the file at `path`, on which nobody holds a lock that is seen here, is
    /// likely to live: its process does, or the file was changed within `patience`.
    pub(super) fn seems_alive(&self, path: &Path, patience: Duration) -> bool {
        if self.locks && place::is_local(path) {
            return false;
        }
        if self.life() == WriterLife::Alive {
            return true;
        }
        let now = SystemTime::from(Clock::SYSTEM.now());
        let age = changed(path).and_then(|time| now.duration_since(time).ok());
        age.is_some_and(|age| age < patience)
    }

    /// Waits until the file at `path` was changed, or was not for `patience`; whether it was not.
    pub(super) fn stands_still(&self, path: &Path, patience: Duration) -> bool {
        let before = changed(path);
        let rest = patience.saturating_sub(age(path).unwrap_or_default());
        if !rest.is_zero() {
            let Self { pid, host, .. } = self;
            let seconds = rest.as_secs();
            tracing::warn!(
                pid,
                host,
                seconds,
                "another process had the database open; waiting to see whether it lives"
            );
        }
        for _ in 0..rest.div_duration_f64(LOOKS_EVERY).ceil() as u64 {
            if changed(path) != before {
                return false;
            }
            std::thread::sleep(LOOKS_EVERY);
        }
        changed(path) == before
    }
}

/// The absolute path of a file without links; as far as it can be told.
fn canonical(path: &Path) -> String {
    let absolute = fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    absolute.unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// When the file was changed last.
fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|found| found.modified()).ok()
}

/// How long the file at `path` has not been changed, by the clock of its file system; none where no
/// file can be made beside it.
fn age(path: &Path) -> Option<Duration> {
    let new = tempfile::tempfile_in(folder_of(&real(path))).ok()?;
    let now = new.metadata().and_then(|found| found.modified()).ok()?;
    now.duration_since(changed(path)?).ok()
}

/// The name of this machine.
fn host() -> String {
    match line_of("/proc/sys/kernel/hostname") {
        name if name.is_empty() => std::env::var("HOSTNAME").unwrap_or_default(),
        name => name,
    }
}

/// The program and its command, without anything else of the command line: it may hold secrets.
fn command(mut args: impl Iterator<Item = String>) -> String {
    let program = args.next().unwrap_or_default();
    let program = Path::new(&program).file_name().unwrap_or_default().to_string_lossy();
    let is_word = |arg: &String| arg.bytes().all(|byte| byte.is_ascii_lowercase());
    let word = args.find(|arg| !arg.is_empty() && is_word(arg)).unwrap_or_default();
    format!("{program} {word}").trim_end().to_owned()
}

/// The namespace of process ids that this process sees, and when the process `pid` of it began, in
/// ticks since the machine was started; empty where the system does not tell, without the latter
/// when there is no such process.
fn process(pid: u32) -> String {
    let Ok(namespace) = fs::read_link("/proc/self/ns/pid") else {
        return String::new();
    };
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name, in brackets, may hold anything; the time is the twentieth field after it.
    let after = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let began = after.split_whitespace().nth(19).unwrap_or_default();
    format!("{} {began}", namespace.display())
}

/// The only line of a file; empty when it cannot be read.
fn line_of(path: &str) -> String {
    fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_told_without_secrets() {
        let told = |args: &[&str]| command(args.iter().map(|arg| (*arg).to_owned()));
        let args = ["/usr/bin/celaje", "--log", "INFO", "backfill", "--url-base", "http://u:p@h/"];
        assert_eq!(told(&args), "celaje backfill");
        assert_eq!(told(&["celaje"]), "celaje");
        assert_eq!(told(&[]), "");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_writer_is_judged_by_its_lock_where_that_holds_and_by_its_process() {
        let me = WriterProcess {
            pid: std::process::id(),
            host: "here".to_owned(),
            boot: "today".to_owned(),
            machine: "this".to_owned(),
            process: process(std::process::id()),
            inode: "7".to_owned(),
            locks: true,
            ..WriterProcess::default()
        };
        assert!(me.process.starts_with("pid:[") && !me.process.ends_with(' '), "{}", me.process);
        let with = |change: fn(&mut WriterProcess), is_local| {
            let mut other = me.clone();
            change(&mut other);
            other.standing(&me, is_local)
        };
        assert_eq!(with(|_| (), true), WriterLife::Dead);
        assert_eq!(with(|other| other.boot = "yesterday".to_owned(), true), WriterLife::Dead);
        // A copy of a file that had no locks.
        let copy = |other: &mut WriterProcess| (other.locks, other.inode) = (false, "8".to_owned());
        assert_eq!(with(copy, true), WriterLife::Dead);
        assert_eq!(with(|other| other.locks = false, true), WriterLife::Alive);
        // A file that machines share: locks may not reach the other one, which may be a clone.
        assert_eq!(with(|_| (), false), WriterLife::Alive);
        assert_eq!(with(|other| other.pid = u32::MAX, false), WriterLife::Unknown);
        assert_eq!(with(|other| other.process.push('0'), false), WriterLife::Unknown);
        assert_eq!(with(|other| other.boot = "theirs".to_owned(), false), WriterLife::Unknown);
        assert_eq!(with(|other| other.inode.push('0'), false), WriterLife::Alive);
    }

    #[test]
    fn the_time_that_a_file_was_not_changed_counts() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("a.db");
        let file = fs::File::create(&db).unwrap();
        let hour = Duration::from_secs(3600);
        file.set_modified(changed(&db).unwrap() - hour).unwrap();
        assert!(age(&db).unwrap() >= hour);
        // Without a wait.
        assert!(WriterProcess::default().stands_still(&db, hour));
    }
}
