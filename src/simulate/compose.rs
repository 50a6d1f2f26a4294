//! Puts a picture together: sky, stars, clouds, ground, text, and the sensor's noise.

use super::camera::Camera;
use super::canvas::Canvas;
use super::celestial::{Direction, Moon, Turn, direction, dot};
use super::clouds::{Deck, Density, opacity};
use super::grid::{Grid, blend};
use super::ground::Ground;
use super::light::{Colour, Light};
use super::mask::{Kind, TruthMask};
use super::noise::{Rng, mix, smooth, unit};
use super::stars::Stars;
use super::weather::Weather;
use super::{DrawError, Drawn, SIDE, Scene, Spec, Truth, overlay};
use crate::pipeline::slot::Slot;
use crate::sky::okta::Okta;
use crate::sky::sun::{self, DayPhase};

/// A camera set up to draw: holds what all its pictures share.
pub struct Studio {
    spec: Spec,
    camera: Camera,
    ground: Ground,
    deck: Deck,
    tones: Grid,
    stars: Stars,
    town: Direction,
}

/// The sky over the camera at one slot.
struct Moment {
    weather: Weather,
    light: Light,
    turn: Turn,
    sun: sun::SunPosition,
    moon: Moon,
}

impl Studio {
    /// Sets up the camera; its size is held within [`SIDE`].
    pub fn new(mut spec: Spec) -> Self {
        spec.width = spec.width.clamp(*SIDE.start(), *SIDE.end());
        spec.height = spec.height.clamp(*SIDE.start(), *SIDE.end());
        spec.quality = spec.quality.clamp(1, 100);
        let (width, height) = (spec.width, spec.height);
        let camera = Camera::new(spec.scene, width, height, spec.latitude);
        let ground = Ground::new(spec.scene, &camera, width, height, spec.seed);
        let step = match width.min(height) {
            ..300 => 1,
            300..500 => 2,
            500..1000 => 3,
            _ => 4,
        };
        let deck = Deck::new(
            &camera,
            Grid::new(width, height, step),
            spec.seed,
            |x, y| x < width && y < height && ground.is_sky((y * width + x) as usize),
        );
        Self {
            deck,
            tones: Grid::new(width, height, if step == 1 { 4 } else { 8 }),
            stars: Stars::new(spec.seed),
            town: direction(0.0, 360.0 * unit(spec.seed ^ 0x704, 0)),
            camera,
            ground,
            spec,
        }
    }

    /// The camera.
    pub const fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Draws the picture of `slot`.
    ///
    /// # Errors
    /// When the JPEG encoder fails.
    pub fn draw(&self, slot: Slot) -> Result<Drawn, DrawError> {
        let moment = self.moment(slot);
        let density = self.deck.density(&moment.weather);
        let mask = self.mask_of(&density);
        let mut canvas = self.paint(&moment, &density);
        self.shine(&moment, &mut canvas);
        self.write(slot, &mut canvas);
        let minute = slot.utc().timestamp().div_euclid(60).cast_unsigned();
        let noise = Rng::new(mix(self.spec.seed) ^ minute);
        let jpeg = canvas.expose(noise, moment.light.night(), self.spec.quality)?;
        let truth = self.truth_of(slot, &moment, &mask);
        Ok(Drawn { jpeg, truth, mask })
    }

    /// What the picture of `slot` shows, without drawing it.
    pub fn truth(&self, slot: Slot) -> (Truth, TruthMask) {
        let moment = self.moment(slot);
        let mask = self.mask_of(&self.deck.density(&moment.weather));
        (self.truth_of(slot, &moment, &mask), mask)
    }

    fn moment(&self, slot: Slot) -> Moment {
        let (latitude, longitude) = (self.spec.latitude, self.spec.longitude);
        let instant = slot.utc();
        let weather = Weather::at(self.spec.seed, instant);
        let sun = sun::position(instant, latitude, longitude);
        let moon = Moon::at(instant, latitude, longitude);
        let light = Light::new(
            weather,
            direction(sun.elevation, sun.azimuth),
            sun.elevation,
            &moon,
            direction(moon.elevation, moon.azimuth),
            self.town,
        );
        Moment {
            weather,
            light,
            turn: Turn::new(instant, latitude, longitude),
            sun,
            moon,
        }
    }

    fn mask_of(&self, density: &Density) -> TruthMask {
        let (width, height) = (self.spec.width, self.spec.height);
        let grid = self.deck.grid();
        let values: Vec<[f32; 1]> = density.values.iter().map(|v| [*v]).collect();
        let mut kinds = Vec::with_capacity(width as usize * height as usize);
        let mut row = Vec::new();
        let columns = grid.columns_of(width);
        for y in 0..height {
            grid.row(&values, y, &mut row);
            for column in &columns {
                kinds.push(if !self.ground.is_sky(kinds.len()) {
                    Kind::Background
                } else if density.excess(column.of(&row)[0]) >= 0.0 {
                    Kind::Cloud
                } else {
                    Kind::Sky
                });
            }
        }
        TruthMask::new(width, height, kinds)
    }

    fn truth_of(&self, slot: Slot, moment: &Moment, mask: &TruthMask) -> Truth {
        let cloud_fraction = mask.cloud_fraction().unwrap_or(0.0);
        Truth {
            slot: slot.to_string(),
            utc: slot.utc(),
            file_name: slot.file_name(),
            scene: self.spec.scene,
            seed: self.spec.seed,
            width: self.spec.width,
            height: self.spec.height,
            cloud_fraction,
            okta: Okta::from_fraction(cloud_fraction).eighths(),
            sky_share: mask.sky_share(),
            phase: DayPhase::from_elevation(moment.sun.elevation).as_str(),
            solar_elevation: moment.sun.elevation,
            solar_azimuth: moment.sun.azimuth,
            moon_elevation: moment.moon.elevation,
            moon_illumination: moment.moon.illumination,
        }
    }

    /// Sky, clouds and ground.
    fn paint(&self, moment: &Moment, density: &Density) -> Canvas {
        let (width, height) = (self.spec.width, self.spec.height);
        let tones = self.tones(moment);
        let grid = self.deck.grid();
        let relief = density.relief(grid, self.light_side(&moment.light));
        let clouds: Vec<[f32; 2]> = density
            .values
            .iter()
            .zip(relief)
            .map(|(v, r)| [*v, r])
            .collect();
        let weather = &moment.weather;
        let closing = smooth(0.6, 0.97, weather.cover);
        let contrast = 0.95 * (1.0 - 0.55 * weather.sheet) * (1.0 - 0.45 * closing);
        let dark_base = 0.45 + 0.45 * weather.depth;
        let ground_light = moment.light.ground();
        let mut canvas = Canvas::new(width, height);
        let (mut tone_row, mut cloud_row) = (Vec::new(), Vec::new());
        let columns: Vec<_> = self
            .tones
            .columns_of(width)
            .into_iter()
            .zip(grid.columns_of(width))
            .collect();
        for y in 0..height {
            self.tones.row(&tones, y, &mut tone_row);
            grid.row(&clouds, y, &mut cloud_row);
            for (tone_column, cloud_column) in &columns {
                let (ground, share) = self.ground.colour(canvas.len(), ground_light);
                if share >= 1.0 {
                    canvas.push(ground, 1.0);
                    continue;
                }
                let [r, g, b, lr, lg, lb, sr, sg, sb] = tone_column.of(&tone_row);
                let [value, relief] = cloud_column.of(&cloud_row);
                let excess = density.excess(value);
                let hidden = opacity(excess, weather);
                let mut colour = [r, g, b];
                if hidden > 0.0 {
                    let thick = (excess / 0.5).clamp(0.0, 1.0) * (1.0 - closing)
                        + (0.6 + 0.55 * value).clamp(0.0, 1.15) * closing;
                    let lit = 0.97 - thick * dark_base + contrast * relief - 0.12 * closing;
                    let cloud = blend(&[sr, sg, sb], &[lr, lg, lb], lit.clamp(0.0, 1.0));
                    colour = blend(&colour, &cloud, hidden);
                }
                if share > 0.0 {
                    colour = blend(&colour, &ground, share);
                }
                canvas.push(colour, hidden.max(share));
            }
        }
        canvas
    }

    /// Colours of sky, lit cloud and shaded cloud on the coarse grid.
    fn tones(&self, moment: &Moment) -> Vec<[f32; 9]> {
        let night = moment.light.night();
        let milky = 0.09 * night * (1.0 - 0.85 * moment.light.moonlight);
        let rim = match self.spec.scene {
            Scene::Fisheye => 0.22,
            Scene::Landscape => 0.0,
        };
        self.tones
            .places()
            .map(|(x, y)| {
                let Some(towards) = self.camera.direction(x as f32, y as f32) else {
                    return self.rim_tones(moment, x as f32, y as f32);
                };
                let colours = moment.light.colours(towards);
                let mut sky = colours.sky;
                if milky > 0.0 && towards[2] > 0.0 {
                    let glow = milky * self.stars.glow(towards, moment.turn);
                    sky = [sky[0] + glow * 0.95, sky[1] + glow * 0.95, sky[2] + glow];
                }
                // Lenses darken towards the rim.
                let kept = 1.0 - rim * (1.0 - towards[2].max(0.0)).powi(3);
                let [a, b, c] = [sky, colours.lit, colours.shade].map(|t| t.map(|v| v * kept));
                [a[0], a[1], a[2], b[0], b[1], b[2], c[0], c[1], c[2]]
            })
            .collect()
    }

    /// The tones just outside a fisheye's circle: those of the horizon, for the interpolation.
    fn rim_tones(&self, moment: &Moment, x: f32, y: f32) -> [f32; 9] {
        let (dx, dy) = (
            x - self.spec.width as f32 / 2.0,
            y - self.spec.height as f32 / 2.0,
        );
        let r = dx.hypot(dy).max(1e-6);
        let colours = moment.light.colours([-dx / r, -dy / r, 0.0]);
        let [a, b, c] = [colours.sky, colours.lit, colours.shade].map(|t| t.map(|v| v * 0.78));
        [a[0], a[1], a[2], b[0], b[1], b[2], c[0], c[1], c[2]]
    }

    /// Where the light on the clouds comes from, in cells of the deck's grid (right, down).
    fn light_side(&self, light: &Light) -> [f32; 2] {
        let source = if light.night() > 0.5 && light.moonlight > 0.05 {
            light.moon
        } else {
            light.sun
        };
        let reach = 4.5 * self.spec.width.min(self.spec.height) as f32
            / 600.0
            / self.deck.grid().step() as f32;
        let [x, y] = match self.spec.scene {
            Scene::Fisheye => {
                let length = source[0].hypot(source[1]).max(1e-6);
                [-source[0] / length, -source[1] / length]
            }
            Scene::Landscape => {
                let ahead = self
                    .camera
                    .direction(self.spec.width as f32 / 2.0, self.spec.height as f32 / 2.0);
                let right = ahead.map_or(0.0, |a| source[0] * a[1] - source[1] * a[0]);
                [0.6 * right, -0.9]
            }
        };
        [x * reach.max(0.8), y * reach.max(0.8)]
    }

    /// What shines: sun, moon, stars, lamps.
    fn shine(&self, moment: &Moment, canvas: &mut Canvas) {
        let light = &moment.light;
        let (width, height) = (self.spec.width, self.spec.height);
        let night = light.night();
        let sunshine = light.sunshine();
        if sunshine > 0.0 {
            self.disc(canvas, light.sun, 0.21, |angle| {
                let core = 2.2 * (-(angle / 0.026).powi(2)).exp();
                let glare = 0.8 * (-angle / 0.05).exp() * (1.0 - angle / 0.21);
                [1.0, 0.97, 0.90].map(|c| c * sunshine * (core + glare))
            });
        }
        if night > 0.0 && moment.moon.elevation > -1.0 {
            let lit = (moment.moon.illumination as f32).sqrt() * night;
            self.disc(canvas, light.moon, 0.14, |angle| {
                let core = 2.0 * (-(angle / (0.010 + 0.012 * lit)).powi(2)).exp();
                let glare = 0.45 * lit * (-angle / 0.035).exp() * (1.0 - angle / 0.14);
                [0.98, 0.98, 1.0].map(|c| c * lit * (core + glare))
            });
        }
        if night > 0.0 {
            let seen = night * (1.0 - 0.55 * light.moonlight);
            let stars = self.stars.spots(&self.camera, moment.turn, width, height);
            for (x, y, colour) in stars {
                canvas.add_behind((x, y, colour.map(|c| c * seen)));
            }
            for (x, y, colour) in self.ground.lamps() {
                let pixel = (y * width + x) as usize;
                if !self.ground.is_sky(pixel) {
                    canvas.add(pixel, colour.map(|c| c * night));
                }
            }
        }
    }

    /// Adds `profile` (by the angle from `centre`, radians) behind the clouds, out to `reach`.
    fn disc(
        &self,
        canvas: &mut Canvas,
        centre: Direction,
        reach: f32,
        profile: impl Fn(f32) -> Colour,
    ) {
        let Some([cx, cy]) = self.camera.project(centre) else {
            return;
        };
        // Landscapes are stretched towards their corners, by less than this.
        let span = reach * self.camera.scale() * 2.2;
        let range = |c: f32, limit: u32| {
            (c - span).clamp(0.0, limit as f32) as u32..(c + span).clamp(0.0, limit as f32) as u32
        };
        for y in range(cy, self.spec.height) {
            for x in range(cx, self.spec.width) {
                let Some(d) = self.camera.direction(x as f32, y as f32) else {
                    continue;
                };
                let cosine = dot(d, centre).min(1.0);
                if cosine > reach.cos() {
                    canvas.add_behind((x, y, profile(cosine.acos())));
                }
            }
        }
    }

    /// The overlay text, on background only.
    fn write(&self, slot: Slot, canvas: &mut Canvas) {
        let (width, height) = (self.spec.width as f32, self.spec.height as f32);
        let lines = match self.spec.scene {
            Scene::Landscape => {
                let size = (0.034 * height).max(7.0);
                let text = format!(
                    "{}  {}",
                    self.spec.station,
                    slot.local().format("%Y-%m-%d %H:%M")
                );
                vec![(text, [0.015 * width, height - 0.5 * size], size)]
            }
            Scene::Fisheye => {
                let size = (0.026 * height).max(7.0);
                let left = 0.012 * width;
                vec![
                    (
                        slot.local().format("%Y-%m-%d").to_string(),
                        [left, 1.4 * size],
                        size,
                    ),
                    (
                        slot.local().format("%H:%M").to_string(),
                        [left, 2.6 * size],
                        size,
                    ),
                    (self.spec.station.clone(), [left, height - 0.6 * size], size),
                ]
            }
        };
        let limits = [self.spec.width, self.spec.height];
        for (text, at, size) in lines {
            let shade = (size / 16.0).max(1.0);
            for (strokes, ink) in [
                (
                    overlay::write(&text, at.map(|v| v + shade), size, limits),
                    0.02,
                ),
                (overlay::write(&text, at, size, limits), 0.96),
            ] {
                for (x, y, share) in strokes {
                    let pixel = (y * self.spec.width + x) as usize;
                    if !self.ground.is_sky(pixel) {
                        canvas.cover(pixel, [ink; 3], share);
                    }
                }
            }
        }
    }
}
