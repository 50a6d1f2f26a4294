//! The line of output for a picture.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::commands::predict::work::Trouble;
use celaje_vision::verdict::Verdict;

/// The answer for one picture.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) path: PathBuf,
    pub(super) result: Result<PictureReading, Trouble>,
}

/// A picture that was read.
#[derive(Debug)]
pub(super) struct PictureReading {
    pub(super) verdict: Verdict,
    pub(super) overlay: Option<PathBuf>,
    pub(super) frame: Option<PathBuf>,
}

impl Answer {
    pub(super) const fn is_reading(&self) -> bool {
        self.result.is_ok()
    }

    /// `path`, okta, cloud fraction, confidence, category and quality with tabs between them; `-`
    /// stands for what a classification does not give, or a sky that cannot be seen. Or `path`,
    /// `error`, reason and detail.
    pub(super) fn text(&self) -> String {
        // A name with a line break or a tab in it still makes one line of as many fields.
        let path = one_line(&self.path.to_string_lossy());
        match &self.result {
            Ok(PictureReading { verdict, .. }) => {
                let or_dash = |value: Option<f64>| {
                    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"))
                };
                let fraction = or_dash(verdict.cloud_fraction);
                let confidence = or_dash(verdict.confidence);
                let (cover, quality) = (verdict.cover, &verdict.quality);
                let category = cover.category();
                format!("{path}\t{cover}\t{fraction}\t{confidence}\t{category}\t{quality}")
            }
            Err(Trouble { reason, detail }) => {
                format!("{path}\terror\t{}\t{}", reason.as_str(), one_line(detail))
            }
        }
    }

    /// The same as one JSON object.
    pub(super) fn json(&self) -> String {
        let path = self.path.to_string_lossy();
        let line = match &self.result {
            Ok(PictureReading { verdict, overlay, frame }) => serde_json::to_string(&SeenLine {
                path,
                octas: verdict.cover.code(),
                cloud_fraction: verdict.cloud_fraction.map(rounded),
                zenith_fraction: verdict.parts.zenith.map(rounded),
                zones: verdict.parts.zones.iter().map(|(k, v)| (k, v.map(rounded))).collect(),
                confidence: verdict.confidence.map(rounded),
                okta_low: verdict.range.map(|range| range.low().eighths()),
                okta_high: verdict.range.map(|range| range.high().eighths()),
                category: verdict.cover.category(),
                quality: verdict.quality.to_string(),
                overlay: overlay.as_deref().map(Path::to_string_lossy),
                frame: frame.as_deref().map(Path::to_string_lossy),
            }),
            Err(Trouble { reason, detail }) => {
                serde_json::to_string(&TroubleLine { path, error: reason.as_str(), detail })
            }
        };
        // Strings and finite numbers always have a JSON form.
        line.unwrap_or_default()
    }
}

/// A picture that was read, as JSON.
#[derive(Serialize)]
struct SeenLine<'a> {
    path: Cow<'a, str>,
    octas: u8,
    cloud_fraction: Option<f64>,
    /// Only with a lens.
    #[serde(skip_serializing_if = "Option::is_none")]
    zenith_fraction: Option<f64>,
    /// Only with zones.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    zones: BTreeMap<&'a String, Option<f64>>,
    confidence: Option<f64>,
    okta_low: Option<u8>,
    okta_high: Option<u8>,
    category: &'a str,
    quality: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    overlay: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frame: Option<Cow<'a, str>>,
}

/// A picture that was not, as JSON.
#[derive(Serialize)]
struct TroubleLine<'a> {
    path: Cow<'a, str>,
    error: &'a str,
    detail: &'a str,
}

fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}

/// Four decimals are more than any reading is good for.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;
    use celaje_sky::cover::Cover;
    use celaje_sky::okta::{Okta, OktaRange};
    use celaje_sky::outcome::MissReason;
    use celaje_sky::quality::{Flag, Quality};
    use celaje_sky::station::zone::SkyParts;
    use serde_json::{Value, json};

    fn answer(cloud_fraction: Option<f64>) -> Answer {
        of(Verdict {
            cover: Okta::ALL[3].into(),
            cloud_fraction,
            parts: SkyParts::default(),
            confidence: Some(0.876_54),
            range: Some(OktaRange::of(Okta::ALL[3]).widened(1)),
            quality: Quality::default(),
        })
    }

    fn of(verdict: Verdict) -> Answer {
        let seen = PictureReading { verdict, overlay: None, frame: None };
        Answer { path: "a\tb.jpg".into(), result: Ok(seen) }
    }

    #[test]
    fn a_reading_is_one_line() {
        assert_eq!(answer(Some(0.381_25)).text(), "a b.jpg\t3\t0.381\t0.877\tSCT\tok");
        assert_eq!(answer(None).text(), "a b.jpg\t3\t-\t0.877\tSCT\tok");
        let object: Value = serde_json::from_str(&answer(Some(0.381_25)).json()).unwrap();
        assert_eq!(
            object,
            json!({"path": "a\tb.jpg", "octas": 3, "cloud_fraction": 0.3813, "confidence": 0.8765,
                   "okta_low": 2, "okta_high": 4,
                   "category": "SCT", "quality": "ok"})
        );
    }

    #[test]
    fn parts_of_the_sky_are_in_the_object() {
        let zones = [("north".to_owned(), Some(0.123_45)), ("trees".to_owned(), None)];
        let parts = SkyParts { zenith: Some(0.5), zones: zones.into() };
        let mut answer = answer(Some(0.25));
        if let Ok(seen) = &mut answer.result {
            seen.verdict.parts = parts;
        }
        let object: Value = serde_json::from_str(&answer.json()).unwrap();
        assert_eq!(object["zenith_fraction"], 0.5);
        assert_eq!(object["zones"], json!({"north": 0.1235, "trees": null}));
    }

    #[test]
    fn a_sky_that_cannot_be_seen_has_no_numbers() {
        let mut quality = Quality::default();
        quality.add(Flag::Placeholder);
        let answer = of(Verdict {
            cover: Cover::Obscured,
            cloud_fraction: None,
            parts: SkyParts::default(),
            confidence: None,
            range: None,
            quality,
        });
        assert_eq!(answer.text(), "a b.jpg\t9\t-\t-\tOBSC\tplaceholder");
        let object: Value = serde_json::from_str(&answer.json()).unwrap();
        assert_eq!(
            object,
            json!({"path": "a\tb.jpg", "octas": 9, "cloud_fraction": null, "confidence": null,
                   "okta_low": null, "okta_high": null,
                   "category": "OBSC", "quality": "placeholder"})
        );
    }

    #[test]
    fn so_is_an_error() {
        let trouble = Trouble { reason: MissReason::Corrupt, detail: "bad\nhuffman".to_owned() };
        let answer = Answer { path: "x.jpg".into(), result: Err(trouble) };
        assert_eq!(answer.text(), "x.jpg\terror\tcorrupt\tbad huffman");
        let object: Value = serde_json::from_str(&answer.json()).unwrap();
        assert_eq!(object, json!({"path": "x.jpg", "error": "corrupt", "detail": "bad\nhuffman"}));
    }
}
