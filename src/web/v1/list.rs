//! Lists by slot, in pages; a page is sent in parts.

use std::sync::Arc;

use actix_web::HttpResponse;
use chrono::NaiveDateTime;
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::error::StoreError;
use crate::store::reader::Reader;
use crate::store::rows::{parse_slot, slot_text};
use crate::web::pool::ReaderPool;
use crate::web::problem::Problem;
use crate::web::query::{Range, resumed};
use crate::web::reply::{Format, Tagged};
use crate::web::rows::{Row, Rows};
use crate::web::stream::{self, PART, StreamPart};

/// A page of a list.
pub(super) struct List {
    pub(super) from: NaiveDateTime,
    pub(super) to: NaiveDateTime,
    /// Most items of the page.
    pub(super) limit: usize,
    pub(super) format: Format,
    /// The JSON before the items.
    pub(super) head: String,
}

type PartResult = Result<ListPart, StoreError>;

/// What a part contains.
#[derive(Default)]
pub(super) struct ListPart {
    /// Items.
    pub(super) n: usize,
    /// The slot of the last one.
    pub(super) last: Option<String>,
    /// Whether there are more of them.
    pub(super) more: bool,
}

/// Where a part begins.
struct ListPlace {
    from: NaiveDateTime,
    left: usize,
    begun: bool,
}

/// A page as JSON. Its items are written one by one, between [`head`] and [`tail`].
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct ListPage<H, T> {
    #[serde(flatten)]
    pub(super) head: H,
    pub(super) items: Vec<T>,
    /// `cursor` of the next page; null after the last one.
    pub(super) next: Option<String>,
}

/// What every list of slots has beside its items.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct SlotsHead {
    pub(super) station: String,
    /// First minute that was asked for, station local time; null where the range is open.
    pub(super) from: Option<String>,
    /// Last minute, included.
    pub(super) to: Option<String>,
}

impl SlotsHead {
    pub(super) fn new(station: &str, range: Range) -> Self {
        Self {
            station: station.to_owned(),
            from: range.from.map(slot_text),
            to: range.to.map(slot_text),
        }
    }
}

/// The JSON of a page before its items.
pub(super) fn head(head: impl Serialize) -> String {
    let page = ListPage::<_, ()> { head, items: Vec::new(), next: None };
    let text = serde_json::to_string(&page).unwrap_or_default();
    text.strip_suffix(&tail(None)).unwrap_or_default().to_owned()
}

/// The JSON of a page after its items.
pub(super) fn tail(next: Option<&str>) -> String {
    format!("],\"next\":{}}}", serde_json::Value::from(next))
}

impl List {
    /// Answers with the items that `write` writes: from a minute on, at most so many.
    pub(super) async fn answer<T: Row>(
        self,
        pool: &Arc<ReaderPool>,
        tagged: &Tagged,
        write: impl Fn(&mut Reader, NaiveDateTime, usize, &mut Rows<T>) -> PartResult
        + Send
        + Sync
        + 'static,
    ) -> Result<HttpResponse, Problem> {
        let Self { from, to, limit, format, head } = self;
        let first = ListPlace { from, left: limit, begun: false };
        stream::answer(pool, tagged.ok(), first, move |reader, place: ListPlace| {
            let mut rows =
                if place.begun { Rows::go_on(format) } else { Rows::begin(format, &head) };
            let part = if place.from <= to {
                write(reader, place.from, place.left.min(PART), &mut rows)?
            } else {
                ListPart::default()
            };
            let left = place.left.saturating_sub(part.n);
            let last = part.last.filter(|_| part.more);
            let go_on = last.as_deref().filter(|_| left > 0).and_then(parse_slot);
            Ok::<_, StoreError>(match go_on {
                Some(slot) => StreamPart {
                    bytes: rows.into_bytes(),
                    next: Some(ListPlace {
                        from: resumed(place.from, Some(slot)),
                        left,
                        begun: true,
                    }),
                },
                None => StreamPart { bytes: rows.end(&tail(last.as_deref())), next: None },
            })
        })
        .await
    }
}
