//! Cloud by direction: the sky in rings around the zenith and sectors.

use crate::station::lens::Lens;

/// Sectors of a ring.
const SECTORS: usize = 24;
/// Width of a ring, degrees.
const RING: f64 = 10.0;
/// Least share of a place's judged area that must be sky or cloud for its cloud to be told.
const LEAST_SEEN: f64 = 0.2;

/// Areas of a place of the sky, by the solid angle that they fill, in any one unit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DomeArea {
    /// All of it that the picture shows.
    pub judged: f64,
    /// Clear sky.
    pub sky: f64,
    /// Cloud.
    pub cloud: f64,
}

impl DomeArea {
    /// Cloud / (cloud + sky); none where trees, houses or the lens hide most of the place.
    pub fn fraction(self) -> Option<f64> {
        let seen = self.sky + self.cloud;
        (seen > 0.0 && seen >= LEAST_SEEN * self.judged).then(|| self.cloud / seen)
    }
}

/// The sky of one picture.
#[derive(Clone, Debug, PartialEq)]
pub struct SkyDome {
    /// Whether sectors are counted from north through east; else from the picture's top, clockwise.
    pub is_oriented: bool,
    /// Zenith angle to which it reaches, degrees.
    pub limit: f64,
    areas: Vec<DomeArea>,
}

/// A place of a dome.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DomePlace {
    /// Zenith angles from and to, degrees.
    pub ring: (f64, f64),
    /// Angles of its sides, degrees, in the dome's way of counting.
    pub sector: (f64, f64),
    /// Cloud / (cloud + sky); none where it is not seen.
    pub cloud: Option<f64>,
}

impl SkyDome {
    /// The sky that a lens shows, nothing of it seen yet.
    pub fn new(lens: &Lens) -> Self {
        let rings = (lens.limit / RING).ceil().max(1.0) as usize;
        let areas = vec![DomeArea::default(); rings * SECTORS];
        Self { is_oriented: lens.north.is_some(), limit: lens.limit, areas }
    }

    /// The area at a zenith angle and an angle in the dome's way of counting; none beyond its
    /// limit.
    pub fn area(&mut self, zenith_angle: f64, angle: f64) -> Option<&mut DomeArea> {
        if !(0.0..=self.limit).contains(&zenith_angle) || !angle.is_finite() {
            return None;
        }
        let last = self.areas.len() / SECTORS - 1;
        let ring = ((zenith_angle / RING) as usize).min(last);
        let sector = (angle.rem_euclid(360.0) / 360.0 * SECTORS as f64) as usize;
        self.areas.get_mut(ring * SECTORS + sector.min(SECTORS - 1))
    }

    /// All places, from the zenith outwards.
    pub fn places(&self) -> impl Iterator<Item = DomePlace> + '_ {
        let width = 360.0 / SECTORS as f64;
        self.areas.iter().enumerate().map(move |(n, area)| {
            let (ring, sector) = ((n / SECTORS) as f64, (n % SECTORS) as f64);
            DomePlace {
                ring: (ring * RING, ((ring + 1.0) * RING).min(self.limit)),
                sector: (sector * width, (sector + 1.0) * width),
                cloud: area.fraction(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_and_told_where_they_were_put() {
        let lens = Lens { north: Some(0.0), ..Lens::new([0.5, 0.5], 0.5) };
        let mut dome = SkyDome::new(&lens);
        *dome.area(35.0, -1.0).unwrap() = DomeArea { judged: 4.0, sky: 1.0, cloud: 3.0 };
        *dome.area(80.0, 0.0).unwrap() = DomeArea { judged: 4.0, sky: 0.1, cloud: 0.1 };
        assert!(dome.is_oriented && dome.area(80.1, 0.0).is_none());
        assert!(dome.area(f64::NAN, 0.0).is_none() && dome.area(1.0, f64::NAN).is_none());
        let seen: Vec<_> = dome.places().filter(|place| place.cloud.is_some()).collect();
        let sector = (345.0, 360.0);
        assert_eq!(seen, [DomePlace { ring: (30.0, 40.0), sector, cloud: Some(0.75) }]);
        assert_eq!(dome.places().count(), 8 * 24);
    }
}
