//! Lets the sun, the moon, the stars and the lamps shine.

use super::canvas::Canvas;
use super::celestial::{Direction, dot};
use super::compose::{Moment, Studio};
use super::light::Colour;

impl Studio {
    /// What shines: sun, moon, stars, lamps.
    pub(super) fn shine(&self, moment: &Moment, canvas: &mut Canvas) {
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
            let seen = night * (1.0 - 0.55 * light.moonlight) * light.starlight();
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
}
