//! Where the parts of a picture lie in a network's input.

use crate::model::manifest::Fit;
use celaje_sky::station::region::Margins;

/// A rectangle of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelRect {
    /// Columns left of it.
    pub left: u32,
    /// Rows above it.
    pub top: u32,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// A rectangle in fractions of a picture's width and height, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnitRect {
    /// Fraction of the width.
    pub left: f64,
    /// Fraction of the height.
    pub top: f64,
    /// Fraction of the width.
    pub width: f64,
    /// Fraction of the height.
    pub height: f64,
}

/// The place of a picture in a network's input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Geometry {
    /// Width and height of the network's input, in pixels.
    pub input: (u32, u32),
    /// The part of the network's input that holds the picture; the rest is letterbox bars.
    pub content: PixelRect,
    /// The part of the original picture that is in the input.
    pub crop: UnitRect,
}

impl Geometry {
    /// The place in the original picture, in fractions of its width and height, of the point (`x`,
    /// `y`) of the network's input, in pixels from its upper left corner; none on a letterbox bar.
    pub fn to_picture(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        Some((self.across(x)?, self.down(y)?))
    }

    /// `x` of [`Self::to_picture`], which does not depend on `y`.
    pub fn across(&self, x: f64) -> Option<f64> {
        let u = (x - f64::from(self.content.left)) / f64::from(self.content.width);
        (0.0..1.0).contains(&u).then_some(self.crop.left + u * self.crop.width)
    }

    /// `y` of [`Self::to_picture`], which does not depend on `x`.
    pub fn down(&self, y: f64) -> Option<f64> {
        let v = (y - f64::from(self.content.top)) / f64::from(self.content.height);
        (0.0..1.0).contains(&v).then_some(self.crop.top + v * self.crop.height)
    }

    /// The inverse of [`Self::to_picture`]; none outside the crop.
    pub fn to_input(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        let u = (x - self.crop.left) / self.crop.width;
        let v = (y - self.crop.top) / self.crop.height;
        ((0.0..1.0).contains(&u) && (0.0..1.0).contains(&v)).then_some((
            f64::from(self.content.left) + u * f64::from(self.content.width),
            f64::from(self.content.top) + v * f64::from(self.content.height),
        ))
    }
}

/// The pixels that `margins` leave of a `width`×`height` picture; at least one each way.
pub fn crop(width: u32, height: u32, margins: Margins) -> PixelRect {
    let (left, width) = span(width, margins.left, margins.right);
    let (top, height) = span(height, margins.top, margins.bottom);
    PixelRect { left, top, width, height }
}

fn span(side: u32, before: f64, after: f64) -> (u32, u32) {
    let cut = |margin: f64| (margin.clamp(0.0, 1.0) * f64::from(side)).round() as u32;
    let start = cut(before).min(side.saturating_sub(1));
    let end = side.saturating_sub(cut(after)).max(start + 1);
    (start, end - start)
}

/// The place of a picture of the size `of` in an input of the size `input`; sizes are width and
/// height in pixels.
pub fn content(of: (u32, u32), input: (u32, u32), fit: Fit) -> PixelRect {
    let (width, height) = match fit {
        Fit::Stretch => input,
        Fit::Letterbox => {
            let scale = (f64::from(input.0) / f64::from(of.0.max(1)))
                .min(f64::from(input.1) / f64::from(of.1.max(1)));
            let side =
                |n: u32, most: u32| ((f64::from(n) * scale).round() as u32).clamp(1, most.max(1));
            (side(of.0, input.0), side(of.1, input.1))
        }
    };
    PixelRect {
        left: (input.0 - width.min(input.0)) / 2,
        top: (input.1 - height.min(input.1)) / 2,
        width,
        height,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn margins_cut_pixels_before_anything_else() {
        let margins = Margins { bottom: 0.2, left: 0.1, ..Margins::default() };
        let rect = crop(480, 450, margins);
        assert_eq!(rect, PixelRect { left: 48, top: 0, width: 432, height: 360 });
    }

    #[test]
    fn a_letterbox_is_centred_and_keeps_the_shape() {
        let wide = content((640, 320), (192, 192), Fit::Letterbox);
        assert_eq!(wide, PixelRect { left: 0, top: 48, width: 192, height: 96 });
        let tall = content((100, 400), (192, 192), Fit::Letterbox);
        assert_eq!(tall, PixelRect { left: 72, top: 0, width: 48, height: 192 });
        let all = content((640, 320), (224, 192), Fit::Stretch);
        assert_eq!(all, PixelRect { left: 0, top: 0, width: 224, height: 192 });
    }

    proptest! {
        #[test]
        fn crops_lie_inside_and_are_never_empty(
            width in 1u32..5000, height in 1u32..5000,
            top in -0.5..1.5f64, bottom in -0.5..1.5f64,
            left in -0.5..1.5f64, right in -0.5..1.5f64,
        ) {
            let rect = crop(width, height, Margins { top, bottom, left, right });
            prop_assert!(rect.width >= 1 && rect.height >= 1);
            prop_assert!(rect.left + rect.width <= width && rect.top + rect.height <= height);
        }

        #[test]
        fn places_go_there_and_back(
            width in 1u32..5000, height in 1u32..5000, x in 0.21..0.89f64, y in 0.01..0.79f64,
            letterbox in any::<bool>(),
        ) {
            let crop = UnitRect { left: 0.2, top: 0.0, width: 0.7, height: 0.8 };
            let fit = if letterbox { Fit::Letterbox } else { Fit::Stretch };
            let input = (224, 192);
            let geometry = Geometry { input, content: content((width, height), input, fit), crop };
            let (px, py) = geometry.to_input(x, y).unwrap();
            prop_assert!((0.0..=224.0).contains(&px) && (0.0..=192.0).contains(&py));
            let (bx, by) = geometry.to_picture(px, py).unwrap();
            prop_assert!((bx - x).abs() < 1e-9 && (by - y).abs() < 1e-9);
        }
    }
}
