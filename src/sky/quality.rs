//! Quality flags of a picture and its reading.

use std::fmt;

use crate::image::stats::PictureStats;

/// [`Flag::Dark`]: 95 of 100 pixels stay below this luminance (0 to 1). By day the sky of a camera
/// with automatic exposure reaches twice as much; pictures dimmed to this are read wrongly.
pub const DARK_PEAK: f64 = 0.2;
/// [`Flag::Overexposed`]: of the pixels that are not dark, more than this share is at the upper
/// end.
pub const OVEREXPOSED_SHARE: f64 = 0.5;
/// [`Flag::Placeholder`]: the luminance spreads less than this (standard deviation, 0 to 1). Even
/// a uniform overcast spreads four times as much, by its gradient alone.
pub const PLACEHOLDER_SPREAD: f64 = 0.012;
/// [`Flag::LowConfidence`]: the okta's probability is below this.
pub const LOW_CONFIDENCE: f64 = 0.5;

/// Something to be known about a picture before its okta is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flag {
    /// Hardly any light: the sky can barely be seen.
    Dark,
    /// Most of the picture is at the sensor's upper end.
    Overexposed,
    /// One colour all over: a test card or a dead sensor.
    Placeholder,
    /// The okta is more likely wrong than right.
    LowConfidence,
}

impl Flag {
    /// Every flag.
    pub const ALL: [Self; 4] = [
        Self::Dark,
        Self::Overexposed,
        Self::Placeholder,
        Self::LowConfidence,
    ];

    /// The name under which it is stored and reported.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Overexposed => "overexposed",
            Self::Placeholder => "placeholder",
            Self::LowConfidence => "low_confidence",
        }
    }
}

/// The flags of one picture; none means that nothing speaks against it.
///
/// Written as the flags' names with commas between them, `ok` when there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quality(Vec<Flag>);

impl Quality {
    /// The flags of a picture with these measures, read with this confidence (0 to 1).
    pub fn of(stats: &PictureStats, confidence: f64) -> Self {
        let mut quality = Self::default();
        let lit = 1.0 - stats.dark;
        for (flag, raised) in [
            (Flag::Dark, stats.peak < DARK_PEAK),
            (Flag::Overexposed, stats.bright > OVEREXPOSED_SHARE * lit),
            (Flag::Placeholder, stats.spread < PLACEHOLDER_SPREAD),
            (Flag::LowConfidence, confidence < LOW_CONFIDENCE),
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
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("ok");
        }
        for (i, flag) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            f.write_str(flag.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Flags of a drawn picture of 64×64 pixels.
    fn flags(draw: impl Fn(u32, u32) -> [u8; 3], confidence: f64) -> String {
        let pixels = (0..64 * 64).map(|i| draw(i % 64, i / 64));
        Quality::of(&PictureStats::of(pixels), confidence).to_string()
    }

    fn blue(x: u32, y: u32) -> [u8; 3] {
        [70 + (y / 2) as u8, 110 + (y / 2) as u8, 190 + (x % 3) as u8]
    }

    #[test]
    fn a_plain_sky_is_ok() {
        assert_eq!(flags(blue, 0.9), "ok");
        // In the circle of a fisheye lens too.
        let fisheye = |x: u32, y: u32| {
            let inside = x.abs_diff(32).pow(2) + y.abs_diff(32).pow(2) < 24 * 24;
            if inside { blue(x, y) } else { [3; 3] }
        };
        assert_eq!(flags(fisheye, 0.5), "ok");
    }

    #[test]
    fn each_fault_has_its_flag() {
        assert_eq!(flags(|x, _| [(x % 40) as u8; 3], 0.9), "dark");
        let burnt = |x, y| if x < 40 { [255; 3] } else { blue(x, y) };
        assert_eq!(flags(burnt, 0.9), "overexposed");
        assert_eq!(flags(|_, _| [0, 0, 255], 0.9), "dark,placeholder");
        assert_eq!(flags(|_, _| [128; 3], 0.9), "placeholder");
        assert_eq!(flags(blue, 0.49), "low_confidence");
        assert_eq!(flags(|_, _| [0; 3], 0.1), "dark,placeholder,low_confidence");
    }

    #[test]
    fn half_of_what_is_lit_decides_on_overexposure() {
        let ring = |x: u32, y: u32| match x {
            0..32 => [0; 3],
            32..50 => [255; 3],
            _ => blue(x, y),
        };
        assert_eq!(flags(ring, 0.9), "overexposed");
        let sun = |x: u32, y: u32| if x < 30 { [255; 3] } else { blue(x, y) };
        assert_eq!(flags(sun, 0.9), "ok");
    }
}
