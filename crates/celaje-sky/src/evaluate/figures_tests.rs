use super::*;
use proptest::prelude::*;

fn sample(truth: u8, read: Option<u8>, confidence: f64) -> Sample {
    Sample {
        okta_true: Okta::new(truth).unwrap(),
        okta_read: read.and_then(Okta::new),
        fraction_true: Some(f64::from(truth) / 8.0),
        fraction_read: read.map(|okta| f64::from(okta) / 8.0),
        confidence: read.map(|_| confidence),
        pixel_accuracy: None,
    }
}

fn near(value: Option<f64>, wanted: f64) {
    let value = value.unwrap();
    assert!((value - wanted).abs() < 1e-12, "{value}, not {wanted}");
}

/// Worked out by hand.
#[test]
fn five_pictures() {
    let mut samples = [
        sample(0, Some(0), 0.95),
        sample(4, Some(5), 0.65),
        sample(4, Some(2), 0.62),
        sample(8, Some(8), 0.91),
        sample(7, None, 0.0),
    ];
    samples[1].pixel_accuracy = Some(0.9);
    samples[3].pixel_accuracy = Some(0.7);
    let got = Figures::of(&samples, 2);
    assert_eq!((got.n, got.failed, got.without_okta), (5, 2, 1));
    near(got.exact.map(|e| e.value), 0.4);
    near(got.within_one, 0.6);
    near(got.within_two, 0.8);
    near(got.okta_error, 0.75);
    near(got.okta_bias, -0.25);
    assert_eq!((got.fractions, got.masks), (4, 2));
    near(got.fraction_error.map(|e| e.value), 3.0 / 32.0);
    near(got.pixel_accuracy, 0.8);
    near(got.confidence, 3.13 / 4.0);
    // |0.95 + 0.91 − 2| in the last bin, 0.65 + 0.62 in that from 0.6; over four readings.
    near(got.calibration_error, (0.14 + 1.27) / 4.0);
    assert_eq!(got.bins.len(), BINS);
    assert_eq!((got.bins[6].n, got.bins[9].n), (2, 2));
    near(got.bins[6].confidence, 0.635);
    near(got.bins[6].right, 0.0);
    near(got.bins[9].right, 1.0);
    assert_eq!(got.bins[0].confidence, None);
    assert_eq!(got.confusion[4][5], 1);
    assert_eq!(got.confusion[4][2], 1);
    assert_eq!(got.confusion[7][COLUMNS - 1], 1);
}

#[test]
fn nothing_gives_no_figures() {
    let got = Figures::of(&[], 3);
    assert_eq!((got.n, got.failed), (0, 3));
    assert_eq!((got.exact, got.okta_error, got.confidence), (None, None, None));
    assert_eq!(got.calibration_error, None);
    assert!(got.confusion.iter().flatten().all(|&n| n == 0));
}

#[test]
fn a_confidence_of_one_lies_in_the_last_bin() {
    let got = Figures::of(&[sample(3, Some(3), 1.0), sample(3, Some(3), 0.0)], 0);
    assert_eq!((got.bins[9].n, got.bins[0].n), (1, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_must_hold_of_any_samples(
        rows in prop::collection::vec((0..9u8, prop::option::of(0..9u8), 0.0..=1.0f64), 1..80),
    ) {
        let samples: Vec<_> = rows.iter().map(|&(t, r, c)| sample(t, r, c)).collect();
        let got = Figures::of(&samples, 0);
        let n = samples.len();
        prop_assert_eq!(got.confusion.iter().flatten().sum::<usize>(), n);
        let diagonal: usize = (0..9).map(|k| got.confusion[k][k]).sum();
        let exact = got.exact.unwrap();
        prop_assert!((exact.value - diagonal as f64 / n as f64).abs() < 1e-12);
        prop_assert!(exact.low <= exact.value + 1e-12 && exact.value <= exact.high + 1e-12);
        prop_assert!(exact.value <= got.within_one.unwrap());
        prop_assert!(got.within_one.unwrap() <= got.within_two.unwrap());
        prop_assert_eq!(got.bins.iter().map(|bin| bin.n).sum::<usize>(), n - got.without_okta);
        if let (Some(error), Some(bias)) = (got.okta_error, got.okta_bias) {
            prop_assert!(bias.abs() <= error + 1e-12);
        }
        if let Some(error) = got.calibration_error {
            prop_assert!((0.0..=1.0).contains(&error));
        }
        let column: usize = got.confusion.iter().map(|row| row[COLUMNS - 1]).sum();
        prop_assert_eq!(column, got.without_okta);
    }

    /// Of `of` readings with a confidence of `right` / `of`, `right` are right.
    #[test]
    fn a_perfect_confidence_has_no_calibration_error(
        groups in prop::collection::vec((0..=12usize, 1..=12usize), 1..8),
    ) {
        let calls: Vec<(f64, bool)> = groups
            .iter()
            .flat_map(|&(right, of)| {
                let right = right.min(of);
                (0..of).map(move |i| (right as f64 / of as f64, i < right))
            })
            .collect();
        prop_assert!(calibration_error(&calls).unwrap() < 1e-9);
    }

    #[test]
    fn a_sure_and_wrong_reading_is_as_bad_as_it_gets(n in 1..40usize) {
        prop_assert_eq!(calibration_error(&vec![(1.0, false); n]), Some(1.0));
    }
}
