//! The row in which a database says who has it open for writing.
//!
//! The lock on the file ([`WriterLock`]) is what keeps a second writer of the same machine away;
//! the row says who the first one is, and is all there is between machines that do not see each
//! other's locks. It is written into the file itself, not only into the log beside it, so that it
//! is seen by every name of the file.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{self, BigInt, Bool};

use crate::clock::Clock;
use crate::store::connection::file_uri;
use crate::store::error::Fault;
use crate::store::lock::WriterLock;
use crate::store::place::FileIdentity;
use crate::store::rows::timestamp;
use celaje_sky::say;
use celaje_sky::text::Text;

/// How long the file of a writer on another machine must stand still until that writer is taken for
/// dead: three signs of life, and the time that network file systems keep what they know of a file.
pub(super) const STANDS_STILL: Duration = Duration::from_secs(60);
/// How often the file is looked at meanwhile.
const LOOKS_EVERY: Duration = Duration::from_millis(100);

/// Who has a database open for writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseWriter {
    /// This process.
    Known(WriterProcess),
    /// A process that said nothing of itself.
    Unknown,
}

impl DatabaseWriter {
    pub(super) fn of(process: Option<WriterProcess>) -> Self {
        process.map_or(Self::Unknown, Self::Known)
    }

    /// The process, where it is known.
    pub(crate) fn process(self) -> Option<WriterProcess> {
        match self {
            Self::Known(process) => Some(process),
            Self::Unknown => None,
        }
    }
}

/// A process that has a database open for writing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriterProcess {
    /// Its id, where it runs.
    pub pid: u32,
    /// Where it runs; empty when that is not known.
    pub host: String,
    /// Program and command; empty when that is not known.
    pub command: String,
    /// When it opened the database, UTC; empty when that is not known.
    pub opened_at: String,
    token: String,
    boot: String,
    machine: String,
    process: String,
    inode: String,
    locks: bool,
}

/// Whether a writer still lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WriterLife {
    Alive,
    Dead,
    /// What this machine knows does not say.
    Unknown,
}

impl WriterProcess {
    /// This process, which holds `lock` on the file of `identity`.
    fn this(lock: &WriterLock) -> Self {
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
        }
    }

    /// One of a version that left nothing but its id.
    pub(super) fn older(pid: u32) -> Self {
        Self { pid, ..Self::default() }
    }

    /// What a person needs to find it: process, machine, command.
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

    /// What `me`, who holds the lock where there is one, knows of this writer.
    fn standing(&self, me: &Self) -> WriterLife {
        let is = |mine: &str, its: &str| !its.is_empty() && mine == its;
        if is(&me.boot, &self.boot) {
            // A copy of the file has the row of the original; and a lock that holds would have
            // stood in the way of `me`.
            if me.inode != self.inode || (self.locks && me.locks) {
                return WriterLife::Dead;
            }
            return self.by_its_process();
        }
        // This machine, before it was started anew.
        if is(&me.machine, &self.machine) && is(&me.host, &self.host) {
            return WriterLife::Dead;
        }
        WriterLife::Unknown
    }

    /// Whether the process lives, as far as this one sees processes.
    fn by_its_process(&self) -> WriterLife {
        let namespace = |process: &str| process.split(' ').next().map(str::to_owned);
        let mine = namespace(&process(std::process::id())).filter(|name| !name.is_empty());
        if mine.is_none() || mine != namespace(&self.process) {
            return WriterLife::Unknown;
        }
        match process(self.pid) == self.process {
            true => WriterLife::Alive,
            false => WriterLife::Dead,
        }
    }

    /// Whether a writer whose lock cannot be seen is likely to live: its process does, or the file
    /// was changed within `patience`.
    pub(super) fn seems_alive(&self, path: &Path, patience: Duration) -> bool {
        if line_of("/proc/sys/kernel/random/boot_id") == self.boot && !self.boot.is_empty() {
            if self.locks {
                return false;
            }
            match self.by_its_process() {
                WriterLife::Alive => return true,
                WriterLife::Dead => return false,
                WriterLife::Unknown => {}
            }
        }
        let now = SystemTime::from(Clock::SYSTEM.now());
        let age = changed(path).and_then(|time| now.duration_since(time).ok());
        age.is_some_and(|age| age < patience)
    }

    fn read(connection: &mut SqliteConnection) -> QueryResult<Option<Self>> {
        type Row = (i64, String, String, String, String, String, String, String, String, bool);
        type Sql = sql_types::Text;
        type Types = (BigInt, Sql, Sql, Sql, Sql, Sql, Sql, Sql, Sql, Bool);
        if !has_row(connection)? {
            return Ok(None);
        }
        let row = sql::<Types>(
            "SELECT pid, host, command, opened_at, token, boot, machine, process, inode, locks \
             FROM celaje_writer",
        );
        let row: Option<Row> = row.get_result(connection).optional()?;
        Ok(row.map(|row| {
            let (pid, host, command, opened_at, token, boot, machine, process, inode, locks) = row;
            let pid = u32::try_from(pid).unwrap_or(0);
            Self { pid, host, command, opened_at, token, boot, machine, process, inode, locks }
        }))
    }

    fn write(&self, connection: &mut SqliteConnection) -> QueryResult<()> {
        diesel::sql_query(
            "INSERT OR REPLACE INTO celaje_writer \
             VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind::<BigInt, _>(i64::from(self.pid))
        .bind::<sql_types::Text, _>(&self.host)
        .bind::<sql_types::Text, _>(&self.command)
        .bind::<sql_types::Text, _>(&self.opened_at)
        .bind::<sql_types::Text, _>(&self.token)
        .bind::<sql_types::Text, _>(&self.boot)
        .bind::<sql_types::Text, _>(&self.machine)
        .bind::<sql_types::Text, _>(&self.process)
        .bind::<sql_types::Text, _>(&self.inode)
        .bind::<Bool, _>(self.locks)
        .execute(connection)
        .map(drop)
    }
}

/// A database's row, as this process looks at it before it makes it its own.
pub(super) struct Claim {
    me: WriterProcess,
    /// The row of a dead writer.
    dead: Option<String>,
}

impl Claim {
    /// Looks who has the file open for writing; one whose life cannot be known otherwise is watched
    /// for `patience`.
    ///
    /// # Errors
    /// [`Fault::SecondWriter`] when somebody has.
    pub(super) fn stake(
        connection: &mut SqliteConnection,
        path: &Path,
        lock: &WriterLock,
        patience: Duration,
    ) -> Result<Self, Fault> {
        let me = WriterProcess::this(lock);
        let found = WriterProcess::read(connection)?;
        let Some(writer) = found else {
            return Ok(Self { me, dead: None });
        };
        let is_dead = match writer.standing(&me) {
            WriterLife::Alive => false,
            WriterLife::Dead => true,
            WriterLife::Unknown => stands_still(path, &writer, patience),
        };
        if !is_dead {
            return Err(Fault::SecondWriter(Some(Box::new(writer))));
        }
        Ok(Self { me, dead: Some(writer.token) })
    }

    /// Writes the row, inside the caller's transaction; gives the token of this opening.
    ///
    /// # Errors
    /// [`Fault::SecondWriter`] when somebody was quicker.
    pub(super) fn write(self, connection: &mut SqliteConnection) -> Result<String, Fault> {
        match WriterProcess::read(connection)? {
            Some(other) if self.dead.as_ref() != Some(&other.token) => {
                Err(Fault::SecondWriter(Some(Box::new(other))))
            }
            _ => {
                self.me.write(connection)?;
                Ok(self.me.token)
            }
        }
    }
}

/// The writer other than the opening `token` whose row the file has; none as long as it is ours.
pub(super) fn other(
    connection: &mut SqliteConnection,
    token: &str,
) -> Result<Option<WriterProcess>, Fault> {
    let found: Option<String> = sql::<sql_types::Text>("SELECT token FROM celaje_writer")
        .get_result(connection)
        .optional()?;
    if found.as_deref() == Some(token) {
        return Ok(None);
    }
    Ok(Some(WriterProcess::read(connection)?.unwrap_or_default()))
}

/// Takes the row of the opening `token` away.
pub(super) fn release(connection: &mut SqliteConnection, token: &str) -> QueryResult<()> {
    diesel::sql_query("DELETE FROM celaje_writer WHERE token = ?")
        .bind::<sql_types::Text, _>(token)
        .execute(connection)
        .map(drop)
}

/// Takes the row away, whosever it is: from a copy, which nobody writes.
pub(super) fn clear(connection: &mut SqliteConnection) -> QueryResult<()> {
    if has_row(connection)? {
        connection.batch_execute(
            "PRAGMA query_only = OFF; DELETE FROM celaje_writer; PRAGMA query_only = ON",
        )?;
    }
    Ok(())
}

/// Whether the file has a row at all: one of the replaced system, or new, has no such table.
fn has_row(connection: &mut SqliteConnection) -> QueryResult<bool> {
    let rows: i64 = sql::<BigInt>(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'celaje_writer'",
    )
    .get_result(connection)?;
    if rows == 0 {
        return Ok(false);
    }
    sql::<Bool>("SELECT count(*) > 0 FROM celaje_writer").get_result(connection)
}

/// The row in the file at `path`, without the log beside it and without any lock.
pub(super) fn read_beside(path: &Path) -> Option<WriterProcess> {
    let uri = format!("{}?mode=ro&immutable=1", file_uri(path).ok()?);
    let mut connection = SqliteConnection::establish(&uri).ok()?;
    WriterProcess::read(&mut connection).ok().flatten()
}

/// Waits until the file at `path` was changed or `patience` is over; whether it was not.
fn stands_still(path: &Path, writer: &WriterProcess, patience: Duration) -> bool {
    let before = changed(path);
    let WriterProcess { pid, host, .. } = writer;
    tracing::warn!(
        pid,
        host,
        "another machine had the database open; waiting to see whether it lives"
    );
    for _ in 0..patience.div_duration_f64(LOOKS_EVERY) as u64 {
        if changed(path) != before {
            return false;
        }
        std::thread::sleep(LOOKS_EVERY);
    }
    true
}

/// When the file was changed last.
fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|found| found.modified()).ok()
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
    fn a_writer_is_judged_by_what_this_machine_knows_of_it() {
        let me = WriterProcess {
            pid: std::process::id(),
            host: "here".to_owned(),
            token: "1".to_owned(),
            boot: "today".to_owned(),
            machine: "this".to_owned(),
            process: process(std::process::id()),
            inode: "7".to_owned(),
            locks: false,
            ..WriterProcess::default()
        };
        assert!(me.process.starts_with("pid:[") && !me.process.ends_with(' '), "{}", me.process);
        assert_eq!(me.standing(&me), WriterLife::Alive);
        let with = |change: fn(&mut WriterProcess)| {
            let mut other = me.clone();
            change(&mut other);
            other.standing(&me)
        };
        // Its pid is another process's now, or nobody's.
        assert_eq!(with(|other| other.process.push('0')), WriterLife::Dead);
        assert_eq!(with(|other| other.pid = u32::MAX), WriterLife::Dead);
        assert_eq!(with(|other| other.inode.push('0')), WriterLife::Dead);
        assert_eq!(with(|other| other.process = "pid:[1] 5".to_owned()), WriterLife::Unknown);
        assert_eq!(with(|other| other.boot = "yesterday".to_owned()), WriterLife::Dead);
        let elsewhere = |other: &mut WriterProcess| {
            (other.boot, other.machine) = ("theirs".to_owned(), "that".to_owned());
        };
        assert_eq!(with(elsewhere), WriterLife::Unknown);
        let locking = WriterProcess { locks: true, ..me.clone() };
        assert_eq!(locking.standing(&locking), WriterLife::Dead);
    }
}
