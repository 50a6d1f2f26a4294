//! What the record says of a sky: an amount of cloud, or that the sky could not be seen.
//!
//! Source: WMO, Manual on Codes, code table 2700 (N, total cloud cover): 0 to 8 are eighths, 9 is a
//! sky that is obscured. An obscured sky has no fraction, no confidence and no place on a scale,
//! and means leave it out; so it is not an [`Okta`].

use std::fmt;

use crate::okta::Okta;

/// The code figure of a sky that cannot be seen.
pub const OBSCURED: u8 = 9;

/// A code figure of WMO table 2700.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Cover {
    /// Eighths of the sky that are cloud: 0 to 8.
    Seen(Okta),
    /// The picture does not show the sky: 9.
    Obscured,
}

impl TryFrom<u8> for Cover {
    type Error = String;

    fn try_from(code: u8) -> Result<Self, String> {
        Self::from_code(code).ok_or_else(|| format!("{code} is no code figure of a cover"))
    }
}

impl From<Cover> for u8 {
    fn from(cover: Cover) -> Self {
        cover.code()
    }
}

impl Cover {
    /// The cover of a code figure; none above 9.
    ///
    /// ```
    /// use celaje_sky::cover::Cover;
    /// assert_eq!(Cover::from_code(9), Some(Cover::Obscured));
    /// assert_eq!(Cover::from_code(8).and_then(Cover::okta).map(|okta| okta.eighths()), Some(8));
    /// assert_eq!(Cover::from_code(10), None);
    /// ```
    pub const fn from_code(code: u8) -> Option<Self> {
        match (code, Okta::new(code)) {
            (OBSCURED, _) => Some(Self::Obscured),
            (_, Some(okta)) => Some(Self::Seen(okta)),
            _ => None,
        }
    }

    /// The code figure, 0 to 9.
    pub const fn code(self) -> u8 {
        match self {
            Self::Seen(okta) => okta.eighths(),
            Self::Obscured => OBSCURED,
        }
    }

    /// The amount; none where the sky cannot be seen.
    pub const fn okta(self) -> Option<Okta> {
        match self {
            Self::Seen(okta) => Some(okta),
            Self::Obscured => None,
        }
    }

    /// The METAR group of the amount, or `OBSC`, ICAO's abbreviation for obscured (Doc 8400).
    pub const fn category(self) -> &'static str {
        match self {
            Self::Seen(okta) => okta.category().as_str(),
            Self::Obscured => "OBSC",
        }
    }

    /// The Spanish description; of an amount as the replaced system stores it.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Seen(okta) => okta.category().description(),
            Self::Obscured => "Cielo no visible",
        }
    }
}

impl From<Okta> for Cover {
    fn from(okta: Okta) -> Self {
        Self::Seen(okta)
    }
}

impl fmt::Display for Cover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_figures_and_no_more() {
        for code in 0..=u8::MAX {
            let cover = Cover::from_code(code);
            assert_eq!(cover.is_some(), code <= 9, "{code}");
            assert_eq!(cover.map_or(code, Cover::code), code);
            let okta = cover.and_then(Cover::okta).map(Okta::eighths);
            assert_eq!(okta, (code <= 8).then_some(code));
        }
    }

    #[test]
    fn what_is_not_seen_is_in_no_group() {
        let nine = Cover::Obscured;
        assert_eq!((nine.category(), nine.description()), ("OBSC", "Cielo no visible"));
        assert_eq!(Cover::from(Okta::ALL[4]).category(), "SCT");
        assert_eq!(nine.to_string(), "9");
    }
}
