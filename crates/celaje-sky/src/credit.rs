//! Credits: what bounds everything in flight.
//!
//! A slot takes a credit before anything is done for it. The credit travels in every message about
//! the slot and goes home when the slot's row or miss is committed, and not before: that is
//! backpressure and acknowledgement in one. A credit that is dropped on the way (an actor died, a
//! message was lost) goes home too, without a fate, and so tells that its slot has to be fetched
//! again.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::flow::{Flow, Stage};
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
    /// No reading came of it now, but the row of an earlier run stays: a duplicate.
    Kept(MissReason),
    /// Given up because the run is draining; nothing is committed.
    Cancelled,
}

/// A credit that came home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returned {
    /// The slot it stood for.
    pub slot: Slot,
    /// Which try of the slot this was, from 1.
    pub attempt: u32,
    /// None when it was lost on the way.
    pub fate: Option<Fate>,
}

/// Where credits go home to.
pub type Home = Arc<dyn Fn(Returned) + Send + Sync>;

/// Where a credit is; times are for the figures alone, nothing is decided by them.
#[derive(Clone, Copy, Debug)]
enum Place {
    Scheduler,
    Queue(Stage, Instant),
    /// With how many others the work is shared.
    Work(Stage, Instant, u32),
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

    /// It leaves the stage where it is and is sent to `stage`; the message follows at once.
    pub fn goes_to(&mut self, stage: Stage) {
        self.leaves();
        self.flow.sent(stage);
        self.place = Place::Queue(stage, Instant::now());
    }

    /// Its stage takes it up.
    pub fn taken_up(&mut self) {
        self.taken_up_with(1);
    }

    /// Its stage takes it up, one of `n` slots that are worked on together: each counts for its
    /// part of the time.
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

    /// The slot it stands for.
    pub const fn slot(&self) -> Slot {
        self.slot
    }

    /// Which try of the slot this is, from 1.
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Sends the credit home with the slot's fate.
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
