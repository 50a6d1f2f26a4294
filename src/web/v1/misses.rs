//! Slots without a reading.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::store::reader::MissItem;
use crate::web::WebState;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::Problem;
use crate::web::query::{self, MISSES, resumed};
use crate::web::reply::{Format, Tagged};
use crate::web::routes::Routes;
use crate::web::v1::list::{List, ListPage, ListPart, SlotsHead, head};
use crate::web::v1::stations::{self, StationId};
use crate::web::v1::{forms, of_station};

pub(super) fn configure(routes: &mut Routes<'_>) {
    let operation = Operation::new(Tag::Record, "Slots without a reading, and why")
        .query(MISSES)
        .record()
        .named()
        .list::<ListPage<SlotsHead, MissItem>>("A page of misses")
        .tagged();
    routes.read(&forms(&of_station("misses")), operation, list);
}

async fn list(
    state: web::Data<WebState>,
    station: StationId,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query = query::misses(request.query_string())?;
    let format = Format::of(&request);
    let tagged = Tagged::new(&state.pool.version().await?, format);
    stations::known(&state, &station).await?;
    if let Some(same) = tagged.unchanged(&request) {
        return Ok(same);
    }
    let station = station.into_inner();
    let (from, to) = query.range.closed();
    let list = List {
        from: resumed(from, query.after),
        to,
        limit: query.limit,
        format,
        head: head(SlotsHead::new(&station, query.range)),
    };
    let reason = query.reason;
    list.answer(&state.pool, &tagged, move |reader, from, most, rows| {
        let mut items = Vec::new();
        reader.misses(&station, (from, to), reason, most + 1, |item| items.push(item))?;
        let more = items.len() > most;
        items.truncate(most);
        items.iter().for_each(|item| rows.push(item));
        Ok(ListPart { n: items.len(), last: items.last().map(|item| item.slot.clone()), more })
    })
    .await
}
