//! An SVG document as a PNG, drawn with the font that the program carries.

use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{ImageHrefResolver, Options, Tree, fontdb};

use super::font;

/// The most pixels that a PNG may have.
pub const MAX_PIXELS: u64 = 100_000_000;

#[derive(Debug, thiserror::Error)]
pub enum PngError {
    #[error("the SVG does not parse: {0}")]
    Parse(#[from] resvg::usvg::Error),
    /// The scale is no positive number, or the picture would have no pixel or too many.
    #[error(
        "{width} by {height} units at scale {scale} make no picture of 1 to {MAX_PIXELS} pixels"
    )]
    Size { width: f32, height: f32, scale: f32 },
    #[error("the picture could not be encoded as PNG: {0}")]
    Encode(String),
}

static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(font::BYTES.to_vec());
    fonts.set_sans_serif_family("Ubuntu");
    Arc::new(fonts)
});

/// Draws `svg` with `scale` pixels a unit as the bytes of a PNG.
pub fn render(svg: &str, scale: f32) -> Result<Vec<u8>, PngError> {
    let tree = tree(svg)?;
    let (width, height) = (tree.size().width(), tree.size().height());
    let mut pixmap = blank(width, height, scale).ok_or(PngError::Size { width, height, scale })?;
    let transform = Transform::from_scale(scale, scale);
    resvg::render(&tree, transform, &mut pixmap.as_mut());
    let png = pixmap.encode_png();
    png.map_err(|error| PngError::Encode(error.to_string()))
}

/// An SVG document as it is drawn. Nothing is read from outside: no font of the system, no picture
/// that it links.
pub(crate) fn tree(svg: &str) -> Result<Tree, resvg::usvg::Error> {
    let options = Options {
        fontdb: FONTS.clone(),
        font_family: "Ubuntu".to_owned(),
        image_href_resolver: ImageHrefResolver {
            resolve_data: Box::new(|_, _, _| None),
            resolve_string: Box::new(|_, _| None),
        },
        ..Options::default()
    };
    Tree::from_str(svg, &options)
}

fn blank(width: f32, height: f32, scale: f32) -> Option<Pixmap> {
    let [w, h] = [width, height].map(|units| f64::from(units * scale).round());
    (w >= 1.0 && h >= 1.0 && w * h <= MAX_PIXELS as f64)
        .then(|| Pixmap::new(w as u32, h as u32))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"30\" height=\"20\">\
        <rect width=\"30\" height=\"20\" fill=\"white\"/>\
        <text x=\"2\" y=\"16\" font-size=\"16\" font-family=\"sans-serif\">°ñ</text></svg>";

    #[test]
    fn the_size_follows_the_scale_and_the_font_draws() {
        let png = render(SQUARE, 2.0).unwrap();
        let picture = image::load_from_memory(&png).unwrap().to_luma8();
        assert_eq!(picture.dimensions(), (60, 40));
        assert!(picture.pixels().filter(|p| p.0[0] < 80).count() > 20, "no text was drawn");
    }

    #[test]
    fn what_cannot_be_drawn_is_an_error() {
        assert!(matches!(render("no svg", 1.0), Err(PngError::Parse(_))));
        for scale in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e6] {
            assert!(matches!(render(SQUARE, scale), Err(PngError::Size { .. })), "{scale}");
        }
    }

    #[test]
    fn a_linked_picture_is_not_read() {
        let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\">\
            <image width=\"9\" height=\"9\" href=\"Cargo.toml\"/></svg>";
        assert!(render(svg, 1.0).is_ok());
    }
}
