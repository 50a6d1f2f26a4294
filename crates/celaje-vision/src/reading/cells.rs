//! Which of a network's cells are judged, and which of them lie in the middle of the picture.
//!
//! The column of a cell alone decides its column in the picture, and the row its row. So both are
//! computed once for each column and row.

use std::ops::Range;

use crate::picture::geometry::Geometry;
use celaje_sky::station::lens::Lens;
use celaje_sky::station::region::{Mask, Region};

/// The cells that lie in the picture, in the region's mask and within its lens's limit.
pub(super) struct JudgedCells<'a> {
    /// Of each column of cells: whether its centre lies in the picture.
    columns: Vec<bool>,
    /// Of each row of cells: the place of its centre, a fraction of the picture's height.
    rows: Vec<Option<f64>>,
    /// The mask, and for each column of cells the mask's column.
    mask: Option<(&'a Mask, Vec<usize>)>,
    /// The lens, and for each column of cells its offset from the zenith's, in radii.
    lens: Option<(Lens, Vec<f64>)>,
    /// The picture's height divided by its width.
    shape: f64,
}

impl<'a> JudgedCells<'a> {
    /// The cells of a map of `size` columns and rows over a picture of this `shape` (height
    /// divided by width).
    pub(super) fn of(
        geometry: &Geometry,
        region: &'a Region,
        shape: f64,
        size: (usize, usize),
    ) -> Self {
        let (across, rows) = centres(geometry, size);
        let mask = region.mask.as_deref().map(|mask| {
            let column = |x: &Option<f64>| x.map_or(0, |x| mask.column(x));
            (mask, across.iter().map(column).collect())
        });
        let lens = region.lens.map(|lens| {
            let offset = |x: &Option<f64>| x.map_or(f64::INFINITY, |x| lens.across(x));
            (lens, across.iter().map(offset).collect())
        });
        Self { columns: across.iter().map(Option::is_some).collect(), rows, mask, lens, shape }
    }

    /// Writes for each cell of the row `row` whether it is judged.
    pub(super) fn mark(&self, row: usize, judged: &mut [bool]) {
        let Some(y) = self.rows.get(row).copied().flatten() else {
            judged.fill(false);
            return;
        };
        let columns = judged.iter_mut().zip(&self.columns);
        match &self.mask {
            None => columns.for_each(|(judged, column)| *judged = *column),
            Some((mask, at)) => {
                let line = mask.row(y);
                for ((judged, column), &at) in columns.zip(at) {
                    *judged = *column && line.get(at).copied().unwrap_or(false);
                }
            }
        }
        if let Some((lens, offsets)) = &self.lens {
            let (down, limit) = (lens.down(y, self.shape), lens.distance(lens.limit));
            for (judged, across) in judged.iter_mut().zip(offsets) {
                *judged &= across.hypot(down) <= limit;
            }
        }
    }
}

/// The places of the centres of a map of `size` columns and rows, as fractions of the picture's
/// width and height; none beside the picture.
pub(super) fn centres(
    geometry: &Geometry,
    size: (usize, usize),
) -> (Vec<Option<f64>>, Vec<Option<f64>>) {
    let places = |side: u32, cells: usize| {
        let stride = f64::from(side) / cells as f64;
        (0..cells).map(move |cell| (cell as f64 + 0.5) * stride)
    };
    let (width, height) = geometry.input;
    (
        places(width, size.0).map(|x| geometry.across(x)).collect(),
        places(height, size.1).map(|y| geometry.down(y)).collect(),
    )
}

/// Radius of the middle of a picture, as a fraction of its width and height.
const RADIUS: f64 = 0.25;

/// The cells in the middle of a picture, row by row, with the pixels at their centres.
pub(super) struct MiddleCells {
    /// Of each column of cells: its distance from the middle in widths, and the pixel's column.
    columns: Vec<(f64, u32)>,
    /// Of each row of cells: its distance from the middle in heights, and the pixel's row.
    rows: Vec<(f64, u32)>,
}

impl MiddleCells {
    /// The cells of a map of `size` columns and rows.
    pub(super) fn of(geometry: &Geometry, size: (u32, u32)) -> Self {
        let places = |cells: u32, side: u32, from: u32, length: u32| {
            let place = |cell: u32| {
                let at = (f64::from(cell) + 0.5) * f64::from(side) / f64::from(cells);
                let off = (at - f64::from(from)) / f64::from(length) - 0.5;
                (off, at as u32)
            };
            (0..cells).map(place).collect()
        };
        let (input, content) = (geometry.input, geometry.content);
        Self {
            columns: places(size.0, input.0, content.left, content.width),
            rows: places(size.1, input.1, content.top, content.height),
        }
    }

    /// The columns of cells that lie in the middle in row `row`.
    fn span(&self, row: usize) -> Range<usize> {
        let Some(&(v, _)) = self.rows.get(row).filter(|(v, _)| v.abs() <= RADIUS) else {
            return 0..0;
        };
        // Columns go from left to right, so the near ones are contiguous.
        let near = |u: f64| u.hypot(v) <= RADIUS;
        let start = self.columns.partition_point(|&(u, _)| u < 0.0 && !near(u));
        let end = self.columns.partition_point(|&(u, _)| u < 0.0 || near(u));
        start..end
    }

    /// The column and the pixel (x, y) of each cell of row `row` that lies in the middle.
    pub(super) fn cells(&self, row: usize) -> impl Iterator<Item = (usize, (u32, u32))> {
        let span = self.span(row);
        let y = self.rows.get(row).map_or(0, |(_, y)| *y);
        let start = span.start;
        let columns = self.columns.get(span).unwrap_or_default();
        columns.iter().enumerate().map(move |(at, (_, x))| (start + at, (*x, y)))
    }
}

#[cfg(test)]
#[path = "cells_tests.rs"]
mod tests;
