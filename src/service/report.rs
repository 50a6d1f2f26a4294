//! What a run is asked to do, and how it went.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::actors::scheduler::RunEnd;
use crate::store::{RunCounts, RunId};
use celaje_sky::ledger::Ledger;
use celaje_sky::outcome::MissReason;
use celaje_sky::slot::SlotRange;

/// What a run does with slots that the record knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunPolicy {
    /// Asks again for pictures that an earlier run settled as missed, in both places.
    pub retry_missed: bool,
    /// Classifies stored slots again.
    pub reprocess: bool,
}

/// How a run went.
#[derive(Clone, Debug)]
pub struct RunReport {
    /// What was booked, and why it ended early if it did.
    pub end: RunEnd,
    /// From the start of the run to its last commit.
    pub elapsed: Duration,
    /// Slots of the range that were not due yet: they are not of the run.
    pub not_due: u64,
}

/// A part of a run.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// Its slots.
    pub range: SlotRange,
    /// What it is booked to.
    pub run: RunId,
    /// What happens to slots that the record knows.
    pub policy: RunPolicy,
    /// Misses are booked but not written: their pictures may still come.
    pub holds_misses: bool,
}

impl Pass {
    /// A part of `run` that writes its misses.
    pub const fn of(range: SlotRange, run: RunId, policy: RunPolicy) -> Self {
        Self { range, run, policy, holds_misses: false }
    }
}

impl RunReport {
    /// What was booked, as the table of runs has it.
    pub fn counts(&self) -> RunCounts {
        RunCounts {
            total: self.end.planned,
            new: self.end.ledger.new_rows(),
            duplicates: self.end.ledger.duplicates(),
            missed: self.end.ledger.missed(),
        }
    }

    /// A run that had nothing to do: none of the slots asked for is due yet.
    pub(super) fn of_none_due(not_due: u64) -> Self {
        let end = RunEnd {
            ledger: Ledger::default(),
            planned: 0,
            skipped: BTreeMap::new(),
            failure: None,
        };
        Self { end, elapsed: Duration::ZERO, not_due }
    }

    /// Due slots that the run did not come to.
    pub fn pending(&self) -> u64 {
        self.end.planned.saturating_sub(self.end.ledger.total())
    }

    /// Whether requests were made and not one of them reached the host.
    pub fn host_unreachable(&self) -> bool {
        let asked = self.end.asked_in_vain();
        self.found_none().is_some() && asked.keys().eq([&MissReason::Unreachable])
    }

    /// The slots that were asked for, when not one of them had a picture; none when nothing was
    /// asked for.
    pub fn found_none(&self) -> Option<u64> {
        let asked = self.end.asked_in_vain();
        let slots: u64 = asked.values().sum();
        let ledger = &self.end.ledger;
        let none = ledger.new_rows() == 0
            && ledger.reprocessed() == 0
            && asked.keys().all(|reason| reason.is_without_picture());
        (none && slots > 0).then_some(slots)
    }
}
