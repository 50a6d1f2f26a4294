//! Measures of a picture that need no network.
//!
//! Luminance is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), each channel 0 to 255 as stored, not
//! linearised. The measures are those of the picture as the network gets it: cut and resized,
//! without letterbox bars. Sizes in pixels refer to that small picture.

use crate::picture::geometry::PixelRect;

/// Below this luminance a pixel counts as dark, such as the corners of a fisheye picture.
pub const DARK: u8 = 16;
/// From this luminance a pixel counts as at the upper end of the scale.
pub const BRIGHT: u8 = 250;
/// From this luminance a pixel counts as a light in the dark: a star or the glow of a town. After
/// resizing, the noise of a covered sensor is below it.
pub const LIGHT: u8 = 24;
/// Bands of rows in which lights are looked for.
const BANDS: usize = 12;
/// Share of light pixels that makes a band count as lit: a handful of stars.
const LIT: f64 = 0.004;
/// Least step of luminance, over two columns, of a drawn edge.
const HARD_STEP: u8 = 12;
/// Least share of a column's rows that a drawn edge runs through.
const THROUGH: f64 = 0.6;
/// Every second pixel of every second row is sampled for its colour.
const SAMPLE: usize = 2;
/// Share of the sampled pixels that the counted colours hold.
const MOST: f64 = 0.9;

/// Measures of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PictureStats {
    /// Standard deviation of the luminance, 0 to 1.
    pub spread: f64,
    /// Share of the pixels darker than [`DARK`].
    pub dark: f64,
    /// Share of the pixels from [`BRIGHT`].
    pub bright: f64,
    /// Luminance (0 to 1) that 95 of 100 pixels are below. Dark surroundings do not change it as
    /// they do the mean.
    pub peak: f64,
    /// How many of twelve bands of rows have more than a few pixels from [`LIGHT`]. Stars and the
    /// glow of a town are in many bands, a line of text in one or two; a hot pixel lights none.
    pub lit_bands: usize,
    /// Share of the pixels from [`BRIGHT`] in the middle (half the width, half the height), which
    /// leaves out the corners of a fisheye picture and the stray light in them.
    pub bright_middle: f64,
    /// Share of the pixels within one level of the most frequent luminance between [`LIGHT`] and
    /// [`BRIGHT`]. The bounds leave out black surroundings, a black night and a burnt-out sky.
    pub plain: f64,
    /// How many colours (of nine levels a channel) hold nine tenths of the pixels that are not
    /// dark.
    pub colours: usize,
    /// Hard vertical edges that run through more than half of the height.
    pub bars: usize,
    /// Mean difference of neighbouring pixels' luminance along the rows, 0 to 1.
    pub grain: f64,
    /// Mean of red less blue over the pixels that are not dark, -1 to 1.
    pub warmth: f64,
    /// Mean of green less the mean of red and blue over the same pixels, -1 to 1.
    pub green: f64,
    /// How even the middle of the picture is; none if it is dark or the picture is monochrome.
    pub middle: Option<Evenness>,
}

/// How even the middle of a picture is (an ellipse of [`MIDDLE`]).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evenness {
    /// Standard deviation of the tint, (blue − red) / luminance.
    pub tint: f64,
    /// Standard deviation of the luminance, as a share of its mean.
    pub light: f64,
}

/// Half the width and height of the measured ellipse, as fractions of the picture's.
pub const MIDDLE: f64 = 0.32;

/// Luminance of an 8-bit RGB pixel, 0 to 1.
pub fn luminance(rgb: [u8; 3]) -> f64 {
    luminance_of(rgb.map(f64::from))
}

/// [`luminance`] of fractional channels, or of sums over many pixels.
pub(crate) fn luminance_of([r, g, b]: [f64; 3]) -> f64 {
    (0.299 * r + 0.587 * g + 0.114 * b) / 255.0
}

/// [`luminance`] in whole levels, 0 to 255.
pub const fn level([r, g, b]: [u8; 3]) -> u8 {
    // 77 + 150 + 29 = 256: white is 255, and no sum exceeds 16 bits.
    ((77 * r as u16 + 150 * g as u16 + 29 * b as u16) >> 8) as u8
}

/// Difference between the greatest and the least channel, 0 to 255.
pub fn colourfulness([r, g, b]: [u8; 3]) -> u8 {
    r.max(g).max(b) - r.min(g).min(b)
}

impl PictureStats {
    /// Measures the part `content` of an RGB picture that is `width` pixels wide; all zero without
    /// pixels.
    pub fn of(rgb: &[u8], width: u32, content: PixelRect) -> Self {
        let plane = LuminancePlane::of(rgb, width as usize, content);
        if plane.levels.is_empty() {
            return Self::default();
        }
        let histogram = plane.histogram();
        let n = plane.levels.len() as f64;
        let count = |from: u8, to: u8| -> f64 {
            let levels = histogram.iter().take(usize::from(to)).skip(usize::from(from));
            f64::from(levels.sum::<u32>())
        };
        let moment = |power: i32| -> f64 {
            let levels = histogram.iter().enumerate();
            levels.map(|(level, &c)| (level as f64).powi(power) * f64::from(c)).sum::<f64>() / n
        };
        let mean = moment(1);
        let tone = Tone::of(rgb, width as usize, content);
        let (dark, bright) = (count(0, DARK), n - count(0, BRIGHT));
        let mut below = 0.0;
        let peak = histogram.iter().position(|&c| {
            below += f64::from(c);
            below >= 0.95 * n
        });
        let plain =
            (LIGHT + 1..BRIGHT - 1).map(|level| count(level - 1, level + 2)).fold(0.0, f64::max);
        Self {
            spread: (moment(2) - mean * mean).max(0.0).sqrt() / 255.0,
            dark: dark / n,
            bright: bright / n,
            peak: peak.unwrap_or(255) as f64 / 255.0,
            lit_bands: plane.lit_bands(),
            bright_middle: plane.bright_middle(),
            plain: plain / n,
            colours: colours(rgb, width as usize, content),
            bars: plane.bars(),
            grain: plane.grain(),
            warmth: tone.warmth,
            green: tone.green,
            middle: evenness(rgb, width as usize, content),
        }
    }
}

/// The luminance of a picture's pixels, row by row.
struct LuminancePlane {
    levels: Vec<u8>,
    width: usize,
}

impl LuminancePlane {
    fn of(rgb: &[u8], width: usize, content: PixelRect) -> Self {
        let mut levels = Vec::with_capacity(content.width as usize * content.height as usize);
        for row in rows(rgb, width, content) {
            levels.extend(row.as_chunks().0.iter().map(|pixel| level(*pixel)));
        }
        Self { levels, width: content.width as usize }
    }

    fn histogram(&self) -> [u32; 256] {
        // Four histograms: neighbours are often equal, and would wait for the same counter.
        let mut parts = [[0u32; 256]; 4];
        let (fours, rest) = self.levels.as_chunks::<4>();
        for four in fours {
            for (part, level) in parts.iter_mut().zip(four) {
                part[usize::from(*level)] += 1;
            }
        }
        for level in rest {
            parts[0][usize::from(*level)] += 1;
        }
        std::array::from_fn(|level| parts.iter().map(|part| part[level]).sum())
    }

    fn lit_bands(&self) -> usize {
        let rows = self.levels.len() / self.width.max(1);
        let band = self.width * rows.div_ceil(BANDS).max(1);
        self.levels
            .chunks(band.max(1))
            .filter(|band| {
                let lit = band.iter().map(|level| u32::from(*level >= LIGHT)).sum::<u32>();
                f64::from(lit) > LIT * band.len() as f64
            })
            .count()
    }

    fn bright_middle(&self) -> f64 {
        let rows = self.levels.len() / self.width.max(1);
        let (mut bright, mut all) = (0u32, 0u32);
        let middle = self.levels.chunks_exact(self.width.max(1));
        for row in middle.skip(rows / 4).take(rows.div_ceil(2)) {
            let row = &row[self.width / 4..][..self.width.div_ceil(2)];
            bright += row.iter().map(|level| u32::from(*level >= BRIGHT)).sum::<u32>();
            all += row.len() as u32;
        }
        f64::from(bright) / f64::from(all.max(1))
    }

    fn grain(&self) -> f64 {
        let (mut sum, mut count) = (0u64, 0usize);
        for row in self.levels.chunks_exact(self.width.max(1)) {
            let pairs = row.iter().zip(row.iter().skip(1));
            sum += u64::from(pairs.map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>());
            count += row.len().saturating_sub(1);
        }
        sum as f64 / 255.0 / count.max(1) as f64
    }

    fn bars(&self) -> usize {
        let mut brighter = vec![0u16; self.width.saturating_sub(2)];
        let mut darker = brighter.clone();
        let mut rows = 0u16;
        let sampled = self.levels.chunks_exact(self.width.max(1));
        for row in sampled.step_by(SAMPLE) {
            rows = rows.saturating_add(1);
            let steps = row.iter().zip(row.iter().skip(2));
            for ((up, down), (left, right)) in brighter.iter_mut().zip(&mut darker).zip(steps) {
                *up += u16::from(right.saturating_sub(*left) >= HARD_STEP);
                *down += u16::from(left.saturating_sub(*right) >= HARD_STEP);
            }
        }
        // The steps of an edge have one sign, those of noise both.
        let least = THROUGH * f64::from(rows.max(1));
        let hard = brighter.iter().zip(&darker).map(|(up, down)| *up.max(down));
        // An edge is hard in neighbouring columns too: adjacent ones count once.
        let (mut bars, mut before) = (0, false);
        for count in hard {
            let now = f64::from(count) >= least;
            bars += usize::from(now && !before);
            before = now;
        }
        bars
    }
}

/// The rows of `content`.
fn rows(rgb: &[u8], width: usize, content: PixelRect) -> impl Iterator<Item = &[u8]> {
    let (left, right) = (3 * content.left as usize, 3 * (content.left + content.width) as usize);
    rgb.chunks_exact((3 * width).max(1))
        .skip(content.top as usize)
        .take(content.height as usize)
        .filter_map(move |row| row.get(left..right))
}

/// The mean colour of the pixels that are not dark.
#[derive(Default)]
struct Tone {
    warmth: f64,
    green: f64,
}

impl Tone {
    fn of(rgb: &[u8], width: usize, content: PixelRect) -> Self {
        let (mut sums, mut lit) = ([0u64; 3], 0u64);
        for row in rows(rgb, width, content).step_by(SAMPLE) {
            for pixel in row.as_chunks::<3>().0.iter().step_by(SAMPLE) {
                if level(*pixel) >= DARK {
                    lit += 1;
                    for (sum, value) in sums.iter_mut().zip(pixel) {
                        *sum += u64::from(*value);
                    }
                }
            }
        }
        let [r, g, b] = sums.map(|sum| sum as f64 / 255.0 / lit.max(1) as f64);
        Self { warmth: r - b, green: g - f64::midpoint(r, b) }
    }
}

/// Evenness of the middle.
fn evenness(rgb: &[u8], width: usize, content: PixelRect) -> Option<Evenness> {
    let (rows_of, columns) = (f64::from(content.height), f64::from(content.width));
    let (mut tint, mut light) = (Moments::default(), Moments::default());
    let (mut asked, mut grey) = (0.0, 0.0);
    for (y, row) in rows(rgb, width, content).enumerate().step_by(SAMPLE) {
        let v = ((y as f64 + 0.5) / rows_of - 0.5) / MIDDLE;
        let half = (1.0 - v * v).max(0.0).sqrt() * MIDDLE * columns;
        let from = (columns / 2.0 - half).round() as usize;
        let to = (columns / 2.0 + half).round() as usize;
        let pixels = row.as_chunks::<3>().0.iter();
        for pixel in pixels.take(to).skip(from).step_by(SAMPLE) {
            asked += 1.0;
            let level = level(*pixel);
            if level < DARK {
                continue;
            }
            let [r, g, b] = *pixel;
            grey += f64::from(u8::from(r == g && g == b));
            light.add(f64::from(level));
            tint.add((f64::from(b) - f64::from(r)) / f64::from(level));
        }
    }
    let seen = light.count > 0.5 * asked && grey < light.count;
    seen.then(|| Evenness { tint: tint.spread(), light: light.spread() / light.mean() })
}

/// Sums of numbers and of their squares.
#[derive(Default)]
struct Moments {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.squares += value * value;
    }

    fn mean(&self) -> f64 {
        self.sum / self.count
    }

    fn spread(&self) -> f64 {
        let mean = self.mean();
        (self.squares / self.count - mean * mean).max(0.0).sqrt()
    }
}

/// How many colours hold [`MOST`] of the pixels that are not dark.
fn colours(rgb: &[u8], width: usize, content: PixelRect) -> usize {
    let mut counts = vec![0u32; 1 << 12];
    let mut lit = 0u32;
    for row in rows(rgb, width, content).step_by(SAMPLE) {
        for pixel in row.as_chunks().0.iter().step_by(SAMPLE) {
            if level(*pixel) >= DARK {
                // Rounded, so that 75 % of full scale, as on test cards, is not between two levels.
                let [r, g, b] = pixel.map(|c| (usize::from(c) + 16) >> 5);
                counts[r << 8 | g << 4 | b] += 1;
                lit += 1;
            }
        }
    }
    counts.retain(|count| *count > 0);
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let mut held = 0.0;
    counts
        .iter()
        .take_while(|count| {
            let before = held;
            held += f64::from(**count);
            before < MOST * f64::from(lit)
        })
        .count()
}

#[cfg(test)]
#[path = "stats_tests.rs"]
mod tests;
