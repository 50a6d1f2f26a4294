//! A fisheye lens: what part of the sky each place of a picture shows, and how large it is there.
//!
//! The amount of cloud is a share of the sky, not of the picture. A fisheye crowds or stretches the
//! sky towards the horizon, so each place counts by the solid angle that it shows.

use crate::say;
use crate::text::Text;

/// Zenith angle up to which the sky is judged, degrees, if the settings say nothing.
///
/// Whole-sky imagers count to 80° (a field of view of 160°: Long, Sabburg, Calbó and Pagès,
/// "Retrieving cloud characteristics from ground-based daytime color all-sky images", J. Atmos.
/// Oceanic Technol. 23 (2006) 633–652). The band below has 17 % of the hemisphere. Haze, lights,
/// houses and trees fill it, and each of its clouds hides what lies behind: there cloud is
/// overestimated.
pub const LIMIT: f64 = 80.0;

/// Zenith angle of the cap whose amount is told apart, degrees, if the settings say nothing:
/// where telescopes point, through at most two air masses; half of the hemisphere.
pub const ZENITH: f64 = 60.0;

/// How a lens maps the zenith angle θ to the distance r from the zenith's place in the picture.
///
/// Source: J. Kannala and S. S. Brandt, "A generic camera model and calibration method for
/// conventional, wide-angle, and fish-eye lenses", IEEE Trans. Pattern Anal. Mach. Intell. 28
/// (2006) 1335–1340, equations 3 and 4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Projection {
    /// r = f·θ.
    #[default]
    Equidistant,
    /// r = 2·f·sin(θ/2): each pixel shows the same solid angle.
    Equisolid,
}

/// A fisheye lens that looks at the zenith.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lens {
    /// How it maps angles.
    pub projection: Projection,
    /// The place of the zenith, fractions of the picture's width and height.
    pub centre: [f64; 2],
    /// Distance from the zenith's place to the circle of the zenith angle `edge`, a fraction of
    /// the picture's width.
    pub radius: f64,
    /// Zenith angle at `radius`, degrees.
    pub edge: f64,
    /// Greatest zenith angle that is judged, degrees.
    pub limit: f64,
    /// Zenith angle of the cap whose amount is told apart, degrees.
    pub zenith: f64,
    /// Where north lies: degrees clockwise from the picture's top; none where nobody said it.
    pub north: Option<f64>,
    /// Whether east lies clockwise of north, as on a map; else on the other side, as one sees the
    /// sky when looking up.
    pub is_flipped: bool,
}

impl Lens {
    /// An equidistant lens whose circle of `radius` is the horizon.
    pub const fn new(centre: [f64; 2], radius: f64) -> Self {
        let projection = Projection::Equidistant;
        let (edge, limit, zenith, north, is_flipped) = (90.0, LIMIT, ZENITH, None, false);
        Self { projection, centre, radius, edge, limit, zenith, north, is_flipped }
    }

    /// What is wrong with it, if anything is.
    pub fn fault(&self) -> Option<Text> {
        let Self { centre: [x, y], radius, edge, limit, zenith, .. } = *self;
        if ![x, y].iter().all(|at| (-0.5..=1.5).contains(at)) {
            return Some(say!(
                "the lens's centre [{x}, {y}] must be fractions of the picture's width and height",
                "el centro de la lente [{x}, {y}] debe darse en fracciones del ancho y del alto de \
                 la imagen"
            ));
        }
        if !(0.05..=2.0).contains(&radius) {
            return Some(say!(
                "the lens's radius {radius} must be a fraction of the picture's width from 0.05 \
                 to 2",
                "el radio de la lente {radius} debe ser una fracción del ancho de la imagen, de \
                 0.05 a 2"
            ));
        }
        let angles = (10.0..=120.0).contains(&edge) && limit <= edge && limit <= 90.0;
        if !angles || !(1.0..=limit).contains(&zenith) {
            return Some(say!(
                "the lens's angles must be 1 ≤ zenith ({zenith}) ≤ limit ({limit}) ≤ edge ({edge}) \
                 in degrees, limit up to 90, edge from 10 to 120",
                "los ángulos de la lente deben ser 1 ≤ zenith ({zenith}) ≤ limit ({limit}) ≤ edge \
                 ({edge}) en grados, limit hasta 90, edge de 10 a 120"
            ));
        }
        if let Some(north) = self.north.filter(|north| !(-360.0..=360.0).contains(north)) {
            return Some(say!(
                "the lens's north ({north}) must be degrees clockwise from the picture's top, -360 \
                 to 360",
                "el norte de la lente ({north}) debe darse en grados desde arriba de la imagen, en \
                 el sentido del reloj, de -360 a 360"
            ));
        }
        None
    }

    /// The direction, degrees from north through east, that lies `turn` degrees clockwise from the
    /// picture's top; none where north is not known.
    pub fn azimuth(&self, turn: f64) -> Option<f64> {
        let north = self.north?;
        let clockwise = turn - north;
        let azimuth = if self.is_flipped { clockwise } else { -clockwise };
        Some(azimuth.rem_euclid(360.0))
    }

    /// The zenith angle at a `distance` (in radii) from the zenith's place, degrees; NaN where the
    /// lens shows nothing.
    pub fn zenith_angle(&self, distance: f64) -> f64 {
        match self.projection {
            Projection::Equidistant => distance * self.edge,
            Projection::Equisolid => 2.0 * (distance * half_sine(self.edge)).asin().to_degrees(),
        }
    }

    /// Distance from the zenith's place, in radii, at which the zenith angle is `degrees`.
    pub fn distance(&self, degrees: f64) -> f64 {
        match self.projection {
            Projection::Equidistant => degrees / self.edge,
            Projection::Equisolid => half_sine(degrees) / half_sine(self.edge),
        }
    }

    /// Solid angle of a small part of the picture at a `distance` (in radii) from the zenith's
    /// place, relative to an equal part at the zenith: (sin θ dθ) / (r dr).
    ///
    /// It is sin θ / θ for an equidistant lens and 1 for an equisolid one.
    pub fn weight(&self, distance: f64) -> f64 {
        match self.projection {
            Projection::Equisolid => 1.0,
            Projection::Equidistant => {
                let angle = distance * self.edge.to_radians();
                if angle < 1e-6 { 1.0 } else { (angle.sin() / angle).max(0.0) }
            }
        }
    }

    /// Offset of the picture's column `x` (a fraction of the width) from the zenith's, in radii.
    pub fn across(&self, x: f64) -> f64 {
        (x - self.centre[0]) / self.radius
    }

    /// Offset of the picture's row `y` (a fraction of the height) from the zenith's, in radii.
    /// `shape` is the picture's height divided by its width.
    pub fn down(&self, y: f64, shape: f64) -> f64 {
        (y - self.centre[1]) * shape / self.radius
    }
}

fn half_sine(degrees: f64) -> f64 {
    (degrees.to_radians() / 2.0).sin()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    const EQUIDISTANT: Lens = Lens::new([0.5, 0.5], 0.5);
    const EQUISOLID: Lens = Lens { projection: Projection::Equisolid, ..EQUIDISTANT };

    /// The weights of all cells of a square picture up to a zenith angle.
    fn sum(lens: &Lens, degrees: f64) -> f64 {
        let most = lens.distance(degrees);
        let cells = (0..1000).flat_map(|y| (0..1000).map(move |x| (x, y)));
        let at = |n: i32| (f64::from(n) + 0.5) / 1000.0;
        let distances = cells.map(|(x, y)| lens.across(at(x)).hypot(lens.down(at(y), 1.0)));
        distances.filter(|distance| *distance <= most).map(|d| lens.weight(d)).sum()
    }

    #[test]
    fn the_weights_of_a_cap_are_its_solid_angle() {
        for lens in [EQUIDISTANT, EQUISOLID] {
            let whole = sum(&lens, 90.0);
            for degrees in [20.0, 45.0, 60.0, 80.0f64] {
                // 2π(1 − cos θ) of the hemisphere's 2π.
                let share = 1.0 - degrees.to_radians().cos();
                assert!((sum(&lens, degrees) / whole - share).abs() < 1e-3, "{degrees}");
            }
        }
    }

    #[test]
    fn a_weight_is_the_ratio_of_the_solid_angle_to_the_area() {
        for lens in [EQUIDISTANT, EQUISOLID] {
            let ring = |from: f64, to: f64| {
                let area = lens.distance(to).powi(2) - lens.distance(from).powi(2);
                (from.to_radians().cos() - to.to_radians().cos()) / area
            };
            for degrees in [5.0, 30.0, 60.0, 85.0] {
                let ratio = ring(degrees - 0.01, degrees + 0.01) / ring(0.0, 0.01);
                let weight = lens.weight(lens.distance(degrees));
                assert!((ratio - weight).abs() < 1e-4, "{degrees}: {ratio} {weight}");
            }
        }
        for lens in [EQUIDISTANT, EQUISOLID] {
            for degrees in [0.0, 5.0, 60.0, 90.0] {
                assert!((lens.zenith_angle(lens.distance(degrees)) - degrees).abs() < 1e-9);
            }
        }
        // At the horizon θ = π/2, so that sin θ / θ = 2/π.
        assert!((EQUIDISTANT.weight(1.0) - 2.0 / PI).abs() < 1e-12);
        assert!((EQUISOLID.distance(60.0) - 0.5f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn places_are_counted_in_radii_of_a_circle_whatever_the_pictures_shape() {
        let lens = Lens::new([0.5, 0.4], 0.25);
        assert_eq!((lens.across(0.75), lens.down(0.4, 0.75)), (1.0, 0.0));
        // A quarter of the width is a third of the height of a 4:3 picture.
        assert!((lens.down(0.4 + 1.0 / 3.0, 0.75) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_no_lens_has_is_refused() {
        assert_eq!(EQUIDISTANT.fault(), None);
        for (lens, word) in [
            (Lens { centre: [0.5, f64::NAN], ..EQUIDISTANT }, "centre"),
            (Lens { centre: [320.0, 240.0], ..EQUIDISTANT }, "centre"),
            (Lens { radius: 0.0, ..EQUIDISTANT }, "radius"),
            (Lens { radius: f64::NAN, ..EQUIDISTANT }, "radius"),
            (Lens { limit: 95.0, ..EQUIDISTANT }, "limit"),
            (Lens { edge: 70.0, ..EQUIDISTANT }, "edge"),
            (Lens { zenith: 85.0, ..EQUIDISTANT }, "zenith"),
            (Lens { edge: f64::NAN, ..EQUIDISTANT }, "edge"),
            (Lens { north: Some(f64::NAN), ..EQUIDISTANT }, "north"),
            (Lens { north: Some(400.0), ..EQUIDISTANT }, "north"),
        ] {
            let fault = lens.fault().map(|text| text.en).unwrap_or_default();
            assert!(fault.contains(word), "{lens:?}: {fault}");
        }
    }
}
