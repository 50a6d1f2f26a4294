//! Small pictures drawn by code.

use image::{ImageEncoder, Rgb, RgbImage};

/// A JPEG of `image`.
pub fn encoded(image: &RgbImage) -> Vec<u8> {
    let (width, height) = image.dimensions();
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90)
        .write_image(image, width, height, image::ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

/// A JPEG of blue sky whose upper part, `cloud` of its height, is white.
pub fn jpeg(cloud: f64) -> Vec<u8> {
    encoded(&RgbImage::from_fn(96, 72, |_, y| {
        let colour = if f64::from(y) < cloud * 72.0 { [225, 225, 228] } else { [60, 110, 200] };
        shade(colour, y, 72)
    }))
}

/// A JPEG that is this colour in the mean, or nearly, and darker above than below as a sky is: one
/// of a single colour would be taken for a test card.
pub fn shaded(colour: [u8; 3]) -> Vec<u8> {
    encoded(&RgbImage::from_fn(48, 32, |_, y| shade(colour, y, 32)))
}

/// A JPEG of one colour: no picture of a sky.
pub fn flat(colour: [u8; 3]) -> Vec<u8> {
    encoded(&RgbImage::from_pixel(48, 32, Rgb(colour)))
}

/// `colour` in row `y` of `height`, up to 24 levels darker or lighter.
fn shade(colour: [u8; 3], y: u32, height: u32) -> Rgb<u8> {
    let step = 48 * y as i16 / height as i16 - 24;
    Rgb(colour.map(|c| (i16::from(c) + step).clamp(0, 255) as u8))
}

/// A PNG whose header promises more pixels than anyone should decode.
pub fn bomb() -> Vec<u8> {
    let mut bytes = Vec::new();
    let side = 60_000u32;
    bytes.extend_from_slice(b"\x89PNG\r\n\x1a\n");
    let mut header = Vec::new();
    header.extend_from_slice(b"IHDR");
    header.extend_from_slice(&side.to_be_bytes());
    header.extend_from_slice(&side.to_be_bytes());
    header.extend_from_slice(&[8, 2, 0, 0, 0]);
    bytes.extend_from_slice(&13u32.to_be_bytes());
    bytes.extend_from_slice(&header);
    bytes.extend_from_slice(&crc32(&header).to_be_bytes());
    bytes.extend_from_slice(&[0, 0, 0, 0]);
    bytes.extend_from_slice(b"IEND");
    bytes.extend_from_slice(&crc32(b"IEND").to_be_bytes());
    bytes
}

/// A page that a server may send with status 200 instead of a picture.
pub fn html() -> Vec<u8> {
    b"<!DOCTYPE html>\n<html><body><h1>Camera offline</h1></body></html>\n".to_vec()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |mut crc, byte| {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
        crc
    })
}

/// Bytes without any meaning.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 24) as u8
        })
        .collect()
}
