//! The sun's place in the sky.

use chrono::{DateTime, Utc};

/// Day, twilight or night.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum DayPhase {
    /// The upper limb of the sun is above the horizon.
    Day,
    /// Until the sun is 18° below the horizon (the end of astronomical twilight).
    Twilight,
    /// The sun is more than 18° below the horizon.
    Night,
}

impl DayPhase {
    /// All phases.
    pub const ALL: [Self; 3] = [Self::Day, Self::Twilight, Self::Night];

    /// The phase for a solar elevation in degrees (geometric centre of the sun).
    ///
    /// Day begins at −0.833°: 34′ of refraction and 16′ of the sun's radius, as almanacs use.
    pub fn from_elevation(degrees: f64) -> Self {
        if degrees >= -0.833 {
            Self::Day
        } else if degrees >= -18.0 {
            Self::Twilight
        } else {
            Self::Night
        }
    }

    /// The name under which it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Twilight => "twilight",
            Self::Night => "night",
        }
    }
}

/// Direction of the sun.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SunPosition {
    /// Degrees above the horizon, of the sun's centre, refraction left out.
    pub elevation: f64,
    /// Degrees from north through east.
    pub azimuth: f64,
}

/// The sun's direction at `instant`, seen from `latitude` and `longitude` (degrees, north and east
/// positive).
///
/// The low-precision formulae of the Astronomical Almanac (section C, "Low-precision formulas for
/// the Sun's coordinates"): good to about 0.01° between 1950 and 2050, a few hundredths for a
/// century around that.
pub fn position(instant: DateTime<Utc>, latitude: f64, longitude: f64) -> SunPosition {
    let days = days_since_2000(instant);
    let (elevation, azimuth) = equatorial(days).horizontal(days, latitude, longitude);
    SunPosition { elevation, azimuth }
}

/// How far the sun is past its highest place, in degrees: 0 at noon, −180 to 180.
pub fn hour_angle(instant: DateTime<Utc>, longitude: f64) -> f64 {
    let days = days_since_2000(instant);
    let past = sidereal(days) + longitude - equatorial(days).right_ascension.to_degrees();
    (past + 180.0).rem_euclid(360.0) - 180.0
}

/// Days since J2000.0 (2000-01-01 12:00).
pub(crate) fn days_since_2000(instant: DateTime<Utc>) -> f64 {
    (instant.timestamp_millis() as f64 / 86_400_000.0) - 10_957.5
}

/// Mean obliquity of the ecliptic, radians.
pub(crate) fn obliquity(days: f64) -> f64 {
    (23.439 - 0.000_000_4 * days).to_radians()
}

/// Greenwich mean sidereal time, degrees.
fn sidereal(days: f64) -> f64 {
    (280.460_618_37 + 360.985_647_366_29 * days).rem_euclid(360.0)
}

/// The sun's longitude on the ecliptic, radians.
pub(crate) fn ecliptic_longitude(days: f64) -> f64 {
    let mean_longitude = (280.460 + 0.985_647_4 * days).rem_euclid(360.0);
    let anomaly = (357.528 + 0.985_600_3 * days).to_radians();
    (mean_longitude + 1.915 * anomaly.sin() + 0.020 * (2.0 * anomaly).sin()).to_radians()
}

/// The sun's direction among the stars.
fn equatorial(days: f64) -> Equatorial {
    let (longitude, obliquity) = (ecliptic_longitude(days), obliquity(days));
    Equatorial {
        right_ascension: (obliquity.cos() * longitude.sin()).atan2(longitude.cos()),
        declination: (obliquity.sin() * longitude.sin()).asin(),
    }
}

/// A direction among the stars, radians.
#[derive(Clone, Copy)]
pub(crate) struct Equatorial {
    pub right_ascension: f64,
    pub declination: f64,
}

impl Equatorial {
    /// Elevation, and azimuth from north through east, in degrees, from the centre of the earth.
    pub fn horizontal(self, days: f64, latitude: f64, longitude: f64) -> (f64, f64) {
        let Self { right_ascension, declination } = self;
        let hour_angle = (sidereal(days) + longitude).to_radians() - right_ascension;
        let latitude = latitude.to_radians();
        let elevation = (latitude.sin() * declination.sin()
            + latitude.cos() * declination.cos() * hour_angle.cos())
        .asin();
        let azimuth = (-hour_angle.sin() * declination.cos()).atan2(
            declination.sin() * latitude.cos()
                - declination.cos() * latitude.sin() * hour_angle.cos(),
        );
        (elevation.to_degrees(), azimuth.to_degrees().rem_euclid(360.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    fn at(y: i32, m: u32, d: u32, h: u32, min: u32) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(y, m, d, h, min, 0).unwrap()
    }

    #[test]
    fn agrees_with_a_worked_example() {
        // Reda & Andreas, NREL/TP-560-34302 (2008), appendix A.5: Golden, Colorado,
        // 2003-10-17 12:30:30 at UTC-7: topocentric zenith 50.11162°, azimuth 194.34024°.
        let sun = position(
            Utc.with_ymd_and_hms(2003, 10, 17, 19, 30, 30).unwrap(),
            39.742_476,
            -105.178_6,
        );
        assert!((sun.elevation - (90.0 - 50.111_62)).abs() < 0.03, "{sun:?}");
        assert!((sun.azimuth - 194.340_24).abs() < 0.03, "{sun:?}");
    }

    #[test]
    fn solstices_at_rio_grande() {
        // Noon elevation = 90° − |latitude − declination| with a declination of ±23.44°.
        let highest = (0..1440)
            .map(|m| {
                position(at(2024, 12, 21, 0, 0) + chrono::Duration::minutes(m), -53.79, -67.70)
            })
            .map(|sun| sun.elevation)
            .fold(f64::MIN, f64::max);
        assert!((highest - (90.0 - (53.79 - 23.44))).abs() < 0.05, "{highest}");
        let lowest = (0..1440)
            .map(|m| position(at(2024, 6, 20, 0, 0) + chrono::Duration::minutes(m), -53.79, -67.70))
            .map(|sun| sun.elevation)
            .fold(f64::MIN, f64::max);
        assert!((lowest - (90.0 - (53.79 + 23.44))).abs() < 0.05, "{lowest}");
    }

    #[test]
    fn the_hour_angle_is_nothing_at_noon() {
        // At Greenwich the equation of time is +14.2 min on 11 February, −16.4 min on 3 November.
        for (noon, late) in [(at(2024, 2, 11, 12, 0), -14.2), (at(2024, 11, 3, 12, 0), 16.4)] {
            let minutes = hour_angle(noon, 0.0) * 4.0;
            assert!((minutes - late).abs() < 0.2, "{minutes}");
        }
        let west = hour_angle(at(2024, 2, 11, 12, 0), -90.0);
        assert!((west - (-90.0 - 14.2 / 4.0)).abs() < 0.1, "{west}");
    }

    #[test]
    fn phases_by_elevation() {
        assert_eq!(DayPhase::from_elevation(0.0), DayPhase::Day);
        assert_eq!(DayPhase::from_elevation(-0.9), DayPhase::Twilight);
        assert_eq!(DayPhase::from_elevation(-18.1), DayPhase::Night);
    }
}
