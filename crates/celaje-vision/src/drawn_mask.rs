//! Compares a network's cells with a mask that a person drew.
//!
//! Each marked pixel of the mask counts once and is compared with the cell that it lies in. Sizes
//! of network, picture and mask may differ; cells are not interpolated.

use crate::picture::decode::DecodedPicture;
use crate::picture::geometry::Geometry;
use crate::reading::{Cell, ClassMap};

/// A mask's value for cloud.
const CLOUD: u8 = 255;
/// A mask's value for clear sky. Pixels of any other value are not marked.
const SKY: u8 = 100;

/// Greatest relative difference between the aspect ratios of a mask and its picture.
const SHAPE_TOLERANCE: f64 = 0.02;

/// Whether a mask has the aspect ratio of a picture of this width and height.
pub fn fits(mask: &DecodedPicture, picture: (u32, u32)) -> bool {
    let shape = |(width, height): (u32, u32)| f64::from(width) / f64::from(height.max(1));
    let ratio = shape((mask.width, mask.height)) / shape(picture);
    (ratio - 1.0).abs() <= SHAPE_TOLERANCE
}

/// Share of cloud among the marked pixels; none if no pixel is marked.
pub fn fraction(mask: &DecodedPicture) -> Option<f64> {
    let (mut sky, mut cloud) = (0u64, 0u64);
    for pixel in mask.rgb.chunks_exact(3) {
        match pixel[0] {
            CLOUD => cloud += 1,
            SKY => sky += 1,
            _ => {}
        }
    }
    (sky + cloud > 0).then(|| cloud as f64 / (sky + cloud) as f64)
}

/// Share of the marked pixels whose cell has the right class; none if no marked pixel was judged.
///
/// A cell of background is wrong. Pixels that were not judged (outside the region or its mask) do
/// not count.
pub fn accuracy(mask: &DecodedPicture, classes: &ClassMap, geometry: &Geometry) -> Option<f64> {
    let unit = |i: u32, of: u32| (f64::from(i) + 0.5) / f64::from(of.max(1));
    // All pixels of a column of the mask lie in one column of cells, or in none; so with rows.
    let columns: Vec<Option<u32>> = (0..mask.width)
        .map(|x| {
            let left = geometry.to_input(unit(x, mask.width), middle(geometry).1)?.0;
            Some(cell(left, geometry.input.0, classes.width))
        })
        .collect();
    let (mut right, mut judged) = (0u64, 0u64);
    for y in 0..mask.height {
        let Some((_, top)) = geometry.to_input(middle(geometry).0, unit(y, mask.height)) else {
            continue;
        };
        let row = cell(top, geometry.input.1, classes.height);
        for x in 0..mask.width {
            let at = 3 * (y as usize * mask.width as usize + x as usize);
            let (Some(&value), Some(&Some(column))) = (mask.rgb.get(at), columns.get(x as usize))
            else {
                continue;
            };
            let truth = match value {
                CLOUD => Cell::Cloud,
                SKY => Cell::Sky,
                _ => continue,
            };
            match classes.at(column, row) {
                Cell::Outside => {}
                seen => {
                    judged += 1;
                    right += u64::from(seen == truth);
                }
            }
        }
    }
    (judged > 0).then(|| right as f64 / judged as f64)
}

/// The middle of the crop.
fn middle(geometry: &Geometry) -> (f64, f64) {
    let crop = geometry.crop;
    (crop.left + crop.width / 2.0, crop.top + crop.height / 2.0)
}

/// The index of the cell at `at` pixels of an input that is `side` pixels long.
fn cell(at: f64, side: u32, cells: u32) -> u32 {
    let place = (at * f64::from(cells) / f64::from(side.max(1))) as u32;
    place.min(cells.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::manifest::Fit;
    use crate::picture::geometry::{PixelRect, UnitRect, content, crop};
    use crate::picture::testing::draw;
    use celaje_sky::station::region::Margins;
    use proptest::prelude::*;

    fn mask(width: u32, height: u32, at: impl Fn(u32, u32) -> u8) -> DecodedPicture {
        draw(width, height, |x, y| [at(x, y); 3])
    }

    /// The left half sky, the right half cloud, on 4×4 cells.
    fn half() -> ClassMap {
        let cells = (0..16).map(|i| if i % 4 < 2 { Cell::Sky } else { Cell::Cloud });
        ClassMap { width: 4, height: 4, cells: cells.collect() }
    }

    fn whole(content: PixelRect, input: (u32, u32)) -> Geometry {
        Geometry { input, content, crop: UnitRect { left: 0.0, top: 0.0, width: 1.0, height: 1.0 } }
    }

    fn stretched() -> Geometry {
        whole(content((80, 60), (8, 8), Fit::Stretch), (8, 8))
    }

    #[test]
    fn pixels_are_compared_with_the_cell_they_lie_in() {
        let exact = mask(80, 60, |x, _| if x < 40 { SKY } else { CLOUD });
        assert_eq!(accuracy(&exact, &half(), &stretched()), Some(1.0));
        assert_eq!(fraction(&exact), Some(0.5));
        // Ten of eighty columns are another.
        let other = mask(80, 60, |x, _| if x < 50 { SKY } else { CLOUD });
        assert_eq!(accuracy(&other, &half(), &stretched()), Some(0.875));
        // Of a mask of any other size too.
        let small = mask(40, 30, |x, _| if x < 25 { SKY } else { CLOUD });
        assert_eq!(accuracy(&small, &half(), &stretched()), Some(0.875));
    }

    #[test]
    fn undefined_pixels_count_nowhere_and_background_is_wrong() {
        let some = mask(80, 60, |x, y| match (x, y) {
            (_, 30..) => 0,
            (..40, _) => SKY,
            _ => CLOUD,
        });
        assert_eq!(accuracy(&some, &half(), &stretched()), Some(1.0));
        let mut classes = half();
        classes.cells[0] = Cell::Background;
        // One of eight cells in the upper half.
        assert_eq!(accuracy(&some, &classes, &stretched()), Some(0.875));
        classes.cells.fill(Cell::Outside);
        assert_eq!(accuracy(&some, &classes, &stretched()), None);
        let nothing = mask(80, 60, |_, _| 7);
        assert_eq!(fraction(&nothing), None);
        assert_eq!(accuracy(&nothing, &half(), &stretched()), None);
    }

    #[test]
    fn what_was_cut_off_does_not_count_and_bars_shift_nothing() {
        let exact = mask(80, 60, |x, _| if x < 40 { SKY } else { CLOUD });
        let bars = whole(content((80, 60), (8, 8), Fit::Letterbox), (8, 8));
        assert_eq!(accuracy(&exact, &half(), &bars), Some(1.0));
        // The left quarter is cut off: cells are half sky and half cloud of what is left.
        let margins = Margins { left: 0.25, ..Margins::default() };
        let taken = crop(80, 60, margins);
        let mut cut = stretched();
        cut.crop.left = f64::from(taken.left) / 80.0;
        cut.crop.width = f64::from(taken.width) / 80.0;
        // Twenty columns of sky, thirty in the sky's cells, of sixty.
        let got = accuracy(&exact, &half(), &cut).unwrap();
        assert!((got - 50.0 / 60.0).abs() < 1e-12, "{got}");
    }

    #[test]
    fn masks_of_another_shape_do_not_fit() {
        let mask = mask(80, 60, |_, _| SKY);
        assert!(fits(&mask, (800, 600)) && fits(&mask, (81, 60)));
        assert!(!fits(&mask, (60, 80)) && !fits(&mask, (80, 0)));
    }

    proptest! {
        #[test]
        fn a_mask_and_its_negative_share_the_pixels(
            values in prop::collection::vec(prop::sample::select(vec![0u8, SKY, CLOUD]), 16 * 12),
        ) {
            let at = |x: u32, y: u32| values[(y * 16 + x) as usize];
            let one = mask(16, 12, at);
            let other = mask(16, 12, |x, y| match at(x, y) {
                SKY => CLOUD,
                CLOUD => SKY,
                v => v,
            });
            let geometry = stretched();
            let both = [&one, &other].map(|m| accuracy(m, &half(), &geometry));
            if let [Some(a), Some(b)] = both {
                prop_assert!((a + b - 1.0).abs() < 1e-12);
            } else {
                prop_assert_eq!(both, [None, None]);
            }
        }
    }
}
