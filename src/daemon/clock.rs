//! The daemon's clock: the machine's or, for trials, one with a given start and speed.

use std::str::FromStr;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

/// Longest sleep: after it a suspended machine, or a clock that was set, is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(20);

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Option<Trial>);

#[derive(Clone, Copy, Debug)]
struct Trial {
    begin: DateTime<Utc>,
    begun: Instant,
    speed: f64,
}

impl Clock {
    /// The machine's.
    pub const SYSTEM: Self = Self(None);

    /// The same; a trial's begins now.
    #[must_use]
    pub fn begin(self) -> Self {
        Self(self.0.map(|trial| Trial { begun: Instant::now(), ..trial }))
    }

    /// The time.
    pub fn now(self) -> DateTime<Utc> {
        self.0.map_or_else(Utc::now, |trial| {
            let passed = trial.begun.elapsed().as_secs_f64() * trial.speed;
            let passed = TimeDelta::milliseconds((passed * 1000.0) as i64);
            trial.begin.checked_add_signed(passed).unwrap_or(trial.begin)
        })
    }

    /// Waits until it is `time`, or for twenty seconds: whoever waits looks at the clock again.
    pub async fn sleep_until(self, time: DateTime<Utc>) {
        let ahead = (time - self.now()).to_std().unwrap_or_default();
        let ahead = match self.0 {
            Some(trial) => ahead.div_f64(trial.speed),
            None => ahead,
        };
        // Never quite zero: the clock shows whole milliseconds to those who compare.
        let ahead = ahead.clamp(Duration::from_millis(2), LONGEST_SLEEP);
        tokio::time::sleep(ahead).await;
    }
}

/// The text is no trial clock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write the instant it begins at, and how fast it goes: 2024-03-01T15:02:30Z@60")]
pub struct BadClock;

impl FromStr for Clock {
    type Err = BadClock;

    /// Reads `2024-03-01T15:02:30Z`, or that with `@60`: sixty times as fast.
    fn from_str(text: &str) -> Result<Self, BadClock> {
        let (begin, speed) = text.split_once('@').unwrap_or((text, "1"));
        let begin = DateTime::parse_from_rfc3339(begin).map_err(|_| BadClock)?;
        let speed: f64 = speed.parse().map_err(|_| BadClock)?;
        if !(0.01..=100_000.0).contains(&speed) {
            return Err(BadClock);
        }
        Ok(Self(Some(Trial { begin: begin.to_utc(), begun: Instant::now(), speed })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_clock_begins_and_goes_as_told() {
        let clock: Clock = "2024-03-01T15:02:30Z@100000".parse().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        let begin = DateTime::parse_from_rfc3339("2024-03-01T15:02:30Z").unwrap();
        let passed = clock.now() - begin.to_utc();
        assert!(passed >= TimeDelta::seconds(2_000), "{passed}");
        for bad in ["", "noon", "2024-03-01T15:02:30Z@0", "2024-03-01T15:02:30Z@x"] {
            assert!(bad.parse::<Clock>().is_err(), "{bad}");
        }
    }

    #[actix::test]
    async fn it_wakes_up_in_its_own_time() {
        let clock: Clock = "2024-03-01T15:02:30Z@3600".parse().unwrap();
        let (then, begun) = (clock.now() + TimeDelta::hours(1), Instant::now());
        while clock.now() < then {
            clock.sleep_until(then).await;
        }
        assert!(begun.elapsed() >= Duration::from_millis(900));
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
}
