//! A station's worker: asks its clockwork what is to be done and has the pipeline do it; slots as
//! they come first (`live`), ranges that wait in parts between them (`filling`); both are passes
//! of the pipeline (`passes`).

mod filling;
mod live;
mod passes;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::actors::vitals::Vitals;
use crate::daemon::clock::Clock;
use crate::daemon::factory::PipelineFactory;
use crate::daemon::operator::JobStatus;
use crate::daemon::parts::Parts;
use crate::daemon::pulse::Pulse;
use crate::daemon::state::DaemonState;
use crate::daemon::worker::filling::Work;
use crate::daemon::worker::live::Live;
use crate::service::Pipeline;
use crate::store::{RunCounts, RunEnd, RunId, SharedDatabase};
use celaje_sky::error::{Failure, Result};
use celaje_sky::flow::Flow;
use celaje_sky::slot::SlotRange;
use celaje_sky::ticks::{SlotSchedule, TickPolicy, Turn};

/// How long a station whose pipeline fails is left alone; doubled each time.
const PAUSE: Duration = Duration::from_secs(5);
/// No such pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What all workers of a process share.
#[derive(Clone)]
pub struct Common {
    /// The record.
    pub database: SharedDatabase,
    /// Books what flows through all pipelines.
    pub flow: Arc<Flow>,
    /// What is told and asked.
    pub board: Arc<DaemonState>,
    /// What time it is.
    pub clock: Clock,
    /// One range is filled at a time, whatever the number of stations.
    pub turns: Arc<Semaphore>,
}

/// See the module.
pub struct Worker {
    common: Common,
    kit: PipelineFactory,
    renewals: mpsc::Receiver<PipelineFactory>,
    stop: CancellationToken,
    bell: Arc<Notify>,
    pulse: Arc<Pulse>,
    pipeline: Option<Pipeline>,
    clockwork: SlotSchedule,
    /// How the actors are, of one pipeline after the other: none is given a fresh budget.
    vitals: Arc<Vitals>,
    live: Option<Live>,
    job: Option<Work>,
    /// The job that made room for what is owed.
    aside: Option<Work>,
    parts: Parts,
    pause: Duration,
}

impl Worker {
    /// A worker with `kit`, which it exchanges for those that come through `renewals`, until `stop`.
    pub fn new(
        common: Common,
        kit: PipelineFactory,
        renewals: mpsc::Receiver<PipelineFactory>,
        stop: CancellationToken,
        pulse: Arc<Pulse>,
    ) -> Self {
        let bell = common.board.add_station(&kit.station);
        let policy = TickPolicy {
            catch_up: kit.catch_up.length(),
            ..TickPolicy::default()
        };
        let (minutes, zone) = (kit.station.minutes.clone(), kit.station.zone);
        Self {
            clockwork: SlotSchedule::new(minutes, zone, policy, common.clock.now()),
            common,
            kit,
            renewals,
            stop,
            bell,
            pulse,
            pipeline: None,
            vitals: Arc::default(),
            live: None,
            job: None,
            aside: None,
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
        // The newest one is current. What lies before it may have been left by a run that was cut
        // off, so it is not the last row alone that counts.
        if let Some(range) = self.clockwork.behind(now) {
            self.look_for_missing(range).await?;
        }
        self.look_at_the_shadow().await;
        Ok(())
    }

    /// Has filled what is missing in a range, from its first slot on that a run would ask for.
    async fn look_for_missing(&self, range: SlotRange) -> Result<()> {
        if let Some(pipeline) = &self.pipeline
            && let Some(first) = pipeline.first_missing(range).await?
            && let Ok(range) = SlotRange::new(first.local(), range.to())
        {
            self.catch_up(range, false);
        }
        Ok(())
    }

    /// What was missed for a passing reason may be there by now.
    async fn look_again(&self, range: SlotRange) {
        // The range that is being filled is looked through when it is done.
        if self.job.as_ref().is_some_and(Work::is_catching_up) {
            return;
        }
        if let Err(failure) = self.look_for_missing(range).await {
            self.troubled(&failure.to_string());
        }
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
        self.pulse.ask(Some(pipeline.pulse()));
        self.common.board.set_vitals(self.id(), pipeline.vitals());
        self.pipeline = Some(pipeline);
        Ok(())
    }

    async fn end_pipeline(&mut self) {
        self.pulse.ask(None);
        if let Some(pipeline) = self.pipeline.take() {
            pipeline.stop().await;
        }
    }

    /// Works until it is told to stop; what was begun is then written.
    pub async fn work(mut self) {
        while !self.stop.is_cancelled() {
            self.pulse.beat(Duration::ZERO);
            if let Ok(kit) = self.renewals.try_recv() {
                self.renew(kit).await;
            }
            if self.pipeline.is_none() {
                self.pulse.beat(self.pause);
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
                    if let Some(range) = self.clockwork.take_again(now) {
                        self.look_again(range).await;
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
        self.choose_a_job().await;
        if let Some(job) = self.job.as_ref().map(Work::id)
            && self.common.board.is_cancelled(job)
        {
            return self.end_job(JobStatus::Cancelled, None).await;
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
                // Something else is to be done, or this job no more.
                () = self.bell.notified() => return,
                () = wake => return,
            };
            let Ok(_turn) = turn else { return };
            self.work_on_the_job(until).await;
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
            Ok(()) => {
                tracing::info!(station = self.id(), "the station's actors run again");
                // What was due meanwhile.
                if let Some(range) = self.clockwork.behind(self.common.clock.now()) {
                    self.look_again(range).await;
                }
            }
            Err(failure) => self.troubled(&failure.to_string()),
        }
    }

    /// Tells that the station cannot do its work.
    pub(super) fn troubled(&self, why: &str) {
        tracing::error!(station = self.id(), why, "the station cannot do its work");
        self.common
            .board
            .set_trouble(self.id(), Some(why.to_owned()));
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

    async fn look_at_the_shadow(&self) {
        let (Some(model), Some(pipeline)) = (self.common.board.shadow(), &self.pipeline) else {
            return;
        };
        let asked = pipeline.with_database(move |database| database.shadow_agreement(&model));
        if let Ok(Ok(agreement)) = asked.await {
            self.common.board.set_agreement(self.id(), agreement);
        }
    }

    /// Goes on with another kit, or with the old one when the new one does not start.
    async fn renew(&mut self, kit: PipelineFactory) {
        let (minutes, zone) = (kit.station.minutes.clone(), kit.station.zone);
        self.end_live().await;
        if minutes != self.kit.station.minutes || zone != self.kit.station.zone {
            self.leave_jobs().await;
        }
        self.end_pipeline().await;
        self.clockwork
            .set_station(minutes, zone, kit.catch_up.length());
        self.kit = kit;
        if let Err(failure) = self.start() {
            self.troubled(&failure.to_string());
        }
    }

    /// Writes how everything ended.
    async fn close(mut self) {
        for job in [self.job.take(), self.aside.take()] {
            self.job = job;
            self.end_job(JobStatus::Cancelled, None).await;
        }
        self.end_live().await;
        self.end_pipeline().await;
    }
}
