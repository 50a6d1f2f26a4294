//! Bytes to pixels: JPEG and PNG, whole and undamaged, or the reason why not.

use std::fmt;
use std::io::Cursor;

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::picture::container::{Container, ContainerInfo};
use celaje_sky::outcome::MissReason;

/// Fewer pixels than this along a side show no sky.
const LEAST_SIDE: u32 = 16;

/// Scans of a progressive JPEG; encoders write about ten, a hostile file as many as fit.
const MOST_SCANS: usize = 40;

/// Bytes that the JPEG decoder may read ahead of what it decodes.
const READ_AHEAD: usize = 16;

/// What a single picture may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Width × height. A JPEG needs up to nine bytes of memory a pixel while it is decoded, a PNG
    /// four.
    pub max_pixels: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_pixels: 40_000_000 }
    }
}

/// Why bytes are no picture that can be used; each kind is one [`MissReason`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// No bytes at all.
    #[error("no bytes at all")]
    Empty,
    /// Not a JPEG or PNG.
    #[error("not a JPEG or PNG: {0}")]
    NotAnImage(String),
    /// A picture that ends too early.
    #[error("incomplete: {0}")]
    Truncated(String),
    /// A picture that does not decode, or is too small to show any sky.
    #[error("damaged: {0}")]
    Corrupt(String),
    /// More pixels than [`Limits`] allow.
    #[error("{width}×{height} pixels are more than the {limit} allowed")]
    TooManyPixels {
        /// Pixels, as the file's header says.
        width: u32,
        /// Pixels, as the file's header says.
        height: u32,
        /// The limit.
        limit: u64,
    },
}

impl PictureError {
    /// The reason under which a slot with such bytes is missed.
    pub const fn reason(&self) -> MissReason {
        match self {
            Self::Empty => MissReason::Empty,
            Self::NotAnImage(_) => MissReason::NotAnImage,
            Self::Truncated(_) => MissReason::Truncated,
            Self::Corrupt(_) => MissReason::Corrupt,
            Self::TooManyPixels { .. } => MissReason::TooManyPixels,
        }
    }
}

/// A decoded picture.
#[derive(Clone, PartialEq, Eq)]
pub struct Decoded {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// `height` × `width` × 3: red, green, blue, row by row from the top.
    pub rgb: Vec<u8>,
}

impl fmt::Debug for Decoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decoded({}×{})", self.width, self.height)
    }
}

/// Decodes a JPEG or PNG; which of them is found out from the bytes.
///
/// The size is read and checked before anything is allocated. Grey, CMYK, palette and 16-bit
/// pictures become 8-bit RGB; transparency is dropped, as Pillow's `convert("RGB")` does. An
/// orientation noted in the metadata is not applied: a sky camera is fixed, its region of interest
/// refers to the pixels as they are stored.
///
/// # Errors
/// When the bytes are not a whole, undamaged picture of a usable size.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Decoded, PictureError> {
    decode_shrunk(bytes, limits, Vec::new(), |_, _| 1).map(|shrunk| shrunk.pixels)
}

/// A picture that may have been decoded at a part of its size.
pub(super) struct Shrunk {
    /// What was decoded.
    pub(super) pixels: Decoded,
    /// Width and height of the picture itself.
    pub(super) of: (u32, u32),
}

/// As [`decode`], into the memory of `room`. A JPEG may be decoded at a part of its width and
/// height: one in `shrink(width, height)`, a power of two up to 8, which the feature `turbojpeg`
/// makes use of.
///
/// # Errors
/// As [`decode`].
pub(super) fn decode_shrunk(
    bytes: &[u8],
    limits: &Limits,
    room: Vec<u8>,
    shrink: impl Fn(u32, u32) -> u32,
) -> Result<Shrunk, PictureError> {
    let container = Container::identify(bytes)?;
    let mut info = container.walk(bytes)?;
    let whole = info.with_height_in_header(bytes);
    let bytes = whole.as_deref().unwrap_or(bytes);
    if whole.is_some() {
        info = container.walk(bytes)?;
    }
    let ContainerInfo { width, height, .. } = info;
    check_size(width, height, limits)?;
    let of = (width, height);
    let pixels = match container {
        Container::Jpeg => {
            enough_data(info)?;
            // A progressive one may hold more scans than are worth anybody's time.
            let shrink = if info.progressive { 1 } else { shrink(width, height) };
            match quickly(bytes, of, shrink, room) {
                Ok(pixels) => return Ok(Shrunk { pixels, of }),
                Err(room) => decode_jpeg(bytes, info, room)?,
            }
        }
        Container::Png => decode_png(bytes, limits)?,
    };
    if (pixels.width, pixels.height) != of {
        return Err(PictureError::Corrupt("it says two different sizes".to_owned()));
    }
    Ok(Shrunk { pixels, of })
}

/// Decodes a JPEG at one in `shrink` of its size, where that is built in; otherwise, or where
/// anything about the picture is doubtful, hands the memory back, and the strict decoder decides.
#[cfg(feature = "turbojpeg")]
fn quickly(bytes: &[u8], of: (u32, u32), shrink: u32, room: Vec<u8>) -> Result<Decoded, Vec<u8>> {
    match shrink {
        2 | 4 | 8 => super::turbo::decode(bytes, of, shrink, room),
        _ => Err(room),
    }
}

#[cfg(not(feature = "turbojpeg"))]
fn quickly(_: &[u8], _: (u32, u32), _: u32, room: Vec<u8>) -> Result<Decoded, Vec<u8>> {
    Err(room)
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

fn decode_jpeg(bytes: &[u8], info: ContainerInfo, room: Vec<u8>) -> Result<Decoded, PictureError> {
    let corrupt = |error: zune_jpeg::errors::DecodeErrors| PictureError::Corrupt(error.to_string());
    // At the end marker the decoder would make up what is missing; at the end of the bytes it says
    // so. The zeros are what it reads ahead of a picture's last blocks. (A progressive picture is
    // only whole with its marker; a piece that is lost in one of its scans goes unseen.)
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
    // Headers may be as sloppy as cameras write them; but of the picture itself nothing may be
    // missing, or grey patches would be read as cloud.
    let mut decoder =
        JpegDecoder::new_with_options(ZCursor::new(bytes), options.set_strict_mode(false));
    decoder.decode_headers().map_err(corrupt)?;
    decoder.set_options(options.set_strict_mode(true));
    let (width, height) = decoder.dimensions().unwrap_or_default();
    let size = decoder
        .output_buffer_size()
        .ok_or_else(|| PictureError::Corrupt("its size overflows".to_owned()))?;
    let mut rgb = room;
    // What is left in it of another picture is written over.
    rgb.resize(size, 0);
    decoder.decode_into(&mut rgb).map_err(corrupt)?;
    finished(width as u64, height as u64, rgb)
}

fn decode_png(bytes: &[u8], limits: &Limits) -> Result<Decoded, PictureError> {
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
    finished(u64::from(frame.width), u64::from(frame.height), rgb)
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

fn finished(width: u64, height: u64, rgb: Vec<u8>) -> Result<Decoded, PictureError> {
    match (u32::try_from(width), u32::try_from(height)) {
        (Ok(w), Ok(h)) if width * height * 3 == rgb.len() as u64 => {
            Ok(Decoded { width: w, height: h, rgb })
        }
        _ => Err(PictureError::Corrupt(format!(
            "{} bytes of pixels for {width}×{height}",
            rgb.len()
        ))),
    }
}

/// Whether the bytes begin as a JPEG or a PNG does; they need not decode.
pub fn is_picture(bytes: &[u8]) -> bool {
    Container::identify(bytes).is_ok()
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
