//! Readings counted by hour, day or month. Pure.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

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
}
