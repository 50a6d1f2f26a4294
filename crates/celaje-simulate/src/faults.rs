//! Pictures of a camera that does not work, and of one that sees no colours.

use super::canvas::luminance;
use super::grid::blend;
use super::light::Colour;
use super::overlay;
use celaje_sky::random::{Rng, mix};

/// What a card may say.
const LINES: [&str; 6] = [
    "NO SIGNAL",
    "SIN SEÑAL",
    "Camera offline",
    "Imagen no disponible",
    "No image available",
    "Cámara en mantenimiento",
];

/// Bars of a test card, from the left.
const BARS: [Colour; 8] = [
    [0.75, 0.75, 0.75],
    [0.75, 0.75, 0.0],
    [0.0, 0.75, 0.75],
    [0.0, 0.75, 0.0],
    [0.75, 0.0, 0.75],
    [0.75, 0.0, 0.0],
    [0.0, 0.0, 0.75],
    [0.04, 0.04, 0.04],
];

/// A card of `width`×`height` pixels that stands for a picture; another one for another `kind`.
pub fn card(kind: u64, width: u32, height: u32) -> Vec<Colour> {
    let mut rng = Rng::new(kind ^ 0xCA2D);
    let text = LINES[mix(rng.bits()) as usize % LINES.len()];
    let style = rng.unit();
    let grey = rng.unit();
    let cells = width as usize * height as usize;
    let mut pixels = if style < 0.3 {
        let of = |pixel: usize| {
            let (x, y) = (pixel as u32 % width, pixel as u32 / width);
            let bar = (x * 8 / width) as usize;
            if y * 4 < height * 3 { BARS[bar] } else { [x as f32 / width as f32; 3] }
        };
        (0..cells).map(of).collect()
    } else {
        let paper = match style {
            s if s < 0.5 => [0.0; 3],
            s if s < 0.6 => [0.04, 0.12, 0.55],
            s if s < 0.7 => [0.98; 3],
            _ => [0.12 + 0.7 * grey; 3],
        };
        vec![paper; cells]
    };
    let size = (0.075 * height as f32).max(9.0).min(
        // Letters are about 0.6 of their size wide.
        width as f32 * 0.9 / (0.6 * text.chars().count() as f32),
    );
    let length = 0.6 * size * text.chars().count() as f32;
    let at = [(width as f32 - length) / 2.0, height as f32 * if style < 0.3 { 0.9 } else { 0.52 }];
    let ink = if luminance(&pixels[cells / 2]) > 0.5 && style >= 0.3 { 0.08 } else { 0.93 };
    for (x, y, share) in overlay::write(text, at, size, [width, height]) {
        let pixel = &mut pixels[(y * width + x) as usize];
        *pixel = blend(pixel, &[ink; 3], share);
    }
    pixels
}

/// A picture of a closed shutter: a little stray current, and pixels that are hot.
pub fn dark(kind: u64, cells: usize) -> Vec<Colour> {
    let mut rng = Rng::new(kind ^ 0xDA2C);
    let floor = rng.between(0.002, 0.022);
    let tint = rng.between(0.8, 1.3);
    let mut pixels = vec![[floor, floor * 0.95, floor * tint]; cells];
    for _ in 0..cells / 6000 {
        let place = (rng.bits() % cells.max(1) as u64) as usize;
        pixels[place] = [rng.between(0.1, 0.6); 3];
    }
    pixels
}

/// Burns `pixels` out: of those that are `lit` all but a thirtieth are white, blue sky as well.
pub fn overexpose(pixels: &mut [Colour], lit: impl Fn(usize) -> bool) {
    let faintest = |c: &Colour| c[0].min(c[1]).min(c[2]);
    let low = quantile(pixels, &lit, 0.03, faintest).max(0.01);
    let gain = (1.3 / low).clamp(3.0, 80.0);
    for (pixel, colour) in pixels.iter_mut().enumerate() {
        // What is outside a fisheye's circle gets stray light alone.
        let gain = if lit(pixel) { gain } else { gain.min(5.0) };
        *colour = colour.map(|c| c * gain);
    }
}

/// Greys, stretched by `night` (0 to 1) so that those that are `lit` fill the range; gives how
/// much the contrast, and the noise with it, has grown.
pub fn grey(pixels: &mut [Colour], lit: impl Fn(usize) -> bool, night: f32) -> f32 {
    for colour in pixels.iter_mut() {
        *colour = [0.32 * colour[0] + 0.48 * colour[1] + 0.20 * colour[2]; 3];
    }
    if night <= 0.0 {
        return 1.0;
    }
    let (low, high) =
        (quantile(pixels, &lit, 0.01, luminance), quantile(pixels, &lit, 0.985, luminance));
    // A sky without contrast stays without.
    let range = (high - low).max(0.10);
    let floor = low - 0.12 * range;
    let stretch = 1.0 + night * (0.72 / range - 1.0).max(0.0);
    for colour in pixels.iter_mut() {
        let level = ((colour[0] - floor) / range * 0.72).max(0.0);
        *colour = blend(colour, &[level; 3], night);
    }
    stretch
}

/// The level below which a `share` of the pixels lie that are `lit`.
fn quantile(
    pixels: &[Colour],
    lit: &impl Fn(usize) -> bool,
    share: f32,
    level: impl Fn(&Colour) -> f32,
) -> f32 {
    let mut levels: Vec<f32> =
        pixels.iter().enumerate().filter(|(i, _)| lit(*i)).map(|(_, c)| level(c)).collect();
    if levels.is_empty() {
        return 0.0;
    }
    let place = ((levels.len() as f32 * share) as usize).min(levels.len() - 1);
    *levels.select_nth_unstable_by(place, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_flat_or_a_few_colours() {
        for kind in 0..40 {
            let pixels = card(kind, 160, 120);
            assert_eq!(pixels, card(kind, 160, 120));
            let same = pixels.windows(2).filter(|w| w[0] == w[1]).count();
            assert!(same as f32 > 0.6 * pixels.len() as f32, "{kind}: {same}");
            let paper = pixels[0];
            assert!(pixels.iter().any(|p| *p != paper), "{kind} has no text");
        }
    }

    #[test]
    fn a_dark_picture_is_black_all_over() {
        let pixels = dark(3, 19_200);
        let mean = pixels.iter().map(luminance).sum::<f32>() / 19_200.0;
        assert!(mean < 0.03, "{mean}");
        assert!(pixels.iter().any(|p| p[0] > 0.09), "hot pixels");
    }

    #[test]
    fn overexposure_leaves_white() {
        let mut pixels: Vec<Colour> =
            (0..1000).map(|i| [0.1 + 0.0002 * i as f32, 0.15, 0.2]).collect();
        overexpose(&mut pixels, |i| i < 900);
        let burnt = |p: &&Colour| p.iter().all(|c| *c > 1.2);
        let count = pixels[..900].iter().filter(burnt).count();
        assert!(count >= 860, "{count}");
    }

    #[test]
    fn greys_fill_the_range_by_night_and_keep_their_order() {
        let mut pixels: Vec<Colour> = (0..1000).map(|i| [0.1 + 0.0002 * i as f32; 3]).collect();
        let stretch = grey(&mut pixels, |_| true, 1.0);
        assert!(stretch > 2.0, "{stretch}");
        assert!(pixels.windows(2).all(|w| w[0][0] <= w[1][0]));
        assert!(pixels[0][0] < 0.15 && pixels[999][0] > 0.7);
        assert!(pixels.iter().all(|p| p[0] == p[1] && p[1] == p[2]));
    }
}
