//! How right the readings of a station are, by the labels of people who looked at its pictures.
//!
//! Only pictures that were drawn at random count: those that the program chose because it was least
//! sure of them would show it worse than it is. A picture counts once, by the label that was given
//! first.

use schemars::JsonSchema;
use serde::Serialize;

use crate::cover::Cover;
use crate::evaluate::figures::{BINS, Estimate};
use crate::evaluate::wilson;
use crate::okta::{Okta, OktaRange};

/// Fewest labels of an amount that figures are given of: the random half of a first session of
/// fifty pictures. A share of 0.7 then has an interval of 0.17 to either side.
pub const LEAST_LABELS: usize = 25;

/// A picture that was labelled and read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SkillSample {
    /// What the observer saw.
    pub label: Cover,
    /// What was read.
    pub read: Cover,
    /// Probability that the reading is right, as it is stored.
    pub confidence: Option<f64>,
    /// The oktas among which it is with a probability of 90 %.
    pub range: Option<OktaRange>,
}

/// Readings whose confidence lies in a bin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ReliabilityBin {
    /// Lower end, included.
    pub from: f64,
    /// Upper end, excluded but in the last bin.
    pub to: f64,
    /// Readings.
    pub n: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// The share of them that are right, with its 95 % interval (Wilson).
    pub right: Estimate,
}

/// How right the readings of a station are. Figures are null below `least_labels`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "StationSkill")]
pub struct Skill {
    /// Pictures drawn at random whose label is an amount, 0 to 8.
    pub labels: usize,
    /// Fewest labels that figures are given of.
    pub least_labels: usize,
    /// Whether there are as many.
    pub is_enough: bool,
    /// The share of readings that are the label, with its 95 % interval (Wilson). A reading of 9
    /// counts as wrong, here and in `within_one`.
    pub exact: Option<Estimate>,
    /// The share of readings at most one okta off (Wilson).
    pub within_one: Option<Estimate>,
    /// The share of labels within the reading's `okta_low` and `okta_high` (Wilson); of readings
    /// that have them.
    pub in_range: Option<Estimate>,
    /// Mean of reading less label, oktas, with its 95 % interval (percentile bootstrap): positive
    /// where too much cloud is read.
    pub bias: Option<Estimate>,
    /// Mean confidence of the readings.
    pub confidence: Option<f64>,
    /// Mean confidence less the share that is right; null without a confidence.
    pub overconfidence: Option<f64>,
    /// The readings by their confidence; bins without any are left out.
    pub reliability: Vec<ReliabilityBin>,
    /// Readings of each code 0 to 9 (column) by label 0 to 9 (row).
    #[schemars(with = "Vec<Vec<usize>>")]
    pub confusion: [[usize; 10]; 10],
}

impl Skill {
    /// The skill that `samples`, drawn at random, show.
    pub fn of(samples: &[SkillSample]) -> Self {
        let mut confusion = [[0; 10]; 10];
        for sample in samples {
            confusion[usize::from(sample.label.code())][usize::from(sample.read.code())] += 1;
        }
        let judged: Vec<(&SkillSample, Okta)> =
            samples.iter().filter_map(|sample| Some((sample, sample.label.okta()?))).collect();
        let labels = judged.len();
        let is_enough = labels >= LEAST_LABELS;
        let shown = if is_enough { judged.as_slice() } else { &[] };
        let off: Vec<Option<f64>> = shown
            .iter()
            .map(|(sample, label)| {
                let read = f64::from(sample.read.okta()?.eighths());
                Some(read - f64::from(label.eighths()))
            })
            .collect();
        let near = |most: f64| {
            let hits = off.iter().flatten().filter(|off| off.abs() <= most).count();
            wilson::share(hits, off.len())
        };
        let ranges: Vec<bool> =
            shown.iter().filter_map(|(sample, label)| Some(sample.range?.holds(*label))).collect();
        let calls: Vec<(f64, bool)> = shown
            .iter()
            .filter_map(|(sample, label)| Some((sample.confidence?, sample.read.okta()? == *label)))
            .collect();
        let confidence = mean(&calls);
        let right = calls.iter().filter(|call| call.1).count() as f64 / calls.len().max(1) as f64;
        Self {
            labels,
            least_labels: LEAST_LABELS,
            is_enough,
            exact: near(0.0),
            within_one: near(1.0),
            in_range: wilson::share(ranges.iter().filter(|held| **held).count(), ranges.len()),
            bias: Estimate::of(&off.iter().flatten().copied().collect::<Vec<_>>()),
            confidence,
            overconfidence: confidence.map(|confidence| confidence - right),
            reliability: reliability(&calls),
            confusion,
        }
    }
}

fn mean(calls: &[(f64, bool)]) -> Option<f64> {
    (!calls.is_empty()).then(|| calls.iter().map(|call| call.0).sum::<f64>() / calls.len() as f64)
}

fn reliability(calls: &[(f64, bool)]) -> Vec<ReliabilityBin> {
    let place = |confidence: f64| ((confidence * BINS as f64) as usize).min(BINS - 1);
    let bin = |i: usize| {
        let inside: Vec<(f64, bool)> =
            calls.iter().filter(|call| place(call.0) == i).copied().collect();
        Some(ReliabilityBin {
            from: i as f64 / BINS as f64,
            to: (i + 1) as f64 / BINS as f64,
            n: inside.len(),
            confidence: mean(&inside)?,
            right: wilson::share(inside.iter().filter(|call| call.1).count(), inside.len())?,
        })
    };
    (0..BINS).filter_map(bin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Rng;

    fn sample(label: u8, read: u8, confidence: f64) -> SkillSample {
        let [label, read] = [label, read].map(|code| Cover::from_code(code).unwrap());
        let confidence = read.okta().map(|_| confidence);
        let range = read.okta().map(|okta| OktaRange::of(okta).widened(1));
        SkillSample { label, read, confidence, range }
    }

    #[test]
    fn few_labels_give_counts_and_no_figures() {
        let mut samples = vec![sample(3, 3, 0.8); LEAST_LABELS - 1];
        samples.push(sample(9, 9, 0.0));
        let few = Skill::of(&samples);
        assert_eq!((few.labels, few.is_enough), (LEAST_LABELS - 1, false));
        assert_eq!((few.exact, few.bias, few.confidence), (None, None, None));
        assert_eq!((few.confusion[3][3], few.confusion[9][9]), (LEAST_LABELS - 1, 1));
        samples.push(sample(3, 4, 0.8));
        let enough = Skill::of(&samples);
        assert!(enough.is_enough);
        assert_eq!(enough.exact.unwrap().value, 0.96);
        assert_eq!(enough.within_one.unwrap().value, 1.0);
        assert_eq!(enough.bias.unwrap().value, 0.04);
        assert!((enough.overconfidence.unwrap() + 0.16).abs() < 1e-9);
    }

    #[test]
    fn a_sky_that_was_not_seen_is_wrong_where_the_observer_saw_one() {
        let mut samples = vec![sample(5, 5, 0.9); 30];
        samples.extend(vec![sample(5, 9, 0.0); 10]);
        let skill = Skill::of(&samples);
        assert_eq!(skill.exact.unwrap().value, 0.75);
        assert_eq!(skill.bias.unwrap().value, 0.0);
        assert!((skill.confidence.unwrap() - 0.9).abs() < 1e-9);
        assert_eq!(skill.reliability.len(), 1);
        assert_eq!(skill.reliability[0].n, 30);
    }

    /// A network that is right in 60 of 100 pictures, one okta too high in 30, three in 10, and
    /// says 0.85: of many stations with 60 labels, the intervals hold the truth in about 95 %.
    #[test]
    fn the_intervals_hold_what_is_true_of_a_simulated_station() {
        let (mut exact, mut near, mut bias) = (0, 0, 0);
        let stations = 200;
        for seed in 0..stations {
            let mut rng = Rng::new(seed);
            let samples: Vec<SkillSample> = (0..60)
                .map(|_| {
                    let label = (rng.bits() % 6) as u8;
                    let off = match rng.unit() {
                        x if x < 0.6 => 0,
                        x if x < 0.9 => 1,
                        _ => 3,
                    };
                    sample(label, label + off, 0.85)
                })
                .collect();
            let skill = Skill::of(&samples);
            let holds = |of: Option<Estimate>, truth: f64| {
                usize::from(of.is_some_and(|of| of.low <= truth && truth <= of.high))
            };
            exact += holds(skill.exact, 0.6);
            near += holds(skill.within_one, 0.9);
            bias += holds(skill.bias, 0.6);
        }
        for held in [exact, near, bias] {
            assert!(held * 100 >= 91 * stations as usize, "{exact} {near} {bias}");
        }
    }
}
