//! Whether a station's sky is safe, for INDI's Weather Safety Proxy and for programs that read
//! Boltwood's one-line file.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::daemon::boltwood;
use crate::daemon::recent::RecentReadings;
use crate::web::WebState;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::Problem;
use crate::web::query::{self, NONE};
use crate::web::reply::live;
use crate::web::routes::Routes;
use crate::web::v1::of_station;
use crate::web::v1::stations::StationId;
use celaje_sky::text::Lang;

/// Whether a sky is safe. Of clouds alone: Celaje sees neither rain nor wind.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Safety")]
struct SafetyItem {
    /// Station, by its id.
    station: String,
    /// Whether it is.
    safe: bool,
    /// Why: `not_configured`, `clock_in_doubt`, `no_reading`, `stale`, `obscured`, `frozen`,
    /// `placeholder`, `lens_obstructed`, `not_measured`, `daylight`, `darkness`, `clouds`,
    /// `low_confidence`, `waiting` or `clear`.
    reason: &'static str,
    /// The same in words.
    text: String,
    /// Since when the readings say so, where that is known.
    since: Option<DateTime<Utc>>,
    /// The moment of the last reading.
    reading_at: Option<DateTime<Utc>>,
    /// 0 to 8, or 9 where the sky cannot be seen.
    okta: Option<u8>,
    /// The moment of this answer, as INDI's Weather Safety Proxy reads it.
    timestamp_utc: String,
    /// The answer as INDI's Weather Safety Proxy reads it.
    roof_status: RoofStatus,
}

#[derive(Serialize, JsonSchema)]
struct RoofStatus {
    /// 1 if the roof may open, else 0.
    open_ok: u8,
    /// Why.
    reasons: String,
}

pub(super) fn configure(routes: &mut Routes<'_>) {
    let operation = Operation::new(Tag::Program, "Whether the sky is safe")
        .details(
            "By the station's [station.safety], of clouds alone, computed at this moment from \
             readings in memory. In the form that INDI's Weather Safety Proxy reads, too.",
        )
        .query(NONE)
        .record()
        .named()
        .json::<SafetyItem>("Whether it is, and why");
    routes.read(&of_station("safety"), operation, get);
    let operation = Operation::new(Tag::Program, "The sky as Boltwood's one-line file")
        .query(NONE)
        .record()
        .named()
        .media(&["text/plain"], "One line");
    routes.read(&of_station("boltwood"), operation, line);
}

async fn get(
    state: web::Data<WebState>,
    station: StationId,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    query::nothing(request.query_string())?;
    let recent = &state.recent;
    let Some(safety) = recent.safety(&station) else {
        return Err(Problem::no_such_station(&station));
    };
    let text = safety.reason.text();
    let latest = recent.latest(&station);
    live(&SafetyItem {
        station: station.to_owned(),
        safe: safety.safe,
        reason: safety.reason.as_str(),
        text: text.get(crate::web::problem::language(request.headers())).to_owned(),
        since: safety.since,
        reading_at: latest.as_ref().map(|reading| reading.at),
        okta: latest.as_ref().map(|reading| reading.cover.code()),
        timestamp_utc: recent.now().format("%Y-%m-%dT%H:%M:%S").to_string(),
        roof_status: RoofStatus {
            open_ok: u8::from(safety.safe),
            reasons: text.get(Lang::En).to_owned(),
        },
    })
}

async fn line(
    state: web::Data<WebState>,
    station: StationId,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    query::nothing(request.query_string())?;
    let recent: &RecentReadings = &state.recent;
    let Some(line) = boltwood::line(recent, &station) else {
        return Err(Problem::no_such_station(&station));
    };
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(line))
}
