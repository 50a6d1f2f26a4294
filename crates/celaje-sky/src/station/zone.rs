//! Parts of the sky whose cloud is told apart: zones that the user drew, and the cap around the
//! zenith.

use std::collections::BTreeMap;

use crate::say;
use crate::text::Text;

/// Most zones of a station.
pub const MOST_ZONES: usize = 16;
/// Most corners of a zone.
const MOST_CORNERS: usize = 200;
/// Longest name of a zone, in characters.
const LONGEST_NAME: usize = 40;

/// A part of the picture that the user drew.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkyZone {
    /// Its name for people, the key of its amount.
    pub name: String,
    /// Its corners in turn, fractions of the picture's width and height.
    pub polygon: Vec<[f64; 2]>,
}

impl SkyZone {
    /// What is wrong with it, if anything is.
    pub fn fault(&self) -> Option<Text> {
        let name: String = self.name.chars().take(LONGEST_NAME).collect();
        let bad = |c: char| c.is_control();
        if self.name.trim().is_empty() || name != self.name || name.contains(bad) {
            return Some(say!(
                "the name of the zone '{name}' must have 1 to {LONGEST_NAME} characters on one \
                 line",
                "el nombre de la zona '{name}' debe tener de 1 a {LONGEST_NAME} caracteres en una \
                 línea"
            ));
        }
        let inside = |corner: &[f64; 2]| corner.iter().all(|at| (0.0..=1.0).contains(at));
        let corners = self.polygon.len();
        if !(3..=MOST_CORNERS).contains(&corners) || !self.polygon.iter().all(inside) {
            return Some(say!(
                "the polygon of the zone '{name}' must have 3 to {MOST_CORNERS} corners [x, y], \
                 fractions of the picture's width and height from 0 to 1",
                "el polígono de la zona '{name}' debe tener de 3 a {MOST_CORNERS} vértices [x, y], \
                 fracciones de 0 a 1 del ancho y del alto de la imagen"
            ));
        }
        None
    }

    /// Where the line at the height `y` meets the polygon's sides, from left to right.
    ///
    /// A place of that line is inside if an odd number of them lies left of it (even–odd rule).
    pub fn crossings(&self, y: f64) -> Vec<f64> {
        let ends = self.polygon.iter().zip(self.polygon.iter().cycle().skip(1));
        let mut found: Vec<f64> = ends
            .filter(|(from, to)| (from[1] <= y) != (to[1] <= y))
            .map(|(from, to)| from[0] + (y - from[1]) / (to[1] - from[1]) * (to[0] - from[0]))
            .collect();
        found.sort_by(f64::total_cmp);
        found
    }
}

/// Cloud fractions of parts of the sky, 0 to 1 each; none of a part in which no sky is seen.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SkyParts {
    /// Of the cap around the zenith; none without a lens.
    pub zenith: Option<f64>,
    /// Of each zone, by its name.
    pub zones: BTreeMap<String, Option<f64>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str, polygon: &[[f64; 2]]) -> SkyZone {
        SkyZone { name: name.to_owned(), polygon: polygon.to_vec() }
    }

    fn contains(zone: &SkyZone, x: f64, y: f64) -> bool {
        zone.crossings(y).partition_point(|at| *at < x) % 2 == 1
    }

    #[test]
    fn a_place_is_inside_or_not() {
        let triangle = zone("south", &[[0.0, 0.0], [1.0, 0.0], [0.5, 1.0]]);
        for (x, y, inside) in [
            (0.5, 0.5, true),
            (0.1, 0.1, true),
            (0.1, 0.5, false),
            (0.9, 0.5, false),
            (0.5, 1.5, false),
        ] {
            assert_eq!(contains(&triangle, x, y), inside, "{x} {y}");
        }
        // An open box: its arms are inside, what they hold is not.
        let arms = [[0.0, 0.0], [0.2, 0.0], [0.2, 0.8], [0.8, 0.8], [0.8, 0.0], [1.0, 0.0]];
        let open = zone("box", &[&arms[..], &[[1.0, 1.0], [0.0, 1.0]]].concat());
        let told = [0.1, 0.5, 0.9].map(|x| contains(&open, x, 0.4));
        assert_eq!(told, [true, false, true]);
        assert!(contains(&open, 0.5, 0.9));
    }

    #[test]
    fn what_is_no_zone_is_refused() {
        let corners = [[0.0, 0.0], [1.0, 0.0], [0.5, 1.0]];
        assert_eq!(zone("sur", &corners).fault(), None);
        for bad in [
            zone("", &corners),
            zone("a\nb", &corners),
            zone(&"x".repeat(41), &corners),
            zone("two", &corners[..2]),
            zone("far", &[[0.0, 0.0], [1.0, 0.0], [320.0, 1.0]]),
            zone("none", &[[0.0, 0.0], [1.0, 0.0], [f64::NAN, 1.0]]),
        ] {
            assert!(bad.fault().is_some(), "{bad:?}");
        }
    }
}
