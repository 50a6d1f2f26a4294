//! Ranges that wait to be filled: a short queue, what a person asked for and what the program found
//! missing. Pure but for the moments that it is told.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use crate::app::RunPolicy;
use crate::pipeline::ledger::Ledger;
use crate::pipeline::slot::SlotRange;
use crate::store::rows::slot_text;
use crate::store::{RunCounts, RunKind};
use crate::web::operator::{JobId, JobProgress, JobState, JobStatus, Refused};

/// Backfills that may wait.
pub const MOST: usize = 16;
/// Ended jobs that are still told of.
const KEPT: usize = 32;

/// A range to be filled.
#[derive(Clone, Debug)]
pub struct Job {
    /// What is told of it.
    pub state: JobState,
    /// What it is for.
    pub kind: RunKind,
    /// Its slots.
    pub range: SlotRange,
    /// What happens to slots that the record knows.
    pub policy: RunPolicy,
    /// To end as soon as may be.
    pub cancelled: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Jobs {
    all: VecDeque<Job>,
    last: u64,
}

impl Jobs {
    /// Takes up what a person asks for, behind what waits already.
    ///
    /// # Errors
    /// When too many wait.
    pub fn ask(
        &mut self,
        station: &str,
        range: SlotRange,
        now: DateTime<Utc>,
    ) -> Result<JobId, Refused> {
        let asked =
            |job: &&Job| job.kind == RunKind::Backfill && job.state.status == JobStatus::Queued;
        if self.all.iter().filter(asked).count() >= MOST {
            return Err(Refused::Full(MOST));
        }
        Ok(self.add(station, range, RunKind::Backfill, RunPolicy::default(), now))
    }

    /// Takes up what was found missing at a station; with `again` also what was found missing
    /// before. One that waits already grows.
    pub fn catch_up(&mut self, station: &str, range: SlotRange, again: bool, now: DateTime<Utc>) {
        let waits = |job: &&mut Job| {
            job.kind == RunKind::CatchUp
                && job.state.status == JobStatus::Queued
                && job.state.station == station
                && !job.cancelled
        };
        if let Some(job) = self.all.iter_mut().find(waits) {
            let (from, to) = (
                job.range.from().min(range.from()),
                job.range.to().max(range.to()),
            );
            job.range = SlotRange::new(from, to).unwrap_or(range);
            job.policy.retry_missed |= again;
            (job.state.from, job.state.to) = (slot_text(from), slot_text(to));
            return;
        }
        let policy = RunPolicy {
            retry_missed: again,
            reprocess: false,
        };
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
        self.all.push_back(Job {
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

    /// Ends a job that waits, and has one that runs end soon.
    ///
    /// # Errors
    /// When there is no such job any more.
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

    /// The next job of a station, which runs from now on: what the program found missing goes first.
    pub fn begin(&mut self, station: &str, now: DateTime<Utc>) -> Option<Job> {
        let waits =
            |job: &&mut Job| job.state.station == station && job.state.status == JobStatus::Queued;
        let job = self
            .all
            .iter_mut()
            .filter(waits)
            .min_by_key(|job| (job.kind != RunKind::CatchUp, job.state.job))?;
        job.state.status = JobStatus::Running;
        job.state.started_at = Some(now);
        Some(job.clone())
    }

    /// The job of this number.
    pub fn find(&mut self, id: JobId) -> Option<&mut Job> {
        self.all.iter_mut().find(|job| job.state.job == id)
    }

    /// Writes that a job ended; the oldest ones that did are forgotten.
    pub fn end(&mut self, id: JobId, status: JobStatus, error: Option<String>, now: DateTime<Utc>) {
        if let Some(job) = self.find(id) {
            job.state.status = status;
            job.state.error = error;
            job.state.finished_at = Some(now);
            job.state.progress.in_flight = 0;
            job.state.progress.eta_s = None;
        }
        let ended = |job: &Job| job.state.finished_at.is_some();
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

/// What a job has done in its parts so far.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// As the table of runs has it, but for the total.
    pub counts: RunCounts,
    /// Misses by reason.
    pub missed: BTreeMap<String, u64>,
}

impl Done {
    /// Adds what a part did.
    pub fn join(&mut self, part: &Self) {
        self.counts.new += part.counts.new;
        self.counts.duplicates += part.counts.duplicates;
        self.counts.missed += part.counts.missed;
        for (reason, n) in &part.missed {
            *self.missed.entry(reason.clone()).or_default() += n;
        }
    }

    /// A part that was paused when this had come of it, and was then done once more from its
    /// beginning, as `ledger` says: the rows of the first time are no duplicates, and its misses were
    /// asked for again.
    #[must_use]
    pub fn gone_on(&self, ledger: &Ledger) -> Self {
        let before = self.counts.new;
        let missed = ledger.missed_by_reason();
        Self {
            counts: RunCounts {
                new: before + ledger.new_rows(),
                duplicates: ledger.duplicates().saturating_sub(before),
                missed: ledger.missed(),
                ..RunCounts::default()
            },
            missed: missed
                .iter()
                .map(|(reason, n)| (reason.as_str().to_owned(), *n))
                .collect(),
        }
    }

    /// Slots that were dealt with.
    pub const fn slots(&self) -> u64 {
        self.counts.new + self.counts.duplicates + self.counts.missed
    }
}

/// Parts in which a job is done, so that a slot that becomes due never waits long: each part is
/// measured, and the next one made as long as takes some seconds.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    slots: usize,
}

impl Default for Parts {
    fn default() -> Self {
        Self { slots: 12 }
    }
}

impl Parts {
    /// A part is to take so many seconds.
    pub const SECONDS: f64 = 5.0;
    /// Slots of a part at most: a week of ten-minute slots.
    const MOST: usize = 1008;

    /// Slots of the next part.
    pub const fn slots(self) -> usize {
        self.slots
    }

    /// A part took so many seconds. The next one is twice as long at most.
    pub fn took(&mut self, seconds: f64) {
        let wanted = self.slots as f64 * Self::SECONDS / seconds.max(0.001);
        let most = self.slots.saturating_mul(2).min(Self::MOST);
        self.slots = (wanted as usize).clamp(1, most);
    }
}

/// The minute after the last one of a part.
pub fn after(last: NaiveDateTime) -> NaiveDateTime {
    last.checked_add_signed(TimeDelta::minutes(1))
        .unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::credit::Fate;
    use crate::pipeline::outcome::MissReason;
    use proptest::prelude::*;

    fn range(from: &str, to: &str) -> SlotRange {
        let time = |text| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").unwrap();
        SlotRange::new(time(from), time(to)).unwrap()
    }

    fn hour() -> SlotRange {
        range("2024-03-01T00:00", "2024-03-01T00:59")
    }

    #[test]
    fn what_the_program_missed_goes_before_what_is_asked_for() {
        let (mut jobs, now) = (Jobs::default(), Utc::now());
        let asked = jobs.ask("a", hour(), now).unwrap();
        let other = jobs.ask("b", hour(), now).unwrap();
        jobs.catch_up(
            "a",
            range("2024-02-01T00:00", "2024-02-01T01:00"),
            false,
            now,
        );
        jobs.catch_up(
            "a",
            range("2024-02-01T03:00", "2024-02-01T04:00"),
            true,
            now,
        );
        let first = jobs.begin("a", now).unwrap();
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
        let (mut jobs, now) = (Jobs::default(), Utc::now());
        for _ in 0..MOST {
            jobs.ask("a", hour(), now).unwrap();
        }
        assert_eq!(jobs.ask("a", hour(), now), Err(Refused::Full(MOST)));
        // What was missed is never refused.
        jobs.catch_up("a", hour(), false, now);
        assert_eq!(jobs.cancel(JobId(3), now), Ok(()));
        assert_eq!(
            jobs.cancel(JobId(3), now),
            Err(Refused::UnknownJob(JobId(3)))
        );
        assert_eq!(
            jobs.cancel(JobId(99), now),
            Err(Refused::UnknownJob(JobId(99)))
        );
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
        assert!(
            jobs.states()
                .iter()
                .all(|job| job.status == JobStatus::Failed)
        );
    }

    #[test]
    fn a_part_that_is_done_again_counts_each_slot_once() {
        let ledger = |new: u64, known: u64, missed: u64| {
            let mut ledger = Ledger::default();
            let fates = [
                (Fate::New, new),
                (Fate::Duplicate, known),
                (Fate::Missed(MissReason::Timeout), missed),
            ];
            for (fate, n) in fates {
                (0..n).for_each(|_| ledger.book(fate));
            }
            ledger
        };
        let told = |part: &Done| (part.counts.new, part.counts.duplicates, part.counts.missed);
        // Of twelve slots two were stored; it was paused twice.
        let first = Done::default().gone_on(&ledger(4, 2, 1));
        assert_eq!(told(&first), (4, 2, 1));
        let second = first.gone_on(&ledger(3, 6, 0));
        assert_eq!(told(&second), (7, 2, 0));
        let third = second.gone_on(&ledger(1, 9, 2));
        assert_eq!(told(&third), (8, 2, 2));
        let mut done = Done::default();
        done.join(&third);
        done.join(&first);
        assert_eq!(told(&done), (12, 4, 3));
        assert_eq!((done.slots(), done.missed["timeout"]), (19, 3));
    }

    proptest! {
        #[test]
        fn parts_grow_slowly_and_shrink_at_once(times in proptest::collection::vec(0.0..500.0f64, 1..40)) {
            let mut parts = Parts::default();
            for seconds in times {
                let before = parts.slots();
                parts.took(seconds);
                prop_assert!((1..=Parts::MOST).contains(&parts.slots()));
                prop_assert!(parts.slots() <= 2 * before);
                if seconds > Parts::SECONDS {
                    prop_assert!(parts.slots() <= before);
                    // What took so long takes no more than was meant, but for a single slot.
                    let expected = parts.slots() as f64 * seconds / before as f64;
                    prop_assert!(parts.slots() == 1 || expected <= Parts::SECONDS + 1e-6);
                }
            }
        }
    }
}
