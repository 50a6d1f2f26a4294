//! Whether a machine's clock can be right. Boards without a battery begin in 1970, others a year
//! ahead; what they ask a camera for then is not there, and its misses would stay in the record.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use crate::say;
use crate::text::Text;

/// By how much two clocks may differ before one of them is wrong: more than any mistaken time
/// zone or answer of a cache.
const LONGEST_DIFFERENCE: TimeDelta = TimeDelta::days(1);

/// The first moment of a year in UTC; the earliest of all for a year that no calendar has.
pub fn year_begins(year: i32) -> DateTime<Utc> {
    let day = NaiveDate::from_ymd_opt(year, 1, 1);
    day.map_or(DateTime::<Utc>::MIN_UTC, |day| day.and_time(NaiveTime::MIN).and_utc())
}

/// What there is to hold a clock against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockEvidence {
    /// No right clock shows an earlier time: the program did not exist yet.
    pub earliest: DateTime<Utc>,
    /// The time by the clock of the camera's host, where it is known.
    pub host: Option<DateTime<Utc>>,
    /// The newest reading of the record: there is no picture of a time that has not come.
    pub newest: Option<DateTime<Utc>>,
}

/// Why a clock looks wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockDoubt {
    /// It shows a time before the program existed.
    TooEarly(DateTime<Utc>),
    /// It is more than a day away from the clock of the camera's host, and no reading of that day
    /// speaks for it.
    HostDiffers {
        /// What it shows.
        now: DateTime<Utc>,
        /// What the host's clock shows.
        host: DateTime<Utc>,
    },
}

impl ClockEvidence {
    /// Why a clock that shows `now` looks wrong; none when nothing speaks against it. A host whose
    /// own clock is wrong says nothing.
    pub fn doubt(&self, now: DateTime<Utc>) -> Option<ClockDoubt> {
        if now < self.earliest {
            return Some(ClockDoubt::TooEarly(now));
        }
        let is_near = |time: &DateTime<Utc>| (*time - now).abs() <= LONGEST_DIFFERENCE;
        let host = self.host.filter(|host| *host >= self.earliest && !is_near(host))?;
        (!self.newest.as_ref().is_some_and(is_near))
            .then_some(ClockDoubt::HostDiffers { now, host })
    }
}

impl ClockDoubt {
    /// The reason in a sentence.
    pub fn text(&self) -> Text {
        let shown = |time: &DateTime<Utc>| time.format("%Y-%m-%dT%H:%MZ").to_string();
        match self {
            Self::TooEarly(now) => {
                let now = shown(now);
                say!(
                    "the clock of this machine looks wrong: it shows {now}, before this version \
                     existed; set it",
                    "el reloj de esta máquina parece mal: marca {now}, antes de que existiera \
                     esta versión; póngalo en hora"
                )
            }
            Self::HostDiffers { now, host } => {
                let (now, host) = (shown(now), shown(host));
                say!(
                    "the clock of this machine looks wrong: it shows {now} and the camera's \
                     {host}; set the one that is wrong",
                    "el reloj de esta máquina parece mal: marca {now} y el de la cámara, {host}; \
                     ponga en hora el que esté mal"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    fn evidence(host: Option<&str>, newest: Option<&str>) -> ClockEvidence {
        ClockEvidence { earliest: year_begins(2024), host: host.map(at), newest: newest.map(at) }
    }

    #[test]
    fn a_time_before_the_program_is_wrong_whatever_else_is_known() {
        let early = at("1970-01-01T00:03:50Z");
        let agreeing = evidence(Some("1970-01-01T00:03:50Z"), Some("1970-01-01T00:02:00Z"));
        for known in [evidence(None, None), agreeing] {
            assert_eq!(known.doubt(early), Some(ClockDoubt::TooEarly(early)));
            assert_eq!(known.doubt(at("2024-01-01T00:00:00Z")), None);
        }
    }

    #[test]
    fn a_host_that_is_a_day_away_speaks_against_it_and_a_reading_of_the_day_for_it() {
        let (now, host) = (at("2025-03-01T15:00:00Z"), at("2024-03-01T15:00:00Z"));
        let differs = Some(ClockDoubt::HostDiffers { now, host });
        let old = Some("2024-03-01T14:52:00Z");
        for newest in [None, old, Some("2025-05-01T00:00:00Z")] {
            let known = evidence(Some("2024-03-01T15:00:00Z"), newest);
            assert_eq!(known.doubt(now), differs, "{newest:?}");
        }
        // Behind is as wrong as ahead.
        assert!(evidence(Some("2025-03-01T15:00:00Z"), None).doubt(host).is_some());
        let seen = evidence(Some("2024-03-01T15:00:00Z"), Some("2025-03-01T14:52:00Z"));
        assert_eq!(seen.doubt(now), None);
        assert_eq!(evidence(None, old).doubt(now), None, "an outage may last for a year");
        assert_eq!(evidence(Some("2025-02-28T15:00:00Z"), None).doubt(now), None);
        // The host's own clock may be the one without a battery.
        assert_eq!(evidence(Some("2000-01-01T00:00:00Z"), None).doubt(now), None);
    }
}
