//! Readings: each of them, or summed up.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::NaiveDateTime;

use crate::store::reader::{Bucket, Wanted, Width};
use crate::store::rows::{parse_slot, slot_text};
use crate::web::WebState;
use crate::web::problem::Problem;
use crate::web::query::{self, By, ObservationsQuery, Range, resumed};
use crate::web::reply::{Format, Tagged};
use crate::web::rows::Rows;
use crate::web::stream::PART;
use crate::web::v1::list::{List, ListPart, tail};
use crate::web::v1::stations;
use celaje_sky::say;
use celaje_sky::slot::SlotRange;
use celaje_sky::station::Station;

/// `/api/v1/stations/{station}/observations`.
pub(super) async fn list(
    state: web::Data<WebState>,
    station: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query = query::observations(request.query_string())?;
    let format = Format::of(&request);
    let tagged = Tagged::new(&state.pool.version().await?, format);
    stations::known(&state, &station).await?;
    if let Some(same) = tagged.unchanged(&request) {
        return Ok(same);
    }
    let (from, to) = query.range.closed();
    let wanted = Wanted {
        station: station.into_inner(),
        from: resumed(from, query.after),
        to,
        quality: query.quality.clone(),
        phase: query.phase,
    };
    let head = head(&wanted.station, query.by, query.range);
    match query.by {
        By::Raw => raw(&state, &tagged, format, wanted, query.limit, head).await,
        By::Sum(width) => summed(&state, &tagged, format, wanted, &query, width, &head).await,
    }
}

/// What stands before the list in JSON.
fn head(station: &str, by: By, range: Range) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let edge = |edge: Option<NaiveDateTime>| {
        edge.map_or("null".to_owned(), |edge| quoted(&slot_text(edge)))
    };
    format!(
        "{{\"station\":{},\"by\":\"{}\",\"from\":{},\"to\":{},\"items\":[",
        quoted(station),
        by.as_str(),
        edge(range.from),
        edge(range.to)
    )
}

async fn raw(
    state: &WebState,
    tagged: &Tagged,
    format: Format,
    wanted: Wanted,
    limit: usize,
    head: String,
) -> Result<HttpResponse, Problem> {
    let list = List { from: wanted.from, to: wanted.to, limit, format, head };
    list.answer(&state.pool, tagged, move |reader, from, most, rows| {
        let wanted = Wanted { from, ..wanted.clone() };
        let mut items = Vec::with_capacity(most.min(PART) + 1);
        reader.observations(&wanted, most + 1, |item| items.push(item))?;
        let more = items.len() > most;
        items.truncate(most);
        let (Some(first), Some(last)) = (items.first(), items.last()) else {
            return Ok(ListPart::default());
        };
        let shadows = reader.shadows(&wanted.station, &first.slot, &last.slot)?;
        let mut beside = shadows.as_slice();
        for item in &items {
            let before = beside.partition_point(|shadow| shadow.slot < item.slot);
            let (_, rest) = beside.split_at(before);
            let own = rest.partition_point(|shadow| shadow.slot == item.slot);
            let (own, rest) = rest.split_at(own);
            rows.push_with(item, "shadow", own);
            beside = rest;
        }
        Ok(ListPart { n: items.len(), last: Some(last.slot.clone()), more })
    })
    .await
}

async fn summed(
    state: &WebState,
    tagged: &Tagged,
    format: Format,
    wanted: Wanted,
    query: &ObservationsQuery,
    width: Width,
    head: &str,
) -> Result<HttpResponse, Problem> {
    let limit = query.limit;
    let configured = state.station(&wanted.station);
    let range = query.range.closed();
    let mut buckets = if wanted.from <= wanted.to {
        state
            .pool
            .ask(move |reader| {
                let mut buckets = reader.buckets(&wanted, width, limit + 1)?;
                if let Some(station) = configured {
                    for bucket in &mut buckets {
                        bucket.slots = slots(bucket, width, range, &station);
                    }
                }
                Ok(buckets)
            })
            .await?
    } else {
        Vec::new()
    };
    let more = buckets.len() > limit;
    buckets.truncate(limit);
    let mut rows = Rows::<Bucket>::begin(format, head);
    buckets.iter().for_each(|bucket| rows.push(bucket));
    let last = buckets.last().map(|bucket| bucket.from.as_str());
    Ok(tagged.ok().body(rows.end(&tail(last.filter(|_| more)))))
}

/// The slots of the camera in a bucket, as far as they lie in `range`.
fn slots(
    bucket: &Bucket,
    width: Width,
    (from, to): (NaiveDateTime, NaiveDateTime),
    station: &Station,
) -> Option<u64> {
    let start = parse_slot(&bucket.from)?;
    let range = SlotRange::new(start.max(from), width.last_minute(start).min(to)).ok()?;
    Some(range.slots(&station.minutes, station.zone).count() as u64)
}

/// `/api/v1/stations/{station}/latest`.
pub(super) async fn latest(
    state: web::Data<WebState>,
    station: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    query::nothing(request.query_string())?;
    let tagged = Tagged::new(&state.pool.version().await?, Format::Json);
    stations::known(&state, &station).await?;
    if let Some(same) = tagged.unchanged(&request) {
        return Ok(same);
    }
    let id = station.into_inner();
    let wanted = id.clone();
    match state.pool.ask(move |reader| reader.latest_reading(&wanted)).await? {
        Some(item) => Ok(tagged.ok().json(item)),
        None => {
            let id = problem_id(&id);
            Err(Problem::not_found(say!(
                "the station '{id}' has no readings yet",
                "la estación '{id}' aún no tiene lecturas"
            )))
        }
    }
}

fn problem_id(id: &str) -> String {
    crate::web::problem::shortened(id)
}
