//! One labelled picture: judged, and compared with its label.

use crate::commands::predict::{Judged, Trouble, Worker, read};
use celaje_sky::evaluate::figures::Sample;
use celaje_sky::evaluate::labels::Label;
use celaje_sky::okta::Okta;
use celaje_sky::outcome::MissReason;
use celaje_sky::quality::Quality;
use celaje_sky::say;
use celaje_sky::text::Text;
use celaje_vision::drawn_mask;
use celaje_vision::picture::decode::{DecodedPicture, Limits, decode};

/// The result for a label.
pub(super) struct JudgedPicture {
    pub(super) sample: Sample,
    pub(super) quality: Quality,
}

/// Judges the picture of `label`.
///
/// # Errors
/// One sentence when the picture or its mask cannot be used.
pub(super) fn see(
    worker: &mut Worker<'_>,
    label: &Label,
    limits: &Limits,
) -> Result<JudgedPicture, Text> {
    let mask = label.mask.as_deref().map(|path| {
        let bytes = read(path, limits).map_err(|trouble| unusable(label, path, &trouble))?;
        decode(&bytes, limits).map_err(|error| {
            let (reason, detail) = (error.reason(), error.text().to_string());
            unusable(label, path, &Trouble { reason, detail })
        })
    });
    let mask = mask.transpose()?;
    let fraction = mask.as_ref().map(|mask| {
        drawn_mask::fraction(mask).ok_or_else(|| {
            bad_mask(
                label,
                say!(
                    "has no pixel of 255 (cloud) or 100 (sky)",
                    "no tiene ningún píxel de 255 (nube) o 100 (cielo)"
                ),
            )
        })
    });
    let fraction_true = label.fraction.or(fraction.transpose()?);
    let okta_true = label.okta.or(fraction_true.map(Okta::from_fraction));
    // A label without any of them is no label.
    let Some(okta_true) = okta_true else {
        return Err(label.place.clone());
    };
    let nothing = Sample {
        okta_true,
        okta_read: None,
        fraction_true,
        fraction_read: None,
        confidence: None,
        pixel_accuracy: None,
    };
    let judged = worker.judge(&label.path, |judged| Ok(compare(judged, mask.as_ref(), nothing)));
    match judged {
        Ok(Some(seen)) => Ok(seen),
        Ok(None) => Err(bad_mask(
            label,
            say!("is not of its picture's shape", "no tiene la forma de su imagen"),
        )),
        Err(trouble) => Err(unusable(label, &label.path, &trouble)),
    }
}

/// None when the mask is another picture's.
fn compare(
    judged: Judged<'_>,
    mask: Option<&DecodedPicture>,
    nothing: Sample,
) -> Option<JudgedPicture> {
    let frame = judged.frame;
    if mask.is_some_and(|mask| !drawn_mask::fits(mask, (frame.width, frame.height))) {
        return None;
    }
    let verdict = judged.verdict;
    let classes = judged.reading.as_ref().and_then(|reading| reading.classes.as_ref());
    let pixel_accuracy = mask
        .zip(classes)
        .and_then(|(mask, classes)| drawn_mask::accuracy(mask, classes, &frame.geometry));
    Some(JudgedPicture {
        sample: Sample {
            okta_read: verdict.cover.okta(),
            fraction_read: verdict.cloud_fraction,
            confidence: verdict.confidence,
            pixel_accuracy,
            ..nothing
        },
        quality: verdict.quality,
    })
}

fn bad_mask(label: &Label, why: Text) -> Text {
    let Text { en, es } = &label.place;
    let mask = label.mask.as_deref().unwrap_or(&label.path).display();
    let (why_en, why_es) = (why.en, why.es);
    say!("{en}: the mask {mask} {why_en}", "{es}: la máscara {mask} {why_es}")
}

fn unusable(label: &Label, path: &std::path::Path, trouble: &Trouble) -> Text {
    let (path, detail) = (path.display(), &trouble.detail);
    let Text { en, es } = &label.place;
    match trouble.reason {
        MissReason::NotFound => {
            say!("{en}: there is no file {path}", "{es}: no existe el archivo {path}")
        }
        reason => {
            let reason = reason.as_str();
            say!(
                "{en}: {path} cannot be used ({reason}: {detail})",
                "{es}: no se puede usar {path} ({reason}: {detail})"
            )
        }
    }
}
