//! Pictures that show no sky, or one in colours that no sky has: the bundled model should give
//! them a 9 or a confidence that is flagged as low.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use celaje_simulate::{Scene, Spec, Studio};
use celaje_sky::cover::Cover;
use celaje_sky::quality::Flag;
use celaje_sky::slot::{Slot, Zone};
use celaje_sky::station::region::Region;
use celaje_sky::sun::DayPhase;
use celaje_vision::engine::backend::{Backend, Engine};
use celaje_vision::engine::rten::Rten;
use celaje_vision::model::manifest::Manifest;
use celaje_vision::model::source::Model;
use celaje_vision::reading::{if_sky, run_batch};
use celaje_vision::verdict::Verdict;
use image::{Rgb, RgbImage};

use crate::frame;

/// Pictures of a kind.
const EACH: u32 = 10;

/// Numbers between 0 and 1 that look random: the same ones each time (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) as f64 / u64::MAX as f64
    }

    fn below(&mut self, end: u32) -> u32 {
        (self.next() * f64::from(end)) as u32
    }
}

fn noise(numbers: &mut Numbers) -> RgbImage {
    let grain = [1, 2, 5][numbers.below(3) as usize];
    let coloured = numbers.next() < 0.7;
    let side = 320u32.div_ceil(grain);
    let cells: Vec<[u8; 3]> = (0..side * side)
        .map(|_| {
            let grey = numbers.next();
            [0; 3].map(|_: u8| (if coloured { numbers.next() } else { grey } * 255.0) as u8)
        })
        .collect();
    RgbImage::from_fn(320, 240, |x, y| Rgb(cells[(y / grain * side + x / grain) as usize]))
}

/// Skin with the folds between fingers, lit from one side.
fn hand(numbers: &mut Numbers) -> RgbImage {
    let (bright, wide, lean) =
        (0.5 + 0.5 * numbers.next(), 40.0 + 60.0 * numbers.next(), numbers.next());
    RgbImage::from_fn(320, 240, |x, y| {
        let (x, y) = (f64::from(x), f64::from(y));
        let fold = ((x + lean * y) / wide * std::f64::consts::PI).sin().abs().powf(0.3);
        let shade = bright * (0.5 + 0.5 * fold) * (0.8 + 0.2 * x / 320.0) * 255.0;
        Rgb([shade, shade * 0.68, shade * 0.54].map(|value| value as u8))
    })
}

/// Lines of strokes as of letters, on paper or on a dark screen, with some boxes.
fn page(numbers: &mut Numbers) -> RgbImage {
    let (paper, ink) = if numbers.next() < 0.6 { (250, 20) } else { (25, 220) };
    let mut picture = RgbImage::from_pixel(320, 240, Rgb([paper; 3]));
    let mut fill = |left: u32, top: u32, wide: u32, high: u32, colour: [u8; 3]| {
        for y in top..(top + high).min(240) {
            for x in left..(left + wide).min(320) {
                picture.put_pixel(x, y, Rgb(colour));
            }
        }
    };
    for _ in 0..numbers.below(4) {
        let colour = [0; 3].map(|_: u8| numbers.below(256) as u8);
        fill(numbers.below(300), numbers.below(220), numbers.below(120), numbers.below(60), colour);
    }
    let step = 10 + numbers.below(8);
    for top in (6..236).step_by(step as usize) {
        let mut left = 8;
        while left < 200 + numbers.below(110) {
            fill(left, top, 2 + numbers.below(3), 2 + numbers.below(6), [ink; 3]);
            left += 5 + numbers.below(4);
        }
    }
    picture
}

/// Skies drawn by day, in colours.
fn skies() -> Vec<RgbImage> {
    let zone = Zone::Named(chrono_tz::America::Argentina::Ushuaia);
    let noon = chrono::NaiveDate::from_ymd_opt(2024, 2, 3).unwrap().and_hms_opt(13, 2, 0).unwrap();
    let mut found = Vec::new();
    for scene in [Scene::Landscape, Scene::Fisheye] {
        let studio =
            Studio::new(Spec { scene, seed: 31, width: 320, height: 240, ..Spec::default() });
        for day in 0..40 {
            let slot = Slot::at(noon + chrono::Duration::days(day), zone).unwrap();
            let drawn = studio.draw(slot).unwrap();
            found.push(image::load_from_memory(&drawn.jpeg).unwrap().to_rgb8());
        }
    }
    found
}

/// Whether the picture has colours by which its negative can be told from a sky.
fn coloured(picture: &RgbImage) -> bool {
    let apart: u64 = picture
        .pixels()
        .map(|pixel| u64::from(pixel.0.iter().max().unwrap() - pixel.0.iter().min().unwrap()))
        .sum();
    apart as f64 / f64::from(picture.width() * picture.height()) > 0.2 * 255.0
}

fn negative(picture: &RgbImage) -> RgbImage {
    let mut other = picture.clone();
    image::imageops::invert(&mut other);
    other
}

fn png(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

struct Judge {
    session: Box<dyn Backend>,
    manifest: Manifest,
}

impl Judge {
    fn new() -> Self {
        let model = Model::bundled().unwrap();
        Self { session: Rten::new(&model).unwrap().open(1).unwrap(), manifest: model.manifest }
    }

    /// Whether the picture gets a 9 or is flagged.
    fn refuses(&mut self, bytes: &[u8]) -> bool {
        let region = Region::whole();
        let frame = frame(bytes, &region, &self.manifest);
        let session = self.session.as_mut();
        let read = run_batch(session, &self.manifest, &[&frame], &region, &mut Vec::new());
        let reading = if_sky(read.unwrap().remove(0)).unwrap();
        let verdict = Verdict::of(&frame.stats, reading.as_ref(), Some(DayPhase::Day));
        verdict.cover == Cover::Obscured || verdict.quality.has(Flag::LowConfidence)
    }

    fn share(&mut self, pictures: &[RgbImage]) -> f64 {
        let refused = pictures.iter().filter(|picture| self.refuses(&png(picture))).count();
        refused as f64 / pictures.len() as f64
    }
}

#[test]
#[ignore = "an aim: the bundled model takes most of them for skies (its card)"]
fn drawn_pictures_without_a_sky_are_not_believed() {
    let mut judge = Judge::new();
    let mut numbers = Numbers(7);
    let mut many = |draw: fn(&mut Numbers) -> RgbImage| -> Vec<RgbImage> {
        (0..EACH).map(|_| draw(&mut numbers)).collect()
    };
    let (noises, hands, pages) = (many(noise), many(hand), many(page));
    let skies: Vec<RgbImage> = skies().into_iter().filter(coloured).collect();
    assert!(skies.len() >= 20, "{}", skies.len());
    let negatives: Vec<RgbImage> = skies.iter().map(negative).collect();
    let shares = BTreeMap::from([
        ("noise", judge.share(&noises)),
        ("hand", judge.share(&hands)),
        ("page", judge.share(&pages)),
        ("negative", judge.share(&negatives)),
        ("sky", judge.share(&skies)),
    ]);
    println!("{shares:?}");
    for kind in ["noise", "hand", "page", "negative"] {
        assert!(shares[kind] >= 0.9, "{shares:?}");
    }
    // The same skies as they are.
    assert!(shares["sky"] <= 0.15, "{shares:?}");
}

/// Negatives of photographs, where ../shared holds them.
#[test]
#[ignore = "an aim: the bundled model takes most of them for skies (its card)"]
fn negatives_of_photographs_are_not_believed() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if !data.is_dir() {
        // Not `eprintln!`: the harness keeps that back.
        let _ = writeln!(std::io::stderr(), "skipped: there are no pictures in ../shared");
        return;
    }
    let mut judge = Judge::new();
    for group in ["landscape-day-dslr", "perspective-day"] {
        let mut files: Vec<_> = std::fs::read_dir(data.join(group).join("images"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        let step = (files.len() / 12).max(1);
        let pictures: Vec<RgbImage> = files
            .iter()
            .step_by(step)
            .map(|file| image::open(file).unwrap().to_rgb8())
            .filter(coloured)
            .collect();
        let negatives: Vec<RgbImage> = pictures.iter().map(negative).collect();
        let (straight, turned) = (judge.share(&pictures), judge.share(&negatives));
        println!("{group}: {turned:.2} of {}, as they are {straight:.2}", negatives.len());
        assert!(turned >= 0.8 && straight <= 0.3, "{group}: {turned} {straight}");
    }
}
