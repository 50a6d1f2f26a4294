//! Light and colour of sky and cloud, by day, at dusk and at night.
//!
//! Colours are red, green, blue from 0 to 1 as a display shows them; they were matched by eye to
//! pictures of sky cameras and follow no radiative model.

use super::celestial::{Direction, Moon, dot};
use super::conditions::{Lights, SlotConditions};
use super::grid::blend;
use super::noise::smooth;
use super::weather::Weather;

/// Red, green, blue, 0 to 1.
pub type Colour = [f32; 3];

/// Colours at one height of the sun.
#[derive(Clone, Copy)]
struct Palette {
    /// Degrees above the horizon.
    sun: f32,
    zenith: Colour,
    horizon: Colour,
    /// The horizon below the sun.
    sunward: Colour,
    /// Cloud in full light.
    lit: Colour,
    /// Cloud in its own shadow.
    shade: Colour,
    /// Brightness of the ground.
    ground: f32,
}

const PALETTES: [Palette; 7] = [
    Palette {
        sun: -18.0,
        zenith: [0.085, 0.098, 0.142],
        horizon: [0.130, 0.134, 0.160],
        sunward: [0.130, 0.134, 0.160],
        lit: [0.190, 0.185, 0.190],
        shade: [0.120, 0.120, 0.132],
        ground: 0.07,
    },
    Palette {
        sun: -11.0,
        zenith: [0.092, 0.120, 0.205],
        horizon: [0.165, 0.188, 0.240],
        sunward: [0.300, 0.230, 0.225],
        lit: [0.205, 0.202, 0.225],
        shade: [0.130, 0.134, 0.158],
        ground: 0.08,
    },
    Palette {
        sun: -5.0,
        zenith: [0.130, 0.210, 0.390],
        horizon: [0.330, 0.390, 0.500],
        sunward: [0.860, 0.540, 0.350],
        lit: [0.420, 0.380, 0.420],
        shade: [0.230, 0.240, 0.300],
        ground: 0.2,
    },
    Palette {
        sun: 0.0,
        zenith: [0.200, 0.350, 0.610],
        horizon: [0.500, 0.580, 0.700],
        sunward: [0.980, 0.720, 0.460],
        lit: [0.880, 0.720, 0.640],
        shade: [0.430, 0.430, 0.490],
        ground: 0.5,
    },
    Palette {
        sun: 8.0,
        zenith: [0.155, 0.340, 0.620],
        horizon: [0.420, 0.580, 0.770],
        sunward: [0.640, 0.700, 0.780],
        lit: [0.960, 0.910, 0.860],
        shade: [0.530, 0.540, 0.580],
        ground: 0.8,
    },
    Palette {
        sun: 25.0,
        zenith: [0.125, 0.300, 0.590],
        horizon: [0.390, 0.560, 0.780],
        sunward: [0.450, 0.620, 0.820],
        lit: [0.980, 0.975, 0.970],
        shade: [0.560, 0.570, 0.610],
        ground: 1.0,
    },
    Palette {
        sun: 60.0,
        zenith: [0.110, 0.275, 0.560],
        horizon: [0.360, 0.540, 0.770],
        sunward: [0.420, 0.590, 0.800],
        lit: [0.990, 0.990, 0.990],
        shade: [0.570, 0.580, 0.620],
        ground: 1.05,
    },
];

impl Palette {
    fn at(sun: f32) -> Self {
        let above = PALETTES.iter().position(|p| p.sun > sun).unwrap_or(PALETTES.len() - 1).max(1);
        let (a, b) = (&PALETTES[above - 1], &PALETTES[above]);
        let t = ((sun - a.sun) / (b.sun - a.sun)).clamp(0.0, 1.0);
        Self {
            sun,
            zenith: blend(&a.zenith, &b.zenith, t),
            horizon: blend(&a.horizon, &b.horizon, t),
            sunward: blend(&a.sunward, &b.sunward, t),
            lit: blend(&a.lit, &b.lit, t),
            shade: blend(&a.shade, &b.shade, t),
            ground: a.ground + (b.ground - a.ground) * t,
        }
    }
}

/// What lights the sky at one moment.
pub struct Light {
    palette: Palette,
    pub(super) weather: Weather,
    /// The sun's direction.
    pub sun: Direction,
    /// Degrees.
    sun_elevation: f32,
    /// The moon's direction.
    pub moon: Direction,
    /// How much the moon lights the night, 0 to 1.
    pub moonlight: f32,
    /// Azimuth of the town whose lamps light the horizon.
    pub(super) town: Direction,
    /// The lights below the night sky, and how strong they are.
    pub(super) lights: (Lights, f32),
    /// How milky the horizon is, beyond the weather's haze, 0 to 1.
    pub milk: f32,
}

/// The colours in one direction.
#[derive(Clone, Copy, Debug)]
pub struct Colours {
    /// Clear sky.
    pub sky: Colour,
    /// Cloud in full light.
    pub lit: Colour,
    /// Cloud in its own shadow.
    pub shade: Colour,
}

impl Light {
    /// The light of a sun at `sun` (`elevation` in degrees) and of `moon`, in `weather`; lamps of
    /// a town towards `town`; haze and lights as they are `now`.
    pub fn new(
        weather: Weather,
        sun: Direction,
        elevation: f64,
        moon: &Moon,
        moon_at: Direction,
        town: Direction,
        now: &SlotConditions,
    ) -> Self {
        let elevation = elevation as f32;
        let height = smooth(-2.0, 30.0, moon.elevation as f32);
        let dark = 1.0 - smooth(-12.0, -4.0, elevation);
        let moonlight = (moon.illumination as f32).powf(1.5) * height * dark;
        Self {
            palette: Palette::at(elevation),
            weather,
            sun,
            sun_elevation: elevation,
            moon: moon_at,
            moonlight,
            town,
            lights: now.lights,
            milk: now.haze,
        }
    }

    /// How far it is night, 0 to 1: where stars show and lamps count.
    pub fn night(&self) -> f32 {
        1.0 - smooth(-13.0, -5.0, self.sun_elevation)
    }

    /// Brightness of the ground, 0 to about 1, the colour of the air before distant hills, and how
    /// much of the farthest it hides.
    pub fn ground(&self) -> (f32, Colour, f32) {
        let gloom = 1.0 - 0.35 * self.weather.cover * self.weather.depth;
        let haze = blend(&self.palette.zenith, &self.palette.horizon, 0.6);
        (self.palette.ground * gloom + 0.07 * self.moonlight, haze, 0.62 + 0.33 * self.milk)
    }

    /// How strongly the sun's disc shines, 0 to 1.
    pub fn sunshine(&self) -> f32 {
        smooth(-1.5, 4.0, self.sun_elevation)
    }

    /// The colours of sky and cloud towards `direction`.
    pub fn colours(&self, direction: Direction) -> Colours {
        let p = &self.palette;
        let up = direction[2].clamp(0.0, 1.0);
        let low = (1.0 - up).powf(5.4 - 1.8 * self.weather.haze);
        // 1 below the sun, 0 opposite.
        let flat = |d: Direction| {
            let length = d[0].hypot(d[1]).max(1e-6);
            [d[0] / length, d[1] / length, 0.0]
        };
        let facing = |d: Direction| 0.5 + 0.5 * dot(flat(direction), flat(d));
        let sunward = facing(self.sun).powi(3);
        let horizon = blend(&p.horizon, &p.sunward, sunward);
        let mut sky = blend(&p.zenith, &horizon, low);
        // Closed skies are evenly lit; under broken ones the horizon keeps its colours.
        let tint = 0.35 * sunward * (1.0 - smooth(0.6, 1.0, self.weather.cover));
        let dusk = 1.0 - smooth(4.0, 16.0, self.sun_elevation);
        let mut lit = blend(&p.lit, &horizon, tint * dusk + 0.25 * low);
        let mut shade = blend(&p.shade, &horizon, 0.5 * tint * dusk + 0.25 * low);
        let heavy = 0.30 * self.weather.depth * smooth(0.35, 1.0, self.weather.cover);
        lit = lit.map(|c| c * (1.0 - 0.45 * heavy));
        shade = shade.map(|c| c * (1.0 - heavy));

        let day = smooth(-7.0, 3.0, self.sun_elevation);
        if day > 0.0 {
            let angle = dot(direction, self.sun).clamp(-1.0, 1.0).acos();
            let glow = day * (0.30 * (-angle / 0.16).exp() + 0.11 * (-angle / 0.45).exp());
            let warm = [1.0, 0.93 - 0.25 * dusk, 0.84 - 0.45 * dusk];
            add(&mut sky, warm, glow * (0.8 + 0.5 * self.weather.haze));
            add(&mut lit, warm, glow * 0.9);
            // Cloud before the sun glows: most of its light goes on forwards.
            add(&mut shade, warm, glow * (1.6 - 0.9 * self.weather.depth));
        }
        let night = self.night();
        if night > 0.0 {
            self.lamps(direction, night, up, &mut sky, &mut lit, &mut shade);
        }
        let mut colours = Colours { sky, lit, shade };
        if self.milk > 0.0 {
            self.veil(up, &horizon, &mut colours);
        }
        colours
    }

    /// How much of what is behind it a strong haze hides, 0 to 1, at a height (the sine).
    pub fn hidden_by_haze(&self, up: f32) -> f32 {
        // By the thickness of the air, with a ground layer that most of the haze is in.
        1.0 - (-self.milk * (0.04 + 0.28 / (up.max(0.0) + 0.11))).exp()
    }

    /// Lays haze before sky and cloud.
    fn veil(&self, up: f32, horizon: &Colour, colours: &mut Colours) {
        let share = self.hidden_by_haze(up);
        let grey = 0.3 * horizon[0] + 0.5 * horizon[1] + 0.2 * horizon[2];
        let pale = self.palette.lit[1] * 0.55 + grey * 0.45;
        let mut milk: Colour = std::array::from_fn(|i| 0.35 * horizon[i] + 0.65 * pale);
        // What lights the air lights the haze in it.
        let lift = (0.3 * colours.sky[0] + 0.5 * colours.sky[1] + 0.2 * colours.sky[2]) - grey;
        milk = milk.map(|c| c + 0.5 * lift.max(0.0));
        for colour in [&mut colours.sky, &mut colours.lit, &mut colours.shade] {
            *colour = blend(colour, &milk, share);
        }
    }
}

pub(super) fn add(colour: &mut Colour, light: Colour, strength: f32) {
    for (c, l) in colour.iter_mut().zip(light) {
        *c += l * strength;
    }
}

#[cfg(test)]
mod tests {
    use super::super::celestial::direction;
    use super::*;

    fn light(elevation: f64) -> Light {
        under(elevation, Lights::Faint, 0.0)
    }

    fn under(elevation: f64, lights: Lights, haze: f32) -> Light {
        let now = SlotConditions { lights: (lights, 1.0), haze, ..SlotConditions::default() };
        let weather = Weather {
            cover: 0.4,
            sheet: 0.0,
            depth: 0.3,
            softness: 0.2,
            haze: 0.2,
            drift: [0.0; 2],
            wind: 0.0,
        };
        let moon = Moon { elevation: -20.0, azimuth: 0.0, illumination: 0.5 };
        let town = [1.0, 0.0, 0.0];
        let sun = direction(elevation, 0.0);
        let moon_at = direction(-20.0, 0.0);
        Light::new(weather, sun, elevation, &moon, moon_at, town, &now)
    }

    #[test]
    fn day_is_blue_and_brighter_than_dusk_and_night() {
        let zenith = [0.0, 0.0, 1.0];
        let sum = |e: f64| light(e).colours(zenith).sky.iter().sum::<f32>();
        assert!(sum(40.0) > sum(-6.0) && sum(-6.0) > sum(-30.0));
        let sky = light(40.0).colours(zenith).sky;
        assert!(sky[2] > 1.5 * sky[0], "{sky:?}");
        let lit = light(40.0).colours(zenith).lit;
        assert!(lit[2] < 1.1 * lit[0] && lit[0] > 0.8, "{lit:?}");
    }

    #[test]
    fn colours_change_without_a_jump() {
        let at = direction(30.0, 60.0);
        for tenth in -300..700 {
            let e = f64::from(tenth) / 10.0;
            let (a, b) = (light(e).colours(at), light(e + 0.1).colours(at));
            for i in 0..3 {
                assert!((a.sky[i] - b.sky[i]).abs() < 0.02, "at {e}: {a:?} {b:?}");
                assert!((a.lit[i] - b.lit[i]).abs() < 0.03, "at {e}: {a:?} {b:?}");
            }
        }
    }

    #[test]
    fn cloud_is_bright_over_a_town_and_dark_where_no_light_is() {
        let sum = |c: Colour| c.iter().sum::<f32>();
        for up in [20.0, 45.0, 80.0] {
            let at = direction(up, 130.0);
            let town = under(-30.0, Lights::Town, 0.0).colours(at);
            assert!(sum(town.shade) > 1.3 * sum(town.sky), "{town:?}");
            assert!(town.lit[0] > 1.2 * town.lit[2], "orange: {town:?}");
            let dark = under(-30.0, Lights::None, 0.0).colours(at);
            assert!(sum(dark.lit) < 0.8 * sum(dark.sky), "{dark:?}");
        }
    }

    #[test]
    fn haze_takes_the_contrast_of_the_horizon_first() {
        let contrast = |haze: f32, up: f64| {
            let c = under(30.0, Lights::Faint, haze).colours(direction(up, 90.0));
            (c.lit[0] - c.sky[0]).abs() + (c.lit[2] - c.sky[2]).abs()
        };
        assert!(contrast(1.0, 6.0) < 0.35 * contrast(0.0, 6.0));
        assert!(contrast(1.0, 80.0) > 0.6 * contrast(0.0, 80.0));
    }
}
