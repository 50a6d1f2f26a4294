//! What spoils a picture, measured from its pixels and its truth.

use chrono::{Duration, NaiveDate};
use image::RgbImage;

use super::conditions::{Colour, Conditions, Extra, Fault, Lens, Lights};
use super::mask::Kind;
use super::{DrawnPicture, OBSCURED, Scene, Spec, Studio};
use celaje_sky::slot::{Slot, Zone};

const SCENES: [Scene; 2] = [Scene::Landscape, Scene::Fisheye];

/// The `i`th of the slots ten minutes apart.
fn slot(i: i64) -> Slot {
    let start = NaiveDate::from_ymd_opt(2024, 3, 5).unwrap();
    let at = start.and_hms_opt(0, 2, 0).unwrap() + Duration::minutes(10 * i);
    Slot::at(at, Zone::Named(chrono_tz::America::Argentina::Ushuaia)).unwrap()
}

/// Slots of midday, dusk and night.
const TIMES: [i64; 3] = [13 * 6, 20 * 6 + 3, 25 * 6];

fn studio(scene: Scene, conditions: Conditions) -> Studio {
    Studio::new(Spec { scene, width: 160, height: 120, seed: 5, conditions, ..Default::default() })
}

fn with_lens(lens: Lens) -> Conditions {
    Conditions { lens, ..Default::default() }
}

fn with_fault(fault: Fault) -> Conditions {
    Conditions { fault, ..Default::default() }
}

fn decoded(drawn: &DrawnPicture) -> RgbImage {
    image::load_from_memory(&drawn.jpeg).unwrap().into_rgb8()
}

fn grey(pixel: &image::Rgb<u8>) -> f64 {
    pixel.0.iter().map(|c| f64::from(*c)).sum::<f64>() / 3.0
}

/// Mean and standard deviation of the grey levels of the pixels of `kinds` that are no background.
fn spread(picture: &RgbImage, kinds: &[Kind]) -> (f64, f64) {
    let open = picture.pixels().zip(kinds).filter(|(_, k)| **k != Kind::Background);
    let levels: Vec<f64> = open.map(|(p, _)| grey(p)).collect();
    let mean = levels.iter().sum::<f64>() / levels.len() as f64;
    let square = levels.iter().map(|l| (l - mean).powi(2)).sum::<f64>();
    (mean, (square / levels.len() as f64).sqrt())
}

#[test]
fn all_of_it_is_a_function_of_seed_and_slot() {
    let all = Conditions {
        lens: Lens::Mixed,
        glare: Extra::Mixed,
        haze: Extra::Mixed,
        lights: Lights::Mixed,
        colour: Colour::Mono,
        fault: Fault::Mixed,
    };
    for scene in SCENES {
        let studios = [studio(scene, all), studio(scene, all)];
        for i in (0..144).step_by(17) {
            let drawn = studios[0].draw(slot(i)).unwrap();
            assert_eq!(drawn, studios[1].draw(slot(i)).unwrap());
            let (truth, mask) = studios[1].truth(slot(i));
            assert_eq!((truth, mask), (drawn.truth, drawn.mask));
        }
    }
}

#[test]
fn snow_is_background_and_nothing_else_changes() {
    let mut whole = 0;
    for scene in SCENES {
        let (clean, snowy) =
            (studio(scene, Conditions::default()), studio(scene, with_lens(Lens::Snow)));
        for i in (3..432).step_by(12) {
            let ((_, before), (truth, after)) = (clean.truth(slot(i)), snowy.truth(slot(i)));
            let (mut open, mut covered) = (0.0, 0.0);
            for (b, a) in before.kinds().iter().zip(after.kinds()) {
                assert!(a == b || *a == Kind::Background, "snow adds no sky");
                open += f64::from(u8::from(*b != Kind::Background));
                covered += f64::from(u8::from(a != b));
            }
            assert!((truth.obstructed - covered / open).abs() < 1e-12);
            assert!((0.19..=1.0).contains(&truth.obstructed), "{truth:?}");
            assert_eq!(truth.cloud_fraction, after.cloud_fraction());
            assert_eq!(truth.cloud_fraction.is_none(), truth.obstructed == 1.0);
            whole += u32::from(truth.obstructed == 1.0);
        }
    }
    assert!((1..60).contains(&whole), "{whole}");
}

#[test]
fn snow_hides_what_is_behind_it() {
    for scene in SCENES {
        let clean = studio(scene, Conditions::default());
        let snowy = studio(scene, with_lens(Lens::Snow));
        let (a, b) = (clean.draw(slot(78)).unwrap(), snowy.draw(slot(78)).unwrap());
        let mut chroma = [0.0, 0.0];
        let mut count = 0.0;
        let (first, second) = (decoded(&a), decoded(&b));
        for (i, (p, q)) in first.pixels().zip(second.pixels()).enumerate() {
            if a.mask.kinds()[i] == Kind::Sky && b.mask.kinds()[i] == Kind::Background {
                chroma[0] += f64::from(p.0[2]) - f64::from(p.0[0]);
                chroma[1] += f64::from(q.0[2]) - f64::from(q.0[0]);
                count += 1.0;
            }
        }
        assert!(count > 500.0 && chroma[0] / count > 40.0, "{scene:?}");
        assert!(chroma[1] / count < 25.0, "snow is grey: {chroma:?} {count}");
    }
}

#[test]
fn drops_and_dew_leave_the_truth_and_spoil_the_picture() {
    for scene in SCENES {
        let clean = studio(scene, Conditions::default());
        for lens in [Lens::Drops, Lens::Dew] {
            let spoilt = studio(scene, with_lens(lens));
            let mut worst: f64 = 0.0;
            for i in TIMES.into_iter().chain([71, 83]) {
                let (a, b) = (clean.draw(slot(i)).unwrap(), spoilt.draw(slot(i)).unwrap());
                assert_eq!(a.mask, b.mask);
                assert_eq!(b.truth.lens, lens);
                assert_ne!(a.jpeg, b.jpeg);
                worst = worst.max(b.truth.obstructed);
            }
            assert!(worst > 0.02, "{scene:?} {lens:?}: {worst}");
        }
    }
}

#[test]
fn dew_takes_the_contrast() {
    for scene in SCENES {
        let clean = studio(scene, Conditions::default());
        let dewy = studio(scene, with_lens(Lens::Dew));
        // The last slots of spells, with sky and cloud in them: before a closed sky the halo of
        // the sun brings more contrast than the veil takes.
        for i in [77, 65, 89] {
            let (a, b) = (clean.draw(slot(i)).unwrap(), dewy.draw(slot(i)).unwrap());
            let before = spread(&decoded(&a), a.mask.kinds()).1;
            let after = spread(&decoded(&b), b.mask.kinds()).1;
            assert!(after < 0.8 * before || before < 12.0, "{scene:?} {i}: {before} {after}");
        }
    }
}

#[test]
fn glare_brightens_a_sunny_picture_and_no_night() {
    let glare = Conditions { glare: Extra::Strong, ..Default::default() };
    for scene in SCENES {
        let (clean, glaring) = (studio(scene, Conditions::default()), studio(scene, glare));
        let mut seen = 0;
        for i in (60..96).step_by(6) {
            let (a, b) = (clean.draw(slot(i)).unwrap(), glaring.draw(slot(i)).unwrap());
            assert_eq!(a.mask, b.mask);
            if b.truth.glare > 0.3 {
                seen += 1;
                let (before, after) = (
                    spread(&decoded(&a), a.mask.kinds()).0,
                    spread(&decoded(&b), b.mask.kinds()).0,
                );
                assert!(after > before + 6.0, "{before} {after}");
            }
        }
        assert!(seen > 0, "{scene:?}");
        let (a, b) = (clean.draw(slot(150)).unwrap(), glaring.draw(slot(150)).unwrap());
        assert_eq!(a.jpeg, b.jpeg);
    }
}

#[test]
fn a_grey_sensor_sees_no_colour_and_stretches_its_nights() {
    let mono = Conditions { colour: Colour::Mono, ..Default::default() };
    for scene in SCENES {
        let (clean, mono) = (studio(scene, Conditions::default()), studio(scene, mono));
        for i in TIMES {
            let (a, b) = (clean.draw(slot(i)).unwrap(), mono.draw(slot(i)).unwrap());
            assert_eq!(a.mask, b.mask);
            let picture = decoded(&b);
            let tint = |p: &image::Rgb<u8>| p.0[0].abs_diff(p.0[2]).max(p.0[0].abs_diff(p.0[1]));
            assert!(picture.pixels().all(|p| tint(p) <= 3));
            if b.truth.phase == "night" {
                let (before, after) =
                    (spread(&decoded(&a), a.mask.kinds()).1, spread(&picture, b.mask.kinds()).1);
                assert!(after > 1.5 * before, "{before} {after}");
            }
        }
    }
}

#[test]
fn what_shows_nothing_has_no_okta() {
    for scene in SCENES {
        for fault in [Fault::Placeholder, Fault::Dark, Fault::Overexposed] {
            let broken = studio(scene, with_fault(fault));
            for i in TIMES {
                let drawn = broken.draw(slot(i)).unwrap();
                let truth = &drawn.truth;
                assert_eq!((truth.fault, truth.okta), (fault, OBSCURED));
                assert_eq!((truth.cloud_fraction, truth.sky_share), (None, 0.0));
                let picture = decoded(&drawn);
                let levels: Vec<f64> = picture.pixels().map(grey).collect();
                let share = |test: &dyn Fn(f64) -> bool| {
                    levels.iter().filter(|l| test(**l)).count() as f64 / levels.len() as f64
                };
                match fault {
                    Fault::Dark => assert!(share(&|l| l < 24.0) > 0.93),
                    Fault::Overexposed => {
                        // Of the pixels that would show sky.
                        let clean = studio(scene, Conditions::default()).truth(slot(i)).1;
                        let sky = clean.kinds().iter().zip(&levels);
                        let sky = sky.filter(|(k, _)| **k != Kind::Background);
                        let burnt = sky.filter(|(_, l)| **l > 250.0).count() as f64;
                        let of = clean.sky_share() * levels.len() as f64;
                        assert!(burnt > 0.9 * of, "{scene:?} {i}: {burnt} of {of}");
                    }
                    _ => {
                        let like = |l: f64| levels.iter().filter(|o| (*o - l).abs() < 3.0).count();
                        assert!(like(levels[5]) as f64 > 0.08 * levels.len() as f64);
                    }
                }
            }
        }
    }
}

#[test]
fn a_frozen_camera_repeats_the_bytes_of_the_slot_before() {
    for scene in SCENES {
        let frozen = studio(scene, with_fault(Fault::Frozen));
        let working = studio(scene, Conditions::default());
        let mut before: Option<DrawnPicture> = None;
        for i in 78..90 {
            let drawn = frozen.draw(slot(i)).unwrap();
            if drawn.truth.fault == Fault::Frozen {
                let before = before.unwrap();
                assert_eq!(drawn.jpeg, before.jpeg);
                assert_eq!(drawn.mask, before.mask);
                assert_eq!(drawn.truth.cloud_fraction, before.truth.cloud_fraction);
                assert_ne!(drawn.truth.slot, before.truth.slot);
                assert!(drawn.truth.frozen_since.is_some());
            } else {
                assert_eq!(i % 6, 0, "the first of each hour is its own");
                assert_eq!(drawn, working.draw(slot(i)).unwrap());
            }
            before = Some(drawn);
        }
    }
}

#[test]
fn lights_are_of_the_night_alone() {
    for lights in [Lights::None, Lights::Town] {
        let conditions = Conditions { lights, ..Default::default() };
        let (clean, lit) =
            (studio(Scene::Fisheye, Conditions::default()), studio(Scene::Fisheye, conditions));
        let jpegs = |i: i64| [&clean, &lit].map(|s| s.draw(slot(i)).unwrap().jpeg);
        let [a, b] = jpegs(78);
        assert_eq!(a, b);
        let [a, b] = jpegs(150);
        assert_ne!(a, b);
    }
}
