//! What the replaced system's clients call: `/octas`, `/historial`, `/imagen`.
//!
//! Rows have the columns of its table `registro_historico` as their keys; an error is
//! `{"detail": …}`, in Spanish whatever the client speaks.

use std::sync::Arc;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{Days, NaiveDate, Utc};
use serde::Serialize;

use crate::store::reader::{LegacyPlace, LegacyRow};
use crate::store::rows::parse_slot;
use crate::web::WebState;
use crate::web::camera::layout_of;
use crate::web::problem::Problem;
use crate::web::reads;
use crate::web::reply::{Format, Tagged};
use crate::web::rows::Rows;
use crate::web::stream::{self, PART, StreamPart};
use celaje_sky::slot::{Slot, SlotRange};
use celaje_sky::station::Station;

/// Slots after the last reading that `/imagen` looks for before it shows that one.
const NEWER: usize = 6;

/// Its paths; with a `/` at the end they are those of its framework, which led back from there.
pub fn configure(config: &mut web::ServiceConfig) {
    reads(config, &["/octas"], latest);
    reads(config, &["/historial"], history);
    reads(config, &["/imagen"], picture);
    reads(config, &["/octas/", "/historial/", "/imagen/"], bare);
}

/// Whether a path is one of them.
pub fn is_at(path: &str) -> bool {
    let bare = path.strip_suffix('/').unwrap_or(path);
    matches!(bare, "/octas" | "/historial" | "/imagen")
}

/// To the same path without the `/` at its end.
async fn bare(request: HttpRequest) -> HttpResponse {
    let mut place = request.path().trim_end_matches('/').to_owned();
    if let Some(query) = request.uri().query() {
        place.push('?');
        place.push_str(query);
    }
    HttpResponse::TemporaryRedirect()
        .insert_header((header::LOCATION, place))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}

#[derive(Serialize)]
struct Detail<T: Serialize> {
    detail: T,
}

/// A parameter that is not there, as the replaced system's framework says it.
#[derive(Serialize)]
struct UnansweredRequest<'a> {
    r#type: &'static str,
    loc: [&'a str; 2],
    msg: &'static str,
    input: Option<()>,
}

fn error<T: Serialize>(status: StatusCode, detail: T) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(Detail { detail })
}

/// `/octas`: the latest row.
async fn latest(state: web::Data<WebState>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let tagged = Tagged::new(&state.pool.version().await?, Format::Json);
    if let Some(same) = tagged.unchanged(&request) {
        return Ok(same);
    }
    let row = state.pool.ask(|reader| reader.legacy_latest()).await?;
    Ok(match row {
        Some(row) => tagged.ok().json(row),
        None => error(StatusCode::NOT_FOUND, "No hay registros"),
    })
}

/// `/historial?desde=YYYY-MM-DD&hasta=YYYY-MM-DD`: the rows of those days, both included.
async fn history(
    state: web::Data<WebState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (from, before) = match days(request.query_string()) {
        Ok(days) => days,
        Err(bad) => return Ok(bad.told()),
    };
    let tagged = Tagged::new(&state.pool.version().await?, Format::Json);
    if let Some(same) = tagged.unchanged(&request) {
        return Ok(same);
    }
    let begin = LegacyPlace::at(&from);
    let (first, first_before) = (begin.clone(), before.clone());
    let (any, _) =
        state.pool.ask(move |reader| reader.legacy_rows(&first, &first_before, 1)).await?;
    if any.is_empty() {
        return Ok(error(StatusCode::NOT_FOUND, "No hay registros en el rango indicado"));
    }
    let first = begin.clone();
    stream::answer(&state.pool, tagged.ok(), first, move |reader, place| {
        let mut rows = if place == begin {
            Rows::<LegacyRow>::begin(Format::Json, "[")
        } else {
            Rows::<LegacyRow>::go_on(Format::Json)
        };
        let (read, next) = reader.legacy_rows(&place, &before, PART)?;
        read.iter().for_each(|row| rows.push(row));
        let bytes = match next {
            Some(_) => rows.into_bytes(),
            None => rows.end("]"),
        };
        Ok(StreamPart { bytes, next })
    })
    .await
}

/// Why the days of a query cannot be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadDays {
    /// These parameters are not there.
    UnansweredRequest(Vec<&'static str>),
    /// A date is none.
    Form,
    /// The last day lies before the first one.
    Backward,
}

impl BadDays {
    fn told(&self) -> HttpResponse {
        match self {
            Self::UnansweredRequest(names) => {
                let missing = |name: &&'static str| UnansweredRequest {
                    r#type: "missing",
                    loc: ["query", name],
                    msg: "Field required",
                    input: None,
                };
                let missing: Vec<UnansweredRequest<'_>> = names.iter().map(missing).collect();
                error(StatusCode::UNPROCESSABLE_ENTITY, missing)
            }
            Self::Form => {
                error(StatusCode::BAD_REQUEST, "Formato de fecha inválido; use YYYY-MM-DD")
            }
            Self::Backward => {
                error(StatusCode::BAD_REQUEST, "'hasta' no puede ser anterior a 'desde'")
            }
        }
    }
}

/// The first day of a query, and the day after the last one, as `fecha_captura` begins. What else
/// is in the query is left alone.
///
/// # Errors
/// When it names no days.
pub fn days(query: &str) -> Result<(String, String), BadDays> {
    let (mut from, mut to) = (None, None);
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "desde" => from = Some(value.into_owned()),
            "hasta" => to = Some(value.into_owned()),
            _ => {}
        }
    }
    let missing: Vec<_> = [("desde", &from), ("hasta", &to)]
        .into_iter()
        .filter(|(_, value)| value.is_none())
        .map(|(name, _)| name)
        .collect();
    let (Some(from), Some(to)) = (from, to) else {
        return Err(BadDays::UnansweredRequest(missing));
    };
    let from = day(&from).ok_or(BadDays::Form)?;
    let to = day(&to).ok_or(BadDays::Form)?;
    if to < from {
        return Err(BadDays::Backward);
    }
    let before = to.checked_add_days(Days::new(1)).ok_or(BadDays::Form)?;
    Ok((from.to_string(), before.to_string()))
}

/// Ten characters, `YYYY-MM-DD`.
fn day(text: &str) -> Option<NaiveDate> {
    let shape = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    shape.then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()
}

/// `/imagen`: to the newest picture that the camera has.
async fn picture(state: web::Data<WebState>) -> Result<HttpResponse, Problem> {
    let none = || error(StatusCode::NOT_FOUND, "No hay ninguna imagen disponible");
    let stations = state.pool.ask(|reader| reader.stations()).await?;
    let home = stations.iter().find(|station| station.is_home);
    let Some(station) = home.and_then(|home| state.station(&home.id)) else {
        return Ok(none());
    };
    let id = station.id.clone();
    let last = state.pool.ask(move |reader| reader.latest(&id)).await?;
    let last_slot = last.as_ref().and_then(|item| Slot::at(parse_slot(&item.slot)?, station.zone));
    let recorded = last.and_then(|item| item.url);
    let layout = recorded.as_deref().zip(last_slot).map(|(url, slot)| layout_of(url, slot));
    let found = |url: &str| {
        HttpResponse::Found()
            .insert_header((header::LOCATION, url))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .finish()
    };
    for slot in newer(&station, last_slot) {
        match state.cameras.shot(&station, slot, layout).await {
            Ok(shot) => return Ok(found(&shot.url)),
            Err(problem) if problem.status() == StatusCode::NOT_FOUND => {}
            // A camera that does not answer is not asked for one after the other.
            Err(_) => break,
        }
    }
    if let Some(slot) = last_slot
        && let Ok(shot) = state.cameras.shot(&station, slot, layout).await
    {
        return Ok(found(&shot.url));
    }
    Ok(none())
}

/// The last slots that have begun and come after `last`, the newest first.
fn newer(station: &Arc<Station>, last: Option<Slot>) -> Vec<Slot> {
    let now = station.zone.local(Utc::now());
    let hour_ago = now - chrono::TimeDelta::hours(1);
    let from =
        last.map_or(hour_ago, |slot| (slot.local() + chrono::TimeDelta::minutes(1)).max(hour_ago));
    let Ok(range) = SlotRange::new(from, now) else {
        return Vec::new();
    };
    let mut slots: Vec<Slot> = range.slots(&station.minutes, station.zone).collect();
    slots.reverse();
    slots.truncate(NEWER);
    slots
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn days_are_told_up_to_the_one_after() {
        let days_of = |query| days(query).unwrap();
        let whole = ("2024-02-01".to_owned(), "2024-03-01".to_owned());
        assert_eq!(days_of("desde=2024-02-01&hasta=2024-02-29&_=7"), whole);
        for (query, bad) in [
            ("", BadDays::UnansweredRequest(vec!["desde", "hasta"])),
            ("desde=2024-01-01", BadDays::UnansweredRequest(vec!["hasta"])),
            ("desde=2024-1-1&hasta=2024-01-01", BadDays::Form),
            ("desde=2024-02-30&hasta=2024-03-01", BadDays::Form),
            ("desde=&hasta=2024-03-01", BadDays::Form),
            ("desde=2024-01-02&hasta=2024-01-01", BadDays::Backward),
        ] {
            assert_eq!(days(query), Err(bad), "{query}");
        }
    }

    proptest! {
        #[test]
        fn no_query_panics(from in "[0-9-]{0,11}", to in any::<String>()) {
            let both = format!("desde={from}&hasta={to}");
            for query in [both, format!("desde={from}&hasta={from}"), to] {
                if let Ok((from, before)) = days(&query) {
                    prop_assert!(from < before);
                }
            }
        }
    }
}
