//! The plan of a run: what to do for each slot of a range, decided before any request.

use std::iter::Peekable;
use std::vec::IntoIter;

use chrono::NaiveDateTime;

use crate::outcome::MissReason;
use crate::slot::{Slot, Slots};

/// What to do for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Fetch, classify and store.
    Fetch(Slot),
    /// Nothing: the record has a row.
    Duplicate(Slot),
    /// Nothing: an earlier run settled that there is no picture.
    KnownMiss(Slot, MissReason),
}

/// Iterates over the slots of a range and over what the record holds of it, side by side.
#[derive(Debug)]
pub struct Plan {
    slots: Slots,
    stored: Peekable<IntoIter<NaiveDateTime>>,
    missed: Peekable<IntoIter<(NaiveDateTime, MissReason)>>,
}

impl Plan {
    /// A plan over `slots`. `stored` and `missed` ascend by local time; their entries that are no
    /// slot of the range are ignored.
    pub fn new(
        slots: Slots,
        stored: Vec<NaiveDateTime>,
        missed: Vec<(NaiveDateTime, MissReason)>,
    ) -> Self {
        Self { slots, stored: stored.into_iter().peekable(), missed: missed.into_iter().peekable() }
    }
}

impl Iterator for Plan {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let slot = self.slots.next()?;
        let local = slot.local();
        while self.stored.next_if(|at| *at < local).is_some() {}
        while self.missed.next_if(|(at, _)| *at < local).is_some() {}
        let missed = self.missed.next_if(|(at, _)| *at == local);
        Some(if self.stored.next_if(|at| *at == local).is_some() {
            Step::Duplicate(slot)
        } else if let Some((_, reason)) = missed {
            Step::KnownMiss(slot, reason)
        } else {
            Step::Fetch(slot)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::{SlotGrid, SlotRange, Zone};
    use proptest::prelude::*;

    fn hour() -> Slots {
        let from = Slot::parse_file_name("2024-01010000.jpg").unwrap();
        let zone: Zone = "-03:00".parse().unwrap();
        SlotRange::new(from, from + chrono::Duration::minutes(59))
            .unwrap()
            .slots(&SlotGrid::default(), zone)
    }

    proptest! {
        #[test]
        fn every_slot_gets_the_step_that_the_record_asks_for(
            stored in proptest::collection::btree_set(-30i64..90, 0..40),
            missed in proptest::collection::btree_set(-30i64..90, 0..40),
        ) {
            let start = hour().next().unwrap().local() - chrono::Duration::minutes(2);
            let at = |m: &i64| start + chrono::Duration::minutes(*m);
            let plan = Plan::new(
                hour(),
                stored.iter().map(at).collect(),
                missed.iter().map(|m| (at(m), MissReason::NotFound)).collect(),
            );
            let steps: Vec<Step> = plan.collect();
            let expected: Vec<Step> = hour()
                .map(|slot| {
                    let minute = (slot.local() - start).num_minutes();
                    if stored.contains(&minute) {
                        Step::Duplicate(slot)
                    } else if missed.contains(&minute) {
                        Step::KnownMiss(slot, MissReason::NotFound)
                    } else {
                        Step::Fetch(slot)
                    }
                })
                .collect();
            prop_assert_eq!(steps, expected);
        }
    }
}
