//! Draws the classes of a network's cells over the picture.

use crate::picture::decode::DecodedPicture;
use crate::picture::geometry::Geometry;
use crate::reading::class_map::{Cell, ClassMap};

/// Tint of cloud: amber, which no sky has.
const CLOUD: [f32; 3] = [255.0, 166.0, 43.0];
/// Tint of clear sky.
const SKY: [f32; 3] = [46.0, 134.0, 255.0];
/// The line along the edge of clouds.
const EDGE: [f32; 3] = [255.0, 250.0, 220.0];
/// Share of the tint in the mixture.
const CLOUD_SHARE: f32 = 0.38;
const SKY_SHARE: f32 = 0.16;
const EDGE_SHARE: f32 = 0.85;
/// Share of the light that is left of pixels that were not judged.
const UNJUDGED_LIGHT: f32 = 0.35;
/// Pixels of the picture's shorter side for each pixel of the edge's thickness.
const SIDE_A_LINE: u32 = 450;

/// Draws the classes over the picture: cloud is amber with a light edge, sky bluish, and all else
/// darker. Gives `height` × `width` × 3 numbers, RGB.
///
/// Classes are interpolated between the centres of cells, so that edges are smooth.
pub fn draw(picture: &DecodedPicture, classes: &ClassMap, geometry: &Geometry) -> Vec<u8> {
    let (width, height) = (picture.width as usize, picture.height as usize);
    let mut rgb = picture.rgb.clone();
    let thick = (picture.width.min(picture.height) / SIDE_A_LINE).max(1) as usize;
    // The classes of this row and of `thick` rows above it, for the edge.
    let mut rows: Vec<Vec<Cell>> = vec![vec![Cell::Outside; width]; thick + 1];
    for y in 0..height {
        rows.rotate_right(1);
        for (x, cell) in rows[0].iter_mut().enumerate() {
            *cell = class_at(classes, geometry, (x, y), (width, height));
        }
        let pixels = rgb.chunks_exact_mut(3).skip(y * width).take(width);
        for (x, pixel) in pixels.enumerate() {
            let cell = rows[0][x];
            let edge = is_edge(cell, rows[thick][x])
                || x.checked_sub(thick).is_some_and(|left| is_edge(cell, rows[0][left]));
            paint(pixel, cell, edge);
        }
    }
    rgb
}

/// Whether one is cloud and the other sky.
const fn is_edge(a: Cell, b: Cell) -> bool {
    matches!((a, b), (Cell::Cloud, Cell::Sky) | (Cell::Sky, Cell::Cloud))
}

fn paint(pixel: &mut [u8], cell: Cell, edge: bool) {
    let (tint, share) = match cell {
        _ if edge => (EDGE, EDGE_SHARE),
        Cell::Cloud => (CLOUD, CLOUD_SHARE),
        Cell::Sky => (SKY, SKY_SHARE),
        Cell::Background | Cell::Outside => ([0.0; 3], 1.0 - UNJUDGED_LIGHT),
    };
    for (value, tint) in pixel.iter_mut().zip(tint) {
        *value = (f32::from(*value) * (1.0 - share) + tint * share).round() as u8;
    }
}

/// The class with the greatest weight at a pixel, by bilinear interpolation between cells.
fn class_at(
    classes: &ClassMap,
    geometry: &Geometry,
    (x, y): (usize, usize),
    (width, height): (usize, usize),
) -> Cell {
    let place = ((x as f64 + 0.5) / width as f64, (y as f64 + 0.5) / height as f64);
    let Some((ix, iy)) = geometry.to_input(place.0, place.1) else {
        return Cell::Outside;
    };
    let (left, right, u) = neighbours(ix, geometry.input.0, classes.width);
    let (above, below, v) = neighbours(iy, geometry.input.1, classes.height);
    let corners = [
        (classes.at(left, above), (1.0 - u) * (1.0 - v)),
        (classes.at(right, above), u * (1.0 - v)),
        (classes.at(left, below), (1.0 - u) * v),
        (classes.at(right, below), u * v),
    ];
    let weight = |cell: Cell| -> f64 {
        corners.iter().filter(|(other, _)| *other == cell).map(|(_, weight)| weight).sum()
    };
    let mut best = (corners[0].0, weight(corners[0].0));
    for (cell, _) in corners {
        let sum = weight(cell);
        if sum > best.1 {
            best = (cell, sum);
        }
    }
    best.0
}

/// The cells on both sides of a place in the input, and its distance from the first, 0 to 1.
fn neighbours(at: f64, side: u32, cells: u32) -> (u32, u32, f64) {
    let last = cells.saturating_sub(1);
    let place = (at * f64::from(cells) / f64::from(side.max(1)) - 0.5).clamp(0.0, f64::from(last));
    let first = place.floor() as u32;
    (first, (first + 1).min(last), place - place.floor())
}

/// [`draw`], as the bytes of a PNG.
///
/// # Errors
/// If the picture's pixels do not fill its size.
pub fn png(
    picture: &DecodedPicture,
    classes: &ClassMap,
    geometry: &Geometry,
) -> Result<Vec<u8>, png::EncodingError> {
    encode(picture.width, picture.height, &draw(picture, classes, geometry))
}

/// RGB pixels as a PNG.
///
/// # Errors
/// If they do not fill the size.
pub fn encode(width: u32, height: u32, rgb: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(rgb)?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
#[path = "overlay_tests.rs"]
mod tests;
