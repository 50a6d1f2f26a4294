//! What the replaced system's clients call: `/octas`, `/historial`, `/imagen`.
//!
//! Rows have the columns of its table `registro_historico` as their keys. Every error is
//! `{"detail": …}`, in Spanish whatever the client speaks: those of the server too, such as 405.

use std::sync::Arc;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::error::StoreError;
use crate::store::reader::{AFTER_DAYS, FIRST_DAY, LegacyDays, LegacyRow};
use crate::store::rows::parse_slot;
use crate::web::WebState;
use crate::web::camera::layout_of;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::Problem;
use crate::web::query::{Parameter, Values};
use crate::web::reply::{Format, Tagged};
use crate::web::routes::Routes;
use crate::web::rows::Rows;
use crate::web::stream::{self, PART, StreamPart};
use celaje_sky::slot::{Slot, SlotRange};
use celaje_sky::station::Station;

/// Slots after the last reading that `/imagen` looks for before it shows that one.
const NEWER: usize = 6;
/// Weather and a satellite's picture: its back end bought them, and its front end does without.
const BOUGHT: [&str; 2] = ["/clima", "/satellite"];

/// Its paths; with a `/` at the end they are those of its framework, which led back from there.
pub(crate) fn configure(routes: &mut Routes<'_>) {
    let operation = |summary| Operation::new(Tag::ReplacedSystem, summary);
    let row = operation("The latest row")
        .record()
        .json::<LegacyRow>("The row")
        .tagged()
        .json_at::<Detail>(404, "The record has no row");
    routes.read(&["/octas"], row, latest);
    let rows = operation("The rows of some days, or all")
        .record()
        .lenient_query(DAYS)
        .json::<HistoryPage>("The rows")
        .tagged()
        .json_at::<Detail>(400, "A day is wrong");
    routes.read(&["/historial"], rows, history);
    let newest = operation("To the newest picture of the camera")
        .record()
        .empty(307, "Location is the picture")
        .json_at::<Detail>(404, "There is no picture");
    routes.read(&["/imagen"], newest, picture);
    for path in ["/octas/", "/historial/", "/imagen/"] {
        let back = operation("To the path without the slash").empty(307, "Location is the path");
        routes.read(&[path], back, bare);
    }
    for path in BOUGHT {
        let missing = operation("Never there").json_at::<Detail>(404, "It is not there");
        routes.read(&[path], missing, none);
    }
}

/// Its paths on an address of their own.
pub(crate) fn configure_alone(config: &mut web::ServiceConfig) {
    let mut routes = Routes::of_server(config);
    configure(&mut routes);
    let root = Operation::new(Tag::ReplacedSystem, "The paths").json::<Detail>("Their names");
    routes.read(&["/"], root, async || {
        HttpResponse::Ok().json(Detail { detail: "Celaje: /octas, /historial, /imagen" })
    });
    config.default_service(web::to(none));
}

const DAYS: &[Parameter] = &[
    Parameter::new("desde", Values::Text, "first day, YYYY-MM-DD").like("2024-01-01"),
    Parameter::new("hasta", Values::Text, "last day, included").like("2024-01-31"),
];

/// Whether a path is one of them.
pub fn is_at(path: &str) -> bool {
    let bare = path.strip_suffix('/').unwrap_or(path);
    matches!(bare, "/octas" | "/historial" | "/imagen") || BOUGHT.contains(&bare)
}

/// To the same path without the `/` at its end.
async fn bare(request: HttpRequest) -> HttpResponse {
    let mut place = request.path().trim_end_matches('/').to_owned();
    if let Some(query) = request.uri().query() {
        place.push('?');
        place.push_str(query);
    }
    led(&place)
}

fn led(place: &str) -> HttpResponse {
    HttpResponse::TemporaryRedirect()
        .insert_header((header::LOCATION, place))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}

/// What is wrong, in Spanish.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Detail {
    detail: &'static str,
}

fn error(status: StatusCode, detail: &'static str) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(Detail { detail })
}

async fn none() -> HttpResponse {
    error(StatusCode::NOT_FOUND, "Not Found")
}

/// `/octas`: the latest row.
async fn latest(state: web::Data<WebState>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let tagged = Tagged::new(&state.pool.version().await?, Format::Json);
    if let Some(same) = tagged.unchanged(&request) {
        return Ok(same);
    }
    let (row, zone) =
        state.pool.ask(|reader| Ok((reader.legacy_latest()?, reader.home_zone()?))).await?;
    Ok(match row {
        Some(row) => tagged.ok().json(row.shown(zone)),
        None => error(StatusCode::NOT_FOUND, "No hay registros"),
    })
}

/// `/historial?desde=YYYY-MM-DD&hasta=YYYY-MM-DD`: the rows of those days, both included, all
/// where neither is there.
async fn history(
    state: web::Data<WebState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let days = match WholeDays::read(request.query_string()) {
        Ok(days) => days,
        Err(bad) => return Ok(error(StatusCode::BAD_REQUEST, bad.detail())),
    };
    let tagged = Tagged::new(&state.pool.version().await?, Format::Json);
    if let Some(same) = tagged.unchanged(&request) {
        return Ok(same);
    }
    let zone = state.pool.ask(|reader| reader.home_zone()).await?;
    let rows_of = days.of_record();
    let first = rows_of.first();
    let page = HistoryPage { days, items: Vec::new() };
    let mut head = serde_json::to_string(&page).map_err(|_| Problem::internal())?;
    head.truncate(head.len() - "]}".len());
    stream::answer(&state.pool, tagged.ok(), first, move |reader, place| {
        let mut rows = if place == rows_of.first() {
            Rows::<LegacyRow>::begin(Format::Json, &head)
        } else {
            Rows::<LegacyRow>::go_on(Format::Json)
        };
        let (read, next) = reader.legacy_rows(&rows_of, place, PART)?;
        read.into_iter().for_each(|row| rows.push(&row.shown(zone)));
        let bytes = match next {
            Some(_) => rows.into_bytes(),
            None => rows.end("]}"),
        };
        Ok::<_, StoreError>(StreamPart { bytes, next })
    })
    .await
}

/// An answer of `/historial`; its rows are written one by one.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct HistoryPage {
    #[serde(flatten)]
    days: WholeDays,
    items: Vec<LegacyRow>,
}

/// Why a query names no days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadDays {
    /// A date is none.
    Form,
    /// The last day lies before the first one.
    Backward,
}

impl BadDays {
    const fn detail(self) -> &'static str {
        match self {
            Self::Form => "Formato de fecha inválido; use YYYY-MM-DD",
            Self::Backward => "'hasta' no puede ser anterior a 'desde'",
        }
    }
}

/// The days of a query, both included; an end may be open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct WholeDays {
    desde: Option<NaiveDate>,
    hasta: Option<NaiveDate>,
}

impl WholeDays {
    /// Reads a query string; what else is in it is left alone.
    ///
    /// # Errors
    /// When a date is none, or they are not in order.
    pub fn read(query: &str) -> Result<Self, BadDays> {
        let mut days = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "desde" => days.desde = Some(day(&value)?),
                "hasta" => days.hasta = Some(day(&value)?),
                _ => {}
            }
        }
        match (days.desde, days.hasta) {
            (Some(from), Some(to)) if to < from => Err(BadDays::Backward),
            _ => Ok(days),
        }
    }

    /// The rows of these days; where no day is named all of them, those of no moment too.
    fn of_record(&self) -> LegacyDays {
        match (self.desde, self.hasta) {
            (None, None) => LegacyDays::all(),
            _ => LegacyDays::between(&self.begin(), &self.before()),
        }
    }

    /// As `fecha_captura` begins on the first day.
    fn begin(&self) -> String {
        self.desde.map_or_else(|| FIRST_DAY.to_owned(), |day| day.to_string())
    }

    /// As `fecha_captura` begins on the day after the last one.
    fn before(&self) -> String {
        let after = self.hasta.and_then(|day| day.checked_add_days(Days::new(1)));
        let four_digits = after.filter(|day| day.year() <= 9999);
        four_digits.map_or_else(|| AFTER_DAYS.to_owned(), |day| day.to_string())
    }
}

/// Ten characters, `YYYY-MM-DD`.
fn day(text: &str) -> Result<NaiveDate, BadDays> {
    let shape = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    shape.then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten().ok_or(BadDays::Form)
}

/// `/imagen`: to the newest picture: one after the last reading that the camera has, else the
/// newest of the record that is on a server.
async fn picture(state: web::Data<WebState>) -> Result<HttpResponse, Problem> {
    let home = state.pool.ask(|reader| reader.home_station()).await?.unwrap_or_default();
    let id = home.clone();
    let (last, newest) = state
        .pool
        .ask(move |reader| Ok((reader.latest(&id)?, reader.newest_address(&id)?)))
        .await?;
    let recorded = last.as_ref().and_then(|item| item.url.as_deref());
    // By a clock that is wrong the newer ones may not have come.
    let is_well =
        state.clock.now() >= state.clock.earliest() && state.operator.state().trouble.is_none();
    if let Some(station) = state.station(&home).filter(|_| is_well) {
        let slot = last.as_ref().and_then(|item| parse_slot(&item.slot));
        let slot = slot.and_then(|local| Slot::at(local, station.zone));
        let layout = recorded.zip(slot).map(|(url, slot)| layout_of(url, slot));
        for slot in newer(&station, slot, state.clock.now()) {
            match state.cameras.shot(&station, slot, layout).await {
                // A copy has no address.
                Ok(shot) if shot.url.is_empty() => {}
                Ok(shot) => return Ok(led(&shot.url)),
                Err(problem) if problem.status() == StatusCode::NOT_FOUND => {}
                // A camera that does not answer is not asked for one after the other.
                Err(_) => break,
            }
        }
    }
    Ok(match newest {
        Some(url) => led(&url),
        None => error(StatusCode::NOT_FOUND, "No hay ninguna imagen disponible"),
    })
}

/// The last slots that have begun and come after `last`, the newest first.
fn newer(station: &Arc<Station>, last: Option<Slot>, now: DateTime<Utc>) -> Vec<Slot> {
    let now = station.zone.local(now);
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
        let texts = |query| {
            let days = WholeDays::read(query).unwrap();
            (days.begin(), days.before())
        };
        for (query, begin, before) in [
            ("desde=2024-02-01&hasta=2024-02-29&_=7", "2024-02-01", "2024-03-01"),
            ("desde=2024-02-01", "2024-02-01", AFTER_DAYS),
            ("hasta=2024-12-31", FIRST_DAY, "2025-01-01"),
            ("hasta=9999-12-31", FIRST_DAY, AFTER_DAYS),
            ("ts=1", FIRST_DAY, AFTER_DAYS),
        ] {
            assert_eq!(texts(query), (begin.to_owned(), before.to_owned()), "{query}");
        }
        for (query, bad) in [
            ("desde=2024-1-1&hasta=2024-01-01", BadDays::Form),
            ("desde=2024-02-30&hasta=2024-03-01", BadDays::Form),
            ("hasta=ayer", BadDays::Form),
            ("desde=&hasta=2024-03-01", BadDays::Form),
            ("desde=2024-01-02&hasta=2024-01-01", BadDays::Backward),
        ] {
            assert_eq!(WholeDays::read(query), Err(bad), "{query}");
        }
    }

    proptest! {
        #[test]
        fn no_query_panics(from in "[0-9-]{0,11}", to in any::<String>()) {
            let both = format!("desde={from}&hasta={to}");
            for query in [both, format!("desde={from}&hasta={from}"), to] {
                if let Ok(days) = WholeDays::read(&query) {
                    prop_assert!(days.begin() < days.before());
                }
            }
        }
    }
}
