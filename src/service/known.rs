//! What the record knows of a range before anything is asked for.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use crate::service::Pipeline;
use crate::service::report::RunPolicy;
use crate::store::KnownMiss;
use celaje_sky::error::{Failure, Result};
use celaje_sky::layout::Layout;
use celaje_sky::outcome::MissReason;
use celaje_sky::plan::{Plan, Step};
use celaje_sky::slot::{Slot, SlotRange};

/// A missing picture is only settled when it was last asked for so long after its slot.
const SETTLES_AFTER: TimeDelta = TimeDelta::hours(1);

/// By how much clocks that are right may differ.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::hours(1);

/// What the record knows of a range.
pub(super) struct Known {
    /// Slots with a row.
    pub(super) stored: Vec<NaiveDateTime>,
    /// Slots that asking for is of no use.
    pub(super) settled: Vec<(NaiveDateTime, MissReason)>,
    /// Slots to be looked for in this place.
    pub(super) doubts: Vec<(Slot, Layout)>,
}

impl Pipeline {
    /// What the record knows of a range.
    pub(super) async fn known(&self, range: SlotRange, policy: RunPolicy) -> Result<Known> {
        let source = self.about.source.clone();
        let zone = self.about.station.zone;
        let (stored, missed) = self
            .with_database(move |database| {
                database.set_source(&source);
                let stored =
                    if policy.reprocess { Vec::new() } else { database.stored_slots(range)? };
                let missed = if policy.retry_missed {
                    Vec::new()
                } else {
                    database.known_misses(range, &source)?
                };
                Ok::<_, Failure>((stored, missed))
            })
            .await??;
        let now = self.about.clock.now();
        let (mut settled, mut doubts) = (Vec::new(), Vec::new());
        for miss in missed {
            match standing(&miss, now, |local| Slot::at(local, zone)) {
                MissState::Settled => settled.push((miss.slot, miss.reason)),
                MissState::Doubted(slot, unasked) => doubts.push((slot, unasked)),
                MissState::Open => {}
            }
        }
        Ok(Known { stored, settled, doubts })
    }

    /// The first slot of `range` that a run would ask for.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub async fn first_missing(&self, range: SlotRange) -> Result<Option<Slot>> {
        let known = self.known(range, RunPolicy::default()).await?;
        let mut steps = Plan::new(self.slots(range), known.stored, known.settled);
        Ok(steps.find_map(|step| match step {
            Step::Fetch(slot) => Some(slot),
            Step::Duplicate(_) | Step::KnownMiss(..) => None,
        }))
    }
}

/// What a miss of an earlier run means for this one.
#[derive(Debug, PartialEq, Eq)]
enum MissState {
    /// Asking again is of no use.
    Settled,
    /// It was looked for in one of its year's places; this is the other one.
    Doubted(Slot, Layout),
    /// It is asked for as if for the first time.
    Open,
}

/// Where a miss of the same source and layout stands.
///
/// A slot that was last tried before its picture could be there (a range that reaches into the
/// future, an upload that was late) is open, whatever came of it; so is one that was last tried in
/// the future, by a clock that was wrong.
fn standing(
    miss: &KnownMiss,
    now: DateTime<Utc>,
    slot: impl Fn(NaiveDateTime) -> Option<Slot>,
) -> MissState {
    let slot = slot(miss.slot)
        .filter(|slot| miss.last_tried - slot.utc() >= SETTLES_AFTER)
        .filter(|_| miss.last_tried - now <= CLOCKS_DIFFER);
    match (slot, miss.unasked) {
        (Some(_), None) if miss.reason.is_settled() => MissState::Settled,
        (Some(slot), Some(unasked)) => MissState::Doubted(slot, unasked),
        _ => MissState::Open,
    }
}
