//! Readings counted by hour, day or month, and the trend of their means. Pure.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};

use celaje_sky::cover::OBSCURED;

/// How long a bucket is, by the station's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Hour,
    Day,
    Month,
}

impl Unit {
    /// The beginning of the bucket that `t` falls into.
    pub fn floor(self, t: NaiveDateTime) -> NaiveDateTime {
        let midnight = t.date().and_time(NaiveTime::MIN);
        match self {
            Self::Hour => midnight + TimeDelta::hours(i64::from(t.hour())),
            Self::Day => midnight,
            Self::Month => midnight.with_day(1).unwrap_or(midnight),
        }
    }

    /// The beginning of the bucket after the one that begins at `from`; none at the end of time.
    pub fn next(self, from: NaiveDateTime) -> Option<NaiveDateTime> {
        match self {
            Self::Hour => from.checked_add_signed(TimeDelta::hours(1)),
            Self::Day => from.checked_add_signed(TimeDelta::days(1)),
            Self::Month => {
                let (year, month) = (from.year(), from.month());
                let (year, month) = (year + (month / 12) as i32, month % 12 + 1);
                Some(NaiveDate::from_ymd_opt(year, month, 1)?.and_time(NaiveTime::MIN))
            }
        }
    }
}

/// The readings of an hour, a day or a month.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    /// Its beginning, station local time.
    pub from: NaiveDateTime,
    /// How many readings there are of 0, 1, … 8 oktas.
    pub oktas: [u32; 9],
    /// How many pictures did not show the sky.
    pub obscured: u32,
    /// Mean confidence of the readings that have one, 0 to 1.
    pub confidence: Option<f64>,
}

impl Bucket {
    /// A bucket without any reading.
    pub const fn empty(from: NaiveDateTime) -> Self {
        Self { from, oktas: [0; 9], obscured: 0, confidence: None }
    }

    /// Counts `n` readings of the WMO code figure `code`; another code is left out.
    pub fn count(&mut self, code: u8, n: u32) {
        if let Some(count) = self.oktas.get_mut(usize::from(code)) {
            *count = count.saturating_add(n);
        } else if code == OBSCURED {
            self.obscured = self.obscured.saturating_add(n);
        }
    }

    /// Readings that have an amount.
    pub fn read(&self) -> u32 {
        self.oktas.iter().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// Whether there is no reading at all, not even of a hidden sky.
    pub fn is_gap(&self) -> bool {
        self.read() == 0 && self.obscured == 0
    }

    /// The share of the pictures that did not show the sky, 0 to 1; 0 without any picture.
    pub fn hidden_share(&self) -> f64 {
        let all = self.read().saturating_add(self.obscured);
        f64::from(self.obscured) / f64::from(all.max(1))
    }

    /// The mean amount in oktas; none without a reading.
    pub fn mean(&self) -> Option<f64> {
        let read = self.read();
        let sum: f64 = (0..9).zip(self.oktas).map(|(okta, n)| f64::from(okta) * f64::from(n)).sum();
        (read > 0).then(|| sum / f64::from(read))
    }
}

/// The most buckets of a chart.
const MOST: usize = 5000;

/// Every bucket of `from..=to`, in order: those of `known`, and empty ones where there is none;
/// the last `MOST` of a range that has more.
pub fn regular(
    unit: Unit,
    from: NaiveDateTime,
    to: NaiveDateTime,
    known: Vec<Bucket>,
) -> Vec<Bucket> {
    let mut by_time: BTreeMap<NaiveDateTime, Bucket> =
        known.into_iter().map(|bucket| (bucket.from, bucket)).collect();
    let begins: Vec<NaiveDateTime> =
        std::iter::successors(Some(unit.floor(from)), |t| unit.next(*t))
            .take_while(|t| *t <= to)
            .collect();
    begins[begins.len().saturating_sub(MOST)..]
        .iter()
        .map(|t| by_time.remove(t).unwrap_or_else(|| Bucket::empty(*t)))
        .collect()
}

/// A straight line through means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// Oktas a bucket.
    pub slope: f64,
    /// Oktas at the first bucket.
    pub start: f64,
}

/// The fewest means that make a trend.
const TREND_NEEDS: usize = 8;
/// If there are more means, every second one (or fewer) makes the trend.
const TREND_MEANS: usize = 800;

/// The trend of the means of `buckets`, which are evenly spaced; none with fewer than
/// `TREND_NEEDS` means.
///
/// The Theil–Sen estimator: the median of the slopes between any two means, and the median of the
/// residuals. Up to 29 % of the means may be arbitrarily wrong without harm, and gaps need no
/// filling. Source: P. K. Sen, "Estimates of the regression coefficient based on Kendall's tau",
/// J. Am. Stat. Assoc. 63 (1968) 1379–1389. It is no forecast.
pub fn trend(buckets: &[Bucket]) -> Option<Trend> {
    let means: Vec<(f64, f64)> = buckets
        .iter()
        .enumerate()
        .filter_map(|(i, bucket)| Some((i as f64, bucket.mean()?)))
        .collect();
    if means.len() < TREND_NEEDS {
        return None;
    }
    let every = means.len().div_ceil(TREND_MEANS);
    let means: Vec<(f64, f64)> = means.into_iter().step_by(every).collect();
    let mut slopes = Vec::with_capacity(means.len() * means.len() / 2);
    for (n, a) in means.iter().enumerate() {
        slopes.extend(means.iter().skip(n + 1).map(|b| (b.1 - a.1) / (b.0 - a.0)));
    }
    let slope = median(slopes)?;
    let start = median(means.iter().map(|(x, y)| y - slope * x).collect())?;
    Some(Trend { slope, start })
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    let middle = values.len().checked_sub(1)? / 2;
    let even = values.len().is_multiple_of(2);
    let (_, &mut low, above) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let high = above.iter().copied().reduce(f64::min).filter(|_| even);
    Some(high.map_or(low, |high| f64::midpoint(low, high)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;
    use proptest::prelude::*;

    fn of(from: NaiveDateTime, codes: &[u8]) -> Bucket {
        let mut bucket = Bucket::empty(from);
        for code in codes {
            bucket.count(*code, 1);
        }
        bucket
    }

    #[test]
    fn a_hidden_sky_is_in_no_mean() {
        let bucket = of(at(1, 1, 0, 12), &[0, 8, 9, 9, 77]);
        assert_eq!((bucket.read(), bucket.obscured), (2, 2));
        assert_eq!(bucket.mean(), Some(4.0));
        assert_eq!(bucket.hidden_share(), 0.5);
        let hidden = of(at(1, 1, 0, 12), &[9]);
        assert_eq!((hidden.mean(), hidden.is_gap()), (None, false));
        assert_eq!(hidden.hidden_share(), 1.0);
        assert!(of(at(1, 1, 0, 12), &[]).is_gap());
    }

    #[test]
    fn a_missing_day_is_an_empty_bucket_and_not_zero() {
        let known = vec![
            of(Unit::Day.floor(at(2, 27, 5, 12)), &[3]),
            of(Unit::Day.floor(at(3, 2, 5, 12)), &[0]),
        ];
        let days = regular(Unit::Day, at(2, 27, 1, 12), at(3, 2, 23, 12), known);
        let means: Vec<_> = days.iter().map(Bucket::mean).collect();
        assert_eq!(means, [Some(3.0), None, None, Some(0.0)]);
    }

    #[test]
    fn buckets_begin_by_the_clock() {
        let t = at(12, 31, 23, 12);
        for (unit, begin, next) in [
            (Unit::Hour, "2026-12-31 23:00:00", "2027-01-01 00:00:00"),
            (Unit::Day, "2026-12-31 00:00:00", "2027-01-01 00:00:00"),
            (Unit::Month, "2026-12-01 00:00:00", "2027-01-01 00:00:00"),
        ] {
            let found = unit.floor(t);
            assert_eq!(found.to_string(), begin);
            assert_eq!(unit.next(found).unwrap().to_string(), next);
        }
    }

    #[test]
    fn a_long_range_is_cut_to_its_last_buckets() {
        let (from, to) = (NaiveDateTime::MIN, at(1, 1, 0, 12));
        let from = from.max(at(1, 1, 0, 12) - TimeDelta::days(9000));
        let days = regular(Unit::Day, from, to, Vec::new());
        assert_eq!(days.len(), MOST);
        assert_eq!(days[MOST - 1].from, Unit::Day.floor(to));
    }

    #[test]
    fn the_trend_is_the_line_even_with_outliers_and_gaps() {
        // 0 to 7 in eight days, then a gap, and two days that have nothing to do with it.
        let mut days: Vec<Bucket> =
            (0..8).map(|n| of(at(1, 1 + u32::from(n), 0, 12), &[n])).collect();
        assert_eq!(trend(&days[..7]), None);
        days.push(Bucket::empty(at(1, 9, 0, 12)));
        days.push(of(at(1, 10, 0, 12), &[0]));
        let found = trend(&days).unwrap();
        assert!((found.slope - 1.0).abs() < 0.01, "{found:?}");
        assert!(found.start.abs() < 0.01, "{found:?}");
    }

    proptest! {
        #[test]
        fn a_level_sky_has_no_trend(
            okta in 0u8..=8,
            gaps in prop::collection::vec(any::<bool>(), 8..60),
        ) {
            let days: Vec<Bucket> = gaps.iter().map(|gap| {
                if *gap { Bucket::empty(at(1, 1, 0, 12)) } else { of(at(1, 1, 0, 12), &[okta]) }
            }).collect();
            if let Some(found) = trend(&days) {
                prop_assert!(found.slope.abs() < 1e-9);
                prop_assert!((found.start - f64::from(okta)).abs() < 1e-9);
            }
        }

        #[test]
        fn the_median_has_half_of_the_values_on_each_side(
            values in prop::collection::vec(-9.0..9.0f64, 1..50),
        ) {
            let found = median(values.clone()).unwrap();
            let below = values.iter().filter(|v| **v < found).count();
            let above = values.iter().filter(|v| **v > found).count();
            prop_assert!(2 * below <= values.len() && 2 * above <= values.len());
        }
    }
}
