//! A strongly blurred copy of a picture.

use super::grid::blend;
use super::light::Colour;

/// Means over square cells, read back smoothly.
pub struct Blur {
    cell: f32,
    columns: usize,
    rows: usize,
    cells: Vec<Colour>,
    /// The mean over all pixels that count.
    pub mean: Colour,
}

impl Blur {
    /// Blurs `pixels` (`width`×`height`), of which those count that `counts` names, in cells of
    /// which `fineness` lie along the shorter side.
    pub fn new(
        pixels: &[Colour],
        counts: impl Fn(usize) -> bool,
        (width, height): (u32, u32),
        fineness: u32,
    ) -> Self {
        let cell = (width.min(height) / fineness).max(2);
        let columns = width.div_ceil(cell) as usize;
        let rows = height.div_ceil(cell) as usize;
        let mut sums = vec![[0.0f32; 4]; columns * rows];
        for (pixel, colour) in pixels.iter().enumerate() {
            if counts(pixel) {
                let (x, y) = (pixel as u32 % width, pixel as u32 / width);
                let sum = &mut sums[(y / cell) as usize * columns + (x / cell) as usize];
                for (s, c) in sum.iter_mut().zip(colour) {
                    *s += c.min(1.2);
                }
                sum[3] += 1.0;
            }
        }
        let total =
            sums.iter().fold([0.0; 4], |a: [f32; 4], s| std::array::from_fn(|i| a[i] + s[i]));
        let of = |s: &[f32; 4], none: Colour| {
            if s[3] > 0.0 { [s[0] / s[3], s[1] / s[3], s[2] / s[3]] } else { none }
        };
        let mean = of(&total, [0.0; 3]);
        let cells = sums.iter().map(|s| of(s, mean)).collect();
        Self { cell: cell as f32, columns, rows, cells, mean }
    }

    /// The blurred picture at a place.
    pub fn at(&self, x: f32, y: f32) -> Colour {
        let place = |v: f32, count: usize| {
            let v = (v / self.cell - 0.5).clamp(0.0, (count - 1) as f32);
            let low = v as usize;
            (low, (low + 1).min(count - 1), v - low as f32)
        };
        let (left, right, tx) = place(x, self.columns);
        let (top, bottom, ty) = place(y, self.rows);
        let cell = |column: usize, row: usize| &self.cells[row * self.columns + column];
        let above = blend(cell(left, top), cell(right, top), tx);
        let below = blend(cell(left, bottom), cell(right, bottom), tx);
        blend(&above, &below, ty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_picture_stays_even_and_what_does_not_count_is_left_out() {
        let mut pixels = vec![[0.2, 0.4, 0.6]; 60 * 45];
        for i in (0..pixels.len()).step_by(3) {
            pixels[i] = [9.0; 3];
        }
        let blur = Blur::new(&pixels, |i| i % 3 != 0, (60, 45), 20);
        for (x, y) in [(0.0, 0.0), (59.0, 44.0), (31.3, 20.2)] {
            let got = blur.at(x, y);
            assert!((got[0] - 0.2).abs() < 1e-4 && (got[2] - 0.6).abs() < 1e-4);
        }
        assert!((blur.mean[1] - 0.4).abs() < 1e-3);
    }
}
