//! What a file is to this program, and what opening it for writing does to it: the one answer, for
//! whoever asks beforehand and for who then opens it.

use std::path::Path;

use diesel::prelude::*;

use crate::store::connection::{self, FileKind};
use crate::store::error::Fault;
use crate::store::lock::with_suffix;
use crate::store::takeover::{self, TakeoverPlan};
use crate::store::unwritable::ReadConnection;

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
    let is_there = |suffix| with_suffix(path, suffix).exists();
    if !has_content && (is_there("-wal") || is_there("-shm")) {
        return Err(Fault::StrayLog);
    }
    Ok(())
}

/// What the file of a connection is. Writes nothing.
pub(super) fn state(connection: &mut SqliteConnection) -> Result<FileState, Fault> {
    Ok(match connection::kind(connection)? {
        FileKind::New => FileState::New,
        FileKind::Replaced => FileState::Replaced(takeover::plan(connection)?),
        FileKind::Outdated => FileState::Outdated,
        FileKind::Current => FileState::Current,
    })
}
