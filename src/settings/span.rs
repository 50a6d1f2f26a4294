//! A span of time as people write it: `7d`, `36h`, `90m`, `15s`, `0`.

use std::fmt;
use std::str::FromStr;

use chrono::TimeDelta;

use celaje_sky::say;
use celaje_sky::text::BadValue;

/// No longer span is taken, in days.
const LONGEST: i64 = 366;

/// A span of 0 to 366 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Span(TimeDelta);

impl Span {
    /// How long it is.
    pub const fn length(self) -> TimeDelta {
        self.0
    }
}

impl Default for Span {
    /// A week.
    fn default() -> Self {
        Self(TimeDelta::days(7))
    }
}

impl FromStr for Span {
    type Err = BadValue;

    // Seconds are read and not named in the advice: no one fills gaps of seconds.
    fn from_str(text: &str) -> Result<Self, BadValue> {
        let text = text.trim();
        let bad = || {
            BadValue(say!(
                "write days, hours, minutes or seconds such as 7d, 36h, 90m or 15s, up to \
                 {LONGEST}d; 0 for none",
                "escriba días, horas, minutos o segundos, p. ej. 7d, 36h, 90m o 15s, hasta \
                 {LONGEST}d; 0 para nada"
            ))
        };
        let unit = text.chars().last().filter(char::is_ascii_alphabetic);
        let number = unit.map_or(text, |unit| &text[..text.len() - unit.len_utf8()]);
        let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        let number: i64 = number.parse().ok().filter(|_| digits).ok_or_else(bad)?;
        let span = match unit {
            Some('d') => TimeDelta::try_days(number),
            Some('h') => TimeDelta::try_hours(number),
            Some('m') => TimeDelta::try_minutes(number),
            Some('s') => TimeDelta::try_seconds(number),
            None if number == 0 => Some(TimeDelta::zero()),
            _ => None,
        };
        span.filter(|span| *span <= TimeDelta::days(LONGEST)).map(Self).ok_or_else(bad)
    }
}

impl TryFrom<String> for Span {
    type Error = BadValue;

    fn try_from(text: String) -> Result<Self, BadValue> {
        text.parse()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, minutes) = (self.0.num_seconds(), self.0.num_minutes());
        match minutes {
            _ if seconds % 60 != 0 => write!(f, "{seconds}s"),
            0 => f.write_str("0"),
            m if m % (24 * 60) == 0 => write!(f, "{}d", m / (24 * 60)),
            m if m % 60 == 0 => write!(f, "{}h", m / 60),
            m => write!(f, "{m}m"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written() {
        for (text, minutes, shown) in [
            ("7d", 7 * 24 * 60, "7d"),
            ("36h", 36 * 60, "36h"),
            ("48h", 48 * 60, "2d"),
            (" 90m ", 90, "90m"),
            ("0", 0, "0"),
            ("0h", 0, "0"),
            ("180s", 3, "3m"),
            ("366d", 366 * 24 * 60, "366d"),
            ("120s", 2, "2m"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.length(), TimeDelta::minutes(minutes), "{text}");
            assert_eq!(span.to_string(), shown);
        }
        assert_eq!("15s".parse::<Span>().unwrap().to_string(), "15s");
        for bad in ["", "d", "7", "-1d", "1.5d", "367d", "7y", "99999999999999999999d", "7ñ"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
