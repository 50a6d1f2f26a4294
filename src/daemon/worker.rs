//! A station's worker: due slots first (`live`), waiting ranges in parts between them (`filling`);
//! both are passes of the pipeline (`passes`). With a queue a second one fills the ranges
//! (`by_queue`).

mod by_queue;
mod doubt;
mod filling;
mod live;
mod passes;

pub use by_queue::Duty;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::actors::health::ActorHealth;
use crate::camera::fault::AccessFault;
use crate::clock::Clock;
use crate::daemon::factory::{PipelineCommon, PipelineFactory};
use crate::daemon::liveness::Liveness;
use crate::daemon::operator::JobStatus;
use crate::daemon::parts::Parts;
use crate::daemon::state::DaemonState;
use crate::daemon::worker::doubt::ClockWatch;
use crate::daemon::worker::filling::JobRun;
use crate::daemon::worker::live::LiveRun;
use crate::service::Pipeline;
use crate::store::error::StoreError;
use crate::store::{Database, RunCounts, RunId, RunStatus, SharedDatabase};
use celaje_sky::backoff;
use celaje_sky::cadence::PictureCadence;
use celaje_sky::error::{Failure, Result};
use celaje_sky::flow::Flow;
use celaje_sky::restarts::RestartBudget;
use celaje_sky::say;
use celaje_sky::slot::{Slot, SlotRange};
use celaje_sky::ticks::{SlotSchedule, Turn};

/// First pause before a failed pipeline is started again.
const PAUSE: Duration = Duration::from_secs(5);
/// Longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// The same where a queue is what fails: nothing is lost by asking again.
const LONGEST_QUEUE_PAUSE: Duration = Duration::from_secs(20);

/// Pause before a database that was moved, deleted or replaced is looked for again.
const LOST_PAUSE: Duration = Duration::from_secs(1);

/// What all workers share.
#[derive(Clone)]
pub struct WorkerContext {
    pub database: SharedDatabase,
    /// Counts the slots of all pipelines.
    pub flow: Arc<Flow>,
    pub state: Arc<DaemonState>,
    pub clock: Clock,
    /// One permit: one range is filled at a time, whatever the number of stations.
    pub turns: Arc<Semaphore>,
}

pub struct StationWorker {
    duty: Duty,
    common: WorkerContext,
    factory: PipelineFactory,
    renewals: mpsc::Receiver<PipelineFactory>,
    stop: CancellationToken,
    bell: Arc<Notify>,
    /// Wakes whoever fills the past, where that is another worker.
    filling_bell: Arc<Notify>,
    liveness: Arc<Liveness>,
    pipeline: Option<Pipeline>,
    clockwork: SlotSchedule,
    clock_watch: ClockWatch,
    /// The clock looks wrong.
    in_doubt: bool,
    /// The schedule was begun by a clock that looked right.
    has_begun: bool,
    /// Health of the actors, kept across pipelines: a new pipeline has no fresh restart budget.
    health: Arc<ActorHealth>,
    live: Option<LiveRun>,
    job: Option<JobRun>,
    /// The backfill that was put aside for a range that was found missing.
    aside: Option<JobRun>,
    parts: Parts,
    /// Pipelines in a row that failed.
    failures: u32,
    /// How often the camera gives a new picture, by the time since the worker began.
    cadence: PictureCadence,
    begun: Instant,
    /// What is wrong with the camera by the last pass, until it is told.
    faults: Vec<AccessFault>,
    /// The same by the attempts at the slot that is due.
    live_faults: Vec<AccessFault>,
    /// What was told of it, until it gives pictures again.
    told: BTreeSet<String>,
}

impl StationWorker {
    /// A worker that builds its pipelines with `factory`, then with those from `renewals`.
    pub fn new(
        duty: Duty,
        common: WorkerContext,
        factory: PipelineFactory,
        renewals: mpsc::Receiver<PipelineFactory>,
        stop: CancellationToken,
        liveness: Arc<Liveness>,
    ) -> Self {
        let bells = common.state.add_station(&factory.station);
        let bell = if duty == Duty::Filling { &bells.filling } else { &bells.live };
        Self {
            duty,
            bell: Arc::clone(bell),
            filling_bell: bells.filling,
            clockwork: factory.schedule(common.clock.now()),
            clock_watch: ClockWatch::default(),
            in_doubt: false,
            has_begun: false,
            health: Arc::new(ActorHealth::new(RestartBudget::default(), common.clock)),
            common,
            factory,
            renewals,
            stop,
            liveness,
            pipeline: None,
            live: None,
            job: None,
            aside: None,
            parts: Parts::default(),
            failures: 0,
            cadence: PictureCadence::default(),
            begun: Clock::instant(),
            faults: Vec::new(),
            live_faults: Vec::new(),
            told: BTreeSet::new(),
        }
    }

    /// Starts the pipeline.
    pub async fn begin(&mut self) -> Result<()> {
        self.start().await?;
        self.look_at_the_shadow().await;
        Ok(())
    }

    /// Queues a range, from its first missing slot on.
    async fn look_for_missing(&self, range: SlotRange) -> Result<()> {
        if let Some(pipeline) = &self.pipeline
            && let Some(first) = pipeline.first_missing(range).await?
            && let Some(range) = range.from_slot(first)
        {
            self.catch_up(range, false);
        }
        Ok(())
    }

    /// Queues slots that were missed for a passing reason: they may be there by now.
    async fn look_again(&self, range: SlotRange) {
        // There is nothing to go back to.
        if self.factory.station.has_only_the_latest() {
            return;
        }
        // The range that is being filled is looked through when it is done.
        if self.common.state.jobs(|jobs| jobs.is_catching_up(self.id())) {
            return;
        }
        if let Some(range) = self.since_the_first(range).await
            && let Err(failure) = self.look_for_missing(range).await
        {
            self.troubled(&failure.to_string());
        }
    }

    /// The part of a range in which something is known to have been: folders that can be listed
    /// have no picture of the time before their first one. What follows the first entry of the
    /// record is accounted for all the same.
    async fn since_the_first(&self, range: SlotRange) -> Option<SlotRange> {
        if !self.factory.clock_witness().is_some_and(|witness| witness.lists_all()) {
            return Some(range);
        }
        let Ok(Ok(entry)) = self.with_record(Database::first_entry).await else {
            return Some(range);
        };
        if entry.is_some_and(|entry| entry <= range.from()) {
            return Some(range);
        }
        let picture = self.ask_the_camera(async |witness| witness.first_slot().await).await??;
        let first = picture.map(Slot::local).into_iter().chain(entry).min()?;
        SlotRange::exact(range.from().max(first), range.end()).ok()
    }

    fn id(&self) -> &str {
        &self.factory.station.id
    }

    fn catch_up(&self, range: SlotRange, again: bool) {
        let now = self.common.clock.now();
        self.common.state.jobs(|jobs| jobs.catch_up(self.id(), range, again, now));
        self.filling_bell.notify_one();
        self.common.state.changed();
    }

    fn pipeline_common(&self) -> PipelineCommon<'_> {
        let WorkerContext { database, flow, clock, .. } = &self.common;
        PipelineCommon { database, flow, health: &self.health, clock: *clock }
    }

    async fn start(&mut self) -> Result<()> {
        if self.duty == Duty::Filling {
            self.pipeline = Some(self.open_the_queue().await?);
            self.untroubled();
            return Ok(());
        }
        let pipeline = self.factory.start(self.pipeline_common())?;
        self.common.state.set_oversight(self.id(), pipeline.oversight());
        self.common.state.set_camera(self.id(), self.factory.address());
        self.pipeline = Some(pipeline);
        Ok(())
    }

    async fn end_pipeline(&mut self) {
        if let Some(pipeline) = self.pipeline.take() {
            pipeline.stop().await;
        }
    }

    /// Works until `stop`; open runs are then closed.
    pub async fn work(mut self) {
        match self.duty {
            Duty::Filling => self.fill().await,
            Duty::All | Duty::Live => self.watch().await,
        }
        self.close().await;
    }

    async fn begin_turn(&mut self) {
        self.liveness.beat(Duration::ZERO);
        if let Ok(factory) = self.renewals.try_recv() {
            self.renew(factory).await;
        }
    }

    /// Whether pipeline and record are in order; if not, what can be done for it is done.
    async fn is_ready(&mut self) -> bool {
        if self.pipeline.is_none() {
            self.liveness.beat(self.pause());
            self.mend().await;
            return false;
        }
        if let Err(failure) = self.look_at_the_record().await {
            self.troubled(&failure.to_string());
            self.end_pipeline().await;
            return false;
        }
        true
    }

    async fn watch(&mut self) {
        while !self.stop.is_cancelled() {
            self.begin_turn().await;
            if let Some(doubt) = self.clock_doubt().await {
                self.wait_for_the_clock(&doubt).await;
                continue;
            }
            self.trust_the_clock().await;
            if !self.is_ready().await {
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
                    if let Some(range) = self.clockwork.take_again(now) {
                        self.look_again(range).await;
                        continue;
                    }
                    self.tell_what_is_next(now);
                    self.rest(until).await;
                }
            }
        }
    }

    /// Works on a part of a job, or sleeps, until then.
    async fn rest(&mut self, until: DateTime<Utc>) {
        if self.duty != Duty::Live {
            self.choose_a_job().await;
        }
        if let Some(job) = self.job.as_ref().map(JobRun::id)
            && self.common.state.is_cancelled(job)
        {
            return self.end_job(JobStatus::Cancelled, None).await;
        }
        let now = Clock::instant();
        let ready = |job: &JobRun| job.not_before.is_none_or(|time| time <= now);
        if !self.job.as_ref().is_some_and(ready) {
            return self.sleep(until).await;
        }
        // Workers share nothing with this machine.
        if self.duty == Duty::Filling {
            return self.work_on_the_job(until).await;
        }
        let turns = Arc::clone(&self.common.turns);
        let turn = tokio::select! {
            biased;
            () = self.stop.cancelled() => return,
            turn = turns.acquire_owned() => turn,
            // A reload or another job came, or this one was cancelled.
            () = self.bell.notified() => return,
            () = self.common.clock.sleep_until(until) => return,
        };
        let Ok(_turn) = turn else { return };
        self.work_on_the_job(until).await;
    }

    async fn sleep(&self, until: DateTime<Utc>) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.bell.notified() => {}
            () = self.common.clock.sleep_until(until) => {}
        }
    }

    fn tell_what_is_next(&self, now: DateTime<Utc>) {
        let next = self.clockwork.next_slot(now).map(|slot| slot.to_string());
        let due = self.clockwork.next_due(now);
        self.common.state.set_next(self.id(), next, due);
    }

    /// The pause before a failed pipeline is started again.
    fn pause(&self) -> Duration {
        let longest = match self.duty {
            Duty::Filling => LONGEST_QUEUE_PAUSE,
            Duty::All | Duty::Live => LONGEST_PAUSE,
        };
        backoff::pause(PAUSE, self.failures, longest)
    }

    /// Starts a new pipeline in place of a failed one, after a pause.
    async fn mend(&mut self) {
        let lost = matches!(self.with_record(|database| database.is_lost()).await, Ok(true));
        self.common.state.set_record_lost(lost);
        let pause = if lost { LOST_PAUSE } else { self.pause() };
        tokio::select! {
            () = self.stop.cancelled() => return,
            factory = self.renewals.recv() => return match factory {
                Some(factory) => self.renew(factory).await,
                // The daemon is about to stop this worker.
                None => self.stop.cancelled().await,
            },
            () = tokio::time::sleep(pause) => {}
        }
        if !lost {
            self.failures = self.failures.saturating_add(1);
        }
        let started = match self.renew_record(lost).await {
            Ok(()) => self.start().await,
            Err(failure) => Err(failure),
        };
        match started {
            Ok(()) if self.duty == Duty::Filling => {
                tracing::info!(station = self.id(), "workers fill the past again");
            }
            Ok(()) => {
                tracing::info!(station = self.id(), "the station's actors run again");
                // Slots that were due meanwhile.
                if let Some(range) = self.clockwork.behind(self.common.clock.now()) {
                    self.look_again(range).await;
                }
            }
            Err(failure) => self.troubled(&failure.to_string()),
        }
    }

    async fn look_at_the_record(&self) -> Result<()> {
        Ok(self.with_record(Database::check_place).await??)
    }

    /// Opens the record anew where it was `lost`. What began in the lost one begins again.
    async fn renew_record(&mut self, lost: bool) -> Result<()> {
        let station = Arc::clone(&self.factory.station);
        let jobs = [&self.job, &self.aside].map(|job| job.as_ref().map(JobRun::run));
        let live = self.live.as_ref().map(LiveRun::run);
        let renewed = self.with_record(move |database| {
            database.renew(&station)?;
            let is_stale = |run: Option<RunId>| run.is_some_and(|run| !database.knows(run));
            Ok::<_, StoreError>((jobs.map(is_stale), is_stale(live)))
        });
        let ([job, aside], live) = renewed.await??;
        if live {
            self.live = None;
        }
        for work in [self.job.take_if(|_| job), self.aside.take_if(|_| aside)].iter().flatten() {
            self.common.state.jobs(|jobs| jobs.requeue(work.id()));
        }
        if lost {
            tracing::warn!(station = self.id(), "the record is in its place again");
            self.common.state.set_record_lost(false);
            self.untroubled();
        }
        Ok(())
    }

    /// Does `work` on the database, on a thread that may wait for it.
    async fn with_record<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Database) -> T + Send + 'static,
    ) -> Result<T> {
        let (database, station) = (self.common.database.clone(), self.id().to_owned());
        let done = tokio::task::spawn_blocking(move || database.seen_from(&station, work));
        match done.await {
            Ok(done) => Ok(done?),
            Err(_) => Err(Failure::environment(say!(
                "the record could not be asked after an error of this program; see the log",
                "no se pudo consultar el registro por un error de este programa; vea el registro \
                 de sucesos"
            ))),
        }
    }

    /// Logs and publishes why the station cannot work, or its past is not filled.
    pub(super) fn troubled(&self, why: &str) {
        if self.duty == Duty::Filling {
            if !self.stop.is_cancelled() && self.set_filling_trouble(Some(why)) {
                tracing::error!(station = self.id(), why, "the station's past is not filled");
            }
            return;
        }
        // What is tried again each second is said once.
        if self.common.state.set_trouble(self.id(), Some(why.to_owned())) {
            tracing::error!(station = self.id(), why, "the station cannot do its work");
        }
    }

    /// Closes a run, also while there is no pipeline.
    async fn finish(&self, run: RunId, counts: RunCounts, end: RunStatus) {
        let finished = match &self.pipeline {
            Some(pipeline) => pipeline.finish(run, counts, end).await,
            None => {
                let finish = move |database: &mut Database| database.finish_run(run, &counts, end);
                self.with_record(finish).await.and_then(|done| Ok(done?))
            }
        };
        if let Err(error) = finished {
            tracing::warn!(station = self.id(), %error, "a run could not be closed");
        }
    }

    async fn look_at_the_shadow(&self) {
        let (Some(model), Some(pipeline)) = (self.common.state.shadow(), &self.pipeline) else {
            return;
        };
        let asked = pipeline.with_database(move |database| database.shadow_agreement(&model));
        if let Ok(Ok(agreement)) = asked.await {
            self.common.state.set_agreement(self.id(), agreement);
        }
    }

    /// Exchanges the factory, and starts a pipeline with it.
    async fn renew(&mut self, factory: PipelineFactory) {
        let (minutes, zone) = (factory.station.minutes.clone(), factory.station.zone);
        self.end_live().await;
        if minutes != self.factory.station.minutes || zone != self.factory.station.zone {
            self.leave_jobs().await;
        }
        self.end_pipeline().await;
        self.clockwork.set_station(&factory.station, factory.catch_up());
        self.factory = factory;
        self.clock_watch = ClockWatch::default();
        self.cadence = PictureCadence::default();
        if let Err(failure) = self.start().await {
            self.troubled(&failure.to_string());
        }
    }

    /// Closes the open runs, and ends the pipeline.
    async fn close(mut self) {
        for job in [self.job.take(), self.aside.take()] {
            self.job = job;
            self.end_job(JobStatus::Cancelled, None).await;
        }
        self.end_live().await;
        self.end_pipeline().await;
    }
}
