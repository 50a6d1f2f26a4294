//! Light and colour of the judged sky, and how much of the picture's middle is background.

use crate::picture::prepare::Frame;
use crate::picture::stats::{LIGHT, colourfulness, level, luminance_of};
use crate::reading::cells::MiddleCells;
use crate::reading::class_map::{Cell, ClassMap};

/// Share of background among the lit cells in the middle of the picture; none if no cell is lit.
pub(super) fn middle_background(frame: &Frame, classes: &ClassMap) -> Option<f64> {
    let middle = MiddleCells::of(&frame.geometry, (classes.width, classes.height));
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

/// Mean luminance and colourfulness, 0 to 1 each, of the pixels under cells of sky or cloud.
pub(super) fn light_and_colour(frame: &Frame, classes: &ClassMap) -> (f64, f64) {
    let (width, height) = frame.geometry.input;
    let cell = |at: u32, side: u32, cells: u32| {
        (u64::from(at) * u64::from(cells) / u64::from(side.max(1))) as u32
    };
    let columns: Vec<usize> = (0..width).map(|x| cell(x, width, classes.width) as usize).collect();
    let mut sums = PixelSums::default();
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
struct PixelSums {
    rgb: [u64; 3],
    colour: u64,
    count: u64,
}

impl PixelSums {
    /// Adds the pixels of a row whose element of `counts` is 1; missing pixels are black.
    fn add(&mut self, pixels: &[[u8; 3]], counts: &[u8]) {
        // A row has no more than 2^24 pixels, so that 32 bits hold its sums.
        let [mut r, mut g, mut b, mut colour] = [0u32; 4];
        for (pixel, &one) in pixels.iter().zip(counts) {
            // All bits or none of them.
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
