//! Query strings: which parameters there are, and what they ask for. Pure, and never a panic,
//! whatever is in them. The description of the API is made from the same parameters.

mod parameters;

pub(crate) use self::parameters::names;
pub use self::parameters::{Parameter, Parameters, Range, Values, moment};

use chrono::{NaiveDateTime, TimeDelta};

use self::parameters::choose;

use crate::store::reader::{QualityFilter, Width};
use crate::web::problem::{BadQuery, shortened};
use celaje_sky::moment::Moment;
use celaje_sky::outcome::MissReason;
use celaje_sky::quality::Flag;
use celaje_sky::say;
use celaje_sky::sun::DayPhase;
use celaje_sky::text::Lang;

/// Most rows of a page, and the rows of a page without `limit`.
pub const MOST_ROWS: usize = 100_000;
/// Most runs of a page.
pub const MOST_RUNS: usize = 1_000;
/// Runs of a page without `limit`.
pub const USUAL_RUNS: usize = 50;

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
pub(crate) const EXPORT: &[Parameter] = &[
    FROM,
    TO,
    Parameter::new(
        "stations",
        Values::Text,
        "ids of stations with commas between them, or all, in place of the address's own",
    )
    .like("all"),
];
/// The parameters of `/label-queue`.
pub(crate) const LABEL_QUEUE: &[Parameter] = &[OBSERVER, SKIP, QUEUE_LIMIT];
/// The parameters of taking back a label.
pub(crate) const LABEL: &[Parameter] = &[OBSERVER];
/// No parameter.
pub(crate) const NONE: &[Parameter] = &[];

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

/// The query of `/export`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportQuery {
    pub range: Range,
    /// Ids of stations, or `all`; none for that of the address.
    pub stations: Option<Vec<String>>,
}

/// Reads the query of `/export`.
pub fn export(query: &str) -> Result<ExportQuery, BadQuery> {
    let parameters = Parameters::read(query, EXPORT)?;
    let stations = parameters.get("stations").map(|ids| ids.split(',').map(str::to_owned));
    Ok(ExportQuery { range: parameters.range()?, stations: stations.map(Iterator::collect) })
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
