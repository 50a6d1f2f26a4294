//! How often an actor may fail, and how long it rests before it goes on. Pure.
//!
//! A picture that crashes a decoder is at fault itself while others are decoded. A decoder that
//! crashes at every picture is broken. So failures are compared with the messages that succeed, not
//! with the clock: an actor may fail at one message in ten for ever.

use std::time::{Duration, Instant};

use crate::backoff;

/// How many failures are tolerated, and how long the actor rests after each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartBudget {
    /// The most by which failures may outnumber successful messages, counted since they last did
    /// not.
    pub failures: usize,
    /// This many failures in a row, over [`in_a_row_for`](Self::in_a_row_for) or longer, are too
    /// many in any case: an actor with little to do that fails at all of it is broken too.
    pub in_a_row: usize,
    /// See [`in_a_row`](Self::in_a_row).
    pub in_a_row_for: Duration,
    /// Rest after a failure; doubled with each further failure in a row.
    pub first_pause: Duration,
    /// The longest rest.
    pub longest_pause: Duration,
}

impl Default for RestartBudget {
    fn default() -> Self {
        Self {
            failures: 64,
            in_a_row: 8,
            in_a_row_for: Duration::from_secs(30 * 60),
            first_pause: Duration::from_millis(5),
            longest_pause: Duration::from_millis(250),
        }
    }
}

/// What follows from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The actor goes on after this rest.
    GoOn(Duration),
    /// It has failed too often: the program ends.
    GiveUp,
}

/// The recent failures of one actor or pool.
#[derive(Clone, Debug)]
pub struct Restarts {
    budget: RestartBudget,
    /// Failures less successful messages, at least 0.
    owed: usize,
    /// Failures since the last success, and the moment of the first of them.
    row: Option<(usize, Instant)>,
}

impl Restarts {
    /// No failure yet.
    pub const fn new(budget: RestartBudget) -> Self {
        Self { budget, owed: 0, row: None }
    }

    /// Notes that the actor has done a message.
    pub const fn worked(&mut self) {
        self.owed = self.owed.saturating_sub(1);
        self.row = None;
    }

    /// Notes that the actor failed at `now`. After [`Verdict::GiveUp`] half of the budget is free
    /// again, for the pipeline that comes next.
    pub fn failed(&mut self, now: Instant) -> Verdict {
        let (before, first) = self.row.unwrap_or((0, now));
        let in_a_row = before.saturating_add(1);
        self.row = Some((in_a_row, first));
        let lasting = now.saturating_duration_since(first) >= self.budget.in_a_row_for;
        if self.owed >= self.budget.failures {
            self.owed = self.budget.failures / 2;
            return Verdict::GiveUp;
        }
        if in_a_row >= self.budget.in_a_row && lasting {
            return Verdict::GiveUp;
        }
        self.owed += 1;
        let doublings = u32::try_from(before).unwrap_or(u32::MAX);
        let (first, longest) = (self.budget.first_pause, self.budget.longest_pause);
        Verdict::GoOn(backoff::pause(first, doublings, longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn budget(failures: usize) -> RestartBudget {
        RestartBudget {
            failures,
            in_a_row: 4,
            in_a_row_for: 60 * SECOND,
            first_pause: SECOND,
            longest_pause: 3 * SECOND,
        }
    }

    fn rest(n: u32) -> Verdict {
        Verdict::GoOn(n * SECOND)
    }

    #[test]
    fn rests_double_up_to_the_longest_and_end_with_the_budget() {
        let now = Instant::now();
        let mut restarts = Restarts::new(budget(4));
        let verdicts: Vec<_> = (0..5).map(|_| restarts.failed(now)).collect();
        assert_eq!(verdicts, [rest(1), rest(2), rest(3), rest(3), Verdict::GiveUp]);
    }

    #[test]
    fn work_that_is_done_gives_failures_back() {
        let now = Instant::now();
        let mut restarts = Restarts::new(budget(2));
        assert_eq!(restarts.failed(now), rest(1));
        assert_eq!(restarts.failed(now), rest(2));
        restarts.worked();
        assert_eq!(restarts.failed(now), rest(1));
        assert_eq!(restarts.failed(now), Verdict::GiveUp);
        // A thousand messages are no licence for a thousand failures.
        (0..1000).for_each(|_| restarts.worked());
        let borne = (0..1000).take_while(|_| restarts.failed(now) != Verdict::GiveUp);
        assert_eq!(borne.count(), 2);
    }

    #[test]
    fn who_has_little_to_do_and_fails_at_all_of_it_is_broken() {
        let now = Instant::now();
        let at = |minutes: u32| now + minutes * 60 * SECOND;
        let mut restarts = Restarts::new(budget(1000));
        // Four at once may be four pictures.
        assert!((0..4).all(|_| restarts.failed(at(0)) != Verdict::GiveUp));
        assert_eq!(restarts.failed(at(1)), Verdict::GiveUp);
        restarts.worked();
        let now_and_then = (2..60).any(|minute| {
            let verdict = restarts.failed(at(minute));
            restarts.worked();
            verdict == Verdict::GiveUp
        });
        assert!(!now_and_then);
    }

    /// The verdicts on an actor that fails at message `n` where `fails(n)`.
    fn over(messages: u64, fails: impl Fn(u64) -> bool) -> Vec<Verdict> {
        let now = Instant::now();
        let mut restarts = Restarts::new(RestartBudget::default());
        (0..messages)
            .filter_map(|n| {
                if fails(n) {
                    return Some(restarts.failed(now));
                }
                restarts.worked();
                None
            })
            .collect()
    }

    #[test]
    fn a_picture_in_ten_for_ever_costs_a_short_rest_each() {
        let verdicts = over(100_000, |n| n % 10 == 0);
        let first = RestartBudget::default().first_pause;
        assert!(verdicts.iter().all(|verdict| *verdict == Verdict::GoOn(first)));
    }

    #[test]
    fn who_fails_at_everything_or_most_of_it_is_given_up_soon() {
        for (share, within) in [(10, 65), (9, 90), (7, 200)] {
            let verdicts = over(within, |n| n * 7 % 10 < share);
            assert!(verdicts.contains(&Verdict::GiveUp), "{share} in ten");
        }
    }

    proptest! {
        /// An actor that succeeds at least as often as it fails is never given up while no series
        /// of failures exceeds the budget. No actor exceeds its budget, no rest the longest one.
        #[test]
        fn failures_never_outnumber_the_work_done_by_more_than_the_budget(
            failures in 0usize..6,
            what in proptest::collection::vec((any::<bool>(), 0u64..9_000), 0..120),
        ) {
            let mut restarts = Restarts::new(budget(failures));
            let mut at = Instant::now();
            // The same, told by the messages from the last time when nothing was owed.
            let (mut owed, mut row, mut begun) = (0usize, 0usize, at);
            for (fails, gap) in what {
                at += Duration::from_millis(gap);
                if !fails {
                    restarts.worked();
                    (owed, row) = (owed.saturating_sub(1), 0);
                    continue;
                }
                if row == 0 {
                    begun = at;
                }
                row += 1;
                let lasts = row >= 4 && at - begun >= 60 * SECOND;
                match restarts.failed(at) {
                    Verdict::GoOn(pause) => {
                        prop_assert!(pause >= SECOND && pause <= 3 * SECOND);
                        owed += 1;
                        prop_assert!(owed <= failures && !lasts);
                    }
                    Verdict::GiveUp => {
                        prop_assert!(owed == failures || lasts);
                        if owed == failures {
                            owed = failures / 2;
                        }
                    }
                }
            }
        }
    }
}
