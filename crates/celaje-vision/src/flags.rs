//! Flags that a picture raises by its own measures, and their thresholds.
//!
//! The thresholds are measured: on every labelled picture that there is (by day, by night, fisheye
//! and ordinary lens, on three cameras and photographs) and on drawn skies from noon to midnight,
//! so that none of them raises a flag that it does not deserve, with the margins said below
//! (`tests/quality.rs`).

use celaje_sky::quality::{Flag, Quality};
use celaje_sky::sun::DayPhase;

use crate::picture::stats::{Evenness, LIGHT, PictureStats};

/// [`Flag::Dark`] by day, or where the moment is not known: 95 of 100 pixels stay below this
/// luminance (0 to 1). By day the sky of a camera with automatic exposure reaches twice as much
/// (the darkest real picture 0.43); pictures dimmed to this are read wrongly.
pub const DARK_PEAK: f64 = 0.2;
/// [`Flag::Dark`] by twilight and night, when a good picture may be dim: a third of what the
/// darkest real night reaches (0.25). Under cloud far from any light a drawn one falls below
/// (0.043).
pub const DARK_PEAK_AT_NIGHT: f64 = 0.08;
/// A picture shows no light at all when it is this dark (95 of 100 pixels below 10 of 255; a closed
/// shutter reaches 8, the darkest drawn night, overcast and far from any light, 11) …
pub const LIGHTLESS_PEAK: f64 = 10.0 / 255.0;
/// … and lights, be they faint, are in fewer of its twelve bands of rows than this. Stars are all
/// over the sky and the glow of a town is broad; the date that a camera writes into its pictures
/// is in one band or two.
pub const LIGHTLESS_BANDS: usize = 3;
/// [`Flag::Overexposed`]: of the pixels that are not dark, more than this share is at the upper
/// end. Of real pictures a night with the moon has most, 0.083; one that is burnt out has 0.3 or
/// more, even in a fisheye's circle with stray light around it.
pub const OVEREXPOSED_SHARE: f64 = 0.25;
/// … and where more than this share of the middle of the picture is there too, nothing can be said
/// of the sky.
pub const BURNT_SHARE: f64 = 0.85;
/// [`Flag::Placeholder`], one colour that is not black: the luminance spreads less than this
/// (standard deviation, 0 to 1). A dull and even dusk, with its gradient and its noise, spreads
/// twice as much (0.0098), the plainest real picture eleven times.
pub const PLACEHOLDER_SPREAD: f64 = 0.005;
/// [`Flag::Placeholder`], something written on a plain ground: more than this share of the pixels
/// has one luminance, give or take a level. DrawnPicture skies reach 0.50, real pictures 0.16.
pub const PLACEHOLDER_PLAIN: f64 = 0.7;
/// [`Flag::Placeholder`], bars of colour: at least so many hard vertical edges through most of the
/// height. No real picture has more than one; a mast has two.
pub const PLACEHOLDER_BARS: usize = 4;
/// … with nine tenths of what is lit in no more colours than this (of nine levels a channel). A
/// card of eight bars has eight, and a few more where a bar lies between two levels or fades to
/// grey.
pub const PLACEHOLDER_COLOURS: usize = 16;
/// [`Flag::LensObstructed`], covered all over: in the middle of the picture the tint, (blue − red)
/// / luminance, spreads less than this (standard deviation). Light through snow has one tint; of
/// cloud the most even real picture has 0.014, the most even drawn one 0.013 …
pub const COVERED_TINT: f64 = 0.009;
/// … and the luminance spreads less than this share of its mean there (drawn snow at most 0.053,
/// the most even real sky 0.071, those of a fisheye 0.165). A fog or an overcast may be as even as
/// that: the flag is a doubt. A monochrome camera has no tint to tell by.
pub const COVERED_LIGHT: f64 = 0.07;
/// [`Flag::LensObstructed`]: of the cells in the middle of the picture that are not dark, the
/// network takes more than this share for neither sky nor cloud. A camera that looks at the sky has
/// it in the middle; what else is lit there, by more than a mast or a bird, lies on the lens.
pub const OBSTRUCTED_SHARE: f64 = 0.3;
/// [`Flag::LensObstructed`]: a network that has learnt what drops, dew and snow on the lens look
/// like (the class `obstructed`) gives them more than this probability. On pictures that the
/// bundled network has not learnt from none of 126 real ones with a clean lens is above it, and of
/// 304 drawn ones five in a hundred; of drawn dew 96 in a hundred are, of snow 88, of drops 68.
pub const LENS_PROBABILITY: f64 = 0.7;
/// The flags that a picture with these measures has by itself; `phase` is none where its
/// moment is not known.
pub fn picture_flags(stats: &PictureStats, phase: Option<DayPhase>) -> Quality {
    let mut quality = Quality::default();
    if let Some(flag) = phase.and_then(Flag::of_phase) {
        quality.add(flag);
    }
    let dark_peak = match phase {
        Some(DayPhase::Night | DayPhase::Twilight) => DARK_PEAK_AT_NIGHT,
        Some(DayPhase::Day) | None => DARK_PEAK,
    };
    for (flag, raised) in [
        (Flag::Dark, stats.peak < dark_peak),
        (Flag::Overexposed, is_overexposed(stats)),
        (Flag::Placeholder, is_card(stats)),
        (Flag::LensObstructed, is_covered(stats)),
    ] {
        if raised {
            quality.add(flag);
        }
    }
    quality
}

/// Whether a picture shows no light at all: a dead sensor, a closed shutter. No real night does,
/// however dark the site, once stars or the glow of a town can be seen.
pub fn is_lightless(stats: &PictureStats) -> bool {
    stats.peak < LIGHTLESS_PEAK && stats.lit_bands < LIGHTLESS_BANDS
}

/// Whether the sky is burnt out: all of the middle is at the sensor's upper end, and much around
/// it.
pub fn is_burnt(stats: &PictureStats) -> bool {
    is_overexposed(stats) && stats.bright_middle > BURNT_SHARE
}

fn is_overexposed(stats: &PictureStats) -> bool {
    stats.bright > OVEREXPOSED_SHARE * (1.0 - stats.dark)
}

/// Whether something may cover the lens all over.
fn is_covered(stats: &PictureStats) -> bool {
    let even = |middle: Evenness| middle.tint < COVERED_TINT && middle.light < COVERED_LIGHT;
    !is_card(stats) && !is_overexposed(stats) && stats.middle.is_some_and(even)
}

/// Whether it is no picture of anything, but drawn.
fn is_card(stats: &PictureStats) -> bool {
    let lit = stats.peak >= f64::from(LIGHT) / 255.0;
    (lit && stats.spread < PLACEHOLDER_SPREAD)
        || stats.plain > PLACEHOLDER_PLAIN
        || (stats.bars >= PLACEHOLDER_BARS && stats.colours <= PLACEHOLDER_COLOURS)
}

#[cfg(test)]
#[path = "flags_tests.rs"]
mod tests;
