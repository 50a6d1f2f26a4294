//! Texts that people write: a model's manifest, `celaje.toml`.

use std::path::Path;

use crate::fuzzed::expect;
use crate::settings::file::FileSettings;
use crate::settings::{self, Layer, Settings};
use celaje_sky::error::{Class, Failure};
use celaje_sky::slot::Zone;
use celaje_sky::text::Text;
use celaje_vision::model::manifest::Kind;
use celaje_vision::model::validate;

/// A manifest's text.
///
/// # Errors
/// What did not hold.
pub fn manifest(bytes: &[u8]) -> Result<(), String> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Ok(());
    };
    let manifest = match validate::parse(text, "m.toml") {
        Ok(manifest) => manifest,
        Err(failure) => return told(&failure.text, "m.toml"),
    };
    let input = &manifest.input;
    let side = |side: u32| (16..=4096).contains(&side);
    expect(side(input.width) && side(input.height), || {
        format!("{} × {}", input.width, input.height)
    })?;
    for level in [0.0_f32, 1.0] {
        for (mean, std) in input.mean.iter().zip(input.std) {
            let value = (level - mean) / std;
            expect(value.is_finite(), || format!("a tensor of {value}"))?;
        }
    }
    let classes = &manifest.output.classes;
    match manifest.kind {
        Kind::Classification => expect(classes.len() == 9, || format!("{classes:?}")),
        Kind::Segmentation => {
            let once = |name: &str| classes.iter().filter(|class| *class == name).count() == 1;
            expect(once("sky") && once("cloud"), || format!("{classes:?}"))
        }
    }
}

/// The text of `celaje.toml`.
///
/// # Errors
/// What did not hold.
pub fn settings(bytes: &[u8]) -> Result<(), String> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Ok(());
    };
    // A mask is the one file that is opened; below this folder there is none.
    let file = match FileSettings::parse(text, Path::new("/nowhere/at/all")) {
        Ok(file) => file,
        Err(why) => return told(&why, ""),
    };
    let settled = match Settings::settle(Layer::default(), file) {
        Ok(settled) => settled,
        Err(Failure { class, text, .. }) => {
            expect(class == Class::Usage, || format!("{text}: {class:?}"))?;
            return told(&text, "");
        }
    };
    let (station, tuning) = (&settled.station, &settled.tuning);
    let id = station.id.len();
    expect((1..=64).contains(&id), || format!("an id of {id} bytes"))?;
    let on_earth = station.latitude.abs() <= 90.0 && station.longitude.abs() <= 360.0;
    expect(on_earth, || format!("{} {}", station.latitude, station.longitude))?;
    let margins = station.region.margins;
    expect(margins.are_valid(), || format!("{margins:?}"))?;
    let again: Result<Zone, _> = station.zone.to_string().parse();
    expect(again.as_ref() == Ok(&station.zone), || format!("{again:?}"))?;
    let bounded = settings::CONCURRENCY.contains(&tuning.concurrency)
        && settings::BATCH.contains(&tuning.batch)
        && settings::THREADS.contains(&tuning.threads)
        && settings::MAX_BYTES.contains(&tuning.http.body_limit)
        && (1_000_000..=200_000_000).contains(&tuning.picture.max_pixels)
        && tuning.max_rps.is_none_or(|rate| settings::MAX_RPS.contains(&rate))
        && settings::TIMEOUT.contains(&tuning.http.total_timeout.as_secs_f64());
    expect(bounded, || format!("{tuning:?}"))
}

/// What a person is told: one line in each language, with `part` in it.
fn told(text: &Text, part: &str) -> Result<(), String> {
    for line in [&text.en, &text.es] {
        expect(!line.is_empty() && line.contains(part), || format!("'{line}'"))?;
    }
    Ok(())
}
