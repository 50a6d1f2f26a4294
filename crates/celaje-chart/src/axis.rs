//! Axes: where a moment or a value lies, and which of them are labelled.

use chrono::{Datelike, NaiveDateTime, NaiveTime, TimeDelta, Timelike};

use super::font::text_width;
use super::words::{day_and_month, short_month};
use celaje_sky::text::Lang;

/// Size of the labels of an axis.
pub const LABEL: f64 = 12.5;

/// Spacings of labels in minutes, in the order in which they are tried.
const SPACINGS: [u32; 10] = [5, 10, 15, 30, 60, 120, 180, 240, 360, 720];

/// Local time from left to right.
#[derive(Clone, Copy)]
pub struct TimeAxis {
    /// Moment at x = `left`.
    pub from: NaiveDateTime,
    /// Moment at x = `right`.
    pub to: NaiveDateTime,
    pub left: f64,
    pub right: f64,
}

impl TimeAxis {
    pub fn x(&self, t: NaiveDateTime) -> f64 {
        self.left + minutes(t - self.from) * self.unit()
    }

    /// The x of `t`, clamped to `left..=right`.
    pub fn x_within(&self, t: NaiveDateTime) -> f64 {
        self.x(t).clamp(self.left, self.right)
    }

    /// Width of a minute.
    pub fn unit(&self) -> f64 {
        (self.right - self.left) / minutes(self.to - self.from).max(1.0)
    }

    /// The moments to label: round times of the day, at least `room` units apart.
    pub fn ticks(&self, room: f64) -> Vec<NaiveDateTime> {
        let fits = |spacing: &u32| f64::from(*spacing) * self.unit() >= room;
        let spacing = SPACINGS.into_iter().find(fits).unwrap_or(1440);
        let midnight = self.from.date().and_time(NaiveTime::MIN);
        let passed = (self.from.time().num_seconds_from_midnight()).div_ceil(60 * spacing);
        (passed..)
            .map_while(|n| {
                let since = TimeDelta::minutes(i64::from(n.checked_mul(spacing)?));
                midnight.checked_add_signed(since).filter(|t| *t <= self.to)
            })
            .collect()
    }
}

/// A length of time in minutes.
pub fn minutes(length: TimeDelta) -> f64 {
    length.num_seconds() as f64 / 60.0
}

/// Values from 0 to `most`, from bottom to top.
#[derive(Clone, Copy)]
pub struct ValueAxis {
    /// y of 0.
    pub zero: f64,
    /// y of `most`.
    pub top: f64,
    pub most: f64,
}

impl ValueAxis {
    pub fn y(&self, value: f64) -> f64 {
        self.zero - (self.zero - self.top) * value / self.most
    }
}

/// Which buckets are labelled.
#[derive(Clone, Copy)]
enum LabelStep {
    Hours(u32),
    Days(i32),
    Months(u32),
    Years(i32),
}

use LabelStep::{Days, Hours, Months, Years};

const LABEL_STEPS: [LabelStep; 14] = [
    Hours(1),
    Hours(2),
    Hours(3),
    Hours(6),
    Hours(12),
    Days(1),
    Days(2),
    Days(7),
    Months(1),
    Months(2),
    Months(3),
    Months(6),
    Years(1),
    Years(5),
];

impl LabelStep {
    fn falls_on(self, t: NaiveDateTime) -> bool {
        let midnight = t.time() == NaiveTime::MIN;
        match self {
            Hours(n) => t.minute() == 0 && t.hour().is_multiple_of(n),
            Days(n) => midnight && t.date().num_days_from_ce() % n == 1 % n,
            Months(n) => midnight && t.day() == 1 && t.month0().is_multiple_of(n),
            Years(n) => midnight && t.ordinal() == 1 && t.year() % n == 0,
        }
    }

    fn label(self, lang: Lang, t: NaiveDateTime) -> String {
        match self {
            Hours(_) if t.time() != NaiveTime::MIN => t.format("%H:%M").to_string(),
            Hours(_) | Days(_) => day_and_month(lang, t.date()),
            Months(_) if t.month() != 1 => short_month(lang, t.month()),
            Months(_) | Years(_) => t.year().to_string(),
        }
    }
}

/// Labels of buckets that begin at `times` and are `pitch` units wide: at round moments, as many
/// as fit.
pub fn labels(lang: Lang, times: &[NaiveDateTime], pitch: f64) -> Vec<(usize, String)> {
    for step in LABEL_STEPS {
        let found: Vec<(usize, String)> = (times.iter().enumerate())
            .filter(|(_, t)| step.falls_on(**t))
            .map(|(i, t)| (i, step.label(lang, *t)))
            .collect();
        let fits = |pair: &[(usize, String)]| match pair {
            [a, b] => (b.0 - a.0) as f64 * pitch >= text_width(&a.1, LABEL) + 12.0,
            _ => true,
        };
        if found.windows(2).all(fits) && (!found.is_empty() || matches!(step, Years(_))) {
            return found;
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::{Unit, regular};
    use crate::testing::at;

    fn axis(from: NaiveDateTime, to: NaiveDateTime) -> TimeAxis {
        let (left, right) = (100.0, 1100.0);
        TimeAxis { from, to, left, right }
    }

    #[test]
    fn ticks_are_round_and_leave_room() {
        let axis = axis(at(11, 21, 12, 10), at(11, 22, 12, 0));
        let ticks = axis.ticks(45.0);
        assert_eq!(ticks.first(), Some(&at(11, 21, 14, 0)));
        assert_eq!(ticks.last(), Some(&at(11, 22, 12, 0)));
        let mut pairs = ticks.windows(2);
        assert!(pairs.all(|p| axis.x(p[1]) - axis.x(p[0]) >= 45.0));
    }

    #[test]
    fn a_range_of_one_minute_and_the_end_of_time_have_an_axis() {
        let t = at(11, 1, 0, 0);
        let minute = axis(t, t);
        assert!(minute.x(t).is_finite());
        assert_eq!(minute.ticks(40.0), [t]);
        let last = NaiveDateTime::MAX;
        assert!(axis(last, last).ticks(40.0).is_empty());
    }

    fn times(unit: Unit, days: i64) -> Vec<NaiveDateTime> {
        let from = at(1, 5, 0, 0);
        let to = from + TimeDelta::days(days) - TimeDelta::minutes(1);
        let buckets = regular(unit, from, to, Vec::new());
        buckets.iter().map(|bucket| bucket.from).collect()
    }

    #[test]
    fn labels_are_round_and_never_touch() {
        for (unit, days) in [
            (Unit::Hour, 1),
            (Unit::Hour, 7),
            (Unit::Hour, 31),
            (Unit::Day, 31),
            (Unit::Day, 400),
            (Unit::Day, 4000),
            (Unit::Month, 4000),
        ] {
            let times = times(unit, days);
            for width in [300.0, 1000.0, 3000.0] {
                let pitch = width / times.len() as f64;
                let found = labels(Lang::Es, &times, pitch);
                assert!(!found.is_empty(), "{unit:?} {days} {width}");
                for pair in found.windows(2) {
                    let between = (pair[1].0 - pair[0].0) as f64 * pitch;
                    assert!(between > text_width(&pair[0].1, LABEL), "{pair:?} {width}");
                }
            }
        }
    }

    #[test]
    fn a_day_has_hours_and_a_year_its_months() {
        let day = labels(Lang::Es, &times(Unit::Hour, 1), 40.0);
        assert_eq!((day[0].1.as_str(), day[1].1.as_str()), ("5 ene", "02:00"));
        let year = labels(Lang::Es, &times(Unit::Day, 365), 3.0);
        assert_eq!((year[0].1.as_str(), year[10].1.as_str()), ("feb", "dic"));
    }
}
