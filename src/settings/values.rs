//! Numbers and names as people write them, and how to write them right.

use std::ffi::OsStr;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Command};

use celaje_sky::say;
use celaje_sky::text::BadValue;

/// Reads a whole number of `range`.
pub fn whole<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, BadValue> + Clone
where
    T: FromStr + PartialOrd + Display + Clone,
{
    move |text| {
        within(text, &range).ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            BadValue(say!(
                "write a whole number from {least} to {most}",
                "escriba un número entero de {least} a {most}"
            ))
        })
    }
}

/// Reads a number of `range`, which may have a fraction.
pub fn number(range: RangeInclusive<f64>) -> impl Fn(&str) -> Result<f64, BadValue> + Clone {
    move |text| {
        within(text, &range).ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            BadValue(say!(
                "write a number from {least} to {most}",
                "escriba un número de {least} a {most}"
            ))
        })
    }
}

/// Reads one of a few names.
pub fn name_of<T>(names: &'static [(&'static str, T)]) -> NameParser<T> {
    NameParser(names)
}

/// See [`name_of`].
#[derive(Clone, Debug)]
pub struct NameParser<T: 'static>(&'static [(&'static str, T)]);

impl<T: Copy + Send + Sync + 'static> TypedValueParser for NameParser<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        // Lossy: the error for text that is not UTF-8 would not name the flag.
        let text = value.to_string_lossy();
        if let Some((_, value)) = self.0.iter().find(|(name, _)| *name == text) {
            return Ok(*value);
        }
        let known = PossibleValuesParser::new(self.0.iter().map(|(name, _)| *name));
        let refused = known.parse_ref(command, arg, OsStr::new(text.as_ref()));
        Err(refused.err().unwrap_or_else(|| clap::Error::new(ErrorKind::InvalidValue)))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(|(name, _)| PossibleValue::new(*name))))
    }
}

/// The number in `text` where it lies in `range`.
pub fn within<T: FromStr + PartialOrd>(text: &str, range: &RangeInclusive<T>) -> Option<T> {
    text.trim().parse().ok().filter(|value| range.contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lie_in_their_range() {
        let days = whole(1_u32..=31);
        assert_eq!((days("1"), days(" 31 ")), (Ok(1), Ok(31)));
        for text in ["", "0", "32", "-1", "1.5", "two", "99999999999"] {
            let advice = days(text).unwrap_err().0;
            assert_eq!(advice.en, "write a whole number from 1 to 31", "{text}");
            assert_eq!(advice.es, "escriba un número entero de 1 a 31", "{text}");
        }
        let seconds = number(0.1..=3600.0);
        assert_eq!(seconds("0.5"), Ok(0.5));
        for text in ["0", "NaN", "inf", "3600.1"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
