//! Backfills: started, cancelled and listed. What changes something needs the token.

use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use crate::daemon::operator::{JobId, JobState, Refused};
use crate::service::request::check_range;
use crate::web::problem::{Problem, shortened};
use crate::web::query::{self, Range};
use crate::web::reply::live;
use crate::web::v1::stations;
use crate::web::{LONGEST_BODY, WebState, token};
use celaje_sky::say;
use celaje_sky::slot::SlotRange;

/// How long a body may take to come.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BackfillOrder {
    from: String,
    to: String,
}

#[derive(Serialize)]
struct Accepted {
    job: JobId,
}

#[derive(Serialize)]
struct BackfillList {
    items: Vec<JobState>,
}

/// `POST /api/v1/stations/{station}/backfills`.
pub(super) async fn start(
    state: web::Data<WebState>,
    station: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    token::demand(state.token.as_ref(), &request)?;
    query::nothing(request.query_string())?;
    let order = order(&request, payload).await?;
    stations::known(&state, &station).await?;
    let range = range(&order)?;
    if let Some(station) = state.station(&station) {
        check_range(range, &station).map_err(|failure| refused(Refused::BadRange(failure.text)))?;
    }
    let job = state.operator.start_backfill(&station, range).map_err(refused)?;
    let JobId(number) = job;
    tracing::info!(job = number, station = %*station, "a backfill was asked for through the API");
    let body = serde_json::to_vec(&Accepted { job }).map_err(|_| Problem::internal())?;
    Ok(HttpResponse::Accepted()
        .content_type("application/json")
        .insert_header((header::LOCATION, format!("/api/v1/backfills/{number}")))
        .body(body))
}

/// `DELETE /api/v1/backfills/{job}`.
pub(super) async fn cancel(
    state: web::Data<WebState>,
    job: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    token::demand(state.token.as_ref(), &request)?;
    query::nothing(request.query_string())?;
    let job = number(&job)?;
    state.operator.cancel(job).map_err(refused)?;
    tracing::info!(job = job.0, "a backfill was cancelled through the API");
    Ok(HttpResponse::NoContent().finish())
}

/// `/api/v1/backfills`.
pub(super) async fn list(
    state: web::Data<WebState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    query::nothing(request.query_string())?;
    live(&BackfillList { items: state.operator.state().jobs })
}

/// `/api/v1/backfills/{job}`.
pub(super) async fn one(
    state: web::Data<WebState>,
    job: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    query::nothing(request.query_string())?;
    let job = number(&job)?;
    let jobs = state.operator.state().jobs;
    match jobs.iter().find(|known| known.job == job) {
        Some(job) => live(job),
        None => Err(refused(Refused::UnknownJob(job))),
    }
}

fn number(text: &str) -> Result<JobId, Problem> {
    text.parse().map(JobId).map_err(|_| {
        let text = shortened(text);
        Problem::not_found(say!(
            "'{text}' is no backfill; GET /api/v1/backfills lists them",
            "'{text}' no es un backfill; GET /api/v1/backfills los enumera"
        ))
        .of("job")
    })
}

async fn order(request: &HttpRequest, payload: web::Payload) -> Result<BackfillOrder, Problem> {
    let json = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    if !json {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            say!("send the order as application/json", "envíe la orden como application/json"),
        )
        .of("Content-Type"));
    }
    let body = tokio::time::timeout(BODY_PATIENCE, payload.to_bytes_limited(LONGEST_BODY)).await;
    let body = match body {
        Ok(Ok(Ok(body))) => body,
        Ok(Ok(Err(_))) => return Err(bad_order("?")),
        Ok(Err(_)) => {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                say!(
                    "the body has more than {LONGEST_BODY} bytes",
                    "el cuerpo tiene más de {LONGEST_BODY} bytes"
                ),
            ));
        }
        Err(_) => {
            return Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                say!("the body did not come in time", "el cuerpo no llegó a tiempo"),
            ));
        }
    };
    serde_json::from_slice(&body).map_err(|error| bad_order(&error.to_string()))
}

fn bad_order(why: &str) -> Problem {
    let why = shortened(why);
    Problem::new(
        StatusCode::BAD_REQUEST,
        say!(
            "the order cannot be read ({why}); write \
            {{\"from\":\"2024-01-01\",\"to\":\"2024-01-31\"}}",
            "no se puede leer la orden ({why}); escriba \
            {{\"from\":\"2024-01-01\",\"to\":\"2024-01-31\"}}"
        ),
    )
    .of("body")
}

fn range(order: &BackfillOrder) -> Result<SlotRange, Problem> {
    let (from, to) =
        Range::ordered(query::moment("from", &order.from)?, query::moment("to", &order.to)?)?;
    SlotRange::new(from, to).map_err(|_| Problem::internal())
}

fn refused(refused: Refused) -> Problem {
    let text = refused.text();
    match refused {
        Refused::ReadOnly => Problem::new(StatusCode::FORBIDDEN, text),
        Refused::UnknownStation(_) => Problem::not_found(text).of("station"),
        Refused::UnknownJob(_) => Problem::not_found(text).of("job"),
        Refused::BadRange(_) => Problem::new(StatusCode::BAD_REQUEST, text).of("from"),
        Refused::Full(_) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, text).after(60),
        Refused::Stopping => Problem::new(StatusCode::SERVICE_UNAVAILABLE, text).after(10),
    }
}
