//! The record as others ask for it: by any station, in pages, in sums; never written.
//!
//! A [`Reader`] is one connection. It reads in short transactions, so that the writer can fold its
//! log into the file at any time.

mod aggregate;
mod climatology;
mod items;
mod legacy;
mod listings;
mod operations;
mod runs;
mod shadows;

use std::path::{Path, PathBuf};

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::store::connection;
use crate::store::error::{Fault, StoreError};

pub use aggregate::{Bucket, Width};
pub use climatology::{Climatology, HourOfMonth, MonthOfYear, NightRule};
pub use items::{MissItem, NewObservation, ObservationItem, Wanted, WantedQuality};
pub use legacy::{LegacyPlace, LegacyRow};
pub use listings::StationItem;
pub use operations::ModelCount;
pub use runs::{ReasonCount, RunItem};
pub use shadows::{LatestReading, ShadowItem};

/// A connection that reads.
pub struct Reader {
    connection: SqliteConnection,
    path: PathBuf,
}

impl Reader {
    /// Opens an existing, up-to-date file; it is neither made nor changed.
    ///
    /// # Errors
    /// When there is none, it is not this program's, or it has first to be taken over or brought up
    /// to date ([`Fault::Outdated`]).
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = connection::connect_to_read(path).map_err(|fault| fault.at(path))?;
        Ok(Self { connection, path: path.to_owned() })
    }

    /// A number that differs from the last one given when another connection has changed the file
    /// since.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn data_version(&mut self) -> Result<i64, StoreError> {
        self.ask(|connection| sql::<BigInt>("PRAGMA data_version").get_result(connection))
    }

    /// Runs `question`, and pairs its error with the database's path.
    fn ask<T>(
        &mut self,
        question: impl FnOnce(&mut SqliteConnection) -> QueryResult<T>,
    ) -> Result<T, StoreError> {
        question(&mut self.connection).map_err(|error| Fault::from(error).at(&self.path))
    }
}
