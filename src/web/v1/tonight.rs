//! Whether tonight is a night to observe.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::web::WebState;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::{Problem, language};
use crate::web::query::{self, NONE};
use crate::web::reply::live;
use crate::web::routes::Routes;
use crate::web::v1::of_station;
use crate::web::v1::stations::StationId;
use celaje_sky::moon;
use celaje_sky::night::{Period, moon_events};
use celaje_sky::slot::Zone;
use celaje_sky::station::Station;
use celaje_sky::tonight::{SkySince, Tonight};

/// The answer, and what it comes from.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Tonight")]
struct TonightItem {
    /// Station, by its id.
    station: String,
    /// `observe`, `wait` or `close`.
    advice: &'static str,
    /// Why: a reason of `safety`, or `no_night` (the sun does not go as low as the rule asks), or
    /// `night_is_over`.
    reason: &'static str,
    /// The same in words.
    text: String,
    /// Whether the settings have no [station.safety], so that the usual thresholds were taken.
    by_usual_rule: bool,
    /// `clearing`, `steady` or `clouding_over`, by the readings of the last hour; null with fewer
    /// than three of the sky.
    tendency: Option<&'static str>,
    /// By how much: oktas an hour, below 0 where it clears.
    oktas_an_hour: Option<f64>,
    /// The first of the clear readings in a row that the last one ends.
    clear_since: Option<Moment>,
    /// The same of cloudy readings.
    cloudy_since: Option<Moment>,
    /// Whether the row goes back to the oldest reading that is looked at, a day ago or nearly.
    since_or_before: bool,
    night: NightItem,
    moon: MoonItem,
}

/// A moment, in UTC and by the station's clock.
#[derive(Serialize, JsonSchema)]
struct Moment {
    utc: String,
    local: String,
}

/// From one moment to another.
#[derive(Serialize, JsonSchema)]
struct MomentSpan {
    from: Moment,
    to: Moment,
}

/// The night that is, or comes.
#[derive(Serialize, JsonSchema)]
struct NightItem {
    /// `usual`, `sun_stays_up` (polar summer) or `sun_stays_down` (polar winter).
    kind: &'static str,
    /// Sunset to sunrise; noon to noon where the sun does not cross the horizon.
    span: MomentSpan,
    /// The sun more than 6° below the horizon; null where it does not go so low.
    civil: Option<MomentSpan>,
    /// More than 12°.
    nautical: Option<MomentSpan>,
    /// More than 18°: dark.
    astronomical: Option<MomentSpan>,
    /// When the sun is as low as the station's rule asks.
    allowed: Option<MomentSpan>,
    /// The sun's lowest elevation in degrees.
    lowest_sun: f64,
    /// Minutes of darkness from now on.
    dark_minutes: i64,
    /// The same without the moon.
    moonless_minutes: i64,
}

/// The moon.
#[derive(Serialize, JsonSchema)]
struct MoonItem {
    /// Degrees above the horizon now.
    elevation: f64,
    /// Degrees from north through east.
    azimuth: f64,
    /// Share of the disc that is lit, 0 to 1.
    lit: f64,
    /// Whether that grows.
    waxing: bool,
    /// Its next rise; null where it has none within a lunar day.
    rise: Option<Moment>,
    /// Its next set; likewise.
    set: Option<Moment>,
}

pub(super) fn configure(routes: &mut Routes<'_>) {
    let operation = Operation::new(Tag::Program, "Whether tonight is a night to observe")
        .details(
            "One word from the station's [station.safety] (where there is none, from the usual \
             thresholds), the last hour and the coming night: `observe` only of a sky that is \
             safe. With twilights, moon and the hours of darkness that are left.",
        )
        .query(NONE)
        .record()
        .named()
        .json::<TonightItem>("The answer");
    routes.read(&of_station("tonight"), operation, get);
}

/// The station of the settings, or what the record knows of it.
async fn place(state: &WebState, id: &str) -> Result<Arc<Station>, Problem> {
    if let Some(station) = state.station(id) {
        return Ok(station);
    }
    let stations = state.pool.ask(|reader| reader.stations()).await?;
    let Some(known) = stations.into_iter().find(|station| station.id == id) else {
        return Err(Problem::no_such_station(id));
    };
    Ok(Arc::new(Station {
        zone: known.time_zone.parse::<Zone>().map_err(|_| Problem::internal())?,
        id: known.id,
        name: known.name,
        latitude: known.latitude,
        longitude: known.longitude,
        ..Station::rio_grande()
    }))
}

async fn get(
    state: web::Data<WebState>,
    station: StationId,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    query::nothing(request.query_string())?;
    let station = place(&state, &station).await?;
    let (tonight, now) = (state.recent.tonight(&station), state.recent.now());
    let text = tonight.reason.text().get(language(request.headers())).to_owned();
    live(&item(&station, &tonight, now, text))
}

fn item(station: &Station, tonight: &Tonight, now: DateTime<Utc>, text: String) -> TonightItem {
    let moment = |at: DateTime<Utc>| Moment {
        utc: at.to_rfc3339_opts(SecondsFormat::Secs, true),
        local: station.zone.local(at).format("%Y-%m-%dT%H:%M").to_string(),
    };
    let span = |(from, to): Period| MomentSpan { from: moment(from), to: moment(to) };
    let since = |is_clear| {
        let row = tonight.since.filter(|row: &SkySince| row.is_clear == is_clear);
        row.map(|row| moment(row.at))
    };
    let night = &tonight.night;
    let (rise, set) = moon_events(now, station.latitude, station.longitude);
    let moon = moon::position(now, station.latitude, station.longitude);
    TonightItem {
        station: station.id.clone(),
        advice: tonight.advice.as_str(),
        reason: tonight.reason.as_str(),
        text,
        by_usual_rule: tonight.by_usual_rule,
        tendency: tonight.tendency.map(|tendency| tendency.direction().as_str()),
        oktas_an_hour: tonight.tendency.map(|tendency| tendency.oktas_an_hour),
        clear_since: since(true),
        cloudy_since: since(false),
        since_or_before: tonight.since.is_some_and(|row| row.or_before),
        night: NightItem {
            kind: night.kind.as_str(),
            span: span(night.span),
            civil: night.civil.map(span),
            nautical: night.nautical.map(span),
            astronomical: night.astronomical.map(span),
            allowed: tonight.allowed.map(span),
            lowest_sun: night.lowest,
            dark_minutes: night.dark_left(now).num_minutes(),
            moonless_minutes: night.moonless_left(now).num_minutes(),
        },
        moon: MoonItem {
            elevation: moon.elevation,
            azimuth: moon.azimuth,
            lit: moon.lit,
            waxing: moon.is_waxing,
            rise: rise.map(moment),
            set: set.map(moment),
        },
    }
}
