//! When the daemon asks for a station's next picture, and what it does when the clock jumps.
//!
//! A slot is *due* [`TickPolicy::delay`] after its minute. The newest due slot is the *current*
//! one: it is tried at once and, while its picture is late, again after growing pauses until the
//! next slot is due; the last try writes the miss. Slots that became due unnoticed (the machine
//! slept, the clock was set forward, other work took long) are *owed* and handed out as one range.
//! So are the slots of an outage once a picture comes again: a camera may upload them all at once.
//!
//! A miss with a passing reason may be mended later: every [`TickPolicy::again`] the whole range
//! that is caught up is handed out once more.
//!
//! After the clock was set back, slots that were tried too early become due again. Slots are
//! compared in UTC, so summer time and the end of a year need no special care.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Timelike, Utc};

use crate::backoff;
use crate::slot::{CLOCK_JUMP, Slot, SlotGrid, SlotRange, Zone};
use crate::station::Station;

/// Times between tries, and how far back slots are owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickPolicy {
    /// From a slot's minute to the first try.
    pub delay: TimeDelta,
    /// From the first try to the second; doubled before each further one.
    pub pause: TimeDelta,
    /// The longest pause.
    pub longest: TimeDelta,
    /// Age beyond which a slot is no longer owed.
    pub catch_up: TimeDelta,
    /// Time between two searches for missing slots.
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

/// The part of a range that is due, and the number of its slots that are not: their pictures are
/// not out yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DuePart {
    /// None when no slot is due.
    pub range: Option<SlotRange>,
    /// Slots of the rest.
    pub pending: u64,
}

impl TickPolicy {
    /// For the pictures of `station`: the usual one; with a source of its own, shorter times where
    /// slots are close. The latest picture is asked for at once: a later one takes its place.
    pub fn of(station: &Station) -> Self {
        let usual = Self::default();
        if station.source.is_none() {
            return usual;
        }
        let step = station.minutes.shortest();
        let of_step = |part: i32| (step / part).max(TimeDelta::seconds(1));
        Self {
            delay: match station.has_only_the_latest() {
                true => TimeDelta::zero(),
                false => usual.delay.min(step),
            },
            pause: usual.pause.min(of_step(5)),
            longest: usual.longest.min(of_step(3)),
            ..usual
        }
    }

    /// What is due of a range at `now`.
    pub fn due(
        &self,
        range: SlotRange,
        minutes: &SlotGrid,
        zone: Zone,
        now: DateTime<Utc>,
    ) -> DuePart {
        let due = range.until(now - self.delay, minutes, zone);
        if due == Some(range) {
            return DuePart { range: due, pending: 0 };
        }
        let after = due.map_or(range.from(), |due| due.end() + TimeDelta::seconds(1));
        let rest = SlotRange::exact(after, range.end());
        let pending = rest.map_or(0, |rest| rest.slots(minutes, zone).count() as u64);
        DuePart { range: due, pending }
    }

    /// The pause after try number `tries`, from 1.
    fn after(&self, tries: u32) -> TimeDelta {
        let std = |time: TimeDelta| time.to_std().unwrap_or_default();
        let pause = backoff::pause(std(self.pause), tries.saturating_sub(1), std(self.longest));
        TimeDelta::from_std(pause).unwrap_or(self.longest)
    }
}

/// What a station's worker has to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Ask for this slot, then call [`SlotSchedule::tried`].
    Try {
        /// The slot.
        slot: Slot,
        /// Whether this is the last try: a picture that is missing now is a miss.
        last: bool,
    },
    /// Do nothing until this moment, or until the clock is set.
    Wait(DateTime<Utc>),
}

/// The current slot while its picture is awaited.
#[derive(Clone, Copy, Debug)]
struct Late {
    slot: Slot,
    tries: u32,
    next: DateTime<Utc>,
}

/// The slots of one station over time; see the module. The caller passes the time.
#[derive(Debug)]
pub struct SlotSchedule {
    minutes: SlotGrid,
    zone: Zone,
    policy: TickPolicy,
    /// The moment up to which slots were handed out.
    handled: DateTime<Utc>,
    current: Option<Late>,
    /// The first slot of the present outage.
    outage: Option<Slot>,
    owed: Option<(NaiveDateTime, NaiveDateTime)>,
    /// The last search for missing slots.
    looked: DateTime<Utc>,
}

impl SlotSchedule {
    /// Starts with the newest slot that is due at `now`; older slots are not owed.
    pub fn new(minutes: SlotGrid, zone: Zone, policy: TickPolicy, now: DateTime<Utc>) -> Self {
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
        // Just before the newest due slot, so that it becomes the current one.
        new.handled = match new.newest_due(now) {
            Some(slot) => slot.utc() - TimeDelta::seconds(1),
            None => now - policy.delay,
        };
        new
    }

    /// Changes the station; the current slot and owed ones stay.
    pub fn set_station(&mut self, station: &Station, catch_up: TimeDelta) {
        (self.minutes, self.zone) = (station.minutes.clone(), station.zone);
        self.policy = TickPolicy { catch_up, ..TickPolicy::of(station) };
    }

    /// What to do at `now`.
    pub fn turn(&mut self, now: DateTime<Utc>) -> Turn {
        let newest = self.newest_due(now);
        self.look_at_the_clock(newest, now);
        if let Some(newest) = newest.filter(|slot| slot.utc() > self.handled) {
            if let Some(late) = self.current {
                return Turn::Try { slot: late.slot, last: true };
            }
            let oldest = self.handled.max(now - self.policy.catch_up);
            let missed = self.due_between(oldest, newest.utc() - TimeDelta::seconds(1));
            if let (Some(first), Some(last)) = (missed.first(), missed.last()) {
                self.owe(first.local(), last.local());
            }
            self.handled = newest.utc();
            self.current = Some(Late { slot: newest, tries: 0, next: now });
        }
        let next_due = self.next_due(now);
        match self.current {
            Some(late) if late.next <= now => Turn::Try { slot: late.slot, last: false },
            Some(late) => Turn::Wait(late.next.min(next_due)),
            None => Turn::Wait(next_due),
        }
    }

    /// Notes that a [`Turn::Try`] ended at `now`; `got` says whether the picture came.
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

    /// Takes the owed slots, as one range.
    pub fn take_owed(&mut self) -> Option<SlotRange> {
        let (from, to) = self.owed.take()?;
        SlotRange::exact(from, to).ok()
    }

    /// The slots before the current one that are young enough to be caught up at `now`.
    pub fn behind(&self, now: DateTime<Utc>) -> Option<SlotRange> {
        let last = match self.current {
            Some(late) => late.slot.utc() - TimeDelta::seconds(1),
            None => self.handled,
        };
        let oldest = self.zone.local(now - self.policy.catch_up);
        let oldest = oldest.with_second(0).unwrap_or(oldest);
        SlotRange::exact(oldest, self.zone.local(last)).ok()
    }

    /// The same range, when the time for another search has come.
    pub fn take_again(&mut self, now: DateTime<Utc>) -> Option<SlotRange> {
        // A clock that was set back must not delay the search.
        self.looked = self.looked.min(now);
        if now - self.looked < self.policy.again {
            return None;
        }
        self.looked = now;
        self.behind(now)
    }

    /// The slot whose picture is awaited, and how often it was tried.
    pub fn waiting_for(&self) -> Option<(Slot, u32)> {
        self.current.map(|late| (late.slot, late.tries))
    }

    /// When the next slot is due.
    pub fn next_due(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.next_slot(now).map_or(now + TimeDelta::hours(1), |slot| slot.utc() + self.policy.delay)
    }

    /// The next slot that is not due yet.
    pub fn next_slot(&self, now: DateTime<Utc>) -> Option<Slot> {
        let edge = now - self.policy.delay;
        self.around(edge, edge + CLOCK_JUMP).find(|slot| slot.utc() > edge)
    }

    /// The newest slot that is due.
    pub fn newest_due(&self, now: DateTime<Utc>) -> Option<Slot> {
        let edge = now - self.policy.delay;
        self.around(edge - CLOCK_JUMP, edge).take_while(|slot| slot.utc() <= edge).last()
    }

    fn owe(&mut self, from: NaiveDateTime, to: NaiveDateTime) {
        let (first, last) = self.owed.unwrap_or((from, to));
        self.owed = Some((first.min(from), last.max(to)));
    }

    /// After the clock was set back, makes slots due again that were tried too early.
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
        let (from, to) = (self.zone.local(from - CLOCK_JUMP), self.zone.local(to + CLOCK_JUMP));
        SlotRange::new(from, to)
            .ok()
            .into_iter()
            .flat_map(|range| range.slots(&self.minutes, self.zone))
    }
}

#[cfg(test)]
#[path = "ticks_tests.rs"]
mod tests;
