//! Usable hours of darkness: the sun is far below the horizon, no moon disturbs, and the sky is
//! clear. Pure.

use chrono::{DateTime, Utc};

use crate::{moon, sun};

/// Which hours are dark, and which of these can be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DarkRule {
    /// The sun's elevation stays below this, degrees.
    pub sun_below: f64,
    /// A moon above the horizon is lit to this share at most; 0 for no moon at all.
    pub moon_lit: f64,
    /// The most oktas of a clear sky.
    pub most_oktas: u8,
}

impl Default for DarkRule {
    fn default() -> Self {
        Self { sun_below: -18.0, moon_lit: 0.0, most_oktas: 1 }
    }
}

impl DarkRule {
    /// Whether it is dark at `instant` over `latitude` and `longitude` (degrees, north and east
    /// positive).
    pub fn is_dark(&self, instant: DateTime<Utc>, latitude: f64, longitude: f64) -> bool {
        if sun::position(instant, latitude, longitude).elevation >= self.sun_below {
            return false;
        }
        let moon = moon::position(instant, latitude, longitude);
        moon.elevation < moon::HORIZON || moon.lit <= self.moon_lit
    }
}

/// The dark slots of a night.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DarkNight {
    /// All of them.
    pub dark: u32,
    /// Those that have a reading of the sky.
    pub read: u32,
    /// Those of which the reading is clear.
    pub clear: u32,
}

/// The dark hours of a stretch of nights.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DarkHours {
    /// All of them.
    pub dark: f64,
    /// Those that have a reading.
    pub read: f64,
    /// All of them by the share of the read ones that is clear; none without a reading.
    pub usable: Option<f64>,
    /// The 95 % interval of that; none with readings of fewer than two nights.
    pub interval: Option<(f64, f64)>,
}

impl DarkHours {
    /// Of `nights`, whose slots stand for `hours` each.
    ///
    /// Slots of a night are alike, so nights are the sample: a ratio estimator with nights as
    /// clusters. Source: W. G. Cochran, Sampling Techniques, 3rd ed. (1977), section 3.12. The
    /// interval tells how sure the share is, not how other years are.
    pub fn of(nights: &[DarkNight], hours: f64) -> Self {
        let sum = |of: fn(&DarkNight) -> u32| nights.iter().map(|one| f64::from(of(one))).sum();
        let (dark, read, clear): (f64, f64, f64) =
            (sum(|one| one.dark), sum(|one| one.read), sum(|one| one.clear));
        let (dark_hours, read_hours) = (dark * hours, read * hours);
        if read == 0.0 {
            return Self { dark: dark_hours, read: read_hours, usable: None, interval: None };
        }
        let share = clear / read;
        let seen: Vec<&DarkNight> = nights.iter().filter(|one| one.read > 0).collect();
        let n = seen.len() as f64;
        let interval = (seen.len() > 1).then(|| {
            let off = |one: &&DarkNight| f64::from(one.clear) - share * f64::from(one.read);
            let spread: f64 = seen.iter().map(|one| off(one).powi(2)).sum();
            // What was read of all there was is no sample.
            let left = (1.0 - read / dark.max(read)).clamp(0.0, 1.0);
            let error = (n / (n - 1.0) * spread * left).sqrt() / read;
            let at = |share: f64| share.clamp(0.0, 1.0) * dark_hours;
            (at(share - 1.96 * error), at(share + 1.96 * error))
        });
        Self { dark: dark_hours, read: read_hours, usable: Some(share * dark_hours), interval }
    }

    /// The share of the dark hours that has readings; none where there are no dark hours.
    pub fn coverage(&self) -> Option<f64> {
        (self.dark > 0.0).then(|| self.read / self.dark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn darkness_is_without_sun_and_moon() {
        let at = |text: &str| text.parse().unwrap();
        let dark = |rule: DarkRule, text: &str| rule.is_dark(at(text), -53.79, -67.70);
        let usual = DarkRule::default();
        // A winter's night with a young moon until 00:24 UTC.
        assert!(!dark(usual, "2024-06-10T22:00:00Z"), "twilight");
        assert!(!dark(usual, "2024-06-10T23:00:00Z"), "the moon is up");
        assert!(dark(usual, "2024-06-11T02:00:00Z"));
        assert!(dark(DarkRule { moon_lit: 0.3, ..usual }, "2024-06-10T23:00:00Z"));
        assert!(!dark(usual, "2024-12-21T04:30:00Z"), "the sun of December stays high");
    }

    fn night(dark: u32, read: u32, clear: u32) -> DarkNight {
        DarkNight { dark, read, clear }
    }

    #[test]
    fn what_was_not_read_is_as_what_was() {
        let hours = DarkHours::of(&[night(60, 60, 60), night(60, 30, 0), night(60, 0, 0)], 0.5);
        assert_eq!((hours.dark, hours.read, hours.coverage()), (90.0, 45.0, Some(0.5)));
        assert!((hours.usable.unwrap() - 60.0).abs() < 1e-9, "{hours:?}");
        let (low, high) = hours.interval.unwrap();
        assert!(low < 30.0 && high == 90.0, "{low} {high}");
        // All read: nothing is estimated.
        let whole = DarkHours::of(&[night(60, 60, 60), night(60, 60, 0)], 0.5);
        assert_eq!((whole.usable, whole.interval), (Some(30.0), Some((30.0, 30.0))));
        assert_eq!(DarkHours::of(&[night(60, 0, 0)], 0.5).usable, None);
        assert_eq!(DarkHours::of(&[], 0.5).coverage(), None);
        assert_eq!(DarkHours::of(&[night(60, 6, 3)], 0.5).interval, None);
    }

    proptest! {
        #[test]
        fn hours_stay_within_the_darkness(
            nights in prop::collection::vec((0..80_u32, 0.0..=1.0_f64, 0.0..=1.0_f64), 0..60),
        ) {
            let nights: Vec<_> = nights
                .iter()
                .map(|(dark, read, clear)| {
                    let read = (f64::from(*dark) * read) as u32;
                    night(*dark, read, (f64::from(read) * clear) as u32)
                })
                .collect();
            let hours = DarkHours::of(&nights, 1.0 / 6.0);
            prop_assert!(hours.read <= hours.dark + 1e-9);
            if let Some(usable) = hours.usable {
                prop_assert!((-1e-9..=hours.dark + 1e-9).contains(&usable));
                if let Some((low, high)) = hours.interval {
                    prop_assert!(low <= usable + 1e-9 && usable <= high + 1e-9);
                }
            }
        }
    }
}
