//! A component at a fraction of its size.

use std::f32::consts::{FRAC_1_SQRT_2, PI};

use super::codes::{Bits, CodeTable, END_OF_BLOCK};
use super::header::{Component, Header};

/// Row and column of each coefficient, in the order in which they are stored (ITU-T T.81, figure
/// 5).
const fn zigzag() -> [(u8, u8); 64] {
    let mut places = [(0, 0); 64];
    let (mut row, mut column, mut k) = (0_u8, 0_u8, 0);
    while k < 64 {
        places[k] = (row, column);
        let up = (row + column).is_multiple_of(2);
        match (up, row, column) {
            (true, _, 7) => row += 1,
            (true, 0, _) => column += 1,
            (true, ..) => (row, column) = (row - 1, column + 1),
            (false, 7, _) => column += 1,
            (false, _, 0) => row += 1,
            (false, ..) => (row, column) = (row + 1, column - 1),
        }
        k += 1;
    }
    places
}

const ZIGZAG: [(u8, u8); 64] = zigzag();

/// What the coefficient of frequency `u` adds at place `x` of `n` places (T.81, A.3.3, with `n` in
/// place of 8: the lowest `n` coefficients of a block are those of the block at n/8 of its size).
fn wave(u: u8, x: usize, n: usize) -> f32 {
    let scale = if u == 0 { FRAC_1_SQRT_2 } else { 1.0 };
    scale / 2.0 * ((2 * x + 1) as f32 * f32::from(u) * PI / (2 * n) as f32).cos()
}

/// A component of which each block of 8×8 pixels becomes one of fewer.
pub(super) struct Plane<'a> {
    /// Blocks of a minimum coded unit, across and down.
    pub(super) blocks: (usize, usize),
    /// Pixels of a block, across and down.
    size: (usize, usize),
    /// What a step of each coefficient that is needed adds to the pixels of a block.
    waves: Vec<f32>,
    dc: &'a CodeTable,
    ac: &'a CodeTable,
    /// The DC coefficient of the block before.
    before: i32,
    /// Bytes of a row.
    stride: usize,
    /// Rows of pixels, whole units.
    pub(super) pixels: Vec<u8>,
}

impl<'a> Plane<'a> {
    /// The plane of a component in a picture of `units` minimum coded units, each `unit` pixels
    /// large after scaling.
    pub(super) fn new(
        header: &'a Header,
        component: &Component,
        units: (usize, usize),
        unit: (usize, usize),
    ) -> Option<Self> {
        let steps = header.quantisation.get(component.quantisation)?.as_ref()?;
        let blocks = component.blocks;
        let size = (unit.0 / blocks.0, unit.1 / blocks.1);
        let needed =
            |&(row, column): &(u8, u8)| usize::from(column) < size.0 && usize::from(row) < size.1;
        let last = ZIGZAG.iter().rposition(needed)?;
        let mut waves = Vec::with_capacity((last + 1) * size.0 * size.1);
        for (place, step) in ZIGZAG.iter().zip(steps).take(last + 1) {
            let (row, column) = *place;
            // One that is not needed adds nothing.
            let step = if needed(place) { f32::from(*step) } else { 0.0 };
            for y in 0..size.1 {
                let down = step * wave(row, y, size.1);
                waves.extend((0..size.0).map(|x| down * wave(column, x, size.0)));
            }
        }
        let stride = units.0 * unit.0;
        Some(Self {
            blocks,
            size,
            waves,
            dc: header.dc.get(component.codes.0)?.as_ref()?,
            ac: header.ac.get(component.codes.1)?.as_ref()?,
            before: 0,
            stride,
            pixels: vec![0; stride * units.1 * unit.1],
        })
    }

    /// Restarts count from 0 (T.81, F.2.1.3.1).
    pub(super) fn restart(&mut self) {
        self.before = 0;
    }

    /// Decodes the block in `column` of `row`. None where the data hold no block.
    #[inline(always)]
    pub(super) fn block(&mut self, bits: &mut Bits<'_>, column: usize, row: usize) -> Option<()> {
        match self.size.0 * self.size.1 {
            1 => self.block_of::<1>(bits, column, row),
            2 => self.block_of::<2>(bits, column, row),
            4 => self.block_of::<4>(bits, column, row),
            8 => self.block_of::<8>(bits, column, row),
            16 => self.block_of::<16>(bits, column, row),
            32 => self.block_of::<32>(bits, column, row),
            _ => self.block_of::<64>(bits, column, row),
        }
    }

    /// [`Self::block`] for blocks of `PIXELS` pixels.
    fn block_of<const PIXELS: usize>(
        &mut self,
        bits: &mut Bits<'_>,
        column: usize,
        row: usize,
    ) -> Option<()> {
        let (waves, _) = self.waves.as_chunks::<PIXELS>();
        bits.refill();
        let symbol = self.dc.symbol(bits);
        if symbol.bits == 0 {
            return None;
        }
        self.before = self.before.checked_add(bits.value(symbol))?;
        bits.pass(symbol.bits);
        let level = self.before as f32;
        let mut light = waves.first()?.map(|wave| level * wave + 128.5);
        let k = self.needed(bits, waves, &mut light)?;
        self.pass_over(bits, k)?;
        let (wide, high) = self.size;
        let start = row * high * self.stride + column * wide;
        let rows = self.pixels.get_mut(start..)?.chunks_mut(self.stride);
        for (to, from) in rows.zip(light.chunks_exact(wide)) {
            for (to, from) in to.iter_mut().zip(from) {
                // Saturates at 0 and 255.
                *to = *from as u8;
            }
        }
        Some(())
    }

    /// Adds the AC coefficients that are needed. Gives the place behind the last one that was read:
    /// above 64 at the block's end.
    #[inline(always)]
    fn needed<const PIXELS: usize>(
        &self,
        bits: &mut Bits<'_>,
        waves: &[[f32; PIXELS]],
        light: &mut [f32; PIXELS],
    ) -> Option<usize> {
        let mut k = 1;
        while k < waves.len() {
            bits.refill();
            let symbol = self.ac.symbol(bits);
            if symbol.bits == 0 {
                return None;
            }
            k += usize::from(symbol.run);
            if let Some(waves) = waves.get(k) {
                let value = bits.value(symbol) as f32;
                for (light, wave) in light.iter_mut().zip(waves) {
                    *light += value * wave;
                }
            }
            bits.pass(symbol.bits);
            k += 1;
        }
        Some(k)
    }

    /// Passes over the AC coefficients from `k` on. None where the block does not end with the last
    /// one or with the code of its end.
    #[inline(always)]
    fn pass_over(&self, bits: &mut Bits<'_>, mut k: usize) -> Option<()> {
        while k < 64 {
            bits.refill();
            let stretch = self.ac.stretch_of(bits);
            let next = k + usize::from(stretch.coefficients);
            if stretch.bits > 0 && next < 64 {
                bits.pass(stretch.bits);
                k = next;
                if stretch.ends {
                    return Some(());
                }
                continue;
            }
            // What follows may be of the next block.
            let symbol = self.ac.symbol(bits);
            if symbol.bits == 0 {
                return None;
            }
            bits.pass(symbol.bits);
            k += usize::from(symbol.run) + 1;
        }
        (k == 64 || k > usize::from(END_OF_BLOCK)).then_some(())
    }
}
