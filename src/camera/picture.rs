//! What comes of looking for a picture.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::camera::fault::AccessFault;
use crate::camera::validators::Validators;
use celaje_sky::layout::{Layout, Lesson};
use celaje_sky::outcome::{Miss, MissReason};
use celaje_sky::slot::Slot;

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
    /// When it was taken, where that is known beside the slot.
    pub taken_at: Option<DateTime<Utc>>,
}

/// What one address gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The bytes.
    pub bytes: Bytes,
    /// Requests made.
    pub attempts: u32,
    /// Whether they came packed, by gzip, deflate or multipart, though nobody asked for that.
    pub was_packed: bool,
    /// What the server says of their state.
    pub validators: Validators,
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
    /// What a person has to mend, where that is known.
    pub fault: Option<AccessFault>,
}

impl Refusal {
    /// One without an answer of a server, and without a known cause.
    pub(super) fn new(reason: MissReason, attempts: u32, detail: String) -> Self {
        Self { reason, http_status: None, attempts, detail, fault: None }
    }

    /// Whether a folder, or a file in it, may not be read.
    pub const fn is_closed(&self) -> bool {
        matches!(self.fault, Some(AccessFault::FolderClosed(..)))
    }

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
pub enum SearchResult {
    /// The picture, and what finding it taught of its year.
    Picture(Picture, Lesson),
    /// There is none to be had.
    Miss(Miss),
    /// The run drains; nothing is known of the slot.
    Cancelled,
}
