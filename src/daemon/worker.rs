//! A station's worker: asks its clockwork what is to be done and has the pipeline do it; slots as
//! they come first, ranges that wait in parts between them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix::WeakRecipient;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::actors::scheduler::SignOfLife;
use crate::actors::vitals::Vitals;
use crate::app::{Pass, Pipeline, RunPolicy, RunReport};
use crate::commands::backfill::supervision;
use crate::commands::status::{About, Kept, StatusFile};
use crate::daemon::board::Board;
use crate::daemon::clock::Clock;
use crate::daemon::jobs::{Done, Job, Parts, after};
use crate::daemon::kit::Kit;
use crate::error::{Failure, Result};
use crate::pipeline::flow::Flow;
use crate::pipeline::ledger::Ledger;
use crate::pipeline::outcome::MissReason;
use crate::pipeline::slot::{Slot, SlotRange};
use crate::pipeline::ticks::{Clockwork, TickPolicy, Turn};
use crate::say;
use crate::store::{RunCounts, RunEnd, RunId, RunKind, SharedDatabase};
use crate::web::operator::{JobId, JobProgress, JobStatus};

/// How long a station whose pipeline fails is left alone; doubled each time.
const PAUSE: Duration = Duration::from_secs(5);
/// No such pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How long a host that cannot be reached is left alone by what was missing.
const HOST_PAUSE: Duration = Duration::from_secs(60);
/// How often a job's progress is told while a part of it runs.
const TOLD_EVERY: Duration = Duration::from_millis(250);

/// What all workers of a process share.
#[derive(Clone)]
pub struct Common {
    /// The record.
    pub database: SharedDatabase,
    /// Books what flows through all pipelines.
    pub flow: Arc<Flow>,
    /// What is told and asked.
    pub board: Arc<Board>,
    /// What time it is.
    pub clock: Clock,
    /// What `celaje status` reads; that of the first station tells.
    pub status_file: Option<StatusFile>,
    /// One range is filled at a time, whatever the number of stations.
    pub turns: Arc<Semaphore>,
}

/// Where a worker's pipeline can be asked for a sign of life.
pub type Pulse = Arc<Mutex<Option<WeakRecipient<SignOfLife>>>>;

/// See the module.
pub struct Worker {
    common: Common,
    kit: Kit,
    renewals: mpsc::Receiver<Kit>,
    stop: CancellationToken,
    bell: Arc<Notify>,
    pulse: Pulse,
    pipeline: Option<Pipeline>,
    clockwork: Clockwork,
    /// Keeps the file that `celaje status` reads.
    status: Option<Kept>,
    /// How the actors are, of one pipeline after the other: none is given a fresh budget.
    vitals: Arc<Vitals>,
    live: Option<Live>,
    job: Option<Work>,
    parts: Parts,
    pause: Duration,
}

/// The run of the slots as they come, in one life of the process.
#[derive(Clone, Copy)]
struct Live {
    run: RunId,
    counts: RunCounts,
    last: Slot,
}

/// The job that is at work.
struct Work {
    id: JobId,
    kind: RunKind,
    policy: RunPolicy,
    run: RunId,
    planned: u64,
    /// What is left of it.
    left: Option<SlotRange>,
    done: Done,
    worked: Duration,
    /// The host could not be reached: not before then.
    not_before: Option<Instant>,
}

impl Worker {
    /// A worker with `kit`, which it exchanges for those that come through `renewals`, until `stop`.
    pub fn new(
        common: Common,
        kit: Kit,
        renewals: mpsc::Receiver<Kit>,
        stop: CancellationToken,
        pulse: Pulse,
    ) -> Self {
        let bell = common.board.add_station(&kit.station);
        let policy = TickPolicy {
            catch_up: kit.catch_up.length(),
            ..TickPolicy::default()
        };
        let (minutes, zone) = (kit.station.minutes.clone(), kit.station.zone);
        Self {
            clockwork: Clockwork::new(minutes, zone, policy, common.clock.now()),
            common,
            kit,
            renewals,
            stop,
            bell,
            pulse,
            pipeline: None,
            status: None,
            vitals: Arc::default(),
            live: None,
            job: None,
            parts: Parts::default(),
            pause: PAUSE,
        }
    }

    /// Starts the pipeline, and takes up what is missing.
    ///
    /// # Errors
    /// When the actors cannot be started or the record cannot be read.
    pub async fn begin(&mut self) -> Result<()> {
        self.start()?;
        let now = self.common.clock.now();
        let oldest = now - self.kit.catch_up.length();
        let Some(newest) = self.clockwork.newest_due(now) else {
            return Ok(());
        };
        // The newest one is current. What lies before it may have been left by a run that was cut
        // off, so it is not the last row alone that counts.
        let end = newest.local() - TimeDelta::minutes(1);
        let Ok(range) = SlotRange::new(self.kit.station.zone.local(oldest), end) else {
            return Ok(());
        };
        if let Some(pipeline) = &self.pipeline
            && let Some(first) = pipeline.first_missing(range).await?
            && let Ok(range) = SlotRange::new(first.local(), end)
        {
            self.catch_up(range, false);
        }
        self.look_at_the_shadow().await;
        Ok(())
    }

    fn id(&self) -> &str {
        &self.kit.station.id
    }

    fn catch_up(&self, range: SlotRange, again: bool) {
        let now = Utc::now();
        self.common
            .board
            .jobs(|jobs| jobs.catch_up(self.id(), range, again, now));
        self.common.board.changed();
    }

    fn start(&mut self) -> Result<()> {
        let Common { database, flow, .. } = &self.common;
        let pipeline = self.kit.start(database, flow, &self.vitals)?;
        *self.pulse.lock().unwrap_or_else(PoisonError::into_inner) = Some(pipeline.pulse());
        self.common.board.set_vitals(self.id(), pipeline.vitals());
        if let Some(file) = &self.common.status_file
            && self.kit.is_first
        {
            let about = About {
                station: self.kit.station.id.clone(),
                engine: pipeline.engine().to_owned(),
                model: pipeline.model().to_owned(),
                range: None,
            };
            let (vitals, progress) = (pipeline.vitals(), pipeline.progress());
            if let Some(before) = self.status.take() {
                before.leave();
            }
            self.status = Some(file.clone().keep(about, vitals, progress));
        }
        self.pipeline = Some(pipeline);
        Ok(())
    }

    async fn end_pipeline(&mut self) {
        *self.pulse.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Some(pipeline) = self.pipeline.take() {
            pipeline.stop().await;
        }
    }

    /// Works until it is told to stop; what was begun is then written.
    pub async fn work(mut self) {
        while !self.stop.is_cancelled() {
            if let Ok(kit) = self.renewals.try_recv() {
                self.renew(kit).await;
            }
            if self.pipeline.is_none() {
                self.mend().await;
                continue;
            }
            let now = self.common.clock.now();
            match self.clockwork.turn(now) {
                Turn::Try { slot, last } => self.try_slot(slot, last).await,
                Turn::Wait(until) => {
                    if let Some(owed) = self.clockwork.take_owed() {
                        self.catch_up(owed, true);
                        continue;
                    }
                    self.tell_what_is_next(now);
                    self.rest(until).await;
                }
            }
        }
        self.close().await;
    }

    /// Does a part of the job that waits, or nothing, until then.
    async fn rest(&mut self, until: DateTime<Utc>) {
        if self.job.is_none() {
            self.take_up_a_job().await;
        }
        let wake = self.common.clock.sleep_until(until);
        let now = Instant::now();
        let ready = |job: &Work| job.not_before.is_none_or(|time| time <= now);
        if self.job.as_ref().is_some_and(ready) {
            let turns = Arc::clone(&self.common.turns);
            let turn = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                turn = turns.acquire_owned() => turn,
                () = wake => return,
            };
            let Ok(_turn) = turn else { return };
            self.work_on_the_job().await;
            return;
        }
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.bell.notified() => {}
            () = wake => {}
        }
    }

    fn tell_what_is_next(&self, now: DateTime<Utc>) {
        let next = self.clockwork.next_slot(now).map(|slot| slot.to_string());
        let due = self.clockwork.next_due(now);
        self.common.board.set_next(self.id(), next, due);
    }

    /// A pipeline that failed is made anew, after a while.
    async fn mend(&mut self) {
        tokio::select! {
            () = self.stop.cancelled() => return,
            kit = self.renewals.recv() => return match kit {
                Some(kit) => self.renew(kit).await,
                // Whoever sends them is about to stop this.
                None => self.stop.cancelled().await,
            },
            () = tokio::time::sleep(self.pause) => {}
        }
        self.pause = (2 * self.pause).min(LONGEST_PAUSE);
        match self.start() {
            Ok(()) => tracing::info!(station = self.id(), "the station's actors run again"),
            Err(failure) => self.troubled(&failure.to_string()),
        }
    }

    fn troubled(&self, why: &str) {
        tracing::error!(station = self.id(), why, "the station cannot do its work");
        self.common
            .board
            .set_trouble(self.id(), Some(why.to_owned()));
    }

    /// Does a pass; a stop drains it. None when the pipeline failed: it is ended then.
    async fn pass(&mut self, pass: Pass, job: Option<JobId>) -> Option<RunReport> {
        let report = self.watched(self.pipeline.as_ref()?, pass, job).await;
        let failure = match report {
            Ok(report) => match &report.end.failure {
                None => {
                    self.pause = PAUSE;
                    self.common
                        .board
                        .set_trouble(self.kit.station.id.as_str(), None);
                    return Some(report);
                }
                Some(failure) => failure.clone(),
            },
            Err(failure) => failure,
        };
        self.troubled(&failure.to_string());
        if self.pipeline.as_ref().is_some_and(Pipeline::store_hangs) {
            // It holds the record: no other pipeline could write, nor this one end.
            (supervision().last_resort)();
        }
        self.end_pipeline().await;
        None
    }

    /// Waits for a pass, drains it at a stop, and tells how far its job is.
    async fn watched(
        &self,
        pipeline: &Pipeline,
        pass: Pass,
        job: Option<JobId>,
    ) -> Result<RunReport> {
        let told = job.map(|id| (id, pipeline.progress()));
        let work = pipeline.pass(pass);
        tokio::pin!(work);
        let drain = pipeline.drainer();
        let mut draining = false;
        loop {
            tokio::select! {
                report = &mut work => return report,
                () = self.stop.cancelled(), if !draining => {
                    draining = true;
                    drain();
                }
                () = tokio::time::sleep(TOLD_EVERY), if told.is_some() => {
                    if let (Some((id, progress)), Some(job)) = (&told, &self.job) {
                        let now = {
                            let progress = progress.borrow();
                            job.progress(&progress.ledger, progress.in_flight)
                        };
                        self.common.board.jobs(|jobs| {
                            if let Some(job) = jobs.find(*id) {
                                job.state.progress = now;
                            }
                        });
                    }
                }
            }
        }
    }

    /// Asks for a slot as it comes.
    async fn try_slot(&mut self, slot: Slot, last: bool) {
        let clock = self.common.clock;
        let Ok(range) = SlotRange::new(slot.local(), slot.local()) else {
            return;
        };
        let live = match self.live {
            Some(live) => Some(live),
            None => self.begin_live(range, slot).await,
        };
        self.common.board.ticked(self.id(), clock.now());
        let Some(mut live) = live else {
            self.clockwork.tried(slot, last, false, clock.now());
            return;
        };
        let pass = Pass {
            range,
            run: live.run,
            // What an earlier run did not find may be there by now.
            policy: RunPolicy {
                retry_missed: true,
                reprocess: false,
            },
            holds_misses: !last,
        };
        let report = self.pass(pass, None).await;
        let ledger = report.map(|report| report.end.ledger).unwrap_or_default();
        // What crashes the program is no picture that may still come.
        let asked = ledger.missed_by_reason();
        let settled = asked.keys().all(|reason| *reason == MissReason::Poison);
        let got = settled && ledger.total() > 0;
        self.clockwork.tried(slot, last, got, clock.now());
        if got || (last && ledger.total() > 0) {
            let counts = &mut live.counts;
            counts.new += ledger.new_rows();
            counts.duplicates += ledger.duplicates();
            counts.missed += ledger.missed();
            counts.total = counts.new + counts.duplicates + counts.missed;
            live.last = live.last.max(slot);
            self.live = Some(live);
            self.write_live(live).await;
            self.look_at_the_shadow().await;
        }
        tracing::info!(station = self.id(), %slot, got, last, missed = ?ledger.missed_by_reason(), "slot");
    }

    async fn begin_live(&mut self, range: SlotRange, slot: Slot) -> Option<Live> {
        let begun = self.pipeline.as_ref()?.begin(RunKind::Live, range, 0).await;
        match begun {
            Ok(run) => {
                let counts = RunCounts::default();
                self.live = Some(Live {
                    run,
                    counts,
                    last: slot,
                });
                self.live
            }
            Err(failure) => {
                self.troubled(&failure.to_string());
                self.end_pipeline().await;
                None
            }
        }
    }

    async fn write_live(&self, live: Live) {
        let Some(pipeline) = &self.pipeline else {
            return;
        };
        let Live { run, counts, last } = live;
        let written = pipeline
            .with_database(move |database| database.extend_run(run, last.local(), &counts))
            .await;
        if !matches!(written, Ok(Ok(()))) {
            tracing::warn!(
                station = self.id(),
                "the live run's counts could not be written"
            );
        }
    }

    /// Writes that a run ended, also while there is no pipeline.
    async fn finish(&self, run: RunId, counts: RunCounts, end: RunEnd) {
        let finished = match &self.pipeline {
            Some(pipeline) => pipeline.finish(run, counts, end).await,
            None => {
                let (database, station) = (self.common.database.clone(), self.id().to_owned());
                let work = move || {
                    database
                        .seen_from(&station, |database| database.finish_run(run, &counts, end))
                        .flatten()
                };
                match tokio::task::spawn_blocking(work).await {
                    Ok(finished) => finished.map_err(Failure::from),
                    Err(_) => Ok(()),
                }
            }
        };
        if let Err(error) = finished {
            tracing::warn!(station = self.id(), %error, "a run could not be closed");
        }
    }

    async fn end_live(&mut self) {
        if let Some(live) = self.live.take() {
            self.finish(live.run, live.counts, RunEnd::Finished).await;
        }
    }

    async fn look_at_the_shadow(&self) {
        let (Some(model), Some(pipeline)) = (self.common.board.shadow(), &self.pipeline) else {
            return;
        };
        let asked = pipeline.with_database(move |database| database.shadow_agreement(&model));
        if let Ok(Ok(agreement)) = asked.await {
            self.common.board.set_agreement(self.id(), agreement);
        }
    }

    async fn take_up_a_job(&mut self) {
        let now = Utc::now();
        let job = self.common.board.jobs(|jobs| jobs.begin(self.id(), now));
        let (Some(job), Some(pipeline)) = (job, &self.pipeline) else {
            return;
        };
        let Job {
            state,
            kind,
            range,
            policy,
            ..
        } = job;
        let begun = async {
            let planned = pipeline.count(range).await?;
            Ok((planned, pipeline.begin(kind, range, planned).await?))
        };
        let begun: Result<(u64, RunId)> = begun.await;
        match begun {
            Ok((planned, run)) => {
                tracing::info!(station = self.id(), from = %state.from, to = %state.to, kind = kind.as_str(), "a range is filled");
                let work = Work {
                    id: state.job,
                    kind,
                    policy,
                    run,
                    planned,
                    left: Some(range),
                    done: Done::default(),
                    worked: Duration::ZERO,
                    not_before: None,
                };
                self.common.board.jobs(|jobs| {
                    if let Some(job) = jobs.find(work.id) {
                        job.state.run = Some(run.number());
                        job.state.progress.planned = planned;
                    }
                });
                self.job = Some(work);
            }
            Err(failure) => {
                let why = failure.to_string();
                self.common
                    .board
                    .end_job(state.job, JobStatus::Failed, Some(why.clone()));
                self.troubled(&why);
            }
        }
    }

    /// Does the next part of the job, or ends it.
    async fn work_on_the_job(&mut self) {
        let Some(work) = &self.job else { return };
        let (id, run, policy) = (work.id, work.run, work.policy);
        if self.common.board.is_cancelled(id) {
            return self.end_job(JobStatus::Cancelled, None).await;
        }
        let Some(left) = work.left else {
            return self.end_job(JobStatus::Finished, None).await;
        };
        let station = &self.kit.station;
        let last = left
            .slots(&station.minutes, station.zone)
            .take(self.parts.slots())
            .last();
        let Some(last) = last else {
            return self.end_job(JobStatus::Finished, None).await;
        };
        let Ok(part) = SlotRange::new(left.from(), last.local()) else {
            return self.end_job(JobStatus::Finished, None).await;
        };
        let begun = Instant::now();
        let pass = Pass::of(part, run, policy);
        let report = self.pass(pass, Some(id)).await;
        let took = begun.elapsed();
        let Some(work) = &mut self.job else { return };
        work.worked += took;
        let Some(report) = report else {
            // The pipeline failed and is mended; the part is done again.
            return;
        };
        self.parts.took(took.as_secs_f64());
        if report.host_unreachable() && report.pending() == 0 {
            return self.put_off().await;
        }
        work.not_before = None;
        if report.pending() > 0 {
            // It was drained.
            work.done.add(&report.end.ledger);
            return;
        }
        work.done.add(&report.end.ledger);
        work.left = SlotRange::new(after(last.local()), left.to()).ok();
        let progress = work.progress(&Ledger::default(), 0);
        let (counts, whole) = (work.counts(), work.left.is_none());
        self.common.board.jobs(|jobs| {
            if let Some(job) = jobs.find(id) {
                job.state.progress = progress;
            }
        });
        self.common.board.changed();
        if let Some(pipeline) = &self.pipeline {
            let written = pipeline.with_database(move |database| database.update_run(run, &counts));
            if !matches!(written.await, Ok(Ok(()))) {
                tracing::warn!("a run's counts could not be written");
            }
        }
        if whole {
            self.end_job(JobStatus::Finished, None).await;
        }
    }

    /// No request of a part reached the host: what the program found missing is tried again later,
    /// what somebody asked for is given up.
    async fn put_off(&mut self) {
        let Some(work) = &mut self.job else { return };
        if work.kind == RunKind::CatchUp {
            work.not_before = Some(Instant::now() + HOST_PAUSE);
            tracing::info!(
                station = self.kit.station.id,
                "the host cannot be reached: later"
            );
            return;
        }
        let why = say!(
            "no request reached the camera's host",
            "ninguna petición llegó al servidor de la cámara"
        );
        self.end_job(JobStatus::Failed, Some(why.to_string())).await;
    }

    async fn end_job(&mut self, status: JobStatus, error: Option<String>) {
        let Some(work) = self.job.take() else { return };
        let end = match status {
            JobStatus::Finished => RunEnd::Finished,
            JobStatus::Failed => RunEnd::Failed,
            _ => RunEnd::Interrupted,
        };
        self.finish(work.run, work.counts(), end).await;
        let counts = work.done.counts;
        tracing::info!(
            station = self.id(),
            kind = work.kind.as_str(),
            new = counts.new,
            duplicates = counts.duplicates,
            missed = counts.missed,
            "a range is done"
        );
        self.common.board.end_job(work.id, status, error);
        self.look_at_the_shadow().await;
    }

    /// Goes on with another kit, or with the old one when the new one does not start.
    async fn renew(&mut self, kit: Kit) {
        self.end_live().await;
        self.end_pipeline().await;
        let (minutes, zone) = (kit.station.minutes.clone(), kit.station.zone);
        self.clockwork
            .set_station(minutes, zone, kit.catch_up.length());
        self.kit = kit;
        if let Err(failure) = self.start() {
            self.troubled(&failure.to_string());
        }
    }

    /// Writes how everything ended.
    async fn close(mut self) {
        if self.job.is_some() {
            self.end_job(JobStatus::Cancelled, None).await;
        }
        self.end_live().await;
        self.end_pipeline().await;
        if let Some(status) = self.status.take() {
            status.end().await;
        }
    }
}

impl Work {
    fn counts(&self) -> RunCounts {
        RunCounts {
            total: self.planned,
            ..self.done.counts
        }
    }

    /// How far it is, with what its present part has done.
    fn progress(&self, part: &Ledger, in_flight: usize) -> JobProgress {
        let mut done = self.done.clone();
        done.add(part);
        let slots = done.slots();
        let rate = (self.worked > Duration::from_millis(200) && self.done.slots() > 0)
            .then(|| self.done.slots() as f64 / self.worked.as_secs_f64());
        let left = self.planned.saturating_sub(slots);
        JobProgress {
            planned: self.planned,
            new: done.counts.new,
            duplicates: done.counts.duplicates,
            missed: done.missed,
            in_flight: in_flight as u64,
            rate,
            eta_s: rate.map(|rate| left as f64 / rate),
        }
    }
}
