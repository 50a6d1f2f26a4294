use super::*;
use crate::picture::geometry::PixelRect;

const SIDE: u32 = 64;

/// Measures of a drawn picture of 64×64 pixels.
fn stats(draw: impl Fn(u32, u32) -> [u8; 3]) -> PictureStats {
    let rgb: Vec<u8> = (0..SIDE * SIDE).flat_map(|i| draw(i % SIDE, i / SIDE)).collect();
    let content = PixelRect { left: 0, top: 0, width: SIDE, height: SIDE };
    PictureStats::of(&rgb, SIDE, content)
}

fn flags(draw: impl Fn(u32, u32) -> [u8; 3]) -> String {
    picture_flags(&stats(draw), Some(DayPhase::Day)).to_string()
}

fn blue(x: u32, y: u32) -> [u8; 3] {
    [70 + (y / 2) as u8, 110 + (y / 2) as u8, 190 + (x % 3) as u8]
}

#[test]
fn a_plain_sky_is_ok() {
    assert_eq!(flags(blue), "ok");
    // In the circle of a fisheye lens too.
    let fisheye = |x: u32, y: u32| {
        let inside = x.abs_diff(32).pow(2) + y.abs_diff(32).pow(2) < 24 * 24;
        if inside { blue(x, y) } else { [3; 3] }
    };
    assert_eq!(flags(fisheye), "ok");
    // And behind the posts of a balcony, which are many edges before many colours.
    let posts = |x: u32, y: u32| {
        if x % 16 < 3 { [40; 3] } else { [(4 * y) as u8, (2 * x) as u8, 250 - (3 * y) as u8] }
    };
    assert!(stats(posts).bars >= PLACEHOLDER_BARS);
    assert_eq!(flags(posts), "ok");
}

#[test]
fn each_fault_has_its_flag() {
    assert_eq!(flags(|x, _| [(x % 40) as u8; 3]), "dark");
    let burnt = |x, y| if x < 40 { [255; 3] } else { blue(x, y) };
    assert_eq!(flags(burnt), "overexposed");
    assert_eq!(flags(|_, _| [0, 0, 255]), "dark,placeholder");
    assert_eq!(flags(|_, _| [128; 3]), "placeholder");
}

#[test]
fn cards_are_placeholders() {
    const COLOURS: [[u8; 3]; 8] = [
        [191; 3],
        [191, 191, 0],
        [0, 191, 191],
        [0, 191, 0],
        [191, 0, 191],
        [191, 0, 0],
        [0, 0, 191],
        [16; 3],
    ];
    let bars = |x: u32, _| COLOURS[(x / 8) as usize];
    assert_eq!(flags(bars), "placeholder");
    // With a grey ramp below, and with the noise of a bad JPEG.
    let card = |x: u32, y: u32| match y {
        0..44 => COLOURS[(x / 8) as usize].map(|c| c.saturating_add((x * 7 + y * 5) as u8 % 6)),
        _ => [(4 * x) as u8; 3],
    };
    assert_eq!(flags(card), "placeholder");
    // A message on a plain ground.
    let offline = |x: u32, y: u32| match (x / 2 % 3, y) {
        (0, 28..36) => [240; 3],
        _ => [52, 60, (70 + x % 2) as u8],
    };
    assert_eq!(flags(offline), "placeholder");
}

#[test]
fn a_quarter_of_what_is_lit_decides_on_overexposure() {
    let ring = |x: u32, y: u32| match x {
        0..32 => [0; 3],
        32..41 => [255; 3],
        _ => blue(x, y),
    };
    assert_eq!(flags(ring), "overexposed");
    let sun = |x: u32, y: u32| if x < 15 { [255; 3] } else { blue(x, y) };
    assert_eq!(flags(sun), "ok");
    // In a ring the middle is seen; where it is burnt too, nothing is.
    assert!(!is_burnt(&stats(ring)));
    assert!(is_burnt(&stats(|x, y| if y < 50 { [254; 3] } else { blue(x, y) })));
}

#[test]
fn the_sun_says_what_counts_as_dark() {
    let dusk = stats(|x, y| [(20 + y / 4 + x % 3) as u8; 3]);
    let of = |phase| picture_flags(&dusk, phase).to_string();
    assert_eq!(of(Some(DayPhase::Day)), "dark");
    assert_eq!(of(None), "dark");
    assert_eq!(of(Some(DayPhase::Twilight)), "twilight");
    assert_eq!(of(Some(DayPhase::Night)), "night");
    let deep = stats(|x, y| [(y / 8 + x % 3) as u8; 3]);
    let night = picture_flags(&deep, Some(DayPhase::Night));
    assert_eq!(night.to_string(), "night,dark");
    assert!(!Flag::Night.is_fault() && Flag::Dark.is_fault());
}

#[test]
fn stars_are_light_and_a_date_is_none() {
    let noise = |x: u32, y: u32| ((x * 31 + y * 17) % 7) as u8;
    let closed = |x, y| [noise(x, y); 3];
    assert!(is_lightless(&stats(closed)));
    let stars =
        |x: u32, y: u32| [if (x * 13 + y * 29).is_multiple_of(331) { 60 } else { noise(x, y) }; 3];
    assert!(!is_lightless(&stats(stars)));
    let date = |x: u32, y: u32| {
        let ink = (58..63).contains(&y) && x < 40 && x.is_multiple_of(3);
        [if ink { 250 } else { noise(x, y) }; 3]
    };
    assert!(is_lightless(&stats(date)));
    let glow = |x: u32, y: u32| [(y / 3) as u8 + noise(x, y) / 3; 3];
    assert!(!is_lightless(&stats(glow)));
}
