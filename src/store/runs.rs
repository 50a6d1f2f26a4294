//! What the program did: one row for each time it was asked to fill a range.

use chrono::NaiveDateTime;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::clock::Clock;
use crate::store::Database;
use crate::store::commit::CommitEffect;
use crate::store::error::{Fault, StoreError};
use crate::store::queries;
use crate::store::rows::{slot_text, timestamp};
use crate::store::schema::runs;
use crate::store::unwritable::ReadConnection;
use celaje_sky::audit::{Audit, Imbalance};
use celaje_sky::ledger::Ledger;
use celaje_sky::slot::{SlotRange, Slots};
use celaje_sky::station::LayoutChoice;

/// The key of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub(super) i64);

impl RunId {
    /// The number that it has in the table.
    pub const fn number(self) -> i64 {
        self.0
    }
}

/// Where a run looks for pictures: its misses say nothing about any other address or layout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PictureSource {
    /// [`Source::address`](crate::camera::Source::address).
    pub address: String,
    /// Where they are below it.
    pub layout: LayoutChoice,
}

/// What a run is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunKind {
    /// A range that somebody asked for.
    #[default]
    Backfill,
    /// The slots of a station as they come, in one life of the process; its range grows.
    Live,
    /// What the process found missing.
    CatchUp,
}

impl RunKind {
    /// The name under which it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backfill => "backfill",
            Self::Live => "live",
            Self::CatchUp => "catch-up",
        }
    }
}

/// What is known when a run begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunStart {
    /// What it is for.
    pub kind: RunKind,
    /// What it was asked to fill.
    pub range: SlotRange,
    /// Where it looks for pictures.
    pub source: PictureSource,
    /// Version of the program.
    pub version: String,
    /// Inference engine, its version and device.
    pub engine: String,
    /// Name and version of the model.
    pub model: String,
}

/// Slots of a run; `total = new + duplicates + missed` when it is finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunCounts {
    /// Slots of the range.
    pub total: u64,
    /// Observations written.
    pub new: u64,
    /// Slots that were stored already.
    pub duplicates: u64,
    /// Slots without an observation.
    pub missed: u64,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunStatus {
    /// Every slot of the range was dealt with.
    Finished,
    /// Stopped before, by a signal or a crash.
    Interrupted,
    /// Given up.
    Failed,
}

impl RunStatus {
    /// The name under which it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }
}

impl Database {
    /// From now on the station's misses are those of `source`.
    pub(crate) fn set_source(&mut self, source: &PictureSource) {
        self.sources.insert(self.station.clone(), source.clone());
    }

    /// Writes that a run begins; its status is `running`.
    pub fn begin_run(&mut self, start: &RunStart) -> Result<RunId, StoreError> {
        let (station, now) = (self.station.clone(), self.dated());
        self.sources.insert(station.clone(), start.source.clone());
        self.ownership
            .transaction(&mut self.connection, |connection| {
                diesel::insert_into(runs::table)
                    .values((
                        runs::station.eq(&station),
                        runs::kind.eq(start.kind.as_str()),
                        runs::range_from.eq(slot_text(start.range.from())),
                        runs::range_to.eq(slot_text(start.range.to())),
                        runs::started_at.eq(&now),
                        runs::version.eq(&start.version),
                        runs::engine.eq(&start.engine),
                        runs::model.eq(&start.model),
                    ))
                    .execute(connection)?;
                let id =
                    diesel::select(sql::<BigInt>("last_insert_rowid()")).get_result(connection)?;
                Ok(RunId(id))
            })
            .inspect(|run| {
                self.begun.insert(*run);
            })
            .map_err(|fault: Fault| fault.at(&self.path))
    }

    /// Sets a running run's counts: after planning the range, when its total and the slots stored
    /// already are known. [`commit`](Self::commit) adds to them.
    pub fn update_run(&mut self, run: RunId, counts: &RunCounts) -> Result<(), StoreError> {
        self.check_run(run)?;
        let raise = |connection: &mut SqliteConnection| raise(connection, run, counts);
        self.ownership
            .transaction(&mut self.connection, raise)
            .map_err(|fault: Fault| fault.at(&self.path))
    }

    /// Sets a live run's counts, and the slot that its range has grown to.
    pub fn extend_run(
        &mut self,
        run: RunId,
        to: NaiveDateTime,
        counts: &RunCounts,
    ) -> Result<(), StoreError> {
        self.check_run(run)?;
        self.ownership
            .transaction(&mut self.connection, |connection| {
                diesel::update(runs::table.find(run.0))
                    .set(runs::range_to.eq(slot_text(to)))
                    .execute(connection)?;
                raise(connection, run, counts)
            })
            .map_err(|fault: Fault| fault.at(&self.path))
    }

    /// The new rows that a run's transactions have counted so far.
    pub fn new_rows_of(&mut self, run: RunId) -> Result<u64, StoreError> {
        new_rows_of(&mut self.connection, run).map_err(|fault| fault.at(&self.path))
    }

    /// Holds the `ledger` of a run over `slots`, those of `range`, against what is stored in the
    /// file at the database's path, and what the run's transactions counted; they had counted
    /// `before` new rows when the slots were begun. `held`: its misses are not written yet.
    ///
    /// # Errors
    /// When SQLite fails. What does not agree is the answer.
    pub fn audit(
        &mut self,
        run: RunId,
        range: SlotRange,
        slots: Slots,
        ledger: &Ledger,
        before: u64,
        held: bool,
    ) -> Result<Result<(), Imbalance>, StoreError> {
        self.check_place()?;
        // A connection of its own sees what whoever opens the file next will see.
        let fault = |fault: Fault| fault.at(&self.path);
        let connection = &mut ReadConnection::open_current(&self.path).map_err(fault)?.connection;
        let read = |connection: &mut SqliteConnection| {
            let stored = queries::stored_slots(connection, &self.station, range)?;
            let missed = queries::missed_slots(connection, &self.station, range)?;
            Ok((stored, missed, new_rows_of(connection, run)?))
        };
        let (stored, missed, committed) = read(connection).map_err(fault)?;
        let committed = committed.saturating_sub(before);
        Ok(Audit::of(slots, &stored, &missed).check(ledger, committed, held))
    }

    /// Writes that a run ended, how, and with which counts; those of new rows stay as
    /// [`commit`](Self::commit) counted them. Rows that it wrote without its caller hearing of it,
    /// since its actors failed, are new, and not the duplicates as which they came again.
    pub fn finish_run(
        &mut self,
        run: RunId,
        counts: &RunCounts,
        end: RunStatus,
    ) -> Result<(), StoreError> {
        self.check_run(run)?;
        self.added.retain(|(other, _)| *other != run);
        let now = self.dated();
        self.ownership
            .transaction(&mut self.connection, |connection| {
                let committed: i64 = runs::table.find(run.0).select(runs::new).first(connection)?;
                let unheard = u64::try_from(committed)
                    .unwrap_or(0)
                    .saturating_sub(counts.new)
                    .min(counts.duplicates);
                let counts = RunCounts {
                    new: counts.new + unheard,
                    duplicates: counts.duplicates - unheard,
                    ..*counts
                };
                raise(connection, run, &counts)?;
                diesel::update(runs::table.find(run.0))
                    .set((runs::status.eq(end.as_str()), runs::finished_at.eq(&now)))
                    .execute(connection)?;
                if end == RunStatus::Finished {
                    // A row that was kept twice is one slot of a whole run.
                    diesel::update(runs::table.find(run.0))
                        .set((
                            runs::duplicates.eq(number(counts.duplicates)),
                            runs::total.eq(number(counts.total)),
                        ))
                        .execute(connection)?;
                }
                Ok(())
            })
            .map_err(|fault: Fault| fault.at(&self.path))
    }
}

fn new_rows_of(connection: &mut SqliteConnection, run: RunId) -> Result<u64, Fault> {
    let new: i64 = runs::table.find(run.0).select(runs::new).first(connection)?;
    Ok(u64::try_from(new).unwrap_or(0))
}

fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Sets a run's counts, none of them below what its transactions counted: what they wrote is there,
/// also where a credit was lost or a part is done again. New rows are theirs to count alone.
fn raise(connection: &mut SqliteConnection, run: RunId, counts: &RunCounts) -> Result<(), Fault> {
    diesel::sql_query(
        "UPDATE runs SET duplicates = max(duplicates, ?), missed = max(missed, ?), total = ? WHERE \
        id = ?",
    )
    .bind::<BigInt, _>(number(counts.duplicates))
    .bind::<BigInt, _>(number(counts.missed))
    .bind::<BigInt, _>(number(counts.total))
    .bind::<BigInt, _>(run.0)
    .execute(connection)?;
    at_least_what_it_did(connection, run)
}

/// A run has as many slots as it has dealt with, at least.
fn at_least_what_it_did(connection: &mut SqliteConnection, run: RunId) -> Result<(), Fault> {
    diesel::sql_query("UPDATE runs SET total = max(total, new + duplicates + missed) WHERE id = ?")
        .bind::<BigInt, _>(run.0)
        .execute(connection)?;
    Ok(())
}

/// Adds what a commit did to its run; `missed_before` of its slots had a miss of this very run.
pub(super) fn add(
    connection: &mut SqliteConnection,
    run: RunId,
    done: &[CommitEffect],
    missed_before: i64,
) -> Result<(), Fault> {
    let count =
        |wanted: &[CommitEffect]| done.iter().filter(|one| wanted.contains(one)).count() as i64;
    diesel::update(runs::table.find(run.0))
        .set((
            runs::new.eq(runs::new + count(&[CommitEffect::New])),
            runs::duplicates
                .eq(runs::duplicates + count(&[CommitEffect::Duplicate, CommitEffect::Replaced])),
            runs::missed.eq(runs::missed + count(&[CommitEffect::Missed]) - missed_before),
        ))
        .execute(connection)?;
    at_least_what_it_did(connection, run)
}

/// A run that ended without a word: its process was killed, or the machine went down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutOff {
    /// Which run.
    pub run: RunId,
    /// Its station.
    pub station: String,
    /// The range, station local time, as it is stored.
    pub from: String,
    /// Its end, included.
    pub to: String,
    /// What it had committed; duplicates that were known beforehand were not counted yet.
    pub counts: RunCounts,
}

/// Marks the runs that ended without a word, and gives them: the one writer is this process, so
/// none is running.
pub(super) fn interrupt_dead(connection: &mut SqliteConnection) -> Result<Vec<CutOff>, Fault> {
    type Row = (i64, String, String, String, i64, i64, i64, i64);
    let dead: Vec<Row> = runs::table
        .filter(runs::status.eq("running"))
        .order(runs::id.asc())
        .select((
            runs::id,
            runs::station,
            runs::range_from,
            runs::range_to,
            runs::total,
            runs::new,
            runs::duplicates,
            runs::missed,
        ))
        .load(connection)?;
    if dead.is_empty() {
        return Ok(Vec::new());
    }
    diesel::update(runs::table.filter(runs::status.eq("running")))
        .set((
            runs::status.eq(RunStatus::Interrupted.as_str()),
            runs::finished_at.eq(timestamp(Clock::SYSTEM.now())),
        ))
        .execute(connection)?;
    let number = |n: i64| u64::try_from(n).unwrap_or(0);
    let cut_off = |(id, station, from, to, total, new, duplicates, missed): Row| CutOff {
        run: RunId(id),
        station,
        from,
        to,
        counts: RunCounts {
            total: number(total),
            new: number(new),
            duplicates: number(duplicates),
            missed: number(missed),
        },
    };
    Ok(dead.into_iter().map(cut_off).collect())
}
