//! The queue of ranges to fill: backfills that a person asked for, and ranges that the program
//! found missing. Pure: the time is an argument.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use crate::daemon::operator::{JobId, JobProgress, JobState, JobStatus, Refused};
use crate::service::RunPolicy;
use crate::store::RunKind;
use crate::store::rows::slot_text;
use celaje_sky::slot::SlotRange;

/// Backfills that may wait at the same time.
pub const MOST: usize = 16;
/// Ended jobs that are still listed.
const KEPT: usize = 32;

/// A range to be filled.
#[derive(Clone, Debug)]
pub struct RangeJob {
    /// What the API shows.
    pub state: JobState,
    /// What it is for.
    pub kind: RunKind,
    /// Its slots.
    pub range: SlotRange,
    /// What happens to slots that the record knows.
    pub policy: RunPolicy,
    /// Whether it is to end as soon as possible.
    pub cancelled: bool,
}

#[derive(Debug, Default)]
pub struct JobQueue {
    all: VecDeque<RangeJob>,
    last: u64,
}

impl JobQueue {
    /// Appends a backfill, unless [`MOST`] wait.
    pub fn ask(
        &mut self,
        station: &str,
        range: SlotRange,
        now: DateTime<Utc>,
    ) -> Result<JobId, Refused> {
        let asked = |job: &&RangeJob| {
            job.kind == RunKind::Backfill && job.state.status == JobStatus::Queued
        };
        if self.all.iter().filter(asked).count() >= MOST {
            return Err(Refused::Full(MOST));
        }
        Ok(self.add(station, range, RunKind::Backfill, RunPolicy::default(), now))
    }

    /// Appends a range that was found missing, or widens the one that waits; `again` asks also for
    /// known misses.
    pub fn catch_up(&mut self, station: &str, range: SlotRange, again: bool, now: DateTime<Utc>) {
        let waits = |job: &&mut RangeJob| {
            job.kind == RunKind::CatchUp
                && job.state.status == JobStatus::Queued
                && job.state.station == station
                && !job.cancelled
        };
        if let Some(job) = self.all.iter_mut().find(waits) {
            let (from, to) = (job.range.from().min(range.from()), job.range.end().max(range.end()));
            job.range = SlotRange::exact(from, to).unwrap_or(range);
            job.policy.retry_missed |= again;
            job.state.from = slot_text(job.range.from());
            job.state.to = slot_text(job.range.to());
            return;
        }
        let policy = RunPolicy { retry_missed: again, reprocess: false };
        self.add(station, range, RunKind::CatchUp, policy, now);
    }

    fn add(
        &mut self,
        station: &str,
        range: SlotRange,
        kind: RunKind,
        policy: RunPolicy,
        now: DateTime<Utc>,
    ) -> JobId {
        self.last += 1;
        let job = JobId(self.last);
        self.all.push_back(RangeJob {
            state: JobState {
                job,
                station: station.to_owned(),
                from: slot_text(range.from()),
                to: slot_text(range.to()),
                status: JobStatus::Queued,
                run: None,
                asked_at: now,
                started_at: None,
                finished_at: None,
                progress: JobProgress::default(),
                error: None,
            },
            kind,
            range,
            policy,
            cancelled: false,
        });
        job
    }

    /// Ends a waiting job, and marks a running one as cancelled.
    pub fn cancel(&mut self, id: JobId, now: DateTime<Utc>) -> Result<(), Refused> {
        let job = self.find(id).ok_or(Refused::UnknownJob(id))?;
        match job.state.status {
            JobStatus::Queued => {
                job.cancelled = true;
                self.end(id, JobStatus::Cancelled, None, now);
                Ok(())
            }
            JobStatus::Running => {
                job.cancelled = true;
                Ok(())
            }
            JobStatus::Finished | JobStatus::Cancelled | JobStatus::Failed => {
                Err(Refused::UnknownJob(id))
            }
        }
    }

    /// Ends the jobs of a removed station, with the reason; a running one ends with its worker.
    pub fn leave(&mut self, station: &str, why: &str, now: DateTime<Utc>) {
        let of_it = |job: &&mut RangeJob| job.state.station == station;
        let mut waiting = Vec::new();
        for job in self.all.iter_mut().filter(of_it) {
            match job.state.status {
                JobStatus::Queued => waiting.push(job.state.job),
                JobStatus::Running => job.state.error = Some(why.to_owned()),
                JobStatus::Finished | JobStatus::Cancelled | JobStatus::Failed => continue,
            }
            job.cancelled = true;
        }
        for id in waiting {
            self.end(id, JobStatus::Cancelled, Some(why.to_owned()), now);
        }
    }

    /// Starts the next job of a station: ranges that were found missing go first.
    pub fn begin(&mut self, station: &str, now: DateTime<Utc>) -> Option<RangeJob> {
        let waits = |job: &&mut RangeJob| {
            job.state.station == station && job.state.status == JobStatus::Queued
        };
        let job = self
            .all
            .iter_mut()
            .filter(waits)
            .min_by_key(|job| (job.kind != RunKind::CatchUp, job.state.job))?;
        job.state.status = JobStatus::Running;
        job.state.started_at = Some(now);
        Some(job.clone())
    }

    /// Puts a running job back into the queue, from its beginning: what it stored was lost.
    pub fn requeue(&mut self, id: JobId) {
        if let Some(job) = self.find(id).filter(|job| job.state.status == JobStatus::Running) {
            job.state.status = JobStatus::Queued;
            (job.state.started_at, job.state.run) = (None, None);
            job.state.progress = JobProgress::default();
        }
    }

    /// Whether a range that was found missing waits at this station.
    pub fn is_owed(&self, station: &str) -> bool {
        self.all.iter().any(|job| {
            job.kind == RunKind::CatchUp
                && job.state.station == station
                && job.state.status == JobStatus::Queued
        })
    }

    /// Whether a range that was found missing is being filled at this station.
    pub fn is_catching_up(&self, station: &str) -> bool {
        self.all.iter().any(|job| {
            job.kind == RunKind::CatchUp
                && job.state.station == station
                && job.state.status == JobStatus::Running
        })
    }

    /// The job of this number.
    pub fn find(&mut self, id: JobId) -> Option<&mut RangeJob> {
        self.all.iter_mut().find(|job| job.state.job == id)
    }

    /// Closes a job; the oldest closed ones are forgotten.
    pub fn end(&mut self, id: JobId, status: JobStatus, error: Option<String>, now: DateTime<Utc>) {
        if let Some(job) = self.find(id) {
            job.state.status = status;
            // A reason that was given before stays.
            if error.is_some() || status != JobStatus::Cancelled {
                job.state.error = error;
            }
            job.state.finished_at = Some(now);
            job.state.progress.in_flight = 0;
            job.state.progress.eta_s = None;
        }
        let ended = |job: &RangeJob| job.state.finished_at.is_some();
        while self.all.iter().filter(|job| ended(job)).count() > KEPT {
            let Some(oldest) = self.all.iter().position(ended) else {
                return;
            };
            self.all.remove(oldest);
        }
    }

    /// All of them, the oldest first.
    pub fn states(&self) -> Vec<JobState> {
        self.all.iter().map(|job| job.state.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDateTime;

    fn range(from: &str, to: &str) -> SlotRange {
        let time = |text| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").unwrap();
        SlotRange::new(time(from), time(to)).unwrap()
    }

    fn hour() -> SlotRange {
        range("2024-03-01T00:00", "2024-03-01T00:59")
    }

    #[test]
    fn what_the_program_missed_goes_before_what_is_asked_for() {
        let (mut jobs, now) = (JobQueue::default(), Utc::now());
        let asked = jobs.ask("a", hour(), now).unwrap();
        let other = jobs.ask("b", hour(), now).unwrap();
        jobs.catch_up("a", range("2024-02-01T00:00", "2024-02-01T01:00"), false, now);
        jobs.catch_up("a", range("2024-02-01T03:00", "2024-02-01T04:00"), true, now);
        assert!(jobs.is_owed("a") && !jobs.is_owed("b"));
        let first = jobs.begin("a", now).unwrap();
        assert!(!jobs.is_owed("a"));
        assert_eq!(first.kind, RunKind::CatchUp);
        assert!(first.policy.retry_missed);
        assert_eq!(first.range, range("2024-02-01T00:00", "2024-02-01T04:00"));
        assert_eq!(first.state.from, "2024-02-01T00:00");
        assert_eq!(jobs.begin("a", now).unwrap().state.job, asked);
        assert!(jobs.begin("a", now).is_none());
        assert_eq!(jobs.begin("b", now).unwrap().state.job, other);
    }

    #[test]
    fn the_queue_is_short_and_ended_jobs_are_forgotten() {
        let (mut jobs, now) = (JobQueue::default(), Utc::now());
        for _ in 0..MOST {
            jobs.ask("a", hour(), now).unwrap();
        }
        assert_eq!(jobs.ask("a", hour(), now), Err(Refused::Full(MOST)));
        // What was missed is never refused.
        jobs.catch_up("a", hour(), false, now);
        assert_eq!(jobs.cancel(JobId(3), now), Ok(()));
        assert_eq!(jobs.cancel(JobId(3), now), Err(Refused::UnknownJob(JobId(3))));
        assert_eq!(jobs.cancel(JobId(99), now), Err(Refused::UnknownJob(JobId(99))));
        assert!(jobs.ask("a", hour(), now).is_ok());
        for _ in 0..100 {
            let Some(job) = jobs.begin("a", now) else {
                break;
            };
            assert_ne!(job.state.job, JobId(3), "it was cancelled");
            jobs.end(job.state.job, JobStatus::Finished, None, now);
        }
        for _ in 0..KEPT {
            let id = jobs.ask("a", hour(), now).unwrap();
            jobs.begin("a", now).unwrap();
            jobs.end(id, JobStatus::Failed, Some("why".to_owned()), now);
        }
        assert_eq!(jobs.states().len(), KEPT);
        assert!(jobs.states().iter().all(|job| job.status == JobStatus::Failed));
    }

    #[test]
    fn jobs_of_a_station_that_is_left_end_with_a_reason() {
        let (mut jobs, now) = (JobQueue::default(), Utc::now());
        let running = jobs.ask("a", hour(), now).unwrap();
        jobs.begin("a", now).unwrap();
        let waiting = jobs.ask("a", hour(), now).unwrap();
        let other = jobs.ask("b", hour(), now).unwrap();
        jobs.leave("a", "gone", now);
        let told = |jobs: &mut JobQueue, id| {
            let job = jobs.find(id).unwrap();
            (job.state.status, job.state.error.clone(), job.cancelled)
        };
        let gone = || Some("gone".to_owned());
        assert_eq!(told(&mut jobs, waiting), (JobStatus::Cancelled, gone(), true));
        assert_eq!(told(&mut jobs, running), (JobStatus::Running, gone(), true));
        assert_eq!(told(&mut jobs, other), (JobStatus::Queued, None, false));
        // Its worker ends it, and knows no reason.
        jobs.end(running, JobStatus::Cancelled, None, now);
        assert_eq!(told(&mut jobs, running), (JobStatus::Cancelled, gone(), true));
        assert!(jobs.begin("a", now).is_none());
        assert_eq!(jobs.begin("b", now).unwrap().state.job, other);
    }
}
