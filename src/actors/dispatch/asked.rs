//! The slots that a run asks its workers for, and where each of them is.

use std::collections::{BTreeSet, HashMap};

use crate::actors::store::Finished;
use crate::queue::messages::MOST_SLOTS;
use celaje_sky::credit::{Credit, Fate};
use celaje_sky::outcome::{Miss, MissReason, Outcome};
use celaje_sky::slot::Slot;

/// How often a slot that workers say nothing of is given out anew, at most.
const ROUNDS: usize = 5;
/// How often it is given out anew besides, where that is no fault of its picture: a worker was told
/// to end, or the queue lost it.
const FREE: usize = 20;
/// Slots of a job, by how often nothing was said of them.
const JOB_SLOTS: [usize; ROUNDS + 1] = [MOST_SLOTS, 64, 8, 1, 1, 1];

/// Where a slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SlotPlace {
    /// Not given out.
    Waiting,
    /// In the queue, or in a worker's hands.
    Out,
    /// On its way into the record.
    Committing,
}

struct AskedSlot {
    credit: Credit,
    place: SlotPlace,
    /// How often nothing was said of it.
    rounds: usize,
    /// How often it was given out.
    given: usize,
}

/// Slots that are given out together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SlotGroup {
    /// Of one day, ascending.
    pub(super) slots: Vec<Slot>,
    /// What no other group of the run is called.
    pub(super) id: String,
}

/// See the module.
#[derive(Default)]
pub(super) struct AskedSlots {
    asked: HashMap<Slot, AskedSlot>,
    /// Those that are not given out.
    waiting: BTreeSet<Slot>,
}

impl AskedSlots {
    /// Takes a slot that the run asks for.
    pub(super) fn take(&mut self, credit: Credit) {
        let slot = credit.slot();
        let asked = AskedSlot { credit, place: SlotPlace::Waiting, rounds: 0, given: 0 };
        self.asked.insert(slot, asked);
        self.waiting.insert(slot);
    }

    /// Whether no slot is asked for.
    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// Whether slots are to be given out.
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The slots that were given out, and of which nothing has come.
    pub(super) fn out(&self) -> Vec<Slot> {
        let out = self.asked.iter().filter(|(_, asked)| asked.place == SlotPlace::Out);
        out.map(|(slot, _)| *slot).collect()
    }

    /// The groups to be given out next, `most` of them; the last one only if it `ends`, since more
    /// slots of its day may come.
    pub(super) fn groups(&self, most: usize, ends: bool) -> Vec<SlotGroup> {
        let mut groups: Vec<Vec<&AskedSlot>> = Vec::new();
        let day = |asked: &AskedSlot| asked.credit.slot().local().date();
        for asked in self.waiting.iter().filter_map(|slot| self.asked.get(slot)) {
            let room = JOB_SLOTS[asked.rounds.min(ROUNDS)];
            let open = groups.last_mut().filter(|group| {
                let is_like =
                    |last: &&AskedSlot| day(last) == day(asked) && last.rounds == asked.rounds;
                group.len() < room && group.last().is_some_and(is_like)
            });
            if let Some(group) = open {
                group.push(asked);
            } else if groups.len() > most {
                break;
            } else {
                groups.push(vec![asked]);
            }
        }
        if groups.len() <= most && !ends {
            groups.pop_if(|group| group.len() < MOST_SLOTS);
        }
        groups.truncate(most);
        let named = groups.into_iter().map(|group| {
            let (n, given) = (group.len(), group.first().map_or(0, |first| first.given));
            let slots: Vec<Slot> = group.iter().map(|asked| asked.credit.slot()).collect();
            let id = slots.first().map(|first| format!("{first}/{n}/{given}")).unwrap_or_default();
            SlotGroup { slots, id }
        });
        named.collect()
    }

    /// These were given out.
    pub(super) fn gave(&mut self, slots: &[Slot]) {
        for slot in slots {
            self.waiting.remove(slot);
            if let Some(asked) = self.asked.get_mut(slot) {
                asked.place = SlotPlace::Out;
                asked.given += 1;
            }
        }
    }

    /// A slot that was given out is to be given out again; nothing was said of it, unless it is
    /// `free` of fault. Gives the miss of one with which that was done too often.
    pub(super) fn again(&mut self, slot: Slot, free: bool) -> Option<Finished> {
        let asked = self.asked.get_mut(&slot).filter(|asked| asked.place == SlotPlace::Out)?;
        if !free || asked.given > asked.rounds + FREE {
            asked.rounds += 1;
        }
        if asked.rounds <= ROUNDS {
            asked.place = SlotPlace::Waiting;
            self.waiting.insert(slot);
            return None;
        }
        let asked = self.asked.remove(&slot)?;
        let missed = Outcome::Missed(Miss {
            slot,
            reason: MissReason::Poison,
            http_status: None,
            attempts: 0,
            detail: format!("no worker said anything of it, {} times", asked.given),
            unasked: None,
        });
        Some(Finished::new(missed, asked.credit))
    }

    /// An outcome of a slot goes into the record; gives the slot's credit. None of a slot whose
    /// outcome is on its way, and of one that is not asked for.
    pub(super) fn commits(&mut self, slot: Slot) -> Option<&Credit> {
        let asked = self.asked.get_mut(&slot)?;
        if asked.place == SlotPlace::Committing {
            return None;
        }
        asked.place = SlotPlace::Committing;
        self.waiting.remove(&slot);
        Some(&asked.credit)
    }

    /// Nothing came into the record after all: the outcome is to come again.
    pub(super) fn uncommitted(&mut self, slot: Slot) {
        if let Some(asked) = self.asked.get_mut(&slot) {
            asked.place = SlotPlace::Out;
        }
    }

    /// It is in the record.
    pub(super) fn settle(&mut self, slot: Slot, fate: Fate) {
        if let Some(asked) = self.asked.remove(&slot) {
            asked.credit.settle(fate);
        }
    }

    /// Gives up slots by where they are.
    pub(super) fn cancel(&mut self, which: impl Fn(SlotPlace) -> bool) {
        for (slot, asked) in self.asked.extract_if(|_, asked| which(asked.place)) {
            self.waiting.remove(&slot);
            asked.credit.settle(Fate::Cancelled);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use celaje_sky::station::Station;
    use std::sync::Arc;

    /// The first slots of a day.
    fn asked(n: u32) -> (AskedSlots, Vec<Slot>) {
        let day = chrono::NaiveDate::from_ymd_opt(2024, 3, 1).unwrap();
        let slot = |i| {
            let local = day.and_hms_opt(i / 6, i % 6 * 10 + 2, 0).unwrap();
            Slot::at(local, Station::rio_grande().zone).unwrap()
        };
        let slots: Vec<Slot> = (0..n).map(slot).collect();
        let mut book = AskedSlots::default();
        for slot in &slots {
            book.take(Credit::new(*slot, 1, Arc::new(|_| {}), Arc::default()));
        }
        (book, slots)
    }

    fn detail(missed: Option<Finished>) -> String {
        match missed.unwrap().outcome {
            Outcome::Missed(miss) => miss.detail,
            Outcome::Observed(_) => panic!("no miss"),
        }
    }

    #[test]
    fn what_nobody_says_anything_of_is_given_out_in_smaller_groups_and_then_missed() {
        let (mut book, slots) = asked(130);
        for sizes in [vec![130], vec![64, 64, 2], [vec![8; 16], vec![2]].concat(), vec![1; 130]] {
            let groups = book.groups(1000, true);
            assert_eq!(groups.iter().map(|group| group.slots.len()).collect::<Vec<_>>(), sizes);
            for group in groups {
                book.gave(&group.slots);
            }
            assert!(slots.iter().all(|slot| book.again(*slot, false).is_none()));
        }
        book.gave(&slots);
        assert!(book.again(slots[0], false).is_none());
        book.gave(&slots);
        assert!(detail(book.again(slots[0], false)).ends_with("6 times"));
        assert!(!book.out().contains(&slots[0]));
    }

    #[test]
    fn what_is_left_without_fault_is_not_missed_soon_but_not_given_out_for_ever() {
        let (mut book, slots) = asked(1);
        let mut ids = BTreeSet::new();
        for _ in 0..FREE {
            let groups = book.groups(9, true);
            assert!(ids.insert(groups[0].id.clone()), "{ids:?}");
            book.gave(&slots);
            assert!(book.again(slots[0], true).is_none());
        }
        for _ in 0..ROUNDS {
            book.gave(&slots);
            assert!(book.again(slots[0], true).is_none());
        }
        book.gave(&slots);
        assert!(detail(book.again(slots[0], true)).ends_with("26 times"));
        assert!(book.is_empty());
    }

    #[test]
    fn the_last_day_is_kept_back_while_slots_come() {
        let (book, _) = asked(144);
        assert!(book.groups(9, false).is_empty());
        assert_eq!(book.groups(9, true).len(), 1);
        assert!(book.groups(0, true).is_empty());
    }
}
