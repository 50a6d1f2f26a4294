//! The stations of the record, and the station that a path means.

use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use futures_util::future::LocalBoxFuture;
use serde::Deserialize;

use crate::store::reader::{NightRule, StationItem, ZoneItem};
use crate::web::WebState;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::Problem;
use crate::web::query::{self, NONE};
use crate::web::reply::{Format, Tagged};
use crate::web::routes::Routes;
use celaje_sky::slot::Zone;

pub(super) fn configure(routes: &mut Routes<'_>) {
    let operation = Operation::new(Tag::Record, "The stations of the record")
        .query(NONE)
        .record()
        .json::<Vec<StationItem>>("The stations")
        .tagged();
    routes.read(&["/api/v1/stations"], operation, all);
}

async fn all(state: web::Data<WebState>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    query::nothing(request.query_string())?;
    let tagged = Tagged::new(&state.pool.version().await?, Format::Json);
    if let Some(same) = tagged.unchanged(&request) {
        return Ok(same);
    }
    let mut items = state.pool.ask(|reader| reader.stations()).await?;
    for item in &mut items {
        let Some(station) = state.station(&item.id) else { continue };
        item.minutes = Some(station.minutes.as_slice().to_vec());
        item.has_lens = station.region.lens.is_some();
        let zones = station.region.zones.iter();
        item.zones = zones
            .map(|zone| ZoneItem { name: zone.name.clone(), polygon: zone.polygon.clone() })
            .collect();
    }
    Ok(tagged.ok().json(items))
}

/// The id of the station in a request's path, known or not; the record's own where the path names
/// none.
pub(super) struct StationId(String);

#[derive(Deserialize)]
struct StationPart {
    station: Option<String>,
}

impl StationId {
    pub(super) fn into_inner(self) -> String {
        self.0
    }
}

impl Deref for StationId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl FromRequest for StationId {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let state = request.app_data::<web::Data<WebState>>().cloned();
        let part = web::Path::<StationPart>::from_request(request, payload).into_inner();
        Box::pin(async move {
            let named = part.map_err(|_| Problem::no_such_path())?.into_inner().station;
            if let Some(named) = named {
                return Ok(Self(named));
            }
            let state = state.ok_or_else(Problem::internal)?;
            let home = state.pool.ask(|reader| reader.home_station()).await?;
            home.map(Self).ok_or_else(Problem::no_such_path)
        })
    }
}

/// The station with this id, as the record has it.
///
/// # Errors
/// If it has none.
pub(super) async fn item(state: &WebState, id: &str) -> Result<StationItem, Problem> {
    let stations = state.pool.ask(|reader| reader.stations()).await?;
    let found = stations.into_iter().find(|station| station.id == id);
    found.ok_or_else(|| Problem::no_such_station(id))
}

/// What tells the nights of `station` apart.
pub(super) fn night_rule(state: &WebState, station: &StationItem) -> Result<NightRule, Problem> {
    Ok(NightRule {
        latitude: station.latitude,
        longitude: station.longitude,
        zone: station.time_zone.parse::<Zone>().map_err(|_| Problem::internal())?,
        minutes: state.station(&station.id).map(|station| station.minutes.clone()),
    })
}

/// Whether the record has this station.
///
/// # Errors
/// If it has not.
pub(super) async fn known(state: &WebState, id: &str) -> Result<(), Problem> {
    let wanted = id.to_owned();
    let found = state.pool.ask(move |reader| reader.has_station(&wanted)).await?;
    if found { Ok(()) } else { Err(Problem::no_such_station(id)) }
}
