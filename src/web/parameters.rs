//! The parameters of a query string, and the values that they can have.

use std::ops::RangeInclusive;

use chrono::{Datelike, NaiveDateTime};

use crate::web::problem::shortened;
use celaje_sky::moment::Moment;
use celaje_sky::say;
use celaje_sky::slot::YEARS;
use celaje_sky::text::Text;

/// A query that cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadQuery {
    /// The parameter that is wrong.
    pub parameter: String,
    /// What is wrong with it, in a sentence.
    pub reason: Text,
}

impl BadQuery {
    /// `reason` is wrong with `parameter`.
    pub fn new(parameter: &str, reason: Text) -> Self {
        Self { parameter: shortened(parameter), reason }
    }
}

/// The parameters of a query string, each at most once and each known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

/// Names that pages put at the end of a picture's address so that no cache answers.
const CACHE_BUSTERS: [&str; 3] = ["_", "t", "ts"];

fn is_cache_buster(name: &str, value: &str) -> bool {
    let number = name.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    CACHE_BUSTERS.contains(&name) || (number && value.is_empty())
}

impl Parameters {
    /// Reads the query of a picture, leaving alone what pages add to have it fetched again.
    ///
    /// # Errors
    /// When another parameter is none of `known`, or is there twice.
    pub fn read_picture(query: &str, known: &[&str]) -> Result<Self, BadQuery> {
        let parts = url::form_urlencoded::parse(query.as_bytes());
        let told = parts.filter(|(name, value)| !is_cache_buster(name, value));
        let rest = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(told).finish();
        Self::read(&rest, known)
    }

    /// Reads `query` (without its `?`).
    ///
    /// # Errors
    /// When a parameter is none of `known`, or is there twice.
    pub fn read(query: &str, known: &[&str]) -> Result<Self, BadQuery> {
        let mut read: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if !known.contains(&name.as_ref()) {
                let (shown, known) = (shortened(&name), known.join(", "));
                let reason = if known.is_empty() {
                    say!(
                        "'{shown}' is not a parameter here; there is none",
                        "'{shown}' no es un parámetro aquí; no hay ninguno"
                    )
                } else {
                    say!(
                        "'{shown}' is not a parameter here; there are: {known}",
                        "'{shown}' no es un parámetro aquí; hay: {known}"
                    )
                };
                return Err(BadQuery::new(&name, reason));
            }
            if read.iter().any(|(other, _)| *other == name) {
                return Err(BadQuery::new(
                    &name,
                    say!(
                        "'{name}' is there more than once; give it once",
                        "'{name}' está más de una vez; indíquelo una sola"
                    ),
                ));
            }
            read.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(read))
    }

    /// What `name` says; none when it is not there, or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, value)| known == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// What `name` says, one of `choices`.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn choice<T: Copy>(
        &self,
        name: &str,
        choices: &[(&'static str, T)],
    ) -> Result<Option<T>, BadQuery> {
        self.get(name).map(|value| choose(name, value, choices)).transpose()
    }

    /// A whole number of `range`.
    ///
    /// # Errors
    /// When it is none.
    pub fn number(
        &self,
        name: &str,
        range: RangeInclusive<usize>,
    ) -> Result<Option<usize>, BadQuery> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match value.parse() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => {
                let (least, most, value) = (range.start(), range.end(), shortened(value));
                Err(BadQuery::new(
                    name,
                    say!(
                        "'{value}' is no {name}; write a whole number from {least} to {most}",
                        "'{value}' no sirve para {name}; escriba un número entero de {least} a \
                        {most}"
                    ),
                ))
            }
        }
    }

    /// A moment of a station's clock.
    ///
    /// # Errors
    /// When it is none.
    pub fn moment(&self, name: &str) -> Result<Option<Moment>, BadQuery> {
        self.get(name).map(|value| moment(name, value)).transpose()
    }

    /// The range between `from` and `to`; what is open goes on for ever.
    ///
    /// # Errors
    /// When one is no moment, or `to` lies before `from`.
    pub fn range(&self) -> Result<Range, BadQuery> {
        let range = Range {
            from: self.moment("from")?.map(Moment::first),
            to: self.moment("to")?.map(Moment::last),
        };
        if let (Some(from), Some(to)) = (range.from, range.to) {
            in_order(from, to)?;
        }
        Ok(range)
    }
}

fn in_order(from: NaiveDateTime, to: NaiveDateTime) -> Result<(), BadQuery> {
    if from <= to {
        return Ok(());
    }
    let form = "%Y-%m-%dT%H:%M";
    let (from, to) = (from.format(form), to.format(form));
    Err(BadQuery::new(
        "to",
        say!(
            "'to' ({to}) lies before 'from' ({from}); swap them",
            "'to' ({to}) es anterior a 'from' ({from}); inviértalos"
        ),
    ))
}

pub(super) fn choose<T: Copy>(
    name: &str,
    value: &str,
    choices: &[(&'static str, T)],
) -> Result<T, BadQuery> {
    choices.iter().find(|(known, _)| *known == value).map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(known, _)| *known).collect();
        let (names, value) = (names.join(", "), shortened(value));
        BadQuery::new(
            name,
            say!(
                "'{value}' is no {name}; write one of: {names}",
                "'{value}' no sirve para {name}; escriba uno de: {names}"
            ),
        )
    })
}

/// Reads a moment: `YYYY-MM-DD` or `YYYY-MM-DDTHH:MM`.
///
/// # Errors
/// When it is none, or of a year that no file name can carry.
pub fn moment(name: &str, value: &str) -> Result<Moment, BadQuery> {
    let known = Moment::parse(value).ok();
    known.filter(|moment| YEARS.contains(&moment.first().year())).ok_or_else(|| {
        let value = shortened(value);
        BadQuery::new(
            name,
            say!(
                "'{value}' is no moment; write 2024-01-31 or 2024-01-31T08:02, station local \
                    time",
                "'{value}' no es un momento; escriba 2024-01-31 o 2024-01-31T08:02, hora local \
                    de la estación"
            ),
        )
    })
}

/// A range of station local time; both ends included, an end may be open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// First minute.
    pub from: Option<NaiveDateTime>,
    /// Last minute.
    pub to: Option<NaiveDateTime>,
}

impl Range {
    /// The first and the last minute of what lies between two moments.
    ///
    /// # Errors
    /// When `to` lies before `from`.
    pub fn ordered(from: Moment, to: Moment) -> Result<(NaiveDateTime, NaiveDateTime), BadQuery> {
        let (from, to) = (from.first(), to.last());
        in_order(from, to).map(|()| (from, to))
    }

    /// The range with the earliest and the latest minute that a slot can have in place of open
    /// ends.
    pub fn closed(self) -> (NaiveDateTime, NaiveDateTime) {
        let edge = |year, month, day, hour, minute| {
            chrono::NaiveDate::from_ymd_opt(year, month, day)
                .and_then(|date| date.and_hms_opt(hour, minute, 0))
                .unwrap_or_default()
        };
        (
            self.from.unwrap_or_else(|| edge(*YEARS.start(), 1, 1, 0, 0)),
            self.to.unwrap_or_else(|| edge(*YEARS.end(), 12, 31, 23, 59)),
        )
    }
}
