//! Colours, type and measures of the charts.
//!
//! The okta ramp runs from blue (clear) to slate (overcast) with a luminance that falls at every
//! step, so that it holds for every kind of colour vision and in grey print; height says the same
//! thing a second time.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont};

use celaje_sky::okta::Okta;

/// Width of a timeline in SVG units (CSS pixels).
pub const WIDTH: f64 = 1200.0;

/// Empty margin on the left and on the right.
pub const MARGIN: f64 = 28.0;

/// Font families, the one that the program carries first.
pub const FONT_FAMILY: &str = "Ubuntu, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif";

/// Text.
pub const INK: &str = "#1d2430";
/// Secondary text.
pub const SOFT_INK: &str = "#4f5a6b";
/// Axes and ticks.
pub const AXIS: &str = "#7b8595";
/// Grid lines.
pub const GRID: &str = "#c9cfd9";
/// Paper.
pub const PAPER: &str = "#ffffff";
/// Behind the hours of twilight.
pub const TWILIGHT: &str = "#eef1f6";
/// Behind the hours of night.
pub const NIGHT: &str = "#dde2ec";
/// Hatching where there is no reading.
pub const HATCH: &str = "#a6aebb";
/// Where a picture did not show the sky: a haze beside the ramp, since it is no amount.
pub const VEIL: &str = "#d9c9a8";
/// The crosses on it.
pub const VEIL_INK: &str = "#7a6334";
/// Misses: vermilion of the Okabe–Ito palette.
pub const MISS: &str = "#d55e00";

const RAMP: [&str; 9] = [
    "#3fb0f7", "#4aa3e2", "#5496cd", "#5b89b9", "#607ca4", "#566c8d", "#4c5c76", "#404c60",
    "#343a48",
];

/// The ramp in dark surroundings: from a deep blue (clear) to the light grey of cloud, lighter at
/// every step.
const DARK_RAMP: [&str; 9] = [
    "#2268ad", "#2f74b5", "#3f80bb", "#528cc0", "#6699c4", "#7fa7c8", "#9ab6cd", "#b8c7d4",
    "#d8dee6",
];

/// Each colour and what it becomes in dark surroundings.
pub const DARK: [(&str, &str); 20] = [
    (INK, "#e8edf4"),
    (SOFT_INK, "#a9b4c4"),
    (AXIS, "#66728a"),
    (GRID, "#354156"),
    (PAPER, "#0f141c"),
    (TWILIGHT, "#182130"),
    (NIGHT, "#232d42"),
    (HATCH, "#4a5568"),
    (VEIL, "#574a30"),
    (VEIL_INK, "#d2b87e"),
    (MISS, "#ff8a3d"),
    (RAMP[0], DARK_RAMP[0]),
    (RAMP[1], DARK_RAMP[1]),
    (RAMP[2], DARK_RAMP[2]),
    (RAMP[3], DARK_RAMP[3]),
    (RAMP[4], DARK_RAMP[4]),
    (RAMP[5], DARK_RAMP[5]),
    (RAMP[6], DARK_RAMP[6]),
    (RAMP[7], DARK_RAMP[7]),
    (RAMP[8], DARK_RAMP[8]),
];

/// The colour of a mean amount: that of the nearest okta.
pub fn mean_colour(mean: f64) -> &'static str {
    RAMP[(mean.round().clamp(0.0, 8.0) as usize).min(8)]
}

/// The colour of an amount.
pub const fn okta_colour(okta: Okta) -> &'static str {
    RAMP[okta.eighths() as usize]
}

/// How opaque a mark is at a confidence from 0 to 1; what is no number counts as 0.
pub fn opacity(confidence: f64) -> f64 {
    let confidence = if confidence.is_finite() {
        confidence.clamp(0.0, 1.0)
    } else {
        0.0
    };
    0.4 + 0.6 * confidence
}

/// The width of `text` in SVG units at `size`, measured in the font that the program carries.
pub fn text_width(text: &str, size: f64) -> f64 {
    let Ok(font) = FontRef::try_from_slice(epaint_default_fonts::UBUNTU_LIGHT) else {
        return text.chars().count() as f64 * size * 0.5;
    };
    let Some(units_per_em) = font.units_per_em() else {
        return text.chars().count() as f64 * size * 0.5;
    };
    // ab_glyph scales by the font's height; CSS by its em.
    let scale = PxScale::from(size as f32 * font.height_unscaled() / units_per_em);
    let scaled = font.as_scaled(scale);
    text.chars()
        .map(|c| f64::from(scaled.h_advance(font.glyph_id(c))))
        .sum()
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

    /// Relative luminance (WCAG 2.2) of `#rrggbb`.
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let c = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if c <= 0.04045 {
                c / 12.92
            } else {
                ((c + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn the_ramp_darkens_at_every_step() {
        for pair in RAMP.windows(2) {
            assert!(luminance(pair[1]) < luminance(pair[0]), "{pair:?}");
            assert!(contrast(pair[0], pair[1]) > 1.1, "{pair:?}");
        }
    }

    #[test]
    fn text_and_marks_stand_out_from_every_background() {
        for background in [PAPER, TWILIGHT, NIGHT] {
            assert!(contrast(SOFT_INK, background) > 4.5, "{background}");
            for okta in Okta::ALL {
                assert!(
                    contrast(okta_colour(okta), background) > 1.8,
                    "{okta} on {background}"
                );
            }
        }
        assert!(contrast(MISS, PAPER) > 3.0);
        assert!(contrast(VEIL_INK, VEIL) > 3.0);
    }

    #[test]
    fn dark_colours_stand_out_from_every_dark_background() {
        let dark = |light: &str| DARK.iter().find(|(l, _)| *l == light).unwrap().1;
        for background in [PAPER, TWILIGHT, NIGHT].map(dark) {
            assert!(contrast(dark(SOFT_INK), background) > 4.5, "{background}");
            for okta in Okta::ALL {
                assert!(
                    contrast(dark(okta_colour(okta)), background) > 1.8,
                    "{okta} on {background}"
                );
            }
        }
        assert!(contrast(dark(VEIL_INK), dark(VEIL)) > 3.0);
        for pair in DARK_RAMP.windows(2) {
            assert!(luminance(pair[1]) > luminance(pair[0]), "{pair:?}");
        }
    }

    #[test]
    fn a_mean_has_the_colour_of_the_nearest_okta() {
        let colours = [-1.0, 0.4, 3.5, 8.0, 99.0, f64::NAN].map(mean_colour);
        assert_eq!(colours, [0, 0, 4, 8, 8, 0].map(|k| RAMP[k]));
    }

    #[test]
    fn long_text_is_cut_to_the_width() {
        let long = "Estación ".repeat(60);
        let cut = fit(&long, 14.0, 300.0);
        assert!(cut.ends_with('…'));
        assert!((200.0..=300.0).contains(&text_width(&cut, 14.0)), "{cut}");
        assert_eq!(fit("Río Grande", 14.0, 300.0), "Río Grande");
    }

    #[test]
    fn opacity_is_a_number_for_any_confidence() {
        for confidence in [f64::NAN, f64::INFINITY, -3.0, 0.0, 0.5, 1.0, 7.0] {
            assert!((0.4..=1.0).contains(&opacity(confidence)), "{confidence}");
        }
        assert!(opacity(0.9) > opacity(0.4));
    }
}
