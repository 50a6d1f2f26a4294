//! Queries of the record: rows in pages, sums, lists, of any station.
//!
//! A [`Reader`] is one connection. It reads in short transactions, so that the writer can fold its
//! log into the file at any time.

mod aggregate;
mod climatology;
mod dark_hours;
mod export;
mod items;
mod labels;
mod legacy;
mod listings;
mod messages;
mod misses;
mod operations;
mod runs;
mod shadows;
mod zones;

use std::path::{Path, PathBuf};

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::store::error::{Fault, StoreError};
use crate::store::unwritable::ReadConnection;

pub use aggregate::{Bucket, Width};
pub use climatology::{Climatology, HourOfMonth, MonthOfYear, NightRule};
pub use dark_hours::DarkMonth;
pub use export::{ExportReading, ExportSlot, ExportSummary, SlotEdges};
pub use items::{NewObservation, ObservationItem, QualityFilter, ReadingFilter};
pub use labels::{LabelItem, QueueItem, SkillReport};
pub(crate) use legacy::LegacyDays;
pub use legacy::{AFTER_DAYS, FIRST_DAY, LegacyRow};
pub use listings::{StationItem, ZoneItem};
pub use messages::{AlertMessage, AlertStanding, MessageCount};
pub use misses::{MissItem, MissedSlot};
pub use operations::ModelCount;
pub use runs::{ReasonCount, RunItem};
pub use shadows::{LatestReading, ShadowItem};
pub use zones::ZoneCount;

/// A connection that reads.
pub struct Reader {
    pub(super) read: ReadConnection,
    path: PathBuf,
    /// Connections before this one; see [`ReadConnection::is_stale`].
    before: i64,
}

impl Reader {
    /// Opens an existing, up-to-date file; it is neither made nor changed, and may lie where
    /// nothing can be written.
    ///
    /// # Errors
    /// When there is none, it is empty or not this program's, or it has first to be taken over or
    /// brought up to date ([`Fault::Outdated`]).
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let read = ReadConnection::open_current(path).map_err(|fault| fault.at(path))?;
        Ok(Self { read, path: path.to_owned(), before: 0 })
    }

    /// A number that differs from the last one given when another connection has changed the file
    /// since.
    pub(crate) fn data_version(&mut self) -> Result<i64, StoreError> {
        let version = self
            .ask(|connection| sql::<BigInt>("PRAGMA data_version").get_result::<i64>(connection))?;
        // SQLite counts in 32 bits, for each connection anew.
        Ok(version | (self.before << 32))
    }

    /// Runs a query, and pairs its error with the database's path.
    pub(super) fn ask<T>(
        &mut self,
        question: impl FnOnce(&mut SqliteConnection) -> QueryResult<T>,
    ) -> Result<T, StoreError> {
        self.with(|connection| Ok(question(connection)?))
    }

    /// The same of a query with faults of its own.
    pub(super) fn with<T>(
        &mut self,
        question: impl FnOnce(&mut SqliteConnection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        if self.read.is_stale(&self.path) {
            self.read = self.read.renewed(&self.path).map_err(|fault| fault.at(&self.path))?;
            self.before += 1;
        }
        let answer = question(&mut self.read.connection);
        let answer = if self.read.is_displaced(&self.path) { Err(Fault::Busy) } else { answer };
        answer.map_err(|fault| fault.at(&self.path))
    }
}
