//! Decodes a JPEG or PNG to pixels, if it is whole and undamaged.

use std::fmt;
use std::io::Cursor;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::picture::container::{Container, ContainerInfo};
use crate::picture::error::PictureError;
use crate::picture::scaled;

/// Fewer pixels than this along a side show no sky.
const LEAST_SIDE: u32 = 16;

/// Most scans of a progressive JPEG. Encoders write about ten, a hostile file as many as fit.
const MOST_SCANS: usize = 40;

/// Bytes that the JPEG decoder may read beyond those that it decodes.
const READ_AHEAD: usize = 16;

/// Pictures with more pixels than this are decoded one at a time, so that memory does not grow with
/// the number of threads.
const LARGE: u64 = 24_000_000;

/// Held while a picture above [`LARGE`] is decoded.
static LARGE_PICTURE: Mutex<()> = Mutex::new(());

/// What a single picture may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Width × height. While it is decoded, a JPEG needs three bytes of memory a pixel, a
    /// progressive one up to eleven, a PNG up to five.
    pub max_pixels: u64,
    /// Bytes of the file; whoever reads the file checks them.
    pub max_bytes: usize,
}

impl Limits {
    /// The same with another number of million pixels.
    #[must_use]
    pub const fn with_megapixels(self, most: usize) -> Self {
        Self { max_pixels: most as u64 * 1_000_000, ..self }
    }
}

impl Default for Limits {
    /// 64 million pixels, which the largest sensors of sky cameras have (9152×6944), in 20 MB.
    fn default() -> Self {
        Self { max_pixels: 64_000_000, max_bytes: 20_000_000 }
    }
}

/// A decoded picture.
#[derive(Clone, PartialEq, Eq)]
pub struct DecodedPicture {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// `height` × `width` × 3: red, green, blue, row by row from the top.
    pub rgb: Vec<u8>,
}

impl fmt::Debug for DecodedPicture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecodedPicture({}×{})", self.width, self.height)
    }
}

/// Decodes a JPEG or PNG; the bytes tell which of them it is.
///
/// The size is checked before anything is allocated. Grey, CMYK, palette and 16-bit pictures become
/// 8-bit RGB. Transparency is dropped, as Pillow's `convert("RGB")` does. An orientation in the
/// metadata is not applied: a sky camera does not turn, and its region of interest refers to the
/// pixels as they are stored.
///
/// # Errors
/// If the bytes are not a whole, undamaged picture of a usable size.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<DecodedPicture, PictureError> {
    decode_scaled(bytes, limits, Vec::new(), |_, _| 1).map(|scaled| scaled.pixels)
}

/// As [`decode`], for a picture that is shown or kept small: a JPEG of the common kind may come out
/// at 1/2, 1/4 or 1/8 of its width and height, at least `side` pixels each way if it has so many.
///
/// # Errors
/// As [`decode`].
pub fn decode_small(
    bytes: &[u8],
    limits: &Limits,
    side: u32,
) -> Result<DecodedPicture, PictureError> {
    let divisor = |width: u32, height: u32| scaled::divisor(width.min(height), side);
    decode_scaled(bytes, limits, Vec::new(), divisor).map(|scaled| scaled.pixels)
}

/// A picture that may have been decoded at a fraction of its size.
pub(super) struct ScaledPicture {
    /// The decoded pixels.
    pub(super) pixels: DecodedPicture,
    /// Width and height of the original in pixels.
    pub(super) original: (u32, u32),
    /// Keeps other large pictures waiting as long as this one is in memory.
    _turn: Option<MutexGuard<'static, ()>>,
}

/// As [`decode`], into the memory of `buffer`. A JPEG of the common kind is decoded at
/// 1 / `divisor(width, height)` of its width and height; the divisor is 1, 2, 4 or 8.
///
/// # Errors
/// As [`decode`].
pub(super) fn decode_scaled(
    bytes: &[u8],
    limits: &Limits,
    buffer: Vec<u8>,
    divisor: impl Fn(u32, u32) -> u32,
) -> Result<ScaledPicture, PictureError> {
    let container = Container::identify(bytes)?;
    let mut info = container.walk(bytes)?;
    let completed = info.completed(bytes);
    let bytes = completed.as_deref().unwrap_or(bytes);
    if completed.is_some() {
        info = container.walk(bytes)?;
    }
    let ContainerInfo { width, height, .. } = info;
    check_size(width, height, limits)?;
    let original = (width, height);
    let turn = turn_of(u64::from(width) * u64::from(height));
    let scaled_picture = |pixels| ScaledPicture { pixels, original, _turn: turn };
    let pixels = match container {
        Container::Jpeg => {
            enough_data(info)?;
            // A progressive JPEG may hold many scans, which only the strict decoder bounds.
            let divisor = if info.progressive { 1 } else { divisor(width, height) };
            let mut rgb = buffer;
            if let Some((width, height)) = scaled::decode(bytes, original, divisor, &mut rgb) {
                return Ok(scaled_picture(DecodedPicture { width, height, rgb }));
            }
            decode_jpeg(bytes, info, rgb)?
        }
        Container::Png => decode_png(bytes, limits)?,
    };
    if (pixels.width, pixels.height) != original {
        return Err(PictureError::Corrupt("it says two different sizes".to_owned()));
    }
    Ok(scaled_picture(pixels))
}

/// Waits until no other large picture is being decoded, if this one is large.
fn turn_of(pixels: u64) -> Option<MutexGuard<'static, ()>> {
    (pixels > LARGE).then(|| LARGE_PICTURE.lock().unwrap_or_else(PoisonError::into_inner))
}

fn check_size(width: u32, height: u32, limits: &Limits) -> Result<(), PictureError> {
    if u64::from(width) * u64::from(height) > limits.max_pixels {
        return Err(PictureError::TooManyPixels { width, height, limit: limits.max_pixels });
    }
    if width < LEAST_SIDE || height < LEAST_SIDE {
        return Err(PictureError::Corrupt(format!(
            "{width}×{height} pixels show no sky; {LEAST_SIDE} each way are the least"
        )));
    }
    Ok(())
}

fn enough_data(info: ContainerInfo) -> Result<(), PictureError> {
    // Each block of 8×8 pixels takes a bit at least.
    let blocks = u64::from(info.width.div_ceil(8)) * u64::from(info.height.div_ceil(8));
    if info.data * 8 < blocks {
        return Err(PictureError::Corrupt(format!(
            "{} bytes of data cannot hold {}×{} pixels",
            info.data, info.width, info.height
        )));
    }
    Ok(())
}

fn decode_jpeg(
    bytes: &[u8],
    info: ContainerInfo,
    buffer: Vec<u8>,
) -> Result<DecodedPicture, PictureError> {
    let corrupt = |error: zune_jpeg::errors::DecodeErrors| PictureError::Corrupt(error.to_string());
    // At the end marker the decoder invents what is missing; at the end of the bytes it fails. It
    // reads the zeros beyond a picture's last blocks. A progressive picture needs its end marker,
    // so that data lost from one of its scans go unnoticed.
    let baseline = (!info.progressive).then(|| {
        let mut data = Vec::with_capacity(info.end + READ_AHEAD);
        data.extend_from_slice(&bytes[..info.end]);
        data.resize(info.end + READ_AHEAD, 0);
        data
    });
    let bytes = baseline.as_deref().unwrap_or(bytes);
    let options = DecoderOptions::default()
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_max_scans(MOST_SCANS)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    // Headers may be as careless as cameras write them. The picture itself must be complete: grey
    // patches would be read as cloud.
    let mut decoder =
        JpegDecoder::new_with_options(ZCursor::new(bytes), options.set_strict_mode(false));
    decoder.decode_headers().map_err(corrupt)?;
    decoder.set_options(options.set_strict_mode(true));
    let (width, height) = decoder.dimensions().unwrap_or_default();
    let size = decoder
        .output_buffer_size()
        .ok_or_else(|| PictureError::Corrupt("its size overflows".to_owned()))?;
    let mut rgb = buffer;
    // The decoder overwrites all of it.
    rgb.resize(size, 0);
    decoder.decode_into(&mut rgb).map_err(corrupt)?;
    picture_of(width as u64, height as u64, rgb)
}

fn decode_png(bytes: &[u8], limits: &Limits) -> Result<DecodedPicture, PictureError> {
    let corrupt = |error: png::DecodingError| PictureError::Corrupt(error.to_string());
    let memory = usize::try_from(limits.max_pixels.saturating_mul(8)).unwrap_or(usize::MAX);
    let mut decoder =
        png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: memory });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(corrupt)?;
    let (color, _) = reader.output_color_type();
    let size = reader
        .output_buffer_size()
        .ok_or_else(|| PictureError::Corrupt("its size overflows".to_owned()))?;
    let mut pixels = vec![0; size];
    let frame = reader.next_frame(&mut pixels).map_err(corrupt)?;
    pixels.truncate(frame.buffer_size());
    let rgb = match color.samples() {
        3 => pixels,
        1 => pixels.iter().flat_map(|&v| [v; 3]).collect(),
        2 => pixels.chunks_exact(2).flat_map(|p| [p[0]; 3]).collect(),
        _ => without_alpha(pixels),
    };
    picture_of(u64::from(frame.width), u64::from(frame.height), rgb)
}

/// RGBA to RGB in place.
fn without_alpha(mut pixels: Vec<u8>) -> Vec<u8> {
    let count = pixels.len() / 4;
    for i in 0..count {
        pixels.copy_within(4 * i..4 * i + 3, 3 * i);
    }
    pixels.truncate(3 * count);
    pixels
}

fn picture_of(width: u64, height: u64, rgb: Vec<u8>) -> Result<DecodedPicture, PictureError> {
    match (u32::try_from(width), u32::try_from(height)) {
        (Ok(w), Ok(h)) if width * height * 3 == rgb.len() as u64 => {
            Ok(DecodedPicture { width: w, height: h, rgb })
        }
        _ => Err(PictureError::Corrupt(format!(
            "{} bytes of pixels for {width}×{height}",
            rgb.len()
        ))),
    }
}

/// Whether the bytes begin as a JPEG or a PNG does; whether they decode is not checked.
pub fn is_picture(bytes: &[u8]) -> bool {
    Container::identify(bytes).is_ok()
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
