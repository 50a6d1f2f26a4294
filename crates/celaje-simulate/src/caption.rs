//! What the overlay text says, and where.

use super::canvas::Canvas;
use super::compose::Studio;
use super::{Scene, overlay};
use celaje_sky::slot::Slot;

impl Studio {
    /// The overlay text, on background only.
    pub(super) fn write(&self, slot: Slot, canvas: &mut Canvas) {
        let (width, height) = (self.spec.width as f32, self.spec.height as f32);
        let lines = match self.spec.scene {
            Scene::Landscape => {
                let size = (0.034 * height).max(7.0);
                let text =
                    format!("{}  {}", self.spec.station, slot.local().format("%Y-%m-%d %H:%M"));
                vec![(text, [0.015 * width, height - 0.5 * size], size)]
            }
            Scene::Fisheye => {
                let size = (0.026 * height).max(7.0);
                let left = 0.012 * width;
                vec![
                    (slot.local().format("%Y-%m-%d").to_string(), [left, 1.4 * size], size),
                    (slot.local().format("%H:%M").to_string(), [left, 2.6 * size], size),
                    (self.spec.station.clone(), [left, height - 0.6 * size], size),
                ]
            }
        };
        let limits = [self.spec.width, self.spec.height];
        for (text, at, size) in lines {
            let shade = (size / 16.0).max(1.0);
            for (strokes, ink) in [
                (overlay::write(&text, at.map(|v| v + shade), size, limits), 0.02),
                (overlay::write(&text, at, size, limits), 0.96),
            ] {
                for (x, y, share) in strokes {
                    let pixel = (y * self.spec.width + x) as usize;
                    if !self.ground.is_sky(pixel) {
                        canvas.cover(pixel, [ink; 3], share);
                    }
                }
            }
        }
    }
}
