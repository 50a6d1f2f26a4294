//! The moon's place in the sky, and how much of it is lit.

use chrono::{DateTime, Utc};

use crate::sun::{Equatorial, days_since_2000, ecliptic_longitude, obliquity};

/// Elevation at which the upper limb touches the horizon, in degrees: 34′ of refraction and 16′ of
/// the moon's radius.
pub const HORIZON: f64 = -0.833;

/// The moon at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MoonPosition {
    /// Degrees above the horizon of its centre, seen from the ground, refraction left out.
    pub elevation: f64,
    /// Degrees from north through east.
    pub azimuth: f64,
    /// Share of its disc that is lit, 0 to 1.
    pub lit: f64,
    /// Whether that share grows.
    pub is_waxing: bool,
}

/// Degrees of `amplitude` × sin(`phase` + `rate` × centuries), and the same with cos.
type Term = (f64, f64, f64);

const LONGITUDE: [Term; 6] = [
    (6.29, 135.0, 477_198.87),
    (-1.27, 259.3, -413_335.36),
    (0.66, 235.7, 890_534.22),
    (0.21, 269.9, 954_397.74),
    (-0.19, 357.5, 35_999.05),
    (-0.11, 186.5, 966_404.03),
];
const LATITUDE: [Term; 4] = [
    (5.13, 93.3, 483_202.02),
    (0.28, 228.2, 960_400.89),
    (-0.28, 318.3, 6_003.15),
    (-0.17, 217.6, -407_332.21),
];
const PARALLAX: [Term; 4] = [
    (0.0518, 135.0, 477_198.87),
    (0.0095, 259.3, -413_335.36),
    (0.0078, 235.7, 890_534.22),
    (0.0028, 269.9, 954_397.74),
];

fn sum(terms: &[Term], centuries: f64, of: fn(f64) -> f64) -> f64 {
    let term = |(size, phase, rate): &Term| size * of((phase + rate * centuries).to_radians());
    terms.iter().map(term).sum()
}

/// The moon at `instant`, seen from `latitude` and `longitude` (degrees, north and east positive).
///
/// The low-precision formulae of the Astronomical Almanac (section D, "Low-precision formulae for
/// geocentric coordinates of the Moon"): good to about 0.3° between 1900 and 2100, which is a
/// minute or two of its rise and set.
pub fn position(instant: DateTime<Utc>, latitude: f64, longitude: f64) -> MoonPosition {
    let days = days_since_2000(instant);
    let centuries = days / 36_525.0;
    let along = (218.32 + 481_267.881 * centuries + sum(&LONGITUDE, centuries, f64::sin))
        .rem_euclid(360.0)
        .to_radians();
    let beside = sum(&LATITUDE, centuries, f64::sin).to_radians();
    let parallax = (0.9508 + sum(&PARALLAX, centuries, f64::cos)).to_radians();
    let (l, m, n) = (beside.cos() * along.cos(), beside.cos() * along.sin(), beside.sin());
    let tilt = obliquity(days);
    let (m, n) = (m * tilt.cos() - n * tilt.sin(), m * tilt.sin() + n * tilt.cos());
    let equatorial = Equatorial { right_ascension: m.atan2(l), declination: n.asin() };
    let (geocentric, azimuth) = equatorial.horizontal(days, latitude, longitude);
    let height = geocentric.to_radians();
    let elevation = (height - (parallax.sin() * height.cos()).asin()).to_degrees();
    let ahead = along - ecliptic_longitude(days);
    let elongation = (beside.cos() * ahead.cos()).acos();
    // The moon is 389 times nearer than the sun: the phase angle is 180° less the elongation, but
    // for a sixth of a degree.
    let lit = f64::midpoint(1.0, -elongation.cos());
    MoonPosition { elevation, azimuth, lit, is_waxing: ahead.sin() > 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(latitude: f64, longitude: f64, at: &str) -> MoonPosition {
        position(at.parse().unwrap(), latitude, longitude)
    }

    /// Elevation, azimuth and lit share by PyEphem 4.2 (Moshier's theory), without refraction.
    #[test]
    fn agrees_with_an_ephemeris() {
        for (latitude, longitude, at, elevation, azimuth, lit) in [
            (-53.79, -67.70, "2024-01-05T03:00:00Z", -10.34, 121.75, 0.407),
            (-53.79, -67.70, "2025-06-20T22:30:00Z", -45.60, 216.54, 0.266),
            (-53.79, -67.70, "2026-11-30T05:00:00Z", -0.59, 66.65, 0.616),
            (28.76, -17.88, "2024-01-05T03:00:00Z", 9.83, 107.85, 0.407),
            (28.76, -17.88, "2026-11-30T05:00:00Z", 64.83, 124.55, 0.616),
            (28.76, -17.88, "2030-03-14T12:00:00Z", -25.40, 47.23, 0.703),
            (28.76, -17.88, "1999-08-11T11:00:00Z", 55.35, 104.84, 0.000),
            (69.65, 18.96, "2024-01-05T03:00:00Z", 5.83, 145.42, 0.407),
            (69.65, 18.96, "2026-11-30T05:00:00Z", 31.83, 198.69, 0.616),
            (0.0, 0.0, "2024-01-05T03:00:00Z", 34.73, 102.36, 0.407),
            (0.0, 0.0, "2030-03-14T12:00:00Z", -25.96, 67.85, 0.703),
        ] {
            let moon = seen(latitude, longitude, at);
            assert!((moon.elevation - elevation).abs() < 0.4, "{at} {moon:?}");
            assert!((moon.azimuth - azimuth).abs() < 0.8, "{at} {moon:?}");
            assert!((moon.lit - lit).abs() < 0.005, "{at} {moon:?}");
        }
    }

    #[test]
    fn it_waxes_from_new_to_full() {
        // New on 6 June 2024 12:38, full on 22 June 01:08, new on 5 July 22:57.
        let waxing = |at| seen(0.0, 0.0, at).is_waxing;
        let told = ["2024-06-06T18:00:00Z", "2024-06-21T18:00:00Z", "2024-06-22T08:00:00Z"];
        assert_eq!(told.map(waxing), [true, true, false]);
        assert!(!waxing("2024-07-05T17:00:00Z"));
        assert!(seen(0.0, 0.0, "2024-06-22T01:08:00Z").lit > 0.995);
        assert!(seen(0.0, 0.0, "2024-07-05T22:57:00Z").lit < 0.005);
    }
}
