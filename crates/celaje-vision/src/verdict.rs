//! Combines a network's reading and a picture's measures into what is recorded.

use crate::flags::{
    LENS_PROBABILITY, OBSTRUCTED_SHARE, apparent_phase, is_burnt, is_lightless, is_strange,
    picture_flags,
};
use crate::picture::stats::PictureStats;
use crate::reading::Reading;
use celaje_sky::confidence;
use celaje_sky::cover::Cover;
use celaje_sky::okta::OktaRange;
use celaje_sky::quality::{Flag, Quality, is_low};
use celaje_sky::station::zone::SkyParts;
use celaje_sky::sun::DayPhase;

/// What is recorded of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The amount of cloud, or `Obscured` if the sky cannot be seen.
    pub cover: Cover,
    /// Cloud / (cloud + sky), 0 to 1; none from a classification, and if the sky cannot be seen.
    pub cloud_fraction: Option<f64>,
    /// The same for parts of the sky.
    pub parts: SkyParts,
    /// Probability that the amount is right, 0 to 1; none if the sky cannot be seen.
    pub confidence: Option<f64>,
    /// The oktas among which the true one is with a probability of 90 %; none if the sky cannot be
    /// seen.
    pub range: Option<OktaRange>,
    /// Flags that qualify the amount.
    pub quality: Quality,
}

impl Verdict {
    /// The verdict on a picture with these measures. `reading` is none if the network finds no sky,
    /// `phase` if the picture's moment is unknown.
    ///
    /// There is no amount for a placeholder, a picture without light, a burnt-out sky, or if the
    /// network finds neither sky nor cloud; a flag says which of them it was. An even picture may
    /// show a covered lens or an even overcast, so the amount stays and a flag marks the doubt.
    /// Likewise for drops, dew or snow on the lens: the amount stays as long as the network finds
    /// sky or cloud. A segmentation of a picture unlike any sky's keeps it too, with the confidence
    /// and the range of an unknown sky; a classification may be one of any pictures.
    pub fn of(stats: &PictureStats, reading: Option<&Reading>, phase: Option<DayPhase>) -> Self {
        let mut quality = picture_flags(stats, phase);
        let hidden = quality.has(Flag::Placeholder) || is_lightless(stats) || is_burnt(stats);
        match reading {
            Some(reading) if !hidden => {
                let background = reading.middle_background;
                if background.is_some_and(|share| share > OBSTRUCTED_SHARE)
                    || reading.lens.is_some_and(|probability| probability > LENS_PROBABILITY)
                {
                    quality.add(Flag::LensObstructed);
                }
                let has_cells = reading.cloud_fraction.is_some();
                let (confidence, range) = if has_cells && is_strange(stats, phase) {
                    confidence::unknown(reading.okta)
                } else {
                    (reading.confidence, reading.range)
                };
                if is_low(confidence, apparent_phase(stats, phase)) {
                    quality.add(Flag::LowConfidence);
                }
                Self {
                    cover: reading.okta.into(),
                    cloud_fraction: reading.cloud_fraction,
                    parts: reading.parts.clone(),
                    confidence: Some(confidence),
                    range: Some(range),
                    quality,
                }
            }
            _ => {
                if reading.is_none() {
                    quality.add(Flag::NoSky);
                }
                Self {
                    cover: Cover::Obscured,
                    cloud_fraction: None,
                    parts: SkyParts::default(),
                    confidence: None,
                    range: None,
                    quality,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::stats::Evenness;
    use celaje_sky::okta::Okta;

    /// Measures of a picture without flags.
    const FINE: PictureStats = PictureStats {
        spread: 0.2,
        dark: 0.1,
        bright: 0.01,
        peak: 0.7,
        bright_middle: 0.01,
        lit_bands: 12,
        plain: 0.05,
        colours: 40,
        bars: 0,
        grain: 0.02,
        warmth: -0.1,
        green: -0.02,
        middle: Some(Evenness { tint: 0.1, light: 0.2 }),
    };

    /// Those of a picture without any light.
    const DEAD: PictureStats =
        PictureStats { bright: 0.0, peak: 0.02, lit_bands: 0, dark: 1.0, ..FINE };

    fn reading(confidence: f64) -> Reading {
        Reading {
            okta: Okta::ALL[3],
            cloud_fraction: Some(0.4),
            parts: SkyParts::default(),
            confidence,
            range: OktaRange::of(Okta::ALL[3]).widened(1),
            middle_background: Some(0.1),
            lens: None,
            classes: None,
        }
    }

    fn told(stats: &PictureStats, reading: Option<&Reading>, phase: DayPhase) -> (u8, String) {
        let verdict = Verdict::of(stats, reading, Some(phase));
        let obscured = verdict.cover == Cover::Obscured;
        // No guess goes with a sky that is not seen, and a reason always does.
        assert_eq!(verdict.confidence.is_none(), obscured);
        assert_eq!(verdict.cloud_fraction.is_none(), obscured);
        assert_eq!(verdict.range.is_none(), obscured);
        assert!(!obscured || verdict.quality.flags().iter().any(|flag| flag.is_fault()));
        (verdict.cover.code(), verdict.quality.to_string())
    }

    #[test]
    fn a_reading_of_a_good_picture_counts() {
        let sure = reading(0.9);
        for (phase, quality) in
            [(DayPhase::Day, "ok"), (DayPhase::Twilight, "twilight"), (DayPhase::Night, "night")]
        {
            assert_eq!(told(&FINE, Some(&sure), phase), (3, quality.to_owned()));
        }
        let spoilt = Reading { middle_background: Some(0.4), ..reading(0.9) };
        let spoilt = told(&FINE, Some(&spoilt), DayPhase::Day);
        assert_eq!(spoilt, (3, "lens_obstructed".to_owned()));
        for (phase, quality) in [
            (DayPhase::Day, "ok"),
            (DayPhase::Twilight, "twilight,low_confidence"),
            (DayPhase::Night, "night,low_confidence"),
        ] {
            assert_eq!(told(&FINE, Some(&reading(0.4)), phase), (3, quality.to_owned()));
        }
        // Of an unknown moment, a blue picture is one of the day.
        for (warmth, quality) in [(-0.05, "ok"), (0.0, "low_confidence"), (0.026, "low_confidence")]
        {
            let stats = PictureStats { warmth, ..FINE };
            let verdict = Verdict::of(&stats, Some(&reading(0.4)), None);
            assert_eq!(verdict.quality.to_string(), quality, "{warmth}");
        }
    }

    #[test]
    fn a_picture_unlike_any_sky_is_read_and_not_believed() {
        for stats in [
            PictureStats { grain: 0.07, ..FINE },
            PictureStats { green: 0.12, ..FINE },
            PictureStats { green: -0.12, ..FINE },
            PictureStats { warmth: 0.2, ..FINE },
        ] {
            let verdict = Verdict::of(&stats, Some(&reading(0.9)), None);
            assert_eq!(verdict.cover.code(), 3);
            assert_eq!(verdict.confidence, Some(confidence::PRIOR[3]));
            assert!(
                verdict
                    .range
                    .is_some_and(|range| range.high().eighths() - range.low().eighths() >= 7),
                "{verdict:?}"
            );
            assert_eq!(verdict.quality.to_string(), "low_confidence");
        }
        let own = Reading { cloud_fraction: None, ..reading(0.9) };
        let noise = PictureStats { grain: 0.2, ..FINE };
        let verdict = Verdict::of(&noise, Some(&own), None);
        assert_eq!((verdict.confidence, verdict.quality.to_string()), (Some(0.9), "ok".to_owned()));
        // A red dusk is a sky.
        let dusk = PictureStats { warmth: 0.3, ..FINE };
        let told = told(&dusk, Some(&reading(0.9)), DayPhase::Twilight);
        assert_eq!(told, (3, "twilight".to_owned()));
    }

    #[test]
    fn what_lies_on_the_lens_is_told_and_the_amount_stays() {
        let drops = |lens| Reading { lens, ..reading(0.9) };
        let with = |lens| told(&FINE, Some(&drops(lens)), DayPhase::Day);
        for lens in [None, Some(0.0), Some(LENS_PROBABILITY)] {
            assert_eq!(with(lens), (3, "ok".to_owned()), "{lens:?}");
        }
        for lens in [LENS_PROBABILITY + 1e-9, 1.0] {
            assert_eq!(with(Some(lens)), (3, "lens_obstructed".to_owned()));
        }
        // What hides the sky hides it still, and is told alone.
        let hidden = told(&DEAD, Some(&drops(Some(1.0))), DayPhase::Night);
        assert_eq!(hidden, (9, "night,dark".to_owned()));
    }

    #[test]
    fn what_is_not_seen_is_never_guessed() {
        let sure = reading(0.99);
        let card = PictureStats { bars: 7, colours: 8, ..FINE };
        let snow = PictureStats { middle: Some(Evenness { tint: 0.005, light: 0.04 }), ..FINE };
        let burnt = PictureStats { bright: 0.6, bright_middle: 1.0, ..FINE };
        for (stats, phase, quality) in [
            (card, DayPhase::Day, "placeholder"),
            (DEAD, DayPhase::Day, "dark"),
            (burnt, DayPhase::Day, "overexposed"),
            (DEAD, DayPhase::Night, "night,dark"),
        ] {
            assert_eq!(told(&stats, Some(&sure), phase), (9, quality.to_owned()));
        }
        let even = told(&snow, Some(&sure), DayPhase::Day);
        assert_eq!(even, (3, "lens_obstructed".to_owned()));
        let blind = told(&FINE, None, DayPhase::Twilight);
        assert_eq!(blind, (9, "twilight,no_sky".to_owned()));
    }

    #[test]
    fn a_dark_night_with_stars_is_a_reading() {
        let night = PictureStats { peak: 0.03, bright: 0.0, lit_bands: 9, dark: 0.97, ..FINE };
        let told = told(&night, Some(&reading(0.6)), DayPhase::Night);
        assert_eq!(told, (3, "night,dark".to_owned()));
    }
}
