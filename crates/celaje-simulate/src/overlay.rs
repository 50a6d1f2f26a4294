//! The line of text that a camera writes into its picture.

use ab_glyph::{Font, FontRef, Glyph, ScaleFont, point};

/// How much of a pixel a letter covers: column, row, 0 to 1.
pub type Stroke = (u32, u32, f32);

/// Draws `text` with its baseline's left end at `at`, `size` pixels tall; only strokes inside
/// `width`×`height` pixels are kept.
pub fn write(text: &str, at: [f32; 2], size: f32, [width, height]: [u32; 2]) -> Vec<Stroke> {
    let mut strokes = Vec::new();
    let Ok(font) = FontRef::try_from_slice(epaint_default_fonts::HACK_REGULAR) else {
        return strokes;
    };
    let scaled = font.as_scaled(size);
    let mut x = at[0];
    for letter in text.chars() {
        let id = scaled.glyph_id(letter);
        let glyph: Glyph = id.with_scale_and_position(size, point(x, at[1]));
        x += scaled.h_advance(id);
        let Some(outline) = font.outline_glyph(glyph) else {
            continue;
        };
        let corner = outline.px_bounds().min;
        outline.draw(|dx, dy, cover| {
            let (px, py) = (corner.x + dx as f32, corner.y + dy as f32);
            if px >= 0.0 && py >= 0.0 && px < width as f32 && py < height as f32 {
                strokes.push((px as u32, py as u32, cover.clamp(0.0, 1.0)));
            }
        });
    }
    strokes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_drawn_inside_the_picture() {
        let strokes = write("Río Grande 12:02", [2.0, 20.0], 16.0, [60, 24]);
        assert!(strokes.iter().filter(|(_, _, c)| *c > 0.5).count() > 50);
        assert!(strokes.iter().all(|(x, y, _)| *x < 60 && *y < 24));
    }
}
