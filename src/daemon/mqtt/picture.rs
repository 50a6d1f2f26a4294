//! A picture small enough for a message.

use std::io::Cursor;

use bytes::Bytes;
use celaje_vision::picture::decode::{Limits, decode_small};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;

/// The longer side at most, pixels.
const SIDE: u32 = 1024;
/// Bytes at most.
const BYTES: usize = 1024 * 1024;

/// The picture as a JPEG of at most 1024 pixels a side; none where it cannot be read.
pub(super) async fn reduced(bytes: Bytes) -> Option<Bytes> {
    tokio::task::spawn_blocking(move || reduce(&bytes)).await.ok().flatten()
}

fn reduce(bytes: &[u8]) -> Option<Bytes> {
    let decoded = decode_small(bytes, &Limits::default(), SIDE).ok()?;
    let (width, height) = (decoded.width, decoded.height);
    let picture = image::RgbImage::from_raw(width, height, decoded.rgb)?;
    let longest = width.max(height);
    let small = match longest <= SIDE {
        true => picture,
        false => {
            let part = |side: u32| {
                let scaled = u64::from(side) * u64::from(SIDE) / u64::from(longest);
                u32::try_from(scaled).unwrap_or(SIDE).max(1)
            };
            image::imageops::resize(&picture, part(width), part(height), FilterType::Triangle)
        }
    };
    let mut written = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut written, 85).encode_image(&small).ok()?;
    Some(Bytes::from(written.into_inner())).filter(|bytes| bytes.len() <= BYTES)
}
