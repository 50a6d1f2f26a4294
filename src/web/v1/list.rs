//! Lists by slot that go on from page to page, and from part to part of a page.

use std::sync::Arc;

use actix_web::HttpResponse;
use chrono::NaiveDateTime;

use crate::store::error::StoreError;
use crate::store::reader::Reader;
use crate::store::rows::parse_slot;
use crate::web::pool::ReaderPool;
use crate::web::problem::Problem;
use crate::web::query::resumed;
use crate::web::reply::{Format, Tagged};
use crate::web::rows::{Row, Rows};
use crate::web::stream::{self, PART, StreamPart};

/// A page of a list.
pub(super) struct List {
    pub(super) from: NaiveDateTime,
    pub(super) to: NaiveDateTime,
    /// Items of it at most.
    pub(super) limit: usize,
    pub(super) format: Format,
    /// What stands before the items in JSON.
    pub(super) head: String,
}

type PartResult = Result<ListPart, StoreError>;

/// What a part has told.
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

/// What stands behind the items in JSON.
pub(super) fn tail(next: Option<&str>) -> String {
    match next {
        None => "],\"next\":null}".to_owned(),
        Some(next) => format!("],\"next\":\"{next}\"}}"),
    }
}

impl List {
    /// Answers with what `tell` writes of the items from a minute on, so many of them at most.
    pub(super) async fn answer<T: Row>(
        self,
        pool: &Arc<ReaderPool>,
        tagged: &Tagged,
        tell: impl Fn(&mut Reader, NaiveDateTime, usize, &mut Rows<T>) -> PartResult
        + Send
        + Sync
        + 'static,
    ) -> Result<HttpResponse, Problem> {
        let Self { from, to, limit, format, head } = self;
        let first = ListPlace { from, left: limit, begun: false };
        stream::answer(pool, tagged.ok(), first, move |reader, place: ListPlace| {
            let mut rows =
                if place.begun { Rows::go_on(format) } else { Rows::begin(format, &head) };
            let told = if place.from <= to {
                tell(reader, place.from, place.left.min(PART), &mut rows)?
            } else {
                ListPart::default()
            };
            let left = place.left.saturating_sub(told.n);
            let last = told.last.filter(|_| told.more);
            let go_on = last.as_deref().filter(|_| left > 0).and_then(parse_slot);
            Ok(match go_on {
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
