//! Writes the outcomes of slots.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel::upsert::excluded;
use serde_json::json;

use crate::store::Database;
use crate::store::calibration::CalibrationCache;
use crate::store::error::{Fault, StoreError};
use crate::store::frozen;
use crate::store::rows::{MissRow, ObservationRow, slot_text};
use crate::store::runs::{self, PictureSource, RunId};
use crate::store::schema::{misses, observations};
use celaje_sky::outcome::{Miss, Observation, Outcome};
use celaje_sky::slot::Slot;

/// What happens to a slot that is stored already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitMode {
    /// The stored observation stays.
    Insert,
    /// The new observation takes its place.
    Replace,
}

/// What the commit of an outcome did to the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitEffect {
    /// An observation of a slot that had none before this run. It stays new if an actor fails after
    /// the commit and the slot comes again.
    New,
    /// An observation of a stored slot; the stored one stayed.
    Duplicate,
    /// An observation that took the place of one that was stored before this run.
    Replaced,
    /// A miss of a slot without an observation. (A miss of a stored slot is a duplicate.)
    Missed,
}

impl Database {
    /// Writes outcomes of the database's station in one transaction, all or none; one effect for
    /// each, in their order.
    ///
    /// An observation deletes the slot's miss. The flag `frozen` of what was written, and of the
    /// observation after each, is set at the end, at once. A further miss of a slot adds its
    /// attempts to the former ones and takes the source of the run
    /// ([`begin_run`](Self::begin_run)). The same transaction counts the run's new, duplicate and
    /// missed slots (a replaced row counts as a duplicate, as in the ledger), so that the counts
    /// agree with the rows even after a crash.
    ///
    /// # Errors
    /// When SQLite fails, another program keeps the file locked, or an observation breaks a rule of
    /// its table (a confidence outside 0 to 1): nothing is written then.
    pub fn commit(
        &mut self,
        run: RunId,
        mode: CommitMode,
        outcomes: &[Outcome],
    ) -> Result<Vec<CommitEffect>, StoreError> {
        if outcomes.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.dated();
        let nothing = PictureSource::default();
        let station = self.station.as_str();
        let source = self.sources.get(station).unwrap_or(&nothing);
        let added_before = &self.added;
        self.check_run(run)?;
        let calibrations = &mut self.calibrations;
        let (done, added, new) = self
            .ownership
            .transaction(&mut self.connection, |connection| {
                let mut done = Vec::with_capacity(outcomes.len());
                let mut added = BTreeSet::new();
                let mut counted = Vec::with_capacity(outcomes.len());
                let (mut missed_before, mut written) = (0, Vec::with_capacity(outcomes.len()));
                calibrations.look_up(connection, station, outcomes)?;
                let mut has_misses = runs::has_misses(connection, run)?;
                for outcome in outcomes {
                    let slot = slot_text(outcome.slot().local());
                    let to = Target { station, slot: &slot, now: &now, run, source, calibrations };
                    missed_before += i64::from(has_misses && to.was_missed(connection)?);
                    // A row that this run wrote is counted already.
                    let replaces = mode == CommitMode::Replace;
                    let was_ours = replaces && to.is_ours(connection)?;
                    let committed = match outcome {
                        Outcome::Observed(observation) => {
                            to.observe(connection, mode, observation)?
                        }
                        Outcome::Missed(miss) => to.miss(connection, miss)?,
                    };
                    has_misses |= committed == CommitEffect::Missed;
                    let key = (run, outcome.slot().local());
                    if replaces && committed == CommitEffect::New {
                        added.insert(key);
                    }
                    let (ours, is_new) = match committed {
                        _ if replaces => {
                            (was_ours, added.contains(&key) || added_before.contains(&key))
                        }
                        CommitEffect::Duplicate => (to.is_ours(connection)?, true),
                        _ => (false, false),
                    };
                    if !ours {
                        counted.push(committed);
                    }
                    done.push(if ours && is_new { CommitEffect::New } else { committed });
                    if matches!(committed, CommitEffect::New | CommitEffect::Replaced) {
                        written.push(slot);
                    }
                }
                if !written.is_empty() {
                    frozen::settle(connection, station, &json!(written).to_string())?;
                }
                runs::add(connection, run, &counted, missed_before)?;
                Ok((done, added, runs::new_rows_of(connection, run)?))
            })
            .map_err(|fault: Fault| fault.at(&self.path))?;
        self.ownership.count(run, new);
        self.added.extend(added);
        Ok(done)
    }
}

impl Database {
    /// Settles misses of a run: their slots need not be looked for in another place.
    ///
    /// # Errors
    /// When SQLite fails: all of them stay in doubt then.
    pub fn end_doubts(&mut self, run: RunId, slots: &[Slot]) -> Result<(), StoreError> {
        let station = self.station.as_str();
        self.ownership
            .transaction(&mut self.connection, |connection| {
                for slot in slots {
                    let row = misses::table
                        .find((station, slot_text(slot.local())))
                        .filter(misses::run_id.eq(run.0));
                    diesel::update(row)
                        .set(misses::unasked.eq(None::<String>))
                        .execute(connection)?;
                }
                Ok(())
            })
            .map_err(|fault: Fault| fault.at(&self.path))
    }
}

/// The slot that a row is written for, and the run that writes it.
struct Target<'a> {
    station: &'a str,
    slot: &'a str,
    now: &'a str,
    run: RunId,
    source: &'a PictureSource,
    calibrations: &'a CalibrationCache,
}

impl Target<'_> {
    /// Whether this run has written a miss of the slot before.
    fn was_missed(&self, connection: &mut SqliteConnection) -> Result<bool, Fault> {
        let found = misses::table
            .find((self.station, self.slot))
            .filter(misses::run_id.eq(self.run.0))
            .select(misses::run_id.is_not_null())
            .first(connection)
            .optional()?;
        Ok(found.unwrap_or(false))
    }

    /// Whether this run has written the slot's observation.
    fn is_ours(&self, connection: &mut SqliteConnection) -> Result<bool, Fault> {
        let found = observations::table
            .find((self.station, self.slot))
            .filter(observations::run_id.eq(self.run.0))
            .select(observations::run_id.is_not_null())
            .first(connection)
            .optional()?;
        Ok(found.unwrap_or(false))
    }

    fn observe(
        &self,
        connection: &mut SqliteConnection,
        mode: CommitMode,
        observation: &Observation,
    ) -> Result<CommitEffect, Fault> {
        let mut answer = CommitEffect::New;
        if mode == CommitMode::Replace {
            let stored = observations::table.find((self.station, self.slot));
            if diesel::delete(stored).execute(connection)? > 0 {
                answer = CommitEffect::Replaced;
            }
        }
        let calibration = self.calibrations.of(self.station, &observation.model_sha256);
        let row = ObservationRow::new(
            self.station,
            self.slot,
            observation,
            calibration,
            self.now,
            self.run.0,
        );
        let written = diesel::insert_into(observations::table)
            .values(row)
            .on_conflict((observations::station, observations::slot_local))
            .do_nothing()
            .execute(connection)?;
        Ok(if written == 0 { CommitEffect::Duplicate } else { answer })
    }

    fn miss(&self, connection: &mut SqliteConnection, miss: &Miss) -> Result<CommitEffect, Fault> {
        let row = MissRow::new(self.station, self.slot, miss, self.now, self.run.0, self.source);
        // The trigger stored_slot_is_no_miss drops the row of a slot that is stored.
        diesel::insert_into(misses::table)
            .values(row)
            .on_conflict((misses::station, misses::slot_local))
            .do_update()
            .set((
                misses::reason.eq(excluded(misses::reason)),
                misses::http_status.eq(excluded(misses::http_status)),
                misses::attempts.eq(misses::attempts + excluded(misses::attempts)),
                misses::detail.eq(excluded(misses::detail)),
                misses::last_tried.eq(excluded(misses::last_tried)),
                misses::run_id.eq(excluded(misses::run_id)),
                misses::source.eq(excluded(misses::source)),
                misses::layout.eq(excluded(misses::layout)),
                misses::unasked.eq(excluded(misses::unasked)),
            ))
            .execute(connection)
            .map(|rows| match rows {
                0 => CommitEffect::Duplicate,
                _ => CommitEffect::Missed,
            })
            .map_err(Fault::from)
    }
}
