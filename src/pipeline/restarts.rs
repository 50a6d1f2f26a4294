//! How often an actor may fail, and how long it rests before it goes on. Pure.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How many failures are borne, and what each of them costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartBudget {
    /// Failures of one actor that are borne within [`within`](Self::within).
    pub failures: usize,
    /// The time in which they are counted.
    pub within: Duration,
    /// Rest after the first of them; doubled with each further one.
    pub first_pause: Duration,
    /// Rest at most.
    pub longest_pause: Duration,
}

impl Default for RestartBudget {
    fn default() -> Self {
        Self {
            failures: 16,
            within: Duration::from_secs(60),
            first_pause: Duration::from_millis(5),
            longest_pause: Duration::from_secs(1),
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

/// The failures of one actor lately.
#[derive(Clone, Debug)]
pub struct Restarts {
    budget: RestartBudget,
    lately: VecDeque<Instant>,
}

impl Restarts {
    /// None yet.
    pub const fn new(budget: RestartBudget) -> Self {
        Self {
            budget,
            lately: VecDeque::new(),
        }
    }

    /// The actor failed at `now`.
    pub fn failed(&mut self, now: Instant) -> Verdict {
        let within = self.budget.within;
        self.lately
            .retain(|at| now.saturating_duration_since(*at) < within);
        if self.lately.len() >= self.budget.failures {
            return Verdict::GiveUp;
        }
        let doublings = u32::try_from(self.lately.len()).unwrap_or(u32::MAX);
        self.lately.push_back(now);
        let factor = 2u32.checked_pow(doublings).unwrap_or(u32::MAX);
        let pause = self.budget.first_pause.saturating_mul(factor);
        Verdict::GoOn(pause.min(self.budget.longest_pause))
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
            within: 10 * SECOND,
            first_pause: SECOND,
            longest_pause: 3 * SECOND,
        }
    }

    #[test]
    fn rests_double_up_to_the_longest_and_end_with_the_budget() {
        let now = Instant::now();
        let mut restarts = Restarts::new(budget(4));
        let verdicts: Vec<_> = (0..5).map(|_| restarts.failed(now)).collect();
        let rest = |n: u32| Verdict::GoOn(n * SECOND);
        assert_eq!(
            verdicts,
            [rest(1), rest(2), rest(3), rest(3), Verdict::GiveUp]
        );
    }

    #[test]
    fn what_is_long_ago_is_forgiven() {
        let now = Instant::now();
        let mut restarts = Restarts::new(budget(1));
        assert_eq!(restarts.failed(now), Verdict::GoOn(SECOND));
        assert_eq!(restarts.failed(now + 9 * SECOND), Verdict::GiveUp);
        assert_eq!(restarts.failed(now + 10 * SECOND), Verdict::GoOn(SECOND));
    }

    proptest! {
        /// Never more than the budget in any stretch of its length; a rest never longer than the longest.
        #[test]
        fn no_stretch_has_more_than_the_budget(
            failures in 0usize..6,
            gaps in proptest::collection::vec(0u64..8_000, 0..80),
        ) {
            let mut restarts = Restarts::new(budget(failures));
            let (mut at, mut borne) = (Instant::now(), Vec::new());
            for gap in gaps {
                at += Duration::from_millis(gap);
                match restarts.failed(at) {
                    Verdict::GoOn(pause) => {
                        prop_assert!(pause <= 3 * SECOND);
                        borne.push(at);
                        let stretch = borne.iter().filter(|one| at - **one < 10 * SECOND).count();
                        prop_assert!(stretch <= failures);
                    }
                    Verdict::GiveUp => {
                        let stretch = borne.iter().filter(|one| at - **one < 10 * SECOND).count();
                        prop_assert_eq!(stretch, failures);
                    }
                }
            }
        }
    }
}
