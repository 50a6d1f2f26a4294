//! Drawn pictures for tests.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write as _;
use std::path::{Path, PathBuf};

use ::image::codecs::jpeg::JpegEncoder;
use ::image::codecs::png::PngEncoder;
use ::image::{ExtendedColorType, ImageEncoder};

use crate::picture::decode::DecodedPicture;

/// The drawn sky of `tests/fixtures/make_pictures.py`: the same formula, in whole numbers.
pub fn sky(width: u32, height: u32) -> DecodedPicture {
    draw(width, height, |x, y| {
        let light = 60 * y / height;
        if (x * 7 / width + y * 5 / height).is_multiple_of(3) {
            [200 - light, 205 - light, 210 - light]
        } else if (x / 9 + y / 7).is_multiple_of(11) {
            [240, 240, 236]
        } else {
            [50 + light, 100 + light, 190 + x * 40 / width]
        }
        .map(|v| v as u8)
    })
}

/// A picture of which each pixel is `at(x, y)`.
pub fn draw(width: u32, height: u32, at: impl Fn(u32, u32) -> [u8; 3]) -> DecodedPicture {
    let rgb = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    DecodedPicture { width, height, rgb: rgb.flat_map(|(x, y)| at(x, y)).collect() }
}

pub fn jpeg(picture: &DecodedPicture) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 85)
        .write_image(&picture.rgb, picture.width, picture.height, ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

pub fn png(picture: &DecodedPicture) -> Vec<u8> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(&picture.rgb, picture.width, picture.height, ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

/// A file of `tests/fixtures/pictures`.
pub fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/pictures");
    std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The folder of labelled pictures beside the repository, where there is one.
pub fn shared_data() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if folder.is_dir() {
        return Some(folder);
    }
    // Not `eprintln!`: the harness keeps that back.
    let _ = writeln!(std::io::stderr(), "skipped: there is no ../shared/data");
    None
}

/// Mean absolute difference of two runs of bytes, 0 to 255.
pub fn mean_difference(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let sum: u64 = a.iter().zip(b).map(|(&a, &b)| u64::from(a.abs_diff(b))).sum();
    sum as f64 / a.len() as f64
}
