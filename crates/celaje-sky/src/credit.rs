//! Credits bound the number of slots in flight.
//!
//! A slot takes a credit before anything is done for it. The credit travels in every message about
//! the slot and returns when the slot's row or miss is committed, and not before: that is
//! backpressure and acknowledgement in one. A credit that is dropped on the way (an actor died, a
//! message was lost) returns without a fate, and its slot is fetched again.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::flow::{Flow, FlowStage};
use crate::outcome::MissReason;
use crate::slot::Slot;

/// How a slot ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A new row is committed.
    New,
    /// There was a row already; it stays as it was.
    Duplicate,
    /// The row that was there is replaced by a new classification.
    Replaced,
    /// A miss is committed.
    Missed(MissReason),
    /// There is no new reading; the row of an earlier run stays. Counts as a duplicate.
    Kept(MissReason),
    /// Given up because the run is draining; nothing is committed.
    Cancelled,
}

/// A credit that has returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returned {
    /// Its slot.
    pub slot: Slot,
    /// Which try of the slot this was, from 1.
    pub attempt: u32,
    /// How the slot ended; none when the credit was dropped on the way.
    pub fate: Option<Fate>,
}

/// Takes returned credits.
pub type Home = Arc<dyn Fn(Returned) + Send + Sync>;

/// The stage that a credit is in. The times serve figures only; nothing is decided by them.
#[derive(Clone, Copy, Debug)]
enum Place {
    Scheduler,
    Queue(FlowStage, Instant),
    /// Slots that share the work.
    Work(FlowStage, Instant, u32),
}

/// The right to have one slot in flight.
pub struct Credit {
    slot: Slot,
    attempt: u32,
    fate: Option<Fate>,
    home: Home,
    flow: Arc<Flow>,
    place: Place,
}

impl Credit {
    /// A credit for the `attempt`th try (from 1) of `slot`, which books its way in `flow`.
    pub fn new(slot: Slot, attempt: u32, home: Home, flow: Arc<Flow>) -> Self {
        flow.gave();
        Self { slot, attempt, fate: None, home, flow, place: Place::Scheduler }
    }

    /// Books that the slot leaves its stage for `stage`. Call it just before sending the message.
    pub fn goes_to(&mut self, stage: FlowStage) {
        self.leaves();
        self.flow.sent(stage);
        self.place = Place::Queue(stage, Instant::now());
    }

    /// Books that the stage begins to work on the slot.
    pub fn taken_up(&mut self) {
        self.taken_up_with(1);
    }

    /// [`taken_up`](Self::taken_up) for one of `n` slots that are worked on together: each is
    /// charged its share of the time.
    pub fn taken_up_with(&mut self, n: usize) {
        if let Place::Queue(stage, since) = self.place {
            let now = Instant::now();
            self.flow.taken(stage, now.saturating_duration_since(since));
            self.place = Place::Work(stage, now, u32::try_from(n).unwrap_or(u32::MAX).max(1));
        }
    }

    fn leaves(&mut self) {
        match std::mem::replace(&mut self.place, Place::Scheduler) {
            Place::Scheduler => {}
            Place::Queue(stage, _) => self.flow.dropped(stage),
            Place::Work(stage, since, n) => {
                let worked: Duration = since.elapsed() / n;
                self.flow.left(stage, worked);
            }
        }
    }

    /// Its slot.
    pub const fn slot(&self) -> Slot {
        self.slot
    }

    /// Where it books its way.
    pub fn flow(&self) -> Arc<Flow> {
        Arc::clone(&self.flow)
    }

    /// Which try of the slot this is, from 1.
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns the credit with the slot's fate.
    pub fn settle(mut self, fate: Fate) {
        self.fate = Some(fate);
    }
}

impl Drop for Credit {
    fn drop(&mut self) {
        self.leaves();
        self.flow.came_home();
        (self.home)(Returned { slot: self.slot, attempt: self.attempt, fate: self.fate });
    }
}

impl fmt::Debug for Credit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credit")
            .field("slot", &self.slot)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}
