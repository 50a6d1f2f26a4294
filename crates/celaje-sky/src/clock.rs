//! Whether a machine's clock can be right. Boards without a battery begin in 1970, others a year
//! ahead; what they ask a camera for then is not there, and its misses would stay in the record.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use crate::say;
use crate::text::Text;

/// By how much two clocks may differ before one of them is wrong: more than any mistaken time
/// zone, which are fourteen hours at most, and less than the day by which a date goes wrong.
pub const LONGEST_DIFFERENCE: TimeDelta = TimeDelta::hours(16);
/// By how much two clocks may differ that show the same time.
pub const SAME_TIME: TimeDelta = TimeDelta::minutes(2);
/// Time without any sign of the camera or the record that a clock may show on its word alone: more
/// than a machine is put away for, less than a clock without a battery jumps.
const LONGEST_SILENCE: TimeDelta = TimeDelta::days(30);

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
    /// The last moment that is known to have come: of the record's entries, and of the program.
    pub last_sign: Option<DateTime<Utc>>,
    /// What a clock shows by now that was right before.
    pub confirmed: Option<DateTime<Utc>>,
    /// What the names of the camera's pictures say of this clock.
    pub names: NameSign,
}

/// What the names that a camera's folders show say of a clock. A camera that is asked by name says
/// nothing: a slot of a clock that may be wrong is not asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameSign {
    /// There is none of the time that it shows.
    #[default]
    None,
    /// There is one, and one of a later time too: the clock is behind, or the camera's was ahead.
    OfAnyTime,
    /// There is one, and none of a later time.
    OfNow,
}

/// Why a clock looks wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockDoubt {
    /// It shows a time before the program existed.
    TooEarly(DateTime<Utc>),
    /// It is far from the clock of the camera's host, and no picture of that time speaks for it.
    HostDiffers {
        /// What it shows.
        now: DateTime<Utc>,
        /// What the host's clock shows.
        host: DateTime<Utc>,
    },
    /// It is far from every known time, and the camera gives no sign.
    Unconfirmed {
        /// What it shows.
        now: DateTime<Utc>,
        /// What is known.
        known: DateTime<Utc>,
    },
}

impl ClockEvidence {
    /// None but that the program exists.
    pub const fn since(earliest: DateTime<Utc>) -> Self {
        Self {
            earliest,
            host: None,
            newest: None,
            last_sign: None,
            confirmed: None,
            names: NameSign::None,
        }
    }

    /// The host's clock, unless it is one that is wrong itself: it shows a time before the program
    /// existed, or one long before a picture that was read.
    fn host(&self) -> Option<DateTime<Utc>> {
        let read = self.newest.map(|newest| newest - LONGEST_DIFFERENCE);
        self.host.filter(|host| *host >= self.earliest && read.is_none_or(|read| *host >= read))
    }

    /// Whether something speaks for a clock that shows `now`.
    pub fn confirms(&self, now: DateTime<Utc>) -> bool {
        let near = |time: Option<DateTime<Utc>>| {
            time.is_some_and(|time| (time - now).abs() <= LONGEST_DIFFERENCE)
        };
        let known = near(self.host) || near(self.newest) || near(self.confirmed);
        let seen = match self.names {
            NameSign::None => false,
            // It shows that the camera works; of the time, its host knows more.
            NameSign::OfAnyTime => self.host().is_none(),
            NameSign::OfNow => true,
        };
        now >= self.earliest && (known || seen)
    }

    /// Why a clock that shows `now` looks wrong; none when nothing speaks against it. A host whose
    /// own clock is wrong says nothing.
    pub fn doubt(&self, now: DateTime<Utc>) -> Option<ClockDoubt> {
        if now < self.earliest {
            return Some(ClockDoubt::TooEarly(now));
        }
        if self.confirms(now) {
            return None;
        }
        if let Some(host) = self.host() {
            return Some(ClockDoubt::HostDiffers { now, host });
        }
        let ahead = self.newest.filter(|newest| *newest > now);
        let long_ago = self.last_sign.filter(|last| now - *last > LONGEST_SILENCE);
        let known = self.confirmed.or(ahead).or(long_ago)?;
        Some(ClockDoubt::Unconfirmed { now, known })
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
                     {host}, and no picture tells which is right; set the one that is wrong, or \
                     trust_clock = true if that is the camera's",
                    "el reloj de esta máquina parece mal: marca {now} y el de la cámara, {host}, y \
                     ninguna imagen dice cuál está bien; ponga en hora el que esté mal, o \
                     trust_clock = true si es el de la cámara"
                )
            }
            Self::Unconfirmed { now, known } => {
                let (now, known) = (shown(now), shown(known));
                say!(
                    "the clock of this machine may be wrong: it shows {now}, what is known is of \
                     {known}, and the camera neither tells the time nor lists a picture of {now}; \
                     set the clock, see to the camera, or set trust_clock = true",
                    "el reloj de esta máquina puede estar mal: marca {now}, lo que se sabe es de \
                     {known}, y la cámara no dice la hora ni lista una imagen de {now}; póngalo en \
                     hora, revise la cámara, o ponga trust_clock = true"
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
        let (host, newest) = (host.map(at), newest.map(at));
        ClockEvidence { host, newest, ..ClockEvidence::since(year_begins(2024)) }
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
        for newest in [None, old] {
            let known = evidence(Some("2024-03-01T15:00:00Z"), newest);
            assert_eq!(known.doubt(now), differs, "{newest:?}");
        }
        // A day is as wrong as a year, and behind as wrong as ahead.
        let next_day = at("2024-03-02T15:00:00Z");
        assert!(evidence(Some("2024-03-01T15:00:00Z"), old).doubt(next_day).is_some());
        // A mistaken time zone is no day.
        let shifted = at("2024-03-02T05:00:00Z");
        assert_eq!(evidence(Some("2024-03-01T15:00:00Z"), None).doubt(shifted), None);
        assert!(evidence(Some("2025-03-01T15:00:00Z"), None).doubt(host).is_some());
        let seen = evidence(Some("2024-03-01T15:00:00Z"), Some("2025-03-01T14:52:00Z"));
        assert_eq!(seen.doubt(now), None);
        assert_eq!(evidence(None, old).doubt(now), None, "an outage may last for a year");
        assert_eq!(evidence(Some("2025-03-01T00:00:00Z"), None).doubt(now), None);
        // The host's own clock may be the one without a battery.
        assert_eq!(evidence(Some("2000-01-01T00:00:00Z"), None).doubt(now), None);
    }

    /// There is no picture of a time that has not come: one that was read shows that a host which
    /// is behind it is wrong.
    #[test]
    fn a_host_that_is_behind_the_record_says_nothing() {
        let behind = evidence(Some("2024-03-01T15:00:00Z"), Some("2025-02-26T15:00:00Z"));
        assert_eq!(behind.doubt(at("2025-03-01T15:00:00Z")), None, "an outage of three days");
        let ahead = evidence(Some("2025-06-01T15:00:00Z"), Some("2025-02-26T15:00:00Z"));
        assert!(ahead.doubt(at("2025-03-01T15:00:00Z")).is_some());
        // Nor is a clock right that is behind it.
        assert!(behind.doubt(at("2025-01-01T15:00:00Z")).is_some());
    }

    /// A picture of the time that a clock shows is worth more than the date of a host.
    #[test]
    fn a_picture_of_now_speaks_for_a_clock_whatever_the_host_shows() {
        let now = at("2025-03-01T15:00:00Z");
        let host = evidence(Some("2024-03-01T15:00:00Z"), None);
        let seen = ClockEvidence { names: NameSign::OfNow, ..host };
        assert_eq!((seen.doubt(now), seen.confirms(now)), (None, true));
        let confirmed = ClockEvidence { confirmed: Some(now), ..host };
        assert_eq!((confirmed.doubt(now), confirmed.confirms(now)), (None, true));
        // No picture of 1970 is one.
        assert!(seen.doubt(at("1970-01-01T00:03:50Z")).is_some());
    }

    #[test]
    fn a_picture_of_any_time_speaks_for_a_clock_unless_the_host_contradicts() {
        let now = at("2025-03-01T15:00:00Z");
        let signs = |host, last: &str| ClockEvidence {
            names: NameSign::OfAnyTime,
            last_sign: Some(at(last)),
            ..evidence(host, None)
        };
        for host in ["2024-03-01T15:00:00Z", "2025-03-03T15:00:00Z"] {
            let known = signs(Some(host), "2024-03-01T15:00:00Z");
            let differs = ClockDoubt::HostDiffers { now, host: at(host) };
            assert_eq!((known.doubt(now), known.confirms(now)), (Some(differs), false));
        }
        for host in [None, Some("2000-01-01T00:00:00Z"), Some("2025-03-01T10:00:00Z")] {
            let known = signs(host, "2024-03-01T15:00:00Z");
            assert_eq!((known.doubt(now), known.confirms(now)), (None, true), "{host:?}");
        }
    }

    /// A host that is silent or without a clock leaves what the record and the program tell.
    #[test]
    fn a_clock_far_from_all_that_is_known_waits_for_a_sign() {
        let doubtful = |evidence: ClockEvidence, now: &str| {
            let doubt = evidence.doubt(at(now));
            assert!(matches!(doubt, None | Some(ClockDoubt::Unconfirmed { .. })), "{doubt:?}");
            doubt.is_some()
        };
        let last = |time: &str| ClockEvidence { last_sign: Some(at(time)), ..evidence(None, None) };
        assert!(doubtful(last("2024-03-01T15:00:00Z"), "2025-03-01T15:00:00Z"));
        // An outage may last for weeks.
        assert!(!doubtful(last("2024-03-01T15:00:00Z"), "2024-03-30T15:00:00Z"));
        // There is a reading of a time that has not come.
        let newest = evidence(None, Some("2024-03-01T15:00:00Z"));
        assert!(doubtful(newest, "2024-02-01T15:00:00Z"));
        assert!(!doubtful(newest, "2024-04-01T15:00:00Z"));
        // A clock that was right has gone on until now.
        let confirmed = ClockEvidence { confirmed: Some(at("2024-03-01T15:00:00Z")), ..newest };
        assert!(doubtful(confirmed, "2024-03-03T15:00:00Z"));
        assert!(doubtful(confirmed, "2024-03-02T15:00:00Z"));
        assert!(!doubtful(confirmed, "2024-03-02T06:00:00Z"));
        // A host whose own clock is wrong says nothing of it.
        let lost = ClockEvidence { host: Some(at("2000-01-01T00:00:00Z")), ..confirmed };
        assert!(doubtful(lost, "2024-03-03T15:00:00Z"));
    }
}
