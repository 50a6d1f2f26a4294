//! What a query string asks for: pure, and never a panic, whatever is in it. How its parameters are
//! read is in `parameters.rs`.

use chrono::{NaiveDateTime, TimeDelta};

use crate::store::reader::{WantedQuality, Width};
use crate::web::parameters::choose;
use celaje_sky::moment::Moment;
use celaje_sky::outcome::MissReason;
use celaje_sky::quality::Flag;
use celaje_sky::say;
use celaje_sky::sun::DayPhase;

pub use crate::web::parameters::{BadQuery, Parameters, Range, moment};

/// Rows of a page at most, and where nobody asks for fewer.
pub const MOST_ROWS: usize = 100_000;
/// Runs of a page at most.
pub const MOST_RUNS: usize = 1_000;
/// Runs of a page where nobody asks for another number.
pub const USUAL_RUNS: usize = 50;

/// How readings are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Each of them.
    Raw,
    /// Summed up.
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

/// What `/observations` is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservationsQuery {
    /// Of when.
    pub range: Range,
    /// In which form.
    pub by: By,
    /// Of which quality, any of these; all where there is none.
    pub quality: Vec<WantedQuality>,
    /// Of which phase of the day.
    pub phase: Option<DayPhase>,
    /// Items of the page at most.
    pub limit: usize,
    /// The page begins with the first minute after this item.
    pub after: Option<NaiveDateTime>,
}

/// Reads the query of `/observations`.
///
/// # Errors
/// When it asks for what there is not.
pub fn observations(query: &str) -> Result<ObservationsQuery, BadQuery> {
    let known = ["from", "to", "by", "quality", "phase", "limit", "cursor"];
    let parameters = Parameters::read(query, &known)?;
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
        limit: parameters.number("limit", 1..=MOST_ROWS)?.unwrap_or(MOST_ROWS),
        after: cursor(&parameters)?.map(|last| match by {
            By::Raw => last,
            By::Sum(width) => width.last_minute(width.start(last)),
        }),
    })
}

fn qualities() -> Vec<(&'static str, WantedQuality)> {
    std::iter::once(("ok", WantedQuality::Faultless))
        .chain(Flag::ALL.map(|flag| (flag.as_str(), WantedQuality::With(flag))))
        .collect()
}

/// The minute of the last item of the page before.
fn cursor(parameters: &Parameters) -> Result<Option<NaiveDateTime>, BadQuery> {
    let bad = |_| {
        BadQuery::new(
            "cursor",
            say!(
                "'cursor' is none of this list; write what 'next' of the page before said",
                "'cursor' no es de esta lista; escriba lo que decía 'next' en la página anterior"
            ),
        )
    };
    let cursor = parameters.moment("cursor").map_err(bad)?;
    Ok(cursor.map(Moment::first))
}

/// The first minute of the page that goes on after `last`, in a range that begins with `from`.
pub fn resumed(from: NaiveDateTime, last: Option<NaiveDateTime>) -> NaiveDateTime {
    last.and_then(|last| last.checked_add_signed(TimeDelta::minutes(1)))
        .map_or(from, |next| next.max(from))
}

/// What `/misses` is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissesQuery {
    /// Of when.
    pub range: Range,
    /// Of which reason.
    pub reason: Option<MissReason>,
    /// Items of the page at most.
    pub limit: usize,
    /// The page begins with the first minute after this item.
    pub after: Option<NaiveDateTime>,
}

/// Reads the query of `/misses`.
///
/// # Errors
/// When it asks for what there is not.
pub fn misses(query: &str) -> Result<MissesQuery, BadQuery> {
    let parameters = Parameters::read(query, &["from", "to", "reason", "limit", "cursor"])?;
    let reasons = MissReason::ALL.map(|reason| (reason.as_str(), reason));
    Ok(MissesQuery {
        range: parameters.range()?,
        reason: parameters.choice("reason", &reasons)?,
        limit: parameters.number("limit", 1..=MOST_ROWS)?.unwrap_or(MOST_ROWS),
        after: cursor(&parameters)?,
    })
}

/// What `/runs` is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunsQuery {
    /// Items of the page at most.
    pub limit: usize,
    /// The page begins with the last run before this one.
    pub before: Option<i64>,
}

/// Reads the query of `/runs`.
///
/// # Errors
/// When it asks for what there is not.
pub fn runs(query: &str) -> Result<RunsQuery, BadQuery> {
    let parameters = Parameters::read(query, &["limit", "cursor"])?;
    let most = usize::try_from(i64::MAX).unwrap_or(usize::MAX);
    let before = parameters.number("cursor", 1..=most)?;
    Ok(RunsQuery {
        limit: parameters.number("limit", 1..=MOST_RUNS)?.unwrap_or(USUAL_RUNS),
        before: before.and_then(|id| i64::try_from(id).ok()),
    })
}

/// Reads the query of `/climatology`: a range, nothing else.
///
/// # Errors
/// When it asks for what there is not.
pub fn climatology(query: &str) -> Result<Range, BadQuery> {
    Parameters::read(query, &["from", "to"])?.range()
}

/// Reads a query that has no parameters.
///
/// # Errors
/// When there is one.
pub fn nothing(query: &str) -> Result<(), BadQuery> {
    Parameters::read(query, &[]).map(drop)
}

/// Reads the query of a picture, which has no parameters.
///
/// # Errors
/// When there is one.
pub fn picture(query: &str) -> Result<(), BadQuery> {
    Parameters::read_picture(query, &[]).map(drop)
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
