//! One deck of clouds, seen in perspective.

use super::camera::Camera;
use super::grid::Grid;
use super::noise::{Noise, smooth};
use super::weather::Weather;

/// Keeps the deck from running away to infinity at the horizon, as the earth's curvature does.
const FLATTENING: f32 = 0.11;

/// Cumulus heaps and the swells of a sheet, in a length of one cloud height.
const HEAPS: f32 = 1.25;
const SHEETS: f32 = 0.75;

/// The cloud deck of one camera: where in the deck each sample of its grid looks.
pub struct Deck {
    grid: Grid,
    samples: Vec<Option<Sample>>,
    heaps: Noise,
    sheets: Noise,
}

#[derive(Clone, Copy)]
struct Sample {
    /// Place in the deck, in units of its height.
    at: [f32; 2],
    /// Size of a sample in the deck.
    footprint: f32,
    /// Counts for the share of the sky that is covered.
    sky: bool,
}

/// How much cloud stands in each direction, and where it begins to be seen as cloud.
pub struct Density {
    /// Larger is thicker; a sample of the deck's grid each.
    pub values: Vec<f32>,
    /// Cloud from here on; infinite when the sky is clear or closed all over.
    pub threshold: f32,
}

impl Deck {
    /// The deck of `seed` over `camera`, sampled on `grid`; `sky` says of a pixel whether it
    /// shows sky.
    pub fn new(camera: &Camera, grid: Grid, seed: u64, sky: impl Fn(u32, u32) -> bool) -> Self {
        let samples = grid
            .places()
            .map(|(x, y)| {
                let direction = camera.direction(x as f32, y as f32)?;
                let up = direction[2].max(0.0) + FLATTENING;
                let angle = grid.step() as f32 / camera.scale();
                (direction[2] > -0.1).then(|| Sample {
                    at: [direction[0] / up, direction[1] / up],
                    footprint: angle * (0.6 / (up * up)).max(1.0 / up),
                    sky: sky(x, y),
                })
            })
            .collect();
        Self { grid, samples, heaps: Noise::new(seed ^ 0xC1), sheets: Noise::new(seed ^ 0xC2) }
    }

    /// The grid on which the deck is sampled.
    pub const fn grid(&self) -> Grid {
        self.grid
    }

    /// The deck in `weather`, with a threshold that leaves the wanted share of the sky covered.
    pub fn density(&self, weather: &Weather) -> Density {
        let lowest = f32::MIN / 4.0;
        let drift =
            |scale: f32| weather.drift.map(|d| (d * f64::from(scale)).rem_euclid(128.0) as f32);
        let drifts = [drift(HEAPS), drift(SHEETS)];
        let values: Vec<f32> = self
            .samples
            .iter()
            .map(|s| s.as_ref().map_or(lowest, |s| self.at(weather, s, &drifts)))
            .collect();
        let threshold = match weather.cover {
            cover if cover <= 0.0 => f32::INFINITY,
            cover if cover >= 1.0 => f32::NEG_INFINITY,
            cover => self.quantile(&values, 1.0 - cover),
        };
        Density { values, threshold }
    }

    fn quantile(&self, values: &[f32], share: f32) -> f32 {
        let mut sky: Vec<f32> = values
            .iter()
            .zip(&self.samples)
            .filter_map(|(v, s)| s.is_some_and(|s| s.sky).then_some(*v))
            .collect();
        if sky.is_empty() {
            return f32::INFINITY;
        }
        let place = ((sky.len() as f32 * share) as usize).min(sky.len() - 1);
        *sky.select_nth_unstable_by(place, f32::total_cmp).1
    }

    fn at(&self, weather: &Weather, sample: &Sample, drifts: &[[f32; 2]; 2]) -> f32 {
        let place = |scale: f32, drift: &[f32; 2]| -> [f32; 2] {
            std::array::from_fn(|i| sample.at[i] * scale - drift[i])
        };
        let sheet = weather.sheet;
        let heaps = if sheet < 1.0 {
            self.heap(place(HEAPS, &drifts[0]), sample.footprint * HEAPS)
        } else {
            0.0
        };
        let layers = if sheet > 0.0 {
            self.sheet(place(SHEETS, &drifts[1]), sample.footprint * SHEETS, weather.wind)
        } else {
            0.0
        };
        heaps * (1.0 - sheet) + layers * sheet
    }

    /// Cumulus: rounded heaps in groups.
    fn heap(&self, at: [f32; 2], footprint: f32) -> f32 {
        let n = &self.heaps;
        let bend = n.at(at[0] * 0.8 + 40.5, at[1] * 0.8 + 7.7);
        let turn = n.at(at[0] * 0.8 + 91.2, at[1] * 0.8 + 63.1);
        let q = [at[0] + 0.35 * bend, at[1] + 0.35 * turn];
        let groups = n.at(q[0] * 0.37 + 11.0, q[1] * 0.37 + 23.0);
        let body = n.octaves(q, 6, 0.52, footprint, |v| v);
        let puffs = n.octaves([q[0] * 1.7 + 3.1, q[1] * 1.7], 4, 0.5, footprint * 1.7, |v| {
            0.5 - 1.6 * v.abs()
        });
        0.45 * groups + 0.7 * body + 0.3 * puffs
    }

    /// Stratus and stratocumulus: wide layers, drawn out along the wind.
    fn sheet(&self, at: [f32; 2], footprint: f32, wind: f32) -> f32 {
        let n = &self.sheets;
        let (s, c) = wind.sin_cos();
        let (along, across) = (at[0] * c + at[1] * s, at[1] * c - at[0] * s);
        let q = [along * 0.62, across * 1.25];
        let bend = n.at(q[0] * 0.7 + 3.3, q[1] * 0.7 + 8.1);
        let q = [q[0] + 0.5 * bend, q[1] - 0.3 * bend];
        0.9 * n.octaves(q, 6, 0.55, footprint, |v| v)
    }
}

impl Density {
    /// How far the density of a cell lies above the threshold, in a unit in which cloud is opaque
    /// at about 1; far below 0 in a clear sky, far above 1 where the sky is closed.
    pub fn excess(&self, value: f32) -> f32 {
        (value - self.threshold).clamp(-9.0, 9.0)
    }

    /// The light and shade on the deck: positive where it thins out towards the light, which lies
    /// `towards` (cells right, cells down).
    pub fn relief(&self, grid: Grid, towards: [f32; 2]) -> Vec<f32> {
        let (columns, rows) = (grid.columns() as i32, grid.rows() as i32);
        let offset = |scale: f32| {
            let [dx, dy] = towards.map(|t| (t * scale).round() as i32);
            (dx, dy)
        };
        let near = offset(1.0);
        let far = offset(3.0);
        let value = |x: i32, y: i32| {
            let (x, y) = (x.clamp(0, columns - 1), y.clamp(0, rows - 1));
            self.values[(y * columns + x) as usize]
        };
        let mut relief = Vec::with_capacity(self.values.len());
        for y in 0..rows {
            for x in 0..columns {
                let here = value(x, y);
                let step = |(dx, dy): (i32, i32)| {
                    let there = value(x + dx, y + dy);
                    if there < -1e6 || here < -1e6 { 0.0 } else { here - there }
                };
                relief.push((1.4 * step(near) + 0.8 * step(far)).clamp(-1.0, 1.0));
            }
        }
        relief
    }
}

/// How much of the sky behind it a cloud hides, 0 to 1, from the density's
/// [`excess`](Density::excess).
pub fn opacity(excess: f32, weather: &Weather) -> f32 {
    let edge = 0.05 + 0.10 * weather.softness + 0.10 * weather.sheet;
    // At the threshold about a third is hidden: what an observer would begin to call cloud.
    smooth(-0.55 * edge, edge, excess)
}
