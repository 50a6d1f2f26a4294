//! Intervals of shares: Wilson's score interval (E. B. Wilson, *Probable inference, the law of
//! succession, and statistical inference*, JASA 22, 1927, p. 209). Unlike the normal approximation
//! it stays within 0 and 1 and holds for a few dozen samples.

use crate::evaluate::figures::Estimate;

/// The normal quantile of a two-sided 95 % interval.
const Z: f64 = 1.959_964;

/// The share of `hits` among `n` and its 95 % interval; none of nothing.
pub fn share(hits: usize, n: usize) -> Option<Estimate> {
    if n == 0 {
        return None;
    }
    let (hits, n) = (hits.min(n) as f64, n as f64);
    let value = hits / n;
    let middle = (hits + Z * Z / 2.0) / (n + Z * Z);
    let half = Z / (n + Z * Z) * (hits * (n - hits) / n + Z * Z / 4.0).sqrt();
    Some(Estimate { value, low: (middle - half).max(0.0), high: (middle + half).min(1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Newcombe, Statistics in Medicine 17, 1998, table I, method 3.
    #[test]
    fn it_gives_the_published_intervals() {
        for (hits, n, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let of = share(hits, n).unwrap();
            assert!((of.low - low).abs() < 5e-5 && (of.high - high).abs() < 5e-5, "{of:?}");
        }
        assert_eq!(share(0, 0), None);
    }

    proptest! {
        #[test]
        fn it_holds_the_share(hits in 0usize..300, more in 0usize..300) {
            if let Some(of) = share(hits, hits + more) {
                prop_assert!(0.0 <= of.low && of.low <= of.value + 1e-12);
                prop_assert!(of.value <= of.high + 1e-12 && of.high <= 1.0);
            }
        }
    }
}
