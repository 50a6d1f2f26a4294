//! When a station's sky is safe: what the settings say.

use chrono::TimeDelta;

use crate::slot::SlotGrid;

/// By what height of the sun a sky may be safe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SunLimit {
    /// More than 18° below the horizon: astronomical night.
    #[default]
    Night,
    /// More than 12° below: nautical night.
    Nautical,
    /// More than 6° below: civil night.
    Civil,
    /// Above the horizon.
    Day,
    /// At any height.
    Always,
}

impl SunLimit {
    /// Whether the sun's elevation, in degrees, is within the limit.
    pub fn holds(self, elevation: f64) -> bool {
        match self {
            Self::Night => elevation < -18.0,
            Self::Nautical => elevation < -12.0,
            Self::Civil => elevation < -6.0,
            Self::Day => elevation >= -0.833,
            Self::Always => true,
        }
    }
}

/// The part of the sky that a rule looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SkyPart {
    /// All that is judged.
    #[default]
    All,
    /// The cap around the zenith.
    Zenith,
    /// A zone, by its name.
    Zone(String),
}

/// When a station's sky is safe.
#[derive(Clone, Debug, PartialEq)]
pub struct SafetyRule {
    /// The part of the sky whose cloud counts.
    pub part: SkyPart,
    /// A reading of at most so many oktas speaks for safe.
    pub safe_below: f64,
    /// A reading of more oktas speaks for unsafe; between the two the answer stays.
    pub unsafe_above: f64,
    /// So long, and at least two readings in a row, readings speak for safe before it is.
    pub safe_after: TimeDelta,
    /// So long readings speak for unsafe before it is.
    pub unsafe_after: TimeDelta,
    /// A reading older than this is no reading.
    pub stale_after: TimeDelta,
    /// A reading with less confidence makes nothing safe; it may make it unsafe. 0 to 1.
    pub min_confidence: f64,
    /// At which height of the sun the sky may be safe.
    pub when: SunLimit,
}

impl SafetyRule {
    /// The usual rule for a camera with pictures at these minutes: safe up to 2 oktas for two
    /// slots, unsafe above 4 at once, stale after two and a half slots, or a slot and two minutes
    /// where that is longer.
    pub fn usual(minutes: &SlotGrid) -> Self {
        let slot = minutes.longest_gap();
        Self {
            part: SkyPart::All,
            safe_below: 2.0,
            unsafe_above: 4.0,
            safe_after: slot * 2,
            unsafe_after: TimeDelta::zero(),
            // A picture that is taken each minute takes one to be asked for, read and stored.
            stale_after: (slot * 5 / 2).max(slot + TimeDelta::minutes(2)),
            min_confidence: 0.5,
            when: SunLimit::Night,
        }
    }
}
