//! Slots without a reading.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::NaiveDateTime;

use crate::store::reader::MissItem;
use crate::store::rows::{parse_slot, slot_text};
use crate::web::WebState;
use crate::web::problem::Problem;
use crate::web::query::{self, Range, resumed};
use crate::web::reply::{Format, Rows, Tagged};
use crate::web::stream::{self, PART, Part};
use crate::web::v1::observations::tail;
use crate::web::v1::stations;

/// Where the list goes on.
struct Place {
    from: NaiveDateTime,
    left: usize,
    begun: bool,
}

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
    let first = Place {
        from: resumed(from, query.after),
        left: query.limit,
        begun: false,
    };
    let (head, reason) = (head(&station, query.range), query.reason);
    stream::answer(
        &state.pool,
        tagged.ok(),
        first,
        move |reader, place: Place| {
            let mut rows = if place.begun {
                Rows::go_on(format)
            } else {
                Rows::begin::<MissItem>(format, &head)
            };
            let most = place.left.min(PART);
            let (mut told, mut last, mut more) = (0, String::new(), false);
            if place.from <= to {
                reader.misses(&station, (place.from, to), reason, most + 1, |item| {
                    if told == most {
                        more = true;
                        return;
                    }
                    told += 1;
                    rows.push(&item);
                    last = item.slot;
                })?;
            }
            let left = place.left - told;
            let go_on = (more && left > 0).then(|| parse_slot(&last)).flatten();
            Ok(match go_on {
                Some(slot) => Part {
                    bytes: rows.into_bytes(),
                    next: Some(Place {
                        from: resumed(place.from, Some(slot)),
                        left,
                        begun: true,
                    }),
                },
                None => Part {
                    bytes: rows.end(&tail(more.then_some(last.as_str()))),
                    next: None,
                },
            })
        },
    )
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
