//! The number of requests that may be in flight, found by trying; without clock or network.
//!
//! Additive increase, multiplicative decrease (Chiu and Jain 1989), as in TCP: the window trebles
//! with each round of answers until the host shows that it has enough, then grows by one a round.
//! It shrinks when answers fail or get slow. It grows only while it is full: where a host answers
//! quickly, a few requests keep the pipeline busy, and more would be of no use.

use std::time::{Duration, Instant};

/// Requests in flight at the start: few, so that the quickest answers are those of a host at rest.
const START: f64 = 4.0;
/// Requests that an answer adds to the window until the host shows that it has enough.
const STARTING: f64 = 2.0;
/// Factor of the window when an answer failed.
const FAILED: f64 = 0.5;
/// Factor of the window when answers have become slow.
const SLOW: f64 = 0.8;
/// Answers are slow when their mean latency is this many times that of the quickest answer, …
const SLOWER: u32 = 2;
/// … and longer than it by this: a busy machine or a large picture may take as long.
const SLACK: Duration = Duration::from_millis(100);
/// How long the quickest answer counts. Then it is measured again, with as few requests as at the
/// start: under a whole window of requests the host's own queue would be measured.
const REMEMBERED: Duration = Duration::from_secs(600);
/// Weight of an answer in the running mean of the latency.
const WEIGHT: f64 = 0.1;

/// What an answer says of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A picture began to come after this time.
    Good(Duration),
    /// There is no picture. How long that took says nothing about pictures.
    Other,
    /// The host failed, was busy, or did not answer in time.
    Bad,
}

/// The number of requests that may be in flight.
#[derive(Debug)]
pub struct Window {
    size: f64,
    most: f64,
    /// Whether the size never changes.
    fixed: bool,
    /// Whether the window still trebles with each round.
    starting: bool,
    /// Running mean of the latency, seconds.
    mean: Option<f64>,
    /// The quickest answer since it was last forgotten.
    quickest: Option<Duration>,
    forgotten: Option<Instant>,
    /// Answers before this moment change nothing: their requests belong to a larger window.
    calm_until: Option<Instant>,
}

impl Window {
    /// A window that adapts between 1 and `most` requests.
    pub fn adaptive(most: usize) -> Self {
        let most = most.max(1) as f64;
        Self {
            size: START.min(most),
            most,
            fixed: false,
            starting: true,
            mean: None,
            quickest: None,
            forgotten: None,
            calm_until: None,
        }
    }

    /// A window of `size` requests (at least 1), always.
    pub fn fixed(size: usize) -> Self {
        let size = size.max(1);
        Self { size: size as f64, fixed: true, ..Self::adaptive(size) }
    }

    /// Requests that may be in flight now: at least 1.
    pub const fn size(&self) -> usize {
        self.size as usize
    }

    /// Takes note of an answer that came at `now`; `full` says whether as many requests as the
    /// window allows were in flight.
    pub fn answered(&mut self, answer: Answer, now: Instant, full: bool) {
        if self.fixed {
            return;
        }
        let calm = self.calm_until.is_some_and(|until| now < until);
        match answer {
            _ if calm => {}
            Answer::Bad => self.shrink(FAILED, now),
            Answer::Good(_) | Answer::Other => {
                if let Answer::Good(latency) = answer {
                    self.learn(latency, now);
                }
                if self.is_slow() {
                    self.shrink(SLOW, now);
                } else if full {
                    self.size += if self.starting { STARTING } else { 1.0 / self.size };
                    self.size = self.size.min(self.most);
                }
            }
        }
    }

    fn learn(&mut self, latency: Duration, now: Instant) {
        let forgotten = *self.forgotten.get_or_insert(now);
        if now.saturating_duration_since(forgotten) >= REMEMBERED {
            self.forget(now);
            return;
        }
        let least = self.quickest.map_or(latency, |least| least.min(latency));
        self.quickest = Some(least);
        let seconds = latency.as_secs_f64();
        let mean = self.mean.unwrap_or(seconds);
        self.mean = Some(mean + WEIGHT * (seconds - mean));
    }

    fn is_slow(&self) -> bool {
        let (Some(quickest), Some(mean)) = (self.quickest, self.mean) else {
            return false;
        };
        mean > (quickest * SLOWER + SLACK).as_secs_f64()
    }

    /// Begins anew, with as few requests as at first.
    fn forget(&mut self, now: Instant) {
        self.size = self.size.min(START);
        self.wait_a_round(now);
        self.starting = true;
        (self.quickest, self.mean, self.forgotten) = (None, None, Some(now));
    }

    fn shrink(&mut self, by: f64, now: Instant) {
        self.starting = false;
        self.size = (self.size * by).max(1.0);
        self.wait_a_round(now);
    }

    /// Ignores the answers to the requests that are in flight already.
    fn wait_a_round(&mut self, now: Instant) {
        let round = self.mean.unwrap_or_default().max(0.01);
        self.calm_until = Some(now + Duration::from_secs_f64(round.min(60.0)));
    }
}

/// Spaces the starts of requests, so that no more than a given number begin each second.
#[derive(Debug)]
pub struct Pace {
    every: Option<Duration>,
    next: Option<Instant>,
}

impl Pace {
    /// At most `rate` requests a second; no limit without one.
    pub fn new(rate: Option<f64>) -> Self {
        let every = rate.and_then(|rate| Duration::try_from_secs_f64(1.0 / rate).ok());
        Self { every, next: None }
    }

    /// Takes the next turn for a request that is ready at `now`, and gives the wait until then.
    pub fn turn(&mut self, now: Instant) -> Duration {
        let Some(every) = self.every else {
            return Duration::ZERO;
        };
        let at = self.next.map_or(now, |next| next.max(now));
        self.next = Some(at + every);
        at.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);

    /// A host that answers after `latency` and works on `at_once` requests at a time, each of which
    /// takes it `work`; gives the window's sizes after each of `rounds` rounds.
    fn against(
        window: &mut Window,
        latency: Duration,
        work: Duration,
        at_once: usize,
        rounds: usize,
    ) -> Vec<usize> {
        let mut now = Instant::now();
        (0..rounds)
            .map(|_| {
                let n = window.size();
                let queue = u32::try_from(n.div_ceil(at_once)).unwrap();
                let took = latency + work * queue;
                now += took;
                for _ in 0..n {
                    window.answered(Answer::Good(took), now, true);
                }
                window.size()
            })
            .collect()
    }

    #[test]
    fn a_far_host_soon_gets_as_many_requests_as_it_takes() {
        let mut window = Window::adaptive(256);
        let sizes = against(&mut window, 150 * MS, MS, 1000, 5);
        assert_eq!(sizes, [12, 36, 108, 256, 256]);
    }

    #[test]
    fn a_weak_host_is_not_hurt() {
        // One request at a time, 50 ms each: more than a few only wait for one another.
        let mut window = Window::adaptive(256);
        // For more than an hour, so that what was learned is forgotten several times.
        let sizes = against(&mut window, 5 * MS, 50 * MS, 1, 10_000);
        let late = &sizes[40..];
        // More only while it is found out how quick the host is, every ten minutes.
        let many = late.iter().filter(|n| **n > 16).count();
        assert!(100 * many <= late.len(), "{many} of {}", late.len());
        assert!(late.iter().all(|n| *n <= 40), "{late:?}");
    }

    #[test]
    fn failures_halve_it_once_a_round() {
        let now = Instant::now();
        let mut window = Window::adaptive(64);
        against(&mut window, 100 * MS, MS, 1000, 4);
        assert_eq!(window.size(), 64);
        let later = now + Duration::from_secs(5);
        for _ in 0..30 {
            window.answered(Answer::Bad, later, true);
        }
        assert_eq!(window.size(), 32);
        window.answered(Answer::Bad, later + Duration::from_secs(1), true);
        assert_eq!(window.size(), 16);
    }

    /// A far host: pictures come after 150 ms, the answer that there is none at once.
    #[test]
    fn pictures_are_not_slow_because_refusals_are_quick() {
        let mut window = Window::adaptive(256);
        let mut now = Instant::now();
        for round in 0..40 {
            now += 150 * MS;
            for n in 0..window.size() {
                let answer = match (n + round) % 10 {
                    0 => Answer::Other,
                    _ => Answer::Good(150 * MS),
                };
                window.answered(answer, now, true);
            }
        }
        assert_eq!(window.size(), 256);
    }

    #[test]
    fn it_grows_only_when_it_is_used() {
        let mut window = Window::adaptive(64);
        let now = Instant::now();
        for _ in 0..100 {
            window.answered(Answer::Good(MS), now, false);
        }
        assert_eq!(window.size(), 4);
    }

    #[test]
    fn turns_keep_their_distance() {
        let now = Instant::now();
        let mut pace = Pace::new(Some(10.0));
        let waits: Vec<_> = (0..3).map(|_| pace.turn(now)).collect();
        assert_eq!(waits, [Duration::ZERO, 100 * MS, 200 * MS]);
        assert!(pace.turn(now + 1000 * MS).is_zero());
        assert!(Pace::new(None).turn(now).is_zero());
    }

    proptest! {
        #[test]
        fn it_stays_within_its_bounds(
            most in 1usize..300,
            events in proptest::collection::vec((0u64..2000, 0u64..3000, 0u8..8), 0..400),
        ) {
            let mut window = Window::adaptive(most);
            let mut fixed = Window::fixed(most);
            let mut now = Instant::now();
            for (step, latency, kind) in events {
                now += Duration::from_millis(step);
                let answer = match kind {
                    0 => Answer::Bad,
                    1 => Answer::Other,
                    _ => Answer::Good(Duration::from_millis(latency)),
                };
                for window in [&mut window, &mut fixed] {
                    window.answered(answer, now, kind % 2 == 1);
                }
                prop_assert!((1..=most).contains(&window.size()));
                prop_assert_eq!(fixed.size(), most);
            }
        }
    }
}
