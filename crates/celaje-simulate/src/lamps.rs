//! What lights sky and cloud by night: the moon, and the lamps of a town.

use super::celestial::{Direction, dot};
use super::conditions::Lights;
use super::light::{Colour, Light, add};
use super::noise::smooth;

impl Light {
    /// How much of the stars' light haze and lamps leave, 0 to 1.
    pub fn starlight(&self) -> f32 {
        let lamps = match self.lights {
            (Lights::Town, strength) => 0.45 * strength,
            _ => 0.0,
        };
        (1.0 - lamps) * (1.0 - 0.7 * self.milk)
    }

    /// Moon and town by night.
    pub(super) fn lamps(
        &self,
        direction: Direction,
        night: f32,
        up: f32,
        sky: &mut Colour,
        lit: &mut Colour,
        shade: &mut Colour,
    ) {
        let m = self.moonlight;
        let angle = dot(direction, self.moon).clamp(-1.0, 1.0).acos();
        let halo = m * (0.34 * (-angle / 0.10).exp() + 0.16 * (-angle / 0.38).exp());
        add(sky, [0.075, 0.095, 0.140], m);
        add(sky, [0.85, 0.90, 1.0], halo * 0.55);
        add(lit, [0.27, 0.28, 0.30], m);
        add(shade, [0.075, 0.08, 0.09], m);
        add(lit, [1.0, 1.0, 1.0], halo * 1.1);
        add(shade, [1.0, 0.98, 0.95], halo * 0.8);
        let facing = {
            let length = direction[0].hypot(direction[1]).max(1e-6);
            let flat = [direction[0] / length, direction[1] / length, 0.0];
            (0.5 + 0.5 * dot(flat, self.town)).powi(2)
        };
        let (lights, strength) = self.lights;
        let low = (-up / 0.13).exp() * (0.25 + 0.75 * facing) * night;
        let wide = (-up / 0.6).exp() * (0.35 + 0.65 * facing) * night;
        match lights {
            Lights::Faint | Lights::Mixed => {
                add(sky, [0.145, 0.105, 0.065], low);
                // Low cloud throws the town's light back.
                add(lit, [0.150, 0.110, 0.070], wide);
                add(shade, [0.060, 0.042, 0.026], wide);
            }
            Lights::None => {
                // Nothing but the sky lights the cloud, from behind: it is a hole in the stars.
                let dark = |c: &Colour, k: f32| c.map(|v| v * (1.0 - night * (1.0 - k)));
                let (air, moon) = ([0.020, 0.030, 0.022], 1.0 - m);
                add(sky, air, (0.3 + 0.7 * (-up / 0.35).exp()) * night * strength * moon);
                // A closed sky is exposed for longer.
                let longer = 0.34 * smooth(0.75, 1.0, self.weather.cover);
                let black = 0.36 + longer;
                let black = black + (1.0 - black) * (2.0 * m).min(1.0);
                *lit = dark(lit, black);
                *shade = dark(shade, black);
            }
            Lights::Town => {
                let all = night * strength * (0.55 + 0.45 * (-up / 0.5).exp());
                add(sky, [0.060, 0.042, 0.024], all);
                add(sky, [0.260, 0.180, 0.100], low * strength);
                // Cloud throws the light of the streets below it back.
                add(lit, [0.260, 0.172, 0.092], all + 0.8 * wide * strength);
                add(shade, [0.215, 0.138, 0.070], all + 0.7 * wide * strength);
            }
        }
    }
}
