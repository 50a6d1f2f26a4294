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

/// A grey JPEG of `width` × `height` pixels, lighter from the top to the bottom, in a few bits a
/// block of 8 × 8: it costs those who decode it more than who makes it.
pub fn huge_jpeg(width: u16, height: u16, is_progressive: bool) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8];
    // One level of grey a step of the first coefficient.
    segment(&mut bytes, 0xdb, &[&[0][..], &[8; 64]].concat());
    let frame = if is_progressive { 0xc2 } else { 0xc0 };
    let [height_be, width_be] = [height, width].map(u16::to_be_bytes);
    segment(&mut bytes, frame, &[&[8][..], &height_be, &width_be, &[1, 1, 0x11, 0]].concat());
    // Steps of no bits are 0, of one bit 10, of seven bits 110; the end of a block is 0.
    segment(&mut bytes, 0xc4, &[&[0, 1, 1, 1][..], &[0; 13], &[0, 1, 7]].concat());
    segment(&mut bytes, 0xc4, &[&[0x10, 1][..], &[0; 15], &[0]].concat());
    let last = if is_progressive { 0 } else { 63 };
    segment(&mut bytes, 0xda, &[1, 1, 0, 0, last, 0]);
    let end_of_block = if is_progressive { "" } else { "0" };
    let mut bits = Bits(bytes, 0, 0);
    for row in 0..height.div_ceil(8) {
        for column in 0..width.div_ceil(8) {
            let step = match (row, column) {
                // 100 less than the middle, by its bits.
                (0, 0) => "1100011011",
                (_, 0) if row % 8 == 0 => "101",
                _ => "0",
            };
            bits.push(step);
            bits.push(end_of_block);
        }
    }
    bits.push("1111111");
    [&bits.0[..], &[0xff, 0xd9]].concat()
}

/// Appends a JPEG's marker with its content.
fn segment(bytes: &mut Vec<u8>, marker: u8, content: &[u8]) {
    bytes.extend([0xff, marker]);
    bytes.extend(u16::try_from(content.len() + 2).unwrap().to_be_bytes());
    bytes.extend(content);
}

/// Whole bytes, the bits of the next one and their number.
struct Bits(Vec<u8>, u8, u8);

impl Bits {
    fn push(&mut self, bits: &str) {
        for bit in bits.bytes() {
            self.1 = self.1 << 1 | (bit - b'0');
            self.2 += 1;
            if self.2 == 8 {
                self.0.push(self.1);
                if self.1 == 0xff {
                    self.0.push(0);
                }
                (self.1, self.2) = (0, 0);
            }
        }
    }
}

/// A grey PNG of `width` × `height` pixels, lighter from the top to the bottom.
pub fn huge_png(width: u32, height: u32) -> Vec<u8> {
    let level = |row: u32| (28 + 180 * u64::from(row) / u64::from(height)) as u8;
    let grey: Vec<u8> =
        (0..height).flat_map(|row| std::iter::repeat_n(level(row), width as usize)).collect();
    let mut bytes = Vec::new();
    image::codecs::png::PngEncoder::new(&mut bytes)
        .write_image(&grey, width, height, image::ExtendedColorType::L8)
        .unwrap();
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
