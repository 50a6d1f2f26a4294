//! The logistic function, 1 / (1 + e^−x): one at a time, and many at once.

use std::f64::consts::{LN_2, LOG2_E};

/// Least probability whose logarithm is taken.
pub(super) const LEAST_PROBABILITY: f64 = 1e-12;
/// Least temperature that logits are divided by.
pub(super) const LEAST_TEMPERATURE: f64 = 1e-6;

/// The probability of the log odds `x`; 0 and 1 at the infinite ones.
pub(super) fn probability(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Numbers that are computed together.
const BLOCK: usize = 64;
/// Odds of 2^-120 are as good as none; larger distances are cut to this.
const FARTHEST: f64 = 120.0;
/// Adding and subtracting it rounds a number below 2^51 to a whole one.
const ROUNDER: f64 = 6_755_399_441_055_744.0;
/// The same for 32 bits and numbers below 2^22. The last bits of the sum hold the whole number.
const ROUNDER_32: f32 = 12_582_912.0;

/// Coefficients of the Taylor series of 2^r. For |r| ≤ 1/2 the remainder is less than
/// (ln 2 / 2)^7 / 7! = 1.2·10^−7.
const SERIES: [f32; 7] = {
    let mut series = [1.0; 7];
    let (mut k, mut term) = (1, 1.0);
    while k < series.len() {
        term *= LN_2 / k as f64;
        series[k] = term as f32;
        k += 1;
    }
    series
};

/// For each pair of logits, the lesser of the two classes' probabilities if it must be one of them:
/// 1 / (1 + e^(|a − b| · `sharpness`)). Writes as many numbers as the shortest slice has.
///
/// The relative error is below 10^−6; results below 10^−36 become 10^−36. The loops have neither a
/// call nor a branch, so that the compiler vectorises them. The difference and its nearest power of
/// two decide the precision, and are computed in 64 bits.
pub(super) fn lesser(a: &[f32], b: &[f32], sharpness: f64, out: &mut [f32]) {
    let powers = sharpness * LOG2_E;
    let n = a.len().min(b.len()).min(out.len());
    let (a, b, out) = (&a[..n], &b[..n], &mut out[..n]);
    let blocks = a.chunks(BLOCK).zip(b.chunks(BLOCK));
    for ((a, b), out) in blocks.zip(out.chunks_mut(BLOCK)) {
        // e^−x = 2^−whole · 2^rest, |rest| ≤ 1/2
        let (mut whole, mut rest) = ([0.0f32; BLOCK], [0.0f32; BLOCK]);
        let parts = whole.iter_mut().zip(&mut rest);
        for ((whole, rest), (&a, &b)) in parts.zip(a.iter().zip(b)) {
            let x = (f64::from(a) - f64::from(b)).abs() * powers;
            let x = if x < FARTHEST { x } else { FARTHEST };
            let near = (x + ROUNDER) - ROUNDER;
            *whole = near as f32;
            *rest = (near - x) as f32;
        }
        let [c0, c1, c2, c3, c4, c5, c6] = SERIES;
        for (out, (&whole, &r)) in out.iter_mut().zip(whole.iter().zip(&rest)) {
            let exponent = 127u32.wrapping_sub((whole + ROUNDER_32).to_bits());
            let high = c3 + r * (c4 + r * (c5 + r * c6));
            let odds = (c0 + r * (c1 + r * (c2 + r * high))) * f32::from_bits(exponent << 23);
            *out = odds / (1.0 + odds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(a: f32, b: f32, sharpness: f64) -> f64 {
        let mut out = [f32::NAN];
        lesser(&[a], &[b], sharpness, &mut out);
        f64::from(out[0])
    }

    #[test]
    fn even_odds_and_hopeless_ones() {
        assert_eq!((probability(0.0), one(3.0, 3.0, 1.0)), (0.5, 0.5));
        assert_eq!(probability(f64::NEG_INFINITY), 0.0);
        assert_eq!(probability(f64::INFINITY), 1.0);
        assert!(probability(-1e300) < 1e-300 && probability(1e300) == 1.0);
        for far in [83.0, 84.0, 1e9, f32::MAX] {
            assert!((0.0..1e-35).contains(&one(far, 0.0, 1.0)), "{far}");
            assert!((0.0..1e-35).contains(&one(-far, far, 1e6)), "{far}");
        }
    }

    #[test]
    fn rows_of_any_length_are_filled() {
        for n in [0, 1, 63, 64, 65, 200] {
            let (a, b) = (vec![1.0; n], vec![-1.0; n]);
            let mut out = vec![f32::NAN; n + 1];
            lesser(&a, &b, 1.0, &mut out);
            let exact = probability(-2.0) as f32;
            assert!(out[..n].iter().all(|p| (p - exact).abs() < 1e-6), "{n}");
            assert!(out[n].is_nan());
        }
    }

    proptest! {
        #[test]
        fn many_at_once_are_as_one_at_a_time(
            a in -40.0..40.0f32, b in -40.0..40.0f32, sharpness in 0.01..1.0f64,
        ) {
            let apart = (f64::from(a) - f64::from(b)).abs() * sharpness;
            let exact = probability(-apart);
            let fast = one(a, b, sharpness);
            prop_assert!((fast / exact - 1.0).abs() < 1e-6, "{} {}", fast, exact);
            prop_assert_eq!(fast, one(b, a, sharpness));
        }
    }
}
