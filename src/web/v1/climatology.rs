//! What the sky of a station is usually like.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::store::reader::{Climatology, NightRule, Wanted};
use crate::store::rows::slot_text;
use crate::web::WebState;
use crate::web::problem::Problem;
use crate::web::query;
use crate::web::reply::{Format, Tagged};
use celaje_sky::slot::Zone;

#[derive(Serialize)]
struct ClimatologyView {
    station: String,
    from: Option<String>,
    to: Option<String>,
    #[serde(flatten)]
    climatology: Climatology,
}

/// `/api/v1/stations/{station}/climatology`.
pub(super) async fn get(
    state: web::Data<WebState>,
    station: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let range = query::climatology(request.query_string())?;
    let tagged = Tagged::new(&state.pool.version().await?, Format::Json);
    let id = station.into_inner();
    let stations = state.pool.ask(|reader| reader.stations()).await?;
    let Some(station) = stations.into_iter().find(|station| station.id == id) else {
        return Err(Problem::no_such_station(&id));
    };
    if let Some(same) = tagged.unchanged(&request) {
        return Ok(same);
    }
    let rule = NightRule {
        latitude: station.latitude,
        longitude: station.longitude,
        zone: station.time_zone.parse::<Zone>().map_err(|_| Problem::internal())?,
        minutes: state.station(&id).map(|station| station.minutes.clone()),
    };
    let (from, to) = range.closed();
    let wanted = Wanted::all(&id, (from, to));
    let climatology = state.pool.ask(move |reader| reader.climatology(&wanted, &rule)).await?;
    Ok(tagged.ok().json(ClimatologyView {
        station: id,
        from: range.from.map(slot_text),
        to: range.to.map(slot_text),
        climatology,
    }))
}
