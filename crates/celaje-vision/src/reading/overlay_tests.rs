use super::*;
use crate::picture::decode::{Limits, decode};
use crate::picture::geometry::{PixelRect, UnitRect};
use crate::picture::testing::draw as drawn;

const GREY: [u8; 3] = [120, 120, 120];

/// Left half sky, right half cloud, the last row of cells background.
fn classes() -> ClassMap {
    let cell = |i: u32| match (i % 8, i / 8) {
        (_, 7) => Cell::Background,
        (0..4, _) => Cell::Sky,
        _ => Cell::Cloud,
    };
    ClassMap { width: 8, height: 8, cells: (0..64).map(cell).collect() }
}

fn geometry(crop: UnitRect, content: PixelRect) -> Geometry {
    Geometry { input: (16, 16), content, crop }
}

const WHOLE: UnitRect = UnitRect { left: 0.0, top: 0.0, width: 1.0, height: 1.0 };
const ALL: PixelRect = PixelRect { left: 0, top: 0, width: 16, height: 16 };

fn at(rgb: &[u8], width: u32, x: u32, y: u32) -> [i32; 3] {
    let at = 3 * (y * width + x) as usize;
    [0, 1, 2].map(|c| i32::from(rgb[at + c]))
}

#[test]
fn cloud_is_warm_sky_is_cool_the_rest_dark() {
    let picture = drawn(160, 160, |_, _| GREY);
    let rgb = draw(&picture, &classes(), &geometry(WHOLE, ALL));
    let [r, g, b] = at(&rgb, 160, 30, 60);
    assert!(b > r && b > 120 && g >= r, "sky {r} {g} {b}");
    let [r, _, b] = at(&rgb, 160, 130, 60);
    assert!(r > 150 && b < 110, "cloud {r} {b}");
    let [r, g, b] = at(&rgb, 160, 80, 158);
    assert!(r < 60 && g < 60 && b < 60, "background");
    // A line where they meet, and nowhere else.
    let line =
        (0..160).filter(|&x| at(&rgb, 160, x, 60).iter().min() > Some(&190)).collect::<Vec<_>>();
    assert_eq!(line, [80]);
}

#[test]
fn what_was_cut_away_is_dark() {
    let picture = drawn(100, 100, |_, _| GREY);
    let crop = UnitRect { left: 0.2, top: 0.0, width: 0.8, height: 0.5 };
    let rgb = draw(&picture, &classes(), &geometry(crop, ALL));
    assert_eq!(at(&rgb, 100, 10, 20), [42; 3]);
    assert_eq!(at(&rgb, 100, 60, 70), [42; 3]);
    assert_ne!(at(&rgb, 100, 30, 20), [42; 3]);
    // The edge lies in the middle of what was taken: at 0.2 + 0.4.
    let warm = |x| at(&rgb, 100, x, 20)[0] > 150 && at(&rgb, 100, x, 20)[2] < 110;
    assert!(!warm(58) && warm(63));
}

#[test]
fn letterbox_cells_are_not_drawn() {
    // Content is the middle half of the input's rows: cells 2 to 5.
    let content = PixelRect { left: 0, top: 4, width: 16, height: 8 };
    let picture = drawn(160, 80, |_, _| GREY);
    let rgb = draw(&picture, &classes(), &geometry(WHOLE, content));
    assert_ne!(at(&rgb, 160, 30, 79), [42; 3]);
}

#[test]
fn the_png_is_the_drawing() {
    let picture = crate::picture::testing::sky(97, 61);
    let geometry = geometry(WHOLE, ALL);
    let bytes = super::png(&picture, &classes(), &geometry).unwrap();
    let read = decode(&bytes, &Limits::default()).unwrap();
    assert_eq!((read.width, read.height), (97, 61));
    assert_eq!(read.rgb, draw(&picture, &classes(), &geometry));
}
