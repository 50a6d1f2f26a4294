//! Whether a sky is safe to open a dome under. Pure: computed from the last readings and the moment
//! of the question, so that whatever stops readings makes the answer unsafe by itself.
//!
//! A reading is *believable* when it shows the sky and its confidence suffices. A safe sky has two
//! such readings in a row: the newer one is fresh now, the older one was when the newer one came. A
//! sky that has been unsafe for want of readings needs new ones. Between the two thresholds the
//! answer stays as it was. Celaje sees clouds, neither rain nor wind.

pub mod age;
pub mod rule;

use chrono::{DateTime, TimeDelta, Utc};

use crate::cover::Cover;
use crate::okta::Okta;
use crate::quality::{Flag, Quality};
use crate::say;
use crate::station::Station;
use crate::station::zone::SkyParts;
use crate::text::Text;

pub use rule::{SafetyRule, SkyPart, SunLimit};

/// A reading as rules see it.
#[derive(Clone, Debug, PartialEq)]
pub struct SkyReading {
    /// When the picture was taken.
    pub at: DateTime<Utc>,
    /// When the reading came to be known; none where that was at once, for all that is known.
    pub came: Option<DateTime<Utc>>,
    /// The amount of cloud, or that the sky cannot be seen.
    pub cover: Cover,
    /// Cloud fraction, 0 to 1.
    pub cloud_fraction: Option<f64>,
    /// The same of its parts.
    pub parts: SkyParts,
    /// Probability that the amount is right, 0 to 1.
    pub confidence: Option<f64>,
    /// Its flags.
    pub quality: Quality,
}

impl SkyReading {
    /// Oktas; none where the picture does not show the present sky.
    pub fn oktas(&self) -> Option<f64> {
        match self.hidden() {
            Some(_) => None,
            None => self.cover.okta().map(|okta| f64::from(okta.eighths())),
        }
    }

    /// Oktas of a part of the sky; none where the picture does not show the present sky, or the
    /// part was not measured in it.
    pub fn oktas_of(&self, part: &SkyPart) -> Option<f64> {
        let whole = self.oktas()?;
        let fraction = match part {
            SkyPart::All => return Some(whole),
            SkyPart::Zenith => self.parts.zenith?,
            SkyPart::Zone(name) => (*self.parts.zones.get(name)?)?,
        };
        Some(f64::from(Okta::from_fraction(fraction).eighths()))
    }

    /// Whether it shows the sky with at least this confidence.
    pub fn is_believable(&self, min_confidence: f64) -> bool {
        self.oktas().is_some() && self.confidence.unwrap_or(0.0) >= min_confidence
    }

    /// Why the picture does not show the present sky; none where it does.
    fn hidden(&self) -> Option<SafetyReason> {
        [
            (Flag::Frozen, SafetyReason::Frozen),
            (Flag::Placeholder, SafetyReason::Placeholder),
            (Flag::LensObstructed, SafetyReason::LensObstructed),
        ]
        .into_iter()
        .find(|(flag, _)| self.quality.has(*flag))
        .map(|(_, reason)| reason)
        .or((self.cover == Cover::Obscured).then_some(SafetyReason::Obscured))
    }
}

/// Why a sky is safe or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SafetyReason {
    /// The settings have no rule for the station.
    NotConfigured,
    /// The clock that tells how old a reading is may be wrong.
    ClockInDoubt,
    /// There is no reading yet.
    NoReading,
    /// The last reading is too old.
    Stale,
    /// The picture does not show the sky.
    Obscured,
    /// The camera repeats a picture.
    Frozen,
    /// The picture is none of the sky.
    Placeholder,
    /// Something lies on the lens.
    LensObstructed,
    /// The part of the sky that counts was not measured.
    NotMeasured,
    /// The sun is too high.
    Daylight,
    /// The sun is too low, where the rule is of the day.
    Darkness,
    /// Too much cloud.
    Clouds,
    /// The readings are not confident enough.
    LowConfidence,
    /// Clear, but not for long enough.
    Waiting,
    /// Clear: safe.
    Clear,
}

impl SafetyReason {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::NotConfigured,
        Self::ClockInDoubt,
        Self::NoReading,
        Self::Stale,
        Self::Obscured,
        Self::Frozen,
        Self::Placeholder,
        Self::LensObstructed,
        Self::NotMeasured,
        Self::Daylight,
        Self::Darkness,
        Self::Clouds,
        Self::LowConfidence,
        Self::Waiting,
        Self::Clear,
    ];

    /// The name under which it is reported.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotConfigured => "not_configured",
            Self::ClockInDoubt => "clock_in_doubt",
            Self::NoReading => "no_reading",
            Self::Stale => "stale",
            Self::Obscured => "obscured",
            Self::Frozen => "frozen",
            Self::Placeholder => "placeholder",
            Self::LensObstructed => "lens_obstructed",
            Self::NotMeasured => "not_measured",
            Self::Daylight => "daylight",
            Self::Darkness => "darkness",
            Self::Clouds => "clouds",
            Self::LowConfidence => "low_confidence",
            Self::Waiting => "waiting",
            Self::Clear => "clear",
        }
    }

    /// The same in words.
    pub fn text(self) -> Text {
        match self {
            Self::NotConfigured => say!(
                "the settings have no [station.safety]",
                "los ajustes no tienen [station.safety]"
            ),
            Self::ClockInDoubt => say!(
                "the clock of this machine may be wrong",
                "el reloj de esta máquina puede estar mal"
            ),
            Self::NoReading => say!("no reading yet", "todavía no hay lecturas"),
            Self::Stale => say!("the last reading is too old", "la última lectura es antigua"),
            Self::Obscured => say!("the sky cannot be seen", "el cielo no se ve"),
            Self::Frozen => say!("the camera repeats a picture", "la cámara repite una imagen"),
            Self::Placeholder => {
                say!("the picture is not of the sky", "la imagen no es del cielo")
            }
            Self::LensObstructed => say!("something lies on the lens", "algo tapa la lente"),
            Self::NotMeasured => say!(
                "the part of the sky that counts was not measured",
                "la parte del cielo que cuenta no se midió"
            ),
            Self::Daylight => say!("the sun is too high", "el sol está demasiado alto"),
            Self::Darkness => say!("the sun is too low", "el sol está demasiado bajo"),
            Self::Clouds => say!("too much cloud", "demasiadas nubes"),
            Self::LowConfidence => {
                say!("the readings are not confident", "las lecturas son poco confiables")
            }
            Self::Waiting => {
                say!(
                    "clear, but not for long enough yet",
                    "despejado, pero todavía por poco tiempo"
                )
            }
            Self::Clear => say!("clear", "despejado"),
        }
    }
}

/// Whether a sky is safe at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SafetyState {
    /// Whether it is.
    pub safe: bool,
    /// Why.
    pub reason: SafetyReason,
    /// Since when the readings say so; none where they always did, or the sun alone does.
    pub since: Option<DateTime<Utc>>,
}

impl SafetyState {
    /// What holds while nobody knows how old a reading is.
    pub const fn in_doubt() -> Self {
        Self::unsafe_for(SafetyReason::ClockInDoubt, None)
    }

    const fn unsafe_for(reason: SafetyReason, since: Option<DateTime<Utc>>) -> Self {
        Self { safe: false, reason, since }
    }
}

/// Whether a reading of `at` shows that the clock which shows `now` was set back. The picture of a
/// slot may be taken a little before it, but not by half of the age from which a reading is stale.
pub fn is_of_later_time(at: DateTime<Utc>, now: DateTime<Utc>, stale_after: TimeDelta) -> bool {
    at - now > stale_after / 2
}

/// Whether the sky over `station` is safe at `now`. `readings` ascend by their moment; those after
/// `now` do not count, unless they are so late that the clock must have been set back.
pub fn assess<'a>(
    station: &Station,
    readings: impl Iterator<Item = &'a SkyReading>,
    now: DateTime<Utc>,
) -> SafetyState {
    match &station.safety {
        None => SafetyState::unsafe_for(SafetyReason::NotConfigured, None),
        Some(rule) => assess_by(rule, readings, now, rule.when.holds(station.sun_elevation(now))),
    }
}

/// The same by `rule`, where the sun is low enough or not.
pub fn assess_by<'a>(
    rule: &SafetyRule,
    readings: impl Iterator<Item = &'a SkyReading>,
    now: DateTime<Utc>,
    sun_allows: bool,
) -> SafetyState {
    let mut past = Vec::new();
    for reading in readings {
        if is_of_later_time(reading.at, now, rule.stale_after) {
            return SafetyState::in_doubt();
        }
        if reading.at <= now {
            past.push(reading);
        }
    }
    let mut tracker = SafetyTracker::new(rule);
    for (reading, known) in past.iter().zip(known_since(&past)) {
        tracker.advance(known);
        tracker.take(reading);
    }
    tracker.advance(now);
    let Some(last) = past.last() else {
        return SafetyState::unsafe_for(SafetyReason::NoReading, None);
    };
    let stale = last.at + rule.stale_after;
    if now >= stale {
        return SafetyState::unsafe_for(SafetyReason::Stale, Some(stale));
    }
    if let Some(reason) = last.hidden() {
        return SafetyState::unsafe_for(reason, tracker.since);
    }
    let Some(oktas) = last.oktas_of(&rule.part) else {
        return SafetyState::unsafe_for(SafetyReason::NotMeasured, tracker.since);
    };
    if !sun_allows {
        let reason = match rule.when {
            SunLimit::Day => SafetyReason::Darkness,
            _ => SafetyReason::Daylight,
        };
        return SafetyState::unsafe_for(reason, None);
    }
    if matches!(tracker.phase, Phase::Safe { .. }) {
        return SafetyState { safe: true, reason: SafetyReason::Clear, since: tracker.since };
    }
    let reason = if oktas > rule.safe_below {
        SafetyReason::Clouds
    } else if !last.is_believable(rule.min_confidence) {
        SafetyReason::LowConfidence
    } else {
        SafetyReason::Waiting
    };
    SafetyState::unsafe_for(reason, tracker.since)
}

/// Of each reading, since when it or a later one was known: up to then the answer was that of the
/// readings before it.
fn known_since(readings: &[&SkyReading]) -> Vec<DateTime<Utc>> {
    let mut least = DateTime::<Utc>::MAX_UTC;
    let mut known: Vec<_> = readings
        .iter()
        .rev()
        .map(|reading| {
            least = least.min(reading.came.map_or(reading.at, |came| came.max(reading.at)));
            least
        })
        .collect();
    known.reverse();
    known
}

/// What the readings up to a moment say.
struct SafetyTracker<'a> {
    rule: &'a SafetyRule,
    phase: Phase,
    /// The last believable reading.
    believed: Option<DateTime<Utc>>,
    /// When the phase last turned safe or unsafe.
    since: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy)]
enum Phase {
    /// Believable clear readings in a row, and the moment of the first one.
    Unsafe { clear: Option<(DateTime<Utc>, u32)> },
    /// Cloudy readings in a row begin here, if any.
    Safe { cloudy: Option<DateTime<Utc>> },
}

impl<'a> SafetyTracker<'a> {
    const fn new(rule: &'a SafetyRule) -> Self {
        Self { rule, phase: Phase::Unsafe { clear: None }, believed: None, since: None }
    }

    fn end(&mut self, at: DateTime<Utc>) {
        if matches!(self.phase, Phase::Safe { .. }) {
            self.since = Some(at);
        }
        self.phase = Phase::Unsafe { clear: None };
    }

    /// Time passes up to `to` without a reading.
    fn advance(&mut self, to: DateTime<Utc>) {
        if let Some(believed) = self.believed
            && to - believed >= self.rule.stale_after
        {
            self.end(believed + self.rule.stale_after);
        }
        if let Phase::Safe { cloudy: Some(begun) } = self.phase
            && to - begun >= self.rule.unsafe_after
        {
            self.end(begun + self.rule.unsafe_after);
        }
    }

    fn take(&mut self, reading: &SkyReading) {
        let Some(oktas) = reading.oktas_of(&self.rule.part) else {
            return self.end(reading.at);
        };
        let believable = reading.is_believable(self.rule.min_confidence);
        if believable {
            self.believed = Some(reading.at);
        }
        self.phase = match self.phase {
            Phase::Safe { cloudy } if oktas > self.rule.unsafe_above => {
                Phase::Safe { cloudy: cloudy.or(Some(reading.at)) }
            }
            Phase::Safe { .. } if believable => Phase::Safe { cloudy: None },
            Phase::Safe { cloudy } => Phase::Safe { cloudy },
            Phase::Unsafe { clear } if believable && oktas <= self.rule.safe_below => {
                let (first, n) = clear.map_or((reading.at, 1), |(first, n)| (first, n + 1));
                if n >= 2 && reading.at - first >= self.rule.safe_after {
                    self.since = Some(reading.at);
                    Phase::Safe { cloudy: None }
                } else {
                    Phase::Unsafe { clear: Some((first, n)) }
                }
            }
            Phase::Unsafe { .. } => Phase::Unsafe { clear: None },
        };
        // With no delay it is unsafe at once.
        self.advance(reading.at);
    }
}

#[cfg(test)]
mod tests;
