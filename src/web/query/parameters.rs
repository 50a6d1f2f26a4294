//! The parameters of a query string: their forms, and how they are read.

use chrono::{Datelike, NaiveDateTime};

use crate::web::problem::{BadQuery, shortened};
use celaje_sky::moment::Moment;
use celaje_sky::say;
use celaje_sky::slot::YEARS;

/// A parameter of a request, as it is read and as the API describes it.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    pub name: &'static str,
    /// What it can be.
    pub values: Values,
    /// What it means, for readers of the description.
    pub meaning: &'static str,
    /// A value for readers to try.
    pub example: Option<&'static str>,
}

/// The values that a parameter can have.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// Any text.
    Text,
    /// A moment of the station's clock.
    Moment,
    /// One of these names.
    Choice(fn() -> Vec<String>),
    /// Several of these names, with commas between them.
    Choices(fn() -> Vec<String>),
    /// A whole number.
    Number {
        least: usize,
        most: usize,
        /// The value of a query without the parameter.
        usual: Option<usize>,
    },
}

impl Parameter {
    /// A parameter without an example.
    pub const fn new(name: &'static str, values: Values, meaning: &'static str) -> Self {
        Self { name, values, meaning, example: None }
    }

    /// The same with a value to try.
    #[must_use]
    pub const fn like(self, example: &'static str) -> Self {
        Self { example: Some(example), ..self }
    }
}

/// The parameters of a query string, each known and given at most once.
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
    pub fn read_picture(query: &str, known: &[Parameter]) -> Result<Self, BadQuery> {
        let parts = url::form_urlencoded::parse(query.as_bytes());
        let told = parts.filter(|(name, value)| !is_cache_buster(name, value));
        let rest = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(told).finish();
        Self::read(&rest, known)
    }

    /// Reads `query` (without its `?`).
    pub fn read(query: &str, known: &[Parameter]) -> Result<Self, BadQuery> {
        let mut read: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if !known.iter().any(|known| known.name == name) {
                return Err(unknown(&name, known));
            }
            if read.iter().any(|(other, _)| *other == name) {
                return Err(BadQuery::new(
                    &name,
                    say!(
                        "'{name}' is given more than once; give it once",
                        "'{name}' figura más de una vez; indíquelo una sola"
                    ),
                ));
            }
            read.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(read))
    }

    /// The value of `name`; none when it is not given, or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, value)| known == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// What `choices` has under the value of `name`.
    pub fn choice<T: Copy>(
        &self,
        name: &str,
        choices: &[(&'static str, T)],
    ) -> Result<Option<T>, BadQuery> {
        self.get(name).map(|value| choose(name, value, choices)).transpose()
    }

    /// The whole number that `parameter` gives, else its usual one.
    pub fn number(&self, parameter: &Parameter) -> Result<Option<usize>, BadQuery> {
        let Values::Number { least, most, usual } = parameter.values else {
            return Ok(None);
        };
        let name = parameter.name;
        let Some(value) = self.get(name) else {
            return Ok(usual);
        };
        match value.parse() {
            Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => {
                let value = shortened(value);
                Err(BadQuery::new(
                    name,
                    say!(
                        "{name} must be a whole number from {least} to {most}, not '{value}'",
                        "{name} debe ser un número entero de {least} a {most}, no '{value}'"
                    ),
                ))
            }
        }
    }

    /// A moment of a station's clock.
    pub fn moment(&self, name: &str) -> Result<Option<Moment>, BadQuery> {
        self.get(name).map(|value| moment(name, value)).transpose()
    }

    /// The range from `from` to `to`; an end that is not given is open.
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

fn unknown(name: &str, known: &[Parameter]) -> BadQuery {
    let shown = shortened(name);
    let names: Vec<&str> = known.iter().map(|known| known.name).collect();
    let names = names.join(", ");
    let reason = if known.is_empty() {
        say!(
            "this address takes no parameter '{shown}', nor any other",
            "esta dirección no admite el parámetro '{shown}', ni ningún otro"
        )
    } else {
        say!(
            "this address takes no parameter '{shown}', but {names}",
            "esta dirección no admite el parámetro '{shown}'; admite {names}"
        )
    };
    BadQuery::new(name, reason)
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

/// The names of `choices`.
pub(crate) fn names<T>(choices: &[(&str, T)]) -> Vec<String> {
    choices.iter().map(|(name, _)| (*name).to_owned()).collect()
}

/// What `choices` has under `value`.
pub(super) fn choose<T: Copy>(
    name: &str,
    value: &str,
    choices: &[(&'static str, T)],
) -> Result<T, BadQuery> {
    choices.iter().find(|(known, _)| *known == value).map(|(_, choice)| *choice).ok_or_else(|| {
        let (names, value) = (names(choices).join(", "), shortened(value));
        BadQuery::new(
            name,
            say!(
                "{name} must be one of {names}, not '{value}'",
                "{name} debe ser uno de {names}, no '{value}'"
            ),
        )
    })
}

/// Reads a moment: `YYYY-MM-DD` or `YYYY-MM-DDTHH:MM`.
pub fn moment(name: &str, value: &str) -> Result<Moment, BadQuery> {
    let known = Moment::parse(value).ok();
    known.filter(|moment| YEARS.contains(&moment.first().year())).ok_or_else(|| {
        let value = shortened(value);
        BadQuery::new(
            name,
            say!(
                "{name} must be a moment of the station's clock like 2024-01-31 or \
                 2024-01-31T08:02, not '{value}'",
                "{name} debe ser un momento en hora local de la estación, como 2024-01-31 o \
                 2024-01-31T08:02, no '{value}'"
            ),
        )
    })
}

/// A range of station local time; both ends are included, either may be open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    pub from: Option<NaiveDateTime>,
    pub to: Option<NaiveDateTime>,
}

impl Range {
    /// The first minute of `from` and the last one of `to`.
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
