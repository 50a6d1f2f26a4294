//! Readings one by one, and sums of them.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::NaiveDateTime;
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::reader::{
    Bucket, LatestReading, ObservationItem, ReadingFilter, ShadowItem, Width,
};
use crate::store::rows::parse_slot;
use crate::web::WebState;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::{Problem, shortened};
use crate::web::query::{self, By, NONE, OBSERVATIONS, ObservationsQuery, resumed};
use crate::web::reply::{Format, Tagged};
use crate::web::routes::Routes;
use crate::web::rows::{Row, Rows};
use crate::web::stream::PART;
use crate::web::v1::list::{List, ListPage, ListPart, SlotsHead, head, tail};
use crate::web::v1::stations::{self, StationId};
use crate::web::v1::{forms, of_station};
use celaje_sky::say;
use celaje_sky::slot::SlotRange;
use celaje_sky::station::Station;

/// What a list of readings has beside its items.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct ReadingsHead {
    #[serde(flatten)]
    slots: SlotsHead,
    /// `raw`, `hour` or `day`.
    by: &'static str,
}

/// A page of readings, or of sums.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
#[expect(dead_code, reason = "it is the schema of what is written row by row")]
enum ReadingsPage {
    Raw(ListPage<ReadingsHead, ReadingItem>),
    Summed(ListPage<ReadingsHead, Bucket>),
}

/// A reading in a list.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Observation")]
struct ReadingItem {
    #[serde(flatten)]
    item: ObservationItem,
    /// What second models say of the same picture.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shadow: Vec<ShadowItem>,
}

impl Row for ReadingItem {
    const COLUMNS: &'static [&'static str] = ObservationItem::COLUMNS;

    fn fields(&self, field: &mut dyn FnMut(&str)) {
        self.item.fields(field);
    }
}

pub(super) fn configure(routes: &mut Routes<'_>) {
    let operation = Operation::new(Tag::Record, "Readings one by one, or sums of an hour or a day")
        .details("A year of raw rows is one page. Hours and days without any row are left out.")
        .query(OBSERVATIONS)
        .record()
        .named()
        .list::<ReadingsPage>("A page of readings")
        .tagged();
    routes.read(&forms(&of_station("observations")), operation, list);
    let operation = Operation::new(Tag::Record, "The last reading")
        .query(NONE)
        .record()
        .named()
        .json::<LatestReading>("The reading")
        .tagged();
    routes.read(&of_station("latest"), operation, latest);
}

async fn list(
    state: web::Data<WebState>,
    station: StationId,
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
    let filter = ReadingFilter {
        station: station.into_inner(),
        from: resumed(from, query.after),
        to,
        quality: query.quality.clone(),
        phase: query.phase,
    };
    let slots = SlotsHead::new(&filter.station, query.range);
    let head = head(ReadingsHead { slots, by: query.by.as_str() });
    match query.by {
        By::Raw => raw(&state, &tagged, format, filter, query.limit, head).await,
        By::Sum(width) => summed(&state, &tagged, format, filter, &query, width, &head).await,
    }
}

async fn raw(
    state: &WebState,
    tagged: &Tagged,
    format: Format,
    filter: ReadingFilter,
    limit: usize,
    head: String,
) -> Result<HttpResponse, Problem> {
    let list = List { from: filter.from, to: filter.to, limit, format, head };
    list.answer(&state.pool, tagged, move |reader, from, most, rows| {
        let filter = ReadingFilter { from, ..filter.clone() };
        let mut items = Vec::with_capacity(most.min(PART) + 1);
        reader.observations(&filter, most + 1, |item| items.push(item))?;
        let more = items.len() > most;
        items.truncate(most);
        let (Some(first), Some(last)) = (items.first(), items.last()) else {
            return Ok(ListPart::default());
        };
        let shadows = reader.shadows(&filter.station, &first.slot, &last.slot)?;
        let mut beside = shadows.as_slice();
        let part = ListPart { n: items.len(), last: Some(last.slot.clone()), more };
        for item in items {
            let before = beside.partition_point(|shadow| shadow.slot < item.slot);
            let (_, rest) = beside.split_at(before);
            let own = rest.partition_point(|shadow| shadow.slot == item.slot);
            let (own, rest) = rest.split_at(own);
            rows.push(&ReadingItem { item, shadow: own.to_vec() });
            beside = rest;
        }
        Ok(part)
    })
    .await
}

async fn summed(
    state: &WebState,
    tagged: &Tagged,
    format: Format,
    filter: ReadingFilter,
    query: &ObservationsQuery,
    width: Width,
    head: &str,
) -> Result<HttpResponse, Problem> {
    let limit = query.limit;
    let configured = state.station(&filter.station);
    let range = query.range.closed();
    let mut buckets = if filter.from <= filter.to {
        state
            .pool
            .ask(move |reader| {
                let mut buckets = reader.buckets(&filter, width, limit + 1)?;
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

/// The number of a bucket's slots that lie in `range`.
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

async fn latest(
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
    let id = station.into_inner();
    let wanted = id.clone();
    match state.pool.ask(move |reader| reader.latest_reading(&wanted)).await? {
        Some(item) => Ok(tagged.ok().json(item)),
        None => {
            let id = shortened(&id);
            Err(Problem::not_found(say!(
                "the station '{id}' has no readings yet",
                "la estación '{id}' aún no tiene lecturas"
            )))
        }
    }
}
