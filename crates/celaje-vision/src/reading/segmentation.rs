//! Turns a segmentation's cells into a cloud fraction.

use crate::model::manifest::{Activation, Manifest, OBSTRUCTED, TensorLayout};
use crate::picture::prepare::Frame;
use crate::reading::appearance::{light_and_colour, middle_background};
use crate::reading::cells::JudgedCells;
use crate::reading::class_map::{Cell, ClassMap};
use crate::reading::logistic::{LEAST_PROBABILITY, LEAST_TEMPERATURE, lesser, probability};
use crate::reading::outcome::{Reading, ReadingError};
use crate::reading::sky_area::{LEAST_SKY, SkyArea};
use celaje_sky::confidence::Calibration;
use celaje_sky::confidence::{self, Evidence};
use celaje_sky::okta::Okta;
use celaje_sky::station::region::Region;

/// A segmentation's output in either order of dimensions.
pub(super) struct Logits<'a> {
    data: &'a [f32],
    columns: usize,
    rows: usize,
    /// Whether the classes are the last dimension.
    interleaved: bool,
    /// The meaning of each channel.
    channels: Vec<Channel>,
    sky: usize,
    cloud: usize,
    obstructed: Option<usize>,
    activation: Activation,
}

/// The meaning of a channel of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channel {
    /// One of the classes that compete in each cell.
    Class(Cell),
    /// Something lies on the lens, whatever the cell's class.
    Lens,
}

impl<'a> Logits<'a> {
    /// `data` has `shape.iter().product()` numbers.
    pub(super) fn of(
        data: &'a [f32],
        shape: &[usize],
        manifest: &Manifest,
    ) -> Result<Self, ReadingError> {
        let names = &manifest.output.classes;
        let place = |name: &str| names.iter().position(|class| class == name);
        let (Some(sky), Some(cloud)) = (place("sky"), place("cloud")) else {
            return Err(ReadingError::Model("the manifest names no sky or no cloud".to_owned()));
        };
        let classes = names.len();
        let last = manifest.input.layout == TensorLayout::Nhwc;
        let (rows, columns, interleaved) = match *shape {
            [rows, columns, c] if c == classes && (last || rows != classes) => {
                (rows, columns, true)
            }
            [c, rows, columns] if c == classes => (rows, columns, false),
            _ => {
                return Err(ReadingError::Model(format!(
                    "an output of {shape:?} is no map of {classes} classes"
                )));
            }
        };
        let channel = |(at, name): (usize, &String)| match name.as_str() {
            OBSTRUCTED => Channel::Lens,
            _ if at == sky => Channel::Class(Cell::Sky),
            _ if at == cloud => Channel::Class(Cell::Cloud),
            _ => Channel::Class(Cell::Background),
        };
        Ok(Self {
            data,
            columns,
            rows,
            interleaved,
            channels: names.iter().enumerate().map(channel).collect(),
            sky,
            cloud,
            obstructed: place(OBSTRUCTED),
            activation: manifest.output.activation,
        })
    }

    /// The numbers of a row of cells, channel by channel. `scratch` holds them if they have to be
    /// rearranged.
    fn row<'s>(&'s self, row: usize, scratch: &'s mut Vec<f32>) -> Row<'s> {
        let (columns, classes) = (self.columns, self.channels.len());
        if !self.interleaved {
            return Row {
                data: self.data.get(row * columns..).unwrap_or_default(),
                step: self.rows * columns,
                columns,
            };
        }
        scratch.resize(columns * classes, 0.0);
        let cells = self.data.chunks_exact(classes.max(1));
        for (column, cell) in cells.skip(row * columns).take(columns).enumerate() {
            for (class, value) in cell.iter().enumerate() {
                scratch[class * columns + column] = *value;
            }
        }
        Row { data: scratch, step: columns, columns }
    }

    /// The most probable class of each cell of a row, as the discriminant of its [`Cell`]; of equal
    /// ones the first.
    fn classes(&self, row: &Row<'_>, best: &mut [f32], classes: &mut [u8]) {
        best.fill(f32::NEG_INFINITY);
        for (at, channel) in self.channels.iter().enumerate() {
            let Channel::Class(cell) = *channel else {
                continue;
            };
            let values = row.channel(at);
            for ((best, class), &value) in best.iter_mut().zip(classes.iter_mut()).zip(values) {
                // All ones if it is better: a mask instead of a branch.
                let better = u8::from(value > *best).wrapping_neg();
                *best = best.max(value);
                *class = (*class & !better) | (cell as u8 & better);
            }
        }
    }

    /// For each cell of a row, the lesser of the probabilities of sky and cloud, if it must be one
    /// of them.
    fn expected_errors(&self, row: &Row<'_>, temperature: f64, errors: &mut [f32]) {
        let (sky, cloud) = (row.channel(self.sky), row.channel(self.cloud));
        let sharpness = 1.0 / temperature.max(LEAST_TEMPERATURE);
        match self.activation {
            Activation::Logits => lesser(sky, cloud, sharpness, errors),
            Activation::Probabilities => {
                for (error, (&sky, &cloud)) in errors.iter_mut().zip(sky.iter().zip(cloud)) {
                    let [sky, cloud] = [sky, cloud].map(|p| f64::from(p).max(LEAST_PROBABILITY));
                    let ratio = sky.min(cloud) / sky.max(cloud);
                    let odds = if sharpness == 1.0 { ratio } else { ratio.powf(sharpness) };
                    *error = (odds / (1.0 + odds)) as f32;
                }
            }
        }
    }
}

/// The numbers of one row of cells.
struct Row<'a> {
    data: &'a [f32],
    /// Numbers from one channel to the next.
    step: usize,
    columns: usize,
}

impl Row<'_> {
    fn channel(&self, at: usize) -> &[f32] {
        let start = at * self.step;
        self.data.get(start..start + self.columns).unwrap_or_default()
    }
}

/// Counts and sums over the judged cells.
struct Tally {
    inside: u64,
    sky: u64,
    cloud: u64,
    /// By column: sums of the expected errors of the cells of sky or cloud.
    errors: Vec<f64>,
    /// By column: sums of the channel `obstructed`.
    lens: Vec<f64>,
}

impl Tally {
    /// Counts all cells and writes their classes to `cells`, row by row.
    fn of(
        logits: &Logits<'_>,
        judged: &JudgedCells<'_>,
        temperature: f64,
        cells: &mut [Cell],
    ) -> Self {
        let columns = logits.columns;
        let mut tally = Self {
            inside: 0,
            sky: 0,
            cloud: 0,
            errors: vec![0.0; columns],
            lens: vec![0.0; columns],
        };
        let (mut scratch, mut best) = (Vec::new(), vec![0.0; columns]);
        let (mut classes, mut inside) = (vec![0u8; columns], vec![false; columns]);
        let mut errors = vec![0.0; columns];
        for (number, cells) in cells.chunks_exact_mut(columns.max(1)).enumerate() {
            let row = logits.row(number, &mut scratch);
            logits.classes(&row, &mut best, &mut classes);
            logits.expected_errors(&row, temperature, &mut errors);
            judged.mark(number, &mut inside);
            for ((cell, class), &inside) in cells.iter_mut().zip(&mut classes).zip(&inside) {
                *class &= u8::from(inside).wrapping_neg();
                *cell = Cell::numbered(*class);
            }
            let count = |of: Cell| -> u64 {
                let ones = classes.iter().map(|class| u32::from(*class == of as u8));
                u64::from(ones.sum::<u32>())
            };
            tally.inside += columns as u64 - count(Cell::Outside);
            tally.sky += count(Cell::Sky);
            tally.cloud += count(Cell::Cloud);
            let seen = classes.iter().map(|&class| class >= Cell::Sky as u8);
            add_where(&mut tally.errors, &errors, seen);
            if let Some(obstructed) = logits.obstructed {
                let inside = inside.iter().copied();
                add_where(&mut tally.lens, row.channel(obstructed), inside);
            }
        }
        tally
    }
}

/// Adds to each of `sums` its value if its element of `counts` is true.
fn add_where(sums: &mut [f64], values: &[f32], counts: impl Iterator<Item = bool>) {
    for ((sum, value), counts) in sums.iter_mut().zip(values).zip(counts) {
        // The value's bits, or none of them (0.0): a mask instead of a branch.
        let kept = value.to_bits() & u32::from(counts).wrapping_neg();
        *sum += f64::from(f32::from_bits(kept));
    }
}

/// Reads the cells of a segmentation.
pub(super) fn segment(
    logits: &Logits<'_>,
    frame: &Frame,
    region: &Region,
    calibration: &Calibration,
    keep_classes: bool,
) -> Result<Reading, ReadingError> {
    let size = (logits.columns, logits.rows);
    let shape = f64::from(frame.height) / f64::from(frame.width.max(1));
    let judged = JudgedCells::of(&frame.geometry, region, shape, size);
    let mut cells = vec![Cell::Outside; size.0 * size.1];
    let tally = Tally::of(logits, &judged, calibration.temperature, &mut cells);
    let seen = tally.sky + tally.cloud;
    if seen == 0 || (seen as f64) < LEAST_SKY * tally.inside as f64 {
        return Err(ReadingError::NoSky);
    }
    let classes = ClassMap { width: size.0 as u32, height: size.1 as u32, cells };
    let area = SkyArea::of(&classes, &frame.geometry, region, shape);
    let by_cells = tally.cloud as f64 / seen as f64;
    let fraction = area.fraction().unwrap_or(by_cells);
    let (light, colour) = light_and_colour(frame, &classes);
    let evidence = Evidence {
        fraction,
        expected_error: tally.errors.iter().sum::<f64>() / seen as f64,
        light,
        colour,
    };
    let okta = Okta::from_fraction(fraction);
    let probabilities = confidence::distribution(&evidence, calibration);
    Ok(Reading {
        okta,
        cloud_fraction: Some(fraction),
        parts: area.into_parts(),
        confidence: confidence::probability(okta, &evidence, calibration),
        range: confidence::range(okta, &probabilities, calibration.range_level),
        middle_background: middle_background(frame, &classes),
        lens: logits.obstructed.map(|_| {
            let mean = tally.lens.iter().sum::<f64>() / tally.inside as f64;
            match logits.activation {
                Activation::Logits => probability(mean),
                Activation::Probabilities => mean.clamp(0.0, 1.0),
            }
        }),
        classes: keep_classes.then_some(classes),
    })
}

#[cfg(test)]
#[path = "segmentation_tests.rs"]
mod tests;
