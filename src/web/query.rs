//! Query strings: which parameters there are, and what they ask for. Pure, and never a panic,
//! whatever is in them. The description of the API is made from the same parameters.

use chrono::{Datelike, NaiveDateTime, TimeDelta};

use crate::store::reader::{QualityFilter, Width};
use crate::web::problem::{BadQuery, shortened};
use celaje_sky::moment::Moment;
use celaje_sky::outcome::MissReason;
use celaje_sky::quality::Flag;
use celaje_sky::say;
use celaje_sky::slot::YEARS;
use celaje_sky::sun::DayPhase;
use celaje_sky::text::Lang;

/// Most rows of a page, and the rows of a page without `limit`.
pub const MOST_ROWS: usize = 100_000;
/// Most runs of a page.
pub const MOST_RUNS: usize = 1_000;
/// Runs of a page without `limit`.
pub const USUAL_RUNS: usize = 50;

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

pub(crate) const STATION: Parameter =
    Parameter::new("station", Values::Text, "id of a station; the record's own without it");
pub(crate) const FROM: Parameter = Parameter::new(
    "from",
    Values::Moment,
    "first minute, station local time: YYYY-MM-DD (its first minute) or YYYY-MM-DDTHH:MM",
)
.like("2024-01-01");
pub(crate) const TO: Parameter = Parameter::new(
    "to",
    Values::Moment,
    "last minute, included: YYYY-MM-DD (its last minute) or YYYY-MM-DDTHH:MM",
)
.like("2024-01-31");
/// The languages by their names.
pub(crate) const LANGS: &[(&str, Lang)] = Lang::NAMES;
pub(crate) const LANG: Parameter =
    Parameter::new("lang", Values::Choice(|| names(LANGS)), "else that of Accept-Language");
const BY: Parameter = Parameter::new(
    "by",
    Values::Choice(|| names(WAYS)),
    "each reading (raw, if left out), or sums of an hour or a day",
);
const QUALITY: Parameter = Parameter::new(
    "quality",
    Values::Choices(|| names(&qualities())),
    "ok: without a defect, by day or by night; or flags. A reading with any of them is given",
);
const PHASE: Parameter =
    Parameter::new("phase", Values::Choice(|| names(PHASES)), "phase of the day");
const REASON: Parameter =
    Parameter::new("reason", Values::Choice(|| names(&reasons())), "reason of the misses");
const LIMIT: Parameter = Parameter::new(
    "limit",
    Values::Number { least: 1, most: MOST_ROWS, usual: Some(MOST_ROWS) },
    "most items of the page",
);
const CURSOR: Parameter = Parameter::new(
    "cursor",
    Values::Moment,
    "`next` of the page before; the rest of the query stays as it was",
);
const RUN_LIMIT: Parameter = Parameter::new(
    "limit",
    Values::Number { least: 1, most: MOST_RUNS, usual: Some(USUAL_RUNS) },
    "most runs of the page",
);
const RUN_CURSOR: Parameter = Parameter::new(
    "cursor",
    Values::Number { least: 1, most: i64::MAX as usize, usual: None },
    "`next` of the page before",
);

const OBSERVER: Parameter =
    Parameter::new("observer", Values::Text, "who looks at the pictures; 1 to 40 characters")
        .like("Ana");
const SKIP: Parameter = Parameter::new(
    "skip",
    Values::Number { least: 0, most: 10_000, usual: Some(0) },
    "pictures that the observer passed over in this session",
);
const QUEUE_LIMIT: Parameter = Parameter::new(
    "limit",
    Values::Number { least: 1, most: 100, usual: Some(20) },
    "most pictures of the answer",
);

/// The parameters of `/observations`.
pub(crate) const OBSERVATIONS: &[Parameter] = &[FROM, TO, BY, QUALITY, PHASE, LIMIT, CURSOR];
/// The parameters of `/misses`.
pub(crate) const MISSES: &[Parameter] = &[FROM, TO, REASON, LIMIT, CURSOR];
/// The parameters of `/runs`.
pub(crate) const RUNS: &[Parameter] = &[RUN_LIMIT, RUN_CURSOR];
/// What a table of the climatology has a row of.
pub(crate) const CLIMATOLOGY_BY: Parameter = Parameter::new(
    "by",
    Values::Choice(|| names(CLIMATOLOGY_WAYS)),
    "rows of CSV and JSON lines: the hours of each month (if left out), or the months",
);
pub(crate) const CLIMATOLOGY_WAYS: &[(&str, bool)] = &[("hour", false), ("month", true)];
/// The parameters of `/climatology`'s ranges.
pub(crate) const CLIMATOLOGY: &[Parameter] = &[FROM, TO];
/// The parameters of `/export`.
pub(crate) const EXPORT: &[Parameter] = &[FROM, TO];
/// The parameters of `/label-queue`.
pub(crate) const LABEL_QUEUE: &[Parameter] = &[OBSERVER, SKIP, QUEUE_LIMIT];
/// The parameters of taking back a label.
pub(crate) const LABEL: &[Parameter] = &[OBSERVER];
/// No parameter.
pub(crate) const NONE: &[Parameter] = &[];

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

fn choose<T: Copy>(name: &str, value: &str, choices: &[(&'static str, T)]) -> Result<T, BadQuery> {
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

/// Readings one by one, or sums of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Raw,
    Sum(Width),
}

impl By {
    /// Its name in a query.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Sum(Width::Hour) => "hour",
            Self::Sum(Width::Day) => "day",
        }
    }
}

const WAYS: &[(&str, By)] =
    &[("raw", By::Raw), ("hour", By::Sum(Width::Hour)), ("day", By::Sum(Width::Day))];

const PHASES: &[(&str, DayPhase)] =
    &[("day", DayPhase::Day), ("twilight", DayPhase::Twilight), ("night", DayPhase::Night)];

fn qualities() -> Vec<(&'static str, QualityFilter)> {
    // In the record's column 'ok' means a reading by day: 'good' is by day or by night, and 'ok'
    // as it was asked for before there was this word.
    [("good", QualityFilter::Faultless), ("ok", QualityFilter::Faultless)]
        .into_iter()
        .chain(Flag::ALL.map(|flag| (flag.as_str(), QualityFilter::With(flag))))
        .collect()
}

fn reasons() -> Vec<(&'static str, MissReason)> {
    MissReason::ALL.map(|reason| (reason.as_str(), reason)).to_vec()
}

/// The query of `/observations`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservationsQuery {
    pub range: Range,
    pub by: By,
    /// Any of these; all readings where there is none.
    pub quality: Vec<QualityFilter>,
    /// Only readings of this phase of the day.
    pub phase: Option<DayPhase>,
    pub limit: usize,
    /// The page begins with the first minute after this one.
    pub after: Option<NaiveDateTime>,
}

/// Reads the query of `/observations`.
pub fn observations(query: &str) -> Result<ObservationsQuery, BadQuery> {
    let parameters = Parameters::read(query, OBSERVATIONS)?;
    let by = parameters.choice("by", WAYS)?.unwrap_or(By::Raw);
    let quality = match parameters.get("quality") {
        None => Vec::new(),
        Some(names) => names
            .split(',')
            .map(|name| choose("quality", name.trim(), &qualities()))
            .collect::<Result<_, _>>()?,
    };
    Ok(ObservationsQuery {
        range: parameters.range()?,
        by,
        quality,
        phase: parameters.choice("phase", PHASES)?,
        limit: parameters.number(&LIMIT)?.unwrap_or(MOST_ROWS),
        after: cursor(&parameters)?.map(|last| match by {
            By::Raw => last,
            By::Sum(width) => width.last_minute(width.start(last)),
        }),
    })
}

/// The minute of the last item of the page before.
fn cursor(parameters: &Parameters) -> Result<Option<NaiveDateTime>, BadQuery> {
    let bad = |_| {
        BadQuery::new(
            "cursor",
            say!(
                "'cursor' must be the 'next' of the page before",
                "'cursor' debe ser el 'next' de la página anterior"
            ),
        )
    };
    let cursor = parameters.moment("cursor").map_err(bad)?;
    Ok(cursor.map(Moment::first))
}

/// The first minute of the page after `last`, in a range that begins with `from`.
pub fn resumed(from: NaiveDateTime, last: Option<NaiveDateTime>) -> NaiveDateTime {
    last.and_then(|last| last.checked_add_signed(TimeDelta::minutes(1)))
        .map_or(from, |next| next.max(from))
}

/// The query of `/misses`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissesQuery {
    pub range: Range,
    /// Only misses for this reason.
    pub reason: Option<MissReason>,
    pub limit: usize,
    /// The page begins with the first minute after this one.
    pub after: Option<NaiveDateTime>,
}

/// Reads the query of `/misses`.
pub fn misses(query: &str) -> Result<MissesQuery, BadQuery> {
    let parameters = Parameters::read(query, MISSES)?;
    Ok(MissesQuery {
        range: parameters.range()?,
        reason: parameters.choice("reason", &reasons())?,
        limit: parameters.number(&LIMIT)?.unwrap_or(MOST_ROWS),
        after: cursor(&parameters)?,
    })
}

/// Reads the query of `/export`.
pub fn export(query: &str) -> Result<Range, BadQuery> {
    Parameters::read(query, EXPORT)?.range()
}

/// The query of `/runs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunsQuery {
    pub limit: usize,
    /// The page begins with the last run before this one.
    pub before: Option<i64>,
}

/// Reads the query of `/runs`.
pub fn runs(query: &str) -> Result<RunsQuery, BadQuery> {
    let parameters = Parameters::read(query, RUNS)?;
    let before = parameters.number(&RUN_CURSOR)?;
    Ok(RunsQuery {
        limit: parameters.number(&RUN_LIMIT)?.unwrap_or(USUAL_RUNS),
        before: before.and_then(|id| i64::try_from(id).ok()),
    })
}

/// Reads the query of `/climatology`.
pub fn climatology(query: &str) -> Result<Range, BadQuery> {
    Parameters::read(query, CLIMATOLOGY)?.range()
}

/// Most characters of an observer's name.
const LONGEST_NAME: usize = 40;

/// An observer's name without surrounding blanks.
pub fn observer(text: Option<&str>) -> Result<String, BadQuery> {
    let name = text.unwrap_or_default().trim();
    let fits = (1..=LONGEST_NAME).contains(&name.chars().count());
    if fits && !name.chars().any(char::is_control) {
        return Ok(name.to_owned());
    }
    let name = shortened(name);
    Err(BadQuery::new(
        "observer",
        say!(
            "observer must be a name of 1 to {LONGEST_NAME} characters, not '{name}'",
            "observer debe ser un nombre de 1 a {LONGEST_NAME} caracteres, no '{name}'"
        ),
    ))
}

/// The query of `/label-queue`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelQueueQuery {
    pub observer: String,
    /// Pictures that were passed over.
    pub skip: usize,
    pub limit: usize,
}

/// Reads the query of `/label-queue`.
pub fn label_queue(query: &str) -> Result<LabelQueueQuery, BadQuery> {
    let parameters = Parameters::read(query, LABEL_QUEUE)?;
    Ok(LabelQueueQuery {
        observer: observer(parameters.get("observer"))?,
        skip: parameters.number(&SKIP)?.unwrap_or(0),
        limit: parameters.number(&QUEUE_LIMIT)?.unwrap_or(1),
    })
}

/// Reads the query of taking back a label: its observer.
pub fn label(query: &str) -> Result<String, BadQuery> {
    observer(Parameters::read(query, LABEL)?.get("observer"))
}

/// Reads a query without parameters.
pub fn nothing(query: &str) -> Result<(), BadQuery> {
    Parameters::read(query, NONE).map(drop)
}

/// Reads the query of a picture, which has no parameters.
pub fn picture(query: &str) -> Result<(), BadQuery> {
    Parameters::read_picture(query, NONE).map(drop)
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
