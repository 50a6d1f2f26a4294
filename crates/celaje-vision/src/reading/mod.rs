//! Turns a network's numbers into an okta.

mod appearance;
mod cells;
mod class_map;
mod dome;
mod logistic;
mod outcome;
pub mod overlay;
mod segmentation;
mod sky_area;

use crate::engine::backend::{Backend, BackendError, InputBatch, OutputBatch};
use crate::model::manifest::{Activation, Input, Kind, Manifest};
use crate::picture::prepare::{Frame, judged_region};
use crate::reading::logistic::{LEAST_PROBABILITY, LEAST_TEMPERATURE};
use crate::reading::segmentation::{Logits, segment};
use celaje_sky::confidence::{self, Calibration};
use celaje_sky::okta::Okta;
use celaje_sky::station::region::Region;
use celaje_sky::station::zone::SkyParts;

pub use crate::reading::class_map::{Cell, ClassMap};
pub use crate::reading::dome::sky_dome;
pub use crate::reading::outcome::{Reading, ReadingError};

/// The reading; none if the network finds no sky, which is a finding about the picture and no
/// failure.
///
/// # Errors
/// The text of [`ReadingError::Model`].
pub fn if_sky(result: Result<Reading, ReadingError>) -> Result<Option<Reading>, String> {
    match result {
        Ok(reading) => Ok(Some(reading)),
        Err(ReadingError::NoSky) => Ok(None),
        Err(ReadingError::Model(what)) => Err(what),
    }
}

/// Reads the output for one picture.
///
/// `shape` is that of the output without the batch. For a segmentation it is `[classes, rows,
/// columns]`, or `[rows, columns, classes]` if `input.layout` is `nhwc` or only that fits; for a
/// classification it is `[classes]`.
///
/// Each cell of a segmentation has the class that is most probable in it. Cells on letterbox bars,
/// outside the region's mask, beyond its lens's limit and of background do not count. The class
/// `obstructed` competes with no other: its mean over all judged cells, background included, says
/// whether something lies on the lens. The reading has a class map if `keep_classes` is set.
///
/// # Errors
/// If there is no sky, or the output contradicts the manifest.
pub fn read(
    output: &[f32],
    shape: &[usize],
    manifest: &Manifest,
    frame: &Frame,
    region: &Region,
    keep_classes: bool,
) -> Result<Reading, ReadingError> {
    if numbers_in(shape) != Some(output.len()) || output.is_empty() {
        return Err(ReadingError::Model(format!(
            "{} numbers do not fill an output of {shape:?}",
            output.len()
        )));
    }
    // Without an early return the compiler checks several numbers at once.
    if !output.iter().fold(true, |all, number| all & number.is_finite()) {
        let number = output.iter().find(|number| !number.is_finite());
        let number = number.copied().unwrap_or(f32::NAN);
        return Err(ReadingError::Model(format!("the network gave {number}")));
    }
    let calibration = manifest.calibration.unwrap_or_default();
    match manifest.kind {
        Kind::Classification => classify(output, manifest, &calibration),
        Kind::Segmentation => {
            let logits = Logits::of(output, shape, manifest)?;
            segment(&logits, frame, &judged_region(manifest, region), &calibration, keep_classes)
        }
    }
}

/// How many numbers an output of this shape has; none if the product overflows.
fn numbers_in(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |n, side| n.checked_mul(*side))
}

/// A network's number as a logit divided by the temperature.
fn logit(value: f32, activation: Activation, calibration: &Calibration) -> f64 {
    let value = f64::from(value);
    let logit = match activation {
        Activation::Logits => value,
        // The softmax of logarithms gives the probabilities back.
        Activation::Probabilities => value.max(LEAST_PROBABILITY).ln(),
    };
    logit / calibration.temperature.max(LEAST_TEMPERATURE)
}

fn classify(
    output: &[f32],
    manifest: &Manifest,
    calibration: &Calibration,
) -> Result<Reading, ReadingError> {
    let numbers = output.len();
    if numbers != Okta::ALL.len() || manifest.output.classes.len() != numbers {
        return Err(ReadingError::Model(format!("{numbers} numbers are not those of nine oktas")));
    }
    let logits: Vec<f64> =
        output.iter().map(|&v| logit(v, manifest.output.activation, calibration)).collect();
    let mut best = 0;
    for (k, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = k;
        }
    }
    // Relative to the greatest, so that no exponential overflows.
    let powers: [f64; 9] = std::array::from_fn(|k| (logits[k] - logits[best]).exp());
    let sum: f64 = powers.iter().sum();
    let (okta, probabilities) = (Okta::ALL[best], powers.map(|power| power / sum));
    Ok(Reading {
        okta,
        cloud_fraction: None,
        parts: SkyParts::default(),
        confidence: 1.0 / sum,
        range: confidence::range(okta, &probabilities, calibration.range_level),
        middle_background: None,
        lens: None,
        classes: None,
    })
}

/// Runs a batch and reads each picture; the results are in the order of `frames`.
///
/// `buffer` holds the tensor; reusing it saves an allocation.
///
/// # Errors
/// If the engine fails on the batch, or gives another number of results. A picture that yields no
/// reading has an error in its own place.
pub fn run_batch(
    backend: &mut dyn Backend,
    manifest: &Manifest,
    frames: &[&Frame],
    region: &Region,
    buffer: &mut Vec<f32>,
) -> Result<Vec<Result<Reading, ReadingError>>, BackendError> {
    let output = run_frames(backend, &manifest.input, frames, buffer)?;
    let each = output.data.len() / frames.len().max(1);
    let shape = output.shape.get(1..).unwrap_or_default();
    // Slices by index, not by chunks: pictures without any number have a result too.
    let readings = frames.iter().enumerate().map(|(n, frame)| {
        let piece = output.data.get(n * each..(n + 1) * each);
        let piece = piece.unwrap_or_default();
        read(piece, shape, manifest, frame, region, false)
    });
    Ok(readings.collect())
}

/// Runs and reads a single picture, with its class map.
///
/// # Errors
/// The outer one if the engine fails, the inner one if the picture yields no reading.
pub fn run_one(
    backend: &mut dyn Backend,
    manifest: &Manifest,
    frame: &Frame,
    region: &Region,
    buffer: &mut Vec<f32>,
) -> Result<Result<Reading, ReadingError>, BackendError> {
    let output = run_frames(backend, &manifest.input, &[frame], buffer)?;
    Ok(read(&output.data, output.shape.get(1..).unwrap_or_default(), manifest, frame, region, true))
}

/// Fills the tensor, runs the network, and checks that it gives a result for each picture.
fn run_frames(
    backend: &mut dyn Backend,
    input: &Input,
    frames: &[&Frame],
    buffer: &mut Vec<f32>,
) -> Result<OutputBatch, BackendError> {
    let n = frames.len();
    if frames.iter().any(|frame| frame.geometry.input != (input.width, input.height)) {
        return Err(BackendError::Run("a frame was made for an input of another size".to_owned()));
    }
    let each = input.shape(1).iter().product::<usize>();
    buffer.resize(n * each, 0.0);
    for (frame, tensor) in frames.iter().zip(buffer.chunks_mut(each.max(1))) {
        frame.write_tensor(input, tensor);
    }
    if n == 0 {
        return Ok(OutputBatch { data: Vec::new(), shape: vec![0] });
    }
    let output = backend.run(InputBatch { data: buffer, shape: input.shape(n) })?;
    let numbers = output.data.len();
    if output.shape.first() != Some(&n) || numbers_in(&output.shape) != Some(numbers) {
        let shape = output.shape;
        return Err(BackendError::Run(format!(
            "the network gave {numbers} numbers as {shape:?} for {n} pictures"
        )));
    }
    Ok(output)
}

#[cfg(test)]
#[path = "reading_tests.rs"]
mod tests;
