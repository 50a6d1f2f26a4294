//! A segmentation's cells to a cloud fraction.

use crate::image::prepare::Frame;
use crate::image::stats::{LIGHT, colourfulness, level, luminance};
use crate::model::manifest::{Activation, Calibration, Manifest, TensorLayout};
use crate::model::reading::{Cell, ClassMap, LEAST_SKY, Reading, ReadingError};
use crate::sky::confidence::{self, Evidence};
use crate::sky::okta::Okta;
use crate::station::region::Region;

/// A network's number as a logit divided by the temperature.
pub(super) fn logit(value: f32, activation: Activation, calibration: &Calibration) -> f64 {
    let value = f64::from(value);
    let logit = match activation {
        Activation::Logits => value,
        // Softmax of logarithms gives the probabilities back.
        Activation::Probabilities => value.max(1e-12).ln(),
    };
    logit / calibration.temperature.max(1e-6)
}

/// A segmentation's output, whatever its order of dimensions.
pub(super) struct Logits<'a> {
    data: &'a [f32],
    /// Columns and rows.
    size: (usize, usize),
    classes: usize,
    /// Numbers between one class and the next, one cell and the next.
    steps: (usize, usize),
    sky: usize,
    cloud: usize,
    activation: Activation,
    calibration: &'a Calibration,
}

impl<'a> Logits<'a> {
    pub(super) fn of(
        data: &'a [f32],
        shape: &[usize],
        manifest: &Manifest,
        calibration: &'a Calibration,
    ) -> Result<Self, ReadingError> {
        let names = &manifest.output.classes;
        let place = |name: &str| names.iter().position(|class| class == name);
        let (Some(sky), Some(cloud)) = (place("sky"), place("cloud")) else {
            return Err(ReadingError::Model(
                "the manifest names no sky or no cloud".to_owned(),
            ));
        };
        let classes = names.len();
        let last = manifest.input.layout == TensorLayout::Nhwc;
        let (size, steps) = match *shape {
            [rows, columns, c] if c == classes && (last || shape[0] != classes) => {
                ((columns, rows), (1, classes))
            }
            [c, rows, columns] if c == classes => ((columns, rows), (rows * columns, 1)),
            _ => {
                return Err(ReadingError::Model(format!(
                    "an output of {shape:?} is no map of {classes} classes"
                )));
            }
        };
        let activation = manifest.output.activation;
        Ok(Self {
            data,
            size,
            classes,
            steps,
            sky,
            cloud,
            activation,
            calibration,
        })
    }

    /// The class that is most probable in cell `at`.
    fn class(&self, at: usize) -> Cell {
        let value = |class: usize| self.data[class * self.steps.0 + at * self.steps.1];
        let mut best = 0;
        for class in 1..self.classes {
            if value(class) > value(best) {
                best = class;
            }
        }
        match best {
            class if class == self.sky => Cell::Sky,
            class if class == self.cloud => Cell::Cloud,
            _ => Cell::Background,
        }
    }

    /// The lesser of the probabilities of sky and cloud in cell `at`, given that it is one of them.
    fn expected_error(&self, at: usize) -> f64 {
        let value = |class: usize| {
            let number = self.data[class * self.steps.0 + at * self.steps.1];
            logit(number, self.activation, self.calibration)
        };
        1.0 / (1.0 + (value(self.cloud) - value(self.sky)).abs().exp())
    }
}

/// Counts cells, and weighs what they say.
pub(super) fn segment(
    logits: &Logits<'_>,
    frame: &Frame,
    region: &Region,
    calibration: &Calibration,
    keep_classes: bool,
) -> Result<Reading, ReadingError> {
    let (columns, rows) = logits.size;
    let (width, height) = frame.geometry.input;
    let (stride_x, stride_y) = (
        f64::from(width) / columns as f64,
        f64::from(height) / rows as f64,
    );
    let mut cells = Vec::with_capacity(columns * rows);
    let (mut inside, mut sky, mut cloud, mut error) = (0u64, 0u64, 0u64, 0.0);
    for row in 0..rows {
        for column in 0..columns {
            let centre = (
                (column as f64 + 0.5) * stride_x,
                (row as f64 + 0.5) * stride_y,
            );
            let judged = frame
                .geometry
                .to_picture(centre.0, centre.1)
                .is_some_and(|(x, y)| region.mask.as_ref().is_none_or(|mask| mask.contains(x, y)));
            if !judged {
                cells.push(Cell::Outside);
                continue;
            }
            inside += 1;
            let at = row * columns + column;
            let cell = logits.class(at);
            match cell {
                Cell::Sky => sky += 1,
                Cell::Cloud => cloud += 1,
                _ => {}
            }
            if matches!(cell, Cell::Sky | Cell::Cloud) {
                error += logits.expected_error(at);
            }
            cells.push(cell);
        }
    }
    let judged = sky + cloud;
    if judged == 0 || (judged as f64) < LEAST_SKY * inside as f64 {
        return Err(ReadingError::NoSky);
    }
    let fraction = cloud as f64 / judged as f64;
    let classes = ClassMap {
        width: columns as u32,
        height: rows as u32,
        cells,
    };
    let (light, colour) = look(frame, &classes);
    let obstructed = obstructed(frame, &classes);
    let evidence = Evidence {
        fraction,
        expected_error: error / judged as f64,
        light,
        colour,
    };
    let okta = Okta::from_fraction(fraction);
    Ok(Reading {
        okta,
        cloud_fraction: Some(fraction),
        confidence: confidence::probability(okta, &evidence, calibration),
        obstructed,
        classes: keep_classes.then_some(classes),
    })
}

/// Radius of the middle of a picture, in widths and heights of it.
const MIDDLE: f64 = 0.25;

/// Of the lit cells in the middle of the picture, the share that is background.
fn obstructed(frame: &Frame, classes: &ClassMap) -> Option<f64> {
    let (width, height) = frame.geometry.input;
    let content = frame.geometry.content;
    let (mut background, mut lit) = (0u32, 0u32);
    for row in 0..classes.height {
        let y = (f64::from(row) + 0.5) * f64::from(height) / f64::from(classes.height);
        let v = (y - f64::from(content.top)) / f64::from(content.height) - 0.5;
        for column in 0..classes.width {
            let x = (f64::from(column) + 0.5) * f64::from(width) / f64::from(classes.width);
            let u = (x - f64::from(content.left)) / f64::from(content.width) - 0.5;
            let cell = classes.at(column, row);
            let inside = u.hypot(v) <= MIDDLE && cell != Cell::Outside;
            if inside && level(frame.pixel(x as u32, y as u32)) >= LIGHT {
                lit += 1;
                background += u32::from(cell == Cell::Background);
            }
        }
    }
    (lit > 0).then(|| f64::from(background) / f64::from(lit))
}

/// Mean luminance and colourfulness of the pixels under cells of sky or cloud.
fn look(frame: &Frame, classes: &ClassMap) -> (f64, f64) {
    let (width, height) = frame.geometry.input;
    let cell = |at: u32, side: u32, cells: u32| {
        (u64::from(at) * u64::from(cells) / u64::from(side.max(1))) as u32
    };
    let (mut light, mut colour, mut count) = (0.0, 0.0, 0u64);
    for y in 0..height {
        let row = cell(y, height, classes.height);
        for x in 0..width {
            let class = classes.at(cell(x, width, classes.width), row);
            if matches!(class, Cell::Sky | Cell::Cloud) {
                let pixel = frame.pixel(x, y);
                light += luminance(pixel);
                colour += colourfulness(pixel);
                count += 1;
            }
        }
    }
    let n = count.max(1) as f64;
    (light / n, colour / n)
}
