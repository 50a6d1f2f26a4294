//! What can be said about a picture without any network.

/// Below this an 8-bit luminance counts as dark.
const DARK: f64 = 16.0 / 255.0;
/// From this an 8-bit luminance counts as at the sensor's upper end.
const BRIGHT: f64 = 250.0 / 255.0;
/// Share of the pixels that lie below [`PictureStats::peak`].
const PEAK: f64 = 0.95;

/// Measures of a picture as the network gets it (cut and resized, letterbox bars left out).
///
/// Luminance is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), each channel 0 to 1 as stored, not
/// linearised.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PictureStats {
    /// Mean luminance, 0 to 1.
    pub mean: f64,
    /// Standard deviation of the luminance.
    pub spread: f64,
    /// Share of the pixels darker than 16 of 255, such as the corners of a fisheye picture.
    pub dark: f64,
    /// Share of the pixels from 250 of 255.
    pub bright: f64,
    /// Luminance that 95 of 100 pixels stay below; unlike the mean, dark surroundings leave it as
    /// it is.
    pub peak: f64,
    /// Mean difference between the greatest and the least channel, 0 to 1; 0 in a monochrome
    /// picture.
    pub colour: f64,
}

/// Luminance of an 8-bit RGB pixel, 0 to 1.
pub fn luminance([r, g, b]: [u8; 3]) -> f64 {
    (0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b)) / 255.0
}

/// Difference between the greatest and the least channel of an 8-bit RGB pixel, 0 to 1.
pub fn colourfulness([r, g, b]: [u8; 3]) -> f64 {
    f64::from(r.max(g).max(b) - r.min(g).min(b)) / 255.0
}

impl PictureStats {
    /// Measures pixels; all zero when there are none.
    pub fn of(pixels: impl Iterator<Item = [u8; 3]>) -> Self {
        let mut histogram = [0u64; 256];
        let (mut sum, mut squares, mut colour) = (0.0, 0.0, 0.0);
        let (mut count, mut dark, mut bright) = (0u64, 0u64, 0u64);
        for pixel in pixels {
            let light = luminance(pixel);
            count += 1;
            sum += light;
            squares += light * light;
            colour += colourfulness(pixel);
            dark += u64::from(light < DARK);
            bright += u64::from(light >= BRIGHT);
            histogram[((light * 255.0).round() as usize).min(255)] += 1;
        }
        if count == 0 {
            return Self::default();
        }
        let n = count as f64;
        let mean = sum / n;
        let mut below = 0;
        let peak = histogram.iter().position(|&c| {
            below += c;
            below as f64 >= PEAK * n
        });
        Self {
            mean,
            spread: (squares / n - mean * mean).max(0.0).sqrt(),
            dark: dark as f64 / n,
            bright: bright as f64 / n,
            peak: peak.unwrap_or(255) as f64 / 255.0,
            colour: colour / n,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_black_half_white() {
        let stats = PictureStats::of([[0; 3], [255; 3]].into_iter().cycle().take(100));
        assert!((stats.mean - 0.5).abs() < 1e-9 && (stats.spread - 0.5).abs() < 1e-9);
        assert_eq!((stats.dark, stats.bright, stats.colour), (0.5, 0.5, 0.0));
        assert!((stats.peak - 1.0).abs() < 1e-9);
    }

    #[test]
    fn dark_corners_do_not_lower_the_peak() {
        let sky = std::iter::repeat_n([60, 90, 160], 40);
        let corners = std::iter::repeat_n([0, 0, 0], 60);
        let stats = PictureStats::of(sky.chain(corners));
        assert!((stats.peak - 89.0 / 255.0).abs() < 1e-9, "{stats:?}");
        assert!((stats.colour - 0.4 * 100.0 / 255.0).abs() < 1e-9);
    }

    #[test]
    fn no_pixels_no_numbers() {
        assert_eq!(
            PictureStats::of(std::iter::empty()),
            PictureStats::default()
        );
    }
}
