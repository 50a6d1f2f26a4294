//! The font that the program carries: what charts are measured in and PNGs are drawn with.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont};

pub const BYTES: &[u8] = epaint_default_fonts::UBUNTU_LIGHT;

/// Font families of an SVG, which carries none; the font of this module first.
pub const FAMILY: &str = "Ubuntu, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif";

/// The width of `text` in SVG units at `size`.
pub fn text_width(text: &str, size: f64) -> f64 {
    let font = FontRef::try_from_slice(BYTES).ok();
    let em = font.as_ref().and_then(Font::units_per_em);
    let (Some(font), Some(em)) = (font, em) else {
        return text.chars().count() as f64 * size * 0.5;
    };
    // ab_glyph scales by the font's height; CSS by its em.
    let scaled = font.as_scaled(PxScale::from(size as f32 * font.height_unscaled() / em));
    let advance = |c| f64::from(scaled.h_advance(font.glyph_id(c)));
    text.chars().map(advance).sum()
}

/// `text`, shortened with an ellipsis so that it is no wider than `width` at `size`.
pub fn fit(text: &str, size: f64, width: f64) -> String {
    if text_width(text, size) <= width {
        return text.to_owned();
    }
    let room = width - text_width("…", size);
    let mut used = 0.0;
    let kept: String = text
        .chars()
        .take_while(|c| {
            used += text_width(c.encode_utf8(&mut [0; 4]), size);
            used <= room
        })
        .collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_to_the_width() {
        let long = "Estación ".repeat(60);
        let cut = fit(&long, 14.0, 300.0);
        assert!(cut.ends_with('…'));
        assert!((200.0..=300.0).contains(&text_width(&cut, 14.0)), "{cut}");
        assert_eq!(fit("Río Grande", 14.0, 300.0), "Río Grande");
    }
}
