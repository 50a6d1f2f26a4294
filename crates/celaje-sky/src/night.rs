//! The night over a place, from sunset to sunrise: its twilights, and when the moon is up.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{moon, sun};

/// From one moment to another.
pub type Period = (DateTime<Utc>, DateTime<Utc>);

/// Elevation of the sun's centre at sunrise and sunset, degrees.
const SUNSET: f64 = -0.833;
const CIVIL: f64 = -6.0;
const NAUTICAL: f64 = -12.0;
const ASTRONOMICAL: f64 = -18.0;
/// Distance of the moments that are looked at; what crosses a height twice between two of them is
/// not seen to cross it.
const STEP: TimeDelta = TimeDelta::minutes(5);
const DAY: TimeDelta = TimeDelta::hours(24);
/// From one rise of the moon to the next, a little more.
const LUNAR_DAY: TimeDelta = TimeDelta::minutes(25 * 60 + 30);

/// Whether the sun crosses the horizon on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NightKind {
    /// It sets and rises.
    Usual,
    /// It does not set: the polar summer.
    SunStaysUp,
    /// It does not rise: the polar winter.
    SunStaysDown,
}

impl NightKind {
    /// The name under which it is reported.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usual => "usual",
            Self::SunStaysUp => "sun_stays_up",
            Self::SunStaysDown => "sun_stays_down",
        }
    }
}

/// A night over a place. A span of twilight holds the darker ones; none where the sun does not get
/// so low.
#[derive(Clone, Debug, PartialEq)]
pub struct Night {
    /// Whether there is a sunset.
    pub kind: NightKind,
    /// Sunset to sunrise; noon to noon where the sun does not cross the horizon.
    pub span: Period,
    /// The sun is more than 6° below the horizon.
    pub civil: Option<Period>,
    /// More than 12°.
    pub nautical: Option<Period>,
    /// More than 18°: the sky is dark.
    pub astronomical: Option<Period>,
    /// The sun's lowest elevation, degrees.
    pub lowest: f64,
    /// When the moon is up within the span, in order.
    pub moon: Vec<Period>,
}

impl Night {
    /// The night that is at `now`, or the one that comes, over `latitude` and `longitude` (degrees,
    /// north and east positive).
    pub fn at(now: DateTime<Utc>, latitude: f64, longitude: f64) -> Self {
        let noon = last_noon(now, longitude);
        let night = Self::after(noon, latitude, longitude);
        let is_over = match night.kind {
            NightKind::Usual => now >= night.span.1,
            NightKind::SunStaysUp => now >= noon + DAY / 2,
            NightKind::SunStaysDown => false,
        };
        if is_over { Self::after(noon + DAY, latitude, longitude) } else { night }
    }

    /// The night of the 24 hours that begin at `noon`.
    fn after(noon: DateTime<Utc>, latitude: f64, longitude: f64) -> Self {
        let whole = (noon, noon + DAY);
        let sun = |at| sun::position(at, latitude, longitude).elevation;
        let below = |limit: f64| spans(whole, |at| limit - sun(at));
        let (kind, span) = match below(SUNSET)[..] {
            [] => (NightKind::SunStaysUp, whole),
            [one] if one == whole => (NightKind::SunStaysDown, whole),
            [first, .., last] => (NightKind::Usual, (first.0, last.1)),
            [one] => (NightKind::Usual, one),
        };
        let longest = |limit| below(limit).into_iter().max_by_key(|span| span.1 - span.0);
        Self {
            kind,
            span,
            civil: longest(CIVIL),
            nautical: longest(NAUTICAL),
            astronomical: longest(ASTRONOMICAL),
            lowest: moments(whole).map(sun).fold(f64::MAX, f64::min),
            moon: spans(span, |at| moon_height(at, latitude, longitude)),
        }
    }

    /// How long it is dark from `now` on.
    pub fn dark_left(&self, now: DateTime<Utc>) -> TimeDelta {
        self.astronomical.map_or(TimeDelta::zero(), |dark| overlap(dark, (now, dark.1)))
    }

    /// How long it is dark without the moon from `now` on.
    pub fn moonless_left(&self, now: DateTime<Utc>) -> TimeDelta {
        let Some(dark) = self.astronomical else {
            return TimeDelta::zero();
        };
        let left = (now.max(dark.0), dark.1);
        let lit = self.moon.iter().map(|up| overlap(*up, left));
        self.dark_left(now) - lit.fold(TimeDelta::zero(), |sum, one| sum + one)
    }
}

/// The moon's next rise and its next set after `now`; none where it has none within a lunar day.
pub fn moon_events(
    now: DateTime<Utc>,
    latitude: f64,
    longitude: f64,
) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
    let whole = (now, now + LUNAR_DAY);
    let up = spans(whole, |at| moon_height(at, latitude, longitude));
    let rises = up.iter().map(|up| up.0).find(|at| *at > whole.0);
    let sets = up.iter().map(|up| up.1).find(|at| *at < whole.1);
    (rises, sets)
}

/// How far the moon's centre is above the place at which its limb touches the horizon, degrees.
fn moon_height(at: DateTime<Utc>, latitude: f64, longitude: f64) -> f64 {
    moon::position(at, latitude, longitude).elevation - moon::HORIZON
}

/// The last true noon up to `now`.
fn last_noon(now: DateTime<Utc>, longitude: f64) -> DateTime<Utc> {
    let past = sun::hour_angle(now, longitude).rem_euclid(360.0);
    now - TimeDelta::seconds((past * 240.0) as i64)
}

fn overlap(a: Period, b: Period) -> TimeDelta {
    (a.1.min(b.1) - a.0.max(b.0)).max(TimeDelta::zero())
}

fn moments((from, to): Period) -> impl Iterator<Item = DateTime<Utc>> {
    std::iter::successors(Some(from), move |at| (*at < to).then(|| (*at + STEP).min(to)))
}

/// When `of` is positive within `whole`, to the second.
fn spans(whole: Period, of: impl Fn(DateTime<Utc>) -> f64) -> Vec<Period> {
    let mut found: Vec<Period> = Vec::new();
    let mut last: Option<(DateTime<Utc>, bool)> = None;
    for at in moments(whole) {
        let holds = of(at) > 0.0;
        match last {
            Some((before, true)) => {
                let end = if holds { at } else { crossing(before, at, &of) };
                if let Some(span) = found.last_mut() {
                    span.1 = end;
                }
            }
            Some((before, false)) if holds => found.push((crossing(before, at, &of), at)),
            None if holds => found.push((at, at)),
            _ => {}
        }
        last = Some((at, holds));
    }
    found
}

/// The second at which the sign of `of` changes between `from` and `to`.
fn crossing(
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    of: &impl Fn(DateTime<Utc>) -> f64,
) -> DateTime<Utc> {
    let holds = of(from) > 0.0;
    let (mut same, mut other) = (0, (to - from).num_seconds());
    while other - same > 1 {
        let middle = i64::midpoint(same, other);
        match (of(from + TimeDelta::seconds(middle)) > 0.0) == holds {
            true => same = middle,
            false => other = middle,
        }
    }
    from + TimeDelta::seconds(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn near(found: DateTime<Utc>, wanted: &str, seconds: i64) {
        let apart = (found - at(wanted)).num_seconds();
        assert!(apart.abs() <= seconds, "{found} is {apart} s from {wanted}");
    }

    fn near_span(found: Option<Period>, from: &str, to: &str, seconds: i64) {
        let found = found.unwrap();
        near(found.0, from, seconds);
        near(found.1, to, seconds);
    }

    /// Times by PyEphem 4.2, the horizon at −0°50′ for the sun's centre.
    #[test]
    fn a_winter_night_in_the_far_south() {
        let (latitude, longitude) = (-53.79, -67.70);
        for now in ["2024-06-10T16:00:00Z", "2024-06-10T20:16:00Z", "2024-06-11T12:45:00Z"] {
            let night = Night::at(at(now), latitude, longitude);
            assert_eq!(night.kind, NightKind::Usual, "{now}");
            near_span(Some(night.span), "2024-06-10T20:15:25Z", "2024-06-11T12:45:58Z", 15);
            near_span(night.civil, "2024-06-10T20:58:36Z", "2024-06-11T12:02:43Z", 15);
            near_span(night.nautical, "2024-06-10T21:44:19Z", "2024-06-11T11:16:56Z", 15);
            near_span(night.astronomical, "2024-06-10T22:27:16Z", "2024-06-11T10:33:57Z", 15);
            // The moon, a sickle, is up from before sunset.
            assert_eq!(night.moon[0].0, night.span.0);
            near(night.moon[0].1, "2024-06-11T00:24:14Z", 150);
            let dark = night.dark_left(at("2024-06-10T22:00:00Z"));
            assert_eq!(dark.num_minutes(), 12 * 60 + 6);
            let moonless = night.moonless_left(at("2024-06-10T22:00:00Z"));
            assert!((moonless.num_minutes() - (10 * 60 + 9)).abs() <= 3, "{moonless}");
            assert_eq!(night.dark_left(at("2024-06-11T10:33:00Z")).num_minutes(), 0);
            assert_eq!(night.dark_left(at("2024-06-11T12:00:00Z")), TimeDelta::zero());
        }
        let next = Night::at(at("2024-06-11T12:46:30Z"), latitude, longitude);
        assert!(next.span.0 > at("2024-06-11T20:00:00Z"), "{next:?}");
    }

    #[test]
    fn a_summer_night_without_darkness() {
        let night = Night::at(at("2026-11-30T16:00:00Z"), -53.79, -67.70);
        near_span(Some(night.span), "2026-12-01T00:39:10Z", "2026-12-01T07:59:51Z", 15);
        near_span(night.nautical, "2026-12-01T02:50:13Z", "2026-12-01T05:48:48Z", 20);
        assert_eq!(night.astronomical, None);
        assert!((-14.5..-13.5).contains(&night.lowest), "{}", night.lowest);
        near(night.moon[0].0, "2026-12-01T05:09:43Z", 240);
        assert_eq!(night.moon[0].1, night.span.1);
        assert_eq!(night.dark_left(at("2026-12-01T03:00:00Z")), TimeDelta::zero());
    }

    #[test]
    fn polar_summer_and_winter() {
        let (latitude, longitude) = (69.65, 18.96);
        let summer = Night::at(at("2025-06-20T20:00:00Z"), latitude, longitude);
        assert_eq!((summer.kind, summer.civil), (NightKind::SunStaysUp, None));
        assert_eq!(summer.span.1 - summer.span.0, DAY);
        let winter = Night::at(at("2026-11-30T11:00:00Z"), latitude, longitude);
        assert_eq!(winter.kind, NightKind::SunStaysDown);
        near_span(winter.civil, "2026-11-30T13:18:42Z", "2026-12-01T07:49:26Z", 20);
        near_span(winter.astronomical, "2026-11-30T16:05:55Z", "2026-12-01T05:00:57Z", 20);
        // It set before: the next set is that of the day after.
        let (rise, set) = moon_events(at("2026-11-30T16:43:00Z"), latitude, longitude);
        near(rise.unwrap(), "2026-11-30T20:42:58Z", 400);
        assert!(set.unwrap() > at("2026-12-01T10:00:00Z"), "{set:?}");
    }

    proptest! {
        #[test]
        fn twilights_lie_within_each_other(
            seconds in 0..1_900_000_000_i64, latitude in -90.0..=90.0_f64,
            longitude in -180.0..=180.0_f64, later in 0..86_400_i64,
        ) {
            let now = DateTime::from_timestamp(seconds, 0).unwrap();
            let night = Night::at(now, latitude, longitude);
            let (from, to) = night.span;
            prop_assert!(from < to && to - from <= DAY && now < to);
            let inside = |a: Option<Period>, b: Option<Period>| match (a, b) {
                (None, _) => true,
                (Some(a), Some(b)) => a.0 >= b.0 && a.1 <= b.1,
                (Some(_), None) => false,
            };
            prop_assert!(inside(night.astronomical, night.nautical));
            prop_assert!(inside(night.nautical, night.civil));
            prop_assert!(inside(night.civil, Some(night.span)));
            let moon = moon_events(now, latitude, longitude);
            let comes = |at: DateTime<Utc>| at > now && at <= now + LUNAR_DAY;
            prop_assert!(moon.0.is_none_or(comes) && moon.1.is_none_or(comes), "{moon:?}");
            prop_assert!(night.moon.windows(2).all(|pair| pair[0].1 < pair[1].0));
            prop_assert!(night.moon.iter().all(|up| up.0 >= from && up.1 <= to));
            // Time only takes away from what is left.
            let after = now + TimeDelta::seconds(later);
            let (dark, then) = (night.dark_left(now), night.dark_left(after));
            let moonless = night.moonless_left(after);
            prop_assert!(TimeDelta::zero() <= moonless && moonless <= then && then <= dark);
        }
    }
}
