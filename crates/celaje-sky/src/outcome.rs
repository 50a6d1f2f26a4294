//! The outcome of a slot: an observation, or a miss with its reason.

use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Serialize};

use crate::cover::Cover;
use crate::layout::Layout;
use crate::okta::OktaRange;
use crate::quality::Quality;
use crate::slot::{Slot, YEARS};
use crate::station::zone::{MOST_ZONES, SkyParts};
use crate::sun::DayPhase;

/// Bytes of an address, or of what happened, at most.
const LONGEST_TEXT: usize = 16 * 1024;
/// Requests for a slot in one run at most.
const MOST_ATTEMPTS: u32 = 10_000;

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

    /// Why it cannot be true, whoever says it; none if it can. What has no fault breaks no rule of
    /// the record.
    pub fn fault(&self) -> Option<&'static str> {
        let faults = match self {
            Self::Observed(observation) => observation.faults().to_vec(),
            Self::Missed(miss) => miss.faults().to_vec(),
        };
        faults.into_iter().find_map(|(is_true, fault)| (!is_true).then_some(fault))
    }
}

impl Observation {
    /// What must hold, and what is wrong where it does not.
    fn faults(&self) -> [(bool, &'static str); 9] {
        let share = |share: f64| (0.0..=1.0).contains(&share);
        let fraction = |fraction: Option<f64>| fraction.is_none_or(share);
        let SkyParts { zenith, zones } = &self.parts;
        let has_size = |pixels| (1..=i32::MAX.unsigned_abs()).contains(&pixels);
        let amounts = match self.cover {
            Cover::Seen(okta) => {
                self.confidence.is_some_and(share)
                    && self.range.is_none_or(|range| range.holds(okta))
            }
            Cover::Obscured => {
                (self.confidence, self.range, self.cloud_fraction) == (None, None, None)
            }
        };
        let taken = self.taken_at.is_none_or(|taken| YEARS.contains(&taken.year()));
        [
            (amounts, "confidence or range do not go with the cover"),
            (fraction(self.cloud_fraction), "the cloud fraction is not 0 to 1"),
            (
                fraction(*zenith) && zones.values().all(|zone| fraction(*zone)),
                "the cloud fraction of a part is not 0 to 1",
            ),
            (
                zones.len() <= MOST_ZONES && zones.keys().all(|name| is_text(name)),
                "the zones are none",
            ),
            (is_text(&self.model) && is_sha256(&self.model_sha256), "the model is none"),
            (is_sha256(&self.image_sha256), "the picture's hash is none"),
            ((-90.0..=90.0).contains(&self.solar_elevation), "the sun's elevation is none"),
            (has_size(self.width) && has_size(self.height), "the picture has no size"),
            (taken && is_text(&self.url), "the picture's address or moment is none"),
        ]
    }
}

impl Miss {
    fn faults(&self) -> [(bool, &'static str); 3] {
        let status = self.http_status.is_none_or(|status| (100..=999).contains(&status));
        [
            (status, "the status is none"),
            (self.attempts <= MOST_ATTEMPTS, "nobody asks so often"),
            (is_text(&self.detail), "what happened is no text"),
        ]
    }
}

/// Whether it is SHA-256 in lower-case hexadecimal.
fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a text can be kept: SQLite's own functions end at a zero.
fn is_text(text: &str) -> bool {
    text.len() <= LONGEST_TEXT && !text.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::okta::{Okta, OktaRange};
    use crate::quality::Quality;
    use crate::station::Station;

    fn observation() -> Observation {
        let station = Station::rio_grande();
        let noon =
            chrono::NaiveDate::from_ymd_opt(2024, 3, 1).and_then(|day| day.and_hms_opt(12, 2, 0));
        Observation {
            slot: Slot::at(noon.unwrap(), station.zone).unwrap(),
            url: "file:///sky/2024-03011202.jpg".to_owned(),
            cover: Cover::Seen(Okta::ALL[3]),
            cloud_fraction: Some(0.4),
            parts: SkyParts { zenith: Some(1.0), zones: [("south".to_owned(), None)].into() },
            confidence: Some(0.5),
            range: Some(OktaRange::of(Okta::ALL[3]).widened(1)),
            quality: Quality::default(),
            model: "celaje-6 6".to_owned(),
            model_sha256: "0a".repeat(32),
            taken_at: None,
            solar_elevation: 12.0,
            day_phase: DayPhase::Day,
            width: 480,
            height: 480,
            image_sha256: "0f".repeat(32),
        }
    }

    #[test]
    fn what_cannot_be_true_has_a_fault() {
        let fault = |change: &dyn Fn(&mut Observation)| {
            let mut changed = observation();
            change(&mut changed);
            Outcome::Observed(Box::new(changed)).fault()
        };
        assert_eq!(fault(&|_| {}), None);
        let obscured = |it: &mut Observation| {
            it.cover = Cover::Obscured;
            (it.cloud_fraction, it.confidence, it.range) = (None, None, None);
        };
        assert_eq!(fault(&obscured), None);
        let lies: [&dyn Fn(&mut Observation); 18] = [
            &|it| it.cover = Cover::Obscured,
            &|it| it.cover = Cover::Seen(Okta::ALL[8]),
            &|it| it.confidence = None,
            &|it| it.confidence = Some(1.1),
            &|it| it.confidence = Some(f64::NAN),
            &|it| it.cloud_fraction = Some(-0.1),
            &|it| it.cloud_fraction = Some(f64::INFINITY),
            &|it| it.parts.zenith = Some(2.0),
            &|it| it.parts.zones = [("south".to_owned(), Some(f64::NAN))].into(),
            &|it| it.parts.zones = (0..17).map(|n| (n.to_string(), None)).collect(),
            &|it| it.model = "m".repeat(100_000),
            &|it| it.model_sha256 = "0A".repeat(32),
            &|it| it.image_sha256 = String::new(),
            &|it| it.solar_elevation = f64::NAN,
            &|it| it.width = 0,
            &|it| it.height = u32::MAX,
            &|it| it.url = "x".repeat(100_000),
            &|it| it.taken_at = Some(DateTime::<Utc>::MAX_UTC),
        ];
        for (n, lie) in lies.iter().enumerate() {
            assert!(fault(lie).is_some(), "{n}");
        }
    }

    #[test]
    fn a_miss_has_bounds_too() {
        let miss = |http_status, attempts, detail: &str| {
            let (slot, reason, detail) = (observation().slot, MissReason::Reset, detail.to_owned());
            let miss = Miss { slot, reason, http_status, attempts, detail, unasked: None };
            Outcome::Missed(miss).fault()
        };
        assert_eq!(miss(Some(503), 3, "HTTP 503"), None);
        assert_eq!(miss(None, 0, ""), None);
        assert!(miss(Some(7), 1, "").is_some());
        assert!(miss(None, u32::MAX, "").is_some());
        assert!(miss(None, 1, &"x".repeat(100_000)).is_some());
        assert!(miss(None, 1, "a\0b").is_some());
    }
}
