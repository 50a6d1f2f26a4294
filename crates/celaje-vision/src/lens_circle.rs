//! Finds the circle that a fisheye lens throws into its pictures, and draws it.
//!
//! Outside the circle a picture is dark whatever the sky does, so the brightest value of each pixel
//! over several pictures is compared with the corners. From the outside in, along many directions,
//! the first pixel that is lit lies on the circle, unless a caption lies outside it, or a tree or
//! the picture's own edge inside; the circle is the one that most of these pixels agree with.

use std::f64::consts::TAU;

use crate::picture::decode::DecodedPicture;
use crate::picture::stats::luminance;
use celaje_sky::random::Rng;
use celaje_sky::station::lens::Lens;

/// Directions in which the circle's edge is looked for.
const DIRECTIONS: u32 = 360;
/// Fewest directions that must agree with the circle.
const FEWEST: usize = 60;
/// Least share of the found edges that must agree with the circle.
const LEAST_SHARE: f64 = 0.4;
/// Widest gap between neighbouring directions that agree, radians: 150°.
const WIDEST_GAP: f64 = TAU * 5.0 / 12.0;
/// Circles through three edges that are tried.
const TRIALS: u32 = 2000;
/// Least luminance, 0 to 255, by which the middle of the picture exceeds its corners.
const LEAST_CONTRAST: f64 = 20.0;
/// Pixels in a row that must be lit at an edge; letters of a caption are thinner.
const LIT_RUN: i32 = 12;

/// A circle in a picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LensCircle {
    /// Column and row of its centre.
    pub centre: [f64; 2],
    /// Its radius.
    pub radius: f64,
    /// Directions, of 360, in which the picture's edge of light lies on it.
    pub directions: usize,
}

/// Why no circle was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoCircle {
    /// There is no picture.
    NoPicture,
    /// The pictures differ in size.
    Sizes,
    /// The corners are as bright as the middle.
    NoDarkCorners,
    /// What is lit has no round edge.
    NotRound,
}

impl LensCircle {
    /// The circle that is common to `pictures`, which have one size.
    ///
    /// # Errors
    /// If the pictures show no round field of view.
    pub fn find(pictures: &[DecodedPicture]) -> Result<Self, NoCircle> {
        let first = pictures.first().ok_or(NoCircle::NoPicture)?;
        let size = (first.width, first.height);
        if pictures.iter().any(|picture| (picture.width, picture.height) != size) {
            return Err(NoCircle::Sizes);
        }
        let light = Brightest::of(pictures);
        let threshold = light.threshold().ok_or(NoCircle::NoDarkCorners)?;
        let edges = light.edges(threshold);
        // Two pixels, or a hundredth of the shorter side.
        let tolerance = (f64::from(size.0.min(size.1)) / 200.0).max(2.0);
        let on = |circle: &Self| -> Vec<[f64; 2]> {
            let near = |at: &&[f64; 2]| {
                let [x, y] = [at[0] - circle.centre[0], at[1] - circle.centre[1]];
                (x.hypot(y) - circle.radius).abs() <= tolerance
            };
            edges.iter().filter(near).copied().collect()
        };
        let largest = f64::from(size.0.max(size.1)) * 1.5;
        let mut random = Rng::new(1);
        let mut best: Option<(usize, Self)> = None;
        for _ in 0..TRIALS {
            let mut pick = || edges.get((random.unit() * edges.len() as f32) as usize).copied();
            let (Some(a), Some(b), Some(c)) = (pick(), pick(), pick()) else { break };
            let Some(circle) = fitted(&[a, b, c]).filter(|circle| circle.radius < largest) else {
                continue;
            };
            let agree = on(&circle).len();
            if best.as_ref().is_none_or(|(most, _)| agree > *most) {
                best = Some((agree, circle));
            }
        }
        let (_, mut circle) = best.ok_or(NoCircle::NotRound)?;
        for _ in 0..4 {
            circle = fitted(&on(&circle)).ok_or(NoCircle::NotRound)?;
        }
        let agreeing = on(&circle);
        circle.directions = agreeing.len();
        let share = circle.directions as f64 / edges.len().max(1) as f64;
        let is_round = widest_gap(&agreeing, circle.centre) <= WIDEST_GAP;
        match circle.directions >= FEWEST && share >= LEAST_SHARE && is_round {
            true => Ok(circle),
            false => Err(NoCircle::NotRound),
        }
    }

    /// The lens of a picture of `width`×`height` pixels whose horizon is this circle.
    pub fn lens(&self, (width, height): (u32, u32)) -> Lens {
        let (width, height) = (f64::from(width), f64::from(height));
        let rounded = |value: f64| (value * 1e4).round() / 1e4;
        let centre = [self.centre[0] / width, self.centre[1] / height].map(rounded);
        Lens::new(centre, rounded(self.radius / width))
    }
}

/// The widest angle, radians, between neighbouring `points` seen from `centre`; a whole turn with
/// fewer than two.
fn widest_gap(points: &[[f64; 2]], centre: [f64; 2]) -> f64 {
    let angle = |at: &[f64; 2]| (at[1] - centre[1]).atan2(at[0] - centre[0]);
    let mut angles: Vec<f64> = points.iter().map(angle).collect();
    angles.sort_by(f64::total_cmp);
    let [Some(first), Some(last)] = [angles.first(), angles.last()].map(Option::<&f64>::copied)
    else {
        return TAU;
    };
    angles.windows(2).map(|pair| pair[1] - pair[0]).fold(first + TAU - last, f64::max)
}

/// The circle that fits `points` best by least squares of x² + y² + a·x + b·y + c; none if they
/// lie on a line.
///
/// Source: I. Kåsa, "A circle fitting procedure and its error analysis", IEEE Trans. Instrum.
/// Meas. 25 (1976) 8–14.
fn fitted(points: &[[f64; 2]]) -> Option<LensCircle> {
    let n = points.len() as f64;
    if points.len() < 3 {
        return None;
    }
    let mean = |of: fn(&[f64; 2]) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (mx, my) = (mean(|p| p[0]), mean(|p| p[1]));
    let [mut uu, mut vv, mut uv, mut uz, mut vz] = [0.0; 5];
    for [x, y] in points {
        let (u, v) = (x - mx, y - my);
        let z = u * u + v * v;
        uu += u * u;
        vv += v * v;
        uv += u * v;
        uz += u * z;
        vz += v * z;
    }
    let determinant = uu * vv - uv * uv;
    if determinant.abs() < 1e-6 * (uu + vv).powi(2) {
        return None;
    }
    let u = (uz * vv - vz * uv) / (2.0 * determinant);
    let v = (vz * uu - uz * uv) / (2.0 * determinant);
    let radius = (u * u + v * v + (uu + vv) / n).sqrt();
    Some(LensCircle { centre: [mx + u, my + v], radius, directions: points.len() })
}

/// The brightest luminance of each pixel over several pictures.
struct Brightest {
    width: i32,
    height: i32,
    values: Vec<u8>,
}

impl Brightest {
    /// `pictures` have one size.
    fn of(pictures: &[DecodedPicture]) -> Self {
        let (width, height) = pictures.first().map_or((0, 0), |first| (first.width, first.height));
        let mut values = vec![0u8; width as usize * height as usize];
        for picture in pictures {
            for (value, pixel) in values.iter_mut().zip(picture.rgb.as_chunks::<3>().0) {
                *value = (*value).max((luminance(*pixel) * 255.0).round() as u8);
            }
        }
        Self { width: width as i32, height: height as i32, values }
    }

    /// 0 outside the picture.
    fn at(&self, x: i32, y: i32) -> u8 {
        if !(0..self.width).contains(&x) || !(0..self.height).contains(&y) {
            return 0;
        }
        self.values.get(y as usize * self.width as usize + x as usize).copied().unwrap_or(0)
    }

    /// The median over a rectangle.
    fn median(&self, (left, top): (i32, i32), (width, height): (i32, i32)) -> f64 {
        let rows = top..top + height;
        let mut values: Vec<u8> =
            rows.flat_map(|y| (left..left + width).map(move |x| self.at(x, y))).collect();
        let middle = values.len() / 2;
        values.sort_unstable();
        f64::from(values.get(middle).copied().unwrap_or(0))
    }

    /// The luminance from which a pixel is lit: a quarter of the way from the darkest corner to
    /// the middle; none if the corner is nearly as bright.
    fn threshold(&self) -> Option<f64> {
        let (w, h) = (self.width, self.height);
        let side = (w.min(h) / 20).max(1);
        let corners = [(0, 0), (w - side, 0), (0, h - side), (w - side, h - side)];
        let dark = corners.map(|at| self.median(at, (side, side))).into_iter().reduce(f64::min)?;
        let bright = self.median((w / 4, h / 4), (w / 2, h / 2));
        (bright - dark >= LEAST_CONTRAST).then_some(dark + (bright - dark) / 4.0)
    }

    /// The first lit pixel from the outside in, in each direction from the middle of the picture
    /// in which the picture's own edge is dark.
    fn edges(&self, threshold: f64) -> Vec<[f64; 2]> {
        let middle = [f64::from(self.width) / 2.0, f64::from(self.height) / 2.0];
        let farthest = middle[0].hypot(middle[1]).ceil() as i32;
        let directions = (0..DIRECTIONS).map(|n| TAU * f64::from(n) / f64::from(DIRECTIONS));
        let edge = |angle: f64| {
            let (sin, cos) = angle.sin_cos();
            let place = |r: i32| {
                [middle[0] + f64::from(r) * cos, middle[1] + f64::from(r) * sin].map(f64::floor)
            };
            let within = |r: &i32| {
                let [x, y] = place(*r);
                (0.0..f64::from(self.width)).contains(&x)
                    && (0.0..f64::from(self.height)).contains(&y)
            };
            let lit = |r: i32| {
                let [x, y] = place(r);
                f64::from(self.at(x as i32, y as i32)) > threshold
            };
            let outermost = (0..farthest).rev().find(within)?;
            let run = |r: &i32| (0..LIT_RUN.min(r + 1)).all(|step| lit(r - step));
            let found = (0..=outermost).rev().find(run)?;
            // Half a pixel further lies the edge; one at the picture's border is the border's.
            (found < outermost - 1).then(|| {
                let r = f64::from(found) + 0.5;
                [middle[0] + r * cos, middle[1] + r * sin]
            })
        };
        directions.filter_map(edge).collect()
    }
}

/// The horizon's circle, the limit of what is judged, the cap around the zenith, the zenith.
const COLOURS: [[u8; 3]; 3] = [[0, 230, 120], [255, 166, 43], [90, 190, 255]];

/// Draws over `picture` the circles of `lens`: green its radius, amber its limit, blue its cap
/// around the zenith, with a cross at the zenith. Gives `height` × `width` × 3 numbers, RGB.
pub fn draw(picture: &DecodedPicture, lens: &Lens) -> Vec<u8> {
    let mut rgb = picture.rgb.clone();
    let (width, height) = (f64::from(picture.width), f64::from(picture.height));
    let shape = height / width.max(1.0);
    let thick = (width.min(height) / 300.0).max(2.0) / (lens.radius * width);
    let circles = [1.0, lens.distance(lens.limit), lens.distance(lens.zenith)];
    let pixels = rgb.as_chunks_mut::<3>().0;
    for (row, line) in pixels.chunks_mut((picture.width as usize).max(1)).enumerate() {
        let down = lens.down((row as f64 + 0.5) / height, shape);
        for (column, pixel) in line.iter_mut().enumerate() {
            let across = lens.across((column as f64 + 0.5) / width);
            let distance = across.hypot(down);
            let on = |circle: &f64| (distance - circle).abs() <= thick / 2.0;
            let cross = distance <= 8.0 * thick && across.abs().min(down.abs()) <= thick / 2.0;
            if let Some(at) = circles.iter().position(on).or(cross.then_some(2)) {
                *pixel = COLOURS[at];
            }
        }
    }
    rgb
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::testing::draw as drawn;

    /// A lit disc on black, with a caption below and trees along its lower rim.
    fn picture(size: (u32, u32), centre: [f64; 2], radius: f64) -> DecodedPicture {
        drawn(size.0, size.1, |x, y| {
            let (dx, dy) = (f64::from(x) + 0.5 - centre[0], f64::from(y) + 0.5 - centre[1]);
            let tree = dy > 0.8 * radius && (x / 15) % 2 == 0;
            let letter = y > size.1 - 12 && x < 120 && (x / 3) % 2 == 0;
            match (dx.hypot(dy) <= radius && !tree, letter) {
                (true, _) => [120, 150, 190],
                (false, true) => [250; 3],
                (false, false) => [4, 4, 6],
            }
        })
    }

    fn close(found: LensCircle, centre: [f64; 2], radius: f64) {
        let [dx, dy] = [found.centre[0] - centre[0], found.centre[1] - centre[1]];
        assert!(dx.hypot(dy) < 1.0 && (found.radius - radius).abs() < 1.0, "{found:?}");
    }

    #[test]
    fn a_round_field_of_view_is_found_wherever_it_lies() {
        for (size, centre, radius) in [
            ((400, 300), [200.0, 150.0], 140.0),
            ((400, 300), [188.5, 155.0], 131.0),
            // Cut by the picture's upper and lower edge.
            ((400, 300), [205.0, 150.0], 180.0),
        ] {
            let circle = LensCircle::find(&[picture(size, centre, radius)]).unwrap();
            close(circle, centre, radius);
            assert!(circle.directions >= 100, "{circle:?}");
        }
    }

    #[test]
    fn a_dark_night_beside_a_day_changes_nothing() {
        let day = picture((400, 300), [200.0, 150.0], 140.0);
        let night = drawn(400, 300, |_, _| [6, 6, 8]);
        close(LensCircle::find(&[night.clone(), day]).unwrap(), [200.0, 150.0], 140.0);
        assert_eq!(LensCircle::find(&[night]), Err(NoCircle::NoDarkCorners));
    }

    #[test]
    fn what_is_not_round_is_no_lens() {
        let landscape = drawn(400, 300, |_, y| if y < 200 { [150; 3] } else { [10; 3] });
        let square = drawn(400, 300, |x, y| {
            let inside = (100..300).contains(&x) && (50..250).contains(&y);
            if inside { [150; 3] } else { [5; 3] }
        });
        for picture in [landscape, square] {
            let found = LensCircle::find(&[picture]);
            assert!(matches!(found, Err(NoCircle::NotRound)), "{found:?}");
        }
        assert_eq!(LensCircle::find(&[]), Err(NoCircle::NoPicture));
        let sizes = [drawn(40, 30, |_, _| [9; 3]), drawn(30, 40, |_, _| [9; 3])];
        assert_eq!(LensCircle::find(&sizes), Err(NoCircle::Sizes));
    }

    #[test]
    fn the_circles_are_drawn_where_they_lie() {
        let black = drawn(400, 300, |_, _| [0; 3]);
        let rgb = draw(&black, &Lens::new([0.5, 0.5], 0.3));
        let at = |x: usize, y: usize| &rgb[3 * (y * 400 + x)..][..3];
        assert_eq!(at(320, 150), COLOURS[0]);
        // 80° and 60° of 90°.
        assert_eq!(at(200 + 106, 150), COLOURS[1]);
        assert_eq!(at(200, 150 + 80), COLOURS[2]);
        assert_eq!(at(203, 150), COLOURS[2]);
        assert_eq!(at(250, 150), [0; 3]);
    }
}
