//! Gradient noise from a seed.

use celaje_sky::random::Rng;

/// Cells along one side of the noise table; a power of two.
const SIDE: usize = 128;

/// `0` below `low`, `1` above `high`, a smooth cubic between them.
pub fn smooth(low: f32, high: f32, x: f32) -> f32 {
    let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// The whole number at or below `x` (a cast is quicker here than a call of `floor`).
fn floor(x: f32) -> i32 {
    let towards_zero = x as i32;
    towards_zero - i32::from(x < towards_zero as f32)
}

/// Gradient noise over the plane (Perlin, "Improving Noise", SIGGRAPH 2002), repeating every 128
/// units.
pub struct Noise {
    gradients: Box<[[f32; 2]; SIDE * SIDE]>,
}

impl Noise {
    /// The noise of `seed`.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut gradients = Box::new([[0.0; 2]; SIDE * SIDE]);
        for gradient in gradients.iter_mut() {
            let (s, c) = rng.between(0.0, std::f32::consts::TAU).sin_cos();
            *gradient = [c, s];
        }
        Self { gradients }
    }

    /// The noise at (`x`, `y`): about -1 to 1, mean 0, features about one unit wide.
    pub fn at(&self, x: f32, y: f32) -> f32 {
        let (ix, iy) = (floor(x), floor(y));
        let (fx, fy) = (x - ix as f32, y - iy as f32);
        let corner = |dx: i32, dy: i32| {
            let wrap = |i: i32| i.cast_unsigned() as usize & (SIDE - 1);
            let [gx, gy] = self.gradients[wrap(iy + dy) * SIDE + wrap(ix + dx)];
            gx * (fx - dx as f32) + gy * (fy - dy as f32)
        };
        let fade = |t: f32| t * t * t * (t * (t * 6.0 - 15.0) + 10.0);
        let (u, v) = (fade(fx), fade(fy));
        let top = corner(0, 0) * (1.0 - u) + corner(1, 0) * u;
        let bottom = corner(0, 1) * (1.0 - u) + corner(1, 1) * u;
        (top * (1.0 - v) + bottom * v) * 1.5
    }

    /// Octaves of noise, each turned, about twice as fine and `gain` times as strong as the one
    /// before; `shape` is laid over each octave's value. Octaves finer than a sample's `footprint`
    /// (in units of the plane) are faded out.
    pub fn octaves(
        &self,
        mut at: [f32; 2],
        octaves: u32,
        gain: f32,
        mut footprint: f32,
        shape: impl Fn(f32) -> f32,
    ) -> f32 {
        let (mut sum, mut strength) = (0.0, 1.0);
        for _ in 0..octaves {
            let seen = 1.0 - smooth(0.22, 0.6, footprint);
            if seen <= 0.0 {
                break;
            }
            sum += strength * seen * shape(self.at(at[0], at[1]));
            at = [1.64 * at[0] - 1.23 * at[1] + 17.3, 1.23 * at[0] + 1.64 * at[1] + 31.7];
            footprint *= 2.05;
            strength *= gain;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use celaje_sky::random::unit;

    #[test]
    fn noise_is_centred_bounded_and_continuous() {
        let noise = Noise::new(3);
        let mut sum = 0.0;
        for i in 0..20_000 {
            let (x, y) = (i as f32 * 0.173, i as f32 * 0.0917 - 40.0);
            let here = noise.at(x, y);
            assert!(here.abs() <= 1.6, "{here} at {x}, {y}");
            assert!((noise.at(x + 1e-3, y) - here).abs() < 0.02);
            sum += f64::from(here);
        }
        assert!((sum / 20_000.0).abs() < 0.05);
    }

    #[test]
    fn seeds_give_different_noise() {
        let (a, b) = (Noise::new(1), Noise::new(2));
        assert!((0..50).any(|i| a.at(i as f32 * 0.7, 0.3) != b.at(i as f32 * 0.7, 0.3)));
        assert_eq!(a.at(4.2, 1.1), Noise::new(1).at(4.2, 1.1));
    }

    #[test]
    fn units_fill_the_interval() {
        let values: Vec<f64> = (-500..500).map(|i| unit(9, i)).collect();
        assert!(values.iter().all(|v| (0.0..1.0).contains(v)));
        let mean = values.iter().sum::<f64>() / 1000.0;
        assert!((mean - 0.5).abs() < 0.05, "{mean}");
    }
}
