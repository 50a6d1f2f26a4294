//! What a file is to this program, and what opening it for writing does to it: the one answer, for
//! whoever asks beforehand and for who then opens it.

use std::path::Path;

use diesel::prelude::*;

use crate::store::connection::{self, FileKind};
use crate::store::error::Fault;
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
    if !connection::exists(path)? {
        return Ok(FileState::New);
    }
    state(&mut ReadConnection::open(path)?.connection)
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
