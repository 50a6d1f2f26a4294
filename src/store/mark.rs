//! The mark by which a process knows that what is in the file is still its database.
//!
//! The file itself, without its log, has the row of the process that writes it ([`owner`]) with
//! `whole` at 0. The row is read past SQLite's locks whenever the file has changed. A file without
//! it was overwritten by a program that does not go by SQLite's locks, unless another program is
//! folding the log into it just then.

use std::path::Path;
use std::time::Duration;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Integer;

use crate::store::connection::{self, checkpoint_now};
use crate::store::error::Fault;
use crate::store::owner;
use crate::store::place::{ContentStamp, Displacement};
use crate::store::writer::WriterProcess;

/// How often, and in which time, a file is looked into once more that does not have the row of this
/// process: another program may be folding the log into it just then.
const LOOKS: u32 = 40;
const BETWEEN_LOOKS: Duration = Duration::from_millis(25);
/// Looks after which a file is taken for overwritten that no other program has written to by way of
/// SQLite.
const ENOUGH_LOOKS: u32 = 10;

/// What a process knows of its row in the file itself.
#[derive(Debug)]
pub(super) struct FileMark {
    /// The token of the process's opening.
    token: String,
    /// The mark that was written last, into the log at least.
    last: i64,
    /// The least that the file itself can have; none as long as a reader has kept the row from it.
    least: Option<i64>,
    /// Whether the file itself says that it needs its log.
    is_set: bool,
    /// The file when the row was last seen in it.
    seen: Option<ContentStamp>,
    /// SQLite's count of the transactions of other connections, as it was then.
    version: Option<i32>,
}

impl FileMark {
    /// The mark of a row that was just written; `is_folded`: the file itself holds it.
    pub(super) fn new(connection: &mut SqliteConnection, token: String, is_folded: bool) -> Self {
        let version = version(connection);
        let least = is_folded.then_some(1);
        Self { token, last: 1, least, is_set: true, seen: None, version }
    }

    /// The token of the process's opening.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Marks the file as one that needs its log, before a transaction that is in the log alone.
    pub(super) fn set(&mut self, connection: &mut SqliteConnection) -> Result<(), Fault> {
        if self.is_set {
            return Ok(());
        }
        let mark = connection::transaction(connection, |connection| {
            Ok(owner::need_the_log(connection, &self.token)?)
        })?;
        // None where the row is not this opening's: the transaction that follows finds that out.
        if let Some(mark) = mark {
            self.last = mark;
            if checkpoint_now(connection)? {
                self.least = Some(mark);
            }
            self.is_set = true;
        }
        Ok(())
    }

    /// The log is folded into the file, which is whole then; the mark is set again before the next
    /// transaction.
    pub(super) fn unset(&mut self) {
        self.is_set = false;
    }

    /// What became of the contents of the file at `path`, which is in its place; nothing as long as
    /// they are this process's.
    pub(super) fn look(
        &mut self,
        connection: &mut SqliteConnection,
        path: &Path,
    ) -> Option<Displacement> {
        let is_unchanged = self.seen.is_some() && ContentStamp::of(path) == self.seen;
        if is_unchanged && version(connection) == self.version {
            return None;
        }
        if self.is_anothers(connection) {
            return Some(Displacement::Taken);
        }
        if is_unchanged {
            // What another program has committed is folded before that program does it, so that
            // whatever changes the file later is told from that.
            if self.fold(connection) {
                let _ = self.sees_its_row(connection, path);
            }
            return None;
        }
        if self.least.is_none() {
            self.fold(connection);
            self.least?;
        }
        for look in 0..LOOKS {
            if self.sees_its_row(connection, path)? {
                return None;
            }
            if self.is_anothers(connection) {
                return Some(Displacement::Taken);
            }
            if look >= ENOUGH_LOOKS && version(connection) == self.version {
                return Some(Displacement::Overwritten);
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        // After a whole checkpoint of its own no other one is under way.
        let is_lost = self.fold(connection) && !self.sees_its_row(connection, path)?;
        is_lost.then_some(Displacement::Overwritten)
    }

    /// Folds the log into the file; false when a reader still needs some of it.
    fn fold(&mut self, connection: &mut SqliteConnection) -> bool {
        self.unset();
        let is_folded = checkpoint_now(connection).is_ok_and(|all| all);
        if is_folded {
            self.least = Some(self.last);
        }
        is_folded
    }

    /// Whether another program has exchanged the row by way of SQLite.
    fn is_anothers(&self, connection: &mut SqliteConnection) -> bool {
        version(connection) != self.version
            && owner::foreign(connection, &self.token).is_ok_and(|row| row.is_some())
    }

    /// Whether the file itself has the row of this process; none where the file cannot be read.
    fn sees_its_row(&mut self, connection: &mut SqliteConnection, path: &Path) -> Option<bool> {
        let (stamp, version) = (ContentStamp::of(path), version(connection));
        let is_own = |row: &WriterProcess| {
            row.token == self.token && row.mark <= self.last && Some(row.mark) >= self.least
        };
        match owner::read_beside(path) {
            Ok(row) if row.as_ref().is_some_and(is_own) => {
                (self.seen, self.version) = (stamp, version);
                Some(true)
            }
            Ok(_) | Err(Fault::Damaged | Fault::NotADatabase) => Some(false),
            Err(_) => None,
        }
    }
}

/// SQLite's count of the transactions that other connections have committed.
fn version(connection: &mut SqliteConnection) -> Option<i32> {
    sql::<Integer>("PRAGMA data_version").get_result(connection).ok()
}
