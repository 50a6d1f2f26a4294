//! Puts a picture together, and says what is true of it.

use super::camera::Camera;
use super::canvas::{Canvas, Grain};
use super::celestial::{Direction, Moon, Turn, direction};
use super::clouds::{Deck, Density, opacity};
use super::conditions::{Colour, Fault, Lens, SlotConditions};
use super::film::Film;
use super::grid::Grid;
use super::ground::Ground;
use super::light::Light;
use super::mask::{Kind, TruthMask};
use super::stars::Stars;
use super::weather::Weather;
use super::{DrawError, DrawnPicture, OBSCURED, SIDE, Spec, Truth, faults};
use celaje_sky::okta::Okta;
use celaje_sky::random::{Rng, mix, unit};
use celaje_sky::slot::Slot;
use celaje_sky::sun::{self, DayPhase};

/// A camera set up to draw: holds what all its pictures share.
pub struct Studio {
    pub(super) spec: Spec,
    pub(super) camera: Camera,
    pub(super) ground: Ground,
    pub(super) deck: Deck,
    pub(super) tones: Grid,
    pub(super) stars: Stars,
    town: Direction,
}

/// The sky over the camera at one slot.
pub(super) struct Moment {
    pub(super) weather: Weather,
    pub(super) light: Light,
    pub(super) turn: Turn,
    pub(super) sun: sun::SunPosition,
    pub(super) moon: Moon,
    pub(super) now: SlotConditions,
}

/// All that the pixels of one slot's picture follow from.
struct Scenery {
    moment: Moment,
    density: Density,
    film: Film,
    /// How strongly the sun shines into the lens, 0 to 1.
    glare: f32,
    mask: TruthMask,
    obstructed: f64,
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
        let deck = Deck::new(&camera, Grid::new(width, height, step), spec.seed, |x, y| {
            x < width && y < height && ground.is_sky((y * width + x) as usize)
        });
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
    pub fn draw(&self, slot: Slot) -> Result<DrawnPicture, DrawError> {
        let origin = self.origin(slot);
        let scenery = self.scenery(origin);
        let jpeg = self.picture(origin, &scenery)?;
        let truth = self.truth_of(slot, origin, &scenery);
        let mask = scenery.mask;
        Ok(DrawnPicture { jpeg, truth, mask })
    }

    /// What the picture of `slot` shows, without drawing it.
    pub fn truth(&self, slot: Slot) -> (Truth, TruthMask) {
        let origin = self.origin(slot);
        let scenery = self.scenery(origin);
        (self.truth_of(slot, origin, &scenery), scenery.mask)
    }

    /// The slot whose picture `slot` has: its own, unless the camera is frozen.
    fn origin(&self, slot: Slot) -> Slot {
        let spec = &self.spec;
        spec.conditions.origin(spec.seed, spec.longitude, &spec.minutes, slot)
    }

    fn picture(&self, slot: Slot, scenery: &Scenery) -> Result<Vec<u8>, DrawError> {
        let Scenery { moment, density, .. } = scenery;
        let (width, height, quality) = (self.spec.width, self.spec.height, self.spec.quality);
        let fault = moment.now.fault;
        let minute = slot.utc().timestamp().div_euclid(60).cast_unsigned();
        let noise = Rng::new(mix(self.spec.seed) ^ minute);
        let night = moment.light.night();
        let mut grain = Grain::new(night);
        let mut canvas = match fault {
            Fault::Placeholder => {
                // A camera that is off says so for hours.
                let kind = mix(self.spec.seed) ^ (minute / 180);
                let card = Canvas::of(width, height, faults::card(kind, width, height));
                return card.encode(quality);
            }
            Fault::Dark => {
                grain = Grain::new(
                    0.2 + 1.3 * unit(self.spec.seed ^ 0xDA2D, slot.utc().timestamp()) as f32,
                );
                let cells = width as usize * height as usize;
                let kind = mix(self.spec.seed) ^ (minute / 1440);
                Canvas::of(width, height, faults::dark(kind, cells))
            }
            Fault::None | Fault::Overexposed | Fault::Frozen | Fault::Mixed => {
                let mut canvas = self.paint(moment, density);
                self.shine(moment, &mut canvas);
                if scenery.glare > 0.0 {
                    self.glare(moment, scenery.glare, &mut canvas);
                }
                let pixels = canvas.pixels();
                scenery.film.apply(pixels, &self.camera, &moment.light);
                canvas
            }
        };
        let lit = |pixel: usize| self.ground.is_sky(pixel);
        if fault == Fault::Overexposed {
            faults::overexpose(canvas.pixels(), lit);
        }
        if self.spec.conditions.colour == Colour::Mono {
            let night = if fault.hides_all() { 0.0 } else { night };
            let stretch = faults::grey(canvas.pixels(), lit, night);
            grain.grey *= stretch.min(3.0);
            grain.tint = 0.0;
        }
        self.write(slot, &mut canvas);
        canvas.expose(noise, grain, quality)
    }

    fn scenery(&self, slot: Slot) -> Scenery {
        let moment = self.moment(slot);
        let now = moment.now;
        let density = self.deck.density(&moment.weather);
        let size = (self.spec.width, self.spec.height);
        let film =
            Film::new(now.lens, now.spell, &self.camera, size, |pixel| self.ground.is_sky(pixel));
        let (mask, obstructed) = self.mask_of(&density, &film, now.fault);
        Scenery { glare: self.glare_of(&moment, &density), moment, density, film, mask, obstructed }
    }

    /// How strongly the sun shines into the lens, 0 to 1.
    fn glare_of(&self, moment: &Moment, density: &Density) -> f32 {
        let wanted = moment.now.glare * moment.light.sunshine();
        if wanted <= 0.0 {
            return 0.0;
        }
        let Some([x, y]) = self.camera.project(moment.light.sun) else {
            return 0.0;
        };
        let (width, height) = (self.spec.width as f32, self.spec.height as f32);
        let (ex, ey) = (x.clamp(0.0, width - 1.0), y.clamp(0.0, height - 1.0));
        // A sun beside the picture still shines on the lens, the less the farther it is.
        let beside = (x - ex).hypot(y - ey) / width.min(height);
        let hidden = if beside > 0.0 {
            0.9 * moment.weather.cover
        } else {
            let grid = self.deck.grid();
            let place = (ey as u32 / grid.step()) * grid.columns() + ex as u32 / grid.step();
            opacity(density.excess(density.values[place as usize]), &moment.weather)
        };
        wanted * (1.0 - hidden) * (-beside / 0.45).exp()
    }

    fn moment(&self, slot: Slot) -> Moment {
        let (latitude, longitude) = (self.spec.latitude, self.spec.longitude);
        let instant = slot.utc();
        let weather = Weather::at(self.spec.seed, instant);
        let sun = sun::position(instant, latitude, longitude);
        let moon = Moon::at(instant, latitude, longitude);
        let spec = &self.spec;
        let mut now = spec.conditions.at(spec.seed, longitude, &spec.minutes, slot);
        if now.fault.hides_all() && now.fault != Fault::Overexposed {
            (now.lens, now.glare, now.haze) = (Lens::Clean, 0.0, 0.0);
        }
        let light = Light::new(
            weather,
            direction(sun.elevation, sun.azimuth),
            sun.elevation,
            &moon,
            direction(moon.elevation, moon.azimuth),
            self.town,
            &now,
        );
        Moment { weather, light, turn: Turn::new(instant, latitude, longitude), sun, moon, now }
    }

    /// What each pixel shows, and the share of those of the sky that something on the lens spoils.
    fn mask_of(&self, density: &Density, film: &Film, fault: Fault) -> (TruthMask, f64) {
        let (width, height) = (self.spec.width, self.spec.height);
        let grid = self.deck.grid();
        let values: Vec<[f32; 1]> = density.values.iter().map(|v| [*v]).collect();
        let mut kinds = Vec::with_capacity(width as usize * height as usize);
        let mut row = Vec::new();
        let columns = grid.columns_of(width);
        let (mut open, mut covered) = (0u64, 0u64);
        for y in 0..height {
            grid.row(&values, y, &mut row);
            for column in &columns {
                let pixel = kinds.len();
                let sky = self.ground.is_sky(pixel);
                open += u64::from(sky);
                covered += u64::from(sky && film.covers(pixel));
                kinds.push(if !sky || film.hides(pixel) || fault.hides_all() {
                    Kind::Background
                } else if density.excess(column.of(&row)[0]) >= 0.0 {
                    Kind::Cloud
                } else {
                    Kind::Sky
                });
            }
        }
        (TruthMask::new(width, height, kinds), covered as f64 / open.max(1) as f64)
    }

    /// What is true of the picture of `slot`, which is that of `origin`.
    fn truth_of(&self, slot: Slot, origin: Slot, scenery: &Scenery) -> Truth {
        let own;
        let (moment, fault) = if slot == origin {
            (&scenery.moment, scenery.moment.now.fault)
        } else {
            own = self.moment(slot);
            (&own, Fault::Frozen)
        };
        let mask = &scenery.mask;
        let now = &scenery.moment.now;
        let cloud_fraction = mask.cloud_fraction();
        Truth {
            slot: slot.to_string(),
            utc: slot.utc(),
            file_name: slot.file_name(),
            scene: self.spec.scene,
            seed: self.spec.seed,
            width: self.spec.width,
            height: self.spec.height,
            cloud_fraction,
            okta: cloud_fraction.map_or(OBSCURED, |f| Okta::from_fraction(f).eighths()),
            sky_share: mask.sky_share(),
            phase: DayPhase::from_elevation(moment.sun.elevation).as_str(),
            solar_elevation: moment.sun.elevation,
            solar_azimuth: moment.sun.azimuth,
            moon_elevation: moment.moon.elevation,
            moon_illumination: moment.moon.illumination,
            fault,
            frozen_since: (slot != origin).then(|| origin.to_string()),
            lens: now.lens,
            obstructed: scenery.obstructed,
            glare: scenery.glare,
            haze: now.haze,
            lights: now.lights.0,
            colour: self.spec.conditions.colour,
        }
    }
}
