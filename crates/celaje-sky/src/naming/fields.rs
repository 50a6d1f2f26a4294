//! The fields of a name, and the moment that they make up.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use chrono::{Timelike, Utc};

use crate::naming::NamedTime;

/// The years that a name is taken for; digits of another kind are seldom one of them.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=2199;
/// Longest time whose days are looked at one by one.
const FEW_DAYS: i64 = 3;

/// Whose date a directive names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Moment,
    /// Inside `{night:…}`.
    Night,
}

/// A directive that stands for digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Directive {
    Year,
    ShortYear,
    Month,
    Day,
    YearDay,
    Hour,
    Minute,
    Second,
    Unix,
    Fraction,
}

impl Directive {
    pub(super) const fn of(letter: char) -> Option<Self> {
        Some(match letter {
            'Y' => Self::Year,
            'y' => Self::ShortYear,
            'm' => Self::Month,
            'd' => Self::Day,
            'j' => Self::YearDay,
            'H' => Self::Hour,
            'M' => Self::Minute,
            'S' => Self::Second,
            's' => Self::Unix,
            'f' => Self::Fraction,
            _ => return None,
        })
    }

    /// Least and greatest number of digits.
    pub(super) const fn digits(self) -> (usize, usize) {
        match self {
            Self::Year => (4, 4),
            Self::YearDay => (3, 3),
            Self::Unix => (1, 10),
            Self::Fraction => (1, 9),
            _ => (2, 2),
        }
    }

    pub(super) const fn is_date(self) -> bool {
        matches!(self, Self::Year | Self::ShortYear | Self::Month | Self::Day | Self::YearDay)
    }

    /// The digits at this moment.
    pub(super) fn text(self, clock: NaiveDateTime) -> String {
        match self {
            Self::Year => format!("{:04}", clock.year()),
            Self::ShortYear => format!("{:02}", clock.year().rem_euclid(100)),
            Self::Month => format!("{:02}", clock.month()),
            Self::Day => format!("{:02}", clock.day()),
            Self::YearDay => format!("{:03}", clock.ordinal()),
            Self::Hour => format!("{:02}", clock.hour()),
            Self::Minute => format!("{:02}", clock.minute()),
            Self::Second => format!("{:02}", clock.second()),
            Self::Unix => clock.and_utc().timestamp().to_string(),
            Self::Fraction => "000".to_owned(),
        }
    }
}

/// Fields of a date, each as far as it is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct DateFields {
    year: Option<u32>,
    month: Option<u32>,
    day: Option<u32>,
    year_day: Option<u32>,
}

impl DateFields {
    fn date(self) -> Option<NaiveDate> {
        let year = i32::try_from(self.year?).ok()?;
        let date = match (self.month, self.day) {
            (Some(month), Some(day)) => NaiveDate::from_ymd_opt(year, month, day)?,
            _ => NaiveDate::from_yo_opt(year, self.year_day?)?,
        };
        self.year_day.is_none_or(|day| day == date.ordinal()).then_some(date)
    }

    /// Whether nothing that is named contradicts `date`.
    fn fits(self, date: NaiveDate) -> bool {
        let is = |field: Option<u32>, value: u32| field.is_none_or(|field| field == value);
        is(self.year, date.year().unsigned_abs())
            && is(self.month, date.month())
            && is(self.day, date.day())
            && is(self.year_day, date.ordinal())
    }

    /// The first day of those that are named, and the one after their last; none when the year is
    /// not named.
    fn days(self) -> Option<(NaiveDate, NaiveDate)> {
        if let Some(date) = self.date() {
            return Some((date, date.checked_add_days(Days::new(1))?));
        }
        let year = i32::try_from(self.year?).ok()?;
        let (first, months) = match self.month {
            Some(month) => (NaiveDate::from_ymd_opt(year, month, 1)?, 1),
            None => (NaiveDate::from_ymd_opt(year, 1, 1)?, 12),
        };
        Some((first, first.checked_add_months(Months::new(months))?))
    }
}

/// What the parts of a path that were read so far say of the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameFields {
    own: DateFields,
    night: DateFields,
    hour: Option<u32>,
    minute: Option<u32>,
    second: Option<u32>,
    unix: Option<u32>,
    fraction: Option<u32>,
    by_night: Option<bool>,
}

impl NameFields {
    /// With `digits` for a directive; none when they cannot be, or contradict what is known.
    pub(super) fn with(mut self, scope: Scope, field: Directive, digits: &str) -> Option<Self> {
        let mut value: u32 = digits.parse().ok()?;
        let date = match scope {
            Scope::Moment => &mut self.own,
            Scope::Night => &mut self.night,
        };
        let (place, range) = match field {
            Directive::Year | Directive::ShortYear => {
                if field == Directive::ShortYear {
                    value += 2000;
                }
                (&mut date.year, (YEARS.start().unsigned_abs(), YEARS.end().unsigned_abs()))
            }
            Directive::Month => (&mut date.month, (1, 12)),
            Directive::Day => (&mut date.day, (1, 31)),
            Directive::YearDay => (&mut date.year_day, (1, 366)),
            Directive::Hour => (&mut self.hour, (0, 23)),
            Directive::Minute => (&mut self.minute, (0, 59)),
            // A leap second is shown by few clocks, and belongs to no minute here.
            Directive::Second => (&mut self.second, (0, 59)),
            Directive::Unix => (&mut self.unix, (0, u32::MAX)),
            Directive::Fraction => {
                let scale = 10_u32.pow(9 - u32::try_from(digits.len()).ok()?.min(9));
                value = value.checked_mul(scale)?;
                (&mut self.fraction, (0, 999_999_999))
            }
        };
        if value < range.0 || value > range.1 || place.is_some_and(|known| known != value) {
            return None;
        }
        *place = Some(value);
        Some(self)
    }

    /// With the word of `{phase}`.
    pub(super) fn with_phase(mut self, by_night: bool) -> Option<Self> {
        if self.by_night.is_some_and(|known| known != by_night) {
            return None;
        }
        self.by_night = Some(by_night);
        Some(self)
    }

    /// The moment that they make up; none when some are missing or contradict each other.
    pub fn time(&self) -> Option<NamedTime> {
        if let Some(unix) = self.unix {
            return DateTime::<Utc>::from_timestamp(i64::from(unix), self.fraction.unwrap_or(0))
                .map(NamedTime::Unix);
        }
        let second = self.second.unwrap_or(0);
        let time = NaiveTime::from_hms_nano_opt(
            self.hour?,
            self.minute?,
            second,
            self.fraction.unwrap_or(0),
        )?;
        let clock = self.own.date()?.and_time(time);
        let nights = [clock.date(), (clock - TimeDelta::hours(12)).date()];
        nights.iter().any(|night| self.night.fits(*night)).then_some(NamedTime::Clock(clock))
    }

    /// Whether a moment from `from` to `to` of the camera's clock, both included, may have these
    /// fields: what contradicts it need not be listed.
    pub fn may_lie_within(&self, from: NaiveDateTime, to: NaiveDateTime) -> bool {
        let (mut from, mut to) = (from, to);
        if let Some((first, after)) = self.own.days() {
            from = from.max(first.and_time(NaiveTime::MIN));
            to = to.min(after.and_time(NaiveTime::MIN) - TimeDelta::nanoseconds(1));
        }
        if let Some((first, after)) = self.night.days() {
            from = from.max(first.and_time(NaiveTime::MIN));
            to = to.min(after.and_time(NaiveTime::MIN) + TimeDelta::hours(12));
        }
        if from > to {
            return false;
        }
        if (to - from).num_days() > FEW_DAYS {
            return true;
        }
        from.date().iter_days().take_while(|day| *day <= to.date()).any(|day| {
            let Some((first, last)) = self.times() else { return false };
            self.own.fits(day) && day.and_time(last) >= from && day.and_time(first) <= to
        })
    }

    /// The first and the last time of a day that fit.
    fn times(&self) -> Option<(NaiveTime, NaiveTime)> {
        let Some(hour) = self.hour else {
            return Some((NaiveTime::MIN, NaiveTime::from_hms_nano_opt(23, 59, 59, 999_999_999)?));
        };
        let (first, last) = match self.minute {
            Some(minute) => (minute, minute),
            None => (0, 59),
        };
        Some((
            NaiveTime::from_hms_opt(hour, first, 0)?,
            NaiveTime::from_hms_nano_opt(hour, last, 59, 999_999_999)?,
        ))
    }
}
