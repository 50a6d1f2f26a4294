//! What a file is to this program, and what opening it for writing does to it. `doctor` and
//! [`Database::open`](super::Database::open) both ask here.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::store::connection::{self, Access, FileKind, connect, damage};
use crate::store::error::Fault;
use crate::store::lock::{self, WriterLock, companion, folder_of, free_bytes};
use crate::store::takeover::{self, TakeoverPlan};
use crate::store::triggers;
use crate::store::unwritable::ReadConnection;

/// Bytes of the record's tables without rows, at most.
const SCHEMA_BYTES: u64 = 512 * 1024;

/// What a file is to this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// Not there, or without any table.
    New,
    /// The replaced system's, and how it is taken over.
    Replaced(TakeoverPlan),
    /// This program's, with migrations to come.
    Outdated,
    /// This program's.
    Current,
}

/// What the file at `path` is. Nothing is made or changed.
pub(super) fn examine(path: &Path) -> Result<FileState, Fault> {
    refuse_stray_log(path)?;
    if !connection::exists(path)? {
        return Ok(FileState::New);
    }
    state(&mut ReadConnection::open(path)?.connection)
}

/// Refuses to begin a database beside the log of one that was moved or deleted. SQLite would take
/// the log for the new file's, and the process that has the old one open may still write to it.
pub(super) fn refuse_stray_log(path: &Path) -> Result<(), Fault> {
    let has_content = std::fs::metadata(path).is_ok_and(|found| found.len() > 0);
    let is_there = |suffix| companion(path, suffix).exists();
    if !has_content && (is_there("-wal") || is_there("-shm")) {
        return Err(Fault::StrayLog);
    }
    Ok(())
}

/// What opening the file at `path` for writing would do now; it is neither made nor changed. A file
/// is made in its folder and removed again.
///
/// To be asked while this process has the database nowhere open: closing the file once more would
/// drop SQLite's own locks.
///
/// # Errors
/// When it would be refused, for the same reason.
pub(super) fn foresee(path: &Path) -> Result<FileState, Fault> {
    let is_there = connection::exists(path)?;
    refuse_stray_log(path)?;
    if let Some(writer) = WriterLock::holder(path) {
        return Err(Fault::SecondWriter(writer.process().map(Box::new)));
    }
    if is_there {
        let file = std::fs::OpenOptions::new().append(true).open(path);
        file.map_err(|error| lock::refusal(&error))?;
    }
    // The name is free, and the file goes with its handle.
    let real = lock::real(path);
    tempfile::tempfile_in(folder_of(&real)).map_err(|error| lock::refusal(&error))?;
    if !is_there {
        return Ok(FileState::New);
    }
    // What is none of ours is not opened for writing.
    examine(path)?;
    admit(&mut connect(path, Access::Write)?, free_bytes(folder_of(&real)))
}

/// What the file of a writing connection is, once nothing stands in the way of writing it; `free`
/// bytes are left on its disk, where that is known. Writes nothing.
///
/// # Errors
/// When another program is in the middle of writing, a trigger on one of the record's tables cannot
/// run, or the file is the replaced system's and damaged, or its takeover has no room.
pub(super) fn admit(
    connection: &mut SqliteConnection,
    free: Option<u64>,
) -> Result<FileState, Fault> {
    let state = state(connection)?;
    if state != FileState::New {
        connection.batch_execute("BEGIN IMMEDIATE; ROLLBACK")?;
        triggers::try_all(connection)?;
    }
    if let FileState::Replaced(plan) = &state {
        if !damage(connection, true)?.is_empty() {
            return Err(Fault::Damaged);
        }
        let needed = room(connection, plan.rows)?;
        if let Some(free) = free.filter(|free| *free < needed) {
            return Err(Fault::NoRoom { needed, free });
        }
    }
    Ok(state)
}

/// Bytes that a takeover of `rows` rows may need beside the file: the copy, and the rows in their
/// new tables, less than a kibibyte each with their indices. In write-ahead logging these are in
/// the log too.
fn room(connection: &mut SqliteConnection, rows: i64) -> Result<u64, Fault> {
    let size: i64 =
        sql::<BigInt>("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
            .get_result(connection)?;
    let mode: String = sql::<Text>("PRAGMA journal_mode").get_result(connection)?;
    let [size, rows] = [size, rows].map(|n| u64::try_from(n).unwrap_or(0));
    let grows = rows.saturating_mul(1024).min(2 * size) + SCHEMA_BYTES;
    Ok(size + if mode == "wal" { 2 * grows } else { grows })
}

/// What the file of a connection is. Writes nothing.
pub(super) fn state(connection: &mut SqliteConnection) -> Result<FileState, Fault> {
    Ok(match connection::kind(connection)? {
        FileKind::New => FileState::New,
        FileKind::Replaced => FileState::Replaced(takeover::plan(connection)?),
        FileKind::Outdated | FileKind::Readable => FileState::Outdated,
        FileKind::Current => FileState::Current,
    })
}
