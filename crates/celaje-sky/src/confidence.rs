//! How probable it is that the okta read from a picture is right.
//!
//! **The spread.** Around a network's cloud fraction f, the true fraction is modelled by a logistic
//! distribution (like the normal one, with heavier tails and a closed form) of the scale
//!
//! > s = `scale_base` + `scale_slope` · e + `scale_middle` · √(f (1 − f))
//!
//! where e is the share of cells that the network itself expects to misjudge: the mean, over the
//! judged cells, of the lesser of its two probabilities, sky or cloud. It is nearly 0 for a clear
//! sky, large for torn clouds with their long edges, and larger still where the network is lost.
//! The last part is greatest for a half-covered sky: a camera's colours lead a network to take some
//! sky for cloud or some cloud for sky, and where there is but one of them there is little to take.
//! The probability of an okta is the distribution's part between that okta's edges, open-ended
//! beyond those of 0 and 8.
//!
//! **The trust.** A network that has learnt day pictures by colour is certain and wrong in the
//! dark and in a monochrome picture. There its reading weighs less, and a [`PRIOR`] more:
//!
//! > t = (1 − `doubt`) / (1 + (`half_light` / light)^`light_power`)
//! >     / (1 + (`half_colour` / colour)^`colour_power`)
//!
//! > P(okta) = t · spread(okta) + (1 − t) · prior(okta)
//!
//! **The range.** The neighbouring oktas around the one that is read, as many as it takes to hold
//! `range_level` of the probability ([`range`]).
//!
//! The parameters are a model's own ([`Calibration`]); `python -m training calibrate` fits them by
//! maximum likelihood and measures, on pictures left out of the fit, how far the confidence is from
//! the share of right readings.

use crate::okta::{Okta, OktaRange};

/// Probabilities of the oktas of an unknown sky: clear and overcast a quarter each, the rest in
/// equal parts. Records of cloud amount are mostly U-shaped like this; the figures are round ones,
/// of no station.
pub const PRIOR: [f64; 9] = {
    const END: f64 = 0.25;
    const MIDDLE: f64 = 0.5 / 7.0;
    [END, MIDDLE, MIDDLE, MIDDLE, MIDDLE, MIDDLE, MIDDLE, MIDDLE, END]
};

/// Parameters of the confidence; fitted on labelled pictures. Each may be left out.
///
/// The [module](self) explains them; a classification uses the temperature alone. The defaults
/// give a segmentation a modest confidence, whatever its light and colour.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Calibration {
    /// Divides the logits before softmax.
    pub temperature: f64,
    /// Least scale of the error of the cloud fraction.
    pub scale_base: f64,
    /// Growth of the scale per expected share of misjudged cells.
    pub scale_slope: f64,
    /// Twice what a half-covered sky adds to the scale; 0: nothing.
    pub scale_middle: f64,
    /// Weight of the prior even for the clearest picture, 0 to 1.
    pub doubt: f64,
    /// Mean luminance of the judged sky, 0 to 1, at which half the evidence is lost; 0: darkness
    /// does not matter.
    pub half_light: f64,
    /// How steeply evidence is lost around `half_light`.
    pub light_power: f64,
    /// Mean colourfulness of the judged sky (greatest less least channel), 0 to 1, at which half
    /// the evidence is lost; 0: colour does not matter, as for a network that needs none.
    pub half_colour: f64,
    /// How steeply evidence is lost around `half_colour`.
    pub colour_power: f64,
    /// Probability that the range of oktas holds at least, above 0 and below 1; fitted so that nine
    /// of ten ranges hold the true okta.
    pub range_level: f64,
}

impl Default for Calibration {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            scale_base: 0.01,
            scale_slope: 0.5,
            scale_middle: 0.0,
            doubt: 0.05,
            half_light: 0.0,
            light_power: 1.0,
            half_colour: 0.0,
            colour_power: 1.0,
            range_level: 0.9,
        }
    }
}

/// What the confidence is computed from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Cloud fraction, 0 to 1.
    pub fraction: f64,
    /// Share of cells that the network expects to misjudge, 0 to 0.5.
    pub expected_error: f64,
    /// Mean luminance of the judged part of the picture, 0 to 1.
    pub light: f64,
    /// Mean difference between the greatest and the least channel there, 0 to 1.
    pub colour: f64,
}

/// The probabilities of the nine oktas, 0 to 8; they sum to 1.
pub fn distribution(evidence: &Evidence, calibration: &Calibration) -> [f64; 9] {
    let middle = (evidence.fraction * (1.0 - evidence.fraction)).max(0.0).sqrt();
    let scale = (calibration.scale_base
        + calibration.scale_slope * evidence.expected_error
        + calibration.scale_middle * middle)
        .max(f64::MIN_POSITIVE);
    let edges = Okta::edges();
    let below = |k: usize| match edges.get(k) {
        Some(edge) => 1.0 / (1.0 + ((evidence.fraction - edge) / scale).exp()),
        None => 1.0,
    };
    let trust = (1.0 - calibration.doubt.clamp(0.0, 1.0))
        * kept(evidence.light, calibration.half_light, calibration.light_power)
        * kept(evidence.colour, calibration.half_colour, calibration.colour_power);
    std::array::from_fn(|k| {
        let lower = if k == 0 { 0.0 } else { below(k - 1) };
        trust * (below(k) - lower) + (1.0 - trust) * PRIOR[k]
    })
}

/// The probability that `okta` is right.
pub fn probability(okta: Okta, evidence: &Evidence, calibration: &Calibration) -> f64 {
    distribution(evidence, calibration)[usize::from(okta.eighths())].clamp(0.0, 1.0)
}

/// The neighbouring oktas around `okta` that hold at least `level` of the probability. From `okta`
/// on, the likelier neighbour is added until they do; of equally likely ones, the lower.
pub fn range(okta: Okta, distribution: &[f64; 9], level: f64) -> OktaRange {
    let probability = |k: Option<usize>| k.and_then(|k| distribution.get(k)).copied();
    let mut low = usize::from(okta.eighths());
    let mut high = low;
    while distribution[low..=high].iter().sum::<f64>() < level {
        let below = probability(low.checked_sub(1));
        let above = probability(Some(high + 1));
        match (below, above) {
            (None, None) => break,
            (Some(below), above) if above.is_none_or(|above| below >= above) => low -= 1,
            _ => high += 1,
        }
    }
    OktaRange::new(Okta::ALL[low], Okta::ALL[high]).unwrap_or(OktaRange::of(okta))
}

/// Confidence and range of an `okta` that was read from a picture that says nothing of the sky.
pub fn unknown(okta: Okta) -> (f64, OktaRange) {
    let level = Calibration::default().range_level;
    (PRIOR[usize::from(okta.eighths())], range(okta, &PRIOR, level))
}

/// The part of the evidence that is left at `value`.
fn kept(value: f64, half: f64, power: f64) -> f64 {
    if half <= 0.0 {
        return 1.0;
    }
    1.0 / (1.0 + (half / value.max(1e-9)).powf(power))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FITTED: Calibration = Calibration {
        temperature: 1.0,
        scale_base: 0.0013,
        scale_slope: 0.26,
        scale_middle: 0.0,
        doubt: 0.01,
        half_light: 0.19,
        light_power: 10.0,
        half_colour: 0.006,
        colour_power: 6.0,
        range_level: 0.9,
    };

    fn day(fraction: f64, expected_error: f64) -> Evidence {
        Evidence { fraction, expected_error, light: 0.45, colour: 0.12 }
    }

    fn of(evidence: Evidence) -> f64 {
        probability(Okta::from_fraction(evidence.fraction), &evidence, &FITTED)
    }

    #[test]
    fn a_sure_reading_far_from_an_edge_is_sure() {
        assert!(of(day(0.0, 0.001)) > 0.98);
        assert!(of(day(1.0, 0.002)) > 0.98);
        assert!(of(day(0.25, 0.03)) > 0.98);
    }

    #[test]
    fn on_an_edge_it_is_one_way_or_the_other() {
        let edge = of(day(0.3125, 0.05));
        assert!((0.45..0.55).contains(&edge), "{edge}");
        let both = distribution(&day(0.3125, 0.05), &FITTED);
        assert!((both[2] - both[3]).abs() < 1e-9);
    }

    #[test]
    fn an_unsure_network_is_believed_less() {
        assert!(of(day(0.25, 0.15)) < of(day(0.25, 0.05)));
        assert!(of(day(0.25, 0.4)) < 0.5);
    }

    #[test]
    fn the_middle_counts_for_half_covered_skies_alone() {
        let calibration = Calibration { scale_middle: 0.15, ..FITTED };
        let of = |fraction, calibration| {
            let okta = Okta::from_fraction(fraction);
            probability(okta, &day(fraction, 0.03), calibration)
        };
        for fraction in [0.0, 1.0] {
            assert!((of(fraction, &FITTED) - of(fraction, &calibration)).abs() < 1e-12);
        }
        assert!(of(0.5, &FITTED) > of(0.5, &calibration) + 0.3);
        // The example of the training's reference.
        assert!((of(0.5, &calibration) - 0.3525).abs() < 5e-4);
    }

    #[test]
    fn darkness_and_want_of_colour_leave_the_prior() {
        for (light, colour) in [(0.05, 0.1), (0.45, 0.0), (0.0, 0.0)] {
            let night = Evidence { light, colour, ..day(1.0, 0.002) };
            assert!((of(night) - PRIOR[8]).abs() < 0.01, "{light} {colour}");
        }
        let indifferent = Calibration { half_light: 0.0, half_colour: 0.0, ..FITTED };
        let night = Evidence { light: 0.0, colour: 0.0, ..day(1.0, 0.002) };
        assert!(probability(Okta::ALL[8], &night, &indifferent) > 0.98);
    }

    fn ends(range: OktaRange) -> (u8, u8) {
        (range.low().eighths(), range.high().eighths())
    }

    #[test]
    fn a_range_grows_to_the_likelier_side() {
        let p = [0.0, 0.0, 0.05, 0.1, 0.5, 0.3, 0.05, 0.0, 0.0];
        let of = |okta: usize, level| ends(range(Okta::ALL[okta], &p, level));
        assert_eq!(of(4, 0.5), (4, 4));
        assert_eq!(of(4, 0.8), (4, 5));
        assert_eq!(of(4, 0.89), (3, 5));
        // Of equally likely neighbours the lower.
        assert_eq!(of(4, 0.92), (2, 5));
        // It holds the okta that was read, however unlikely that is.
        assert_eq!(of(8, 0.7), (4, 8));
        assert_eq!(of(4, 2.0), (0, 8));
        assert_eq!(ends(range(Okta::ALL[0], &[f64::NAN; 9], 0.9)), (0, 0));
        // The example of the training's reference.
        let p = [0.02, 0.03, 0.10, 0.50, 0.20, 0.08, 0.03, 0.02, 0.02];
        let of = |level| ends(range(Okta::ALL[3], &p, level));
        assert_eq!([of(0.9), of(0.75), of(0.4)], [(1, 5), (2, 4), (3, 3)]);
    }

    proptest! {
        #[test]
        fn a_range_holds_its_share(
            fraction in 0.0..=1.0f64, expected_error in 0.0..=0.5f64, share in 0.0..0.999f64,
        ) {
            let p = distribution(&day(fraction, expected_error), &FITTED);
            let okta = Okta::from_fraction(fraction);
            let range = range(okta, &p, share);
            prop_assert!(range.holds(okta));
            let held: f64 = Okta::ALL.iter().filter(|k| range.holds(**k))
                .map(|k| p[usize::from(k.eighths())]).sum();
            prop_assert!(held >= share - 1e-9, "{} {:?}", held, range);
        }

        #[test]
        fn it_is_a_distribution(
            fraction in 0.0..=1.0f64, expected_error in 0.0..=0.5f64,
            light in 0.0..=1.0f64, colour in 0.0..=1.0f64, scale_base in 0.0..0.1f64,
            scale_middle in 0.0..0.4f64, doubt in -1.0..2.0f64,
        ) {
            let calibration = Calibration { scale_base, scale_middle, doubt, ..FITTED };
            let evidence = Evidence { fraction, expected_error, light, colour };
            let p = distribution(&evidence, &calibration);
            prop_assert!(p.iter().all(|p| (-1e-12..=1.0).contains(p)), "{:?}", p);
            prop_assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }

        #[test]
        fn by_day_the_reported_okta_is_the_likeliest(fraction in 0.0..=1.0f64) {
            let evidence = day(fraction, 0.02);
            let p = distribution(&evidence, &FITTED);
            let reported = usize::from(Okta::from_fraction(fraction).eighths());
            // Beside 0 and 8 the open end may outweigh the narrow rest by a little.
            prop_assume!((0.02..=0.98).contains(&fraction));
            prop_assert!(p.iter().all(|&other| other <= p[reported] + 1e-9));
        }
    }
}
