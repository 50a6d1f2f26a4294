//! The program's clock: what time it is, and how waits are measured. Whoever needs the time is
//! handed a [`Clock`]. Stopwatches (a benchmark's, that of a credit in its stage) are the standard
//! library's `Instant`.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use celaje_sky::clock::year_begins;

/// The year in which this version was made. A constant, so that whoever builds the same source
/// again gets the same program; a release raises it.
const RELEASE_YEAR: i32 = 2026;
/// Longest sleep: after it a suspended machine, or a clock that was set, is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(20);

/// The machine's clock or, in tests, one with a given start and speed.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    #[cfg(feature = "testing")]
    trial: Option<trial::Trial>,
}

impl Clock {
    /// The machine's.
    pub const SYSTEM: Self = Self {
        #[cfg(feature = "testing")]
        trial: None,
    };

    /// The same; that of a test begins now.
    #[must_use]
    pub fn begin(self) -> Self {
        Self {
            #[cfg(feature = "testing")]
            trial: self.trial.map(trial::Trial::begin),
        }
    }

    /// Whether other programs on this machine have the time from the same clock.
    pub const fn is_the_machines(self) -> bool {
        #[cfg(feature = "testing")]
        if self.trial.is_some() {
            return false;
        }
        true
    }

    /// The time.
    pub fn now(self) -> DateTime<Utc> {
        #[cfg(feature = "testing")]
        if let Some(trial) = self.trial {
            return trial.now();
        }
        Utc::now()
    }

    /// No time before this one can be right: the program did not exist yet.
    pub fn earliest(self) -> DateTime<Utc> {
        #[cfg(feature = "testing")]
        if self.trial.is_some() {
            return year_begins(trial::RELEASE_YEAR);
        }
        year_begins(RELEASE_YEAR)
    }

    /// When the program's file was written, or the year of its release began, whichever is later: a
    /// time that has come. None by the clock of a test.
    pub fn program_made(self) -> Option<DateTime<Utc>> {
        #[cfg(feature = "testing")]
        if self.trial.is_some() {
            return None;
        }
        let file = std::env::current_exe().and_then(|path| path.metadata()?.modified());
        Some(file.map_or_else(|_| self.earliest(), |time| self.earliest().max(time.into())))
    }

    /// How far this clock goes on while it is not set, since an instant of [`Self::instant`].
    pub fn goes_on(self, since: Instant) -> TimeDelta {
        let passed = Self::since(since);
        #[cfg(feature = "testing")]
        let passed = self.trial.map_or(passed, |trial| trial.shown(passed));
        TimeDelta::from_std(passed).unwrap_or(TimeDelta::MAX)
    }

    /// Now, by the timers of the runtime: a test that pauses the runtime pauses this too. It is
    /// no time of day, and no setting of the clock moves it.
    pub fn instant() -> Instant {
        tokio::time::Instant::now().into_std()
    }

    /// How long an instant of [`Self::instant`] is past.
    pub fn since(instant: Instant) -> Duration {
        Self::instant().saturating_duration_since(instant)
    }

    /// Waits until it is `time`, or for twenty seconds: whoever waits looks at the clock again.
    pub async fn sleep_until(self, time: DateTime<Utc>) {
        let ahead = (time - self.now()).to_std().unwrap_or_default();
        #[cfg(feature = "testing")]
        let ahead = self.trial.map_or(ahead, |trial| trial.real(ahead));
        // Never quite zero: the clock shows whole milliseconds to those who compare.
        let ahead = ahead.clamp(Duration::from_millis(2), LONGEST_SLEEP);
        tokio::time::sleep(ahead).await;
    }
}

/// What some clock showed at an instant.
#[derive(Clone, Copy, Debug)]
pub struct KnownTime {
    time: DateTime<Utc>,
    at: Instant,
}

impl KnownTime {
    /// It shows `time` now.
    pub fn of(time: DateTime<Utc>) -> Self {
        Self { time, at: Clock::instant() }
    }

    /// What it shows by now, at the pace of this machine's `clock`.
    pub fn now(self, clock: Clock) -> Option<DateTime<Utc>> {
        self.time.checked_add_signed(clock.goes_on(self.at))
    }
}

#[cfg(feature = "testing")]
mod trial {
    use std::path::PathBuf;
    use std::str::FromStr;
    use std::sync::{Mutex, PoisonError};
    use std::time::{Duration, Instant};

    use chrono::{DateTime, TimeDelta, Utc};

    use super::Clock;

    /// Trials play in 2024: the program is as old there.
    pub(super) const RELEASE_YEAR: i32 = 2024;

    /// A clock for tests.
    #[derive(Clone, Copy, Debug)]
    pub(super) enum Trial {
        Moving(MovingTime),
        /// Set by what a test writes to a file.
        Set(&'static Mutex<TimeFile>),
    }

    #[derive(Clone, Copy, Debug)]
    pub(super) struct MovingTime {
        begin: DateTime<Utc>,
        begun: Instant,
        speed: f64,
    }

    #[derive(Debug)]
    pub(super) struct TimeFile {
        path: PathBuf,
        text: String,
        time: MovingTime,
    }

    impl Trial {
        pub(super) fn now(self) -> DateTime<Utc> {
            self.time().now()
        }

        /// How long a wait of this clock really takes.
        pub(super) fn real(self, wait: Duration) -> Duration {
            wait.div_f64(self.time().speed)
        }

        /// How long this clock shows a time to be that really passed.
        pub(super) fn shown(self, passed: Duration) -> Duration {
            passed.mul_f64(self.time().speed)
        }

        fn time(self) -> MovingTime {
            match self {
                Self::Moving(time) => time,
                Self::Set(file) => file.lock().unwrap_or_else(PoisonError::into_inner).time(),
            }
        }
    }

    impl MovingTime {
        fn now(self) -> DateTime<Utc> {
            let passed = self.begun.elapsed().as_secs_f64() * self.speed;
            let passed = TimeDelta::milliseconds((passed * 1000.0) as i64);
            self.begin.checked_add_signed(passed).unwrap_or(self.begin)
        }
    }

    impl TimeFile {
        fn time(&mut self) -> MovingTime {
            let text = std::fs::read_to_string(&self.path).unwrap_or_default();
            // One that is being written is read the next time.
            if let (true, Ok(time)) = (text != self.text, text.trim().parse()) {
                (self.text, self.time) = (text, time);
            }
            self.time
        }
    }

    /// The text is no trial clock.
    #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
    #[error("write the instant it begins at, and how fast it goes: 2024-03-01T15:02:30Z@60")]
    pub struct BadClock;

    impl FromStr for MovingTime {
        type Err = BadClock;

        fn from_str(text: &str) -> Result<Self, BadClock> {
            let (begin, speed) = text.split_once('@').unwrap_or((text, "1"));
            let begin = DateTime::parse_from_rfc3339(begin).map_err(|_| BadClock)?;
            let speed: f64 = speed.parse().map_err(|_| BadClock)?;
            if !(0.01..=100_000.0).contains(&speed) {
                return Err(BadClock);
            }
            Ok(Self { begin: begin.to_utc(), begun: Instant::now(), speed })
        }
    }

    impl FromStr for Clock {
        type Err = BadClock;

        /// Reads `2024-03-01T15:02:30Z`, or that with `@60`: sixty times as fast; or `@` and the
        /// path of a file that holds such a text, and another one when the clock is set.
        fn from_str(text: &str) -> Result<Self, BadClock> {
            let Some(path) = text.strip_prefix('@') else {
                return Ok(Self { trial: Some(Trial::Moving(text.parse()?)) });
            };
            let read = std::fs::read_to_string(path).map_err(|_| BadClock)?;
            let time = read.trim().parse()?;
            let file = TimeFile { path: path.into(), text: read, time };
            Ok(Self { trial: Some(Trial::Set(Box::leak(Box::new(Mutex::new(file))))) })
        }
    }

    impl Trial {
        /// The same, from now on.
        pub(super) fn begin(self) -> Self {
            match self {
                Self::Moving(time) => Self::Moving(MovingTime { begun: Instant::now(), ..time }),
                Self::Set(_) => self,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_clock_looks_right() {
        assert!(Clock::SYSTEM.now() >= Clock::SYSTEM.earliest());
        let made = Clock::SYSTEM.program_made().unwrap();
        assert!((Clock::SYSTEM.earliest()..=Clock::SYSTEM.now()).contains(&made), "{made}");
    }

    #[test]
    fn a_trial_clock_begins_and_goes_as_told() {
        let clock: Clock = "2024-03-01T15:02:30Z@100000".parse().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        let begin = DateTime::parse_from_rfc3339("2024-03-01T15:02:30Z").unwrap();
        let passed = clock.now() - begin.to_utc();
        assert!(passed >= TimeDelta::seconds(2_000), "{passed}");
        for bad in ["", "noon", "2024-03-01T15:02:30Z@0", "2024-03-01T15:02:30Z@x", "@nowhere"] {
            assert!(bad.parse::<Clock>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_trial_clock_is_set_through_its_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let set = |text: &str| std::fs::write(file.path(), text).unwrap();
        set("1970-01-01T00:03:50Z");
        let clock: Clock = format!("@{}", file.path().display()).parse().unwrap();
        assert!(clock.now() < clock.earliest());
        set("2024-03-01T15:02:30Z\n");
        assert!(clock.now() > clock.earliest());
        set("2024-0");
        assert!(clock.now() > clock.earliest());
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
