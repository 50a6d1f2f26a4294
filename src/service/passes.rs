//! Runs, and the passes that they are made of.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;

use crate::actors::scheduler::StartRun;
use crate::actors::store::Booking;
use crate::camera::scheme::REMEMBERED;
use crate::clock::Clock;
use crate::service::known::Known;
use crate::service::report::{Pass, RunReport};
use crate::service::{Pipeline, store_is_gone};
use crate::store::{RunCounts, RunId, RunKind, RunStart, RunStatus};
use crate::version::VERSION;
use celaje_sky::audit::Imbalance;
use celaje_sky::error::{Failure, Result};
use celaje_sky::plan::Plan;
use celaje_sky::run::Run;
use celaje_sky::say;
use celaje_sky::slot::SlotRange;
use celaje_sky::ticks::{DuePart, TickPolicy};

impl Pipeline {
    /// Fetches, classifies and stores the due slots of `range` that are not stored yet, as a run of
    /// its own.
    ///
    /// # Errors
    /// When the record cannot be read before the run. What goes wrong in the run is in the report.
    pub async fn run(&self, range: SlotRange) -> Result<RunReport> {
        let DuePart { range, pending } = self.due(range).await?;
        let Some(range) = range else {
            return Ok(RunReport::of_none_due(pending));
        };
        let planned = self.count(range).await?;
        let run = self.begin(RunKind::Backfill, range, planned).await?;
        let mut report = self.pass(Pass::of(range, run, self.about.policy)).await?;
        report.not_due = pending;
        let end = &report.end;
        let status = if end.failure.is_some() {
            RunStatus::Failed
        } else if end.ledger.total() < end.planned {
            RunStatus::Interrupted
        } else {
            RunStatus::Finished
        };
        let closing = self.finish(run, report.counts(), status);
        let closed = match &report.end.failure {
            None => closing.await,
            // The store may be what hangs.
            Some(_) => match tokio::time::timeout(self.patience.grace, closing).await {
                Ok(closed) => closed,
                Err(_) => return Ok(report),
            },
        };
        if let (Err(error), None) = (closed, &report.end.failure) {
            report.end.failure = Some(error);
        }
        Ok(report)
    }

    /// What is due of `range`. What somebody collected holds what it holds, of any date: all of it
    /// is due.
    ///
    /// # Errors
    /// When this process cannot do it.
    pub async fn due(&self, range: SlotRange) -> Result<DuePart> {
        if self.about.is_archive {
            return Ok(DuePart { range: Some(range), pending: 0 });
        }
        let (station, now) = (Arc::clone(&self.about.station), self.now());
        let work = move || TickPolicy::of(&station).due(range, &station.minutes, station.zone, now);
        // A range of centuries takes its time.
        tokio::task::spawn_blocking(work).await.map_err(|_| store_is_gone())
    }

    /// The time, by the clock that it was given.
    pub fn now(&self) -> DateTime<Utc> {
        self.about.clock.now()
    }

    /// The slots of `range`.
    ///
    /// # Errors
    /// When this process cannot do it.
    pub async fn count(&self, range: SlotRange) -> Result<u64> {
        let slots = self.slots(range);
        // A range of centuries takes its time.
        tokio::task::spawn_blocking(move || slots.count() as u64).await.map_err(|_| store_is_gone())
    }

    /// Writes that a run of `planned` slots begins.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn begin(&self, kind: RunKind, range: SlotRange, planned: u64) -> Result<RunId> {
        let start = RunStart {
            kind,
            range,
            source: self.about.source.clone(),
            version: VERSION.to_owned(),
            engine: self.about.engine.clone(),
            model: self.about.model.clone(),
        };
        // Should the process die, its run still says how much it was asked for.
        let asked = RunCounts { total: planned, ..RunCounts::default() };
        self.with_database(move |database| {
            let run = database.begin_run(&start)?;
            database.update_run(run, &asked)?;
            Ok::<_, Failure>(run)
        })
        .await?
    }

    /// Writes that a run ended, and folds the log into the file.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn finish(&self, run: RunId, counts: RunCounts, end: RunStatus) -> Result<()> {
        self.with_database(move |database| {
            database.finish_run(run, &counts, end)?;
            database.checkpoint()?;
            Ok::<_, Failure>(())
        })
        .await?
    }

    /// Does a part of a run, or all of it; the run goes on. One pass at a time.
    ///
    /// # Errors
    /// When the record cannot be read before. What goes wrong later is in the report.
    pub async fn pass(&self, pass: Pass) -> Result<RunReport> {
        let started = Clock::instant();
        let Pass { range, run, policy, .. } = pass;
        let slots = self.slots(range);
        let planned = self.count(range).await?;
        let Known { stored, settled, doubts } = self.known(range, policy).await?;
        let newest = match self.fetch.has_only_the_latest() {
            true => self.with_database(|db| db.newest_pictures(REMEMBERED)).await??,
            false => Vec::new(),
        };
        let before = self.with_database(move |database| database.new_rows_of(run)).await??;
        self.fetch.begin(newest);
        self.fetch.remind(doubts);
        let booking = Booking { run, holds_misses: pass.holds_misses };
        self.actors.store_shared.book_to(Some(booking));

        let (done, ended) = oneshot::channel();
        let audited = slots.clone();
        let work = Run::new(Plan::new(slots, stored, settled), planned, self.about.credits);
        self.scheduler.do_send(StartRun { run: work, done });
        let end = tokio::select! {
            biased;
            end = ended => end.map_err(|_| store_is_gone())?,
            hung = self.given_up() => return Ok(self.end_hung(run, &hung, started).await),
        };
        self.actors.store_shared.book_to(None);
        let elapsed = Clock::since(started);
        let sure = self.fetch.close();
        // A pass that asked for nothing has only read what the record holds.
        let idle = end.ledger.new_rows() == 0
            && end.ledger.reprocessed() == 0
            && end.asked_in_vain().is_empty();
        let audited = Some((audited, end.ledger.clone())).filter(|_| !idle);
        let held = pass.holds_misses;
        let closed = self
            .with_database(move |database| {
                database.end_doubts(run, &sure)?;
                match audited {
                    Some((slots, ledger)) => {
                        database.audit(run, range, slots, &ledger, before, held)
                    }
                    None => Ok(Ok(())),
                }
            })
            .await?;
        let mut report = RunReport { end, elapsed, not_due: 0 };
        let failure = match closed {
            Err(error) => Some(error.into()),
            Ok(Err(imbalance)) => Some(out_of_balance(&imbalance)),
            Ok(Ok(())) => None,
        };
        if report.end.failure.is_none() {
            report.end.failure = failure;
        }
        Ok(report)
    }
}

fn out_of_balance(imbalance: &Imbalance) -> Failure {
    Failure::environment(say!(
        "the ledger of the run does not agree with the record: {imbalance}; did another program \
        change the database? run the same command again",
        "el libro de la corrida no coincide con el registro: {imbalance}; ¿otro programa cambió la \
        base? repita la orden"
    ))
}
