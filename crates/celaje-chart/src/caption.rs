//! A line of text that is burnt into a picture.

use resvg::tiny_skia::{Pixmap, Transform};

use super::font::{FAMILY, text_width};
use super::glyph::inked;
use super::png::{PngError, tree};
use super::svg::{Escaped, Num};
use celaje_sky::cover::Cover;

/// Share of a picture's width that letters are tall, and their least and greatest height.
const SIZE: (f64, f64, f64) = (0.026, 11.0, 28.0);

/// A drawn caption.
pub struct Caption {
    pixels: Pixmap,
}

impl Caption {
    /// `text` behind the symbol of `cover`, for a picture so wide.
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub fn new(text: &str, cover: Option<Cover>, width: u32) -> Result<Self, PngError> {
        let size = (f64::from(width) * SIZE.0).clamp(SIZE.1, SIZE.2);
        let (pad, mut x) = (size * 0.5, size * 0.6);
        let mut symbol = String::new();
        if let Some(cover) = cover {
            let scale = size * 1.15 / 100.0;
            symbol = format!(
                "<g transform=\"translate({} {}) scale({scale:.4})\">{}</g>",
                Num(x),
                Num(pad * 0.8),
                inked(cover, "#ffffff")
            );
            x += size * 1.6;
        }
        let (wide, tall) = (x + text_width(text, size) + pad, size * 2.0);
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" \
             font-family=\"{FAMILY}\" font-weight=\"300\"><rect width=\"{w}\" height=\"{h}\" \
             fill=\"#000000\" fill-opacity=\"0.6\"/>{symbol}<text x=\"{x}\" y=\"{y}\" \
             font-size=\"{size}\" fill=\"#ffffff\">{text}</text></svg>",
            w = Num(wide),
            h = Num(tall),
            x = Num(x),
            y = Num(size * 1.36),
            size = Num(size),
            text = Escaped(text)
        );
        let (width, height) = (wide.ceil() as u32, tall.ceil() as u32);
        let unsized_picture =
            || PngError::Size { width: wide as f32, height: tall as f32, scale: 1.0 };
        let mut pixels = Pixmap::new(width, height).ok_or_else(unsized_picture)?;
        resvg::render(&tree(&svg)?, Transform::identity(), &mut pixels.as_mut());
        Ok(Self { pixels })
    }

    /// Burns it into the lower left corner of a picture, three bytes a pixel; what has no room is
    /// left out.
    pub fn burn(&self, rgb: &mut [u8], width: u32) {
        let width = width as usize;
        let height = rgb.len() / (3 * width.max(1));
        let (wide, tall) = (self.pixels.width() as usize, self.pixels.height() as usize);
        let top = height.saturating_sub(tall);
        for (y, row) in self.pixels.pixels().chunks_exact(wide).enumerate() {
            let begin = 3 * (top + y) * width;
            let Some(line) = rgb.get_mut(begin..begin + 3 * width) else { return };
            for (below, over) in line.chunks_exact_mut(3).zip(row) {
                let kept = u16::from(255 - over.alpha());
                let colours = [over.red(), over.green(), over.blue()];
                for (under, colour) in below.iter_mut().zip(colours) {
                    // The colours are multiplied by their opacity already.
                    *under = colour.saturating_add((u16::from(*under) * kept / 255) as u8);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_is_read_in_the_corner_and_nowhere_else() {
        let (width, height) = (640, 480);
        let grey = vec![90; 3 * width * height];
        let mut burnt = grey.clone();
        let caption = Caption::new("3 octas · 22:10", Cover::from_code(3), width as u32).unwrap();
        caption.burn(&mut burnt, width as u32);
        let changed = |x: usize, y: usize| {
            let at = 3 * (y * width + x);
            grey[at..at + 3] != burnt[at..at + 3]
        };
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let (mut count, mut white) = (0, 0);
        for (x, y) in places.filter(|(x, y)| changed(*x, *y)) {
            assert!(x < 260 && y > 440, "{x} {y}");
            count += 1;
            white += usize::from(burnt[3 * (y * width + x)] > 200);
        }
        assert!(count > 3000 && white > 150, "{count} {white}");
    }

    #[test]
    fn a_picture_that_is_too_small_is_no_panic() {
        let caption = Caption::new("long text for so little", None, 10).unwrap();
        for (width, height) in [(0, 0), (1, 1), (7, 3), (300, 2)] {
            caption.burn(&mut vec![9; 3 * width * height], width as u32);
        }
    }
}
