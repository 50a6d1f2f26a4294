//! Looks for a slot's picture in both places where it may be.

use std::sync::{Mutex, PoisonError};

use crate::camera::folder;
use crate::camera::http::{self, HttpClient};
use crate::camera::picture::{Body, Picture, SearchResult};
use crate::camera::source::Source;
use crate::clock::Clock;
use celaje_sky::layout::{LayoutBook, Lesson, Other};
use celaje_sky::outcome::{Miss, MissReason};
use celaje_sky::retry::is_retried;
use celaje_sky::slot::Slot;
use celaje_vision::picture::decode::is_picture;

/// Looks for a slot's picture as the `source` has it: by its scheme, or where its year is kept, and
/// in the other place when there is reason to (see [`LayoutBook`]).
pub async fn look_for(
    source: &Source,
    client: &HttpClient,
    book: &Mutex<LayoutBook>,
    slot: Slot,
    clock: Clock,
) -> SearchResult {
    let base = match source {
        Source::Http(base) => base,
        Source::Folder(folder) => return folder::look_for(folder, client, slot).await,
        Source::Scheme(scheme) => return scheme.look_for(client, slot, clock).await,
    };
    let book = || book.lock().unwrap_or_else(PoisonError::into_inner);
    let first = book().first(slot);
    let unseen = book().is_unseen(slot.year());
    let mut layout = first;
    let mut attempts = 0;
    // What stood in the first place without being an answer: a page for a picture, a refusal.
    let mut page: Option<Picture> = None;
    let mut refused: Option<Miss> = None;
    loop {
        let url = http::picture_url(base, layout, slot);
        match client.get(url.clone()).await {
            Ok(Body { bytes, attempts: made, .. }) => {
                attempts += made;
                let url = http::without_secrets(&url);
                let picture = Picture { bytes, url, layout, attempts, taken_at: None };
                if is_picture(&picture.bytes) {
                    let lesson = book().found(slot, layout);
                    return SearchResult::Picture(picture, lesson);
                }
                if layout != first || !unseen {
                    book().scout_failed(slot);
                    return SearchResult::Picture(page.unwrap_or(picture), Lesson::Nothing);
                }
                page = Some(picture);
            }
            Err(None) => return SearchResult::Cancelled,
            Err(Some(refusal)) => {
                let mut miss = refusal.into_miss(slot, attempts);
                attempts = miss.attempts;
                if layout != first {
                    return in_neither(&mut book(), page, refused, miss);
                }
                let other = match miss.reason {
                    MissReason::NotFound => match book().ask_other(slot, first) {
                        Other::Ask => true,
                        Other::Leave(unasked) => {
                            miss.unasked = unasked;
                            false
                        }
                    },
                    _ => unseen && is_denial(&miss),
                };
                if !other {
                    if miss.reason != MissReason::NotFound {
                        book().scout_failed(slot);
                    }
                    return SearchResult::Miss(miss);
                }
                refused = Some(miss);
            }
        }
        layout = first.other();
    }
}

/// Whether the server said no for good: many answer 403 for what they do not have.
fn is_denial(miss: &Miss) -> bool {
    miss.http_status.is_some_and(|status| (400..500).contains(&status) && !is_retried(status))
}

/// What becomes of a slot that has a picture in neither place: `page` or `refused` stood in the
/// first one, `last` came of the second.
fn in_neither(
    book: &mut LayoutBook,
    page: Option<Picture>,
    refused: Option<Miss>,
    last: Miss,
) -> SearchResult {
    if let Some(picture) = page {
        book.scout_failed(last.slot);
        return SearchResult::Picture(picture, Lesson::Nothing);
    }
    if !is_denial(&last) {
        book.scout_failed(last.slot);
        return SearchResult::Miss(last);
    }
    book.missing_in_both(last.slot);
    // One place that does not have it says more than another that is closed.
    let attempts = last.attempts;
    let miss = match refused {
        Some(first) if last.reason != MissReason::NotFound => first,
        _ => last,
    };
    SearchResult::Miss(Miss { attempts, ..miss })
}
