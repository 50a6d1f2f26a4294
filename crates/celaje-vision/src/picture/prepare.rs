//! Turns a picture's bytes into a frame: the input of a network, with measures.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};

use fast_image_resize::images::{
    TypedCroppedImage, TypedCroppedImageMut, TypedImage, TypedImageRef,
};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use sha2::{Digest, Sha256};

use crate::model::manifest::{Filter, Input, Kind, Manifest, TensorLayout};
use crate::picture::decode::{DecodedPicture, Limits, decode_scaled};
use crate::picture::error::PictureError;
use crate::picture::geometry::{self, Geometry, PixelRect, UnitRect};
use crate::picture::scaled;
use crate::picture::stats::PictureStats;
use celaje_sky::station::region::{Margins, Region};

/// A picture ready for a network: small, whatever the size of the original.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Input height × input width × 3 numbers, RGB, row by row; black on letterbox bars.
    pub pixels: Vec<u8>,
    /// The place of the original in the input.
    pub geometry: Geometry,
    /// Width of the original in pixels.
    pub width: u32,
    /// Height of the original in pixels.
    pub height: u32,
    /// SHA-256 of the original's bytes, lower-case hexadecimal.
    pub sha256: String,
    /// Measures of the pixels without letterbox bars.
    pub stats: PictureStats,
}

impl Frame {
    /// The RGB pixel in column `x` of row `y` of the input; black outside.
    pub fn pixel(&self, x: u32, y: u32) -> [u8; 3] {
        let at = 3 * (y as usize * self.geometry.input.0 as usize + x as usize);
        match self.pixels.get(at..at + 3) {
            Some(&[r, g, b]) => [r, g, b],
            _ => [0; 3],
        }
    }

    /// The pixels of row `y` of the input; empty beyond the last.
    pub fn row(&self, y: u32) -> &[[u8; 3]] {
        let width = self.geometry.input.0 as usize;
        let start = y as usize * width;
        let pixels = self.pixels.as_chunks().0;
        let end = pixels.len().min(start + width);
        pixels.get(start..end).unwrap_or_default()
    }

    /// Writes the normalised pixels, (value / 255 − mean) / std, into `out`: 3 × height × width
    /// numbers in the order of `input.layout`. If `out` has another length, only what both have is
    /// written.
    pub fn write_tensor(&self, input: &Input, out: &mut [f32]) {
        let table: [[f32; 256]; 3] = std::array::from_fn(|c| {
            std::array::from_fn(|v| (v as f32 / 255.0 - input.mean[c]) / input.std[c])
        });
        match input.layout {
            TensorLayout::Nchw => {
                let pixels = self.pixels.as_chunks::<3>().0;
                let planes = out.chunks_mut(pixels.len().max(1));
                for (c, (plane, table)) in planes.zip(&table).enumerate() {
                    for (out, pixel) in plane.iter_mut().zip(pixels) {
                        *out = table[usize::from(pixel[c])];
                    }
                }
            }
            TensorLayout::Nhwc => {
                for (out, pixel) in out.chunks_exact_mut(3).zip(self.pixels.chunks_exact(3)) {
                    for c in 0..3 {
                        out[c] = table[c][usize::from(pixel[c])];
                    }
                }
            }
        }
    }
}

/// The part of a picture that the network judges: the station's `region`, or the whole picture if
/// the manifest says so (the default of a classification).
pub fn judged_region<'a>(manifest: &Manifest, region: &'a Region) -> Cow<'a, Region> {
    let used = manifest.use_region.unwrap_or(manifest.kind == Kind::Segmentation);
    if used {
        return Cow::Borrowed(region);
    }
    // The whole picture, seen through the same lens.
    Cow::Owned(Region { lens: region.lens, zones: region.zones.clone(), ..Region::whole() })
}

/// Decodes a picture, cuts away the margins of the [`judged_region`] and resizes the rest to the
/// network's input.
///
/// # Errors
/// If the bytes are not a usable picture.
pub fn prepare(
    bytes: &[u8],
    manifest: &Manifest,
    region: &Region,
    limits: &Limits,
) -> Result<Frame, PictureError> {
    let margins = judged_region(manifest, region).margins;
    let input = &manifest.input;
    let divisor = |width, height| divisor(width, height, margins, input);
    let scaled = decode_scaled(bytes, limits, BUFFER.take(), divisor)?;
    let frame = lay(&scaled.pixels, scaled.original, sha256(bytes), manifest, region);
    if scaled.pixels.rgb.len() <= MOST_KEPT {
        BUFFER.set(scaled.pixels.rgb);
    }
    frame
}

/// Most bytes of pixels that a thread keeps for the next picture: those of 2592×1944 pixels.
const MOST_KEPT: usize = 3 * 2592 * 1944;

thread_local! {
    /// The memory of the thread's last picture.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The divisor of a picture's size while it is decoded. The crop stays at least twice as large as
/// the network's input, so that the resize filter still averages.
fn divisor(width: u32, height: u32, margins: Margins, input: &Input) -> u32 {
    if input.filter == Filter::Nearest {
        return 1;
    }
    let taken = geometry::crop(width, height, margins);
    let size = (input.width, input.height);
    let content = geometry::content((taken.width, taken.height), size, input.fit);
    let times = (taken.width / content.width).min(taken.height / content.height);
    scaled::divisor(times, 2)
}

/// [`prepare`] for a decoded picture; `sha256` is that of its bytes.
///
/// # Errors
/// If the pixels do not fill the size.
pub fn prepare_decoded(
    picture: &DecodedPicture,
    sha256: String,
    manifest: &Manifest,
    region: &Region,
) -> Result<Frame, PictureError> {
    let of = (picture.width, picture.height);
    lay(picture, of, sha256, manifest, region)
}

/// Makes a frame of `picture`, whose original has `width` × `height` pixels.
fn lay(
    picture: &DecodedPicture,
    (width, height): (u32, u32),
    sha256: String,
    manifest: &Manifest,
    region: &Region,
) -> Result<Frame, PictureError> {
    let input = &manifest.input;
    let region = judged_region(manifest, region);
    let taken = geometry::crop(width, height, region.margins);
    let size = (input.width, input.height);
    let content = geometry::content((taken.width, taken.height), size, input.fit);
    let part = geometry::crop(picture.width, picture.height, region.margins);
    let pixels = resize(picture, part, size, content, input.filter)
        .map_err(|error| PictureError::Corrupt(error.to_string()))?;
    let unit = |n: u32, of: u32| f64::from(n) / f64::from(of);
    let stats = PictureStats::of(&pixels, size.0, content);
    Ok(Frame {
        pixels,
        geometry: Geometry {
            input: size,
            content,
            crop: UnitRect {
                left: unit(taken.left, width),
                top: unit(taken.top, height),
                width: unit(taken.width, width),
                height: unit(taken.height, height),
            },
        },
        width,
        height,
        sha256,
        stats,
    })
}

/// SHA-256 of a picture's bytes, lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

thread_local! {
    /// The resizer keeps its buffers from picture to picture.
    static RESIZER: RefCell<Resizer> = RefCell::new(Resizer::new());
}

/// Resizes the rectangle `taken` of `picture` into the rectangle `content` of a black input of the
/// size `size`. Pixels outside `taken` have no influence.
///
/// With typed images the resizer's code for other kinds of pixels, 3 MB, stays out of the program.
fn resize(
    picture: &DecodedPicture,
    taken: PixelRect,
    size: (u32, u32),
    content: PixelRect,
    filter: Filter,
) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let source = TypedImageRef::<U8x3>::from_buffer(picture.width, picture.height, &picture.rgb)?;
    let PixelRect { left, top, width, height } = taken;
    let source = TypedCroppedImage::from_ref(&source, left, top, width, height)?;
    let mut pixels = vec![0; 3 * size.0 as usize * size.1 as usize];
    let mut target = TypedImage::<U8x3>::from_buffer(size.0, size.1, &mut pixels)?;
    let PixelRect { left, top, width, height } = content;
    let mut part = TypedCroppedImageMut::from_ref(&mut target, left, top, width, height)?;
    let algorithm = match filter {
        Filter::Bilinear => ResizeAlg::Convolution(FilterType::Bilinear),
        Filter::Bicubic => ResizeAlg::Convolution(FilterType::CatmullRom),
        Filter::Lanczos => ResizeAlg::Convolution(FilterType::Lanczos3),
        Filter::Nearest => ResizeAlg::Nearest,
    };
    let options = ResizeOptions::new().resize_alg(algorithm);
    RESIZER.with_borrow_mut(|resizer| resizer.resize_typed(&source, &mut part, &options))?;
    Ok(pixels)
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
mod tests;
