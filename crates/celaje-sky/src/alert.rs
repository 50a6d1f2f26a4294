//! When people are told of the sky. Pure: a rule, where it stands, the readings of the last while
//! and the moment give where it stands next, and whether something is told.
//!
//! An alert is armed, fires once, and is armed again when the opposite holds: no sky on the edge
//! tells twice.

use chrono::{DateTime, TimeDelta, Utc};

use crate::safety::{SafetyState, SkyReading, SunLimit};

/// Readings that a mean needs at least.
const FEWEST: usize = 3;
/// Share of the slots that must have a reading.
const SHARE: f64 = 0.8;

/// What an alert waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertKind {
    /// It becomes clear.
    Clearing,
    /// It clouds over.
    Clouding,
    /// It becomes safe.
    Safe,
    /// It becomes unsafe.
    Unsafe,
    /// No picture shows the sky any more.
    Camera,
    /// Nothing: each reading is told, so that its absence is noticed elsewhere.
    Silence,
}

impl AlertKind {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::Clearing, Self::Clouding, Self::Safe, Self::Unsafe, Self::Camera, Self::Silence];

    /// The name under which it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clearing => "clearing",
            Self::Clouding => "clouding",
            Self::Safe => "safe",
            Self::Unsafe => "unsafe",
            Self::Camera => "camera",
            Self::Silence => "silence",
        }
    }

    /// Whether it invites to observe: by day it waits, where a warning is simply not told.
    const fn is_invitation(self) -> bool {
        matches!(self, Self::Clearing | Self::Safe)
    }
}

/// A rule of a station.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertRule {
    /// What it waits for.
    pub kind: AlertKind,
    /// A mean of at most so many oktas is clear.
    pub below: f64,
    /// A mean of at least so many is cloudy.
    pub above: f64,
    /// The time over which the mean is taken, or no picture shows the sky.
    pub over: TimeDelta,
    /// Readings with less confidence do not count. 0 to 1.
    pub min_confidence: f64,
    /// At which height of the sun it is told.
    pub only: SunLimit,
    /// An invitation is told only while at least so much of that time is left.
    pub not_before_end: TimeDelta,
    /// At most one message in so long a time.
    pub quiet_for: TimeDelta,
    /// The longest time between two pictures.
    pub slot: TimeDelta,
}

/// Where an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertState {
    /// Whether it has fired and is not armed yet.
    pub fired: bool,
    /// When that began.
    pub since: DateTime<Utc>,
    /// The moment up to which it was judged; of a silence the last reading that was told.
    pub judged_to: DateTime<Utc>,
    /// When something was last told.
    pub sent_at: Option<DateTime<Utc>>,
}

/// What is known of a station's sky at a moment.
#[derive(Clone, Copy)]
pub struct AlertView<'a> {
    /// Readings of the live runs, ascending; those after `now` and those before the rule's time do
    /// not count.
    pub readings: &'a [SkyReading],
    /// Whether the sky is safe now; none where that is not known yet.
    pub safety: Option<SafetyState>,
    /// Whether the sun allows to tell now.
    pub sun_allows: bool,
    /// Whether it still does after the rule's `not_before_end`.
    pub sun_allows_then: bool,
    /// The moment.
    pub now: DateTime<Utc>,
}

/// What speaks for an alert at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AlertEvidence {
    /// What it waits for.
    For,
    /// The opposite.
    Against,
    /// Neither.
    Open,
    /// Not known: too few readings.
    Unknown,
}

impl AlertRule {
    /// Where the alert stands now, and whether something is told. An alert that was never judged
    /// (`before` is none) begins with what holds once that is known, and tells nothing.
    pub fn judge(
        &self,
        before: Option<AlertState>,
        view: &AlertView<'_>,
    ) -> (Option<AlertState>, bool) {
        let now = view.now;
        let Some(before) = before else {
            let evidence = self.evidence(view);
            if evidence == AlertEvidence::Unknown {
                return (None, false);
            }
            let fired = evidence == AlertEvidence::For;
            let judged_to = match self.kind {
                AlertKind::Silence => self.last_seen(view).unwrap_or(now),
                _ => now,
            };
            return (Some(AlertState { fired, since: now, judged_to, sent_at: None }), false);
        };
        let (next, tells) = match self.kind {
            AlertKind::Silence => self.judge_silence(before, view),
            _ => self.judge_again(before, view),
        };
        (Some(next), tells)
    }

    /// Where an alert of cloud that has fired stands, by the readings of the time since then that
    /// were not judged as they came: those that were caught up. It is armed by what was against it.
    #[must_use]
    pub fn caught_up(
        &self,
        before: AlertState,
        readings: &[SkyReading],
        now: DateTime<Utc>,
    ) -> AlertState {
        let is_of_cloud = matches!(self.kind, AlertKind::Clearing | AlertKind::Clouding);
        if !before.fired || !is_of_cloud {
            return before;
        }
        let since = readings.iter().map(|reading| reading.at);
        let against = since.filter(|at| *at > before.since && *at <= now).find(|at| {
            let view = AlertView {
                readings,
                safety: None,
                sun_allows: true,
                sun_allows_then: true,
                now: *at,
            };
            self.evidence(&view) == AlertEvidence::Against
        });
        against.map_or(before, |since| AlertState { fired: false, since, ..before })
    }

    fn judge_again(&self, before: AlertState, view: &AlertView<'_>) -> (AlertState, bool) {
        let now = view.now;
        let mut next = AlertState { judged_to: now, ..before };
        // The clock was set back: what was told then is not known to be past.
        if before.sent_at.is_some_and(|sent| sent > now) {
            next.sent_at = Some(now);
        }
        match (before.fired, self.evidence(view)) {
            (true, AlertEvidence::Against) => {
                (next.fired, next.since) = (false, now);
                (next, false)
            }
            (false, AlertEvidence::For) => self.fire(next, view),
            _ => (next, false),
        }
    }

    fn fire(&self, mut next: AlertState, view: &AlertView<'_>) -> (AlertState, bool) {
        let now = view.now;
        if !view.sun_allows {
            // A warning by day is past by night; an invitation waits.
            if !self.kind.is_invitation() {
                (next.fired, next.since) = (true, now);
            }
            return (next, false);
        }
        let is_quiet = next.sent_at.is_some_and(|sent| now - sent < self.quiet_for);
        let is_late = self.kind.is_invitation() && !view.sun_allows_then;
        if is_quiet || is_late {
            return (next, false);
        }
        (next.fired, next.since, next.sent_at) = (true, now, Some(now));
        (next, true)
    }

    fn judge_silence(&self, before: AlertState, view: &AlertView<'_>) -> (AlertState, bool) {
        let news = self.last_seen(view).filter(|last| *last > before.judged_to);
        let is_quiet = before.sent_at.is_some_and(|sent| {
            let since = view.now - sent;
            since >= TimeDelta::zero() && since < self.quiet_for
        });
        match news {
            Some(last) if view.sun_allows && !is_quiet => {
                (AlertState { judged_to: last, sent_at: Some(view.now), ..before }, true)
            }
            // The clock was set back, and what was told lies in what is to come.
            None if before.judged_to > view.now => {
                (AlertState { judged_to: view.now, ..before }, false)
            }
            _ => (before, false),
        }
    }

    fn evidence(&self, view: &AlertView<'_>) -> AlertEvidence {
        let of = |for_it: bool, against: bool| match (for_it, against) {
            (true, _) => AlertEvidence::For,
            (_, true) => AlertEvidence::Against,
            _ => AlertEvidence::Open,
        };
        match self.kind {
            AlertKind::Clearing => match self.mean(view) {
                Some(mean) => of(mean <= self.below, mean >= self.above),
                None => AlertEvidence::Unknown,
            },
            AlertKind::Clouding => match self.mean(view) {
                Some(mean) => of(mean >= self.above, mean <= self.below),
                None => AlertEvidence::Unknown,
            },
            AlertKind::Safe | AlertKind::Unsafe => match view.safety {
                Some(safety) => {
                    let holds = safety.safe == (self.kind == AlertKind::Safe);
                    of(holds, !holds)
                }
                None => AlertEvidence::Unknown,
            },
            AlertKind::Camera => {
                let seen = self.last_seen(view).is_some();
                of(!seen, seen)
            }
            AlertKind::Silence => AlertEvidence::Open,
        }
    }

    /// The readings of the rule's time.
    fn window<'a>(&self, view: &AlertView<'a>) -> impl Iterator<Item = &'a SkyReading> {
        let (from, now) = (view.now - self.over - self.slot, view.now);
        // A slot's picture arrives after its moment: the time ends with the last one.
        let last = view.readings.iter().rev().map(|reading| reading.at).find(|at| *at <= now);
        let begin = last.map_or(now, |last| (last - self.over).max(from));
        view.readings.iter().filter(move |reading| reading.at >= begin && reading.at <= now)
    }

    /// The mean amount over the rule's time, oktas; none with too few readings, or when the last
    /// one is too old.
    fn mean(&self, view: &AlertView<'_>) -> Option<f64> {
        let amounts: Vec<f64> = self
            .window(view)
            .filter(|reading| reading.is_believable(self.min_confidence))
            .filter_map(|reading| {
                let oktas = reading.oktas()?;
                Some(reading.cloud_fraction.map_or(oktas, |fraction| 8.0 * fraction))
            })
            .collect();
        let slots = self.over.num_seconds() as f64 / self.slot.num_seconds().max(1) as f64;
        let needed = ((slots * SHARE).ceil() as usize).max(FEWEST);
        (amounts.len() >= needed).then(|| amounts.iter().sum::<f64>() / amounts.len() as f64)
    }

    /// When the sky was last seen in the rule's time.
    fn last_seen(&self, view: &AlertView<'_>) -> Option<DateTime<Utc>> {
        let from = view.now - self.over.max(self.slot * 3);
        let past = view.readings.iter().rev().filter(|reading| reading.at <= view.now);
        past.take_while(|reading| reading.at >= from)
            .find(|reading| reading.oktas().is_some())
            .map(|reading| reading.at)
    }
}

#[cfg(test)]
#[path = "alert_tests.rs"]
mod tests;
