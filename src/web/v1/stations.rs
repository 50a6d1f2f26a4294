//! The stations of the record.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::web::WebState;
use crate::web::problem::Problem;
use crate::web::query;
use crate::web::reply::{Format, Tagged};

/// `/api/v1/stations`.
pub(super) async fn all(
    state: web::Data<WebState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    query::nothing(request.query_string())?;
    let tagged = Tagged::new(&state.pool.version().await?, Format::Json);
    if let Some(same) = tagged.unchanged(&request) {
        return Ok(same);
    }
    let mut items = state.pool.ask(|reader| reader.stations()).await?;
    for item in &mut items {
        item.minutes = state.station(&item.id).map(|station| station.minutes.as_slice().to_vec());
    }
    Ok(tagged.ok().json(items))
}

/// The station that a path names, when the record has it.
///
/// # Errors
/// When it has not.
pub(super) async fn known(state: &WebState, id: &str) -> Result<(), Problem> {
    let wanted = id.to_owned();
    let found = state.pool.ask(move |reader| reader.has_station(&wanted)).await?;
    if found { Ok(()) } else { Err(Problem::no_such_station(id)) }
}
