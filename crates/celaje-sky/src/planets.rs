//! The places of the planets that are seen without a telescope.

use chrono::{DateTime, Utc};

use crate::sun::{Equatorial, days_since_2000, obliquity};

/// A planet that is seen without a telescope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planet {
    /// The one nearest to the sun.
    Mercury,
    /// The brightest one.
    Venus,
    /// The red one.
    Mars,
    /// The largest one.
    Jupiter,
    /// The one with the ring.
    Saturn,
}

impl Planet {
    /// All of them, from the sun outwards.
    pub const ALL: [Self; 5] =
        [Self::Mercury, Self::Venus, Self::Mars, Self::Jupiter, Self::Saturn];

    const fn orbit(self) -> &'static Orbit {
        match self {
            Self::Mercury => &ORBITS[0],
            Self::Venus => &ORBITS[1],
            Self::Mars => &ORBITS[3],
            Self::Jupiter => &ORBITS[4],
            Self::Saturn => &ORBITS[5],
        }
    }
}

/// Elements at J2000.0 and their change in a century: semi-major axis (au), eccentricity,
/// inclination, mean longitude, longitude of perihelion, longitude of the node (degrees).
type Orbit = [(f64, f64); 6];

/// Mercury, Venus, the earth with the moon, Mars, Jupiter, Saturn.
///
/// Source: E. M. Standish and J. G. Williams, "Approximate Positions of the Planets", JPL Solar
/// System Dynamics, table 1 (mean ecliptic and equinox of J2000.0, 1800 to 2050).
const ORBITS: [Orbit; 6] = [
    [
        (0.387_099_27, 0.000_000_37),
        (0.205_635_93, 0.000_019_06),
        (7.004_979_02, -0.005_947_49),
        (252.250_323_50, 149_472.674_111_75),
        (77.457_796_28, 0.160_476_89),
        (48.330_765_93, -0.125_340_81),
    ],
    [
        (0.723_335_66, 0.000_003_90),
        (0.006_776_72, -0.000_041_07),
        (3.394_676_05, -0.000_788_90),
        (181.979_099_50, 58_517.815_387_29),
        (131.602_467_18, 0.002_683_29),
        (76.679_842_55, -0.277_694_18),
    ],
    [
        (1.000_002_61, 0.000_005_62),
        (0.016_711_23, -0.000_043_92),
        (-0.000_015_31, -0.012_946_68),
        (100.464_571_66, 35_999.372_449_81),
        (102.937_681_93, 0.323_273_64),
        (0.0, 0.0),
    ],
    [
        (1.523_710_34, 0.000_018_47),
        (0.093_394_10, 0.000_078_82),
        (1.849_691_42, -0.008_131_31),
        (-4.553_432_05, 19_140.302_684_99),
        (-23.943_629_59, 0.444_410_88),
        (49.559_538_91, -0.292_573_43),
    ],
    [
        (5.202_887_00, -0.000_116_07),
        (0.048_386_24, -0.000_132_53),
        (1.304_396_95, -0.001_837_14),
        (34.396_440_51, 3_034.746_127_75),
        (14.728_479_83, 0.212_526_68),
        (100.473_909_09, 0.204_691_06),
    ],
    [
        (9.536_675_94, -0.001_250_60),
        (0.053_861_79, -0.000_509_91),
        (2.485_991_87, 0.001_936_09),
        (49.954_244_23, 1_222.493_622_01),
        (92.598_878_31, -0.418_972_16),
        (113.662_424_48, -0.288_677_94),
    ],
];

const EARTH: &Orbit = &ORBITS[2];

/// Degrees by which the equinox goes along the ecliptic in a century.
const PRECESSION: f64 = 1.397;

/// A planet's place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlanetPosition {
    /// Degrees above the horizon, refraction left out.
    pub elevation: f64,
    /// Degrees from north through east.
    pub azimuth: f64,
}

/// Where `planet` is at `instant`, seen from `latitude` and `longitude` (degrees, north and east
/// positive): good to about 0.1° from 1900 to 2050. The time that its light takes is left out,
/// which is less than that.
pub fn position(
    planet: Planet,
    instant: DateTime<Utc>,
    latitude: f64,
    longitude: f64,
) -> PlanetPosition {
    let days = days_since_2000(instant);
    let centuries = days / 36_525.0;
    let [planet, earth] = [planet.orbit(), EARTH].map(|orbit| from_the_sun(orbit, centuries));
    let [x, y, z] = [0, 1, 2].map(|axis| planet[axis] - earth[axis]);
    let along = y.atan2(x) + (PRECESSION * centuries).to_radians();
    let (out, tilt) = (x.hypot(y), obliquity(days));
    let (x, y) = (out * along.cos(), out * along.sin());
    let (y, z) = (y * tilt.cos() - z * tilt.sin(), y * tilt.sin() + z * tilt.cos());
    let place = Equatorial { right_ascension: y.atan2(x), declination: z.atan2(x.hypot(y)) };
    let (elevation, azimuth) = place.horizontal(days, latitude, longitude);
    PlanetPosition { elevation, azimuth }
}

/// Ecliptic coordinates of J2000.0 from the sun, au.
fn from_the_sun(orbit: &Orbit, centuries: f64) -> [f64; 3] {
    let [axis, eccentricity, inclination, mean, perihelion, node] =
        orbit.map(|(at_2000, change)| at_2000 + change * centuries);
    let anomaly = (mean - perihelion).to_radians();
    // Kepler's equation, by Newton's method: three steps are enough below an eccentricity of 0.21.
    let eccentric = (0..5).fold(anomaly + eccentricity * anomaly.sin(), |at, _| {
        at - (at - eccentricity * at.sin() - anomaly) / (1.0 - eccentricity * at.cos())
    });
    let along = axis * (eccentric.cos() - eccentricity);
    let across = axis * (1.0 - eccentricity * eccentricity).sqrt() * eccentric.sin();
    let argument = (perihelion - node).to_radians();
    let (inclination, node) = (inclination.to_radians(), node.to_radians());
    // From the node on, in the orbit's plane.
    let forth = along * argument.cos() - across * argument.sin();
    let aside = along * argument.sin() + across * argument.cos();
    let level = aside * inclination.cos();
    [
        forth * node.cos() - level * node.sin(),
        forth * node.sin() + level * node.cos(),
        aside * inclination.sin(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Degrees between two directions, each elevation and azimuth.
    fn apart(a: (f64, f64), b: (f64, f64)) -> f64 {
        let [(a, x), (b, y)] = [a, b].map(|(up, round)| (up.to_radians(), round.to_radians()));
        (a.sin() * b.sin() + a.cos() * b.cos() * (x - y).cos()).clamp(-1.0, 1.0).acos().to_degrees()
    }

    /// Elevation and azimuth of the five by PyEphem 4.2 (VSOP 87), without refraction.
    #[test]
    fn agrees_with_an_ephemeris() {
        let told = [
            (
                -53.79,
                -67.70,
                "2024-01-05T03:00:00Z",
                [
                    (-15.64, 180.79),
                    (-15.24, 165.03),
                    (-11.80, 188.29),
                    (12.47, 312.16),
                    (0.58, 250.77),
                ],
            ),
            (
                28.76,
                -17.88,
                "2026-11-30T05:00:00Z",
                [
                    (-18.72, 98.87),
                    (4.23, 103.10),
                    (59.38, 114.99),
                    (63.63, 120.95),
                    (-23.71, 284.99),
                ],
            ),
            (
                69.65,
                18.96,
                "2030-03-14T12:00:00Z",
                [
                    (18.17, 192.89),
                    (-5.77, 238.52),
                    (24.36, 180.56),
                    (-32.20, 308.22),
                    (31.53, 136.41),
                ],
            ),
            (
                0.0,
                0.0,
                "1999-08-11T11:00:00Z",
                [
                    (71.68, 352.20),
                    (62.46, 80.64),
                    (-8.92, 108.70),
                    (-1.56, 281.80),
                    (10.30, 284.82),
                ],
            ),
            (
                28.76,
                -17.88,
                "2045-07-01T22:00:00Z",
                [
                    (-3.03, 293.10),
                    (-0.38, 293.16),
                    (-28.85, 325.97),
                    (-22.77, 86.66),
                    (40.35, 164.81),
                ],
            ),
        ];
        for (latitude, longitude, at, places) in told {
            for (planet, place) in Planet::ALL.into_iter().zip(places) {
                let found = position(planet, at.parse().unwrap(), latitude, longitude);
                let off = apart(place, (found.elevation, found.azimuth));
                assert!(off < 0.15, "{planet:?} {at}: {off}° off, {found:?}");
            }
        }
    }
}
