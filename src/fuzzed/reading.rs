//! What a network gives.

use crate::fuzzed::expect;
use crate::fuzzed::picture::bundled;
use celaje_sky::station::Station;
use celaje_vision::model::manifest::{Activation, Kind, OBSTRUCTED};
use celaje_vision::picture::geometry::{Geometry, PixelRect, UnitRect};
use celaje_vision::picture::prepare::Frame;
use celaje_vision::picture::stats::PictureStats;
use celaje_vision::reading::{ReadingError, read};

/// What a network gave for a picture: three bytes for the shape and the kind, then the numbers.
///
/// # Errors
/// What did not hold.
pub fn reading(bytes: &[u8]) -> Result<(), String> {
    let mut manifest = bundled().ok_or("the bundled model cannot be read")?.clone();
    let &[kind, rows, columns, ref numbers @ ..] = bytes else {
        return Ok(());
    };
    let output: Vec<f32> =
        numbers.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    if kind & 1 == 1 {
        manifest.output.activation = Activation::Probabilities;
    }
    if kind & 2 == 2 {
        manifest.output.classes.retain(|class| class != OBSTRUCTED);
    }
    let mut shape = vec![manifest.output.classes.len(), usize::from(rows), usize::from(columns)];
    if kind & 4 == 4 {
        manifest.kind = Kind::Classification;
        manifest.output.classes = (0..9).map(|okta| okta.to_string()).collect();
        shape = vec![output.len()];
    }
    if kind & 8 == 8 {
        shape.rotate_left(1);
    }
    let (width, height) = (manifest.input.width, manifest.input.height);
    let frame = grey(width, height);
    let region = Station::rio_grande().region;
    match read(&output, &shape, &manifest, &frame, &region, true) {
        Ok(reading) => {
            let share = |name: &str, value: f64| {
                let inside = (0.0..=1.0).contains(&value);
                expect(inside, || format!("{name} is {value}"))
            };
            share("the confidence", reading.confidence)?;
            let others = [
                ("the fraction", reading.cloud_fraction),
                ("the middle", reading.middle_background),
                ("the lens", reading.lens),
            ];
            for (name, value) in others {
                value.map_or(Ok(()), |value| share(name, value))?;
            }
            let bad = output.iter().any(|number| !number.is_finite());
            expect(!bad, || "a number that is none was read".to_owned())
        }
        Err(ReadingError::NoSky) => Ok(()),
        Err(ReadingError::Model(what)) => expect(!what.is_empty(), || "no word".to_owned()),
    }
}

/// A picture that is grey all over.
fn grey(width: u32, height: u32) -> Frame {
    Frame {
        pixels: vec![128; 3 * width as usize * height as usize],
        geometry: Geometry {
            input: (width, height),
            content: PixelRect { left: 0, top: 0, width, height },
            crop: UnitRect { left: 0.0, top: 0.0, width: 1.0, height: 1.0 },
        },
        width,
        height,
        sha256: String::new(),
        stats: PictureStats::default(),
    }
}
