//! JPEG through libjpeg-turbo, at a part of its size: what is left out is never computed.
//!
//! The library mends what it can and warns; a warning counts as a refusal here, and the strict
//! decoder decides. Only a code that stands for nothing, within data that otherwise fit, is taken
//! without a warning where the strict decoder refuses the picture.

use turbojpeg::{Decompressor, Image, PixelFormat, ScalingFactor};

use crate::picture::decode::Decoded;

/// Decodes a JPEG of `of` pixels at one in `shrink` of its width and height, into the memory of
/// `room`.
///
/// # Errors
/// The memory, where the library objects to anything: also to what it could have mended.
pub(super) fn decode(
    bytes: &[u8],
    of: (u32, u32),
    shrink: u32,
    room: Vec<u8>,
) -> Result<Decoded, Vec<u8>> {
    let mut rgb = room;
    match scaled(bytes, of, shrink, &mut rgb) {
        Some((width, height)) => Ok(Decoded { width, height, rgb }),
        None => Err(rgb),
    }
}

fn scaled(bytes: &[u8], of: (u32, u32), shrink: u32, rgb: &mut Vec<u8>) -> Option<(u32, u32)> {
    let mut decompressor = Decompressor::new().ok()?;
    let header = decompressor.read_header(bytes).ok()?;
    let size = |n: usize| u32::try_from(n).ok();
    if (size(header.width)?, size(header.height)?) != of {
        return None;
    }
    let factor = ScalingFactor::new(1, usize::try_from(shrink).ok()?);
    decompressor.set_scaling_factor(factor).ok()?;
    let scaled = header.scaled(factor);
    let pitch = 3 * scaled.width;
    // What is left in it of another picture is written over.
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
