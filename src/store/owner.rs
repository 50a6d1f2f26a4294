//! The row in which a database says who has it open for writing.
//!
//! The lock on the file ([`WriterLock`]) keeps a second writer of the same machine away. The row
//! says who the first one is, and is all there is between machines that do not see each other's
//! locks.
//!
//! It also says whether the file needs its log. Its column `whole` is 0 in the file itself and 1 in
//! the log beside it, as long as the process writes: whoever reads 0 sees the file without the rows
//! of the log, under another name of the file or because the log is gone.

use std::path::Path;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{self, BigInt, Bool};

use crate::store::connection::{Access, connect, file_uri};
use crate::store::error::Fault;
use crate::store::lock::{WriterLock, companion};
use crate::store::place;
use crate::store::writer::{WriterLife, WriterProcess};

/// Columns of the table before it had those of `migrations/0006_writer_place`.
const OLDER_COLUMNS: i64 = 11;

/// The row, where the file has one: one of the replaced system, or new, has not even the table.
pub(super) fn read(connection: &mut SqliteConnection) -> QueryResult<Option<WriterProcess>> {
    type Row = (
        (i64, String, String, String, String, String, String, String, String, bool),
        (String, bool, i64),
    );
    type Sql = sql_types::Text;
    type Types = ((BigInt, Sql, Sql, Sql, Sql, Sql, Sql, Sql, Sql, Bool), (Sql, Bool, BigInt));
    let place = match columns(connection)? {
        0 => return Ok(None),
        ..=OLDER_COLUMNS => "'', 1, 0",
        _ => "path, whole, mark",
    };
    let row = sql::<Types>(&format!(
        "SELECT pid, host, command, opened_at, token, boot, machine, process, inode, locks, \
         {place} FROM celaje_writer"
    ));
    let row: Option<Row> = row.get_result(connection).optional()?;
    Ok(row.map(|(writer, (path, is_whole, mark))| {
        let (pid, host, command, opened_at, token, boot, machine, process, inode, locks) = writer;
        let pid = u32::try_from(pid).unwrap_or(0);
        WriterProcess {
            pid,
            host,
            command,
            opened_at,
            token,
            boot,
            machine,
            process,
            inode,
            locks,
            path,
            is_whole,
            mark,
        }
    }))
}

fn columns(connection: &mut SqliteConnection) -> QueryResult<i64> {
    sql::<BigInt>("SELECT count(*) FROM pragma_table_info('celaje_writer')").get_result(connection)
}

/// The row of the file at `path` itself, without the log beside it and without any lock.
///
/// # Errors
/// When the file cannot be opened, or what is there cannot be read.
pub(super) fn read_beside(path: &Path) -> Result<Option<WriterProcess>, Fault> {
    let uri = format!("{}?mode=ro&immutable=1", file_uri(path)?);
    let mut connection = SqliteConnection::establish(&uri)?;
    Ok(read(&mut connection)?)
}

fn write(writer: &WriterProcess, connection: &mut SqliteConnection) -> QueryResult<()> {
    diesel::sql_query(
        "INSERT OR REPLACE INTO celaje_writer (only, pid, host, command, opened_at, token, boot, \
         machine, process, inode, locks, path, whole, mark) \
         VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind::<BigInt, _>(i64::from(writer.pid))
    .bind::<sql_types::Text, _>(&writer.host)
    .bind::<sql_types::Text, _>(&writer.command)
    .bind::<sql_types::Text, _>(&writer.opened_at)
    .bind::<sql_types::Text, _>(&writer.token)
    .bind::<sql_types::Text, _>(&writer.boot)
    .bind::<sql_types::Text, _>(&writer.machine)
    .bind::<sql_types::Text, _>(&writer.process)
    .bind::<sql_types::Text, _>(&writer.inode)
    .bind::<Bool, _>(writer.locks)
    .bind::<sql_types::Text, _>(&writer.path)
    .bind::<Bool, _>(writer.is_whole)
    .bind::<BigInt, _>(writer.mark)
    .execute(connection)
    .map(drop)
}

/// A database's row, as this process looks at it before it makes it its own.
pub(super) struct Claim {
    me: WriterProcess,
    /// The token of the row that a dead writer left.
    dead: Option<String>,
}

impl Claim {
    /// Looks who has the file open for writing; a writer whose lock cannot be seen is watched for
    /// `patience`. The openings `lost` were this process's.
    ///
    /// # Errors
    /// [`Fault::SecondWriter`] when somebody has.
    pub(super) fn stake(
        connection: &mut SqliteConnection,
        path: &Path,
        lock: &WriterLock,
        patience: Duration,
        lost: &[String],
    ) -> Result<Self, Fault> {
        let me = WriterProcess::this(lock, path);
        let Some(writer) = read(connection)? else {
            return Ok(Self { me, dead: None });
        };
        let is_dead = lost.contains(&writer.token)
            || match writer.standing(&me, place::is_local(path)) {
                WriterLife::Alive => false,
                WriterLife::Dead => true,
                WriterLife::Unknown => writer.stands_still(path, patience),
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
        match read(connection)? {
            Some(other) if self.dead.as_ref() != Some(&other.token) => {
                Err(Fault::SecondWriter(Some(Box::new(other))))
            }
            _ => {
                write(&self.me, connection)?;
                Ok(self.me.token)
            }
        }
    }
}

/// What the row is, if it is not that of the opening `token`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ForeignRow {
    /// There is none.
    Missing,
    /// It is another opening's.
    Another,
}

/// Whose the row is, where it is not that of the opening `token`.
pub(super) fn foreign(
    connection: &mut SqliteConnection,
    token: &str,
) -> QueryResult<Option<ForeignRow>> {
    if columns(connection)? == 0 {
        return Ok(Some(ForeignRow::Missing));
    }
    let found: Option<String> = sql::<sql_types::Text>("SELECT token FROM celaje_writer")
        .get_result(connection)
        .optional()?;
    Ok(match found {
        Some(found) if found == token => None,
        Some(_) => Some(ForeignRow::Another),
        None => Some(ForeignRow::Missing),
    })
}

/// Marks the file of the opening `token` as one that needs its log; gives the new mark.
pub(super) fn need_the_log(
    connection: &mut SqliteConnection,
    token: &str,
) -> QueryResult<Option<i64>> {
    sql::<BigInt>("UPDATE celaje_writer SET whole = 0, mark = mark + 1 WHERE token = ")
        .bind::<sql_types::Text, _>(token)
        .sql(" RETURNING mark")
        .get_result(connection)
        .optional()
}

/// Says that what is seen is whole: in the log, with the rows that the file itself lacks.
pub(super) fn be_whole(connection: &mut SqliteConnection) -> QueryResult<()> {
    connection.batch_execute("UPDATE celaje_writer SET whole = 1 WHERE whole = 0")
}

/// Says it in place of `dead`, which was killed after [`need_the_log`] and before [`be_whole`]. To
/// be asked with the log beside the file: nothing is missing then. SQLite removes the log when the
/// last connection closes; a file that still asked for it would be refused for ever. Failure to
/// write is ignored: where the file is read-only the log stays.
pub(super) fn be_whole_after(
    connection: &mut SqliteConnection,
    dead: &WriterProcess,
) -> QueryResult<()> {
    if dead.is_whole {
        return Ok(());
    }
    connection.batch_execute("PRAGMA query_only = OFF")?;
    let _ = be_whole(connection);
    connection.batch_execute("PRAGMA query_only = ON")
}

/// Whether a log with content is beside the file at `path`. To be asked before SQLite opens the
/// file, which makes an empty one.
pub(super) fn has_a_log(path: &Path) -> bool {
    std::fs::metadata(companion(path, "-wal")).is_ok_and(|found| found.len() > 0)
}

/// Refuses a file that is seen without the log that has its last rows. To be asked, as
/// [`has_a_log`], before SQLite opens the file.
///
/// # Errors
/// [`Fault::LogElsewhere`].
pub(super) fn refuse_without_its_log(path: &Path) -> Result<(), Fault> {
    let mut writer = None;
    // A second look, since the writer may have made or removed its log between the row and it.
    for _ in 0..2 {
        let row = if has_a_log(path) { None } else { read_beside(path).ok().flatten() };
        writer = row.filter(|row| !row.is_whole && !has_a_log(path));
        if writer.is_none() {
            return Ok(());
        }
    }
    writer.map_or(Ok(()), |writer| Err(Fault::LogElsewhere(Box::new(writer))))
}

/// Does without the log of the file at `path` where it is that of an opening which this process has
/// `lost`, as in a copy of the file alone: what was in that log was saved then as far as it could
/// be, and is nowhere else. A log beside the path, and another process's row, stay. To be asked, as
/// [`has_a_log`], before SQLite opens the file.
pub(super) fn do_without_lost_log(path: &Path, lost: &[String]) -> Result<(), Fault> {
    match refuse_without_its_log(path) {
        Err(Fault::LogElsewhere(writer)) if lost.contains(&writer.token) => {
            Ok(release(&mut connect(path, Access::Write)?, &writer.token)?)
        }
        // Any other is refused when the file is examined.
        _ => Ok(()),
    }
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
    if columns(connection)? > 0 {
        connection.batch_execute(
            "PRAGMA query_only = OFF; DELETE FROM celaje_writer; PRAGMA query_only = ON",
        )?;
    }
    Ok(())
}
