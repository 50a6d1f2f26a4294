//! Percentile bootstrap intervals (Efron & Tibshirani, *An Introduction to the Bootstrap*, 1993,
//! chapter 13).
//!
//! The samples count as independent. Successive pictures of one camera are not: their intervals
//! come out too narrow.

use crate::random::Rng;

/// How often the samples are drawn again.
pub const RESAMPLES: usize = 2000;

/// The seed; fixed, so that the same samples always give the same interval.
const SEED: u64 = 20_240_131;

/// Share of the resampled means that lies below the interval, and above it.
const TAIL: f64 = 0.025;

/// The 95 % interval of the mean of `values`, from low to high; none without values.
pub fn mean_interval(values: &[f64]) -> Option<(f64, f64)> {
    if values.is_empty() {
        return None;
    }
    let n = values.len() as u64;
    let mut rng = Rng::new(SEED);
    // The high half of the product of two 64-bit numbers: evenly in 0..n.
    let mut draw = || values[((u128::from(rng.bits()) * u128::from(n)) >> 64) as usize];
    let mut means: Vec<f64> =
        (0..RESAMPLES).map(|_| (0..n).map(|_| draw()).sum::<f64>() / n as f64).collect();
    means.sort_unstable_by(f64::total_cmp);
    Some((quantile(&means, TAIL), quantile(&means, 1.0 - TAIL)))
}

/// The quantile at `share` of sorted values, linear between neighbours.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len().saturating_sub(1)) as f64;
    let below = place.floor() as usize;
    let at = |i: usize| sorted.get(i).or(sorted.last()).copied().unwrap_or(f64::NAN);
    let (low, high) = (at(below), at(below + 1));
    low + (high - low) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        let sorted = [0.0, 1.0, 2.0, 3.0, 4.0];
        assert_eq!(quantile(&sorted, 0.5), 2.0);
        assert_eq!(quantile(&sorted, 0.125), 0.5);
        assert_eq!(quantile(&sorted, 1.0), 4.0);
        assert_eq!(quantile(&[7.0], 0.3), 7.0);
    }

    /// By the normal approximation: 0.8 ± 1.96 · √(0.8 · 0.2 / 400).
    #[test]
    fn a_shares_interval_is_about_as_wide_as_theory_says() {
        let values: Vec<f64> = (0..400).map(|i| if i % 5 == 0 { 0.0 } else { 1.0 }).collect();
        let (low, high) = mean_interval(&values).unwrap();
        assert!((low - 0.7608).abs() < 0.006, "{low}");
        assert!((high - 0.8392).abs() < 0.006, "{high}");
        assert_eq!(mean_interval(&values), Some((low, high)));
    }

    #[test]
    fn nothing_has_no_interval_and_one_value_has_none_to_speak_of() {
        assert_eq!(mean_interval(&[]), None);
        assert_eq!(mean_interval(&[0.3]), Some((0.3, 0.3)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn it_lies_within_the_values(values in prop::collection::vec(0.0..=1.0f64, 1..60)) {
            let (low, high) = mean_interval(&values).unwrap();
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            prop_assert!(least - 1e-9 <= low && low <= high && high <= most + 1e-9);
        }
    }
}
