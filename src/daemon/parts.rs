//! Fills a range in parts: how long each is, and their sums. Pure.

use std::collections::BTreeMap;

use crate::store::RunCounts;
use celaje_sky::ledger::Ledger;

/// What a job did in its parts so far.
#[derive(Clone, Debug, Default)]
pub struct PartTotals {
    /// As the table of runs has it, but for the total.
    pub counts: RunCounts,
    /// Misses by reason.
    pub missed: BTreeMap<String, u64>,
}

impl PartTotals {
    /// Adds what a part did.
    pub fn join(&mut self, part: &Self) {
        self.counts.new += part.counts.new;
        self.counts.duplicates += part.counts.duplicates;
        self.counts.missed += part.counts.missed;
        for (reason, n) in &part.missed {
            *self.missed.entry(reason.clone()).or_default() += n;
        }
    }

    /// Adds the repetition of a part that was paused: its `ledger` calls the rows of the first time
    /// duplicates, and repeats its misses.
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
            missed: missed.iter().map(|(reason, n)| (reason.as_str().to_owned(), *n)).collect(),
        }
    }

    /// Slots that were dealt with.
    pub const fn slots(&self) -> u64 {
        self.counts.new + self.counts.duplicates + self.counts.missed
    }
}

/// The length of a part: adapted so that a part takes some seconds, and a due slot never waits
/// long.
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
    /// Seconds that a part should take.
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

#[cfg(test)]
mod tests {
    use super::*;
    use celaje_sky::credit::Fate;
    use celaje_sky::outcome::MissReason;
    use proptest::prelude::*;

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
        let told =
            |part: &PartTotals| (part.counts.new, part.counts.duplicates, part.counts.missed);
        // Of twelve slots two were stored; it was paused twice.
        let first = PartTotals::default().gone_on(&ledger(4, 2, 1));
        assert_eq!(told(&first), (4, 2, 1));
        let second = first.gone_on(&ledger(3, 6, 0));
        assert_eq!(told(&second), (7, 2, 0));
        let third = second.gone_on(&ledger(1, 9, 2));
        assert_eq!(told(&third), (8, 2, 2));
        let mut done = PartTotals::default();
        done.join(&third);
        done.join(&first);
        assert_eq!(told(&done), (12, 4, 3));
        assert_eq!((done.slots(), done.missed["timeout"]), (19, 3));
    }

    proptest! {
        #[test]
        fn parts_grow_slowly_and_shrink_at_once(
            times in proptest::collection::vec(0.0..500.0f64, 1..40)
        ) {
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
