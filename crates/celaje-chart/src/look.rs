//! How a chart is laid out.

use celaje_sky::text::Lang;

/// Width of a chart that stands alone, in SVG units (CSS pixels).
pub const WIDTH: f64 = 1200.0;
/// The narrowest chart whose labels fit.
pub const NARROWEST: f64 = 300.0;
pub const WIDEST: f64 = 3200.0;
/// Empty margin on both sides of a chart that stands alone.
pub(crate) const MARGIN: f64 = 28.0;
/// The least width that leaves room for labels on the right of a chart.
const WIDE: f64 = 760.0;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    pub lang: Lang,
    /// Width of a bare chart in SVG units, clamped to [`NARROWEST`]..[`WIDEST`]. A chart that
    /// stands alone has [`WIDTH`].
    pub width: f64,
    /// Without title, counts and legend, for a page that has its own.
    pub bare: bool,
}

impl Look {
    /// A chart that stands alone, with title and legend.
    pub const fn alone(lang: Lang) -> Self {
        Self { lang, width: WIDTH, bare: false }
    }

    /// The width within its limits; NaN and infinities count as [`WIDTH`].
    pub(crate) fn width(&self) -> f64 {
        if self.bare && self.width.is_finite() {
            self.width.clamp(NARROWEST, WIDEST)
        } else {
            WIDTH
        }
    }

    pub(crate) fn is_wide(&self) -> bool {
        self.width() >= WIDE
    }

    pub(crate) fn margin(&self) -> f64 {
        if self.bare { 2.0 } else { MARGIN }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_clamped_and_nan_is_the_default() {
        let (lang, bare) = (Lang::En, true);
        let width = |width| Look { lang, width, bare }.width();
        let widths = [f64::NAN, 0.0, 500.0, 1e9].map(width);
        assert_eq!(widths, [WIDTH, NARROWEST, 500.0, WIDEST]);
    }
}
