//! Decodes a JPEG at a fraction of its size with libjpeg-turbo, which never computes the rest.
//!
//! The library repairs what it can and warns. A warning counts as a refusal here, and the strict
//! decoder decides. One defect passes: the library does not warn of an undefined code in data that
//! are otherwise complete, which the strict decoder refuses.

use turbojpeg::{Decompressor, Image, PixelFormat, ScalingFactor};

/// Decodes a JPEG of `original` pixels at 1 / `divisor` (2, 4 or 8) of its width and height. Gives
/// the decoded width and height; none for any other divisor and where the library objects to
/// anything.
pub(super) fn decode(
    bytes: &[u8],
    original: (u32, u32),
    divisor: u32,
    rgb: &mut Vec<u8>,
) -> Option<(u32, u32)> {
    if !matches!(divisor, 2 | 4 | 8) {
        return None;
    }
    let mut decompressor = Decompressor::new().ok()?;
    let header = decompressor.read_header(bytes).ok()?;
    let size = |n: usize| u32::try_from(n).ok();
    if (size(header.width)?, size(header.height)?) != original {
        return None;
    }
    let factor = ScalingFactor::new(1, usize::try_from(divisor).ok()?);
    decompressor.set_scaling_factor(factor).ok()?;
    let scaled = header.scaled(factor);
    let pitch = 3 * scaled.width;
    // The library overwrites all of it.
    rgb.resize(pitch * scaled.height, 0);
    let image = Image {
        pixels: rgb.as_mut_slice(),
        width: scaled.width,
        pitch,
        height: scaled.height,
        format: PixelFormat::RGB,
    };
    decompressor.decompress(bytes, image).ok()?;
    Some((size(scaled.width)?, size(scaled.height)?))
}
