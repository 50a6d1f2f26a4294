//! The charts' colours, light and dark.
//!
//! The okta ramp runs from blue (clear) to slate (overcast). Its luminance falls at every step, so
//! that it can be read with any colour vision and in grey print; height says the same again.

use celaje_sky::okta::Okta;

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
/// Behind the hours of twilight; where twilights are told apart, of nautical twilight.
pub const TWILIGHT: &str = "#eef1f6";
/// Behind civil twilight.
pub const CIVIL: &str = "#f6f8fb";
/// Behind astronomical twilight.
pub const ASTRONOMICAL: &str = "#e6eaf2";
/// Behind the hours of night.
pub const NIGHT: &str = "#dde2ec";
/// The sun: as bright in both themes.
pub const SUN: &str = "#f4c430";
/// The moon.
pub const MOON: &str = "#b9a45f";
/// Hatching where there is no reading.
pub const HATCH: &str = "#a6aebb";
/// The same where cells are too small to be hatched: a rose, as no amount and no paper is.
pub const GAP: &str = "#f1d9de";
/// The sky is hidden: a haze that is not in the ramp, since it is no amount.
pub const VEIL: &str = "#d9c9a8";
/// The crosses on it.
pub const VEIL_INK: &str = "#7a6334";
/// Misses: vermilion of the Okabe–Ito palette.
pub const MISS: &str = "#d55e00";

const RAMP: [&str; 9] = [
    "#3fb0f7", "#4aa3e2", "#5496cd", "#5b89b9", "#607ca4", "#566c8d", "#4c5c76", "#404c60",
    "#343a48",
];

/// The ramp in dark surroundings: as the other one from a bright blue (clear) to slate, darker at
/// every step.
const DARK_RAMP: [&str; 9] = [
    "#6cc5ff", "#66b3ec", "#63a3d6", "#6195c2", "#6188b0", "#607c9e", "#5f718d", "#5e677c",
    "#5a5e6c",
];

/// Each colour and what it becomes in dark surroundings.
pub const DARK: [(&str, &str); 24] = [
    (INK, "#e8edf4"),
    (SOFT_INK, "#a9b4c4"),
    (AXIS, "#66728a"),
    (GRID, "#354156"),
    (PAPER, "#0f141c"),
    (TWILIGHT, "#182130"),
    (CIVIL, "#131a25"),
    (ASTRONOMICAL, "#1d2739"),
    (NIGHT, "#232d42"),
    (MOON, "#d8c98c"),
    (HATCH, "#4a5568"),
    (GAP, "#43202e"),
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

/// The colour of the okta nearest to a mean amount.
pub fn mean_colour(mean: f64) -> &'static str {
    RAMP[(mean.round().clamp(0.0, 8.0) as usize).min(8)]
}

pub const fn okta_colour(okta: Okta) -> &'static str {
    RAMP[okta.eighths() as usize]
}

/// How opaque a mark is at a confidence from 0 to 1; NaN and infinities count as 0.
pub fn opacity(confidence: f64) -> f64 {
    let confidence = if confidence.is_finite() { confidence.clamp(0.0, 1.0) } else { 0.0 };
    0.4 + 0.6 * confidence
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Dark ink on white paper, as it is printed.
    #[default]
    Light,
    /// For dark surroundings.
    Dark,
}

impl Theme {
    /// `svg`, a chart of this crate, in these colours.
    ///
    /// A colour is always a whole attribute value, and quotation marks in texts are entities: so no
    /// text is taken for a colour.
    pub fn paint(self, svg: String) -> String {
        if self == Self::Light {
            return svg;
        }
        let mut painted = String::with_capacity(svg.len());
        let mut rest = svg.as_str();
        while let Some(at) = rest.find("=\"#") {
            let (before, from) = rest.split_at(at + 2);
            painted.push_str(before);
            let colour = from.get(..7).unwrap_or(from);
            let whole = from.as_bytes().get(7) == Some(&b'"');
            let dark = DARK.iter().find(|(light, _)| whole && *light == colour);
            painted.push_str(dark.map_or(colour, |(_, dark)| dark));
            rest = &from[colour.len()..];
        }
        painted.push_str(rest);
        painted
    }
}

/// The light colours of marks and shades that are no amount, by their names in the page's legend.
pub const fn shades() -> [(&'static str, &'static str); 9] {
    [
        ("miss", MISS),
        ("twilight", TWILIGHT),
        ("civil", CIVIL),
        ("astronomical", ASTRONOMICAL),
        ("night", NIGHT),
        ("flat", GAP),
        ("moon", MOON),
        ("veil", VEIL),
        ("crosses", VEIL_INK),
    ]
}

/// The dark colour that stands for the light colour `colour`.
pub fn dark_colour(colour: &str) -> &str {
    DARK.iter().find(|(light, _)| *light == colour).map_or(colour, |(_, dark)| dark)
}

/// A style sheet that gives a chart inside `selector` the colours of [`Theme::Dark`].
pub fn dark_rules(selector: &str) -> String {
    DARK.iter()
        .map(|(light, dark)| {
            format!(
                "{selector} [fill=\"{light}\"]{{fill:{dark}}}\n\
                 {selector} [stroke=\"{light}\"]{{stroke:{dark}}}\n"
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance (WCAG 2.2) of `#rrggbb`.
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let c = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            match c <= 0.04045 {
                true => c / 12.92,
                false => ((c + 0.055) / 1.055).powf(2.4),
            }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn the_ramps_have_a_visible_step_between_oktas() {
        for ramp in [RAMP, DARK_RAMP] {
            assert!(ramp.windows(2).all(|pair| contrast(pair[0], pair[1]) > 1.1));
        }
        assert!(RAMP.is_sorted_by(|a, b| luminance(a) > luminance(b)));
        // Clear is the bright end in both.
        assert!(DARK_RAMP.is_sorted_by(|a, b| luminance(a) > luminance(b)));
    }

    #[test]
    fn text_and_marks_stand_out_from_every_background() {
        for shown in [|colour| colour, dark_colour] {
            for background in [PAPER, CIVIL, TWILIGHT, ASTRONOMICAL, NIGHT].map(shown) {
                assert!(contrast(shown(SOFT_INK), background) > 4.5, "{background}");
                for colour in RAMP.map(shown) {
                    assert!(contrast(colour, background) > 1.8, "{colour} on {background}");
                }
            }
            assert!(contrast(shown(MISS), shown(PAPER)) > 3.0);
            assert!(contrast(shown(VEIL_INK), shown(VEIL)) > 3.0);
        }
    }

    /// Distance of two colours by their channels, 0 to 1.
    fn apart(a: &str, b: &str) -> f64 {
        let channel = |colour: &str, at: usize| {
            f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0
        };
        let squares = [1, 3, 5].map(|at| (channel(a, at) - channel(b, at)).powi(2));
        squares.iter().sum::<f64>().sqrt()
    }

    #[test]
    fn what_was_not_read_is_taken_for_no_amount_and_for_no_paper() {
        for shown in [|colour| colour, dark_colour] {
            for amount in RAMP.map(shown) {
                assert!(contrast(shown(GAP), amount) > 1.5, "{amount}");
                assert!(apart(shown(GAP), amount) > 0.3, "{amount}");
            }
            for other in [PAPER, VEIL] {
                assert!(apart(shown(GAP), shown(other)) > 0.15, "{other}");
            }
            // Its red is above its green in both themes: one meaning, two lights.
            let gap = shown(GAP);
            assert!(gap[1..3] > gap[3..5]);
        }
    }

    #[test]
    fn a_mean_has_the_colour_of_the_nearest_okta() {
        let colours = [-1.0, 0.4, 3.5, 8.0, 99.0, f64::NAN].map(mean_colour);
        assert_eq!(colours, [0, 0, 4, 8, 8, 0].map(|k| RAMP[k]));
    }

    #[test]
    fn opacity_is_a_number_for_any_confidence() {
        for confidence in [f64::NAN, f64::INFINITY, -3.0, 0.0, 0.5, 1.0, 7.0] {
            assert!((0.4..=1.0).contains(&opacity(confidence)), "{confidence}");
        }
        assert!(opacity(0.9) > opacity(0.4));
    }

    #[test]
    fn colours_are_exchanged_and_texts_kept() {
        let svg = "<rect fill=\"#ffffff\"/><text fill=\"#1d2430\">=&quot;#ffffff&quot; #ffffff\
                   </text><a fill=\"#12\"/><a fill=\"#";
        let dark = Theme::Dark.paint(svg.to_owned());
        assert!(dark.starts_with("<rect fill=\"#0f141c\"/>"), "{dark}");
        assert!(dark.contains("&quot;#ffffff&quot; #ffffff<"), "{dark}");
        assert!(dark.ends_with("<a fill=\"#12\"/><a fill=\"#"), "{dark}");
        assert_eq!(Theme::Light.paint(svg.to_owned()), svg);
    }

    #[test]
    fn every_colour_has_its_rule() {
        let rules = dark_rules(".chart");
        assert_eq!(rules.lines().count(), 2 * DARK.len());
        assert!(rules.contains(".chart [fill=\"#ffffff\"]{fill:#0f141c}"));
    }
}
