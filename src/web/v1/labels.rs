//! Labels: the pictures to be looked at next, and what was seen in them.

use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::store::reader::{LabelItem, QueueItem};
use crate::store::rows::parse_slot;
use crate::store::{Database, LabelOrder};
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::{Problem, ProblemCode, shortened};
use crate::web::query::{self, LABEL, LABEL_QUEUE, NONE};
use crate::web::reply::{Format, Tagged, live};
use crate::web::routes::Routes;
use crate::web::rows::Rows;
use crate::web::v1::backfills::refused;
use crate::web::v1::list::{ListPage, head, tail};
use crate::web::v1::pictures::SlotPart;
use crate::web::v1::stations::{self, StationId};
use crate::web::v1::{forms, of_station};
use crate::web::{WebState, body, token};
use celaje_sky::cover::Cover;
use celaje_sky::labelling::Draw;
use celaje_sky::say;
use chrono::NaiveDateTime;

const EXAMPLE: &str = r#"{"observer": "Ana", "okta": 5, "draw": "random"}"#;

#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct LabelsHead {
    station: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct LabelQueue {
    /// The pictures, in the order in which they are to be shown; none when all were labelled.
    items: Vec<QueueItem>,
}

/// What an observer saw.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SeenLabel {
    /// Who looked; 1 to 40 characters.
    observer: String,
    /// 0 to 8, or 9 where the sky cannot be seen; null: the observer cannot tell.
    #[schemars(range(min = 0, max = 9))]
    okta: Option<u8>,
    /// As the queue gave it: `random` or `unsure`.
    draw: String,
}

pub(super) fn configure(routes: &mut Routes<'_>) {
    let list_all =
        Operation::new(Tag::Labels, "What people saw in the pictures, beside what was read")
            .details("All labels are one page.")
            .query(NONE)
            .record()
            .named()
            .list::<ListPage<LabelsHead, LabelItem>>("The labels")
            .tagged();
    routes.read(&forms(&of_station("labels")), list_all, list);
    let next = Operation::new(Tag::Labels, "The pictures that an observer is asked to label next")
        .details(
            "Random and unsure ones in turn, of the model of the newest reading. What was read is \
             not told. Look at a picture at `slots/{slot}/picture`.",
        )
        .query(LABEL_QUEUE)
        .record()
        .named()
        .json::<LabelQueue>("The pictures");
    routes.read(&of_station("label-queue"), next, queue);
    let keep_one = Operation::new(Tag::Labels, "Keep a label")
        .details("In place of an earlier one of the same observer.")
        .query(NONE)
        .record()
        .named()
        .token()
        .body::<SeenLabel>(EXAMPLE)
        .empty(204, "It is kept");
    let remove_one = Operation::new(Tag::Labels, "Take back a label")
        .details("None there is fine.")
        .query(LABEL)
        .record()
        .named()
        .token()
        .empty(204, "It is gone");
    routes.at(&of_station("labels/{slot}"), |methods| {
        methods.post(keep_one, keep).delete(remove_one, remove)
    });
}

async fn list(
    state: web::Data<WebState>,
    station: StationId,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    query::nothing(request.query_string())?;
    let format = Format::of(&request);
    let tagged = Tagged::new(&state.pool.version().await?, format);
    stations::known(&state, &station).await?;
    if let Some(same) = tagged.unchanged(&request) {
        return Ok(same);
    }
    let station = station.into_inner();
    let head = head(LabelsHead { station: station.clone() });
    let labels = state.pool.ask(move |reader| reader.labels(&station)).await?;
    let mut rows = Rows::<LabelItem>::begin(format, &head);
    labels.iter().for_each(|label| rows.push(label));
    Ok(tagged.ok().body(rows.end(&tail(None))))
}

async fn queue(
    state: web::Data<WebState>,
    station: StationId,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query = query::label_queue(request.query_string())?;
    stations::known(&state, &station).await?;
    let station = station.into_inner();
    let items = state
        .pool
        .ask(move |reader| reader.label_queue(&station, &query.observer, query.skip, query.limit));
    live(&LabelQueue { items: items.await? })
}

async fn keep(
    state: web::Data<WebState>,
    station: StationId,
    place: web::Path<SlotPart>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    token::demand(state.token.as_ref(), &request)?;
    query::nothing(request.query_string())?;
    let slot = slot(&place.slot)?;
    let seen: SeenLabel = body::json(&request, payload, EXAMPLE).await?;
    let order = LabelOrder {
        slot,
        observer: query::observer(Some(&seen.observer))?,
        cover: seen.okta.map(cover).transpose()?,
        draw: draw(&seen.draw)?,
    };
    stations::known(&state, &station).await?;
    let is_kept = write(&state, &station, move |database| database.keep_label(&order)).await?;
    match is_kept {
        true => Ok(HttpResponse::NoContent().finish()),
        false => Err(no_reading(&place.slot)),
    }
}

async fn remove(
    state: web::Data<WebState>,
    station: StationId,
    place: web::Path<SlotPart>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    token::demand(state.token.as_ref(), &request)?;
    let observer = query::label(request.query_string())?;
    let slot = slot(&place.slot)?;
    stations::known(&state, &station).await?;
    write(&state, &station, move |database| database.remove_label(slot, &observer)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Writes to the record on a thread that may wait for the program's own transactions.
pub(super) async fn write<T: Send + 'static>(
    state: &WebState,
    station: &str,
    work: impl FnOnce(&mut Database) -> Result<T, crate::store::error::StoreError> + Send + 'static,
) -> Result<T, Problem> {
    let record = state.operator.record().map_err(refused)?;
    let station = station.to_owned();
    let written = tokio::task::spawn_blocking(move || record.seen_from(&station, work));
    match written.await {
        Ok(written) => Ok(written??),
        Err(_) => Err(Problem::internal()),
    }
}

fn slot(text: &str) -> Result<NaiveDateTime, Problem> {
    parse_slot(text).ok_or_else(|| {
        let text = shortened(text);
        Problem::new(
            ProblemCode::BadParameter,
            say!(
                "'{text}' is no slot; write it as 2024-01-31T08:02, station local time",
                "'{text}' no es un turno; escríbalo como 2024-01-31T08:02, hora local de la \
                estación"
            ),
        )
        .of("slot")
    })
}

fn cover(okta: u8) -> Result<Cover, Problem> {
    Cover::from_code(okta).ok_or_else(|| {
        Problem::new(
            ProblemCode::BadParameter,
            say!(
                "okta must be 0 to 8, 9 where the sky cannot be seen, or null, not {okta}",
                "okta debe ser 0 a 8, 9 donde el cielo no se ve, o null, no {okta}"
            ),
        )
        .of("okta")
    })
}

fn draw(text: &str) -> Result<Draw, Problem> {
    Draw::parse(text).ok_or_else(|| {
        let text = shortened(text);
        Problem::new(
            ProblemCode::BadParameter,
            say!(
                "draw must be random or unsure, as the queue gave it, not '{text}'",
                "draw debe ser random o unsure, como lo dio la cola, no '{text}'"
            ),
        )
        .of("draw")
    })
}

fn no_reading(slot: &str) -> Problem {
    let text = shortened(slot);
    Problem::not_found(say!(
        "the record has no reading of {text}",
        "el registro no tiene una lectura de {text}"
    ))
    .of("slot")
}
