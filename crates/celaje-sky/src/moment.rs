//! An end of a range as people write it: a minute, or a whole date.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

use crate::say;
use crate::slot::{BackwardRange, SlotRange};
use crate::text::BadValue;

/// An end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// `YYYY-MM-DDTHH:MM` (a blank for the T, and seconds, are accepted).
    Minute(NaiveDateTime),
    /// `YYYY-MM-DD`.
    Date(NaiveDate),
}

impl Moment {
    /// Reads a moment.
    ///
    /// # Errors
    /// The forms that are understood.
    pub fn parse(text: &str) -> Result<Self, BadValue> {
        let text = text.trim();
        if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Ok(Self::Date(date));
        }
        ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
            .map(Self::Minute)
            .ok_or_else(|| {
                BadValue(say!(
                    "write 2024-01-31T08:02 or 2024-01-31",
                    "escriba 2024-01-31T08:02 o 2024-01-31"
                ))
            })
    }

    /// As the first minute of a range: a date stands for its start.
    pub fn first(self) -> NaiveDateTime {
        match self {
            Self::Minute(minute) => minute,
            Self::Date(date) => date.and_time(NaiveTime::MIN),
        }
    }

    /// As the last minute of a range: a date stands for 23:59.
    pub fn last(self) -> NaiveDateTime {
        match self {
            Self::Minute(minute) => minute,
            Self::Date(date) => {
                date.and_hms_opt(23, 59, 0).unwrap_or_else(|| date.and_time(NaiveTime::MIN))
            }
        }
    }

    /// The range from `from` to `to`, both included.
    ///
    /// # Errors
    /// When it ends before it begins.
    pub fn range(from: Self, to: Self) -> Result<SlotRange, BackwardRange> {
        SlotRange::new(from.first(), to.last())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_stand_for_their_first_and_last_minute() {
        let day = Moment::parse("2024-02-29").unwrap();
        let range = Moment::range(day, day).unwrap();
        assert_eq!(range.from().to_string(), "2024-02-29 00:00:00");
        assert_eq!(range.to().to_string(), "2024-02-29 23:59:00");
    }

    #[test]
    fn forms() {
        let minute = Moment::parse("2024-01-01T08:02").unwrap();
        for text in ["2024-01-01 08:02", "2024-01-01T08:02:00", " 2024-01-01T08:02 "] {
            assert_eq!(Moment::parse(text), Ok(minute), "{text}");
        }
        for text in ["", "ayer", "2023-02-29", "2024-13-01", "2024-01-01T24:00", "01/02/2024"] {
            assert!(Moment::parse(text).is_err(), "{text}");
        }
    }
}
