//! Where the moon and the stars stand. The sun is in [`celaje_sky::sun`].

use chrono::{DateTime, Utc};

/// A direction: east, north, up; length 1.
pub type Direction = [f32; 3];

/// Degrees above the horizon and degrees from north through east, as a direction.
pub fn direction(elevation: f64, azimuth: f64) -> Direction {
    let (se, ce) = elevation.to_radians().sin_cos();
    let (sa, ca) = azimuth.to_radians().sin_cos();
    [(ce * sa) as f32, (ce * ca) as f32, se as f32]
}

/// The cosine of the angle between two directions.
pub fn dot(a: Direction, b: Direction) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Days since J2000.0 (2000-01-01 12:00).
fn days(instant: DateTime<Utc>) -> f64 {
    instant.timestamp_millis() as f64 / 86_400_000.0 - 10_957.5
}

/// Turns the celestial sphere into the sky of a place.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    sidereal: f64,
    sin_latitude: f64,
    cos_latitude: f64,
}

impl Turn {
    /// The sky at `instant` over `latitude` and `longitude` (degrees, north and east positive).
    pub fn new(instant: DateTime<Utc>, latitude: f64, longitude: f64) -> Self {
        let sidereal =
            (280.460_618_37 + 360.985_647_366_29 * days(instant) + longitude).rem_euclid(360.0);
        let (sin_latitude, cos_latitude) = latitude.to_radians().sin_cos();
        Self { sidereal: sidereal.to_radians(), sin_latitude, cos_latitude }
    }

    /// The direction of a place on the celestial sphere (right ascension, declination; radians).
    pub fn direction(self, right_ascension: f64, declination: f64) -> Direction {
        let (sd, cd) = declination.sin_cos();
        let (sh, ch) = (self.sidereal - right_ascension).sin_cos();
        let up = self.sin_latitude * sd + self.cos_latitude * cd * ch;
        let north = self.cos_latitude * sd - self.sin_latitude * cd * ch;
        [(-cd * sh) as f32, north as f32, up as f32]
    }
}

/// The moon in the sky of a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moon {
    /// Degrees above the horizon.
    pub elevation: f64,
    /// Degrees from north through east.
    pub azimuth: f64,
    /// The share of its disc that is lit, 0 to 1.
    pub illumination: f64,
}

impl Moon {
    /// The moon at `instant` over `latitude` and `longitude` (degrees, north and east positive).
    ///
    /// The low-precision formulae of the Astronomical Almanac (section D, "Low-precision formulae
    /// for geocentric coordinates of the Moon"), parallax left out: good to about a degree.
    pub fn at(instant: DateTime<Utc>, latitude: f64, longitude: f64) -> Self {
        let days = days(instant);
        let t = days / 36_525.0;
        let term =
            |amplitude: f64, at: f64, rate: f64| amplitude * (at + rate * t).to_radians().sin();
        let lambda = 218.32 + 481_267.881 * t + term(6.29, 135.0, 477_198.87)
            - term(1.27, 259.3, -413_335.36)
            + term(0.66, 235.7, 890_534.22)
            + term(0.21, 269.9, 954_397.74)
            - term(0.19, 357.5, 35_999.05)
            - term(0.11, 186.5, 966_404.03);
        let beta = term(5.13, 93.3, 483_202.02) + term(0.28, 228.2, 960_400.89)
            - term(0.28, 318.3, 6_003.15)
            - term(0.17, 217.6, -407_332.21);
        let anomaly = (357.528 + 0.985_600_3 * days).to_radians();
        let sun = 280.460 + 0.985_647_4 * days + 1.915 * anomaly.sin();
        let (l, b) = (lambda.to_radians(), beta.to_radians());
        let obliquity = (23.439 - 0.000_000_4 * days).to_radians();
        let declination = (b.sin() * obliquity.cos() + b.cos() * obliquity.sin() * l.sin()).asin();
        let right_ascension =
            (l.sin() * obliquity.cos() - b.tan() * obliquity.sin()).atan2(l.cos());
        let place = Turn::new(instant, latitude, longitude).direction(right_ascension, declination);
        let elongation = (b.cos() * (lambda - sun).to_radians().cos()).acos();
        Self {
            elevation: f64::from(place[2]).clamp(-1.0, 1.0).asin().to_degrees(),
            azimuth: f64::from(place[0]).atan2(f64::from(place[1])).to_degrees().rem_euclid(360.0),
            illumination: (1.0 - elongation.cos()) / 2.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    #[test]
    fn moon_phases_agree_with_almanacs() {
        // Full moon 2024-01-25 17:54 UTC; new moon (and an eclipse) 2024-04-08 18:21 UTC; first
        // quarter 2024-05-15 11:48 UTC.
        let lit = |y, m, d, h, min| {
            Moon::at(Utc.with_ymd_and_hms(y, m, d, h, min, 0).unwrap(), -53.79, -67.70).illumination
        };
        assert!(lit(2024, 1, 25, 17, 54) > 0.99);
        assert!(lit(2024, 4, 8, 18, 21) < 0.01);
        assert!((lit(2024, 5, 15, 11, 48) - 0.5).abs() < 0.03);
    }

    #[test]
    fn the_eclipsed_sun_stands_before_the_moon() {
        // Totality over Mazatlán, Mexico, 2024-04-08 18:10 UTC: both stand at one place.
        let instant = Utc.with_ymd_and_hms(2024, 4, 8, 18, 10, 0).unwrap();
        let moon = Moon::at(instant, 23.25, -106.41);
        let sun = celaje_sky::sun::position(instant, 23.25, -106.41);
        let apart =
            dot(direction(moon.elevation, moon.azimuth), direction(sun.elevation, sun.azimuth));
        assert!(apart.acos().to_degrees() < 1.5, "{moon:?} {sun:?}");
    }

    #[test]
    fn the_pole_stands_still_at_the_latitude() {
        let start = Utc.with_ymd_and_hms(2024, 1, 1, 0, 0, 0).unwrap();
        for hours in 0..24 {
            let turn = Turn::new(start + chrono::Duration::hours(hours), -53.79, -67.7);
            let pole = turn.direction(1.0, -std::f64::consts::FRAC_PI_2);
            assert!((f64::from(pole[2]) - 53.79_f64.to_radians().sin()).abs() < 1e-5);
            assert!(pole[1] < 0.0, "the southern pole stands in the south");
        }
    }
}
