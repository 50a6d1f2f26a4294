//! The record: observations, misses and runs in one SQLite file.
//!
//! | table | holds |
//! | --- | --- |
//! | `stations` | the cameras; the first of a file is its home |
//! | `observations` | one reading a slot |
//! | `misses` | slots without a reading; a slot is never in both tables |
//! | `runs` | what the program was asked to do, and what came of it |
//! | `shadow_observations` | what a second model says of the same pictures |
//! | `celaje_labels` | what people saw in the pictures |
//! | `celaje_calibrations` | the confidence of a model at a station, fitted to labels |
//! | `year_layouts` | where a server kept a year's pictures |
//! | `celaje_identity` | what others know the file by |
//! | `alert_states`, `alert_outbox` | where each alert stands, and its messages |
//! | `legacy_rows` | rows of the replaced system that are no reading |
//! | `registro_historico` (a view) | the home station's rows in the replaced system's form |
//!
//! `migrations/` describes the columns and the rules of the view. Everything here is synchronous.
//! One process at a time opens a file for writing ([`Database::open`]). Readers
//! ([`reader::Reader`], or any other tool) do not wait for it, nor it for them.
//!
//! | file | keeps |
//! | --- | --- |
//! | `lock`, `writer`, `owner` | one writer at a time: its lock, who it is, its row in the file |
//! | `place`, `mark`, `ownership`, `loss` | a writer from a file that is its own no more |
//! | `unwritable`, `readable` | readers from a file that has changed unseen, or cannot be written |

mod alerts;
mod calibration;
mod commit;
mod completion;
mod connection;
mod copy;
pub mod error;
mod examination;
mod frozen;
mod labels;
mod lock;
mod loss;
mod mark;
mod merge;
mod owner;
mod ownership;
mod place;
mod queries;
mod readable;
pub mod reader;
pub mod rows;
mod runs;
mod schema;
mod shadow;
mod shared;
mod takeover;
#[cfg(test)]
mod tests;
mod triggers;
mod unwritable;
mod upkeep;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::clock::Clock;
use crate::store::calibration::CalibrationCache;
use crate::store::connection::Access;
use crate::store::error::{Fault, StoreError};
use crate::store::lock::WriterLock;
use crate::store::ownership::{Candidacy, Ownership, leave_open};
use crate::store::rows::timestamp;
use crate::store::schema::stations;
use crate::store::writer::STANDS_STILL;
use celaje_sky::error::io_text;
use celaje_sky::station::Station;

pub use alerts::{AlertChange, MOST_WAITING, SendOutcome};
pub use calibration::{CalibrationItem, RecalibrationReport};
pub use commit::{CommitEffect, CommitMode};
pub use examination::FileState;
pub use labels::{LabelOrder, ModelKey};
pub use loss::{Loss, LossKind};
pub use merge::{LegacyLeft, MergeReport};
pub use queries::KnownMiss;
pub use readable::{ReadableRecord, RecordCopy};
pub use runs::{InterruptedRun, PictureSource, RunCounts, RunId, RunKind, RunStart, RunStatus};
pub use shadow::{Agreement, ShadowReading};
pub use shared::{SharedDatabase, WeakDatabase};
pub use takeover::{BrokenObject, TakeoverPlan, TakeoverReport};
pub use upkeep::{Backup, Finding, VacuumSizes};
pub use writer::{DatabaseWriter, WriterProcess};

/// A database that is open for writing, seen from one station.
///
/// Dropping it closes it. With the last connection SQLite folds the log into the file and removes
/// `-wal` and `-shm`. The connection to a file that was lost is left open instead.
pub struct Database {
    // Dropped in this order: the connection is closed before the lock's file.
    connection: SqliteConnection,
    path: PathBuf,
    station: String,
    /// By station: the source of the run that began last, which its misses are of.
    sources: BTreeMap<String, PictureSource>,
    /// Slots that a run which replaces rows has added, and did not find.
    added: BTreeSet<(RunId, NaiveDateTime)>,
    /// The runs that began since the file was opened.
    begun: BTreeSet<RunId>,
    /// The stations' calibrations that were looked up.
    calibrations: CalibrationCache,
    /// Dates what is written.
    clock: Clock,
    ownership: Ownership,
}

impl Drop for Database {
    fn drop(&mut self) {
        self.ownership.end(&mut self.connection);
        if self.ownership.must_stay_open() {
            leave_open(&mut self.connection);
        }
    }
}

/// A database that was opened for writing.
pub struct DatabaseOpening {
    /// The database.
    pub database: Database,
    /// What was taken over from the replaced system, when this was its file until now.
    pub adopted: Option<TakeoverReport>,
    /// Runs whose process died without closing them, marked as interrupted now.
    pub cut_off: Vec<InterruptedRun>,
}

impl Database {
    /// Opens the file for writing: makes it where there is none, takes over a file of the replaced
    /// system, brings the schema up to date, completes what other tools wrote, and marks runs as
    /// interrupted whose process died.
    ///
    /// # Errors
    /// When the path names no file that this program may use, another program holds it, or SQLite
    /// fails. A file that is refused is left as it is.
    pub fn open(path: &Path, station: &Station) -> Result<DatabaseOpening, StoreError> {
        Self::open_telling(path, station, |_| ())
    }

    /// As [`open`](Self::open); calls `tell` with a takeover's plan before it changes anything.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_telling(
        path: &Path,
        station: &Station,
        tell: impl FnOnce(&TakeoverPlan),
    ) -> Result<DatabaseOpening, StoreError> {
        open(path, station, None, STANDS_STILL, tell).map_err(|fault| fault.at(path))
    }

    /// Dates by `clock` what is written from now on.
    pub(crate) fn keep_time(&mut self, clock: Clock) {
        self.clock = clock;
    }

    /// Now, as it is stored.
    pub(super) fn dated(&self) -> String {
        timestamp(self.clock.now())
    }

    /// Removes the database at `path`, as long as nobody writes to it; none there is fine.
    ///
    /// # Errors
    /// [`Fault::SecondWriter`] when another Celaje has it open for writing: nothing is removed
    /// then.
    pub fn remove(path: &Path) -> Result<(), StoreError> {
        let remove = || {
            if !connection::exists(path)? {
                return Ok(());
            }
            let _lock = WriterLock::take(path)?;
            for suffix in ["-wal", "-shm", ""] {
                match std::fs::remove_file(lock::companion(path, suffix)) {
                    Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                        return Err(Fault::CannotOpen(io_text(&e).to_string()));
                    }
                    _ => {}
                }
            }
            Ok(())
        };
        remove().map_err(|fault| fault.at(path))
    }

    /// The process that has the file at `path` open for writing, where it is known which; none
    /// when nobody has.
    ///
    /// It opens and closes the file, which drops SQLite's locks of this process: the caller has no
    /// connection to the database.
    pub fn writer(path: &Path) -> Option<DatabaseWriter> {
        WriterLock::holder(path)
    }

    /// Whether the file was moved, deleted, replaced, overwritten or taken by another process while
    /// it was open for writing.
    pub fn is_lost(&mut self) -> bool {
        self.ownership.is_lost(&mut self.connection)
    }

    /// Looks for the file at its path, and into it; saves what it held where it is lost.
    ///
    /// # Errors
    /// [`Fault::Displaced`] when it is lost.
    pub(crate) fn check_place(&mut self) -> Result<(), StoreError> {
        self.ownership.check(&mut self.connection).map_err(|fault| fault.at(&self.path))
    }

    /// Whether the run began since the file was opened, and may be written to.
    pub(crate) fn knows(&self, run: RunId) -> bool {
        self.begun.contains(&run)
    }

    /// # Errors
    /// [`Fault::Renewed`] when the run is of the file that was open before this one.
    fn check_run(&self, run: RunId) -> Result<(), StoreError> {
        match self.knows(run) {
            true => Ok(()),
            false => Err(Fault::Renewed.at(&self.path)),
        }
    }

    /// Opens a lost file anew, once there is one at its path. One that was deleted is put back
    /// where that can be done; none is made. Nothing to do is fine.
    ///
    /// # Errors
    /// When there is no file at the path, or it cannot be opened for writing.
    pub fn renew(&mut self, station: &Station) -> Result<(), StoreError> {
        let (ownership, connection) = (&mut self.ownership, &mut self.connection);
        if !ownership.is_lost(connection) || ownership.is_back(connection) {
            return self.add_station(station);
        }
        let mut prepare = || {
            if ownership.has_lost_its_log() {
                ownership.replace_by_copy(connection).map_err(Fault::CannotOpen)?;
            }
            // Saves what was lost, unless that is done.
            let _ = ownership.check(connection);
            ownership.save_again(connection);
            if !connection::exists(&self.path)? {
                ownership.check(connection)?;
            }
            ownership.begin_anew()?;
            open(&self.path, station, Some(&*ownership), STANDS_STILL, |_| ())
        };
        let opened = prepare().map_err(|fault| fault.at(&self.path))?;
        let clock = self.clock;
        *self = opened.database;
        self.keep_time(clock);
        Ok(())
    }

    /// What the file at `path` is to this program, and what opening it for writing does to it now.
    /// Nothing is made or changed.
    ///
    /// As with [`writer`](Self::writer), the caller has no connection to the database.
    ///
    /// # Errors
    /// When [`open`](Self::open) would refuse the file, for the same reason.
    pub fn foresee(path: &Path) -> Result<FileState, StoreError> {
        examination::foresee(path).map_err(|fault| fault.at(path))
    }

    /// Bytes that are free on the disk of the file at `path`, where the system tells.
    pub fn free_bytes(path: &Path) -> Option<u64> {
        lock::free_bytes(lock::folder_of(&lock::real(path)))
    }

    /// Writes a further station of the file as it is described now.
    pub fn add_station(&mut self, station: &Station) -> Result<(), StoreError> {
        let register = |connection: &mut SqliteConnection| register_station(connection, station);
        self.ownership
            .transaction(&mut self.connection, register)
            .map_err(|fault| fault.at(&self.path))
    }

    /// Sets the station, one of the file's, that further work is done for.
    pub(crate) fn look_from(&mut self, station: &str) {
        if self.station != station {
            station.clone_into(&mut self.station);
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the connection usable after a panic: rolls back what was begun, or connects anew where
    /// that fails. Nothing to do is fine.
    ///
    /// # Errors
    /// When the file cannot be opened again.
    pub fn recover(&mut self) -> Result<(), StoreError> {
        connection::roll_back(&mut self.connection)
            .or_else(|_| {
                self.connection = connection::connect(&self.path, Access::Write)?;
                connection::settle(&mut self.connection)
            })
            .map_err(|fault| fault.at(&self.path))
    }

    /// Folds the log into the file and empties it; false when a reader still needs some of it.
    pub fn checkpoint(&mut self) -> Result<bool, StoreError> {
        self.check_place()?;
        self.ownership.was_folded();
        connection::checkpoint(&mut self.connection).map_err(|fault| fault.at(&self.path))
    }
}

/// Opens the file at `path` for writing, in place of the opening `lost` of this process.
fn open(
    path: &Path,
    station: &Station,
    lost: Option<&Ownership>,
    patience: Duration,
    tell: impl FnOnce(&TakeoverPlan),
) -> Result<DatabaseOpening, Fault> {
    connection::exists(path)?;
    // Before an empty file is made there.
    examination::refuse_stray_log(path)?;
    // Before SQLite opens the file, which would make a log beside this name of it.
    let lock = match lost.and_then(Ownership::lock_there) {
        Some(lock) => lock,
        None => Arc::new(WriterLock::take(path)?),
    };
    let lost = lost.map(Ownership::tokens).unwrap_or_default();
    owner::do_without_lost_log(path, &lost)?;
    examination::examine(path)?;
    let mut connection = connection::connect(path, Access::Write)?;
    // Once more: the former writer may have changed it.
    let free = lock::free_bytes(lock::folder_of(&lock::real(path)));
    let state = examination::admit(&mut connection, free)?;
    let candidacy = Candidacy::begin(&mut connection, path, lock, patience, lost)?;
    let adopted = match state {
        FileState::Replaced(plan) => {
            tell(&plan);
            Some(takeover::take_over(&mut connection, path, station, &plan)?)
        }
        FileState::New | FileState::Outdated | FileState::Current => None,
    };
    connection::settle(&mut connection)?;
    connection::migrate(&mut connection)?;
    let first = |connection: &mut SqliteConnection| {
        register_station(connection, station)?;
        completion::complete(connection)?;
        runs::interrupt_dead(connection)
    };
    let (ownership, cut_off) = candidacy.complete(&mut connection, path, first)?;
    let database = Database {
        connection,
        path: path.to_owned(),
        station: station.id.clone(),
        sources: BTreeMap::new(),
        added: BTreeSet::new(),
        begun: BTreeSet::new(),
        calibrations: CalibrationCache::default(),
        clock: Clock::SYSTEM,
        ownership,
    };
    Ok(DatabaseOpening { database, adopted, cut_off })
}

/// Writes the station as it is described now; the first of a file becomes its home.
fn register_station(connection: &mut SqliteConnection, station: &Station) -> Result<(), Fault> {
    let row = rows::StationRow::new(station);
    diesel::insert_into(stations::table)
        .values(&row)
        .on_conflict(stations::id)
        .do_update()
        .set(&row)
        .execute(connection)?;
    diesel::sql_query(
        "UPDATE stations SET is_home = 1 \
         WHERE id = ? AND NOT EXISTS (SELECT 1 FROM stations WHERE is_home = 1)",
    )
    .bind::<Text, _>(&station.id)
    .execute(connection)?;
    Ok(())
}
