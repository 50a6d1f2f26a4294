//! What stands below the sky: hills and a town's edge, the rim of a fisheye, a mast.

use super::Scene;
use super::camera::Camera;
use super::light::Colour;
use super::noise::{Noise, smooth};
use super::stars::{Spot, splat};
use celaje_sky::random::Rng;

/// What one pixel of the foreground shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Surface {
    /// How much of the pixel it fills, 0 to 1; the pixel counts as sky below a half.
    share: f32,
    /// How far away, 0 near to 1 at the horizon: haze lies before it.
    distance: f32,
    /// Its brightness in full light, about 0 to 1; 0 outside a fisheye's circle.
    albedo: f32,
}

/// The fixed foreground of a camera.
pub struct Ground {
    /// One a pixel, row by row.
    surfaces: Vec<Surface>,
    /// Windows and street lamps, seen by night.
    lamps: Vec<Spot>,
}

impl Ground {
    /// The foreground of `seed` before `camera` (`width`×`height` pixels).
    ///
    /// In a landscape it begins a fifth of the height above the picture's lower edge, or lower.
    pub fn new(scene: Scene, camera: &Camera, width: u32, height: u32, seed: u64) -> Self {
        let noise = Noise::new(seed ^ 0x6E0);
        let mut rng = Rng::new(seed ^ 0x6E1);
        match scene {
            Scene::Landscape => landscape(&noise, &mut rng, width, height),
            Scene::Fisheye => {
                let surfaces = fisheye(&noise, camera, width, height);
                Self { surfaces, lamps: Vec::new() }
            }
        }
    }

    /// Whether the pixel shows sky.
    pub fn is_sky(&self, pixel: usize) -> bool {
        self.surfaces[pixel].share < 0.5
    }

    /// The lamps of the night.
    pub fn lamps(&self) -> &[Spot] {
        &self.lamps
    }

    /// The foreground's colour in a pixel, in the light that
    /// [`Light::ground`](super::light::Light::ground) gives, and how much of the pixel it fills.
    pub fn colour(
        &self,
        pixel: usize,
        (brightness, haze, depth): (f32, Colour, f32),
    ) -> (Colour, f32) {
        let surface = self.surfaces[pixel];
        // The lens lets a little stray light fall on everything, outside its circle too.
        let stray = 0.012 + 0.010 * brightness;
        let near = [0.43, 0.41, 0.29].map(|c: f32| c * surface.albedo * brightness + stray);
        let veil = surface.distance * depth;
        (std::array::from_fn(|i| near[i] * (1.0 - veil) + haze[i] * veil * 0.72), surface.share)
    }
}

fn landscape(noise: &Noise, rng: &mut Rng, width: u32, height: u32) -> Ground {
    let h = height as f32;
    let wide = width as f32 / h;
    // Heights of three ridges over the lower edge, as fractions of the picture's height.
    let ridge = |x: f32, base: f32, swing: f32, detail: f32, at: f32| {
        base + swing * noise.octaves([x * detail * wide, at], 5, 0.5, 0.0, |v| v)
    };
    let mut surfaces = vec![Surface::default(); width as usize * height as usize];
    let houses: Vec<(f32, f32, f32)> = (0..14)
        .map(|_| (rng.unit(), rng.between(0.008, 0.022), rng.between(0.010, 0.022)))
        .collect();
    for column in 0..width {
        let x = column as f32 / width as f32;
        let far = ridge(x, 0.176, 0.022, 1.6, 5.5).min(0.199);
        let middle = ridge(x, 0.148, 0.014, 4.0, 41.5).min(0.195);
        let mut near = ridge(x, 0.105, 0.010, 9.0, 77.5);
        for (at, half, tall) in &houses {
            if (x - at).abs() < *half {
                near += tall * 1.35 - tall * 0.7 * (x - at).abs() / half;
                break;
            }
        }
        for row in 0..height {
            let above = (h - 0.5 - row as f32) / h;
            let (distance, base) = if above <= near {
                (0.02, 0.66)
            } else if above <= middle {
                (0.35, 0.55)
            } else if above <= far.max(middle) + 1.0 / h {
                (0.85, 0.5)
            } else {
                continue;
            };
            // Grass and bushes: finer and flatter towards the horizon.
            let depth = 1.0 / (0.215 - above).max(0.01);
            let grain = noise.octaves(
                [(x - 0.5) * wide * depth * 2.2, depth * 3.0 + distance * 9.0],
                5,
                0.62,
                depth * depth * 3.0 / h,
                |v| v,
            );
            surfaces[(row * width + column) as usize] = Surface {
                share: ((far.max(middle) - above) * h + 0.5).clamp(0.0, 1.0),
                distance,
                albedo: base * (1.0 + 0.35 * grain) * (0.75 + 0.25 * smooth(0.0, 0.1, above)),
            };
        }
    }
    let mut lamps = Vec::new();
    for _ in 0..46 {
        let at = [rng.unit() * width as f32, h * (1.0 - rng.between(0.06, 0.145))];
        let (strength, warmth) = (rng.between(0.2, 0.9), rng.between(0.35, 0.8));
        let colour = [1.0, 0.5 + 0.4 * warmth, 0.2 + 0.6 * warmth].map(|c| c * strength);
        splat(&mut lamps, at, [width, height], h / 600.0 * rng.between(0.7, 1.5), colour);
    }
    Ground { surfaces, lamps }
}

fn fisheye(noise: &Noise, camera: &Camera, width: u32, height: u32) -> Vec<Surface> {
    let mut surfaces = Vec::with_capacity(width as usize * height as usize);
    for y in 0..height {
        for x in 0..width {
            let Some(d) = camera.direction(x as f32, y as f32) else {
                surfaces.push(Surface { share: 1.0, ..Default::default() });
                continue;
            };
            let around = d[0].hypot(d[1]).max(1e-6);
            let (e, n) = (d[0] / around, d[1] / around);
            // A mast on one side, thinner towards its tip.
            let mast = (e * 0.94 + n * 0.34 > 0.9)
                && (n * 0.94 - e * 0.34).abs() < 0.006 + 0.012 * (0.20 - d[2])
                && d[2] < 0.20;
            let trees = if d[2] < 0.2 {
                noise.octaves([e * 7.0 + 20.0, n * 7.0 + 20.0], 5, 0.65, 0.0, f32::abs)
            } else {
                0.0
            };
            let share = (0.012 + 0.035 * trees - d[2]) * camera.scale() + 0.5;
            let grain = noise.at(x as f32 * 0.3, y as f32 * 0.3);
            surfaces.push(Surface {
                share: if mast { 1.0 } else { share.clamp(0.0, 1.0) },
                distance: 0.05,
                albedo: 0.25 * (1.0 + 0.25 * grain),
            });
        }
    }
    surfaces
}
