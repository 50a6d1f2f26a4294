//! The columns of a reading, for the API's tables and for exports.

use std::borrow::Cow;

use crate::store::reader::ObservationItem;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    Text,
    /// A moment of the station's clock.
    Local,
    /// A moment in UTC.
    Instant,
    /// A small whole number.
    Code,
    Number,
    /// Names with commas between them; `ok` for none.
    Flags,
    /// A JSON object.
    Object,
}

impl ColumnKind {
    /// Its name for readers of a file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Local => "local time",
            Self::Instant => "UTC time",
            Self::Code => "integer",
            Self::Number => "number",
            Self::Flags => "flags",
            Self::Object => "JSON object",
        }
    }
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub kind: ColumnKind,
    /// In UDUNITS; empty where it has none.
    pub unit: &'static str,
    pub meaning: &'static str,
}

impl Column {
    pub const fn new(
        name: &'static str,
        kind: ColumnKind,
        unit: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self { name, kind, unit, meaning }
    }
}

/// What a row has in a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    Nothing,
    Text(Cow<'a, str>),
    Whole(i64),
    /// With the decimals that it deserves.
    Number(f64, i32),
}

impl<'a> Value<'a> {
    pub fn text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Nothing, |text| Self::Text(Cow::Borrowed(text)))
    }

    pub fn whole(number: Option<i32>) -> Self {
        number.map_or(Self::Nothing, |number| Self::Whole(number.into()))
    }

    pub fn number(number: Option<f64>, decimals: i32) -> Self {
        let number = number.filter(|number| number.is_finite());
        number.map_or(Self::Nothing, |number| Self::Number(number, decimals))
    }

    /// As it stands in a table.
    pub fn into_text(self) -> Cow<'a, str> {
        match self {
            Self::Nothing => Cow::Borrowed(""),
            Self::Text(text) => text,
            Self::Whole(number) => Cow::Owned(number.to_string()),
            Self::Number(number, _) => Cow::Owned(number.to_string()),
        }
    }
}

/// Decimals of a share of the sky: the network judges some hundred thousand pixels.
pub const SHARE: i32 = 4;
/// Decimals of a probability.
pub const PROBABILITY: i32 = 3;
/// Decimals of an angle in degrees: the sun moves by 0.04 in the ten seconds that a clock may be
/// off.
pub const ANGLE: i32 = 2;

/// A number with so many decimals.
pub fn rounded(number: f64, decimals: i32) -> f64 {
    let unit = 10f64.powi(decimals);
    let rounded = (number * unit).round() / unit;
    // No negative zero.
    if rounded == 0.0 { 0.0 } else { rounded }
}

/// A column of a reading, and where its value is.
pub struct ReadingColumn {
    pub column: Column,
    pub of: for<'a> fn(&'a ObservationItem) -> Value<'a>,
}

macro_rules! columns {
    ($($name:literal $kind:ident $unit:literal $meaning:literal $of:expr;)*) => {
        [$(ReadingColumn {
            column: Column::new($name, ColumnKind::$kind, $unit, $meaning),
            of: $of,
        },)*]
    };
}

/// The columns of a reading. Clients count on their order: a new one comes last.
pub static READING: [ReadingColumn; 18] = columns! {
    "slot" Local "" "moment of the slot, station local time"
        |item| Value::text(Some(&item.slot));
    "slot_utc" Instant "" "the same moment, UTC"
        |item| Value::text(item.slot_utc.as_deref());
    "okta" Code "0.125" "cloud amount in eighths of the sky, 0 to 8; 9: the sky cannot be seen"
        |item| Value::whole(Some(item.okta));
    "cloud_fraction" Number "1" "cloud / (cloud + sky) inside the region of interest"
        |item| Value::number(item.cloud_fraction, SHARE);
    "confidence" Number "1" "probability that okta is right"
        |item| Value::number(item.confidence, PROBABILITY);
    "category" Text "" "SKC, FEW, SCT, BKN, OVC, or OBSC where the sky cannot be seen"
        |item| Value::text(item.category.as_deref());
    "description" Text "" "the category in Spanish words"
        |item| Value::text(item.description.as_deref());
    "quality" Flags "" "ok, or flags with commas between them"
        |item| Value::text(item.quality.as_deref());
    "model" Text "" "name and version of the model that read"
        |item| Value::text(item.model.as_deref());
    "solar_elevation" Number "degree" "the sun's centre above the horizon, without refraction"
        |item| Value::number(item.solar_elevation, ANGLE);
    "day_phase" Text "" "day, twilight or night"
        |item| Value::text(item.day_phase.as_deref());
    "url" Text "" "where the picture was"
        |item| Value::text(item.url.as_deref());
    "okta_low" Code "0.125" "least okta of the range that holds the true one in 90 of 100 cases"
        |item| Value::whole(item.okta_low);
    "okta_high" Code "0.125" "greatest okta of that range"
        |item| Value::whole(item.okta_high);
    "zenith_fraction" Number "1" "cloud fraction of the cap around the zenith"
        |item| Value::number(item.zenith_fraction, SHARE);
    "zones" Object "1" "cloud fraction of each of the station's zones by its name"
        |item| Value::text(item.zones.as_deref());
    "taken_at" Instant "" "when the picture was taken, where its source says so"
        |item| Value::text(item.taken_at.as_deref());
    "picture_name" Text "" "name of the picture's own file, where it is not the slot's"
        |item| Value::text(item.picture_name.as_deref());
};

/// The names of [`READING`].
pub static READING_NAMES: [&str; READING.len()] = {
    let mut names = [""; READING.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = READING[at].column.name;
        at += 1;
    }
    names
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_decimals_that_they_deserve() {
        for (number, decimals, told) in [
            (0.123_456, SHARE, "0.1235"),
            (0.5, PROBABILITY, "0.5"),
            (-0.000_01, ANGLE, "0"),
            (-12.345_6, ANGLE, "-12.35"),
            (1.0, SHARE, "1"),
        ] {
            assert_eq!(rounded(number, decimals).to_string(), told);
        }
        assert_eq!(Value::number(Some(f64::INFINITY), 2), Value::Nothing);
    }
}
