//! Cloud and sky by the area of the sky that each cell shows: of all that is judged, of the cap
//! around the zenith, and of the user's zones.

use crate::picture::geometry::Geometry;
use crate::reading::cells::centres;
use crate::reading::class_map::{Cell, ClassMap};
use celaje_sky::station::region::Region;
use celaje_sky::station::zone::SkyParts;

/// Least share of the judged cells that must be sky or cloud for a reading.
pub(super) const LEAST_SKY: f64 = 0.01;

/// Weights of the cells of a part of the sky.
#[derive(Clone, Copy, Debug, Default)]
struct Weights {
    judged: f64,
    sky: f64,
    cloud: f64,
}

impl Weights {
    fn add(&mut self, cell: Cell, weight: f64) {
        self.judged += weight;
        match cell {
            Cell::Sky => self.sky += weight,
            Cell::Cloud => self.cloud += weight,
            Cell::Background | Cell::Outside => {}
        }
    }

    /// Cloud / (cloud + sky); none if hardly any of the part is sky or cloud.
    fn fraction(self) -> Option<f64> {
        let seen = self.sky + self.cloud;
        (seen > 0.0 && seen >= LEAST_SKY * self.judged).then(|| self.cloud / seen)
    }
}

/// The areas of a picture.
pub(super) struct SkyArea {
    /// All that is judged; none without a lens.
    whole: Option<f64>,
    parts: SkyParts,
}

impl SkyArea {
    /// Measures the judged cells of `classes`; `shape` is the picture's height divided by its
    /// width. Without a lens a cell weighs 1, and only zones are measured.
    pub(super) fn of(classes: &ClassMap, geometry: &Geometry, region: &Region, shape: f64) -> Self {
        let (lens, zones) = (region.lens, &region.zones);
        if lens.is_none() && zones.is_empty() {
            return Self { whole: None, parts: SkyParts::default() };
        }
        let size = (classes.width as usize, classes.height as usize);
        let (columns, rows) = centres(geometry, size);
        let cap = lens.map_or(0.0, |lens| lens.distance(lens.zenith));
        let (mut whole, mut zenith) = (Weights::default(), Weights::default());
        let mut of_zones = vec![Weights::default(); zones.len()];
        for (row, y) in (0..classes.height).zip(rows) {
            let Some(y) = y else { continue };
            let crossings: Vec<Vec<f64>> = zones.iter().map(|zone| zone.crossings(y)).collect();
            for (&cell, x) in classes.row(row).iter().zip(&columns) {
                let Some(x) = x.filter(|_| cell != Cell::Outside) else { continue };
                let mut weight = 1.0;
                if let Some(lens) = lens {
                    let distance = lens.across(x).hypot(lens.down(y, shape));
                    weight = lens.weight(distance);
                    whole.add(cell, weight);
                    if distance <= cap {
                        zenith.add(cell, weight);
                    }
                }
                for (weights, crossings) in of_zones.iter_mut().zip(&crossings) {
                    if crossings.partition_point(|at| *at < x) % 2 == 1 {
                        weights.add(cell, weight);
                    }
                }
            }
        }
        let names = zones.iter().map(|zone| zone.name.clone());
        Self {
            whole: whole.fraction(),
            parts: SkyParts {
                zenith: zenith.fraction(),
                zones: names.zip(of_zones.into_iter().map(Weights::fraction)).collect(),
            },
        }
    }

    /// The cloud fraction of the judged sky by solid angle; none without a lens.
    pub(super) const fn fraction(&self) -> Option<f64> {
        self.whole
    }

    /// The cloud fractions of its parts.
    pub(super) fn into_parts(self) -> SkyParts {
        self.parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::geometry::{PixelRect, UnitRect};
    use celaje_sky::station::lens::{Lens, Projection};
    use celaje_sky::station::zone::SkyZone;
    use std::sync::Arc;

    const CELLS: u32 = 400;

    /// The areas of a square picture whose circle touches its edges; `cell` is asked for the
    /// offsets from the centre in radii.
    fn area(region: &Region, cell: impl Fn(f64, f64) -> Cell) -> SkyArea {
        let lens = region.lens.unwrap_or(LENS);
        let limit = lens.distance(lens.limit);
        let at = |n: u32| 2.0 * (f64::from(n) + 0.5) / f64::from(CELLS) - 1.0;
        let places = (0..CELLS).flat_map(|y| (0..CELLS).map(move |x| (at(x), at(y))));
        let inside = |x: f64, y: f64| x.hypot(y) <= limit;
        let cells = places.map(|(x, y)| if inside(x, y) { cell(x, y) } else { Cell::Outside });
        let classes = ClassMap { width: CELLS, height: CELLS, cells: cells.collect() };
        let content = PixelRect { left: 0, top: 0, width: CELLS, height: CELLS };
        let crop = UnitRect { left: 0.0, top: 0.0, width: 1.0, height: 1.0 };
        let geometry = Geometry { input: (CELLS, CELLS), content, crop };
        SkyArea::of(&classes, &geometry, region, 1.0)
    }

    const LENS: Lens = Lens::new([0.5, 0.5], 0.5);
    const EQUISOLID: Lens = Lens { projection: Projection::Equisolid, ..LENS };

    fn through(lens: Lens) -> Region {
        Region { lens: Some(lens), ..Region::whole() }
    }

    fn close(found: Option<f64>, wanted: f64) {
        let found = found.unwrap();
        assert!((found - wanted).abs() < 2e-3, "{found} {wanted}");
    }

    #[test]
    fn a_sky_that_is_alike_everywhere_has_the_same_amount() {
        for lens in [LENS, EQUISOLID] {
            for (cell, fraction) in [(Cell::Cloud, 1.0), (Cell::Sky, 0.0)] {
                let area = area(&through(lens), |_, _| cell);
                assert_eq!((area.whole, area.parts.zenith), (Some(fraction), Some(fraction)));
            }
            // Sectors of equal width to all sides: a quarter of any cap.
            let quarter = |x: f64, y: f64| if x > 0.0 && y > 0.0 { Cell::Cloud } else { Cell::Sky };
            let area = area(&through(lens), quarter);
            close(area.whole, 0.25);
            close(area.parts.zenith, 0.25);
        }
    }

    #[test]
    fn cloud_at_the_horizon_weighs_what_it_covers() {
        for lens in [LENS, EQUISOLID] {
            let from = lens.distance(60.0);
            let ring = |x: f64, y: f64| if x.hypot(y) > from { Cell::Cloud } else { Cell::Sky };
            let area = area(&through(lens), ring);
            // (cos 60° − cos 80°) / (1 − cos 80°)
            close(area.whole, (0.5 - 80f64.to_radians().cos()) / (1.0 - 80f64.to_radians().cos()));
            assert_eq!(area.parts.zenith, Some(0.0));
        }
        // By pixels the same ring of an equidistant lens has (80² − 60²) / 80² = 0.4375 of the
        // disc: more than the 0.3949 of the sky.
        let from = LENS.distance(60.0);
        let all = SkyZone {
            name: "all".to_owned(),
            polygon: vec![[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]],
        };
        let plain = Region { zones: Arc::from([all]), ..Region::whole() };
        let ring = |x: f64, y: f64| if x.hypot(y) > from { Cell::Cloud } else { Cell::Sky };
        let area = area(&plain, ring);
        assert_eq!((area.whole, area.parts.zenith), (None, None));
        close(area.parts.zones["all"], 0.4375);
    }

    #[test]
    fn a_zone_has_an_amount_of_its_own() {
        let zone = |name: &str, x: f64| SkyZone {
            name: name.to_owned(),
            polygon: vec![[x, 0.3], [x + 0.2, 0.3], [x + 0.2, 0.7], [x, 0.7]],
        };
        let zones = Arc::from([zone("east", 0.1), zone("west", 0.6), zone("trees", 0.4)]);
        let region = Region { zones, ..through(LENS) };
        let area = area(&region, |x, _| match x {
            ..-0.2 => Cell::Cloud,
            -0.2..0.2 => Cell::Background,
            _ => Cell::Sky,
        });
        let told: Vec<_> = area.parts.zones.into_iter().collect();
        let [east, trees, west] = ["east", "trees", "west"].map(str::to_owned);
        assert_eq!(told, [(east, Some(1.0)), (trees, None), (west, Some(0.0))]);
    }

    #[test]
    fn without_lens_and_zones_nothing_is_measured() {
        let area = area(&Region::whole(), |_, _| Cell::Cloud);
        assert_eq!((area.whole, area.parts), (None, SkyParts::default()));
    }
}
