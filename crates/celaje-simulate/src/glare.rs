//! The glare of a sun that shines into the lens: a veil, rays, and ghosts of the sun.

use super::canvas::Canvas;
use super::celestial::dot;
use super::compose::{Moment, Studio};
use super::light::Colour;
use celaje_sky::random::Rng;

/// A weak image of the sun, thrown by the lens onto the line through the picture's centre.
struct Ghost {
    at: [f32; 2],
    radius: f32,
    colour: Colour,
    /// A ring rather than a disc.
    ring: bool,
}

impl Studio {
    /// Adds the glare of `strength` (0 to 1) to the picture.
    pub(super) fn glare(&self, moment: &Moment, strength: f32, canvas: &mut Canvas) {
        let sun = moment.light.sun;
        let Some([sx, sy]) = self.camera.project(sun) else {
            return;
        };
        let (width, height) = (self.spec.width, self.spec.height);
        let side = width.min(height) as f32;
        let low = 1.0 - (sun[2] / 0.35).clamp(0.0, 1.0);
        let warm: Colour = [1.0, 0.95 - 0.14 * low, 0.86 - 0.30 * low];
        let mut rng = Rng::new(self.spec.seed ^ 0x61A2E);
        let blades = 5.0 + (rng.unit() * 4.0).floor();
        let (turn, second) = (rng.unit() * 6.3, rng.unit() * 6.3);
        let ghosts = ghosts(&mut rng, [sx, sy], [width as f32 / 2.0, height as f32 / 2.0], side);
        for y in 0..height {
            for x in 0..width {
                let (fx, fy) = (x as f32, y as f32);
                let Some(d) = self.camera.direction(fx, fy) else {
                    continue;
                };
                let angle = dot(d, sun).clamp(-1.0, 1.0).acos();
                let veil = 0.55 * (-angle / 0.20).exp() + 0.16 * (-angle / 0.65).exp() + 0.05;
                let (dx, dy) = (fx - sx, fy - sy);
                let around = dy.atan2(dx);
                // Rays: narrow near their ends, of unequal length.
                let ray = ((around * blades / 2.0 + turn).cos().abs()).powi(28)
                    * (0.65 + 0.35 * (around * 3.0 + second).cos());
                let smear = ((around * 11.0 + second).cos() * (around * 7.0 + turn).cos()).abs();
                let away = dx.hypot(dy) / side;
                let rays = 0.55 * ray * (-away / 0.22).exp() + 0.10 * smear * (-away / 0.12).exp();
                let mut light = warm.map(|c| c * (veil + rays));
                for ghost in &ghosts {
                    let off = (fx - ghost.at[0]).hypot(fy - ghost.at[1]) / ghost.radius;
                    if off < 1.1 {
                        let edge = ((1.1 - off) / 0.15).clamp(0.0, 1.0);
                        let fill = if ghost.ring { off.powi(6) } else { 0.7 + 0.3 * off };
                        for (l, c) in light.iter_mut().zip(ghost.colour) {
                            *l += c * edge * fill;
                        }
                    }
                }
                let pixel = (y * width + x) as usize;
                canvas.add(pixel, light.map(|l| l * strength));
            }
        }
    }
}

fn ghosts(rng: &mut Rng, sun: [f32; 2], centre: [f32; 2], side: f32) -> Vec<Ghost> {
    let count = 3 + (rng.unit() * 5.0) as usize;
    (0..count)
        .map(|_| {
            // From half-way to the sun to beyond the centre's other side.
            let along = rng.between(-0.9, 0.55);
            let bright = rng.between(0.03, 0.13);
            let hue = rng.unit();
            Ghost {
                at: std::array::from_fn(|i| centre[i] + (sun[i] - centre[i]) * along),
                radius: side * (0.012 + 0.075 * rng.unit().powi(2)),
                colour: [bright * (0.5 + 0.5 * hue), bright, bright * (1.1 - 0.7 * hue)],
                ring: rng.unit() < 0.25,
            }
        })
        .collect()
}
