//! How old a reading is. The clock tells it where somebody confirms the clock. Where nobody does,
//! only what came while the program runs counts. No reading is younger than the time since it came,
//! which no setting of a clock changes.

use chrono::{DateTime, TimeDelta, Utc};

use super::{SkyReading, is_of_later_time};

/// A reading in memory.
#[derive(Clone, Copy, Debug)]
pub struct HeldReading<'a> {
    /// The reading.
    pub reading: &'a SkyReading,
    /// How long ago it came; none where it was there when the program began.
    pub came: Option<TimeDelta>,
}

/// A reading that counts.
#[derive(Clone, Copy, Debug)]
pub struct CountedReading<'a> {
    /// The moment that it is of: by the clock or by when it came, whichever is longer ago.
    pub moment: DateTime<Utc>,
    /// When it came; none where it was there when the program began.
    pub came: Option<DateTime<Utc>>,
    /// The reading.
    pub reading: &'a SkyReading,
}

impl CountedReading<'_> {
    /// The reading, as of its moment.
    pub fn dated(&self) -> SkyReading {
        SkyReading { at: self.moment, came: self.came, ..self.reading.clone() }
    }
}

/// What the age of readings is measured by.
#[derive(Clone, Copy, Debug)]
pub struct AgeMeasure {
    /// What the clock shows.
    pub now: DateTime<Utc>,
    /// Whether somebody confirms that.
    pub is_confirmed: bool,
    /// How long the program runs.
    pub running: TimeDelta,
    /// A reading older than this is stale.
    pub stale_after: TimeDelta,
}

impl AgeMeasure {
    /// The readings up to now that count, ascending by the moments that they are of. None while
    /// nobody knows how old the newest reading is. `held` ascends by the readings' own moments.
    pub fn counted<'a>(
        &self,
        held: impl IntoIterator<Item = HeldReading<'a>>,
    ) -> Option<Vec<CountedReading<'a>>> {
        let mut past: Vec<_> = held.into_iter().collect();
        let is_later = |at| is_of_later_time(at, self.now, self.stale_after);
        if !self.is_confirmed && past.last().is_some_and(|newest| is_later(newest.reading.at)) {
            return None;
        }
        past.retain(|held| held.reading.at <= self.now);
        // An old reading is stale by any clock.
        let is_old = |newest: &HeldReading<'_>| self.now - newest.reading.at >= self.stale_after;
        if let Some(newest) = past.last().copied().filter(|newest| !is_old(newest)) {
            if !self.counts(&newest) {
                return None;
            }
            past.retain(|held| self.counts(held));
        }
        let mut counted: Vec<_> = past.iter().map(|held| self.dated(held)).collect();
        counted.sort_by_key(|counted| counted.moment);
        Some(counted)
    }

    /// The readings up to now with their moments as above, whether they count or not: for what is
    /// told of the sky and makes nothing safe.
    pub fn told<'a>(
        &self,
        held: impl IntoIterator<Item = HeldReading<'a>>,
    ) -> Vec<CountedReading<'a>> {
        let past = held.into_iter().filter(|held| held.reading.at <= self.now);
        let mut told: Vec<_> = past.map(|held| self.dated(&held)).collect();
        told.sort_by_key(|told| told.moment);
        told
    }

    /// Whether it is known how old a reading is: the clock is confirmed, or the program has seen
    /// the reading come, of a picture that was taken since it began.
    fn counts(&self, held: &HeldReading<'_>) -> bool {
        let is_of_this_run = self.now - held.reading.at <= self.running;
        self.is_confirmed || (held.came.is_some() && is_of_this_run)
    }

    fn dated<'a>(&self, held: &HeldReading<'a>) -> CountedReading<'a> {
        let came = held.came.and_then(|came| self.now.checked_sub_signed(came));
        let moment = came.map_or(held.reading.at, |came| came.min(held.reading.at));
        CountedReading { moment, came, reading: held.reading }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cover::Cover;
    use crate::quality::Quality;
    use crate::safety::rule::{SafetyRule, SkyPart, SunLimit};
    use crate::safety::{SafetyReason, SafetyState, assess_by};
    use crate::station::zone::SkyParts;
    use proptest::prelude::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_720_000_000 / 60 * 60, 0).unwrap() + TimeDelta::minutes(minute)
    }

    fn rule() -> SafetyRule {
        SafetyRule {
            part: SkyPart::All,
            safe_below: 2.0,
            unsafe_above: 4.0,
            safe_after: TimeDelta::minutes(10),
            unsafe_after: TimeDelta::zero(),
            stale_after: TimeDelta::minutes(25),
            min_confidence: 0.5,
            when: SunLimit::Always,
        }
    }

    fn reading(at: DateTime<Utc>, okta: u8) -> SkyReading {
        SkyReading {
            at,
            came: None,
            cover: Cover::from_code(okta).unwrap(),
            cloud_fraction: Some(f64::from(okta) / 8.0),
            parts: SkyParts::default(),
            confidence: Some(0.9),
            quality: Quality::default(),
        }
    }

    /// A picture of a camera that shares the program's clock.
    #[derive(Clone, Copy, Debug)]
    struct Taken {
        /// The minute in which it is truly taken,
        truly: i64,
        /// and the moment that its reading bears.
        at: DateTime<Utc>,
        okta: u8,
    }

    /// What is said at a true minute by a clock that is `ahead` by so many minutes, where the
    /// program began at another one: what was taken before was in the record then.
    fn says(sky: &[Taken], began: i64, now: i64, ahead: i64, is_confirmed: bool) -> SafetyState {
        let mut sky: Vec<_> = sky.iter().filter(|one| one.truly <= now).collect();
        sky.sort_by_key(|one| one.at);
        let readings: Vec<_> = sky.iter().map(|one| reading(one.at, one.okta)).collect();
        let held = readings.iter().zip(&sky).map(|(reading, one)| HeldReading {
            reading,
            came: (one.truly > began).then(|| TimeDelta::minutes(now - one.truly)),
        });
        let measure = AgeMeasure {
            now: at(now + ahead),
            is_confirmed,
            running: TimeDelta::minutes(now - began),
            stale_after: rule().stale_after,
        };
        let Some(counted) = measure.counted(held) else { return SafetyState::in_doubt() };
        let counted: Vec<_> = counted.iter().map(CountedReading::dated).collect();
        assess_by(&rule(), counted.iter(), measure.now, true)
    }

    /// A clear picture each ten minutes up to this one, by a clock that is `ahead`.
    fn clear(to: i64, ahead: i64) -> Vec<Taken> {
        (0..=to / 10).map(|n| Taken { truly: n * 10, at: at(n * 10 + ahead), okta: 0 }).collect()
    }

    #[test]
    fn the_records_readings_count_where_the_clock_is_confirmed_and_else_what_came_since() {
        use SafetyReason as R;
        let says = |now, is_confirmed| {
            let state = says(&clear(now, 0), 35, now, 0, is_confirmed);
            (state.safe, state.reason)
        };
        assert_eq!(says(36, true), (true, R::Clear));
        assert_eq!(says(36, false), (false, R::ClockInDoubt));
        assert_eq!(says(41, false), (false, R::Waiting));
        assert_eq!(says(51, false), (true, R::Clear));
    }

    /// It was off for six hours, and its clock goes on from where it stood.
    #[test]
    fn a_clock_that_is_behind_makes_no_reading_of_the_record_fresh() {
        use SafetyReason as R;
        let mut sky = clear(30, 0);
        let says = |sky: &[Taken], now: i64| {
            let state = says(sky, 360 + 31, now, -360, false);
            (state.safe, state.reason)
        };
        assert_eq!(says(&sky, 360 + 35), (false, R::ClockInDoubt));
        // A dead camera is one, too.
        assert_eq!(says(&sky, 360 + 56), (false, R::Stale));
        sky.push(Taken { truly: 360 + 40, at: at(40), okta: 0 });
        assert_eq!(says(&sky, 360 + 41), (false, R::Waiting));
        sky.push(Taken { truly: 360 + 50, at: at(50), okta: 0 });
        assert_eq!(says(&sky, 360 + 51), (true, R::Clear));
        // Its pictures end.
        assert_eq!(says(&sky, 360 + 74), (true, R::Clear));
        assert_eq!(says(&sky, 360 + 75), (false, R::Stale));
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_reading_younger() {
        let sky = clear(60, 0);
        for back in 0..=12 {
            let safe = |now| says(&sky, -1, now, -back, false).safe;
            assert!(safe(60 + 24), "set back by {back} minutes");
            assert!(!safe(60 + 25), "set back by {back} minutes");
        }
    }

    fn any_sky() -> impl Strategy<Value = Vec<(i64, u8)>> {
        prop::collection::vec((1..30_i64, prop_oneof![4 => Just(0_u8), 1 => Just(8)]), 0..20)
    }

    proptest! {
        /// The machine was off for a while that its clock may not have noticed, and the clock is
        /// set while the program runs: a sky is safe by two readings that truly came since, and
        /// are fresh.
        #[test]
        fn without_a_witness_safe_is_what_came_in_time(
            before in any_sky(), off in 1..600_i64, wrong in -30..30_i64,
            after in any_sky(), set in -40..40_i64, is_set_at in 0..200_i64, later in 0..60_i64,
        ) {
            let mut truly = 0;
            let mut taken: Vec<Taken> = Vec::new();
            let mut take = |truly: i64, ahead: i64, okta: u8| {
                let one = Taken { truly, at: at(truly + ahead), okta };
                // A slot that has a reading is not read again.
                if taken.iter().all(|other| other.at != one.at) {
                    taken.push(one);
                }
            };
            for (step, okta) in before {
                truly += step;
                take(truly, 0, okta);
            }
            truly += off;
            let began = truly;
            let ahead = |truly: i64| {
                wrong - off + if truly - began > is_set_at { set } else { 0 }
            };
            for (step, okta) in after {
                truly += step;
                take(truly, ahead(truly), okta);
            }
            let now = truly + later;
            let state = says(&taken, began, now, ahead(now), false);
            if state.safe {
                let came: Vec<i64> =
                    taken.iter().map(|one| one.truly).filter(|truly| *truly > began).collect();
                prop_assert!(came.len() >= 2, "{came:?}");
                let [.., before, last] = came[..] else { unreachable!() };
                prop_assert!(now - last <= 25 && now - before <= 50, "{came:?} at {now}");
            }
        }

        #[test]
        fn a_right_clock_that_is_confirmed_counts_all(
            sky in any_sky(), began in 0..300_i64, later in 0..60_i64,
        ) {
            let mut truly = 0;
            let taken: Vec<Taken> = sky.into_iter().map(|(step, okta)| {
                truly += step;
                Taken { truly, at: at(truly), okta }
            }).collect();
            let readings: Vec<_> = taken.iter().map(|one| reading(one.at, one.okta)).collect();
            let now = truly + later;
            let plain = assess_by(&rule(), readings.iter(), at(now), true);
            prop_assert_eq!(says(&taken, began, now, 0, true), plain);
        }
    }
}
