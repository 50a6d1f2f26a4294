//! The figures of labelled and read pictures.

use schemars::JsonSchema;
use serde::Serialize;

use crate::evaluate::bootstrap::mean_interval;
use crate::okta::Okta;

/// Bins of the reliability table, of equal width.
pub const BINS: usize = 10;

/// Columns of the confusion matrix: the nine oktas as read, and pictures without an okta.
pub const COLUMNS: usize = 10;

/// One picture's label and reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// The okta that it is labelled with.
    pub okta_true: Okta,
    /// The okta that was read; none when the picture was judged to show no sky.
    pub okta_read: Option<Okta>,
    /// The cloud fraction that it is labelled with, 0 to 1.
    pub fraction_true: Option<f64>,
    /// The cloud fraction that was read, 0 to 1.
    pub fraction_read: Option<f64>,
    /// Probability that `okta_read` is right, as the program gave it.
    pub confidence: Option<f64>,
    /// Share of the mask's marked pixels that were seen as what they are.
    pub pixel_accuracy: Option<f64>,
}

/// A figure and its 95 % interval: of a mean by the bootstrap, of a station's shares by Wilson's
/// formula.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Estimate {
    /// The mean.
    pub value: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
}

impl Estimate {
    /// The mean of `values`; none of no values.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let (low, high) = mean_interval(values)?;
        let value = mean(values)?;
        Some(Self { value, low, high })
    }
}

/// A row of the reliability table.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// Lower end of the bin, included.
    pub from: f64,
    /// Upper end, excluded but in the last bin.
    pub to: f64,
    /// Readings whose confidence lies in it.
    pub n: usize,
    /// Their mean confidence.
    pub confidence: Option<f64>,
    /// Share of them whose okta is right.
    pub right: Option<f64>,
}

/// All figures of a set of samples; a figure of no samples is none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Pictures that were judged.
    pub n: usize,
    /// Pictures that could not be read, or whose label could not.
    pub failed: usize,
    /// Of the `n`, those without an okta; they count as wrong.
    pub without_okta: usize,
    /// Share of the `n` whose okta is that of the label.
    pub exact: Option<Estimate>,
    /// Share of the `n` whose okta is at most one off.
    pub within_one: Option<f64>,
    /// Share of the `n` whose okta is at most two off.
    pub within_two: Option<f64>,
    /// Mean absolute difference of the oktas, where one was read.
    pub okta_error: Option<f64>,
    /// Mean difference of the oktas, read less true: positive where too much cloud is seen.
    pub okta_bias: Option<f64>,
    /// Pictures with a true and a read fraction.
    pub fractions: usize,
    /// Mean absolute difference of the cloud fractions.
    pub fraction_error: Option<Estimate>,
    /// Pictures with a mask.
    pub masks: usize,
    /// Mean over these pictures of the share of marked pixels that were seen right.
    pub pixel_accuracy: Option<f64>,
    /// Mean confidence.
    pub confidence: Option<f64>,
    /// Expected calibration error over [`BINS`] bins: how far, on average, the confidence is from
    /// the share of right readings (Naeini et al., AAAI 2015).
    pub calibration_error: Option<f64>,
    /// The reliability table.
    pub bins: Vec<Bin>,
    /// How many pictures of each true okta (row) were read as each okta (column); the last column
    /// is for those without one.
    pub confusion: [[usize; COLUMNS]; 9],
}

impl Figures {
    /// The figures of `samples`; `failed` other pictures yielded no sample.
    pub fn of(samples: &[Sample], failed: usize) -> Self {
        let off: Vec<Option<f64>> = samples
            .iter()
            .map(|s| {
                let read = f64::from(s.okta_read?.eighths());
                Some(read - f64::from(s.okta_true.eighths()))
            })
            .collect();
        let known: Vec<f64> = off.iter().flatten().copied().collect();
        let near = |most: f64| -> Vec<f64> {
            let hit = |off: &Option<f64>| off.is_some_and(|off| off.abs() <= most);
            off.iter().map(|off| f64::from(u8::from(hit(off)))).collect()
        };
        let fractions: Vec<f64> = samples
            .iter()
            .filter_map(|s| Some((s.fraction_read? - s.fraction_true?).abs()))
            .collect();
        let pixels: Vec<f64> = samples.iter().filter_map(|s| s.pixel_accuracy).collect();
        let calls: Vec<(f64, bool)> = samples
            .iter()
            .filter_map(|s| Some((s.confidence?, s.okta_read? == s.okta_true)))
            .collect();
        let confidences: Vec<f64> = calls.iter().map(|call| call.0).collect();
        let absolute: Vec<f64> = known.iter().map(|off| off.abs()).collect();
        Self {
            n: samples.len(),
            failed,
            without_okta: samples.len() - known.len(),
            exact: Estimate::of(&near(0.0)),
            within_one: mean(&near(1.0)),
            within_two: mean(&near(2.0)),
            okta_error: mean(&absolute),
            okta_bias: mean(&known),
            fractions: fractions.len(),
            fraction_error: Estimate::of(&fractions),
            masks: pixels.len(),
            pixel_accuracy: mean(&pixels),
            confidence: mean(&confidences),
            calibration_error: calibration_error(&calls),
            bins: reliability(&calls),
            confusion: confusion(samples),
        }
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The bin of a confidence.
fn place(confidence: f64) -> usize {
    ((confidence * BINS as f64) as usize).min(BINS - 1)
}

/// Expected calibration error of `(confidence, right)` pairs; none of no pairs.
pub fn calibration_error(calls: &[(f64, bool)]) -> Option<f64> {
    let mut gaps = [0.0f64; BINS];
    for &(confidence, right) in calls {
        gaps[place(confidence)] += confidence - f64::from(u8::from(right));
    }
    let sum: f64 = gaps.iter().map(|gap| gap.abs()).sum();
    (!calls.is_empty()).then(|| sum / calls.len() as f64)
}

fn reliability(calls: &[(f64, bool)]) -> Vec<Bin> {
    let bin = |i: usize| {
        let inside: Vec<_> = calls.iter().filter(|call| place(call.0) == i).collect();
        let confidences: Vec<f64> = inside.iter().map(|call| call.0).collect();
        let rights: Vec<f64> = inside.iter().map(|call| f64::from(u8::from(call.1))).collect();
        Bin {
            from: i as f64 / BINS as f64,
            to: (i + 1) as f64 / BINS as f64,
            n: inside.len(),
            confidence: mean(&confidences),
            right: mean(&rights),
        }
    };
    (0..BINS).map(bin).collect()
}

fn confusion(samples: &[Sample]) -> [[usize; COLUMNS]; 9] {
    let mut counts = [[0; COLUMNS]; 9];
    for sample in samples {
        let column = sample.okta_read.map_or(COLUMNS - 1, |okta| usize::from(okta.eighths()));
        counts[usize::from(sample.okta_true.eighths())][column] += 1;
    }
    counts
}

#[cfg(test)]
#[path = "figures_tests.rs"]
mod tests;
