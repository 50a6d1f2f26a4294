//! The cells of a picture by the direction in which they lie.

use crate::picture::geometry::Geometry;
use crate::reading::cells::centres;
use crate::reading::class_map::{Cell, ClassMap};
use celaje_sky::dome::SkyDome;
use celaje_sky::station::lens::Lens;

/// Cloud by direction. `shape` is the picture's height divided by its width.
pub fn sky_dome(classes: &ClassMap, geometry: &Geometry, lens: &Lens, shape: f64) -> SkyDome {
    let mut dome = SkyDome::new(lens);
    let size = (classes.width as usize, classes.height as usize);
    let (columns, rows) = centres(geometry, size);
    for (row, y) in (0..classes.height).zip(rows) {
        let Some(y) = y else { continue };
        let down = lens.down(y, shape);
        for (&cell, x) in classes.row(row).iter().zip(&columns) {
            let Some(x) = x.filter(|_| cell != Cell::Outside) else { continue };
            let across = lens.across(x);
            let distance = across.hypot(down);
            let turn = across.atan2(-down).to_degrees();
            let angle = lens.azimuth(turn).unwrap_or(turn);
            let Some(area) = dome.area(lens.zenith_angle(distance), angle) else { continue };
            let weight = lens.weight(distance);
            area.judged += weight;
            match cell {
                Cell::Sky => area.sky += weight,
                Cell::Cloud => area.cloud += weight,
                Cell::Background | Cell::Outside => {}
            }
        }
    }
    dome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::geometry::{PixelRect, UnitRect};

    /// A picture whose right half is cloud, and whose lower edge is trees.
    fn dome(lens: &Lens) -> SkyDome {
        let side = 200;
        let places = (0..side).flat_map(|y| (0..side).map(move |x| (x, y)));
        let cell = |(x, y): (u32, u32)| match (x, y) {
            (_, 170..) => Cell::Background,
            (100.., _) => Cell::Cloud,
            _ => Cell::Sky,
        };
        let classes = ClassMap { width: side, height: side, cells: places.map(cell).collect() };
        let content = PixelRect { left: 0, top: 0, width: side, height: side };
        let crop = UnitRect { left: 0.0, top: 0.0, width: 1.0, height: 1.0 };
        let geometry = Geometry { input: (side, side), content, crop };
        sky_dome(&classes, &geometry, lens, 1.0)
    }

    #[test]
    fn cloud_lies_in_the_direction_that_the_lens_tells() {
        let plain = Lens::new([0.5, 0.5], 0.5);
        // Where in the picture the cloud lies, by the lens's way of counting.
        for (lens, towards) in [
            (plain, 90.0),
            // North is up: east is on the left, as one sees the sky when looking up.
            (Lens { north: Some(0.0), ..plain }, 270.0),
            (Lens { north: Some(0.0), is_flipped: true, ..plain }, 90.0),
            // North is on the right.
            (Lens { north: Some(90.0), ..plain }, 0.0),
            (Lens { north: Some(90.0), is_flipped: true, ..plain }, 0.0),
        ] {
            let mut hidden = 0;
            for place in dome(&lens).places() {
                let middle = f64::midpoint(place.sector.0, place.sector.1);
                let off = (middle - towards + 180.0).rem_euclid(360.0) - 180.0;
                match place.cloud {
                    Some(cloud) if off.abs() < 80.0 => assert!(cloud > 0.95, "{place:?}"),
                    Some(cloud) if off.abs() > 100.0 => assert!(cloud < 0.05, "{place:?}"),
                    Some(_) => {}
                    None => hidden += 1,
                }
            }
            assert!((2..30).contains(&hidden), "{hidden}");
        }
    }
}
