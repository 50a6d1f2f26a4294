//! Quality flags of a picture and its reading.
//!
//! [`Flag::Night`] and [`Flag::Twilight`] state the time of day; every other flag marks a defect.

use std::fmt;

use crate::sun::DayPhase;

/// [`Flag::LowConfidence`] by twilight, by night, and if the moment is unknown: the amount's
/// probability is below this. There a network is often wrong by many oktas.
pub const LOW_CONFIDENCE: f64 = 0.5;
/// [`Flag::LowConfidence`] by day: with this probability of the amount, the true one is the
/// neighbouring okta at the farthest in three of four pictures.
pub const LOW_CONFIDENCE_BY_DAY: f64 = 0.3;

/// Whether an amount of this probability gets [`Flag::LowConfidence`]; `phase` is none if nothing
/// tells the picture's moment.
pub fn is_low(confidence: f64, phase: Option<DayPhase>) -> bool {
    let least = match phase {
        Some(DayPhase::Day) => LOW_CONFIDENCE_BY_DAY,
        Some(DayPhase::Twilight | DayPhase::Night) | None => LOW_CONFIDENCE,
    };
    confidence < least
}

/// A fact about a picture that a reader of its amount has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flag {
    /// The sun is more than 18° below the horizon.
    Night,
    /// The sun is below the horizon, by up to 18°.
    Twilight,
    /// Hardly any light: the sky can barely be seen.
    Dark,
    /// Much of what is lit is at the sensor's upper end.
    Overexposed,
    /// No picture of the sky: one colour all over, bars, something written on a plain ground.
    Placeholder,
    /// Something lies on the lens or the dome: drops, dew, snow.
    LensObstructed,
    /// The network finds neither sky nor cloud.
    NoSky,
    /// The same bytes as the picture before.
    Frozen,
    /// The amount is not to be relied on ([`is_low`]).
    LowConfidence,
}

impl Flag {
    /// Every flag, in the order in which they are written.
    pub const ALL: [Self; 9] = [
        Self::Night,
        Self::Twilight,
        Self::Dark,
        Self::Overexposed,
        Self::Placeholder,
        Self::LensObstructed,
        Self::NoSky,
        Self::Frozen,
        Self::LowConfidence,
    ];

    /// The name under which it is stored and reported.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Night => "night",
            Self::Twilight => "twilight",
            Self::Dark => "dark",
            Self::Overexposed => "overexposed",
            Self::Placeholder => "placeholder",
            Self::LensObstructed => "lens_obstructed",
            Self::NoSky => "no_sky",
            Self::Frozen => "frozen",
            Self::LowConfidence => "low_confidence",
        }
    }

    /// Whether the flag marks a defect (`night` and `twilight` do not).
    pub const fn is_fault(self) -> bool {
        !matches!(self, Self::Night | Self::Twilight)
    }

    /// The flag of a phase; none by day.
    pub const fn of_phase(phase: DayPhase) -> Option<Self> {
        match phase {
            DayPhase::Day => None,
            DayPhase::Twilight => Some(Self::Twilight),
            DayPhase::Night => Some(Self::Night),
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flag| flag.as_str() == name)
    }
}

/// The flags of one picture. No flag means: taken by day, no defect found.
///
/// Written as the flags' names, separated by commas; `ok` when there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Quality(Vec<Flag>);

impl From<String> for Quality {
    fn from(text: String) -> Self {
        Self::parse(&text)
    }
}

impl From<Quality> for String {
    fn from(quality: Quality) -> Self {
        quality.to_string()
    }
}

impl Quality {
    /// Adds `flag`, once.
    pub fn add(&mut self, flag: Flag) {
        if let Err(place) = self.0.binary_search(&flag) {
            self.0.insert(place, flag);
        }
    }

    /// The flags, in a fixed order.
    pub fn flags(&self) -> &[Flag] {
        &self.0
    }

    /// Reads the stored text; unknown names are left out.
    pub fn parse(text: &str) -> Self {
        let mut flags = Self::default();
        text.split(',').filter_map(Flag::parse).for_each(|flag| flags.add(flag));
        flags
    }

    /// The phase of day that the flags of a picture tell whose moment is known.
    fn phase(&self) -> DayPhase {
        let phases = [DayPhase::Twilight, DayPhase::Night];
        let told = |phase: &DayPhase| Flag::of_phase(*phase).is_some_and(|flag| self.has(flag));
        phases.into_iter().find(told).unwrap_or(DayPhase::Day)
    }

    /// Whether `flag` is one of them.
    pub fn has(&self, flag: Flag) -> bool {
        self.0.contains(&flag)
    }
}

/// The stored text `quality` with or without the flag `frozen`. Unknown names are kept, after the
/// known ones.
pub fn with_frozen(quality: &str, frozen: bool) -> String {
    with_flag(quality, Flag::Frozen, frozen)
}

/// The stored text `quality` of a picture whose moment is known, with the flag `low_confidence` if
/// `confidence` [is low](is_low), and without it otherwise.
pub fn with_confidence(quality: &str, confidence: f64) -> String {
    let phase = Quality::parse(quality).phase();
    with_flag(quality, Flag::LowConfidence, is_low(confidence, Some(phase)))
}

fn with_flag(quality: &str, flag: Flag, is_set: bool) -> String {
    let names = || quality.split(',').filter(|name| !matches!(*name, "" | "ok"));
    let mut flags = Quality::parse(quality);
    flags.0.retain(|other| *other != flag);
    if is_set {
        flags.add(flag);
    }
    let known = flags.0.iter().map(|flag| flag.as_str());
    joined(known.chain(names().filter(|name| Flag::parse(name).is_none())))
}

fn joined<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let text = names.collect::<Vec<_>>().join(",");
    if text.is_empty() { "ok".to_owned() } else { text }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&joined(self.0.iter().map(|flag| flag.as_str())))
    }
}

#[cfg(test)]
#[path = "quality_tests.rs"]
mod tests;
