//! Checks a run's ledger against the record: every slot of the range has a row, a miss, or is
//! left to a later run.

use chrono::NaiveDateTime;

use crate::ledger::Ledger;
use crate::slot::Slots;

/// Counts of what the record holds of the slots of a range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Slots of the range.
    pub planned: u64,
    /// Slots with a row.
    pub stored: u64,
    /// Slots with a miss and no row.
    pub missed: u64,
    /// The first slot with neither row nor miss.
    pub first_open: Option<NaiveDateTime>,
}

/// A difference between a ledger and the record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Imbalance {
    /// Booked slots have neither row nor miss.
    #[error(
        "{open} slots are neither stored nor missed, where {pending} were left; the first is \
        {first}"
    )]
    Lost {
        /// Slots with neither row nor miss.
        open: u64,
        /// Slots that the run left to a later one.
        pending: u64,
        /// The first of them.
        first: String,
    },
    /// More slots are booked as stored than have rows.
    #[error("{booked} slots were booked as stored, {stored} are")]
    Rows {
        /// New rows and duplicates of the ledger.
        booked: u64,
        /// Rows of the record.
        stored: u64,
    },
    /// More slots are booked than the range has.
    #[error("{booked} slots were booked of {planned}")]
    Planned {
        /// Slots booked in the ledger.
        booked: u64,
        /// Slots of the range.
        planned: u64,
    },
    /// The ledger's new rows are not as many as the run's transactions wrote.
    #[error("{booked} new rows were booked, {committed} were committed")]
    Committed {
        /// Slots booked in the ledger.
        booked: u64,
        /// Rows that the transactions counted.
        committed: u64,
    },
}

impl Audit {
    /// Counts `slots` by what the record has of them: a row (`stored`) or a miss (`missed`). Both
    /// lists ascend; entries that are no slot of `slots` are ignored.
    pub fn of(slots: Slots, stored: &[NaiveDateTime], missed: &[NaiveDateTime]) -> Self {
        let mut audit = Self::default();
        let (mut stored, mut missed) = (stored.iter().peekable(), missed.iter().peekable());
        for slot in slots {
            let local = slot.local();
            audit.planned += 1;
            while stored.next_if(|at| **at < local).is_some() {}
            while missed.next_if(|at| **at < local).is_some() {}
            let is_missed = missed.next_if(|at| **at == local).is_some();
            if stored.next_if(|at| **at == local).is_some() {
                audit.stored += 1;
            } else if is_missed {
                audit.missed += 1;
            } else {
                audit.first_open.get_or_insert(local);
            }
        }
        audit
    }

    /// Compares the record with `ledger`, and the ledger's new rows with `committed`, the number
    /// that the run's transactions counted. Other programs may have added rows meanwhile. With
    /// `held` the run's misses are not written yet, because their pictures may still come.
    ///
    /// # Errors
    /// The first difference found.
    pub fn check(&self, ledger: &Ledger, committed: u64, held: bool) -> Result<(), Imbalance> {
        let (booked, planned) = (ledger.total(), self.planned);
        if booked > planned {
            return Err(Imbalance::Planned { booked, planned });
        }
        let pending = planned - booked;
        let open = planned - self.stored - self.missed;
        let held = if held { ledger.missed() } else { 0 };
        if open > pending + held {
            let first = self.first_open.map(|at| at.format("%Y-%m-%dT%H:%M"));
            return Err(Imbalance::Lost {
                open,
                pending,
                first: first.map(|at| at.to_string()).unwrap_or_default(),
            });
        }
        let rows = ledger.new_rows() + ledger.duplicates();
        if rows > self.stored {
            return Err(Imbalance::Rows { booked: rows, stored: self.stored });
        }
        // A slot whose credit was lost after its commit and that was not tried again is pending.
        let new = ledger.new_rows();
        // A new row that a second try of its slot classified again is booked as reprocessed.
        let exact = pending == 0 && ledger.reprocessed() == 0;
        if new > committed || (exact && new < committed) {
            return Err(Imbalance::Committed { booked: ledger.new_rows(), committed });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credit::Fate;
    use crate::outcome::MissReason;
    use crate::slot::{Slot, SlotGrid, SlotRange};
    use proptest::prelude::*;

    fn slots(n: i64) -> Slots {
        let from = Slot::parse_file_name("2024-03010000.jpg").unwrap();
        let to = from + chrono::TimeDelta::minutes(10 * n - 1);
        let range = SlotRange::new(from, to).unwrap();
        range.slots(&SlotGrid::default(), "-03:00".parse().unwrap())
    }

    fn ledger(new: usize, missed: usize) -> Ledger {
        let mut ledger = Ledger::default();
        (0..new).for_each(|_| ledger.book(Fate::New));
        (0..missed).for_each(|_| ledger.book(Fate::Missed(MissReason::NotFound)));
        ledger
    }

    #[test]
    fn a_lost_slot_is_found_and_named() {
        let all: Vec<_> = slots(6).map(|slot| slot.local()).collect();
        let audit = Audit::of(slots(6), &all[..2], &all[3..]);
        assert_eq!((audit.stored, audit.missed), (2, 3));
        let lost = audit.check(&ledger(3, 3), 3, false);
        let first = "2024-03-01T00:22".to_owned();
        let wanted = Imbalance::Lost { open: 1, pending: 0, first };
        assert_eq!(lost, Err(wanted));
        // A held miss may be absent from the record, a row may not.
        assert_eq!(audit.check(&ledger(2, 4), 2, true), Ok(()));
        assert!(audit.check(&ledger(3, 3), 3, true).is_err());
        // A slot that is left to a later run is not lost.
        assert_eq!(audit.check(&ledger(2, 3), 2, false), Ok(()));
    }

    #[test]
    fn rows_that_are_not_there_are_missed() {
        let all: Vec<_> = slots(6).map(|slot| slot.local()).collect();
        let audit = Audit::of(slots(6), &all[..5], &all[5..]);
        let rows = Imbalance::Rows { booked: 6, stored: 5 };
        assert_eq!(audit.check(&ledger(6, 0), 6, false), Err(rows));
        let committed = Imbalance::Committed { booked: 5, committed: 4 };
        assert_eq!(audit.check(&ledger(5, 1), 4, false), Err(committed));
        let planned = Imbalance::Planned { booked: 7, planned: 6 };
        assert_eq!(audit.check(&ledger(5, 2), 5, false), Err(planned));
    }

    proptest! {
        /// Whatever the record holds, its slots are counted once, and a true ledger balances.
        #[test]
        fn a_true_ledger_balances(what in proptest::collection::vec(0u8..4, 1..80)) {
            let n = what.len() as i64;
            let all: Vec<_> = slots(n).map(|slot| slot.local()).collect();
            let with = |wanted: &[u8]| -> Vec<NaiveDateTime> {
                let those = all.iter().zip(&what).filter(|(_, w)| wanted.contains(w));
                those.map(|(at, _)| *at).collect()
            };
            // 0: stored, 1: missed, 2: neither, 3: stored, and a stale miss.
            let audit = Audit::of(slots(n), &with(&[0, 3]), &with(&[1, 3]));
            let count = |w: &[u8]| what.iter().filter(|one| w.contains(one)).count();
            prop_assert_eq!(audit.stored as usize, count(&[0, 3]));
            prop_assert_eq!(audit.missed as usize, count(&[1]));
            prop_assert_eq!(audit.first_open, with(&[2]).first().copied());
            let (rows, misses) = (count(&[0, 3]), count(&[1]));
            prop_assert_eq!(audit.check(&ledger(rows, misses), rows as u64, false), Ok(()));
            if misses + rows < what.len() {
                // One more than there are.
                prop_assert!(audit.check(&ledger(rows, misses + 1), rows as u64, false).is_err());
            }
        }
    }
}
