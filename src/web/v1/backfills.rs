//! Backfills. To start and to cancel them needs the token.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::daemon::operator::{JobId, JobState, Refused};
use crate::service::request::check_range;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::{Problem, ProblemCode, shortened};
use crate::web::query::{self, NONE, Range};
use crate::web::reply::live;
use crate::web::routes::Routes;
use crate::web::v1::stations::{self, StationId};
use crate::web::{WebState, body, token};
use celaje_sky::say;
use celaje_sky::slot::SlotRange;

const EXAMPLE: &str = r#"{"from": "2024-01-01", "to": "2024-01-31"}"#;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BackfillOrder {
    /// First minute, station local time: YYYY-MM-DD or YYYY-MM-DDTHH:MM.
    from: String,
    /// Last minute, included.
    to: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct Accepted {
    job: JobId,
}

#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct BackfillList {
    items: Vec<JobState>,
}

pub(super) fn configure(routes: &mut Routes<'_>) {
    let operation = |summary| Operation::new(Tag::Program, summary).query(NONE);
    let order = operation("Have a range filled")
        .record()
        .named()
        .token()
        .body::<BackfillOrder>(EXAMPLE)
        .json_at::<Accepted>(202, "The backfill waits for its turn; Location is its path");
    routes.at(&["/api/v1/stations/{station}/backfills"], |methods| {
        methods.post(order.clone(), start)
    });
    let all = operation("Backfills of this process that wait, run or ended lately")
        .json::<BackfillList>("The backfills");
    routes.at(&["/api/v1/backfills"], |methods| methods.get(all, list).post(order, start));
    let job = operation("A backfill").named().json::<JobState>("The backfill");
    let end = operation("Cancel a backfill").named().token().empty(204, "It is cancelled");
    routes.at(&["/api/v1/backfills/{job}"], |methods| methods.get(job, one).delete(end, cancel));
}

async fn start(
    state: web::Data<WebState>,
    station: StationId,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    token::demand(state.token.as_ref(), &request)?;
    query::nothing(request.query_string())?;
    let order = body::json::<BackfillOrder>(&request, payload, EXAMPLE).await?;
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

async fn cancel(
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

async fn list(state: web::Data<WebState>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    query::nothing(request.query_string())?;
    live(&BackfillList { items: state.operator.state().jobs })
}

async fn one(
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

fn range(order: &BackfillOrder) -> Result<SlotRange, Problem> {
    let (from, to) =
        Range::ordered(query::moment("from", &order.from)?, query::moment("to", &order.to)?)?;
    SlotRange::new(from, to).map_err(|_| Problem::internal())
}

pub(super) fn refused(refused: Refused) -> Problem {
    let text = refused.text();
    match refused {
        Refused::ReadOnly => Problem::new(ProblemCode::Forbidden, text),
        Refused::UnknownStation(_) => Problem::not_found(text).of("station"),
        Refused::UnknownJob(_) => Problem::not_found(text).of("job"),
        Refused::BadRange(_) => Problem::new(ProblemCode::BadParameter, text).of("from"),
        Refused::Full(_) => Problem::new(ProblemCode::Busy, text).after(60),
        Refused::Stopping => Problem::new(ProblemCode::Unavailable, text).after(10),
    }
}
