//! The picture of a slot, and the same with the model's mask.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use serde::Deserialize;

use crate::store::rows::parse_slot;
use crate::web::WebState;
use crate::web::camera::{Shot, layout_of};
use crate::web::limiter::Limiter;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::{Problem, ProblemCode, shortened};
use crate::web::query::{self, NONE, Parameter, Parameters, Values};
use crate::web::routes::Routes;
use crate::web::v1::of_station;
use crate::web::v1::stations::{self, StationId};
use celaje_sky::say;
use celaje_sky::slot::Slot;
use celaje_sky::station::Station;
use celaje_vision::picture::smaller::smaller;

/// Browsers may cache a picture: it does not change once its slot has a reading.
const KEPT: &str = "private, max-age=3600";

/// The slot in the path of a picture or a label.
#[derive(Deserialize)]
pub(super) struct SlotPart {
    pub(super) slot: String,
}

/// Pictures that are made smaller at once, and that wait for it.
const AT_ONCE: usize = 2;
const WAITING: usize = 64;
/// The longest time that one waits.
const PATIENCE: Duration = Duration::from_secs(10);

const WIDTH: Parameter = Parameter::new(
    "width",
    Values::Number { least: 64, most: 4096, usual: None },
    "pixels of the width at most, for small screens and slow lines; without it the picture as the \
     camera gave it",
);
const PARAMETERS: &[Parameter] = &[WIDTH];

/// Bounds the pictures that are made smaller at once.
pub(crate) fn limiter() -> Limiter {
    Limiter::new(AT_ONCE, WAITING, PATIENCE)
}

pub(super) fn configure(routes: &mut Routes<'_>) {
    let operation = |summary| {
        Operation::new(Tag::Pictures, summary)
            .record()
            .named()
            .fails(&[ProblemCode::CameraFailed, ProblemCode::CameraTimeout])
    };
    let plain = operation("The picture of a reading, from the camera")
        .query(PARAMETERS)
        .media(&["image/jpeg", "image/png"], "The picture");
    routes.read(&of_station("slots/{slot}/picture"), plain, picture);
    let masked =
        operation("The picture of a reading with the model's mask over it").query(NONE).media(
            &["image/png"],
            "The picture: cloud amber, sky bluish, dark where the model does not judge",
        );
    routes.read(&of_station("slots/{slot}/overlay"), masked, overlay);
}

async fn picture(
    state: web::Data<WebState>,
    station: StationId,
    place: web::Path<SlotPart>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query = Parameters::read_picture(request.query_string(), PARAMETERS)?;
    let width = query.number(&WIDTH)?.and_then(|width| u32::try_from(width).ok());
    let (shot, _) = shot(&state, &station, &place.slot).await?;
    let small = match width {
        Some(width) => narrowed(&state, Arc::clone(&shot), width).await,
        None => None,
    };
    let media = if small.is_some() { "image/jpeg" } else { shot.media_type() };
    Ok(HttpResponse::Ok()
        .content_type(media)
        .insert_header((header::CACHE_CONTROL, KEPT))
        .body(small.unwrap_or_else(|| shot.bytes.clone())))
}

/// The picture with that width; none where it is no wider, cannot be read, or too many wait: then
/// the whole one does.
async fn narrowed(state: &WebState, shot: Arc<Shot>, width: u32) -> Option<Bytes> {
    let permit = state.pictures.permit().await.ok()?;
    let limits = state.overlays().limits();
    let small = permit.run(move || smaller(&shot.bytes, width, &limits).ok().flatten());
    small.await.ok().flatten().map(Bytes::from)
}

async fn overlay(
    state: web::Data<WebState>,
    station: StationId,
    place: web::Path<SlotPart>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    query::picture(request.query_string())?;
    let (shot, station) = shot(&state, &station, &place.slot).await?;
    let png = state.overlays().overlay(shot.bytes.clone(), station.region.clone()).await?;
    Ok(HttpResponse::Ok()
        .content_type("image/png")
        .insert_header((header::CACHE_CONTROL, KEPT))
        .body(png))
}

async fn shot(
    state: &WebState,
    id: &str,
    text: &str,
) -> Result<(Arc<Shot>, Arc<Station>), Problem> {
    let Some(local) = parse_slot(text) else {
        let text = shortened(text);
        return Err(Problem::new(
            ProblemCode::BadParameter,
            say!(
                "'{text}' is no slot; write it as 2024-01-31T08:02, station local time",
                "'{text}' no es un turno; escríbalo como 2024-01-31T08:02, hora local de la \
                estación"
            ),
        )
        .of("slot"));
    };
    stations::known(state, id).await?;
    let Some(station) = state.station(id) else {
        let id = shortened(id);
        return Err(Problem::not_found(say!(
            "the settings of this server do not say where the pictures of '{id}' are",
            "los ajustes de este servidor no dicen dónde están las imágenes de '{id}'"
        )));
    };
    // Only slots with a reading: a client must not make the server search the camera.
    let wanted = id.to_owned();
    let item = state.pool.ask(move |reader| reader.observation(&wanted, local)).await?;
    let (Some(slot), Some(item)) = (Slot::at(local, station.zone), item) else {
        let text = shortened(text);
        return Err(Problem::not_found(say!(
            "the record has no reading of {text}",
            "el registro no tiene una lectura de {text}"
        ))
        .of("slot"));
    };
    let layout = item.url.as_deref().map(|url| layout_of(url, slot));
    let shot = state.cameras.shot(&station, slot, layout).await?;
    Ok((shot, station))
}
