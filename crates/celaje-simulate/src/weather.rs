//! The weather of a simulated station: a smooth function of the time, different for each seed.

use chrono::{DateTime, Utc};

use celaje_sky::random::unit;

/// Hours between two knots of the cloud cover.
const KNOT_HOURS: f64 = 3.0;
/// Knots in a block of the cloud cover's plan.
const BLOCK: i64 = 4;

/// The state of the sky at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weather {
    /// The share of the sky to be covered, 0 to 1; exactly 0 and exactly 1 are common.
    pub cover: f32,
    /// How far the cloud is from cumulus (0) towards a closed sheet (1).
    pub sheet: f32,
    /// How much light the cloud lets through: 0 bright, 1 dark and heavy.
    pub depth: f32,
    /// How thin the cloud's edges are, 0 to 1.
    pub softness: f32,
    /// How hazy the clear sky is, 0 to 1.
    pub haze: f32,
    /// Where the wind has carried the clouds to, in cloud heights.
    pub drift: [f64; 2],
    /// Direction of the wind, radians in the plane (east, north).
    pub wind: f32,
}

impl Weather {
    /// The weather of `seed` at `instant`.
    ///
    /// The cover follows knots three hours apart. Each half day of four knots visits, in an order
    /// of its own, a clear sky, a closed one, and one of each between few and broken; some half
    /// days are settled instead, clear or closed all through.
    pub fn at(seed: u64, instant: DateTime<Utc>) -> Self {
        let hours = instant.timestamp() as f64 / 3600.0;
        let course = |stream: u64, every: f64| wave(seed ^ (stream << 40), hours / every) as f32;
        let sheet = ((course(2, 7.0) - 0.5) * 4.0 + 0.45).clamp(0.0, 1.0);
        let angle = unit(seed ^ 0xA11, 0) * std::f64::consts::TAU;
        // Cloud heights an hour; a reduced wind, for a film of ten-minute pictures to be followed.
        let speed = 1.4 + 1.2 * unit(seed ^ 0xA12, 0);
        let travelled = (hours * speed).rem_euclid(128.0 * 1000.0);
        Self {
            cover: interpolate(hours / KNOT_HOURS, |k| cover_knot(seed, k)).clamp(0.0, 1.0) as f32,
            sheet,
            depth: course(3, 5.0),
            softness: course(4, 9.0),
            haze: course(5, 17.0),
            drift: [travelled * angle.cos(), travelled * angle.sin()],
            wind: angle as f32,
        }
    }
}

/// A smooth random course in 0..1 with knots at whole numbers.
fn wave(seed: u64, at: f64) -> f64 {
    interpolate(at, |k| unit(seed, k))
}

fn interpolate(at: f64, knot: impl Fn(i64) -> f64) -> f64 {
    let k = at.floor();
    let t = at - k;
    let t = t * t * (3.0 - 2.0 * t);
    knot(k as i64) * (1.0 - t) + knot(k as i64 + 1) * t
}

/// The cover wanted at knot `k`; beyond 0 and 1, so that closed and clear last a while.
fn cover_knot(seed: u64, k: i64) -> f64 {
    let (block, place) = (k.div_euclid(BLOCK), k.rem_euclid(BLOCK));
    let seed = seed ^ 0xC0_7E12;
    let jitter = unit(seed, k);
    let (clear, closed) = (-0.05 - 0.15 * jitter, 1.05 + 0.15 * jitter);
    match unit(seed ^ 1, block) {
        settled if settled < 0.12 => return clear,
        settled if settled > 0.88 => return closed,
        _ => {}
    }
    let mut order = [0, 1, 2, 3];
    for i in (1..order.len()).rev() {
        let other = unit(seed ^ 2, block * BLOCK + i as i64) * (i + 1) as f64;
        order.swap(i, other as usize);
    }
    match order[place as usize] {
        0 => clear,
        1 => 0.1 + 0.4 * jitter,
        2 => 0.5 + 0.42 * jitter,
        _ => closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{Duration, TimeZone};

    fn course(seed: u64, days: i64, step_minutes: i64) -> Vec<f32> {
        let start = Utc.with_ymd_and_hms(2024, 3, 1, 0, 0, 0).unwrap();
        (0..days * 1440 / step_minutes)
            .map(|i| Weather::at(seed, start + Duration::minutes(i * step_minutes)).cover)
            .collect()
    }

    #[test]
    fn cover_changes_smoothly() {
        let cover = course(1, 20, 10);
        let jump = cover.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
        assert!(jump < 0.15, "{jump}");
    }

    #[test]
    fn clear_closed_and_broken_skies_all_have_their_share() {
        for seed in 0..5 {
            let cover = course(seed, 60, 30);
            let share = |test: &dyn Fn(f32) -> bool| {
                cover.iter().filter(|c| test(**c)).count() as f64 / cover.len() as f64
            };
            let (clear, closed) = (share(&|c| c == 0.0), share(&|c| c == 1.0));
            let broken = share(&|c| (0.1..0.9).contains(&c));
            assert!((0.08..0.35).contains(&clear), "seed {seed}: clear {clear}");
            assert!((0.08..0.35).contains(&closed), "seed {seed}: closed {closed}");
            assert!(broken > 0.3, "seed {seed}: broken {broken}");
        }
    }
}
