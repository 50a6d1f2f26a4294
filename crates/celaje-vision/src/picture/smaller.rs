//! Small copies of pictures.

use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};
use image::{ExtendedColorType, RgbImage};

use crate::picture::decode::{DecodedPicture, Limits, decode_small};
use crate::picture::error::PictureError;

/// Quality of a small copy, 1 to 100: no difference that a person sees.
const QUALITY: u8 = 85;

/// A JPEG of the picture that is `width` pixels wide; none where the picture is not wider.
///
/// # Errors
/// When the picture cannot be decoded within `limits`.
pub fn smaller(bytes: &[u8], width: u32, limits: &Limits) -> Result<Option<Vec<u8>>, PictureError> {
    // Twice as wide at least, so that the filter still averages.
    let side = width.saturating_mul(2);
    let DecodedPicture { width: wide, height, rgb } = decode_small(bytes, limits, side)?;
    if wide <= width {
        return Ok(None);
    }
    let Some(picture) = RgbImage::from_raw(wide, height, rgb) else {
        return Ok(None);
    };
    let scaled = u64::from(height) * u64::from(width) / u64::from(wide);
    let height = u32::try_from(scaled).unwrap_or(u32::MAX).max(1);
    let small = resize(&picture, width, height, FilterType::Triangle);
    let mut jpeg = Vec::new();
    let written = JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode(
        small.as_raw(),
        width,
        height,
        ExtendedColorType::Rgb8,
    );
    // Memory takes what is written to it.
    Ok(written.ok().map(|()| jpeg))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::decode::decode;
    use crate::picture::testing;

    #[test]
    fn a_wide_picture_becomes_narrower_and_a_narrow_one_stays() {
        let limits = Limits::default();
        let wide = testing::jpeg(&testing::sky(200, 100));
        let small = smaller(&wide, 80, &limits).unwrap().unwrap();
        let small = decode(&small, &limits).unwrap();
        assert_eq!((small.width, small.height), (80, 40));
        assert_eq!(smaller(&wide, 200, &limits).unwrap(), None);
        assert!(smaller(b"no picture", 80, &limits).is_err());
    }
}
