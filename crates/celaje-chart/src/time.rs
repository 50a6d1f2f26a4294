//! The time axis: where a moment lies, and which hours are labelled.

use chrono::{NaiveDateTime, NaiveTime, TimeDelta, Timelike};

/// Steps of labels in minutes, from which the first that leaves room is taken.
const STEPS: [u32; 10] = [5, 10, 15, 30, 60, 120, 180, 240, 360, 720];

/// Local time laid out from left to right.
#[derive(Clone, Copy)]
pub struct Axis {
    /// Moment at `left`.
    pub from: NaiveDateTime,
    /// Moment at `right`.
    pub to: NaiveDateTime,
    /// x of `from`.
    pub left: f64,
    /// x of `to`.
    pub right: f64,
}

impl Axis {
    /// The x of `t`.
    pub fn x(&self, t: NaiveDateTime) -> f64 {
        self.left + minutes(t - self.from) * self.unit()
    }

    /// The x of `t`, kept between `left` and `right`.
    pub fn x_within(&self, t: NaiveDateTime) -> f64 {
        self.x(t).clamp(self.left, self.right)
    }

    /// Width of a minute.
    pub fn unit(&self) -> f64 {
        (self.right - self.left) / minutes(self.to - self.from).max(1.0)
    }

    /// The moments to label, at round times of the day and at least `room` apart.
    pub fn ticks(&self, room: f64) -> Vec<NaiveDateTime> {
        let step = STEPS
            .into_iter()
            .find(|step| f64::from(*step) * self.unit() >= room);
        let step = step.unwrap_or(1440);
        let midnight = self.from.date().and_time(NaiveTime::MIN);
        let passed = (self.from.time().num_seconds_from_midnight()).div_ceil(60 * step);
        (passed..)
            .map_while(|n| {
                let since = TimeDelta::minutes(i64::from(n.checked_mul(step)?));
                midnight.checked_add_signed(since).filter(|t| *t <= self.to)
            })
            .collect()
    }
}

/// A length of time in minutes.
pub fn minutes(length: TimeDelta) -> f64 {
    length.num_seconds() as f64 / 60.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;

    fn at(day: u32, hour: u32, minute: u32) -> NaiveDateTime {
        NaiveDate::from_ymd_opt(2026, 11, day)
            .unwrap()
            .and_hms_opt(hour, minute, 0)
            .unwrap()
    }

    #[test]
    fn ticks_are_round_and_leave_room() {
        let axis = Axis {
            from: at(21, 12, 10),
            to: at(22, 12, 0),
            left: 100.0,
            right: 1100.0,
        };
        let ticks = axis.ticks(45.0);
        assert_eq!(ticks.first(), Some(&at(21, 14, 0)));
        assert_eq!(ticks.last(), Some(&at(22, 12, 0)));
        assert!(
            ticks
                .windows(2)
                .all(|p| axis.x(p[1]) - axis.x(p[0]) >= 45.0)
        );
    }

    #[test]
    fn a_range_of_one_minute_and_the_end_of_time_have_an_axis() {
        let axis = Axis {
            from: at(1, 0, 0),
            to: at(1, 0, 0),
            left: 0.0,
            right: 10.0,
        };
        assert!(axis.x(at(1, 0, 0)).is_finite());
        assert_eq!(axis.ticks(40.0), [at(1, 0, 0)]);
        let last = NaiveDateTime::MAX;
        let axis = Axis {
            from: last,
            to: last,
            left: 0.0,
            right: 10.0,
        };
        assert!(axis.ticks(40.0).is_empty());
    }
}
