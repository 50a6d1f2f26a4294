//! What may be wrong with a picture: the lens, the air, lights below, the sensor, the camera.
//!
//! [`Conditions`] is what was asked for; [`Conditions::at`] is what a slot shows of it. Both
//! depend on the seed and the slot alone.

use chrono::{DateTime, Timelike, Utc};

use celaje_sky::random::unit;
use celaje_sky::slot::{Slot, SlotGrid};

/// Hours that a state of the lens lasts: drops gather, dew grows, snow slides in their course.
const SPELL_HOURS: f64 = 2.0;

/// A choice on the command line and in JSON, by its name in lower case.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$one:meta])* $variant:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, Hash, clap::ValueEnum, serde::Serialize,
        )]
        #[serde(rename_all = "lowercase")]
        pub enum $name {
            $($(#[$one])* $variant),*
        }
    };
}

choice! {
    /// What lies on the lens or its dome.
    Lens {
        /// Nothing.
        #[default]
        Clean,
        /// Rain drops.
        Drops,
        /// Dew: a milky veil.
        Dew,
        /// Snow that hides a fifth of the sky, or more, or all of it.
        Snow,
        /// Clean for most of the time, each of the others now and then.
        Mixed,
    }
}

choice! {
    /// How much of something that spoils the view there is.
    Extra {
        /// None.
        #[default]
        None,
        /// A lot.
        Strong,
        /// A lot now and then.
        Mixed,
    }
}

choice! {
    /// The lights below the night sky.
    Lights {
        /// The glow of a distant town.
        #[default]
        Faint,
        /// No light for miles: cloud is darker than the sky and hides the stars.
        None,
        /// A town all around: cloud is brighter than the sky, and orange.
        Town,
        /// Another of these each night.
        Mixed,
    }
}

choice! {
    /// What kind of sensor the camera has.
    Colour {
        /// Colours.
        #[default]
        Rgb,
        /// Greys, stretched to full contrast by night.
        Mono,
    }
}

choice! {
    /// What has become of the camera.
    Fault {
        /// It works.
        #[default]
        None,
        /// A card with a line of text instead of a picture.
        Placeholder,
        /// The bytes of the slot before, over again.
        Frozen,
        /// A closed shutter or a dead sensor: black but for its noise.
        Dark,
        /// Burnt out.
        Overexposed,
        /// Works for most of the time, each of the others now and then.
        Mixed,
    }
}

/// What was asked for; the default is a faultless camera in ordinary weather.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Conditions {
    /// What lies on the lens.
    pub lens: Lens,
    /// Glare of a sun that shines into the lens.
    pub glare: Extra,
    /// Haze that makes the horizon milky.
    pub haze: Extra,
    /// Lights below the night sky.
    pub lights: Lights,
    /// The kind of sensor.
    pub colour: Colour,
    /// What has become of the camera.
    pub fault: Fault,
}

/// What one slot shows of it; nothing in it is `Mixed`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SlotConditions {
    /// What lies on the lens.
    pub lens: Lens,
    /// Which spell of the lens this is, and how far it has come, 0 to 1.
    pub spell: (u64, f32),
    /// Strength of the glare, 0 to 1.
    pub glare: f32,
    /// Strength of the haze beyond the weather's, 0 to 1.
    pub haze: f32,
    /// Lights below the night sky, and how strong they are this night (about 1).
    pub lights: (Lights, f32),
    /// What has become of the camera.
    pub fault: Fault,
}

impl Conditions {
    /// A number of six figures, another one for other conditions.
    pub fn number(&self) -> String {
        let kinds = [
            self.lens as u8,
            self.glare as u8,
            self.haze as u8,
            self.lights as u8,
            self.colour as u8,
            self.fault as u8,
        ];
        kinds.iter().map(|k| char::from(b'0' + k)).collect()
    }

    /// The conditions of `slot` for a camera of `seed` at `longitude` (degrees) that takes a
    /// picture at each of `minutes` of an hour.
    pub fn at(&self, seed: u64, longitude: f64, minutes: &SlotGrid, slot: Slot) -> SlotConditions {
        let hours = slot.utc().timestamp() as f64 / 3600.0;
        let spell = (hours / SPELL_HOURS).floor();
        let chance = |stream: u64, k: f64| unit(seed ^ (stream << 32), k as i64);
        let lens = match self.lens {
            Lens::Mixed => match chance(0x1E5, spell) {
                p if p < 0.64 => Lens::Clean,
                p if p < 0.76 => Lens::Drops,
                p if p < 0.88 => Lens::Dew,
                _ => Lens::Snow,
            },
            lens => lens,
        };
        let extra = |extra: Extra, stream: u64, k: f64| match extra {
            Extra::None => 0.0,
            Extra::Strong => 0.55 + 0.45 * chance(stream, k) as f32,
            Extra::Mixed if chance(stream ^ 0x80, k) > 0.35 => 0.0,
            Extra::Mixed => 0.3 + 0.7 * chance(stream, k) as f32,
        };
        // From noon to noon, so that a night is in one piece.
        let night = ((hours + longitude / 15.0 - 12.0) / 24.0).floor();
        let lights = match self.lights {
            Lights::Mixed => match chance(0x119, night) {
                p if p < 0.3 => Lights::Faint,
                p if p < 0.6 => Lights::None,
                _ => Lights::Town,
            },
            lights => lights,
        };
        SlotConditions {
            lens,
            spell: (
                seed.rotate_left(17) ^ (spell as i64).cast_unsigned(),
                (hours / SPELL_HOURS - spell) as f32,
            ),
            glare: extra(self.glare, 0x61A, spell),
            haze: extra(self.haze, 0xA2E, (hours / 6.0).floor()),
            lights: (lights, 0.65 + 0.7 * chance(0x11A, night) as f32),
            fault: self.fault_at(seed, minutes, slot),
        }
    }

    fn fault_at(&self, seed: u64, minutes: &SlotGrid, slot: Slot) -> Fault {
        let (working, frozen) = match self.fault {
            // A frozen camera shows its first picture of the hour until the hour is over.
            Fault::Frozen => (1, true),
            Fault::Mixed => {
                let hour = hour_of(slot.utc());
                // Twenty in a hundred hours: from the second, the third … picture on.
                let frozen = unit(seed ^ 0xF0_2E, hour) < 0.2;
                let later = minutes.as_slice().len().saturating_sub(1) as f64;
                (1 + (later * unit(seed ^ 0xF0_2F, hour)) as usize, frozen)
            }
            fault => return fault,
        };
        let minute = slot.local().minute();
        let place = minutes.as_slice().iter().filter(|m| **m < minute).count();
        if frozen {
            return if place >= working { Fault::Frozen } else { Fault::None };
        }
        let tenth = slot.utc().timestamp().div_euclid(60);
        match unit(seed ^ 0xF0_30, tenth) {
            p if p < 0.79 => Fault::None,
            p if p < 0.86 => Fault::Placeholder,
            p if p < 0.93 => Fault::Dark,
            _ => Fault::Overexposed,
        }
    }

    /// The slot whose picture `slot` has: its own, unless the camera is frozen.
    pub fn origin(&self, seed: u64, longitude: f64, minutes: &SlotGrid, slot: Slot) -> Slot {
        let mut at = slot;
        for minute in minutes.as_slice().iter().rev() {
            if self.at(seed, longitude, minutes, at).fault != Fault::Frozen {
                break;
            }
            if let Some(earlier) = at.earlier_in_hour(*minute) {
                at = earlier;
            }
        }
        at
    }
}

/// Hours since 1970.
fn hour_of(instant: DateTime<Utc>) -> i64 {
    instant.timestamp().div_euclid(3600)
}

impl Fault {
    /// Whether nothing of the sky is in the picture.
    pub const fn hides_all(self) -> bool {
        matches!(self, Self::Placeholder | Self::Dark | Self::Overexposed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use celaje_sky::slot::Zone;
    use chrono::{Duration, NaiveDate};
    use std::collections::HashMap;

    fn slots(days: i64) -> impl Iterator<Item = Slot> {
        let start = NaiveDate::from_ymd_opt(2024, 3, 1).unwrap();
        let start = start.and_hms_opt(0, 2, 0).unwrap();
        (0..days * 144).filter_map(move |i| {
            Slot::at(start + Duration::minutes(10 * i), Zone::Named(chrono_tz::UTC))
        })
    }

    #[test]
    fn nothing_is_asked_for_and_nothing_comes() {
        for slot in slots(3) {
            let now = Conditions::default().at(7, -67.7, &SlotGrid::default(), slot);
            assert_eq!((now.lens, now.fault), (Lens::Clean, Fault::None));
            assert_eq!((now.glare, now.haze), (0.0, 0.0));
            assert_eq!(now.lights.0, Lights::Faint);
        }
    }

    #[test]
    fn mixtures_are_mostly_sound_and_hold_everything() {
        let all = Conditions {
            lens: Lens::Mixed,
            lights: Lights::Mixed,
            fault: Fault::Mixed,
            glare: Extra::Mixed,
            haze: Extra::Mixed,
            ..Default::default()
        };
        let (mut lenses, mut lights, mut faults) = (HashMap::new(), HashMap::new(), HashMap::new());
        let mut count = 0;
        for slot in slots(60) {
            let now = all.at(3, 0.0, &SlotGrid::default(), slot);
            *lenses.entry(now.lens).or_insert(0) += 1;
            *lights.entry(now.lights.0).or_insert(0) += 1;
            *faults.entry(now.fault).or_insert(0) += 1;
            count += 1;
        }
        let share = |n: i32| f64::from(n) / f64::from(count);
        assert!(share(lenses[&Lens::Clean]) > 0.5 && lenses.len() == 4);
        assert!(lenses.values().all(|n| share(*n) > 0.05), "{lenses:?}");
        assert!(lights.len() == 3 && lights.values().all(|n| share(*n) > 0.15));
        assert!(share(faults[&Fault::None]) > 0.6 && faults.len() == 5);
        assert!(faults.values().all(|n| share(*n) > 0.02), "{faults:?}");
    }

    #[test]
    fn a_frozen_camera_leads_back_to_one_that_worked() {
        for fault in [Fault::Frozen, Fault::Mixed] {
            let conditions = Conditions { fault, ..Default::default() };
            let minutes = SlotGrid::default();
            let mut before: Option<Slot> = None;
            for slot in slots(20) {
                let frozen = conditions.at(5, 0.0, &minutes, slot).fault == Fault::Frozen;
                let origin = conditions.origin(5, 0.0, &minutes, slot);
                let kind = conditions.at(5, 0.0, &minutes, origin).fault;
                assert_ne!(kind, Fault::Frozen);
                if frozen {
                    let before = before.unwrap();
                    assert_eq!(origin, conditions.origin(5, 0.0, &minutes, before));
                } else {
                    assert_eq!(origin, slot);
                }
                before = Some(slot);
            }
        }
    }
}
