//! What lies on the lens: rain drops, dew, snow.
//!
//! A [`Film`] says of each pixel how far it is covered, before anything is drawn: the truth is
//! counted from that, and the drawing follows it.

use super::blur::Blur;
use super::camera::Camera;
use super::canvas::luminance;
use super::celestial::dot;
use super::conditions::Lens;
use super::grid::{Grid, blend};
use super::light::{Colour, Light};
use super::noise::{Noise, smooth};
use celaje_sky::random::Rng;

/// Samples of the covering field are this many pixels apart.
const STEP: u32 = 4;

/// What covers the lens at one moment.
pub struct Film {
    lens: Lens,
    width: u32,
    height: u32,
    /// How far each pixel is covered, 0 to 1, row by row; empty on a clean lens.
    cover: Vec<f32>,
    drops: Vec<Drop>,
    noise: Noise,
    spell: (u64, f32),
}

/// A drop on the lens, far out of focus: an upright ellipse of pixels.
#[derive(Clone, Copy, Debug)]
struct Drop {
    at: [f32; 2],
    radii: [f32; 2],
    /// How much light its rim loses.
    rim: f32,
}

impl Film {
    /// What covers the lens of `camera` (`width`×`height` pixels) in a `spell`; `sky` says of a
    /// pixel whether it shows sky through a clean lens.
    pub fn new(
        lens: Lens,
        spell: (u64, f32),
        camera: &Camera,
        (width, height): (u32, u32),
        sky: impl Fn(usize) -> bool,
    ) -> Self {
        let mut film = Self {
            lens,
            width,
            height,
            cover: Vec::new(),
            drops: Vec::new(),
            noise: Noise::new(spell.0 ^ 0xF11),
            spell,
        };
        let mut rng = Rng::new(spell.0 ^ 0xF12);
        match lens {
            Lens::Clean | Lens::Mixed => {}
            Lens::Drops => film.rain(&mut rng),
            Lens::Dew => film.dew(&mut rng),
            Lens::Snow => film.snow(&mut rng, &sky),
        }
        for (pixel, cover) in film.cover.iter_mut().enumerate() {
            let (x, y) = (pixel as u32 % width, pixel as u32 / width);
            if camera.direction(x as f32, y as f32).is_none() {
                *cover = 0.0;
            }
        }
        film
    }

    /// Whether nothing of what is behind the lens shows in the pixel.
    pub fn hides(&self, pixel: usize) -> bool {
        self.lens == Lens::Snow && self.covers(pixel)
    }

    /// Whether what is behind the lens is hidden or spoilt in the pixel, by half at least.
    pub fn covers(&self, pixel: usize) -> bool {
        self.cover.get(pixel).is_some_and(|c| *c >= 0.5)
    }

    fn side(&self) -> f32 {
        self.width.min(self.height) as f32
    }

    fn rain(&mut self, rng: &mut Rng) {
        let side = self.side();
        let count = (8.0 * rng.between(0.0, 2.4).exp()) as usize;
        let large = rng.between(0.7, 1.8);
        for _ in 0..count {
            let at = [rng.unit() * self.width as f32, rng.unit() * self.height as f32];
            let radius = side * large * (0.012 / rng.between(0.14, 0.8)).min(0.065);
            let stretch = rng.between(0.85, 1.2);
            let rim = rng.between(0.25, 0.6);
            // A few are there from the beginning, the others fall in the course of the spell.
            if rng.unit() < 0.4 + 0.6 * self.spell.1 {
                self.drops.push(Drop { at, radii: [radius, radius * stretch], rim });
            }
        }
        self.cover = vec![0.0; self.width as usize * self.height as usize];
        for i in 0..self.drops.len() {
            let drop = self.drops[i];
            self.inside(drop, |cover, away| *cover = cover.max(drop_share(away)));
        }
    }

    /// Calls `each` with the cover of each pixel in reach of a drop and how far from its centre
    /// the pixel is (1 on the rim).
    fn inside(&mut self, drop: Drop, each: impl Fn(&mut f32, f32)) {
        let (width, cover) = (self.width, &mut self.cover);
        drop.pixels(width, self.height, |x, y, away| {
            each(&mut cover[(y * width + x) as usize], away);
        });
    }

    fn dew(&mut self, rng: &mut Rng) {
        // It grows from the rim inwards or in patches all over.
        let inwards = rng.between(-0.3, 1.0).max(0.0);
        let start = rng.between(0.1, 0.45);
        let level = start + (0.92 - start) * self.spell.1;
        let from = [rng.unit(), rng.unit()];
        let reach = 0.75 * self.side();
        self.cover = self.field(|noise, x, y, around| {
            let patches = noise.octaves([x * 3.0 + from[0], y * 3.0 + from[1]], 3, 0.5, 0.0, |v| v);
            let rim = inwards * (around / reach * 1.6 - 0.8);
            (level * (1.0 + 0.30 * patches) + 0.35 * rim).clamp(0.06, 0.93)
        });
    }

    fn snow(&mut self, rng: &mut Rng, sky: &impl Fn(usize) -> bool) {
        let wanted = (rng.between(0.32, 1.30) - 0.12 * self.spell.1).clamp(0.21, 1.0);
        let (s, c) = rng.between(0.0, std::f32::consts::TAU).sin_cos();
        let slide = rng.between(0.2, 1.6);
        let hollow = rng.between(-0.8, 1.2);
        let edge = rng.between(0.05, 0.20);
        let reach = self.side();
        let mut values = self.field(|noise, x, y, around| {
            let (dx, dy) = (x - 0.5, y - 0.5);
            let lumps = noise.octaves([x * 1.7, y * 1.7], 5, 0.42, 0.0, |v| v);
            0.8 * lumps + slide * (dx * c + dy * s) + hollow * around / reach
        });
        let mut seen: Vec<f32> =
            values.iter().enumerate().filter_map(|(i, v)| sky(i).then_some(*v)).collect();
        let place = (seen.len() as f32 * (1.0 - wanted)) as usize;
        let threshold = if wanted >= 1.0 || place >= seen.len() {
            f32::NEG_INFINITY
        } else {
            *seen.select_nth_unstable_by(place, f32::total_cmp).1
        };
        for value in &mut values {
            *value = smooth(-edge, edge, (*value - threshold).min(9.0));
        }
        self.cover = values;
    }

    /// A field over all pixels, from its values on a coarse grid: `at` is given the noise, the
    /// place as a fraction of the picture's shorter side, and the pixels from the centre.
    fn field(&self, at: impl Fn(&Noise, f32, f32, f32) -> f32) -> Vec<f32> {
        let grid = Grid::new(self.width, self.height, STEP);
        let side = self.side();
        let centre = [self.width as f32 / 2.0, self.height as f32 / 2.0];
        let values: Vec<[f32; 1]> = grid
            .places()
            .map(|(x, y)| {
                let (x, y) = (x as f32, y as f32);
                let around = (x - centre[0]).hypot(y - centre[1]);
                [at(&self.noise, x / side, y / side, around)]
            })
            .collect();
        let mut field = Vec::with_capacity(self.width as usize * self.height as usize);
        let (mut row, columns) = (Vec::new(), grid.columns_of(self.width));
        for y in 0..self.height {
            grid.row(&values, y, &mut row);
            field.extend(columns.iter().map(|c| c.of(&row)[0]));
        }
        field
    }

    /// Lays the film over `pixels` that a clean lens would show, in `light`.
    pub fn apply(&self, pixels: &mut [Colour], camera: &Camera, light: &Light) {
        match self.lens {
            Lens::Clean | Lens::Mixed => {}
            Lens::Drops => self.apply_drops(pixels, camera),
            Lens::Dew => self.apply_dew(pixels, camera, light),
            Lens::Snow => self.apply_snow(pixels, camera, light),
        }
    }

    fn apply_drops(&self, pixels: &mut [Colour], camera: &Camera) {
        let (w, h) = (self.width as f32, self.height as f32);
        let seen: Vec<bool> = (0..pixels.len() as u32)
            .map(|i| (i % self.width, i / self.width))
            .map(|(x, y)| camera.direction(x as f32, y as f32).is_some())
            .collect();
        let blurred = Blur::new(pixels, |i| seen[i], (self.width, self.height), 44);
        for drop in &self.drops {
            let [rx, ry] = drop.radii;
            drop.pixels(self.width, self.height, |x, y, away| {
                let pixel = (y * self.width + x) as usize;
                let share = drop_share(away).min(self.cover[pixel]);
                if share <= 0.0 {
                    return;
                }
                // A drop is a strong lens: it shows its surroundings upside down, and blurred.
                let [cx, cy] = [
                    drop.at[0] - 2.2 * (x as f32 - drop.at[0]),
                    drop.at[1] - 2.2 * (y as f32 - drop.at[1]),
                ];
                // Nothing outside the picture is known: what is there looks like the edge.
                let [cx, cy] = [cx.clamp(0.0, w - 1.0), cy.clamp(0.0, h - 1.0)];
                let mut mean = [0.0; 3];
                for (dx, dy) in [(-0.5, 0.0), (0.5, 0.0), (0.0, -0.5), (0.0, 0.5), (0.0, 0.0)] {
                    let tap = blurred.at(cx + dx * rx, cy + dy * ry);
                    (0..3).for_each(|k| mean[k] += tap[k] / 5.0);
                }
                let below = (y as f32 - drop.at[1]) / ry;
                let rim = 1.0 - drop.rim * smooth(0.25, 1.05, away).powi(2);
                let gleam = 1.02 + 0.22 * below * (1.0 - 0.5 * away);
                let seen = mean.map(|c| c * rim * gleam);
                pixels[pixel] = blend(&pixels[pixel], &seen, share);
            });
        }
    }

    fn apply_dew(&self, pixels: &mut [Colour], camera: &Camera, light: &Light) {
        let blurred = Blur::new(pixels, |i| self.cover[i] > 0.0, (self.width, self.height), 20);
        let mean = blurred.mean;
        let source = if light.sunshine() > 0.0 {
            Some((light.sun, 0.5 * light.sunshine()))
        } else if light.moonlight > 0.02 {
            Some((light.moon, 0.7 * light.moonlight))
        } else {
            None
        };
        for (pixel, colour) in pixels.iter_mut().enumerate() {
            let veil = self.cover[pixel];
            if veil <= 0.0 {
                continue;
            }
            let (x, y) = (pixel as u32 % self.width, pixel as u32 / self.width);
            let (fx, fy) = (x as f32, y as f32);
            let near = blurred.at(fx, fy);
            // Scattered light has lost most of its colour.
            let grey = luminance(&mean) * 0.5 + luminance(&near) * 0.5;
            let mut milk: Colour = std::array::from_fn(|i| {
                0.035 + 1.04 * (0.3 * near[i] + 0.25 * mean[i] + 0.45 * grey)
            });
            if let Some((at, strength)) = source
                && let Some(d) = camera.direction(fx, fy)
            {
                let angle = dot(d, at).clamp(-1.0, 1.0).acos();
                let halo = strength * (0.7 * (-angle / 0.22).exp() + 0.3 * (-angle / 0.7).exp());
                milk = milk.map(|c| c + halo * (1.05 - c).max(0.0));
            }
            let grain = self.noise.at(fx * 0.45, fy * 0.45) * 0.012;
            let soft = blend(colour, &near, (veil * 0.9).min(0.75));
            *colour = blend(&soft, &milk.map(|c| c * (1.0 + grain)), veil);
        }
    }

    fn apply_snow(&self, pixels: &mut [Colour], camera: &Camera, light: &Light) {
        let above = light.colours([0.0, 0.0, 1.0]);
        let through = blend(&above.shade, &above.lit, 0.62);
        // The sky's light comes through, paler than it went in.
        let grey = luminance(&through);
        let through = through.map(|c| 0.35 * c + 0.65 * grey + 0.012);
        let side = self.side();
        for (pixel, colour) in pixels.iter_mut().enumerate() {
            let share = self.cover[pixel];
            if share <= 0.0 {
                continue;
            }
            let (x, y) = (pixel as u32 % self.width, pixel as u32 / self.width);
            let (fx, fy) = (x as f32, y as f32);
            let lumps =
                self.noise.octaves([fx / side * 5.0 + 9.0, fy / side * 5.0], 4, 0.55, 0.0, |v| v);
            let mut bright = 0.88 + 0.08 * lumps;
            if light.sunshine() > 0.0
                && let Some(d) = camera.direction(fx, fy)
            {
                let angle = dot(d, light.sun).clamp(-1.0, 1.0).acos();
                bright += 0.16 * light.sunshine() * (-angle / 0.5).exp();
            }
            // Thin at its edge, where more light comes through.
            bright += 0.05 * (1.0 - smooth(0.6, 1.0, share));
            *colour = blend(colour, &through.map(|c| c * bright), share);
        }
    }
}

/// How far a drop hides what is behind it, by the distance from its centre (1 at half).
fn drop_share(away: f32) -> f32 {
    1.0 - smooth(0.78, 1.22, away)
}

impl Drop {
    fn pixels(&self, width: u32, height: u32, mut each: impl FnMut(u32, u32, f32)) {
        let range = |c: f32, r: f32, limit: u32| {
            let (from, to) = (c - 1.25 * r, c + 1.25 * r + 1.0);
            from.clamp(0.0, limit as f32) as u32..to.clamp(0.0, limit as f32) as u32
        };
        for y in range(self.at[1], self.radii[1], height) {
            for x in range(self.at[0], self.radii[0], width) {
                let dx = (x as f32 - self.at[0]) / self.radii[0];
                let dy = (y as f32 - self.at[1]) / self.radii[1];
                each(x, y, dx.hypot(dy));
            }
        }
    }
}
