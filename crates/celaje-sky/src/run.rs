//! A run as a state machine: which slot is next, and what follows from a returned credit.
//!
//! The scheduler actor feeds it and does what it says; it knows no actor, clock or channel.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use crate::credit::{Fate, Returned};
use crate::ledger::Ledger;
use crate::outcome::MissReason;
use crate::plan::{Plan, Step};
use crate::slot::Slot;

/// Lost tries of a slot after which it is booked as poison.
const TRIES: u32 = 2;

/// What the scheduler has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Have the slot fetched; `attempt` counts from 1.
    Fetch {
        /// The slot.
        slot: Slot,
        /// Which try this is.
        attempt: u32,
    },
    /// Have a miss [`MissReason::Poison`] committed for the slot.
    CommitPoison {
        /// The slot.
        slot: Slot,
        /// Which try this is.
        attempt: u32,
    },
    /// Wait for a credit.
    Wait,
    /// The run is over: nothing is in flight any more.
    Finish,
}

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Slots of the range.
    pub planned: u64,
    /// What is booked so far.
    pub ledger: Ledger,
    /// Slots in flight.
    pub in_flight: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct InFlight {
    /// If the slot ends as a miss, it is fetched again: its year's pictures are elsewhere.
    doubted: bool,
}

/// One run over a plan.
#[derive(Debug)]
pub struct Run {
    plan: Plan,
    planned: u64,
    capacity: usize,
    in_flight: HashMap<Slot, InFlight>,
    again: VecDeque<(Slot, u32)>,
    /// Slots whose credit was ever returned without a fate: an actor failed on each.
    lost: HashSet<Slot>,
    /// Slots whose pictures were not found and whose earlier rows stay.
    kept: HashSet<Slot>,
    ledger: Ledger,
    skipped: BTreeMap<MissReason, u64>,
    draining: bool,
    stuck: Option<Slot>,
}

impl Run {
    /// A run over `plan` (`planned` slots long) with at most `capacity` slots in flight (at least
    /// 1).
    pub fn new(plan: Plan, planned: u64, capacity: usize) -> Self {
        Self {
            plan,
            planned,
            capacity: capacity.max(1),
            in_flight: HashMap::new(),
            again: VecDeque::new(),
            lost: HashSet::new(),
            kept: HashSet::new(),
            ledger: Ledger::default(),
            skipped: BTreeMap::new(),
            draining: false,
            stuck: None,
        }
    }

    /// Allows at most `capacity` slots (at least 1) in flight from now on; no new slot starts while
    /// there are more.
    pub fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity.max(1);
    }

    /// The next thing to do. Call it until it says [`Action::Wait`] or [`Action::Finish`].
    pub fn next_action(&mut self) -> Action {
        if self.draining {
            return if self.in_flight.is_empty() { Action::Finish } else { Action::Wait };
        }
        loop {
            if self.in_flight.len() >= self.capacity {
                return Action::Wait;
            }
            if let Some((slot, attempt)) = self.again.pop_front() {
                self.in_flight.insert(slot, InFlight::default());
                return if attempt > TRIES {
                    Action::CommitPoison { slot, attempt }
                } else {
                    Action::Fetch { slot, attempt }
                };
            }
            match self.plan.next() {
                Some(Step::Fetch(slot)) => {
                    self.in_flight.insert(slot, InFlight::default());
                    return Action::Fetch { slot, attempt: 1 };
                }
                Some(Step::Duplicate(_)) => self.ledger.book(Fate::Duplicate),
                Some(Step::KnownMiss(_, reason)) => {
                    *self.skipped.entry(reason).or_default() += 1;
                    self.ledger.book(Fate::Missed(reason));
                }
                None if self.in_flight.is_empty() => return Action::Finish,
                None => return Action::Wait,
            }
        }
    }

    /// Books a returned credit. A slot that is not in flight (of an earlier run) is ignored.
    pub fn returned(&mut self, returned: Returned) {
        let Returned { slot, attempt, fate } = returned;
        let Some(state) = self.in_flight.remove(&slot) else {
            return;
        };
        match fate {
            Some(Fate::Missed(_) | Fate::Kept(_)) if state.doubted && !self.draining => {
                self.again.push_back((slot, attempt))
            }
            Some(fate) => {
                if fate == Fate::Kept(MissReason::NotFound) {
                    self.kept.insert(slot);
                }
                self.ledger.book(fate);
            }
            None if attempt > TRIES => {
                // Even the commit of the miss was lost.
                self.stuck = Some(slot);
                self.draining = true;
            }
            None => {
                self.lost.insert(slot);
                self.again.push_back((slot, attempt + 1));
            }
        }
    }

    /// Has slots fetched again whose pictures may be in the place that was not asked.
    pub fn fetch_again(&mut self, slots: impl IntoIterator<Item = Slot>) {
        for slot in slots {
            if let Some(state) = self.in_flight.get_mut(&slot) {
                state.doubted = true;
            } else if !self.draining && !self.lost.contains(&slot) {
                // A slot on which an actor failed may be waiting, or be booked as poison by now.
                if self.kept.remove(&slot) {
                    self.ledger.reopen_kept(MissReason::NotFound);
                } else {
                    self.ledger.reopen(MissReason::NotFound);
                }
                self.again.push_back((slot, 1));
            }
        }
    }

    /// Starts no new slot from now on; slots in flight are finished.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Where the run stands.
    pub fn progress(&self) -> Progress {
        Progress {
            planned: self.planned,
            ledger: self.ledger.clone(),
            in_flight: self.in_flight.len(),
        }
    }

    /// Misses that an earlier run had settled, by reason: they are booked without a request.
    pub const fn skipped(&self) -> &BTreeMap<MissReason, u64> {
        &self.skipped
    }

    /// The slot whose miss could not be committed, which ended the run.
    pub const fn stuck(&self) -> Option<Slot> {
        self.stuck
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::{SlotGrid, SlotRange, Zone};
    use proptest::prelude::*;

    fn run(hours: i64, capacity: usize) -> (Run, u64) {
        let from = Slot::parse_file_name("2024-01010000.jpg").unwrap();
        let zone: Zone = "-03:00".parse().unwrap();
        let range = SlotRange::new(from, from + chrono::Duration::minutes(hours * 60 - 1)).unwrap();
        let slots = range.slots(&SlotGrid::default(), zone);
        let planned = slots.clone().count() as u64;
        (Run::new(Plan::new(slots, vec![], vec![]), planned, capacity), planned)
    }

    #[test]
    fn a_lost_slot_is_tried_again_then_booked_as_poison_then_ends_the_run() {
        let (mut run, _) = run(1, 1);
        let Action::Fetch { slot, attempt: 1 } = run.next_action() else { panic!() };
        run.returned(Returned { slot, attempt: 1, fate: None });
        assert_eq!(run.next_action(), Action::Fetch { slot, attempt: 2 });
        run.returned(Returned { slot, attempt: 2, fate: None });
        assert_eq!(run.next_action(), Action::CommitPoison { slot, attempt: 3 });
        run.returned(Returned { slot, attempt: 3, fate: None });
        assert_eq!(run.next_action(), Action::Finish);
        assert_eq!(run.stuck(), Some(slot));
    }

    #[test]
    fn a_doubted_miss_is_fetched_again_wherever_it_is() {
        let (mut run, _) = run(1, 2);
        let Action::Fetch { slot: a, .. } = run.next_action() else { panic!() };
        let Action::Fetch { slot: b, .. } = run.next_action() else { panic!() };
        let miss =
            |slot| Returned { slot, attempt: 1, fate: Some(Fate::Missed(MissReason::NotFound)) };
        run.returned(miss(a)); // booked, then doubted
        run.fetch_again([a, b]); // b is in flight still
        run.returned(miss(b));
        assert_eq!(run.next_action(), Action::Fetch { slot: a, attempt: 1 });
        assert_eq!(run.next_action(), Action::Fetch { slot: b, attempt: 1 });
        assert_eq!(run.progress().ledger.total(), 0);
    }

    #[test]
    fn a_doubted_row_that_was_kept_is_booked_once() {
        let (mut run, _) = run(1, 2);
        let mut flying = Vec::new();
        while let Action::Fetch { slot, .. } = run.next_action() {
            flying.push(slot);
        }
        let back = |slot, fate| Returned { slot, attempt: 1, fate: Some(fate) };
        let kept = Fate::Kept(MissReason::NotFound);
        run.returned(back(flying[0], kept)); // booked, then doubted
        run.fetch_again([flying[0], flying[1]]); // the other is in flight still
        run.returned(back(flying[1], kept));
        assert_eq!(run.progress().ledger.total(), 0);
        for slot in flying {
            assert_eq!(run.next_action(), Action::Fetch { slot, attempt: 1 });
            run.returned(back(slot, Fate::Replaced));
        }
        let ledger = run.progress().ledger;
        assert_eq!((ledger.total(), ledger.reprocessed()), (2, 2));
        assert!(ledger.kept_by_reason().is_empty());
    }

    proptest! {
        /// Whatever is lost, doubted or delayed: every slot is booked once, and never more are in
        /// flight than there are credits.
        #[test]
        fn every_slot_is_booked_once(
            capacity in 1usize..7,
            choices in proptest::collection::vec((0usize..7, any::<u16>()), 400),
            drain_at in proptest::option::of(0usize..80),
        ) {
            let (mut run, planned) = run(8, capacity);
            let mut flying: Vec<(Slot, u32, bool)> = Vec::new();
            let mut booked: BTreeMap<Slot, u32> = BTreeMap::new();
            let mut choices = choices.into_iter();
            let mut step = 0;
            loop {
                if drain_at == Some(step) {
                    run.drain();
                }
                step += 1;
                match run.next_action() {
                    Action::Fetch { slot, attempt } => flying.push((slot, attempt, false)),
                    Action::CommitPoison { slot, attempt } => flying.push((slot, attempt, true)),
                    Action::Finish => break,
                    Action::Wait => {
                        prop_assert!(!flying.is_empty());
                        let (what, which) = choices.next().unwrap_or((0, 0));
                        let at = usize::from(which) % flying.len();
                        let (slot, attempt, poison) = flying.swap_remove(at);
                        let fate = match what {
                            _ if poison => Some(Fate::Missed(MissReason::Poison)),
                            0..=2 => Some(Fate::New),
                            3 => Some(Fate::Duplicate),
                            4 => Some(Fate::Missed(MissReason::NotFound)),
                            _ => None,
                        };
                        run.returned(Returned { slot, attempt, fate });
                        if fate.is_some() {
                            *booked.entry(slot).or_default() += 1;
                        }
                        if fate.is_none() {
                            // It waits for its next try, or ends the run: not to be booked twice.
                            run.fetch_again([slot]);
                        }
                        if what == 4 && !poison && which.is_multiple_of(2) {
                            run.fetch_again([slot]);
                            // Once draining, a booked miss stays booked; so does that of a slot
                            // that was lost before.
                            if attempt == 1 && drain_at.is_none_or(|at| step <= at) {
                                booked.remove(&slot);
                            }
                        }
                    }
                }
                prop_assert!(flying.len() <= capacity);
                prop_assert_eq!(run.progress().in_flight, flying.len());
            }
            prop_assert!(flying.is_empty());
            prop_assert!(booked.values().all(|n| *n == 1));
            let total = run.progress().ledger.total();
            prop_assert_eq!(total, booked.len() as u64);
            prop_assert!(drain_at.is_some() || total == planned);
        }
    }
}
