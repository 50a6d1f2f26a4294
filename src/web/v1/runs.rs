//! Runs and their progress.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::daemon::operator::JobProgress;
use crate::store::reader::{ReasonCount, RunItem};
use crate::store::rows::parse_timestamp;
use crate::web::WebState;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::{Problem, shortened};
use crate::web::query::{self, NONE, RUNS};
use crate::web::reply::{Format, Tagged, live};
use crate::web::routes::Routes;
use crate::web::rows::Rows;
use crate::web::v1::forms;
use crate::web::v1::list::{ListPage, head, tail};
use crate::web::v1::stations;
use celaje_sky::say;

pub(super) fn configure(routes: &mut Routes<'_>) {
    let operation = |summary| Operation::new(Tag::Program, summary).record();
    let list = |summary| {
        operation(summary)
            .query(RUNS)
            .list::<ListPage<NoHead, RunItem>>("A page of runs, the latest first")
            .tagged()
    };
    routes.read(&forms(&["/api/v1/runs"]), list("Runs of the program"), all);
    let own = list("Runs of the program for a station").named();
    routes.read(&forms(&["/api/v1/stations/{station}/runs"]), own, of_station);
    let run = |summary| operation(summary).query(NONE).named().json::<RunView>("The run");
    routes.read(&["/api/v1/runs/{run}"], run("A run and its progress"), one);
    let own = run("A run of a station and its progress");
    routes.read(&["/api/v1/stations/{station}/runs/{run}"], own, one_of_station);
}

/// The head of a list that says nothing but its items.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct NoHead {}

async fn all(state: web::Data<WebState>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    list(&state, None, &request).await
}

async fn of_station(
    state: web::Data<WebState>,
    station: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    stations::known(&state, &station).await?;
    list(&state, Some(station.into_inner()), &request).await
}

async fn list(
    state: &WebState,
    station: Option<String>,
    request: &HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query = query::runs(request.query_string())?;
    let format = Format::of(request);
    let tagged = Tagged::new(&state.pool.version().await?, format);
    if let Some(same) = tagged.unchanged(request) {
        return Ok(same);
    }
    let mut items = state
        .pool
        .ask(move |reader| reader.runs(station.as_deref(), query.before, query.limit + 1))
        .await?;
    let more = items.len() > query.limit;
    items.truncate(query.limit);
    let mut rows = Rows::<RunItem>::begin(format, &head(NoHead {}));
    items.iter().for_each(|item| rows.push(item));
    let next = items.last().filter(|_| more).map(|item| item.id.to_string());
    Ok(tagged.ok().body(rows.end(&tail(next.as_deref()))))
}

/// A run and its progress.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RunProgress")]
struct RunView {
    #[serde(flatten)]
    run: RunItem,
    progress: JobProgress,
}

async fn one(
    state: web::Data<WebState>,
    run: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    query::nothing(request.query_string())?;
    with_progress(&state, &run, None).await
}

async fn one_of_station(
    state: web::Data<WebState>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    query::nothing(request.query_string())?;
    let (station, run) = path.into_inner();
    with_progress(&state, &run, Some(&station)).await
}

async fn with_progress(
    state: &WebState,
    run: &str,
    station: Option<&str>,
) -> Result<HttpResponse, Problem> {
    let id = run.parse::<i64>().ok();
    let found = match id {
        None => None,
        Some(id) => {
            state
                .pool
                .ask(move |reader| {
                    Ok(match reader.run(id)? {
                        Some(run) => Some((run, reader.missed_in(id)?)),
                        None => None,
                    })
                })
                .await?
        }
    };
    let found = found.filter(|(run, _)| station.is_none_or(|station| run.station == station));
    let Some((run, missed)) = found else {
        let run = shortened(run);
        return Err(Problem::not_found(say!(
            "the record has no run '{run}'; /api/v1/runs lists them",
            "el registro no tiene una ejecución '{run}'; /api/v1/runs las enumera"
        ))
        .of("run"));
    };
    let live_job = state.operator.state().jobs.into_iter().find(|job| job.run == Some(run.id));
    let progress = match live_job {
        Some(job) if run.status == "running" => job.progress,
        _ => recorded(&run, missed, state.clock.now()),
    };
    live(&RunView { run, progress })
}

/// The progress of a run as the record has it.
fn recorded(run: &RunItem, missed: Vec<ReasonCount>, now: DateTime<Utc>) -> JobProgress {
    let number = |n: i64| u64::try_from(n).unwrap_or(0);
    let missed: BTreeMap<String, u64> =
        missed.into_iter().map(|count| (count.reason, number(count.n))).collect();
    let done = number(run.new) + number(run.duplicates) + number(run.missed);
    let planned = number(run.total);
    let end = run.finished_at.as_deref().and_then(parse_timestamp);
    let running = run.status == "running";
    let seconds = parse_timestamp(&run.started_at)
        .map(|start| (end.unwrap_or(now) - start).num_milliseconds() as f64 / 1000.0)
        .filter(|seconds| *seconds > 0.0);
    let rate = seconds.map(|seconds| done as f64 / seconds);
    JobProgress {
        planned,
        // A run has only slots that were due.
        pending: 0,
        new: number(run.new),
        duplicates: number(run.duplicates),
        missed,
        in_flight: 0,
        rate,
        eta_s: rate
            .filter(|rate| running && *rate > 0.0)
            .map(|rate| planned.saturating_sub(done) as f64 / rate),
    }
}
