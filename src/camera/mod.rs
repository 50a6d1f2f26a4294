//! Where pictures come from: a web server, or a folder laid out like one.

pub mod folder;
pub mod gate;
pub mod growing;
pub mod health;
pub mod http;
pub mod picture_folder;

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::camera::http::HttpClient;
use crate::camera::picture_folder::PictureFolder;
use celaje_sky::layout::{Layout, LayoutBook, Lesson, Other};
use celaje_sky::outcome::{Miss, MissReason};
use celaje_sky::retry::is_retried;
use celaje_sky::slot::Slot;
use celaje_vision::picture::decode::is_picture;

/// Where a station's pictures are to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A web server, by its base URL (with a `/` at its end).
    Http(url::Url),
    /// A folder, with pictures at any depth.
    Folder(PictureFolder),
}

impl Source {
    /// The address under which its misses are kept, with a `/` at its end; no secrets.
    pub fn address(&self) -> String {
        let mut address = match self {
            Self::Http(base) => http::without_secrets(base),
            Self::Folder(folder) => folder::address(folder.root()),
        };
        address.truncate(address.trim_end_matches('/').len());
        address.push('/');
        address
    }
}

/// A picture as it came, not yet decoded.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The encoded bytes.
    pub bytes: Bytes,
    /// Where it was found; no secrets.
    pub url: String,
    /// In which layout.
    pub layout: Layout,
    /// Requests made for it.
    pub attempts: u32,
}

/// What one address gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The bytes.
    pub bytes: Bytes,
    /// Requests made.
    pub attempts: u32,
}

/// Why one address gave no picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Reason of the miss.
    pub reason: MissReason,
    /// The server's last status.
    pub http_status: Option<u16>,
    /// Requests made.
    pub attempts: u32,
    /// For a person; no secrets.
    pub detail: String,
}

impl Refusal {
    /// The miss that this makes of `slot` after `before` requests elsewhere.
    pub fn into_miss(self, slot: Slot, before: u32) -> Miss {
        Miss {
            slot,
            reason: self.reason,
            http_status: self.http_status,
            attempts: before.saturating_add(self.attempts),
            detail: self.detail,
            unasked: None,
        }
    }
}

/// What came of looking for a picture.
#[derive(Debug)]
pub enum Found {
    /// The picture, and what finding it taught of its year.
    Picture(Picture, Lesson),
    /// There is none to be had.
    Miss(Miss),
    /// The run drains; nothing is known of the slot.
    Cancelled,
}

/// Looks for a slot's picture where its year is kept, and in the other place when there is reason
/// to (see [`LayoutBook`]).
pub async fn look_for(
    source: &Source,
    client: &HttpClient,
    book: &Mutex<LayoutBook>,
    slot: Slot,
) -> Found {
    let base = match source {
        Source::Http(base) => base,
        Source::Folder(folder) => {
            let limits = client.limits();
            return folder::look_for(folder, slot, limits.body_limit, limits.total_timeout).await;
        }
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
            Ok(Body { bytes, attempts: made }) => {
                attempts += made;
                let url = http::without_secrets(&url);
                let picture = Picture { bytes, url, layout, attempts };
                if is_picture(&picture.bytes) {
                    let lesson = book().found(slot, layout);
                    return Found::Picture(picture, lesson);
                }
                if layout != first || !unseen {
                    book().scout_failed(slot);
                    return Found::Picture(page.unwrap_or(picture), Lesson::Nothing);
                }
                page = Some(picture);
            }
            Err(None) => return Found::Cancelled,
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
                    return Found::Miss(miss);
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
) -> Found {
    if let Some(picture) = page {
        book.scout_failed(last.slot);
        return Found::Picture(picture, Lesson::Nothing);
    }
    if !is_denial(&last) {
        book.scout_failed(last.slot);
        return Found::Miss(last);
    }
    book.missing_in_both(last.slot);
    // One place that does not have it says more than another that is closed.
    let attempts = last.attempts;
    let miss = match refused {
        Some(first) if last.reason != MissReason::NotFound => first,
        _ => last,
    };
    Found::Miss(Miss { attempts, ..miss })
}
