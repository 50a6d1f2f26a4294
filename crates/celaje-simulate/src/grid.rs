//! Coarse grids laid over a picture, and their interpolation.

/// Samples every `step` pixels, one beyond the last pixel at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    step: u32,
    columns: u32,
    rows: u32,
}

impl Grid {
    /// A grid over `width`×`height` pixels.
    pub const fn new(width: u32, height: u32, step: u32) -> Self {
        Self { step, columns: width.div_ceil(step) + 1, rows: height.div_ceil(step) + 1 }
    }

    /// Pixels between two samples.
    pub const fn step(self) -> u32 {
        self.step
    }

    /// Samples in a row.
    pub const fn columns(self) -> u32 {
        self.columns
    }

    /// Rows of samples.
    pub const fn rows(self) -> u32 {
        self.rows
    }

    /// The pixels at which the samples lie, row by row.
    pub fn places(self) -> impl Iterator<Item = (u32, u32)> {
        (0..self.rows)
            .flat_map(move |r| (0..self.columns).map(move |c| (c * self.step, r * self.step)))
    }

    /// The row of `values` at pixel row `y`, interpolated between the two nearest rows of
    /// samples, into `row` (one value a column).
    pub fn row<const N: usize>(self, values: &[[f32; N]], y: u32, row: &mut Vec<[f32; N]>) {
        let upper = (y / self.step) as usize;
        let t = (y % self.step) as f32 / self.step as f32;
        let columns = self.columns as usize;
        let above = &values[upper * columns..(upper + 1) * columns];
        row.clear();
        if t == 0.0 {
            row.extend_from_slice(above);
            return;
        }
        let below = &values[(upper + 1) * columns..(upper + 2) * columns];
        row.extend(above.iter().zip(below).map(|(a, b)| blend(a, b, t)));
    }

    /// Where each of the `width` pixels of a row lies between its samples.
    pub fn columns_of(self, width: u32) -> Vec<Between> {
        (0..width)
            .map(|x| Between {
                left: (x / self.step) as usize,
                t: (x % self.step) as f32 / self.step as f32,
            })
            .collect()
    }
}

/// A place between two samples of a row.
#[derive(Clone, Copy, Debug)]
pub struct Between {
    left: usize,
    /// 0 at the left sample, 1 at the right one.
    t: f32,
}

impl Between {
    /// The value here of a row made by [`Grid::row`].
    pub fn of<const N: usize>(self, row: &[[f32; N]]) -> [f32; N] {
        blend(&row[self.left], &row[self.left + 1], self.t)
    }
}

/// `a` at 0, `b` at 1, straight between them.
pub fn blend<const N: usize>(a: &[f32; N], b: &[f32; N], t: f32) -> [f32; N] {
    std::array::from_fn(|i| a[i] + (b[i] - a[i]) * t)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_is_interpolated_exactly() {
        for (width, height, step) in [(17, 9, 4), (16, 8, 8), (5, 5, 1)] {
            let grid = Grid::new(width, height, step);
            let plane = |x: u32, y: u32| [2.0 * x as f32 + 1.0, -0.5 * y as f32];
            let values: Vec<[f32; 2]> = grid.places().map(|(x, y)| plane(x, y)).collect();
            assert_eq!(values.len() as u32, grid.columns() * grid.rows());
            let mut row = Vec::new();
            let columns = grid.columns_of(width);
            for y in 0..height {
                grid.row(&values, y, &mut row);
                for x in 0..width {
                    let got = columns[x as usize].of(&row);
                    let want = plane(x, y);
                    assert!((got[0] - want[0]).abs() < 1e-4 && (got[1] - want[1]).abs() < 1e-4);
                }
            }
        }
    }
}
