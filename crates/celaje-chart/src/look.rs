//! How a chart is laid out, and in which colours.

use super::theme::{DARK, MISS, NIGHT, TWILIGHT, VEIL, VEIL_INK, okta_colour};
use celaje_sky::okta::Okta;
use celaje_sky::text::Lang;

/// The narrowest chart that its labels leave room for, in SVG units.
pub const NARROWEST: f64 = 300.0;
/// The widest chart.
pub const WIDEST: f64 = 3200.0;
/// From this width on there is room for what stands beside a chart.
const WIDE: f64 = 760.0;

/// The layout of a chart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Language of the labels.
    pub lang: Lang,
    /// Width of a bare chart in SVG units (CSS pixels), [`NARROWEST`] to [`WIDEST`]; what lies
    /// beyond counts as those. A chart that stands alone has its own.
    pub width: f64,
    /// Without title, counts and legend, for a page that has its own.
    pub bare: bool,
}

impl Look {
    /// A chart that stands alone, with title and legend.
    pub const fn alone(lang: Lang) -> Self {
        Self {
            lang,
            width: super::theme::WIDTH,
            bare: false,
        }
    }

    /// The width within its limits; what is no number counts as the usual one.
    pub(super) fn width(&self) -> f64 {
        if self.bare && self.width.is_finite() {
            self.width.clamp(NARROWEST, WIDEST)
        } else {
            super::theme::WIDTH
        }
    }

    /// Whether there is room beside the chart.
    pub(super) fn is_wide(&self) -> bool {
        self.width() >= WIDE
    }

    /// Empty margin on the left and on the right.
    pub(super) fn margin(&self) -> f64 {
        if self.bare { 2.0 } else { super::theme::MARGIN }
    }
}

/// Which colours a chart has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Dark ink on white paper, as it is printed.
    #[default]
    Light,
    /// For dark surroundings.
    Dark,
}

impl Theme {
    /// `svg`, a chart of this module, in these colours.
    ///
    /// A colour is always a whole attribute value, and a quotation mark in a text is an entity: so
    /// no text is taken for a colour.
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

/// The colour of an amount on paper.
pub const fn colour_of(okta: Okta) -> &'static str {
    okta_colour(okta)
}

/// The colours on paper of what is no amount: misses, twilight and night, and a sky that cannot be
/// seen with the crosses on it.
pub const fn shades() -> [(&'static str, &'static str); 5] {
    [
        ("miss", MISS),
        ("twilight", TWILIGHT),
        ("night", NIGHT),
        ("veil", VEIL),
        ("crosses", VEIL_INK),
    ]
}

/// What `colour`, one of a chart's, becomes in dark surroundings.
pub fn dark_colour(colour: &str) -> &str {
    DARK.iter()
        .find(|(light, _)| *light == colour)
        .map_or(colour, |(_, dark)| dark)
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

    #[test]
    fn a_width_that_is_none_is_the_usual_one() {
        let bare = true;
        let lang = Lang::En;
        let width = |width| Look { lang, width, bare }.width();
        assert_eq!(
            [f64::NAN, 0.0, 500.0, 1e9].map(width),
            [super::super::theme::WIDTH, NARROWEST, 500.0, WIDEST]
        );
    }
}
