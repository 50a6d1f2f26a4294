//! How right the readings of a station are, and the confidence that follows from it.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::store::CalibrationItem;
use crate::store::reader::SkillReport;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::Problem;
use crate::web::query::{self, NONE};
use crate::web::reply::{Format, Tagged};
use crate::web::routes::Routes;
use crate::web::v1::labels::write;
use crate::web::v1::of_station;
use crate::web::v1::stations::{self, StationId};
use crate::web::{WebState, token};
use celaje_sky::say;

pub(super) fn configure(routes: &mut Routes<'_>) {
    let operation = Operation::new(Tag::Labels, "How right the readings are, by the labels")
        .details(
            "Of the model of the newest reading, from the pictures that were drawn at random; the \
             first label of a picture counts.",
        )
        .query(NONE)
        .record()
        .named()
        .json::<SkillReport>("The figures")
        .tagged();
    routes.read(&of_station("skill"), operation, skill);
    let order = |summary| Operation::new(Tag::Labels, summary).query(NONE).record().named().token();
    let fit = order("Fit the confidence to the labels, for the readings to come")
        .json_at::<CalibrationItem>(201, "The calibration");
    let end = order("Have the model's own confidence hold again, for the readings to come")
        .empty(204, "It holds");
    routes.at(&of_station("calibration"), |methods| {
        methods.post(fit, calibrate).delete(end, end_calibration)
    });
}

async fn skill(
    state: web::Data<WebState>,
    station: StationId,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    query::nothing(request.query_string())?;
    let tagged = Tagged::new(&state.pool.version().await?, Format::Json);
    stations::known(&state, &station).await?;
    if let Some(same) = tagged.unchanged(&request) {
        return Ok(same);
    }
    let station = station.into_inner();
    let report = state.pool.ask(move |reader| reader.skill(&station)).await?;
    Ok(tagged.ok().json(report))
}

async fn calibrate(
    state: web::Data<WebState>,
    station: StationId,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    token::demand(state.token.as_ref(), &request)?;
    query::nothing(request.query_string())?;
    stations::known(&state, &station).await?;
    let wanted = station.to_string();
    let report = state.pool.ask(move |reader| reader.skill(&wanted)).await?;
    if report.offered.labels == 0 {
        return Err(no_labels());
    }
    let stored = write(&state, &station, |database| database.calibrate()).await?;
    let Some(item) = stored else {
        return Err(no_labels());
    };
    let (model, labels) = (&item.model, item.labels);
    tracing::info!(station = %*station, model, labels, "the confidence was fitted to labels");
    Ok(HttpResponse::Created().json(item))
}

async fn end_calibration(
    state: web::Data<WebState>,
    station: StationId,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    token::demand(state.token.as_ref(), &request)?;
    query::nothing(request.query_string())?;
    stations::known(&state, &station).await?;
    write(&state, &station, |database| database.end_calibration()).await?;
    tracing::info!(station = %*station, "the model's own confidence holds again");
    Ok(HttpResponse::NoContent().finish())
}

fn no_labels() -> Problem {
    Problem::not_found(say!(
        "there is no label of a reading of the present model; label some pictures first",
        "no hay ninguna etiqueta de una lectura del modelo actual; etiquete antes algunas imágenes"
    ))
}
