//! Runs: a row for each time that the program was asked to fill a range.

use chrono::NaiveDateTime;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::clock::Clock;
use crate::store::Database;
use crate::store::commit::CommitEffect;
use crate::store::error::{Fault, StoreError};
use crate::store::queries;
use crate::store::reader::RunItem;
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
    /// Its number in the table.
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

/// Why a run was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunKind {
    /// Somebody asked for the range.
    #[default]
    Backfill,
    /// The daemon watches a station: the range grows until the process ends.
    Live,
    /// The daemon fills slots that it found missing.
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

/// A run at its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunStart {
    /// Why it was started.
    pub kind: RunKind,
    /// The range to fill.
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
    /// Every slot of the range has an outcome.
    Finished,
    /// A signal or a crash stopped it before.
    Interrupted,
    /// It gave up after a failure.
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

    /// Sets the counts of a run in progress once its range is planned, when its total and the slots
    /// stored before are known. [`commit`](Self::commit) adds to them.
    pub fn update_run(&mut self, run: RunId, counts: &RunCounts) -> Result<(), StoreError> {
        self.check_run(run)?;
        let raise = |connection: &mut SqliteConnection| raise(connection, run, counts);
        self.ownership
            .transaction(&mut self.connection, raise)
            .map_err(|fault: Fault| fault.at(&self.path))
    }

    /// Sets the counts of a live run and the new end of its range.
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

    /// Writes how a run ended and its counts. The count of new rows stays that of
    /// [`commit`](Self::commit): where an actor failed after a commit, the slot came again and its
    /// caller counts a duplicate, which is subtracted here.
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
                    // A slot that came twice counts once.
                    diesel::update(runs::table.find(run.0))
                        .set((
                            runs::duplicates.eq(number(counts.duplicates)),
                            runs::total.eq(number(counts.total)),
                        ))
                        .execute(connection)?;
                }
                Ok(())
            })
            .map_err(|fault: Fault| fault.at(&self.path))?;
        self.ownership.forget(run);
        Ok(())
    }
}

pub(super) fn new_rows_of(connection: &mut SqliteConnection, run: RunId) -> Result<u64, Fault> {
    let new: i64 = runs::table.find(run.0).select(runs::new).first(connection)?;
    Ok(u64::try_from(new).unwrap_or(0))
}

/// Whether the run has left misses, as far as it counted.
pub(super) fn has_misses(connection: &mut SqliteConnection, run: RunId) -> QueryResult<bool> {
    let missed: i64 = runs::table.find(run.0).select(runs::missed).first(connection)?;
    Ok(missed > 0)
}

fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Raises a run's counts of duplicates and misses to `counts`, never below what its transactions
/// counted: their rows are there even where a credit was lost or a part is repeated. Transactions
/// alone count new rows.
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

/// The total of a run is at least the number of its outcomes.
fn at_least_what_it_did(connection: &mut SqliteConnection, run: RunId) -> Result<(), Fault> {
    diesel::sql_query("UPDATE runs SET total = max(total, new + duplicates + missed) WHERE id = ?")
        .bind::<BigInt, _>(run.0)
        .execute(connection)?;
    Ok(())
}

/// Adds a commit to the counts of its run; `missed_before` of the slots had a miss of this run.
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

/// A run whose process died without closing it: it was killed, or the machine went down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterruptedRun {
    /// Which run.
    pub run: RunId,
    /// Its station.
    pub station: String,
    /// The range, station local time, as it is stored.
    pub from: String,
    /// Its end, included.
    pub to: String,
    /// What it committed. Slots stored before it are counted only if its range was planned.
    pub counts: RunCounts,
}

/// Marks the runs whose process died as interrupted, and gives them. The caller is the file's one
/// writer, so that no open run is running.
pub(super) fn interrupt_dead(
    connection: &mut SqliteConnection,
) -> Result<Vec<InterruptedRun>, Fault> {
    let dead: Vec<RunItem> = runs::table
        .filter(runs::status.eq("running"))
        .order(runs::id.asc())
        .select(RunItem::as_select())
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
    let interrupted = |run: RunItem| InterruptedRun {
        run: RunId(run.id),
        station: run.station,
        from: run.range_from,
        to: run.range_to,
        counts: RunCounts {
            total: number(run.total),
            new: number(run.new),
            duplicates: number(run.duplicates),
            missed: number(run.missed),
        },
    };
    Ok(dead.into_iter().map(interrupted).collect())
}
