//! What each pixel of a simulated camera looks at.

use super::Scene;
use super::celestial::Direction;

/// Half the angle that a landscape camera sees from side to side, degrees.
const HALF_WIDTH: f32 = 43.0;
/// Where the flat horizon lies in a landscape, as a fraction of the height.
const HORIZON: f32 = 0.835;
/// Radius of the fisheye's circle, as a fraction of the picture's shorter side.
const CIRCLE: f32 = 0.485;
/// Zenith angle at the rim of the fisheye's circle, degrees.
const RIM: f32 = 92.0;

/// A camera of a given scene and picture size.
#[derive(Clone, Debug)]
pub struct Camera {
    scene: Scene,
    centre: [f32; 2],
    /// Landscape: focal length in pixels. Fisheye: pixels per radian.
    scale: f32,
    /// Landscape: unit vectors to the right, down, and forward.
    axes: [Direction; 3],
}

impl Camera {
    /// A camera of `width`×`height` pixels at `latitude` (degrees). A landscape camera looks
    /// towards the equator, a little to the east.
    pub fn new(scene: Scene, width: u32, height: u32, latitude: f64) -> Self {
        let (w, h) = (width as f32, height as f32);
        match scene {
            Scene::Fisheye => Self {
                scene,
                centre: [w / 2.0, h / 2.0],
                scale: w.min(h) * CIRCLE / RIM.to_radians(),
                axes: [[0.0; 3]; 3],
            },
            Scene::Landscape => {
                let scale = w / 2.0 / HALF_WIDTH.to_radians().tan();
                let pitch = ((HORIZON - 0.5) * h / scale).atan();
                let azimuth: f32 = if latitude < 0.0 { 15.0 } else { 165.0 };
                let (sa, ca) = azimuth.to_radians().sin_cos();
                let (sp, cp) = pitch.sin_cos();
                let axes = [[ca, -sa, 0.0], [sp * sa, sp * ca, -cp], [cp * sa, cp * ca, sp]];
                Self { scene, centre: [w / 2.0, h / 2.0], scale, axes }
            }
        }
    }

    /// Where the pixel at (`x`, `y`) looks; none outside a fisheye's circle.
    pub fn direction(&self, x: f32, y: f32) -> Option<Direction> {
        let (dx, dy) = (x - self.centre[0], y - self.centre[1]);
        match self.scene {
            Scene::Fisheye => {
                let r = dx.hypot(dy);
                let angle = r / self.scale;
                if angle > RIM.to_radians() {
                    return None;
                }
                let (s, c) = angle.sin_cos();
                let k = if r > 0.0 { s / r } else { 0.0 };
                // Seen from below: north is up, east is left.
                Some([-dx * k, -dy * k, c])
            }
            Scene::Landscape => {
                let [right, down, ahead] = &self.axes;
                let v: Direction =
                    std::array::from_fn(|i| dx * right[i] + dy * down[i] + self.scale * ahead[i]);
                let length = (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt();
                Some(v.map(|c| c / length))
            }
        }
    }

    /// The pixel that looks in `direction`; none when the camera does not see there (the place may
    /// still lie outside the picture).
    pub fn project(&self, direction: Direction) -> Option<[f32; 2]> {
        match self.scene {
            Scene::Fisheye => {
                let angle = direction[2].clamp(-1.0, 1.0).acos();
                if angle > RIM.to_radians() {
                    return None;
                }
                let across = direction[0].hypot(direction[1]).max(1e-9);
                let r = angle * self.scale;
                Some([
                    self.centre[0] - direction[0] / across * r,
                    self.centre[1] - direction[1] / across * r,
                ])
            }
            Scene::Landscape => {
                let along = |axis: &Direction| super::celestial::dot(*axis, direction);
                let ahead = along(&self.axes[2]);
                (ahead > 0.05).then(|| {
                    [
                        self.centre[0] + along(&self.axes[0]) / ahead * self.scale,
                        self.centre[1] + along(&self.axes[1]) / ahead * self.scale,
                    ]
                })
            }
        }
    }

    /// Pixels per radian, roughly.
    pub const fn scale(&self) -> f32 {
        self.scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn projection_undoes_direction(x in 0.0f32..320.0, y in 0.0f32..240.0, fisheye: bool) {
            let scene = if fisheye { Scene::Fisheye } else { Scene::Landscape };
            let camera = Camera::new(scene, 320, 240, -53.79);
            if let Some(direction) = camera.direction(x, y) {
                let length: f32 = direction.iter().map(|c| c * c).sum();
                prop_assert!((length - 1.0).abs() < 1e-4);
                let back = camera.project(direction).unwrap();
                prop_assert!((back[0] - x).abs() < 0.3 && (back[1] - y).abs() < 0.3, "{back:?}");
            }
        }
    }

    #[test]
    fn the_horizon_lies_where_it_is_said_to() {
        let camera = Camera::new(Scene::Landscape, 800, 600, -53.79);
        let at = camera.direction(400.0, 600.0 * HORIZON).unwrap();
        assert!(at[2].abs() < 1e-3 && at[1] > 0.9, "level and to the north: {at:?}");
        assert!(camera.direction(400.0, 0.0).unwrap()[2] > 0.8);
    }

    #[test]
    fn a_fisheye_looks_up_and_is_black_in_the_corners() {
        let camera = Camera::new(Scene::Fisheye, 800, 600, -53.79);
        assert!(camera.direction(400.0, 300.0).unwrap()[2] > 0.9999);
        assert!(camera.direction(0.0, 0.0).is_none());
        let north = camera.direction(400.0, 100.0).unwrap();
        assert!(north[1] > 0.5 && north[0].abs() < 1e-3);
    }
}
