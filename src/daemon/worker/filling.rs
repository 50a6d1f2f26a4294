//! Fills waiting ranges, in parts between the due slots.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::actors::dispatch::SLOTS_OUT;
use crate::clock::Clock;
use crate::daemon::jobs::RangeJob;
use crate::daemon::operator::{JobId, JobProgress, JobStatus};
use crate::daemon::parts::{PartTotals, Parts};
use crate::daemon::worker::passes::{PassBounds, PassEnd};
use crate::daemon::worker::{Duty, StationWorker};
use crate::service::request::none_due;
use crate::service::{Pass, Pipeline, RunPolicy};
use crate::store::{RunCounts, RunId, RunKind, RunStatus};
use celaje_sky::error::Result;
use celaje_sky::run::Progress;
use celaje_sky::say;
use celaje_sky::slot::{Slot, SlotRange};
use celaje_sky::ticks::DuePart;

/// Pause of a catch-up whose host cannot be reached.
const HOST_PAUSE: Duration = Duration::from_secs(60);
/// A part that was paused so often without a new row runs to its end: otherwise a slot at which
/// the host hangs would hold up its job for ever.
const PAUSES: u32 = 5;

/// The running job.
pub(super) struct JobRun {
    id: JobId,
    kind: RunKind,
    policy: RunPolicy,
    run: RunId,
    /// Slots of its range that were due when it began, and those that were not: it leaves these.
    planned: u64,
    pending: u64,
    /// The rest of its range.
    left: Option<SlotRange>,
    done: PartTotals,
    /// What its present part did before it was paused; the part is repeated.
    part: PartTotals,
    /// The last slot of that part.
    part_ends: Option<Slot>,
    /// Pauses in a row without a new row.
    in_vain: u32,
    worked: Duration,
    /// The host could not be reached: not before then.
    pub(super) not_before: Option<Instant>,
}

impl StationWorker {
    /// Chooses the job to work on. A range that was found missing goes first, between two parts of
    /// a backfill that may take days.
    pub(super) async fn choose_a_job(&mut self) {
        let cancelled = |work: &JobRun| self.common.state.is_cancelled(work.id);
        if self.aside.as_ref().is_some_and(cancelled) {
            let job = std::mem::replace(&mut self.job, self.aside.take());
            self.end_job(JobStatus::Cancelled, None).await;
            self.job = job;
        }
        let is_owed = self.common.state.jobs(|jobs| jobs.is_owed(self.id()));
        let makes_room = |work: &JobRun| !work.is_catching_up();
        if is_owed && self.aside.is_none() && self.job.as_ref().is_some_and(makes_room) {
            self.aside = self.job.take();
        }
        if self.job.is_none() && !is_owed {
            self.job = self.aside.take();
        }
        if self.job.is_none() {
            self.take_up_a_job().await;
        }
    }

    /// The station's slots changed: ends the jobs with the counts so far, and queues a catch-up
    /// again.
    pub(super) async fn leave_jobs(&mut self) {
        for job in [self.job.take(), self.aside.take()] {
            let Some(work) = job else { continue };
            let again = (work.kind == RunKind::CatchUp).then_some(work.left).flatten();
            let retries = work.policy.retry_missed;
            self.job = Some(work);
            let why = say!(
                "the station's minutes or its time zone changed meanwhile; ask for the range again",
                "los minutos de la estación o su huso cambiaron entretanto; pida el rango otra vez"
            );
            self.end_job(JobStatus::Cancelled, Some(why.to_string())).await;
            if let Some(range) = again {
                self.catch_up(range, retries);
            }
        }
    }

    async fn take_up_a_job(&mut self) {
        let now = self.common.clock.now();
        let job = self.common.state.jobs(|jobs| jobs.begin(self.id(), now));
        let (Some(job), Some(pipeline)) = (job, &self.pipeline) else {
            return;
        };
        let RangeJob { state, kind, range, policy, .. } = job;
        match begin_job(pipeline, kind, range).await {
            Ok(BegunJob { range, planned, pending, run }) => {
                tracing::info!(
                    station = self.id(),
                    from = %state.from,
                    to = %state.to,
                    kind = kind.as_str(),
                    "a range is filled"
                );
                let work = JobRun {
                    id: state.job,
                    kind,
                    policy,
                    run,
                    planned,
                    pending,
                    left: Some(range),
                    done: PartTotals::default(),
                    part: PartTotals::default(),
                    part_ends: None,
                    in_vain: 0,
                    worked: Duration::ZERO,
                    not_before: None,
                };
                self.common.state.jobs(|jobs| {
                    if let Some(job) = jobs.find(work.id) {
                        job.state.run = Some(run.number());
                        job.state.progress = work.progress(&Progress::default(), Duration::ZERO);
                    }
                });
                self.job = Some(work);
            }
            Err(failure) => {
                let why = failure.to_string();
                if self.look_at_the_record().await.is_err() {
                    self.common.state.jobs(|jobs| jobs.requeue(state.job));
                    self.end_pipeline().await;
                } else {
                    let failed = JobStatus::Failed;
                    self.common.state.end_job(state.job, failed, Some(why.clone()));
                }
                self.troubled(&why);
            }
        }
    }

    /// Does the next part of the job, or ends it. A part that still runs when a slot is due is
    /// paused and repeated later; its stored slots are then duplicates.
    pub(super) async fn work_on_the_job(&mut self, due: DateTime<Utc>) {
        let Some(work) = &self.job else { return };
        let (id, run, policy) = (work.id, work.run, work.policy);
        if self.common.state.is_cancelled(id) {
            return self.end_job(JobStatus::Cancelled, None).await;
        }
        let Some(left) = work.left else {
            return self.end_job(JobStatus::Finished, None).await;
        };
        let station = &self.factory.station;
        let next = || {
            let slots = left.slots(&station.minutes, station.zone);
            slots.take(self.part_slots()).last()
        };
        // A paused part keeps its end, so that its counts stay those of its slots.
        let Some(last) = work.part_ends.or_else(next) else {
            return self.end_job(JobStatus::Finished, None).await;
        };
        let Some(part) = left.to_slot(last) else {
            return self.end_job(JobStatus::Finished, None).await;
        };
        let begun = Clock::instant();
        let pass = Pass::of(part, run, policy);
        let end = match self.duty {
            Duty::Filling => PassEnd::Never,
            _ if work.in_vain >= PAUSES => PassEnd::Never,
            _ => PassEnd::Due(due),
        };
        let bounds = PassBounds { end, job: Some(id) };
        let report = self.pass(pass, bounds).await;
        self.tell_faults();
        let took = Clock::since(begun);
        let Some(work) = &mut self.job else { return };
        work.worked += took;
        let Some(report) = report else {
            // The pipeline failed; the next one repeats the part.
            return;
        };
        let paused = report.pending() > 0;
        if !paused || took.as_secs_f64() > Parts::SECONDS {
            self.parts.took(took.as_secs_f64());
        }
        if report.host_unreachable() && report.pending() == 0 {
            return self.put_off().await;
        }
        work.not_before = None;
        let part = work.part.gone_on(&report.end.ledger);
        if paused {
            let vain = part.counts.new == work.part.counts.new;
            work.in_vain = if vain { work.in_vain + 1 } else { 0 };
            (work.part, work.part_ends) = (part, Some(last));
        } else {
            work.done.join(&part);
            (work.part, work.part_ends, work.in_vain) = (PartTotals::default(), None, 0);
            work.left = left.after(last);
        }
        let progress = work.progress(&Progress::default(), Duration::ZERO);
        let (counts, whole) = (work.counts(), work.left.is_none());
        self.common.state.jobs(|jobs| {
            if let Some(job) = jobs.find(id) {
                job.state.progress = progress;
            }
        });
        self.common.state.changed();
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

    /// Slots of the next part: as many as workers may have at once where there are such.
    const fn part_slots(&self) -> usize {
        match self.duty {
            Duty::Filling => SLOTS_OUT,
            Duty::All | Duty::Live => self.parts.slots(),
        }
    }

    /// No request of a part reached the host: a catch-up is tried again later, a backfill fails.
    async fn put_off(&mut self) {
        let Some(work) = &mut self.job else { return };
        if work.kind == RunKind::CatchUp {
            work.not_before = Some(Clock::instant() + HOST_PAUSE);
            tracing::info!(station = self.factory.station.id, "the host cannot be reached: later");
            return;
        }
        let why = say!(
            "no request reached the camera's host",
            "ningún pedido llegó al servidor de la cámara"
        );
        self.end_job(JobStatus::Failed, Some(why.to_string())).await;
    }

    pub(super) async fn end_job(&mut self, status: JobStatus, error: Option<String>) {
        let Some(work) = self.job.take() else { return };
        let end = match status {
            JobStatus::Finished => RunStatus::Finished,
            JobStatus::Failed => RunStatus::Failed,
            _ => RunStatus::Interrupted,
        };
        self.finish(work.run, work.counts(), end).await;
        let counts = work.counts();
        tracing::info!(
            station = self.id(),
            kind = work.kind.as_str(),
            new = counts.new,
            duplicates = counts.duplicates,
            missed = counts.missed,
            "a range is done"
        );
        self.common.state.end_job(work.id, status, error);
        self.look_at_the_shadow().await;
    }
}

/// A job whose run is begun.
struct BegunJob {
    /// What is due of its range, and how many slots that is.
    range: SlotRange,
    planned: u64,
    pending: u64,
    run: RunId,
}

async fn begin_job(pipeline: &Pipeline, kind: RunKind, range: SlotRange) -> Result<BegunJob> {
    let DuePart { range: due, pending } = pipeline.due(range).await?;
    // The clock was set back since it was asked for.
    let due = due.ok_or_else(|| none_due(range, pipeline.now()))?;
    let planned = pipeline.count(due).await?;
    let run = pipeline.begin(kind, due, planned).await?;
    Ok(BegunJob { range: due, planned, pending, run })
}

impl JobRun {
    /// The sums of all parts, the present one included.
    fn so_far(&self) -> PartTotals {
        let mut done = self.done.clone();
        done.join(&self.part);
        done
    }

    pub(super) const fn id(&self) -> JobId {
        self.id
    }

    pub(super) const fn run(&self) -> RunId {
        self.run
    }

    pub(super) fn is_catching_up(&self) -> bool {
        self.kind == RunKind::CatchUp
    }

    fn counts(&self) -> RunCounts {
        RunCounts { total: self.planned, ..self.so_far().counts }
    }

    /// How far it is, with its present pass, which works since a while.
    pub(super) fn progress(&self, pass: &Progress, since: Duration) -> JobProgress {
        let mut done = self.done.clone();
        done.join(&self.part.gone_on(&pass.ledger));
        let slots = done.slots();
        let worked = self.worked + since;
        let rate = (worked > Duration::from_millis(200) && slots > 0)
            .then(|| slots as f64 / worked.as_secs_f64());
        let left = self.planned.saturating_sub(slots);
        JobProgress {
            planned: self.planned,
            pending: self.pending,
            new: done.counts.new,
            duplicates: done.counts.duplicates,
            missed: done.missed,
            in_flight: pass.in_flight as u64,
            rate,
            eta_s: rate.map(|rate| left as f64 / rate),
        }
    }
}
