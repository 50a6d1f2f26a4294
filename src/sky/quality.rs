//! Quality flags of a picture and its reading.
//!
//! [`Flag::Night`] and [`Flag::Twilight`] are statements, every other flag is a fault. The
//! thresholds are measured: on every labelled picture that there is (by day, by night, fisheye and
//! ordinary lens, on three cameras and photographs) and on drawn skies from noon to midnight, so
//! that none of them raises a flag that it does not deserve, with the margins said below
//! (`tests/quality.rs`).

use std::fmt;

use crate::image::stats::PictureStats;
use crate::sky::sun::DayPhase;

/// [`Flag::Dark`] by day, or where the moment is not known: 95 of 100 pixels stay below this
/// luminance (0 to 1). By day the sky of a camera with automatic exposure reaches twice as much
/// (the darkest real picture 0.43); pictures dimmed to this are read wrongly.
pub const DARK_PEAK: f64 = 0.2;
/// [`Flag::Dark`] by twilight and night, when a good picture may be dim: half of what the darkest
/// drawn night reaches (0.16), a third of the darkest real one (0.25).
pub const DARK_PEAK_AT_NIGHT: f64 = 0.08;
/// A picture shows no light at all when it is this dark (95 of 100 pixels below 12 of 255) …
pub const LIGHTLESS_PEAK: f64 = 12.0 / 255.0;
/// … and lights, be they faint, are in fewer of its twelve bands of rows than this. Stars are all
/// over the sky and the glow of a town is broad; the date that a camera writes into its pictures
/// is in one band or two.
pub const LIGHTLESS_BANDS: usize = 3;
/// [`Flag::Overexposed`]: of the pixels that are not dark, more than this share is at the upper
/// end. The real picture with the greatest sun in it has 0.09.
pub const OVEREXPOSED_SHARE: f64 = 0.5;
/// … and of a picture with more than this share of it there nothing can be said of the sky.
pub const BURNT_SHARE: f64 = 0.9;
/// [`Flag::Placeholder`], one colour: the luminance spreads less than this (standard deviation, 0
/// to 1). A dull and even dusk, with its gradient and its noise, spreads twice as much (0.0098),
/// the plainest real picture eleven times.
pub const PLACEHOLDER_SPREAD: f64 = 0.005;
/// [`Flag::Placeholder`], something written on a plain ground: more than this share of what is lit
/// has one luminance, give or take a level. Drawn overcast reaches 0.50, real pictures 0.20.
pub const PLACEHOLDER_PLAIN: f64 = 0.7;
/// [`Flag::Placeholder`], bars of colour: at least so many hard vertical edges through most of the
/// height. No real picture has any; a mast has two.
pub const PLACEHOLDER_BARS: usize = 4;
/// … with nine tenths of what is lit in no more colours than this (of nine levels a channel). A card
/// of eight bars has eight, and a few more where a bar lies between two levels or fades to grey.
pub const PLACEHOLDER_COLOURS: usize = 16;
/// [`Flag::LowConfidence`]: the amount's probability is below this.
pub const LOW_CONFIDENCE: f64 = 0.5;

/// Something to be known about a picture before its amount is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flag {
    /// The sun is more than 18° below the horizon: a statement, no fault.
    Night,
    /// The sun is below the horizon, by up to 18°: a statement, no fault.
    Twilight,
    /// Hardly any light: the sky can barely be seen.
    Dark,
    /// Most of the picture is at the sensor's upper end.
    Overexposed,
    /// No picture of the sky: one colour all over, bars, something written on a plain ground.
    Placeholder,
    /// Something lies on the lens or the dome: drops, dew, snow.
    LensObstructed,
    /// The network finds neither sky nor cloud.
    NoSky,
    /// The same bytes as the picture before.
    Frozen,
    /// The amount is more likely wrong than right.
    LowConfidence,
}

impl Flag {
    /// Every flag, in the order in which they are written.
    pub const ALL: [Self; 9] = [
        Self::Night,
        Self::Twilight,
        Self::Dark,
        Self::Overexposed,
        Self::Placeholder,
        Self::LensObstructed,
        Self::NoSky,
        Self::Frozen,
        Self::LowConfidence,
    ];

    /// The name under which it is stored and reported.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Night => "night",
            Self::Twilight => "twilight",
            Self::Dark => "dark",
            Self::Overexposed => "overexposed",
            Self::Placeholder => "placeholder",
            Self::LensObstructed => "lens_obstructed",
            Self::NoSky => "no_sky",
            Self::Frozen => "frozen",
            Self::LowConfidence => "low_confidence",
        }
    }

    /// Whether it speaks against the reading; a statement does not.
    pub const fn is_fault(self) -> bool {
        !matches!(self, Self::Night | Self::Twilight)
    }

    /// What the sun says.
    const fn of_phase(phase: DayPhase) -> Option<Self> {
        match phase {
            DayPhase::Day => None,
            DayPhase::Twilight => Some(Self::Twilight),
            DayPhase::Night => Some(Self::Night),
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flag| flag.as_str() == name)
    }
}

/// The flags of one picture; none means: by day, and nothing speaks against it.
///
/// Written as the flags' names with commas between them, `ok` when there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quality(Vec<Flag>);

impl Quality {
    /// The flags that a picture with these measures has by itself; `phase` is none where its
    /// moment is not known.
    pub fn of(stats: &PictureStats, phase: Option<DayPhase>) -> Self {
        let mut quality = Self::default();
        if let Some(flag) = phase.and_then(Flag::of_phase) {
            quality.add(flag);
        }
        let dark_peak = match phase {
            Some(DayPhase::Night | DayPhase::Twilight) => DARK_PEAK_AT_NIGHT,
            Some(DayPhase::Day) | None => DARK_PEAK,
        };
        let lit = 1.0 - stats.dark;
        for (flag, raised) in [
            (Flag::Dark, stats.peak < dark_peak),
            (Flag::Overexposed, stats.bright > OVEREXPOSED_SHARE * lit),
            (Flag::Placeholder, is_card(stats)),
        ] {
            if raised {
                quality.add(flag);
            }
        }
        quality
    }

    /// Adds `flag`, once.
    pub fn add(&mut self, flag: Flag) {
        if let Err(place) = self.0.binary_search(&flag) {
            self.0.insert(place, flag);
        }
    }

    /// The flags, in a fixed order.
    pub fn flags(&self) -> &[Flag] {
        &self.0
    }

    /// Whether `flag` is one of them.
    pub fn has(&self, flag: Flag) -> bool {
        self.0.contains(&flag)
    }
}

/// Whether a picture shows no light at all: a dead sensor, a closed shutter. No real night does,
/// however dark the site, once stars or the glow of a town can be seen.
pub fn is_lightless(stats: &PictureStats) -> bool {
    stats.peak < LIGHTLESS_PEAK && stats.lit_bands < LIGHTLESS_BANDS
}

/// Whether next to all of what is lit is at the sensor's upper end.
pub fn is_burnt(stats: &PictureStats) -> bool {
    stats.bright > BURNT_SHARE * (1.0 - stats.dark)
}

/// Whether it is no picture of anything, but drawn.
fn is_card(stats: &PictureStats) -> bool {
    stats.spread < PLACEHOLDER_SPREAD
        || stats.plain > PLACEHOLDER_PLAIN
        || (stats.bars >= PLACEHOLDER_BARS && stats.colours <= PLACEHOLDER_COLOURS)
}

/// The stored text `quality` with the flag `frozen` or without it. Names that this program does
/// not know stay, behind those that it does.
pub fn with_frozen(quality: &str, frozen: bool) -> String {
    let names = || {
        quality
            .split(',')
            .filter(|name| !matches!(*name, "" | "ok"))
    };
    let mut flags = Quality::default();
    names()
        .filter_map(Flag::parse)
        .for_each(|flag| flags.add(flag));
    flags.0.retain(|flag| *flag != Flag::Frozen);
    if frozen {
        flags.add(Flag::Frozen);
    }
    let known = flags.0.iter().map(|flag| flag.as_str());
    joined(known.chain(names().filter(|name| Flag::parse(name).is_none())))
}

fn joined<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let text = names.collect::<Vec<_>>().join(",");
    if text.is_empty() {
        "ok".to_owned()
    } else {
        text
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&joined(self.0.iter().map(|flag| flag.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::geometry::PixelRect;

    const SIDE: u32 = 64;

    /// Measures of a drawn picture of 64×64 pixels.
    fn stats(draw: impl Fn(u32, u32) -> [u8; 3]) -> PictureStats {
        let rgb: Vec<u8> = (0..SIDE * SIDE)
            .flat_map(|i| draw(i % SIDE, i / SIDE))
            .collect();
        let content = PixelRect {
            left: 0,
            top: 0,
            width: SIDE,
            height: SIDE,
        };
        PictureStats::of(&rgb, SIDE, content)
    }

    fn flags(draw: impl Fn(u32, u32) -> [u8; 3]) -> String {
        Quality::of(&stats(draw), Some(DayPhase::Day)).to_string()
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
            if x % 16 < 3 {
                [40; 3]
            } else {
                [(4 * y) as u8, (2 * x) as u8, 250 - (3 * y) as u8]
            }
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
    fn half_of_what_is_lit_decides_on_overexposure() {
        let ring = |x: u32, y: u32| match x {
            0..32 => [0; 3],
            32..50 => [255; 3],
            _ => blue(x, y),
        };
        assert_eq!(flags(ring), "overexposed");
        let sun = |x: u32, y: u32| if x < 30 { [255; 3] } else { blue(x, y) };
        assert_eq!(flags(sun), "ok");
    }

    #[test]
    fn the_sun_says_what_counts_as_dark() {
        let dusk = stats(|x, y| [(20 + y / 4 + x % 3) as u8; 3]);
        let of = |phase| Quality::of(&dusk, phase).to_string();
        assert_eq!(of(Some(DayPhase::Day)), "dark");
        assert_eq!(of(None), "dark");
        assert_eq!(of(Some(DayPhase::Twilight)), "twilight");
        assert_eq!(of(Some(DayPhase::Night)), "night");
        let deep = stats(|x, y| [(y / 8 + x % 3) as u8; 3]);
        let night = Quality::of(&deep, Some(DayPhase::Night));
        assert_eq!(night.to_string(), "night,dark");
        assert!(!Flag::Night.is_fault() && Flag::Dark.is_fault());
    }

    #[test]
    fn stars_are_light_and_a_date_is_none() {
        let noise = |x: u32, y: u32| ((x * 31 + y * 17) % 7) as u8;
        let closed = |x, y| [noise(x, y); 3];
        assert!(is_lightless(&stats(closed)));
        let stars = |x: u32, y: u32| {
            [if (x * 13 + y * 29).is_multiple_of(331) {
                60
            } else {
                noise(x, y)
            }; 3]
        };
        assert!(!is_lightless(&stats(stars)));
        let date = |x: u32, y: u32| {
            let ink = (58..63).contains(&y) && x < 40 && x.is_multiple_of(3);
            [if ink { 250 } else { noise(x, y) }; 3]
        };
        assert!(is_lightless(&stats(date)));
        let glow = |x: u32, y: u32| [(y / 3) as u8 + noise(x, y) / 3; 3];
        assert!(!is_lightless(&stats(glow)));
    }

    #[test]
    fn frozen_is_put_in_and_taken_out() {
        for (without, with) in [
            ("ok", "frozen"),
            ("night", "night,frozen"),
            ("dark,low_confidence", "dark,frozen,low_confidence"),
            ("twilight,later_flag", "twilight,frozen,later_flag"),
        ] {
            for text in [without, with] {
                assert_eq!(with_frozen(text, true), with);
                assert_eq!(with_frozen(text, false), without);
            }
        }
    }
}
