//! Day, twilight and night over a range of local time.

use chrono::{NaiveDateTime, TimeDelta};

use celaje_sky::slot::Zone;
use celaje_sky::sun::{DayPhase, position};

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SunSample {
    /// Station local time.
    pub local: NaiveDateTime,
    /// Degrees above the horizon, without refraction.
    pub elevation: f64,
}

/// The sun's elevation over `from..=to`, every ten minutes and at both ends, at `latitude` and
/// `longitude` (degrees, north and east positive).
///
/// Local times that a daylight-saving change skips are left out. Between samples the elevation
/// changes by less than 2.5° and nearly linearly.
pub fn track(
    from: NaiveDateTime,
    to: NaiveDateTime,
    zone: Zone,
    latitude: f64,
    longitude: f64,
) -> Vec<SunSample> {
    let step = TimeDelta::minutes(10);
    std::iter::successors(Some(from), |t| t.checked_add_signed(step).filter(|t| *t < to))
        .chain((from < to).then_some(to))
        .filter_map(|local| {
            let elevation = position(zone.instant(local)?, latitude, longitude).elevation;
            Some(SunSample { local, elevation })
        })
        .collect()
}

/// A time of one phase, `from..to` in local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PhaseSpan {
    pub from: NaiveDateTime,
    pub to: NaiveDateTime,
    pub phase: DayPhase,
}

/// Day, twilight and night over `samples`, which ascend in time. Between samples the elevation is
/// interpolated; a single sample is a span of no length.
pub(crate) fn phases(samples: &[SunSample]) -> Vec<PhaseSpan> {
    if let [SunSample { local, elevation }] = *samples {
        let phase = DayPhase::from_elevation(elevation);
        return vec![PhaseSpan { from: local, to: local, phase }];
    }
    let mut all: Vec<PhaseSpan> = Vec::new();
    for pair in samples.windows(2) {
        let [a, b] = pair else { continue };
        let mut from = a.local;
        while from < b.local {
            let phase = phase_between(*a, *b, from);
            let to = end_of_phase(*a, *b, from, phase);
            match all.last_mut() {
                Some(last) if last.phase == phase && last.to == from => last.to = to,
                _ => all.push(PhaseSpan { from, to, phase }),
            }
            from = to;
        }
    }
    all
}

fn phase_between(a: SunSample, b: SunSample, at: NaiveDateTime) -> DayPhase {
    let whole = (b.local - a.local).num_seconds() as f64;
    let part = (at - a.local).num_seconds() as f64 / whole;
    DayPhase::from_elevation(a.elevation + part * (b.elevation - a.elevation))
}

/// The first second after `from`, at most `b`'s, at which it is no longer `phase`.
fn end_of_phase(a: SunSample, b: SunSample, from: NaiveDateTime, phase: DayPhase) -> NaiveDateTime {
    if phase_between(a, b, b.local) == phase {
        return b.local;
    }
    let (mut same, mut other) = (0, (b.local - from).num_seconds());
    while other - same > 1 {
        let middle = same + (other - same) / 2;
        if phase_between(a, b, from + TimeDelta::seconds(middle)) == phase {
            same = middle;
        } else {
            other = middle;
        }
    }
    from + TimeDelta::seconds(other.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;
    use DayPhase::{Day, Night, Twilight};

    fn rio_grande(from: NaiveDateTime, to: NaiveDateTime) -> Vec<SunSample> {
        let zone = "America/Argentina/Ushuaia".parse().unwrap();
        track(from, to, zone, -53.79, -67.70)
    }

    fn kinds(spans: &[PhaseSpan]) -> Vec<DayPhase> {
        spans.iter().map(|span| span.phase).collect()
    }

    #[test]
    fn the_track_reaches_both_ends() {
        let (from, to) = (at(12, 1, 0, 0), at(12, 1, 23, 59));
        let samples = rio_grande(from, to);
        assert_eq!(samples.len(), 145);
        assert_eq!((samples[0].local, samples[144].local), (from, to));
        assert_eq!(rio_grande(from, from).len(), 1);
    }

    #[test]
    fn a_summer_day_in_the_far_south_has_twilight_all_night() {
        let found = phases(&rio_grande(at(12, 21, 0, 0), at(12, 21, 23, 59)));
        assert_eq!(kinds(&found), [Twilight, Day, Twilight]);
        // Sunrise and sunset lie symmetrically about local noon, longitude/15 hours from UTC, less
        // the equation of time (+2 minutes on that day): 13:29.
        let noon = found[1].from + (found[1].to - found[1].from) / 2;
        assert!((noon - at(12, 21, 13, 29)).num_minutes().abs() <= 1, "{noon}");
    }

    #[test]
    fn spans_join_and_cross_both_edges_of_twilight() {
        let samples = [(0, 10.0), (6, -30.0), (12, -30.0), (18, 10.0)];
        let found = phases(
            &samples.map(|(hour, elevation)| SunSample { local: at(12, 1, hour, 0), elevation }),
        );
        assert_eq!(kinds(&found), [Day, Twilight, Night, Twilight, Day]);
        let ends = (found[0].from, found[4].to);
        assert_eq!(ends, (at(12, 1, 0, 0), at(12, 1, 18, 0)));
        assert!(found.windows(2).all(|pair| pair[0].to == pair[1].from));
        // 28° of 40° in six hours: −18° is reached after 4 h 12 min.
        let night = found[2].from;
        assert!((night - at(12, 1, 4, 12)).num_seconds().abs() <= 1, "{night}");
    }
}
