//! What the picture shows where a network's cells are: how light and colourful the judged sky is,
//! and how much of the middle is no sky.

use crate::picture::prepare::Frame;
use crate::picture::stats::{LIGHT, colourfulness, level, luminance_of};
use crate::reading::judged::Middle;
use crate::reading::{Cell, ClassMap};

/// Of the lit cells in the middle of the picture, the share that is background.
pub(super) fn middle_background(frame: &Frame, classes: &ClassMap) -> Option<f64> {
    let middle = Middle::of(&frame.geometry, (classes.width, classes.height));
    let (mut background, mut lit) = (0u32, 0u32);
    for row in 0..classes.height {
        let cells = classes.row(row);
        for (column, (x, y)) in middle.cells(row as usize) {
            let cell = cells.get(column).copied().unwrap_or(Cell::Outside);
            if cell != Cell::Outside && level(frame.pixel(x, y)) >= LIGHT {
                lit += 1;
                background += u32::from(cell == Cell::Background);
            }
        }
    }
    (lit > 0).then(|| f64::from(background) / f64::from(lit))
}

/// Mean luminance and colourfulness of the pixels under cells of sky or cloud.
pub(super) fn look(frame: &Frame, classes: &ClassMap) -> (f64, f64) {
    let (width, height) = frame.geometry.input;
    let cell = |at: u32, side: u32, cells: u32| {
        (u64::from(at) * u64::from(cells) / u64::from(side.max(1))) as u32
    };
    let columns: Vec<usize> = (0..width).map(|x| cell(x, width, classes.width) as usize).collect();
    let mut sums = Sums::default();
    // 1 for each pixel of a row that counts, 0 for the others.
    let mut counts = vec![0u8; width as usize];
    let mut counted = None;
    for y in 0..height {
        let row = cell(y, height, classes.height);
        if counted != Some(row) {
            let cells = classes.row(row);
            for (counts, &column) in counts.iter_mut().zip(&columns) {
                let class = cells.get(column);
                *counts = u8::from(matches!(class, Some(Cell::Sky | Cell::Cloud)));
            }
            counted = Some(row);
        }
        sums.add(frame.row(y), &counts);
    }
    let n = sums.count.max(1) as f64;
    let rgb = sums.rgb.map(|sum| sum as f64);
    (luminance_of(rgb) / n, sums.colour as f64 / 255.0 / n)
}

/// Sums over pixels, in whole levels.
#[derive(Default)]
struct Sums {
    rgb: [u64; 3],
    colour: u64,
    count: u64,
}

impl Sums {
    /// Adds the pixels of a row that `counts` has a 1 for; those that are not there are black.
    fn add(&mut self, pixels: &[[u8; 3]], counts: &[u8]) {
        // A row has no more than 2^24 pixels, so that 32 bits hold its sums.
        let [mut r, mut g, mut b, mut colour] = [0u32; 4];
        for (pixel, &one) in pixels.iter().zip(counts) {
            // All ones, or none.
            let kept = pixel.map(|value| value & one.wrapping_neg());
            r += u32::from(kept[0]);
            g += u32::from(kept[1]);
            b += u32::from(kept[2]);
            colour += u32::from(colourfulness(kept));
        }
        let count = counts.iter().map(|&one| u32::from(one)).sum::<u32>();
        for (sum, of_row) in self.rgb.iter_mut().zip([r, g, b]) {
            *sum += u64::from(of_row);
        }
        self.colour += u64::from(colour);
        self.count += u64::from(count);
    }
}
