//! A picture while it is drawn, and its exposure.

use image::codecs::jpeg::JpegEncoder;

use super::DrawError;
use super::grid::blend;
use super::light::Colour;
use super::stars::Spot;
use celaje_sky::random::Rng;

/// Colours that are painted row by row, then added to.
pub struct Canvas {
    width: u32,
    height: u32,
    pixels: Vec<Colour>,
    /// How much of the sky behind it is hidden in each pixel, 0 to 1.
    hidden: Vec<f32>,
}

impl Canvas {
    /// An empty canvas, to be filled with [`push`](Self::push).
    pub fn new(width: u32, height: u32) -> Self {
        let cells = width as usize * height as usize;
        Self { width, height, pixels: Vec::with_capacity(cells), hidden: Vec::with_capacity(cells) }
    }

    /// A canvas of `pixels` that hide all the sky.
    pub fn of(width: u32, height: u32, pixels: Vec<Colour>) -> Self {
        Self { width, height, hidden: vec![1.0; pixels.len()], pixels }
    }

    /// Every pixel, row by row.
    pub fn pixels(&mut self) -> &mut [Colour] {
        &mut self.pixels
    }

    /// Pixels painted so far.
    pub fn len(&self) -> usize {
        self.pixels.len()
    }

    /// Paints the next pixel, in which a share of the sky is `hidden`.
    pub fn push(&mut self, colour: Colour, hidden: f32) {
        self.pixels.push(colour);
        self.hidden.push(hidden);
    }

    /// Adds light.
    pub fn add(&mut self, pixel: usize, light: Colour) {
        for (c, l) in self.pixels[pixel].iter_mut().zip(light) {
            *c += l;
        }
    }

    /// Adds light from behind the clouds.
    pub fn add_behind(&mut self, (x, y, light): Spot) {
        let pixel = (y * self.width + x) as usize;
        let passed = 1.0 - self.hidden[pixel];
        if passed > 0.0 {
            self.add(pixel, light.map(|l| l * passed * passed));
        }
    }

    /// Lays `colour` over `share` of a pixel.
    pub fn cover(&mut self, pixel: usize, colour: Colour, share: f32) {
        self.pixels[pixel] = blend(&self.pixels[pixel], &colour, share);
    }

    /// Lays the sensor's noise over the picture and encodes it.
    ///
    /// # Errors
    /// When the JPEG encoder fails.
    pub fn expose(&self, mut noise: Rng, grain: Grain, quality: u8) -> Result<Vec<u8>, DrawError> {
        // Two bytes added up have a triangular distribution with a deviation of 104.
        let (grey, tint) = (grain.grey / 104.0, grain.tint / 104.0);
        let mut rgb = Vec::with_capacity(self.pixels.len() * 3);
        for colour in &self.pixels {
            let bytes = noise.bits().to_le_bytes();
            let pair = |i: usize| f32::from(bytes[i]) + f32::from(bytes[i + 1]) - 255.0;
            let common = pair(0) * grey + 0.5;
            let level = |i: usize| shoulder(colour[i]) * 255.0 + common + pair(2 + 2 * i) * tint;
            rgb.extend_from_slice(&[level(0) as u8, level(1) as u8, level(2) as u8]);
        }
        self.jpeg(&rgb, quality)
    }

    /// Encodes the picture as it is, without any noise.
    ///
    /// # Errors
    /// When the JPEG encoder fails.
    pub fn encode(&self, quality: u8) -> Result<Vec<u8>, DrawError> {
        let level = |c: &f32| (c.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
        let rgb: Vec<u8> = self.pixels.iter().flatten().map(level).collect();
        self.jpeg(&rgb, quality)
    }

    fn jpeg(&self, rgb: &[u8], quality: u8) -> Result<Vec<u8>, DrawError> {
        let mut jpeg = Vec::with_capacity(rgb.len() / 8);
        JpegEncoder::new_with_quality(&mut jpeg, quality).encode(
            rgb,
            self.width,
            self.height,
            image::ExtendedColorType::Rgb8,
        )?;
        Ok(jpeg)
    }
}

/// A sensor's noise: standard deviations in levels of 255.
#[derive(Clone, Copy, Debug)]
pub struct Grain {
    /// Of all three colours together.
    pub grey: f32,
    /// Of each colour apart.
    pub tint: f32,
}

impl Grain {
    /// The noise at a `gain` of 0, for the short exposures of the day, to 1, for the long and
    /// amplified ones of the night.
    pub fn new(gain: f32) -> Self {
        Self { grey: 0.8 + 1.6 * gain, tint: 0.4 + 1.2 * gain }
    }
}

/// How bright a colour looks.
pub fn luminance(colour: &Colour) -> f32 {
    0.30 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]
}

/// Compresses highlights, as a camera does, before they are cut off.
fn shoulder(level: f32) -> f32 {
    if level < 0.85 { level } else { 0.85 + 0.15 * (1.0 - (-(level - 0.85) / 0.15).exp()) }
}
