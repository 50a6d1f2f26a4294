//! Decodes a JPEG at 1/2, 1/4 or 1/8 of its width and height: only the pixels that are needed.
//!
//! All of the data are read, since a code's end is known only when it is read; that alone is a
//! third of the time of a whole decoding. Most coefficients are passed over.
//!
//! The strict decoder decides about every picture that is damaged or of a rarer kind: nothing is
//! repaired here.

mod codes;
mod header;
mod plane;

use codes::Interval;
use header::Header;
use plane::Plane;

/// The largest divisor that leaves at least `least` of `pixels`.
pub(super) fn divisor(pixels: u32, least: u32) -> u32 {
    [8, 4, 2].into_iter().find(|divisor| pixels / divisor >= least).unwrap_or(1)
}

/// Decodes a baseline JPEG of `original` pixels at 1 / `divisor` (2, 4 or 8) of its width and
/// height into `rgb`. Gives the decoded width and height, rounded up; none for another divisor, and
/// wherever the picture is not of the common kind and whole.
pub(super) fn decode(
    bytes: &[u8],
    original: (u32, u32),
    divisor: u32,
    rgb: &mut Vec<u8>,
) -> Option<(u32, u32)> {
    if !matches!(divisor, 2 | 4 | 8) {
        return None;
    }
    let header = Header::read(bytes)?;
    if (header.width, header.height) != original {
        return None;
    }
    let blocks = header.components.first()?.blocks;
    let units = (units(header.width, blocks.0)?, units(header.height, blocks.1)?);
    let side = 8 / divisor as usize;
    let unit = (side * blocks.0, side * blocks.1);
    let planes = header.components.iter().map(|one| Plane::new(&header, one, units, unit));
    let mut planes: Vec<Plane<'_>> = planes.collect::<Option<_>>()?;
    scan(bytes, &header, units, &mut planes)?;
    let size = (original.0.div_ceil(divisor), original.1.div_ceil(divisor));
    let (width, height) = (usize::try_from(size.0).ok()?, usize::try_from(size.1).ok()?);
    rgb.clear();
    rgb.reserve_exact(3 * width * height);
    let stride = units.0 * unit.0;
    for row in 0..height {
        let of = |plane: &'_ Plane<'_>| row * stride..row * stride + width.min(plane.pixels.len());
        match planes.as_slice() {
            [grey] => rgb.extend(grey.pixels.get(of(grey))?.iter().flat_map(|&v| [v; 3])),
            [y, b, r] => {
                let light = y.pixels.get(of(y))?.iter();
                let colours = b.pixels.get(of(b))?.iter().zip(r.pixels.get(of(r))?);
                rgb.extend(light.zip(colours).flat_map(|(&y, (&b, &r))| colour(y, b, r)));
            }
            _ => return None,
        }
    }
    Some(size)
}

/// Minimum coded units along a side of `pixels`, each of `blocks` blocks.
fn units(pixels: u32, blocks: usize) -> Option<usize> {
    Some(usize::try_from(pixels).ok()?.div_ceil(8 * blocks))
}

/// Decodes the scan's units into the planes. None where the data are not those of whole units.
fn scan(
    bytes: &[u8],
    header: &Header,
    units: (usize, usize),
    planes: &mut [Plane<'_>],
) -> Option<()> {
    let all = units.0 * units.1;
    let most = if header.restart == 0 { all } else { header.restart };
    let (mut interval, mut at) = (Interval::default(), header.data);
    for (number, first) in (0_u8..8).cycle().zip((0..all).step_by(most)) {
        let (marker, behind) = interval.fill(bytes, at)?;
        at = behind;
        let end = all.min(first + most);
        // The end of the picture, or the restart whose turn it is.
        if marker != if end == all { 0xD9 } else { 0xD0 + number } {
            return None;
        }
        let mut bits = interval.bits();
        planes.iter_mut().for_each(Plane::restart);
        for unit in first..end {
            let (column, row) = (unit % units.0, unit / units.0);
            for plane in &mut *planes {
                let (across, down) = plane.blocks;
                for y in 0..down {
                    for x in 0..across {
                        plane.block(&mut bits, column * across + x, row * down + y)?;
                    }
                }
            }
            if bits.left() < 0 {
                return None;
            }
        }
        // The last byte is filled up.
        if bits.left() >= 8 {
            return None;
        }
    }
    Some(())
}

/// YCbCr to RGB (JFIF 1.02: the full range of ITU-R BT.601), in 16 bits of fraction.
#[inline(always)]
fn colour(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let y = (i32::from(y) << 16) + (1 << 15);
    let (b, r) = (i32::from(cb) - 128, i32::from(cr) - 128);
    let mix = [y + 91_881 * r, y - 22_554 * b - 46_802 * r, y + 116_130 * b];
    mix.map(|value| (value >> 16).clamp(0, 255) as u8)
}

#[cfg(test)]
mod tests;
