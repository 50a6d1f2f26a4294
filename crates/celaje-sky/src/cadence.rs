//! How often a camera that keeps its latest picture alone takes a new one, and when the wait for
//! the next one is so long that the camera must be gone. Pure: moments are times of a clock that
//! nobody sets.

use std::collections::VecDeque;

use chrono::TimeDelta;

/// The last times between two new pictures that count.
const KEPT: usize = 5;
/// Such times that make the camera's own one known.
const KNOWN: usize = 2;
/// A camera is gone after so many of its intervals without a new picture.
const INTERVALS: i32 = 3;
/// The least wait: exposures grow longer at dusk.
const LEAST: TimeDelta = TimeDelta::minutes(2);
/// The same while the camera's own interval is not known.
const LEAST_UNKNOWN: TimeDelta = TimeDelta::minutes(15);

/// When new pictures came of a camera.
#[derive(Clone, Debug, Default)]
pub struct PictureCadence {
    last: Option<TimeDelta>,
    /// Since when none has come, where none ever has.
    waits_since: Option<TimeDelta>,
    intervals: VecDeque<TimeDelta>,
}

impl PictureCadence {
    /// A new picture came.
    pub fn came(&mut self, at: TimeDelta) {
        if let Some(last) = self.last.replace(at) {
            self.intervals.truncate(KEPT - 1);
            self.intervals.push_front(at - last);
        }
    }

    /// Whether the camera is gone, as no new picture has come up to `at`; `slot` is the longest
    /// time between two slots.
    pub fn is_overdue(&mut self, at: TimeDelta, slot: TimeDelta) -> bool {
        let since = self.last.unwrap_or_else(|| *self.waits_since.get_or_insert(at));
        at - since > self.patience(slot)
    }

    fn patience(&self, slot: TimeDelta) -> TimeDelta {
        match self.interval() {
            Some(interval) => (interval.max(slot) * INTERVALS).max(LEAST),
            None => (slot * INTERVALS).max(LEAST_UNKNOWN),
        }
    }

    /// The usual time between two new pictures; a single pause, however long, is not usual.
    fn interval(&self) -> Option<TimeDelta> {
        let mut sorted: Vec<_> = self.intervals.iter().copied().collect();
        sorted.sort_unstable();
        let median = sorted.get(sorted.len().saturating_sub(1) / 2);
        median.copied().filter(|_| sorted.len() >= KNOWN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SLOT: TimeDelta = TimeDelta::seconds(15);

    fn s(seconds: i64) -> TimeDelta {
        TimeDelta::seconds(seconds)
    }

    /// The second at which a camera that gave its last picture at 0 is gone.
    fn gone_after(cadence: &PictureCadence, last: i64, slot: TimeDelta) -> i64 {
        let mut cadence = cadence.clone();
        (last..).step_by(5).find(|at| cadence.is_overdue(s(*at), slot)).unwrap() - last
    }

    #[test]
    fn a_camera_is_gone_after_three_of_its_own_intervals() {
        let mut cadence = PictureCadence::default();
        [0, 60, 120, 180].iter().for_each(|at| cadence.came(s(*at)));
        assert_eq!(gone_after(&cadence, 180, SLOT), 185);
        assert_eq!(gone_after(&cadence, 180, s(600)), 1805, "the grid is longer");
        // A pause of three days is not its interval.
        cadence.came(s(260_000));
        assert_eq!(gone_after(&cadence, 260_000, SLOT), 185);
    }

    #[test]
    fn while_its_interval_is_unknown_it_has_longer() {
        let never = PictureCadence::default();
        assert_eq!(gone_after(&never, 0, SLOT), 905);
        let mut once = never;
        once.came(s(0));
        once.came(s(400));
        assert_eq!(gone_after(&once, 400, SLOT), 905);
        assert_eq!(gone_after(&once, 400, s(600)), 1805);
        once.came(s(800));
        assert_eq!(gone_after(&once, 800, SLOT), 1205);
    }

    proptest! {
        /// A camera that goes on, at whatever pace, with pictures that come a little early or late.
        #[test]
        fn one_that_is_slower_than_the_grid_is_never_gone(
            interval in 15..300_i64, late in prop::collection::vec(0..15_i64, 2..30),
        ) {
            let mut cadence = PictureCadence::default();
            for (n, late) in late.iter().enumerate() {
                let came = n as i64 * interval + late;
                for at in (0..interval).step_by(15) {
                    prop_assert!(n == 0 || !cadence.is_overdue(s(came - interval + at), SLOT));
                }
                cadence.came(s(came));
            }
        }
    }
}
