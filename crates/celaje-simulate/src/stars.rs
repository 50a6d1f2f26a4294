//! The stars: a catalogue that belongs to a seed, turning about the celestial pole.

use std::f32::consts::TAU;

use super::camera::Camera;
use super::celestial::{Direction, Turn, dot};
use super::light::Colour;
use super::noise::{Noise, smooth};
use celaje_sky::random::Rng;

/// Stars spread evenly over the celestial sphere, and those of the Milky Way.
const EVEN: usize = 2600;
const MILKY: usize = 2200;

/// The north pole and the centre of the Galaxy, degrees (right ascension, declination; J2000).
const GALACTIC_POLE: (f64, f64) = (192.86, 27.13);
const GALACTIC_CENTRE: (f64, f64) = (266.41, -28.94);

/// A star.
#[derive(Clone, Copy, Debug)]
struct Star {
    right_ascension: f64,
    declination: f64,
    brightness: f32,
    colour: Colour,
}

/// A catalogue of stars.
pub struct Stars {
    stars: Vec<Star>,
    clumps: Noise,
}

/// Light added to one pixel: column, row, colour.
pub type Spot = (u32, u32, Colour);

impl Stars {
    /// The catalogue of `seed`.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x57A5);
        let mut stars: Vec<Star> = (0..EVEN)
            .map(|_| {
                let z = rng.between(-1.0, 1.0);
                star(&mut rng, f64::from(z).asin(), 1.0)
            })
            .collect();
        // The galactic plane, in its own axes.
        let pole = unit(GALACTIC_POLE);
        let centre = unit(GALACTIC_CENTRE);
        let third = cross(pole, centre);
        for _ in 0..MILKY {
            let along = f64::from(rng.between(0.0, TAU));
            let off = f64::from((rng.unit() + rng.unit() + rng.unit() - 1.5) * 0.28);
            let v: [f64; 3] = std::array::from_fn(|i| {
                (along.cos() * centre[i] + along.sin() * third[i]) * off.cos() + off.sin() * pole[i]
            });
            let mut s = star(&mut rng, v[2].clamp(-1.0, 1.0).asin(), 0.55);
            s.right_ascension = v[1].atan2(v[0]);
            stars.push(s);
        }
        Self { stars, clumps: Noise::new(seed ^ 0x3117) }
    }

    /// What the stars add to a picture of `width`×`height` pixels by `camera`, each drawn over a
    /// few pixels.
    pub fn spots(&self, camera: &Camera, turn: Turn, width: u32, height: u32) -> Vec<Spot> {
        let radius = (width.min(height) as f32 / 600.0).clamp(0.55, 2.5);
        let mut spots = Vec::new();
        for s in &self.stars {
            let at = turn.direction(s.right_ascension, s.declination);
            if at[2] < 0.01 {
                continue;
            }
            let Some([x, y]) = camera.project(at) else {
                continue;
            };
            // Air dims what stands low (about 0.2 magnitudes for each thickness of air).
            let dimmed = s.brightness * (-0.18 / (at[2] + 0.04)).exp() * 1.2;
            splat(&mut spots, [x, y], [width, height], radius * 0.62, s.colour.map(|c| c * dimmed));
        }
        spots
    }

    /// The Milky Way's glow towards `direction`, 0 to 1.
    pub fn glow(&self, direction: Direction, turn: Turn) -> f32 {
        let towards = |(ra, dec): (f64, f64)| turn.direction(ra.to_radians(), dec.to_radians());
        let (pole, centre) = (towards(GALACTIC_POLE), towards(GALACTIC_CENTRE));
        let height = dot(direction, pole);
        let bulge = 0.55 + 0.45 * dot(direction, centre);
        let along = dot(direction, centre).clamp(-1.0, 1.0).acos() * 3.0;
        let clumps = self.clumps.octaves([along, height * 9.0], 3, 0.6, 0.05, |v| v);
        let width = 0.13 + 0.05 * bulge;
        (-(height / width).powi(2)).exp() * bulge * (0.75 + 0.5 * clumps).max(0.0)
    }
}

/// Adds a round spot of `colour` and spread `sigma` (pixels) at (`x`, `y`).
pub fn splat(spots: &mut Vec<Spot>, at: [f32; 2], size: [u32; 2], sigma: f32, colour: Colour) {
    let reach = (sigma * 2.5).ceil();
    let [w, h] = size.map(|s| s as f32);
    if at[0] < -reach || at[1] < -reach || at[0] > w + reach || at[1] > h + reach {
        return;
    }
    let range = |centre: f32, limit: f32| {
        let from = (centre - reach).max(0.0) as u32;
        let to = (centre + reach).min(limit - 1.0).max(0.0) as u32;
        from..=to
    };
    for y in range(at[1], h) {
        for x in range(at[0], w) {
            let (dx, dy) = (x as f32 - at[0], y as f32 - at[1]);
            let k = (-(dx * dx + dy * dy) / (2.0 * sigma * sigma)).exp();
            if k > 0.02 {
                spots.push((x, y, colour.map(|c| c * k)));
            }
        }
    }
}

fn star(rng: &mut Rng, declination: f64, share: f32) -> Star {
    // Each magnitude has about 2.5 times the stars of the one before: a power law.
    let brightness = (0.095 * rng.unit().max(1e-4).powf(-0.62)).min(2.2) * share;
    let warmth = smooth(0.2, 1.0, rng.unit());
    Star {
        right_ascension: f64::from(rng.between(0.0, TAU)),
        declination,
        brightness,
        colour: [0.85 + 0.15 * warmth, 0.92, 1.0 - 0.2 * warmth],
    }
}

fn unit((right_ascension, declination): (f64, f64)) -> [f64; 3] {
    let (sa, ca) = right_ascension.to_radians().sin_cos();
    let (sd, cd) = declination.to_radians().sin_cos();
    [cd * ca, cd * sa, sd]
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}
