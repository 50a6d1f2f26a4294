//! Whether tonight is a night to observe: one word, from the station's rule of safety and the last
//! hour. Pure.
//!
//! The word is never kinder than the rule: *observe* is said only of a sky that is safe.

use chrono::{DateTime, TimeDelta, Utc};

use crate::night::{Night, Period};
use crate::safety::{
    SafetyReason, SafetyRule, SafetyState, SkyPart, SkyReading, SunLimit, assess_by,
};
use crate::say;
use crate::station::Station;
use crate::text::Text;
use crate::trend::trend;

/// The answer in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Advice {
    /// The sky is safe.
    Observe,
    /// It may become so.
    Wait,
    /// It is not, or nobody knows.
    Close,
}

impl Advice {
    /// The name under which it is reported.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Wait => "wait",
            Self::Close => "close",
        }
    }
}

/// Why: a reason of the rule, or one that only a whole night has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdviceReason {
    /// As the rule says.
    Sky(SafetyReason),
    /// The night has no hour in which the sun is as low as the rule asks.
    NoNight,
    /// The sun is on its way up past what the rule allows.
    NightIsOver,
}

impl AdviceReason {
    /// The name under which it is reported.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sky(reason) => reason.as_str(),
            Self::NoNight => "no_night",
            Self::NightIsOver => "night_is_over",
        }
    }

    /// The same in words.
    pub fn text(self) -> Text {
        match self {
            Self::Sky(reason) => reason.text(),
            Self::NoNight => say!(
                "the sun does not go low enough tonight",
                "esta noche el sol no baja lo suficiente"
            ),
            Self::NightIsOver => say!("the night is over", "la noche terminó"),
        }
    }
}

/// Where cloud goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// By at least an okta an hour, less of it.
    Clearing,
    /// Neither.
    Steady,
    /// More of it.
    CloudingOver,
}

impl Direction {
    /// The name under which it is reported.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clearing => "clearing",
            Self::Steady => "steady",
            Self::CloudingOver => "clouding_over",
        }
    }
}

/// How the amount of cloud changed in the last hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tendency {
    /// Oktas an hour; below 0 it clears.
    pub oktas_an_hour: f64,
}

/// The time that the tendency is taken over.
const HOUR: TimeDelta = TimeDelta::hours(1);
/// The shortest time between first and last reading that makes a tendency.
const LEAST: TimeDelta = TimeDelta::minutes(30);

impl Tendency {
    /// The tendency at `now`; none with fewer than three readings of the sky in the last hour.
    pub fn at(part: &SkyPart, readings: &[SkyReading], now: DateTime<Utc>) -> Option<Self> {
        let last = readings.iter().filter(|reading| reading.at > now - HOUR && reading.at <= now);
        let seen: Vec<_> =
            last.filter_map(|reading| Some((reading.at, reading.oktas_of(part)?))).collect();
        let ([first, ..], [.., last]) = (&seen[..], &seen[..]) else {
            return None;
        };
        if last.0 - first.0 < LEAST {
            return None;
        }
        let hours = |at: &DateTime<Utc>| (*at - first.0).num_seconds() as f64 / 3600.0;
        let points: Vec<_> = seen.iter().map(|(at, oktas)| (hours(at), *oktas)).collect();
        Some(Self { oktas_an_hour: trend(&points)?.slope })
    }

    /// Where it goes.
    pub fn direction(self) -> Direction {
        match self.oktas_an_hour {
            by if by <= -1.0 => Direction::Clearing,
            by if by >= 1.0 => Direction::CloudingOver,
            _ => Direction::Steady,
        }
    }
}

/// What the readings have been without a break up to the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SkySince {
    /// Whether it is clear by the rule; else it is cloudy by the rule.
    pub is_clear: bool,
    /// The first reading of the row.
    pub at: DateTime<Utc>,
    /// Whether it is as old as the oldest reading, so that it may have begun before.
    pub or_before: bool,
}

impl SkySince {
    /// The row that the last of `readings` ends; none where that one lies between the thresholds of
    /// `rule`, does not show the sky, or is stale.
    fn at(rule: &SafetyRule, readings: &[SkyReading], now: DateTime<Utc>) -> Option<Self> {
        let past = &readings[..readings.partition_point(|reading| reading.at <= now)];
        let last = past.last().filter(|last| now - last.at <= rule.stale_after)?;
        let kind = |reading: &SkyReading| match reading.oktas_of(&rule.part)? {
            oktas if oktas <= rule.safe_below => Some(true),
            oktas if oktas > rule.unsafe_above => Some(false),
            _ => None,
        };
        let is_clear = kind(last)?;
        let mut first = last;
        for reading in past.iter().rev().skip(1) {
            if kind(reading) != Some(is_clear) || first.at - reading.at > rule.stale_after {
                return Some(Self { is_clear, at: first.at, or_before: false });
            }
            first = reading;
        }
        Some(Self { is_clear, at: first.at, or_before: true })
    }
}

/// What is to be said of a night.
#[derive(Clone, Debug, PartialEq)]
pub struct Tonight {
    /// The word.
    pub advice: Advice,
    /// Why.
    pub reason: AdviceReason,
    /// Whether the settings have no rule for the station, so that the usual one was taken.
    pub by_usual_rule: bool,
    /// What the rule says.
    pub safety: SafetyState,
    /// The last hour.
    pub tendency: Option<Tendency>,
    /// How long it has been clear or cloudy.
    pub since: Option<SkySince>,
    /// The night that is or comes.
    pub night: Night,
    /// When the sun is as low as the rule asks; none on a night without, or where it asks nothing.
    pub allowed: Option<Period>,
}

impl Tonight {
    /// What is to be said at `now`. The readings that `count` make the sky safe; without any the
    /// clock is in doubt. Those that are `told` say where cloud goes, and since when. Both ascend
    /// by their moment.
    pub fn of(
        station: &Station,
        counted: Option<&[SkyReading]>,
        told: &[SkyReading],
        now: DateTime<Utc>,
    ) -> Self {
        let usual = SafetyRule::usual(&station.minutes);
        let rule = station.safety.as_ref().unwrap_or(&usual);
        let night = Night::at(now, station.latitude, station.longitude);
        let sun_allows = rule.when.holds(station.sun_elevation(now));
        let safety = match counted {
            None => SafetyState::in_doubt(),
            Some(readings) => assess_by(rule, readings.iter(), now, sun_allows),
        };
        let tendency = Tendency::at(&rule.part, told, now);
        let allowed = allowed(rule.when, &night);
        let last = counted.unwrap_or(told).iter().rev().find(|reading| reading.at <= now);
        let oktas = last.and_then(|last| last.oktas_of(&rule.part)).unwrap_or(8.0);
        let (advice, reason) = match safety.reason {
            SafetyReason::Daylight => by_day(allowed, now),
            reason => (by_sky(rule, reason, oktas, tendency), AdviceReason::Sky(reason)),
        };
        Self {
            advice,
            reason,
            by_usual_rule: station.safety.is_none(),
            safety,
            tendency,
            since: SkySince::at(rule, told, now),
            night,
            allowed,
        }
    }
}

/// When the sun is within the limit.
fn allowed(limit: SunLimit, night: &Night) -> Option<Period> {
    match limit {
        SunLimit::Night => night.astronomical,
        SunLimit::Nautical => night.nautical,
        SunLimit::Civil => night.civil,
        SunLimit::Day | SunLimit::Always => None,
    }
}

fn by_day(allowed: Option<Period>, now: DateTime<Utc>) -> (Advice, AdviceReason) {
    match allowed {
        None => (Advice::Close, AdviceReason::NoNight),
        Some((_, end)) if now >= end => (Advice::Close, AdviceReason::NightIsOver),
        Some(_) => (Advice::Wait, AdviceReason::Sky(SafetyReason::Daylight)),
    }
}

fn by_sky(
    rule: &SafetyRule,
    reason: SafetyReason,
    oktas: f64,
    tendency: Option<Tendency>,
) -> Advice {
    let direction = tendency.map(Tendency::direction);
    match reason {
        SafetyReason::Clear => Advice::Observe,
        SafetyReason::Waiting | SafetyReason::LowConfidence | SafetyReason::Darkness => {
            Advice::Wait
        }
        SafetyReason::Clouds
            if oktas <= rule.unsafe_above && direction != Some(Direction::CloudingOver) =>
        {
            Advice::Wait
        }
        _ => Advice::Close,
    }
}

#[cfg(test)]
mod tests;
