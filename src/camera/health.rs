//! Whether a host can be reached at all, how long to wait for it when it cannot, and how long it
//! wants to be left alone. Pure.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Slots in a row whose host could not be reached, after all retries, until it counts as down.
const DOWN_AFTER: u32 = 8;
/// While it is down, one slot in this time is tried all the same.
const PROBE_EVERY: Duration = Duration::from_secs(2);

/// What to do with a slot now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Ask.
    Ask,
    /// The host is down: look again after this long.
    Wait(Duration),
    /// The host has been down for longer than it is waited for: a miss without a request.
    GiveUp,
}

/// What is known of a host.
#[derive(Debug)]
pub struct HostHealth {
    /// How long a host that was reached in this run is waited for.
    patience: Duration,
    reached: bool,
    failures: u32,
    down_since: Option<Instant>,
    probed: Option<Instant>,
}

impl HostHealth {
    /// A host of which nothing is known yet; once it was reached it is waited for during
    /// `patience` when it goes down.
    pub const fn new(patience: Duration) -> Self {
        Self { patience, reached: false, failures: 0, down_since: None, probed: None }
    }

    /// Knows nothing of the host again.
    pub fn forget(&mut self) {
        *self = Self::new(self.patience);
    }

    /// What to do with a slot at `now`.
    pub fn advise(&mut self, now: Instant) -> Advice {
        let Some(down_since) = self.down_since else {
            return Advice::Ask;
        };
        if self.probed.is_none_or(|at| now.saturating_duration_since(at) >= PROBE_EVERY) {
            self.probed = Some(now);
            return Advice::Ask;
        }
        // A host that never answered is most likely misspelt: no use in waiting for it.
        if self.reached && now.saturating_duration_since(down_since) < self.patience {
            return Advice::Wait(PROBE_EVERY);
        }
        Advice::GiveUp
    }

    /// Whether the host is down and waited for at `now`.
    pub fn is_waited_for(&self, now: Instant) -> bool {
        self.reached
            && self
                .down_since
                .is_some_and(|since| now.saturating_duration_since(since) < self.patience)
    }

    /// The host answered, whatever it said.
    pub fn answered(&mut self) {
        (self.reached, self.failures, self.down_since, self.probed) = (true, 0, None, None);
    }

    /// A slot ended without any connection.
    pub fn unreachable(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= DOWN_AFTER && self.down_since.is_none() {
            (self.down_since, self.probed) = (Some(now), Some(now));
        }
    }
}

/// Until when a host that asked for patience is left alone; shared by all its clients.
#[derive(Debug, Default)]
pub struct HostHold(Mutex<Option<Instant>>);

impl HostHold {
    /// No request until `until`; a hold that ends later stays.
    pub fn hold(&self, until: Instant) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *held = (*held).max(Some(until));
    }

    /// What is left of the hold at `now`, if anything.
    pub fn left(&self, now: Instant) -> Option<Duration> {
        let held = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held?.checked_duration_since(now).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_hold_counts() {
        let now = Instant::now();
        let hold = HostHold::default();
        assert_eq!(hold.left(now), None);
        hold.hold(now + 5 * SECOND);
        hold.hold(now + SECOND);
        assert_eq!(hold.left(now + SECOND), Some(4 * SECOND));
        assert_eq!(hold.left(now + 5 * SECOND), None);
        assert_eq!(hold.left(now + 9 * SECOND), None);
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn down(health: &mut HostHealth, now: Instant) {
        (0..DOWN_AFTER).for_each(|_| health.unreachable(now));
    }

    #[test]
    fn a_host_that_never_answered_is_given_up_at_once() {
        let now = Instant::now();
        let mut health = HostHealth::new(60 * SECOND);
        assert_eq!(health.advise(now), Advice::Ask);
        down(&mut health, now);
        assert_eq!(health.advise(now), Advice::GiveUp);
        assert_eq!(health.advise(now + PROBE_EVERY), Advice::Ask);
        assert_eq!(health.advise(now + PROBE_EVERY), Advice::GiveUp);
    }

    #[test]
    fn a_host_that_dies_in_a_run_is_waited_for() {
        let now = Instant::now();
        let mut health = HostHealth::new(60 * SECOND);
        health.answered();
        down(&mut health, now);
        assert_eq!(health.advise(now + SECOND), Advice::Wait(PROBE_EVERY));
        assert_eq!(health.advise(now + 3 * SECOND), Advice::Ask);
        assert_eq!(health.advise(now + 61 * SECOND), Advice::Ask);
        assert_eq!(health.advise(now + 61 * SECOND), Advice::GiveUp);
        health.answered();
        assert_eq!(health.advise(now + 62 * SECOND), Advice::Ask);
    }
}
