//! Ranges that wait, in parts between the slots.

use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDateTime, Utc};

use crate::daemon::jobs::Job;
use crate::daemon::operator::{JobId, JobProgress, JobStatus};
use crate::daemon::parts::{Done, Parts, after};
use crate::daemon::worker::Worker;
use crate::daemon::worker::passes::{Bounds, End};
use crate::service::{Pass, RunPolicy};
use crate::store::{RunCounts, RunEnd, RunId, RunKind};
use celaje_sky::error::Result;
use celaje_sky::ledger::Ledger;
use celaje_sky::say;
use celaje_sky::slot::{Slot, SlotRange};

/// How long a host that cannot be reached is left alone by what was missing.
const HOST_PAUSE: Duration = Duration::from_secs(60);
/// A part that was paused so often in vain is let finish: else a slot at which the host hangs would keep
/// its job from ever going on.
const PAUSES: u32 = 5;

/// The job that is at work.
pub(super) struct Work {
    id: JobId,
    kind: RunKind,
    policy: RunPolicy,
    run: RunId,
    planned: u64,
    /// What is left of it.
    left: Option<SlotRange>,
    done: Done,
    /// What came of its present part, which was paused and is done again.
    part: Done,
    /// The last slot of that part.
    part_ends: Option<NaiveDateTime>,
    /// How often in a row it was paused without anything having come of it.
    in_vain: u32,
    worked: Duration,
    /// The host could not be reached: not before then.
    pub(super) not_before: Option<Instant>,
}

impl Worker {
    /// Has a job to work on, where there is any. What the program found missing goes first, between two
    /// parts of what somebody asked for, which may take days.
    pub(super) async fn choose_a_job(&mut self) {
        let cancelled = |work: &Work| self.common.board.is_cancelled(work.id);
        if self.aside.as_ref().is_some_and(cancelled) {
            let job = std::mem::replace(&mut self.job, self.aside.take());
            self.end_job(JobStatus::Cancelled, None).await;
            self.job = job;
        }
        let is_owed = self.common.board.jobs(|jobs| jobs.is_owed(self.id()));
        let makes_room = |work: &Work| !work.is_catching_up();
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

    /// From now on the slots of a range are others than those that were planned: its run ends, with the
    /// counts of what it did, and what the program found missing is looked through anew.
    pub(super) async fn leave_jobs(&mut self) {
        for job in [self.job.take(), self.aside.take()] {
            let Some(work) = job else { continue };
            let again = (work.kind == RunKind::CatchUp)
                .then_some(work.left)
                .flatten();
            let retries = work.policy.retry_missed;
            self.job = Some(work);
            let why = say!(
                "the station's minutes or its time zone changed meanwhile; ask for the range again",
                "los minutos de la estación o su huso cambiaron entretanto; pida el rango otra vez"
            );
            self.end_job(JobStatus::Cancelled, Some(why.to_string()))
                .await;
            if let Some(range) = again {
                self.catch_up(range, retries);
            }
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
                    part: Done::default(),
                    part_ends: None,
                    in_vain: 0,
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

    /// Does the next part of the job, or ends it. A part that is not done when something is due is
    /// paused, and done again later: what it stored is known then.
    pub(super) async fn work_on_the_job(&mut self, due: DateTime<Utc>) {
        let Some(work) = &self.job else { return };
        let (id, run, policy) = (work.id, work.run, work.policy);
        if self.common.board.is_cancelled(id) {
            return self.end_job(JobStatus::Cancelled, None).await;
        }
        let Some(left) = work.left else {
            return self.end_job(JobStatus::Finished, None).await;
        };
        let station = &self.kit.station;
        let next = || {
            let slots = left.slots(&station.minutes, station.zone);
            slots.take(self.parts.slots()).last().map(Slot::local)
        };
        // What was paused is done again as it was: its counts are those of its slots.
        let Some(last) = work.part_ends.or_else(next) else {
            return self.end_job(JobStatus::Finished, None).await;
        };
        let Ok(part) = SlotRange::new(left.from(), last) else {
            return self.end_job(JobStatus::Finished, None).await;
        };
        let begun = Instant::now();
        let pass = Pass::of(part, run, policy);
        let end = if work.in_vain < PAUSES {
            End::Due(due)
        } else {
            End::Never
        };
        let bounds = Bounds { end, job: Some(id) };
        let report = self.pass(pass, bounds).await;
        let took = begun.elapsed();
        let Some(work) = &mut self.job else { return };
        work.worked += took;
        let Some(report) = report else {
            // The pipeline failed and is mended; the part is done again.
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
            (work.part, work.part_ends, work.in_vain) = (Done::default(), None, 0);
            work.left = SlotRange::new(after(last), left.to()).ok();
        }
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

    pub(super) async fn end_job(&mut self, status: JobStatus, error: Option<String>) {
        let Some(work) = self.job.take() else { return };
        let end = match status {
            JobStatus::Finished => RunEnd::Finished,
            JobStatus::Failed => RunEnd::Failed,
            _ => RunEnd::Interrupted,
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
        self.common.board.end_job(work.id, status, error);
        self.look_at_the_shadow().await;
    }
}

impl Work {
    /// What has come of it.
    fn so_far(&self) -> Done {
        let mut done = self.done.clone();
        done.join(&self.part);
        done
    }

    /// Its number.
    pub(super) const fn id(&self) -> JobId {
        self.id
    }

    /// Whether it is what the program found missing.
    pub(super) fn is_catching_up(&self) -> bool {
        self.kind == RunKind::CatchUp
    }

    fn counts(&self) -> RunCounts {
        RunCounts {
            total: self.planned,
            ..self.so_far().counts
        }
    }

    /// How far it is, with what its present part has done.
    pub(super) fn progress(&self, part: &Ledger, in_flight: usize) -> JobProgress {
        let mut done = self.done.clone();
        done.join(&self.part.gone_on(part));
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
