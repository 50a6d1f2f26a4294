//! Slots without a reading.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::NaiveDateTime;

use crate::store::rows::slot_text;
use crate::web::WebState;
use crate::web::problem::Problem;
use crate::web::query::{self, Range, resumed};
use crate::web::reply::{Format, Tagged};
use crate::web::v1::list::{List, ListPart};
use crate::web::v1::stations;

/// `/api/v1/stations/{station}/misses`.
pub(super) async fn list(
    state: web::Data<WebState>,
    station: web::Path<String>,
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
        head: head(&station, query.range),
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

fn head(station: &str, range: Range) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let edge = |edge: Option<NaiveDateTime>| {
        edge.map_or("null".to_owned(), |edge| quoted(&slot_text(edge)))
    };
    format!(
        "{{\"station\":{},\"from\":{},\"to\":{},\"items\":[",
        quoted(station),
        edge(range.from),
        edge(range.to)
    )
}
