//! The confidence of a model, re-fitted to a station by the labels of people who looked at its
//! pictures.
//!
//! A model's confidence c becomes
//!
//! > logit c′ = `intercept` + `slope` · logit c
//!
//! (Platt, *Probabilistic outputs for support vector machines*, 1999), fitted by maximum likelihood
//! to the labels *and* to [`PRIOR_LABELS`] imagined ones that are right exactly as often as the
//! model says. So ten labels move it little, and two hundred much. The model's range of oktas is
//! widened by whole oktas while the labels speak against its 90 %.

use crate::evaluate::wilson;
use crate::okta::{Okta, OktaRange};

/// Imagined labels that stand for what the model says of itself.
pub const PRIOR_LABELS: usize = 40;

/// Confidences at which they lie: evenly spaced log odds from 0.3 to 0.97.
const PRIOR_PLACES: usize = 8;
/// The log odds of 0.3 and of 0.97.
const PRIOR_ENDS: (f64, f64) = (-0.847_3, 3.476_1);

/// The share of labels that a range of oktas is to hold.
pub const RANGE_SHARE: f64 = 0.9;

/// Confidences are kept this far from 0 and 1, so that their log odds are finite.
const EDGE: f64 = 1e-4;

/// Steps of Newton's method; it is exact to the last bit after about six.
const STEPS: usize = 50;

/// A reading with its label, both amounts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibrationSample {
    /// The amount that the observer saw.
    pub label: Okta,
    /// The amount that was read.
    pub read: Okta,
    /// Its confidence as the model gives it.
    pub confidence: f64,
    /// The range as the model gives it.
    pub range: Option<OktaRange>,
}

/// What turns a model's confidence and range into those of a station.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StationCalibration {
    /// Added to the log odds.
    pub intercept: f64,
    /// Multiplies the log odds of the model's confidence.
    pub slope: f64,
    /// Oktas by which the range is widened at either end.
    pub widening: u8,
    /// Labels that it was fitted to; 0: the model's own confidence.
    pub labels: usize,
}

impl StationCalibration {
    /// Leaves everything as the model gives it.
    pub const NONE: Self = Self { intercept: 0.0, slope: 1.0, widening: 0, labels: 0 };

    /// Fits it to `samples`; [`NONE`](Self::NONE) to no samples.
    pub fn of(samples: &[CalibrationSample]) -> Self {
        if samples.is_empty() {
            return Self::NONE;
        }
        let (intercept, slope) = platt(samples);
        Self { intercept, slope, widening: widening(samples), labels: samples.len() }
    }

    /// The station's confidence where the model's is `confidence`.
    pub fn confidence(&self, confidence: f64) -> f64 {
        if self.labels == 0 {
            return confidence;
        }
        logistic(self.intercept + self.slope * log_odds(confidence))
    }

    /// The station's range around `okta`, whose confidence is now `confidence`, where the model's
    /// is `range`. An okta that is less probable than [`RANGE_SHARE`] does not stand alone.
    pub fn range(&self, range: OktaRange, confidence: f64) -> OktaRange {
        if self.labels == 0 {
            return range;
        }
        let is_alone = range.low() == range.high() && confidence < RANGE_SHARE;
        range.widened(self.widening.max(u8::from(is_alone)))
    }
}

/// Oktas by which the ranges are widened: the fewest with which the 95 % interval of the share of
/// labels that they hold is not wholly below [`RANGE_SHARE`].
fn widening(samples: &[CalibrationSample]) -> u8 {
    let ranges: Vec<(OktaRange, Okta)> =
        samples.iter().filter_map(|sample| Some((sample.range?, sample.label))).collect();
    let refuted = |oktas: &u8| {
        let held = ranges.iter().filter(|(range, label)| range.widened(*oktas).holds(*label));
        wilson::share(held.count(), ranges.len()).is_some_and(|share| share.high < RANGE_SHARE)
    };
    (0..8).find(|oktas| !refuted(oktas)).unwrap_or(8)
}

/// Intercept and slope (0 or above) of the greatest likelihood.
fn platt(samples: &[CalibrationSample]) -> (f64, f64) {
    let (from, to) = PRIOR_ENDS;
    let weight = PRIOR_LABELS as f64 / PRIOR_PLACES as f64;
    // Log odds of the model, share that is right, weight.
    let mut points: Vec<(f64, f64, f64)> = (0..PRIOR_PLACES)
        .map(|i| {
            let x = from + (to - from) * i as f64 / (PRIOR_PLACES - 1) as f64;
            (x, logistic(x), weight)
        })
        .collect();
    points.extend(samples.iter().map(|sample| {
        let right = f64::from(u8::from(sample.read == sample.label));
        (log_odds(sample.confidence), right, 1.0)
    }));
    let (intercept, slope) = newton(&points, true);
    // A confidence that runs against the truth says nothing: all readings are equally good.
    if slope >= 0.0 { (intercept, slope) } else { newton(&points, false) }
}

/// Newton's method on the log likelihood, which is concave; the slope stays 0 if it is not `free`.
fn newton(points: &[(f64, f64, f64)], free: bool) -> (f64, f64) {
    let likelihood = |a: f64, b: f64| -> f64 {
        let of = |&(x, y, w): &(f64, f64, f64)| {
            let z = a + b * x;
            // log(1 + e^z) without overflow.
            w * (y * z - z.max(0.0) - (-z.abs()).exp().ln_1p())
        };
        points.iter().map(of).sum()
    };
    let (mut a, mut b) = (0.0, f64::from(u8::from(free)));
    for _ in 0..STEPS {
        let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for &(x, y, w) in points {
            let p = logistic(a + b * x);
            let (off, spread) = (w * (y - p), w * p * (1.0 - p));
            ga += off;
            gb += off * x;
            haa += spread;
            hab += spread * x;
            hbb += spread * x * x;
        }
        let determinant = haa * hbb - hab * hab;
        let (da, db) = match free {
            true => ((hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant),
            false => (ga / haa, 0.0),
        };
        if !(da.is_finite() && db.is_finite()) || da.abs() + db.abs() < 1e-12 {
            break;
        }
        // A step that overshoots is halved.
        let before = likelihood(a, b);
        let mut part = 1.0;
        while likelihood(a + part * da, b + part * db) < before && part > 1e-6 {
            part /= 2.0;
        }
        (a, b) = (a + part * da, b + part * db);
    }
    (a, b)
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn log_odds(p: f64) -> f64 {
    let p = if p.is_finite() { p.clamp(EDGE, 1.0 - EDGE) } else { 0.5 };
    (p / (1.0 - p)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Rng;
    use proptest::prelude::*;

    fn sample(label: u8, read: u8, confidence: f64) -> CalibrationSample {
        let [label, read] = [label, read].map(|okta| Okta::ALL[usize::from(okta)]);
        CalibrationSample { label, read, confidence, range: Some(OktaRange::of(read).widened(1)) }
    }

    /// `n` readings with confidences from 0.5 to 0.95, right with the probability `truth(c)`, else
    /// three oktas too high.
    fn station(n: usize, seed: u64, truth: impl Fn(f64) -> f64) -> Vec<CalibrationSample> {
        let mut rng = Rng::new(seed);
        (0..n)
            .map(|_| {
                let confidence = f64::from(rng.between(0.5, 0.95));
                let label = (rng.bits() % 6) as u8;
                let right = f64::from(rng.unit()) < truth(confidence);
                sample(label, if right { label } else { label + 3 }, confidence)
            })
            .collect()
    }

    fn mean(samples: &[CalibrationSample], of: impl Fn(&CalibrationSample) -> f64) -> f64 {
        samples.iter().map(of).sum::<f64>() / samples.len() as f64
    }

    #[test]
    fn without_labels_all_stays_as_it_is() {
        let none = StationCalibration::of(&[]);
        assert_eq!(none, StationCalibration::NONE);
        assert_eq!(none.confidence(0.123), 0.123);
        let alone = OktaRange::of(Okta::ALL[4]);
        assert_eq!(none.range(alone, 0.3), alone);
    }

    #[test]
    fn labels_that_agree_with_the_model_change_little() {
        let right = StationCalibration::of(&station(300, 1, |c| c));
        for c in [0.5, 0.7, 0.9] {
            assert!((right.confidence(c) - c).abs() < 0.06, "{c}: {right:?}");
        }
        assert_eq!(right.widening, 2, "a quarter of the labels lies two oktas outside: {right:?}");
    }

    /// The model says 0.72 on average and is right in 40 of 100: ten labels take the confidence a
    /// third of the way at most, two hundred most of it.
    #[test]
    fn ten_labels_move_it_little_and_two_hundred_much() {
        let of = |n: usize| {
            let shares = (0..40).map(|seed| {
                let samples = station(n, seed, |_| 0.4);
                let fitted = StationCalibration::of(&samples);
                (0.725 - fitted.confidence(0.725)) / (0.725 - 0.4)
            });
            shares.sum::<f64>() / 40.0
        };
        let (few, many) = (of(10), of(200));
        assert!((0.05..0.35).contains(&few), "{few}");
        assert!((0.8..1.1).contains(&many), "{many}");
    }

    /// On readings that it was not fitted to, the confidence is the share of right ones, and the
    /// range holds nine of ten labels.
    #[test]
    fn a_station_whose_network_is_wrong_in_a_known_way_is_told_right() {
        let truth = |c: f64| 0.1 + 0.5 * c;
        let mut gaps = Vec::new();
        for seed in 0..40 {
            let fitted = StationCalibration::of(&station(200, seed, truth));
            let others = station(400, 1000 + seed, truth);
            let told = mean(&others, |s| fitted.confidence(s.confidence));
            let right = mean(&others, |s| f64::from(u8::from(s.label == s.read)));
            gaps.push(told - right);
            let held = mean(&others, |s| {
                let range = fitted.range(s.range.unwrap(), fitted.confidence(s.confidence));
                f64::from(u8::from(range.holds(s.label)))
            });
            assert!(held > 0.85, "{held} {fitted:?}");
        }
        let bias = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let worst = gaps.iter().fold(0.0f64, |worst, gap| worst.max(gap.abs()));
        // A sixth of the way is left to the model; the interval of the share of 200 labels is 0.07
        // to either side, that of 400 others 0.05.
        assert!(bias.abs() < 0.045 && worst < 0.13, "{bias} {worst}");
    }

    #[test]
    fn a_confidence_that_runs_against_the_truth_says_nothing() {
        let fitted = StationCalibration::of(&station(2000, 5, |c| 1.2 - c));
        assert_eq!(fitted.slope, 0.0);
        assert!((fitted.confidence(0.5) - fitted.confidence(0.95)).abs() < 1e-12);
    }

    #[test]
    fn an_unsure_okta_does_not_stand_alone() {
        let fitted = StationCalibration { labels: 30, ..StationCalibration::NONE };
        let alone = OktaRange::of(Okta::ALL[4]);
        assert_eq!(fitted.range(alone, 0.95), alone);
        assert_eq!(fitted.range(alone, 0.6), alone.widened(1));
        assert_eq!(fitted.range(alone.widened(1), 0.6), alone.widened(1));
    }

    proptest! {
        #[test]
        fn it_is_a_probability_and_keeps_the_order(
            n in 1usize..60, seed in any::<u64>(), share in 0.0..=1.0f64,
            a in 0.0..=1.0f64, b in 0.0..=1.0f64,
        ) {
            let fitted = StationCalibration::of(&station(n, seed, |_| share));
            let [low, high] = [a.min(b), a.max(b)].map(|c| fitted.confidence(c));
            prop_assert!((0.0..=1.0).contains(&low) && low <= high && high <= 1.0);
        }
    }
}
