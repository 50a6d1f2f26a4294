//! Whether values go up or down: a robust line, with the interval of its slope.

/// z of a two-sided 95 % interval.
const Z: f64 = 1.96;

/// A line through points, and how sure its slope is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// Change of y a unit of x: the median of the slopes between any two points.
    pub slope: f64,
    /// y at x = 0: the median of what the slope leaves.
    pub start: f64,
    /// The 95 % interval of the slope.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Trend {
    /// Whether the slope can be told from none: its interval does not hold 0.
    pub fn is_told(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

/// The trend of `points`, whose x ascends; none with fewer than three, or where all have one x.
///
/// The Theil–Sen estimator with Sen's interval from the variance of Mann and Kendall's S, ties
/// counted: up to 29 % of the points may be arbitrarily wrong without harm, and gaps need no
/// filling. Neighbours that are alike tell less than their number says: the variance is widened by
/// (1 + r) / (1 − r), r the correlation of what the line leaves of one point and the next, where it
/// is positive. Sources: P. K. Sen, J. Am. Stat. Assoc. 63 (1968) 1379–1389; S. Yue and C. Wang,
/// Water Resour. Manag. 18 (2004) 201–218. It is no forecast.
pub fn trend(points: &[(f64, f64)]) -> Option<Trend> {
    if points.len() < 3 {
        return None;
    }
    let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
    for (n, a) in points.iter().enumerate() {
        let later = points.iter().skip(n + 1).filter(|b| b.0 > a.0);
        slopes.extend(later.map(|b| (b.1 - a.1) / (b.0 - a.0)));
    }
    let slope = median(&mut slopes)?;
    let mut rest: Vec<f64> = points.iter().map(|(x, y)| y - slope * x).collect();
    let widened = widening(&rest);
    let start = median(&mut rest)?;
    let half = Z * (variance_of_s(points) * widened).sqrt();
    slopes.sort_unstable_by(f64::total_cmp);
    let n = slopes.len() as f64;
    let rank = |rank: f64| slopes[(rank.clamp(0.0, n - 1.0)) as usize];
    let low = rank(((n - half) / 2.0).floor());
    let high = rank(((n + half) / 2.0).ceil());
    Some(Trend { slope, start, low, high })
}

/// The variance of the number of pairs that ascend less those that descend, were there no trend.
fn variance_of_s(points: &[(f64, f64)]) -> f64 {
    let of = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
    let mut ys: Vec<f64> = points.iter().map(|point| point.1).collect();
    ys.sort_unstable_by(f64::total_cmp);
    let ties = ys.chunk_by(|a, b| a.total_cmp(b).is_eq()).map(|tied| of(tied.len() as f64));
    ((of(points.len() as f64) - ties.sum::<f64>()) / 18.0).max(0.0)
}

/// By how much likeness of neighbours widens the variance.
fn widening(rest: &[f64]) -> f64 {
    let mean = rest.iter().sum::<f64>() / rest.len() as f64;
    let whole: f64 = rest.iter().map(|value| (value - mean).powi(2)).sum();
    let pairs = rest.iter().zip(rest.iter().skip(1));
    let both: f64 = pairs.map(|(a, b)| (a - mean) * (b - mean)).sum();
    let likeness = if whole > 0.0 { (both / whole).clamp(0.0, 0.95) } else { 0.0 };
    (1.0 + likeness) / (1.0 - likeness)
}

/// The median; it puts `values` into another order.
pub fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len().checked_sub(1)? / 2;
    let even = values.len().is_multiple_of(2);
    let (_, &mut low, above) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let high = above.iter().copied().reduce(f64::min).filter(|_| even);
    Some(high.map_or(low, |high| f64::midpoint(low, high)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Rng;
    use proptest::prelude::*;

    #[test]
    fn the_trend_is_the_line_even_with_outliers_and_gaps() {
        let mut points: Vec<_> =
            (0..20).map(|n| (f64::from(n), 2.0 + 0.3 * f64::from(n))).collect();
        points[4].1 = 100.0;
        points[11].1 = -100.0;
        points.remove(7);
        let found = trend(&points).unwrap();
        assert!((found.slope - 0.3).abs() < 0.01 && (found.start - 2.0).abs() < 0.1, "{found:?}");
        assert!(found.is_told(), "{found:?}");
        assert_eq!(trend(&points[..2]), None);
        assert_eq!(trend(&[(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]), None);
    }

    /// Noise of 60 days, each like the one before with `likeness`; how often a trend is told.
    fn told(likeness: f64, slope: f64) -> usize {
        let mut random = Rng::new(7);
        let mut told = 0;
        for _ in 0..300 {
            let mut value = 0.0;
            let points: Vec<_> = (0..60)
                .map(|day| {
                    let noise = (0..4).map(|_| f64::from(random.unit()) - 0.5).sum::<f64>();
                    value = likeness * value + noise;
                    (f64::from(day), value + slope * f64::from(day))
                })
                .collect();
            told += usize::from(trend(&points).unwrap().is_told());
        }
        told
    }

    #[test]
    fn noise_has_rarely_a_trend_and_a_slope_mostly() {
        let (plain, alike, slope) = (told(0.0, 0.0), told(0.5, 0.0), told(0.0, 0.03));
        // 5 of 100 would be 15.
        assert!((3..=30).contains(&plain), "{plain}");
        // Without the widening these were 75.
        assert!(alike <= 36, "{alike}");
        assert!(slope > 280, "{slope}");
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_slope(
            values in prop::collection::vec(-9.0..9.0f64, 3..60),
        ) {
            let points: Vec<_> = (0..).map(f64::from).zip(values).collect();
            let found = trend(&points).unwrap();
            prop_assert!(found.low <= found.slope && found.slope <= found.high, "{found:?}");
        }

        #[test]
        fn what_is_level_has_none(value in -8.0..8.0f64, n in 3..60_u32) {
            let points: Vec<_> = (0..n).map(|x| (f64::from(x), value)).collect();
            let found = trend(&points).unwrap();
            prop_assert_eq!((found.slope, found.is_told()), (0.0, false));
        }

        #[test]
        fn the_median_has_half_of_the_values_on_each_side(
            mut values in prop::collection::vec(-9.0..9.0f64, 1..50),
        ) {
            let found = median(&mut values).unwrap();
            let below = values.iter().filter(|v| **v < found).count();
            let above = values.iter().filter(|v| **v > found).count();
            prop_assert!(2 * below <= values.len() && 2 * above <= values.len());
        }
    }
}
