//! What is said about a picture.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::commands::predict::work::Trouble;
use crate::model::reading::Reading;
use crate::sky::quality::Quality;

/// The answer for one picture.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) path: PathBuf,
    pub(super) result: Result<Seen, Trouble>,
}

/// A picture that was read.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) reading: Reading,
    pub(super) quality: Quality,
    pub(super) overlay: Option<PathBuf>,
}

impl Answer {
    pub(super) const fn is_reading(&self) -> bool {
        self.result.is_ok()
    }

    /// `path`, okta, cloud fraction, confidence, category and quality with tabs between them; `-`
    /// stands for what a classification does not give. Or `path`, `error`, reason and detail.
    pub(super) fn text(&self) -> String {
        // A name with a line break or a tab in it still makes one line of as many fields.
        let path = one_line(&self.path.to_string_lossy());
        match &self.result {
            Ok(Seen {
                reading, quality, ..
            }) => {
                let fraction = reading
                    .cloud_fraction
                    .map_or("-".to_owned(), |fraction| format!("{fraction:.3}"));
                let category = reading.okta.category().as_str();
                format!(
                    "{path}\t{}\t{fraction}\t{:.3}\t{category}\t{quality}",
                    reading.okta, reading.confidence
                )
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
            Ok(Seen {
                reading,
                quality,
                overlay,
            }) => serde_json::to_string(&SeenLine {
                path,
                octas: reading.okta.eighths(),
                cloud_fraction: reading.cloud_fraction.map(rounded),
                confidence: rounded(reading.confidence),
                category: reading.okta.category().as_str(),
                quality: quality.to_string(),
                overlay: overlay.as_deref().map(Path::to_string_lossy),
            }),
            Err(Trouble { reason, detail }) => serde_json::to_string(&TroubleLine {
                path,
                error: reason.as_str(),
                detail,
            }),
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
    confidence: f64,
    category: &'a str,
    quality: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    overlay: Option<Cow<'a, str>>,
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
    use crate::pipeline::outcome::MissReason;
    use crate::sky::okta::Okta;
    use serde_json::{Value, json};

    fn answer(cloud_fraction: Option<f64>) -> Answer {
        let reading = Reading {
            okta: Okta::ALL[3],
            cloud_fraction,
            confidence: 0.876_54,
            classes: None,
        };
        let seen = Seen {
            reading,
            quality: Quality::default(),
            overlay: None,
        };
        Answer {
            path: "a\tb.jpg".into(),
            result: Ok(seen),
        }
    }

    #[test]
    fn a_reading_is_one_line() {
        assert_eq!(
            answer(Some(0.381_25)).text(),
            "a b.jpg\t3\t0.381\t0.877\tSCT\tok"
        );
        assert_eq!(answer(None).text(), "a b.jpg\t3\t-\t0.877\tSCT\tok");
        let object: Value = serde_json::from_str(&answer(Some(0.381_25)).json()).unwrap();
        assert_eq!(
            object,
            json!({"path": "a\tb.jpg", "octas": 3, "cloud_fraction": 0.3813, "confidence": 0.8765,
                   "category": "SCT", "quality": "ok"})
        );
    }

    #[test]
    fn so_is_an_error() {
        let trouble = Trouble {
            reason: MissReason::Corrupt,
            detail: "bad\nhuffman".to_owned(),
        };
        let answer = Answer {
            path: "x.jpg".into(),
            result: Err(trouble),
        };
        assert_eq!(answer.text(), "x.jpg\terror\tcorrupt\tbad huffman");
        let object: Value = serde_json::from_str(&answer.json()).unwrap();
        assert_eq!(
            object,
            json!({"path": "x.jpg", "error": "corrupt", "detail": "bad\nhuffman"})
        );
    }
}
