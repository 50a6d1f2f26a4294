//! Paints sky, clouds and ground.

use super::Scene;
use super::canvas::Canvas;
use super::clouds::{Density, opacity};
use super::compose::{Moment, Studio};
use super::grid::blend;
use super::light::Light;
use super::noise::smooth;

impl Studio {
    /// Sky, clouds and ground.
    pub(super) fn paint(&self, moment: &Moment, density: &Density) -> Canvas {
        let (width, height) = (self.spec.width, self.spec.height);
        let tones = self.tones(moment);
        let grid = self.deck.grid();
        let relief = density.relief(grid, self.light_side(&moment.light));
        let clouds: Vec<[f32; 2]> =
            density.values.iter().zip(relief).map(|(v, r)| [*v, r]).collect();
        let weather = &moment.weather;
        let closing = smooth(0.6, 0.97, weather.cover);
        let contrast = 0.95 * (1.0 - 0.55 * weather.sheet) * (1.0 - 0.45 * closing);
        let dark_base = 0.45 + 0.45 * weather.depth;
        let ground_light = moment.light.ground();
        let mut canvas = Canvas::new(width, height);
        let (mut tone_row, mut cloud_row) = (Vec::new(), Vec::new());
        let columns: Vec<_> =
            self.tones.columns_of(width).into_iter().zip(grid.columns_of(width)).collect();
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
        let milky = 0.09 * night * (1.0 - 0.85 * moment.light.moonlight) * moment.light.starlight();
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
        let (dx, dy) = (x - self.spec.width as f32 / 2.0, y - self.spec.height as f32 / 2.0);
        let r = dx.hypot(dy).max(1e-6);
        let colours = moment.light.colours([-dx / r, -dy / r, 0.0]);
        let [a, b, c] = [colours.sky, colours.lit, colours.shade].map(|t| t.map(|v| v * 0.78));
        [a[0], a[1], a[2], b[0], b[1], b[2], c[0], c[1], c[2]]
    }

    /// Where the light on the clouds comes from, in cells of the deck's grid (right, down).
    fn light_side(&self, light: &Light) -> [f32; 2] {
        let source =
            if light.night() > 0.5 && light.moonlight > 0.05 { light.moon } else { light.sun };
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
}
