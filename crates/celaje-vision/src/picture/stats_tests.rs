use super::*;

/// Measures of a drawn picture of 64×64 pixels.
fn stats(draw: impl Fn(u32, u32) -> [u8; 3]) -> PictureStats {
    let rgb: Vec<u8> = (0..64 * 64).flat_map(|i| draw(i % 64, i / 64)).collect();
    let content = PixelRect { left: 0, top: 0, width: 64, height: 64 };
    PictureStats::of(&rgb, 64, content)
}

#[test]
fn half_black_half_white() {
    let stats = stats(|_, y| if y < 32 { [0; 3] } else { [255; 3] });
    assert!((stats.spread - 0.5).abs() < 1e-9);
    assert_eq!((stats.dark, stats.bright), (0.5, 0.5));
    assert_eq!((stats.peak, stats.colours), (1.0, 1));
    assert_eq!((stats.lit_bands, stats.plain, stats.bars), (6, 0.0, 0));
}

#[test]
fn dark_corners_do_not_lower_the_peak() {
    let stats = stats(|x, _| if x < 26 { [60, 90, 160] } else { [0; 3] });
    assert!((stats.peak - 88.0 / 255.0).abs() < 1e-9, "{stats:?}");
    assert!((stats.plain - 26.0 / 64.0).abs() < 1e-9 && stats.bars == 1);
}

#[test]
fn bars_are_counted_once_each() {
    let card = stats(|x, _| [[200; 3], [180, 20, 20], [20, 160, 20]][x as usize / 8 % 3]);
    assert_eq!((card.bars, card.colours), (7, 3));
    // Edges that change sides or do not run through are none, nor are slopes.
    assert_eq!(stats(|x, y| [200 * u8::from((x / 8 + y / 8) % 2 == 0); 3]).bars, 0);
    assert_eq!(stats(|x, y| [if y < 30 { 4 * (x / 8 * 8) as u8 } else { 9 }; 3]).bars, 0);
    assert_eq!(stats(|x, _| [3 * x as u8; 3]).bars, 0);
    // Noise of 64 levels goes up as often as down.
    let noise = |x: u32, y: u32| {
        (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)).wrapping_mul(2_246_822_519)
    };
    assert_eq!(stats(|x, y| [(100 + (noise(x, y) >> 26)) as u8; 3]).bars, 0);
}

#[test]
fn the_middle_is_even_or_not() {
    let even = stats(|x, _| [120, 121, 122 + (x % 2) as u8]).middle;
    assert!(even.is_some_and(|e| e.tint < 0.01 && e.light < 0.01), "{even:?}");
    let two = stats(|x, _| if x < 32 { [90, 110, 180] } else { [150, 152, 155] }).middle;
    assert!(two.is_some_and(|e| e.tint > 0.2 && e.light > 0.1), "{two:?}");
    // What is around the middle has no influence.
    let snow =
        stats(
            |x, y| {
                if x.abs_diff(32).max(y.abs_diff(32)) < 22 { [120, 121, 122] } else { [200, 9, 7] }
            },
        );
    assert_eq!(snow.middle.map(|e| e.light), Some(0.0));
    assert_eq!(stats(|x, y| [(x + y) as u8 + 50; 3]).middle, None);
    assert_eq!(stats(|_, _| [1, 2, 3]).middle, None);
}

#[test]
fn letterbox_bars_are_left_out() {
    let draw = |i: u32| {
        if (16..48).contains(&(i / 64)) { [90; 3] } else { [0; 3] }
    };
    let rgb: Vec<u8> = (0..64 * 64).flat_map(draw).collect();
    let content = PixelRect { left: 0, top: 16, width: 64, height: 32 };
    let stats = PictureStats::of(&rgb, 64, content);
    assert_eq!((stats.dark, stats.spread, stats.colours), (0.0, 0.0, 1));
}

#[test]
fn no_pixels_no_numbers() {
    let nothing = PixelRect { left: 0, top: 0, width: 0, height: 0 };
    assert_eq!(PictureStats::of(&[], 0, nothing), PictureStats::default());
    let beyond = PixelRect { left: 60, top: 0, width: 64, height: 64 };
    let rgb = vec![7; 3 * 64 * 64];
    assert_eq!(PictureStats::of(&rgb, 64, beyond), PictureStats::default());
}

#[test]
fn levels_are_the_luminance() {
    for pixel in [[0; 3], [255; 3], [255, 0, 0], [12, 200, 77], [0, 0, 255]] {
        let exact = luminance(pixel) * 255.0;
        assert!((f64::from(level(pixel)) - exact).abs() <= 1.5, "{pixel:?}");
    }
}

#[test]
fn grain_and_colours_of_the_whole() {
    let plain = stats(|_, _| [100, 150, 200]);
    assert_eq!(plain.grain, 0.0);
    assert!((plain.warmth + 100.0 / 255.0).abs() < 1e-9 && plain.green.abs() < 1e-9, "{plain:?}");
    let lines = stats(|x, _| [if x % 2 == 0 { 40 } else { 91 }; 3]);
    assert!((lines.grain - 0.2).abs() < 1e-9, "{lines:?}");
    // What is dark around a fisheye's circle has no colour.
    let leaves = stats(|_, y| if y < 40 { [0, 9, 0] } else { [51, 204, 0] });
    assert!((leaves.warmth - 0.2).abs() < 1e-9 && (leaves.green - 0.7).abs() < 1e-9, "{leaves:?}");
    let black = stats(|_, _| [0; 3]);
    assert_eq!((black.grain, black.warmth, black.green), (0.0, 0.0, 0.0));
}
