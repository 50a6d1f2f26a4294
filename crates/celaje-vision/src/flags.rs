//! Quality flags that follow from a picture's measures, and their thresholds.
//!
//! The thresholds come from all labelled pictures (by day and night, fisheye and ordinary lenses,
//! three cameras and photographs) and from drawn skies from noon to midnight. None of these
//! pictures gets a wrong flag, with the margins that are given below (`tests/quality`).

use celaje_sky::quality::{Flag, Quality};
use celaje_sky::sun::DayPhase;

use crate::picture::stats::{Evenness, LIGHT, PictureStats};

/// [`Flag::Dark`] by day, or if the moment is unknown: 95 of 100 pixels are below this luminance (0
/// to 1). By day a camera with automatic exposure reaches twice as much (0.43 in the darkest real
/// picture). The network misreads pictures that are dimmed to this value.
const DARK_PEAK: f64 = 0.2;
/// [`Flag::Dark`] by twilight and night, when a good picture may be dim: a third of the luminance
/// of the darkest real night (0.25). A drawn night under cloud, far from any light, is darker
/// (0.043).
const DARK_PEAK_AT_NIGHT: f64 = 0.08;
/// A picture without any light: 95 of 100 pixels are below this luminance. A closed shutter gives 8
/// of 255, the darkest drawn night (overcast, far from any light) 11.
const LIGHTLESS_PEAK: f64 = 10.0 / 255.0;
/// A picture without any light: faint lights are in fewer of its twelve bands of rows than this.
/// Stars are all over the sky and the glow of a town is broad, but the date that a camera writes
/// into its pictures is in one or two bands.
const LIGHTLESS_BANDS: usize = 3;
/// [`Flag::Overexposed`]: more than this share of the pixels that are not dark is at the upper end
/// of the scale. The greatest share of a real picture is 0.083 (a night with the moon). A burnt-out
/// one has 0.3 or more, even in a fisheye's circle with stray light around it.
const OVEREXPOSED_SHARE: f64 = 0.25;
/// A burnt-out sky: more than this share of the middle of an overexposed picture is at the upper
/// end.
const BURNT_SHARE: f64 = 0.85;
/// [`Flag::Placeholder`], one colour that is not black: the standard deviation of the luminance (0
/// to 1) is below this. A dull, even dusk has twice as much (0.0098), the plainest real picture
/// eleven times as much.
const PLACEHOLDER_SPREAD: f64 = 0.005;
/// [`Flag::Placeholder`], writing on a plain ground: more than this share of the pixels has one
/// luminance within one level. Drawn skies reach 0.50, real pictures 0.16.
const PLACEHOLDER_PLAIN: f64 = 0.7;
/// [`Flag::Placeholder`], colour bars: at least this many hard vertical edges run through most of
/// the height. No real picture has more than one; a mast has two.
const PLACEHOLDER_BARS: usize = 4;
/// [`Flag::Placeholder`], colour bars: at most this many colours (of nine levels a channel) hold
/// nine tenths of the lit pixels. A card of eight bars has eight, and a few more if a bar lies
/// between two levels or fades to grey.
const PLACEHOLDER_COLOURS: usize = 16;
/// [`Flag::LensObstructed`], a fully covered lens: in the middle of the picture the standard
/// deviation of the tint, (blue − red) / luminance, is below this. Light through snow has one tint;
/// the most even real cloud has 0.014, the most even drawn one 0.013.
const COVERED_TINT: f64 = 0.009;
/// [`Flag::LensObstructed`], a fully covered lens: the standard deviation of the luminance there is
/// below this share of its mean (drawn snow at most 0.053, the most even real sky 0.071, that of a
/// fisheye 0.165). Fog or overcast may be as even, so the flag is only a doubt. A monochrome camera
/// has no tint and never gets it.
const COVERED_LIGHT: f64 = 0.07;
/// [`Flag::LensObstructed`]: in the middle of the picture, more than this share of the cells that
/// are not dark is neither sky nor cloud. A sky camera has sky in the middle; anything else that is
/// lit there and larger than a mast or a bird lies on the lens.
pub(crate) const OBSTRUCTED_SHARE: f64 = 0.3;
/// [`Flag::LensObstructed`]: a network with the class `obstructed` (drops, dew or snow on the lens)
/// gives it more than this probability. Among pictures that the bundled network was not trained on,
/// none of 126 real ones and 5 % of 304 drawn ones with a clean lens are above it; so are 96 % of
/// those with drawn dew, 88 % with snow, and 68 % with drops.
pub(crate) const LENS_PROBABILITY: f64 = 0.7;

/// A picture unlike any sky's: the mean difference of neighbouring pixels' luminance is above this.
/// Noise, text and screens have 0.07 and more; the greatest of a real picture is 0.053 (houses and
/// trees round a fisheye's circle), of a drawn one 0.042.
const STRANGE_GRAIN: f64 = 0.06;
/// A picture unlike any sky's by day: red exceeds blue by more than this on average, as in
/// negatives, in pictures with exchanged channels and before a hand. The warmest real day has 0.07,
/// the warmest night above a town 0.153. At dusk a sky may be redder: twilight is not asked.
const STRANGE_WARMTH: f64 = 0.17;
/// A picture unlike any sky's: green differs by more than this from the mean of red and blue. Two
/// of 1,850 patches of sky differ by more, no other of 1,108 real pictures does (0.1).
const STRANGE_GREEN: f64 = 0.105;

/// A picture of an unknown moment is one of the day: blue exceeds red by more than this on average.
/// So it does in 97 % of 362 real pictures by day of which the bundled network is unsure, most of
/// them partly clouded, and in none of 95 real nights: those are grey or, above a town, red (0.026
/// and more).
const BLUE: f64 = 0.02;

/// The phase of day, as far as it is known or shows.
pub(crate) fn apparent_phase(stats: &PictureStats, phase: Option<DayPhase>) -> Option<DayPhase> {
    phase.or_else(|| (stats.warmth < -BLUE).then_some(DayPhase::Day))
}

/// Whether a picture has colours or a grain that no sky has; a network that has learnt from skies
/// alone still reads an amount in it.
pub(crate) fn is_strange(stats: &PictureStats, phase: Option<DayPhase>) -> bool {
    let by_day = matches!(phase, None | Some(DayPhase::Day));
    stats.grain > STRANGE_GRAIN
        || stats.green.abs() > STRANGE_GREEN
        || (by_day && stats.warmth > STRANGE_WARMTH)
}

/// The flags of a picture with these measures; `phase` is none if its moment is unknown.
pub(crate) fn picture_flags(stats: &PictureStats, phase: Option<DayPhase>) -> Quality {
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
        (Flag::Placeholder, is_placeholder(stats)),
        (Flag::LensObstructed, is_covered(stats)),
    ] {
        if raised {
            quality.add(flag);
        }
    }
    quality
}

/// Whether a picture shows no light at all: a dead sensor or a closed shutter. Stars or the glow of
/// a town are light enough.
pub(crate) fn is_lightless(stats: &PictureStats) -> bool {
    stats.peak < LIGHTLESS_PEAK && stats.lit_bands < LIGHTLESS_BANDS
}

/// Whether the sky is burnt out: the middle is at the upper end of the scale, and much around it.
pub(crate) fn is_burnt(stats: &PictureStats) -> bool {
    is_overexposed(stats) && stats.bright_middle > BURNT_SHARE
}

fn is_overexposed(stats: &PictureStats) -> bool {
    stats.bright > OVEREXPOSED_SHARE * (1.0 - stats.dark)
}

/// Whether something may cover the whole lens.
fn is_covered(stats: &PictureStats) -> bool {
    let even = |middle: Evenness| middle.tint < COVERED_TINT && middle.light < COVERED_LIGHT;
    !is_placeholder(stats) && !is_overexposed(stats) && stats.middle.is_some_and(even)
}

/// Whether it is a placeholder: a test card, writing, or one colour.
fn is_placeholder(stats: &PictureStats) -> bool {
    let lit = stats.peak >= f64::from(LIGHT) / 255.0;
    (lit && stats.spread < PLACEHOLDER_SPREAD)
        || stats.plain > PLACEHOLDER_PLAIN
        || (stats.bars >= PLACEHOLDER_BARS && stats.colours <= PLACEHOLDER_COLOURS)
}

#[cfg(test)]
#[path = "flags_tests.rs"]
mod tests;
