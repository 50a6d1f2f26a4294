//! The cells of a network's output.

/// The class of a cell of a network's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Not judged: on a letterbox bar, or outside the region's mask.
    Outside,
    /// Neither sky nor cloud.
    Background,
    /// Clear sky.
    Sky,
    /// Cloud.
    Cloud,
}

impl Cell {
    /// The cell with this discriminant; `Outside` for any other number.
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
    /// The cell in column `x` of row `y`; `Outside` beyond the last.
    pub fn at(&self, x: u32, y: u32) -> Cell {
        if x >= self.width {
            return Cell::Outside;
        }
        let at = y as usize * self.width as usize + x as usize;
        self.cells.get(at).copied().unwrap_or(Cell::Outside)
    }

    /// The cells of row `y`; empty below the last.
    pub fn row(&self, y: u32) -> &[Cell] {
        let start = y as usize * self.width as usize;
        let cells = self.cells.get(start..start + self.width as usize);
        cells.unwrap_or_default()
    }
}
