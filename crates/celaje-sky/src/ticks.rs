//! When a station's camera has published its next picture, and what is to be done when the clock
//! does not walk evenly.
//!
//! A slot is *due* a while ([`TickPolicy::delay`]) after its minute. The newest slot that is due is
//! the *current* one: it is asked for at once and, while its picture is late, again after pauses
//! that grow, until the next slot is due; that last try writes the miss. Slots that became due
//! while nobody looked (a machine that slept, a clock that was set forward, a long piece of other
//! work) are *owed*: they are handed out as one range. So are the slots of an outage, once a
//! picture comes again: they may have come all at once.
//!
//! What was missed for a passing reason may be had later: every so often ([`TickPolicy::again`]) the
//! range that is caught up is handed out as a whole, to be looked through for what is still to be had.
//!
//! A clock that is set back finds slots that were taken up before their time: they become due once
//! more. Slots are compared by their instants in UTC, so summer time and the end of a year are
//! nothing special here.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use crate::slot::{Minutes, Slot, SlotRange, Zone};

/// How far around an instant slots are looked for: more than any clock was ever set at once.
const REACH: TimeDelta = TimeDelta::hours(26);

/// How long slots are waited for, and how far back they are owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickPolicy {
    /// From a slot's minute to the first try.
    pub delay: TimeDelta,
    /// From the first try to the second; doubled before each further one.
    pub pause: TimeDelta,
    /// No pause is longer.
    pub longest: TimeDelta,
    /// No slot that is older is owed.
    pub catch_up: TimeDelta,
    /// From one look for what is missing to the next.
    pub again: TimeDelta,
}

impl Default for TickPolicy {
    fn default() -> Self {
        Self {
            delay: TimeDelta::minutes(1),
            pause: TimeDelta::seconds(15),
            longest: TimeDelta::minutes(2),
            catch_up: TimeDelta::days(7),
            again: TimeDelta::hours(1),
        }
    }
}

impl TickPolicy {
    /// The pause after try number `tries`, from 1.
    fn after(&self, tries: u32) -> TimeDelta {
        let doubled = 1i32.checked_shl(tries.saturating_sub(1)).unwrap_or(0);
        match self.pause.checked_mul(doubled) {
            Some(pause) if doubled > 0 => pause.min(self.longest),
            _ => self.longest,
        }
    }
}

/// What a station has to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Ask for this slot, whatever is known of it; then tell [`Clockwork::tried`].
    Try {
        /// The slot.
        slot: Slot,
        /// No try follows: what is missing now is a miss.
        last: bool,
    },
    /// Nothing until then, or until the clock is set.
    Wait(DateTime<Utc>),
}

/// The current slot, as long as its picture has not come.
#[derive(Clone, Copy, Debug)]
struct Late {
    slot: Slot,
    tries: u32,
    next: DateTime<Utc>,
}

/// See the module. It reads no clock: each question says what time it is.
#[derive(Debug)]
pub struct Clockwork {
    minutes: Minutes,
    zone: Zone,
    policy: TickPolicy,
    /// Slots up to here were taken up.
    handled: DateTime<Utc>,
    current: Option<Late>,
    /// The first of the slots in a row without a picture.
    outage: Option<Slot>,
    owed: Option<(NaiveDateTime, NaiveDateTime)>,
    /// When what is missing was last looked for.
    looked: DateTime<Utc>,
}

impl Clockwork {
    /// A station whose newest slot that is due at `now` is current; what is older is not owed.
    pub fn new(minutes: Minutes, zone: Zone, policy: TickPolicy, now: DateTime<Utc>) -> Self {
        let mut new = Self {
            minutes,
            zone,
            policy,
            handled: now,
            current: None,
            outage: None,
            owed: None,
            looked: now,
        };
        // Just before the newest one.
        new.handled = match new.newest_due(now) {
            Some(slot) => slot.utc() - TimeDelta::seconds(1),
            None => now - policy.delay,
        };
        new
    }

    /// From now on the station's slots are these; what is current or owed stays.
    pub fn set_station(&mut self, minutes: Minutes, zone: Zone, catch_up: TimeDelta) {
        (self.minutes, self.zone, self.policy.catch_up) = (minutes, zone, catch_up);
    }

    /// What is to be done at `now`.
    pub fn turn(&mut self, now: DateTime<Utc>) -> Turn {
        let newest = self.newest_due(now);
        self.look_at_the_clock(newest, now);
        if let Some(newest) = newest.filter(|slot| slot.utc() > self.handled) {
            if let Some(late) = self.current {
                return Turn::Try {
                    slot: late.slot,
                    last: true,
                };
            }
            let oldest = self.handled.max(now - self.policy.catch_up);
            let missed = self.due_between(oldest, newest.utc() - TimeDelta::seconds(1));
            if let (Some(first), Some(last)) = (missed.first(), missed.last()) {
                self.owe(first.local(), last.local());
            }
            self.handled = newest.utc();
            self.current = Some(Late {
                slot: newest,
                tries: 0,
                next: now,
            });
        }
        let next_due = self.next_due(now);
        match self.current {
            Some(late) if late.next <= now => Turn::Try {
                slot: late.slot,
                last: false,
            },
            Some(late) => Turn::Wait(late.next.min(next_due)),
            None => Turn::Wait(next_due),
        }
    }

    /// What came of a [`Turn::Try`] that ended at `now`: whether the slot has its picture.
    pub fn tried(&mut self, slot: Slot, last: bool, got: bool, now: DateTime<Utc>) {
        if got {
            if let Some(first) = self.outage.take().filter(|first| *first < slot) {
                let oldest = self.zone.local(now - self.policy.catch_up);
                let (from, to) = (first.local().max(oldest), slot.local());
                if from < to {
                    self.owe(from, to);
                }
            }
        } else if last {
            self.outage.get_or_insert(slot);
        }
        let Some(late) = self.current.as_mut().filter(|late| late.slot == slot) else {
            return;
        };
        if got || last {
            self.current = None;
        } else {
            late.tries = late.tries.saturating_add(1);
            late.next = now + self.policy.after(late.tries);
        }
    }

    /// The slots that are owed, as one range; they are owed no more.
    pub fn take_owed(&mut self) -> Option<SlotRange> {
        let (from, to) = self.owed.take()?;
        SlotRange::new(from, to).ok()
    }

    /// What is caught up at `now`: the slots of the last days that come before the current one.
    pub fn behind(&self, now: DateTime<Utc>) -> Option<SlotRange> {
        let last = match self.current {
            Some(late) => late.slot.utc() - TimeDelta::seconds(1),
            None => self.handled,
        };
        let oldest = now - self.policy.catch_up;
        SlotRange::new(self.zone.local(oldest), self.zone.local(last)).ok()
    }

    /// The same, when it is time to look for what is missing there once more.
    pub fn take_again(&mut self, now: DateTime<Utc>) -> Option<SlotRange> {
        // A clock that was set back does not put it off.
        self.looked = self.looked.min(now);
        if now - self.looked < self.policy.again {
            return None;
        }
        self.looked = now;
        self.behind(now)
    }

    /// The current slot and how often it was asked for, as long as its picture has not come.
    pub fn waiting_for(&self) -> Option<(Slot, u32)> {
        self.current.map(|late| (late.slot, late.tries))
    }

    /// When the next slot is due.
    pub fn next_due(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.next_slot(now)
            .map_or(now + TimeDelta::hours(1), |slot| {
                slot.utc() + self.policy.delay
            })
    }

    /// The next slot that is not due yet.
    pub fn next_slot(&self, now: DateTime<Utc>) -> Option<Slot> {
        let edge = now - self.policy.delay;
        self.around(edge, edge + REACH)
            .find(|slot| slot.utc() > edge)
    }

    /// The newest slot that is due.
    pub fn newest_due(&self, now: DateTime<Utc>) -> Option<Slot> {
        let edge = now - self.policy.delay;
        self.around(edge - REACH, edge)
            .take_while(|slot| slot.utc() <= edge)
            .last()
    }

    fn owe(&mut self, from: NaiveDateTime, to: NaiveDateTime) {
        let (first, last) = self.owed.unwrap_or((from, to));
        self.owed = Some((first.min(from), last.max(to)));
    }

    /// A clock that was set back: what was taken up before its time becomes due again.
    fn look_at_the_clock(&mut self, newest: Option<Slot>, now: DateTime<Utc>) {
        if let Some(newest) = newest.filter(|slot| slot.utc() < self.handled) {
            self.handled = newest.utc();
            let early = |slot: &Slot| slot.utc() > newest.utc();
            self.current = self.current.filter(|late| !early(&late.slot));
            self.outage = self.outage.filter(|slot| !early(slot));
        }
        if let Some(late) = &mut self.current {
            late.next = late.next.min(now + self.policy.longest);
        }
    }

    /// The slots after `after` up to `to`.
    fn due_between(&self, after: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Slot> {
        self.around(after, to)
            .skip_while(|slot| slot.utc() <= after)
            .take_while(|slot| slot.utc() <= to)
            .collect()
    }

    /// All slots between two instants and some on either side, ascending.
    fn around(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> impl Iterator<Item = Slot> {
        let (from, to) = (self.zone.local(from - REACH), self.zone.local(to + REACH));
        SlotRange::new(from, to)
            .ok()
            .into_iter()
            .flat_map(|range| range.slots(&self.minutes, self.zone))
    }
}

#[cfg(test)]
#[path = "ticks_tests.rs"]
mod tests;
