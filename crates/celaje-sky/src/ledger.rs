//! The ledger of a run: every slot of the range in exactly one column.

use std::collections::BTreeMap;
use std::fmt;

use crate::credit::Fate;
use crate::outcome::MissReason;

/// Counts of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    new: u64,
    duplicates: u64,
    reprocessed: u64,
    missed: BTreeMap<MissReason, u64>,
    kept: BTreeMap<MissReason, u64>,
}

impl Ledger {
    /// Books the fate of a slot; a cancelled slot is not booked.
    pub fn book(&mut self, fate: Fate) {
        match fate {
            Fate::New => self.new += 1,
            Fate::Duplicate => self.duplicates += 1,
            Fate::Replaced => {
                self.duplicates += 1;
                self.reprocessed += 1;
            }
            Fate::Kept(reason) => {
                self.duplicates += 1;
                *self.kept.entry(reason).or_default() += 1;
            }
            Fate::Missed(reason) => *self.missed.entry(reason).or_default() += 1,
            Fate::Cancelled => {}
        }
    }

    /// Removes a miss, because its slot is fetched again.
    pub fn reopen(&mut self, reason: MissReason) {
        take_out(&mut self.missed, reason);
    }

    /// Removes a duplicate without a new picture, because its slot is fetched again.
    pub fn reopen_kept(&mut self, reason: MissReason) {
        if take_out(&mut self.kept, reason) {
            self.duplicates = self.duplicates.saturating_sub(1);
        }
    }

    /// Slots that got a new row.
    pub const fn new_rows(&self) -> u64 {
        self.new
    }

    /// Slots that had a row before.
    pub const fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Duplicates that were classified again.
    pub const fn reprocessed(&self) -> u64 {
        self.reprocessed
    }

    /// Duplicates that kept their rows because no new picture could be read, by reason.
    pub const fn kept_by_reason(&self) -> &BTreeMap<MissReason, u64> {
        &self.kept
    }

    /// Slots without a picture that could be read.
    pub fn missed(&self) -> u64 {
        self.missed.values().sum()
    }

    /// Misses by reason; no zeros.
    pub const fn missed_by_reason(&self) -> &BTreeMap<MissReason, u64> {
        &self.missed
    }

    /// Slots booked: new + duplicates + missed.
    pub fn total(&self) -> u64 {
        self.new + self.duplicates + self.missed()
    }
}

/// Lowers the count of `reason` and drops zeros; false when there was none.
fn take_out(counts: &mut BTreeMap<MissReason, u64>, reason: MissReason) -> bool {
    let Some(count) = counts.get_mut(&reason) else {
        return false;
    };
    *count = count.saturating_sub(1);
    if *count == 0 {
        counts.remove(&reason);
    }
    true
}

impl fmt::Display for Ledger {
    /// The summary line of the replaced system, which its users' scripts read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "📊 Backfill → total={} | nuevos={} | duplicados={} | fallidos={}",
            self.total(),
            self.new,
            self.duplicates,
            self.missed()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_summary_line_is_the_replaced_systems() {
        let mut ledger = Ledger::default();
        (0..830).for_each(|_| ledger.book(Fate::New));
        (0..28).for_each(|_| ledger.book(Fate::Duplicate));
        (0..6).for_each(|_| ledger.book(Fate::Missed(MissReason::NotFound)));
        assert_eq!(
            ledger.to_string(),
            "📊 Backfill → total=864 | nuevos=830 | duplicados=28 | fallidos=6"
        );
    }

    #[test]
    fn a_reopened_miss_is_booked_once() {
        let mut ledger = Ledger::default();
        ledger.book(Fate::Missed(MissReason::NotFound));
        ledger.reopen(MissReason::NotFound);
        ledger.book(Fate::New);
        assert_eq!((ledger.total(), ledger.missed()), (1, 0));
        assert!(ledger.missed_by_reason().is_empty());
    }

    #[test]
    fn a_row_that_is_kept_is_a_duplicate() {
        let mut ledger = Ledger::default();
        ledger.book(Fate::Kept(MissReason::NotFound));
        ledger.book(Fate::Kept(MissReason::Unreachable));
        assert_eq!((ledger.duplicates(), ledger.missed()), (2, 0));
        ledger.reopen_kept(MissReason::NotFound);
        ledger.reopen_kept(MissReason::NotFound);
        assert_eq!((ledger.duplicates(), ledger.kept_by_reason().len()), (1, 1));
    }

    proptest! {
        #[test]
        fn it_balances(fates in proptest::collection::vec(0..5 + MissReason::ALL.len(), 0..200)) {
            let mut ledger = Ledger::default();
            let mut booked = 0;
            for pick in fates {
                let fate = match pick {
                    0 => Fate::New,
                    1 => Fate::Duplicate,
                    2 => Fate::Replaced,
                    3 => Fate::Cancelled,
                    4 => Fate::Kept(MissReason::Unreachable),
                    n => Fate::Missed(MissReason::ALL[n - 5]),
                };
                booked += u64::from(fate != Fate::Cancelled);
                ledger.book(fate);
            }
            prop_assert_eq!(ledger.total(), booked);
            let parts = ledger.new_rows() + ledger.duplicates() + ledger.missed();
            prop_assert_eq!(ledger.total(), parts);
            prop_assert!(ledger.reprocessed() <= ledger.duplicates());
        }
    }
}
