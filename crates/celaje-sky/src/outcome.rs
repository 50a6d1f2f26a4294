//! The outcome of a slot: an observation, or a miss with its reason.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::cover::Cover;
use crate::layout::Layout;
use crate::okta::OktaRange;
use crate::quality::Quality;
use crate::slot::Slot;
use crate::station::zone::SkyParts;
use crate::sun::DayPhase;

/// A cloud-cover observation, ready to be stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The picture's moment.
    pub slot: Slot,
    /// Where the picture came from.
    pub url: String,
    /// Cloud amount, or that the sky cannot be seen.
    pub cover: Cover,
    /// Cloud / (cloud + sky) inside the region of interest, 0 to 1; none when the model only
    /// classifies, and where the sky cannot be seen.
    pub cloud_fraction: Option<f64>,
    /// Cloud fractions of parts of the sky; none where the sky cannot be seen.
    pub parts: SkyParts,
    /// Probability that the amount is right, 0 to 1; none where the sky cannot be seen.
    pub confidence: Option<f64>,
    /// The oktas among which the true one is with a probability of 90 %; none where the sky cannot
    /// be seen.
    pub range: Option<OktaRange>,
    /// Flags of the picture and its reading. `frozen` is set by the record, which knows the
    /// previous picture.
    pub quality: Quality,
    /// Name and version of the model.
    pub model: String,
    /// SHA-256 of the model file, lower-case hexadecimal.
    pub model_sha256: String,
    /// When the picture was taken, where that is known beside the slot.
    pub taken_at: Option<DateTime<Utc>>,
    /// Degrees above the horizon, refraction left out.
    pub solar_elevation: f64,
    /// Day, twilight or night by the sun's elevation.
    pub day_phase: DayPhase,
    /// Picture width in pixels.
    pub width: u32,
    /// Picture height in pixels.
    pub height: u32,
    /// SHA-256 of the picture's bytes, lower-case hexadecimal.
    pub image_sha256: String,
}

/// Why a slot has no observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissReason {
    /// The server (or the folder) has no such picture.
    NotFound,
    /// The camera has only its latest picture, and that one is not of the slot: it is older, or was
    /// stored before.
    Stale,
    /// The server refused with another status, which [`Miss::http_status`] keeps.
    HttpStatus,
    /// No answer, or no whole picture, within the time allowed.
    Timeout,
    /// No connection to the host: refused, no route, name not found.
    Unreachable,
    /// The connection broke off in the middle.
    Reset,
    /// The body has more bytes than the limit allows.
    TooLarge,
    /// A redirect to another host, or too many of them.
    RedirectRefused,
    /// The file could not be read from the folder.
    Unreadable,
    /// The body is empty.
    Empty,
    /// Neither JPEG nor PNG: a page of HTML, noise.
    NotAnImage,
    /// A picture that ends too early.
    Truncated,
    /// A picture that does not decode.
    Corrupt,
    /// More pixels than the limit allows: a decompression bomb.
    TooManyPixels,
    /// The model failed, or its output has numbers that are not finite.
    Model,
    /// The slot made an actor fail twice.
    Poison,
}

impl MissReason {
    /// Every reason, in the order of the pipeline.
    pub const ALL: [Self; 16] = [
        Self::NotFound,
        Self::Stale,
        Self::HttpStatus,
        Self::Timeout,
        Self::Unreachable,
        Self::Reset,
        Self::TooLarge,
        Self::RedirectRefused,
        Self::Unreadable,
        Self::Empty,
        Self::NotAnImage,
        Self::Truncated,
        Self::Corrupt,
        Self::TooManyPixels,
        Self::Model,
        Self::Poison,
    ];

    /// The name under which it is stored and reported.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Stale => "stale",
            Self::HttpStatus => "http_status",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Reset => "reset",
            Self::TooLarge => "too_large",
            Self::RedirectRefused => "redirect_refused",
            Self::Unreadable => "unreadable",
            Self::Empty => "empty",
            Self::NotAnImage => "not_an_image",
            Self::Truncated => "truncated",
            Self::Corrupt => "corrupt",
            Self::TooManyPixels => "too_many_pixels",
            Self::Model => "model",
            Self::Poison => "poison",
        }
    }

    /// The reason stored under `name`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// Whether another request is unlikely to change anything.
    ///
    /// Only `--retry-missed` asks again for a settled miss. Any other miss (of the network, the
    /// server, the machine, a page in a picture's place) is asked for again by every run.
    pub const fn is_settled(self) -> bool {
        !matches!(
            self,
            Self::HttpStatus
                | Self::Timeout
                | Self::Unreachable
                | Self::Reset
                | Self::RedirectRefused
                | Self::Unreadable
                | Self::Empty
                | Self::NotAnImage
                | Self::Model
        )
    }

    /// Whether the camera's host answered, be it with a refusal.
    pub const fn is_answered(self) -> bool {
        !matches!(self, Self::Timeout | Self::Unreachable | Self::Reset | Self::Unreadable)
    }

    /// Whether no picture came at all, readable or not.
    pub const fn is_without_picture(self) -> bool {
        matches!(
            self,
            Self::NotFound
                | Self::Stale
                | Self::HttpStatus
                | Self::Timeout
                | Self::Unreachable
                | Self::Reset
                | Self::RedirectRefused
                | Self::Unreadable
                | Self::Empty
                | Self::NotAnImage
        )
    }
}

/// A slot without an observation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Miss {
    /// The picture's moment.
    pub slot: Slot,
    /// The reason.
    pub reason: MissReason,
    /// The server's last status, where there was an answer.
    pub http_status: Option<u16>,
    /// Requests made for this slot in this run.
    pub attempts: u32,
    /// What happened, for a person to read; holds no secret, no credentials of a URL.
    pub detail: String,
    /// The place that was not looked in, where the picture may be; such a miss is not settled.
    pub unasked: Option<Layout>,
}

/// How a slot ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Becomes a row.
    Observed(Box<Observation>),
    /// Becomes a miss.
    Missed(Miss),
}

impl Outcome {
    /// The outcome's slot.
    pub fn slot(&self) -> Slot {
        match self {
            Self::Observed(observation) => observation.slot,
            Self::Missed(miss) => miss.slot,
        }
    }
}
