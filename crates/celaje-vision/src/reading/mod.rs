//! A network's numbers to an okta.

mod judged;
mod logistic;
mod look;
pub mod overlay;
mod segmentation;

use crate::engine::backend::{Backend, BackendError, InputBatch, OutputBatch};
use crate::model::manifest::{Activation, Input, Kind, Manifest};
use crate::picture::prepare::{Frame, judged_region};
use crate::reading::segmentation::{Logits, segment};
use celaje_sky::confidence::Calibration;
use celaje_sky::okta::Okta;
use celaje_sky::station::region::Region;

/// With less than this share of the region taken for sky or cloud, there is nothing to judge.
pub const LEAST_SKY: f64 = 0.01;

/// What is taken for the logarithm of a probability is not below that of this.
pub(super) const LEAST_PROBABILITY: f64 = 1e-12;
/// What logits are divided by is not below this.
pub(super) const LEAST_TEMPERATURE: f64 = 1e-6;

/// What a picture shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Cloud amount.
    pub okta: Okta,
    /// Cloud / (cloud + sky), 0 to 1; none from a classification.
    pub cloud_fraction: Option<f64>,
    /// Probability that `okta` is right, 0 to 1.
    pub confidence: f64,
    /// Of the cells in the middle of the picture that are not dark, the share that was taken for
    /// neither sky nor cloud; none from a classification, and where all of it is dark.
    pub middle_background: Option<f64>,
    /// Probability that something lies on the lens (drops, dew, snow), 0 to 1; none from a network
    /// without the class `obstructed`.
    pub lens: Option<f64>,
    /// What each cell was taken for, when asked for; none from a classification.
    pub classes: Option<ClassMap>,
}

/// What a cell of a network's output was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Not judged: on a letterbox bar, or masked out.
    Outside,
    /// Neither sky nor cloud.
    Background,
    /// Clear sky.
    Sky,
    /// Cloud.
    Cloud,
}

impl Cell {
    /// The cell whose number (`as u8`) this is; outside for any other.
    pub(super) const fn numbered(number: u8) -> Self {
        match number {
            1 => Self::Background,
            2 => Self::Sky,
            3 => Self::Cloud,
            _ => Self::Outside,
        }
    }
}

/// The cells of a network's output; they cover the whole of its input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassMap {
    /// Cells in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Row by row from the top, `width` × `height`.
    pub cells: Vec<Cell>,
}

impl ClassMap {
    /// The cell in column `x` of row `y`; outside beyond the last.
    pub fn at(&self, x: u32, y: u32) -> Cell {
        if x >= self.width {
            return Cell::Outside;
        }
        let at = y as usize * self.width as usize + x as usize;
        self.cells.get(at).copied().unwrap_or(Cell::Outside)
    }

    /// The cells of row `y`; none below the last.
    pub fn row(&self, y: u32) -> &[Cell] {
        let start = y as usize * self.width as usize;
        let cells = self.cells.get(start..start + self.width as usize);
        cells.unwrap_or_default()
    }
}

/// A picture that was run through a network and yields no okta.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadingError {
    /// Hardly a cell was taken for sky or cloud.
    #[error("the model finds neither sky nor cloud in the region of interest")]
    NoSky,
    /// The numbers are none, or not as many as the manifest says.
    #[error("{0}")]
    Model(String),
}

/// The reading, or none where the network finds no sky: that is no failure, but says something
/// about the picture ([`verdict`](crate::verdict)).
///
/// # Errors
/// What is wrong with the network's numbers.
pub fn if_sky(result: Result<Reading, ReadingError>) -> Result<Option<Reading>, String> {
    match result {
        Ok(reading) => Ok(Some(reading)),
        Err(ReadingError::NoSky) => Ok(None),
        Err(ReadingError::Model(what)) => Err(what),
    }
}

/// Reads the output for one picture.
///
/// `shape` is the output's without the batch: `[classes, rows, columns]` of a segmentation (the
/// classes last where `input.layout` is `nhwc`, or where only that fits), `[classes]` of a
/// classification. A segmentation's cells, at any stride, count for the class that is most probable
/// there; cells on letterbox bars and outside the region's mask do not count, background does not
/// either. The class `obstructed` is none of a cell's: its mean over all cells that are judged,
/// background too, says whether something lies on the lens. The class map is made when
/// `keep_classes` says so.
///
/// # Errors
/// When there is no sky to be seen, or the output is not what the manifest says.
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
    // Without an early end, so that many are looked at at once.
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

/// How many numbers an output of this shape has; none when no machine could hold them.
fn numbers_in(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |n, side| n.checked_mul(*side))
}

/// A network's number as a logit divided by the temperature.
fn logit(value: f32, activation: Activation, calibration: &Calibration) -> f64 {
    let value = f64::from(value);
    let logit = match activation {
        Activation::Logits => value,
        // Softmax of logarithms gives the probabilities back.
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
    let sum: f64 = logits.iter().map(|logit| (logit - logits[best]).exp()).sum();
    Ok(Reading {
        okta: Okta::ALL[best],
        cloud_fraction: None,
        confidence: 1.0 / sum,
        middle_background: None,
        lens: None,
        classes: None,
    })
}

/// Runs a batch and reads each picture of it; the answers are in the order of `frames`.
///
/// `buffer` holds the tensor; handing the same one in again saves its allocation.
///
/// # Errors
/// When the engine fails on the batch, or its output is not one of so many pictures. A picture
/// that alone yields nothing is an error in its own place.
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
    // By place and not by chunks: of pictures without any number each has an answer too.
    let readings = frames.iter().enumerate().map(|(n, frame)| {
        let piece = output.data.get(n * each..(n + 1) * each);
        let piece = piece.unwrap_or_default();
        read(piece, shape, manifest, frame, region, false)
    });
    Ok(readings.collect())
}

/// As [`run_batch`] for a single picture, with its class map.
///
/// # Errors
/// The outer one when the engine fails, the inner one when the picture yields nothing.
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

/// Fills the tensor, runs the network, and checks that the output is of as many pictures.
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
