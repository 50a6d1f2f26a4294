use super::*;
use crate::engine::toy::{self, Toy};
use crate::model::manifest::{Activation, Fit};
use crate::picture::decode::Limits;
use crate::picture::prepare::prepare;
use crate::picture::testing::{draw, png};
use celaje_sky::station::lens::Lens;
use celaje_sky::station::region::{Margins, Mask};
use celaje_sky::station::zone::SkyZone;
use proptest::prelude::*;
use std::sync::Arc;

const BLUE: [u8; 3] = [60, 110, 200];
const WHITE: [u8; 3] = [210, 212, 215];
const BLACK: [u8; 3] = [0; 3];

/// A frame of a drawn picture, whose places are given as fractions.
fn frame(manifest: &Manifest, region: &Region, at: impl Fn(f64, f64) -> [u8; 3]) -> Frame {
    let picture =
        draw(256, 128, |x, y| at((f64::from(x) + 0.5) / 256.0, (f64::from(y) + 0.5) / 128.0));
    prepare(&png(&picture), manifest, region, &Limits::default()).unwrap()
}

/// What the toy reads in a drawn picture.
fn seen(
    manifest: &Manifest,
    region: &Region,
    at: impl Fn(f64, f64) -> [u8; 3],
) -> Result<Reading, ReadingError> {
    let frame = frame(manifest, region, at);
    let mut backend = Toy::default().engine().open(1).unwrap();
    run_one(backend.as_mut(), manifest, &frame, region, &mut Vec::new()).unwrap()
}

fn fraction(reading: &Reading) -> f64 {
    reading.cloud_fraction.unwrap()
}

#[test]
fn the_fraction_is_cloud_of_cloud_and_sky() {
    let manifest = toy::manifest();
    let quarter = seen(&manifest, &Region::whole(), |x, _| if x < 0.25 { WHITE } else { BLUE });
    let quarter = quarter.unwrap();
    assert_eq!((fraction(&quarter), quarter.okta.eighths()), (0.25, 2));
    // Background is left out of both.
    let ground = seen(&manifest, &Region::whole(), |x, y| match (x < 0.25, y < 0.5) {
        (_, false) => BLACK,
        (true, true) => WHITE,
        (false, true) => BLUE,
    });
    // The edge between ground and sky is blurred by the resize: a row of cells at most.
    assert!((fraction(&ground.unwrap()) - 0.25).abs() < 0.06);
}

#[test]
fn clear_and_overcast_are_the_ends() {
    let manifest = toy::manifest();
    for (colour, eighths) in [(BLUE, 0), (WHITE, 8)] {
        let reading = seen(&manifest, &Region::whole(), |_, _| colour).unwrap();
        assert_eq!(reading.okta.eighths(), eighths);
        assert!((0.5..=1.0).contains(&reading.confidence), "{}", reading.confidence);
    }
}

#[test]
fn masked_cells_and_cut_margins_do_not_count() {
    let manifest = toy::manifest();
    // Left half of the picture masked out; cloud fills the left half and a quarter of the rest.
    let mask = Mask::new(2, 1, vec![false, true]).unwrap();
    let region = Region { mask: Some(Arc::new(mask)), ..Region::whole() };
    let draw = |x: f64, _: f64| if x < 0.625 { WHITE } else { BLUE };
    let reading = seen(&manifest, &region, draw).unwrap();
    assert_eq!(fraction(&reading), 0.25);
    let classes = reading.classes.unwrap();
    assert_eq!((classes.width, classes.height), (32, 32));
    assert_eq!([classes.at(0, 0), classes.at(16, 0)], [Cell::Outside, Cell::Cloud]);
    assert_eq!([classes.at(31, 31), classes.at(32, 0)], [Cell::Sky, Cell::Outside]);
    // The same by a margin; the mask stays where it is on the picture.
    let margins = Margins { right: 0.25, ..Margins::default() };
    let region = Region { margins, ..region };
    // Eleven columns are left, six of them cloud.
    assert_eq!(fraction(&seen(&manifest, &region, draw).unwrap()), 6.0 / 11.0);
}

#[test]
fn letterbox_bars_do_not_count() {
    let mut manifest = toy::manifest();
    manifest.input.fit = Fit::Letterbox;
    // A network that takes the black bars for sky would read less cloud.
    let frame = frame(&manifest, &Region::whole(), |_, _| WHITE);
    let cells = 32 * 32;
    let mut output = vec![0.0; 3 * cells];
    for cell in 0..cells {
        let bar = !(8..24).contains(&(cell / 32));
        output[if bar { cells } else { 2 * cells } + cell] = 9.0;
    }
    let region = Region::whole();
    let reading = read(&output, &[3, 32, 32], &manifest, &frame, &region, true).unwrap();
    assert_eq!(fraction(&reading), 1.0);
    let classes = reading.classes.unwrap();
    assert_eq!(classes.cells.iter().filter(|cell| **cell == Cell::Outside).count(), 16 * 32);
}

#[test]
fn without_sky_there_is_no_okta() {
    let manifest = toy::manifest();
    let night = seen(&manifest, &Region::whole(), |_, _| BLACK);
    assert_eq!(night.unwrap_err(), ReadingError::NoSky);
    // A speck of sky in the dark is none either: 4 cells of 1024 are under one in a hundred.
    let speck = |x: f64, y: f64| if x < 0.06 && y < 0.06 { BLUE } else { BLACK };
    assert_eq!(seen(&manifest, &Region::whole(), speck).unwrap_err(), ReadingError::NoSky);
    let window = |x: f64, y: f64| if x < 0.25 && y < 0.25 { BLUE } else { BLACK };
    assert!(seen(&manifest, &Region::whole(), window).is_ok());
}

#[test]
fn numbers_that_are_none_are_a_models_fault() {
    let manifest = toy::manifest();
    let frame = frame(&manifest, &Region::whole(), |_, _| BLUE);
    let region = Region::whole();
    let good = vec![0.5f32; 3 * 4];
    assert!(read(&good, &[3, 2, 2], &manifest, &frame, &region, false).is_err(), "all background");
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut output = good.clone();
        output[7] = bad;
        let error = read(&output, &[3, 2, 2], &manifest, &frame, &region, false).unwrap_err();
        assert!(matches!(error, ReadingError::Model(_)), "{bad}");
    }
    for shape in [&[2, 3, 2][..], &[12], &[4, 3], &[], &[3, 2, 3], &[1, 3, 2, 2], &[0, 0, 0]] {
        let error = read(&good, shape, &manifest, &frame, &region, false).unwrap_err();
        assert!(matches!(error, ReadingError::Model(_)), "{shape:?}");
    }
    assert!(read(&[], &[3, 0, 0], &manifest, &frame, &region, false).is_err());
}

#[test]
fn classes_may_come_last_and_in_another_order() {
    let mut manifest = toy::manifest();
    manifest.input.layout = crate::model::manifest::TensorLayout::Nhwc;
    manifest.output.classes = ["cloud", "background", "sky"].map(str::to_owned).to_vec();
    let frame = frame(&manifest, &Region::whole(), |_, _| BLUE);
    // 1×4 cells: cloud, sky, background, sky.
    let output = [9., 0., 1., 0., 1., 9., 0., 9., 1., 0., 0., 9.];
    let reading = read(&output, &[1, 4, 3], &manifest, &frame, &Region::whole(), true).unwrap();
    assert!((fraction(&reading) - 1.0 / 3.0).abs() < 1e-12);
    assert_eq!(
        reading.classes.unwrap().cells,
        [Cell::Cloud, Cell::Sky, Cell::Background, Cell::Sky]
    );
}

#[test]
fn logits_and_their_probabilities_read_the_same() {
    let mut manifest = toy::manifest();
    manifest.output.classes = ["sky", "cloud"].map(str::to_owned).to_vec();
    let frame = frame(&manifest, &Region::whole(), |_, _| BLUE);
    let region = Region::whole();
    let logits = [1.0f32, -0.5, 2.0, 0.0, 0.3, 0.7, -1.0, 0.1];
    let p: Vec<f32> =
        (0..8).map(|i| logits[i].exp() / (logits[i % 4].exp() + logits[i % 4 + 4].exp())).collect();
    let a = read(&logits, &[2, 2, 2], &manifest, &frame, &region, false).unwrap();
    manifest.output.activation = Activation::Probabilities;
    let b = read(&p, &[2, 2, 2], &manifest, &frame, &region, false).unwrap();
    assert_eq!(a.cloud_fraction, b.cloud_fraction);
    assert!((a.confidence - b.confidence).abs() < 1e-5);
}

fn classifier() -> Manifest {
    let mut manifest = toy::manifest();
    manifest.kind = Kind::Classification;
    manifest.output.classes = (0..9).map(|okta| okta.to_string()).collect();
    manifest
}

#[test]
fn a_classification_is_the_softmax() {
    let mut manifest = classifier();
    let frame = frame(&manifest, &Region::whole(), |_, _| BLUE);
    let region = Region::whole();
    let logits = [0.0f32, 0.1, 0.3, 2.0, 1.0, 0.0, -1.0, 0.0, 0.5];
    let sum: f64 = logits.iter().map(|&v| f64::from(v).exp()).sum();
    let reading = read(&logits, &[9], &manifest, &frame, &region, true).unwrap();
    assert_eq!((reading.okta.eighths(), reading.cloud_fraction), (3, None));
    assert!((reading.confidence - 2f64.exp() / sum).abs() < 1e-9);
    assert_eq!(reading.classes, None);
    // Huge logits do not overflow, a temperature softens.
    let huge = logits.map(|v| v * 1e4);
    let sure = read(&huge, &[9], &manifest, &frame, &region, false).unwrap();
    assert_eq!((sure.okta.eighths(), sure.confidence), (3, 1.0));
    manifest.calibration = Some(Calibration { temperature: 3.0, ..Calibration::default() });
    let soft = read(&logits, &[9], &manifest, &frame, &region, false).unwrap();
    assert!(soft.confidence < reading.confidence && soft.okta == reading.okta);
    assert!(read(&logits[..8], &[8], &manifest, &frame, &region, false).is_err());
}

#[test]
fn a_batch_is_answered_picture_by_picture() {
    let manifest = toy::manifest();
    let region = Region::whole();
    let pictures = [BLUE, BLACK, WHITE].map(|colour| frame(&manifest, &region, |_, _| colour));
    let frames: Vec<&Frame> = pictures.iter().collect();
    let mut backend = Toy::default().engine().open(1).unwrap();
    let mut buffer = Vec::new();
    let readings = run_batch(backend.as_mut(), &manifest, &frames, &region, &mut buffer).unwrap();
    let oktas: Vec<_> =
        readings.iter().map(|reading| reading.as_ref().map(|r| r.okta.eighths()).ok()).collect();
    assert_eq!(oktas, [Some(0), None, Some(8)]);
    // A shorter batch in the same buffer sees nothing of the longer one.
    let again = run_batch(backend.as_mut(), &manifest, &frames[2..], &region, &mut buffer).unwrap();
    assert_eq!(again[0], readings[2]);
    assert_eq!(buffer.len(), 3 * 64 * 64);
    let none = run_batch(backend.as_mut(), &manifest, &[], &region, &mut buffer).unwrap();
    assert!(none.is_empty());
}

struct Wrong(Vec<usize>);

impl Backend for Wrong {
    fn run(&mut self, _: InputBatch<'_>) -> Result<OutputBatch, BackendError> {
        Ok(OutputBatch { data: vec![0.0; 24], shape: self.0.clone() })
    }
}

#[test]
fn an_output_of_another_batch_is_refused() {
    let manifest = toy::manifest();
    let region = Region::whole();
    let picture = frame(&manifest, &region, |_, _| BLUE);
    for shape in [vec![1, 3, 2, 4], vec![2, 3, 2, 3], vec![], vec![24]] {
        let mut backend = Wrong(shape.clone());
        let frames = [&picture, &picture];
        let result = run_batch(&mut backend, &manifest, &frames, &region, &mut Vec::new());
        assert!(matches!(result, Err(BackendError::Run(_))), "{shape:?}");
    }
    let mut other = toy::manifest();
    other.input.width = 32;
    let result = run_batch(&mut Wrong(vec![1]), &other, &[&picture], &region, &mut Vec::new());
    assert!(matches!(result, Err(BackendError::Run(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_numbers_give_an_okta_that_fits_the_fraction(
        output in prop::collection::vec(-30.0..30.0f32, 3 * 36),
    ) {
        let manifest = toy::manifest();
        let frame = frame(&manifest, &Region::whole(), |_, _| BLUE);
        if let Ok(reading) = read(&output, &[3, 6, 6], &manifest, &frame, &Region::whole(), false) {
            prop_assert_eq!(reading.okta, Okta::from_fraction(fraction(&reading)));
            prop_assert!((0.0..=1.0).contains(&reading.confidence));
        }
    }
}

#[test]
fn a_lens_weighs_cells_by_the_sky_they_show() {
    let manifest = toy::manifest();
    // The drawn pictures are twice as wide as high: the circle touches their upper edge.
    let lens = Lens::new([0.5, 0.5], 0.25);
    let zone = SkyZone {
        name: "left".to_owned(),
        polygon: vec![[0.3, 0.3], [0.45, 0.3], [0.45, 0.7], [0.3, 0.7]],
    };
    let region = Region { lens: Some(lens), zones: Arc::from([zone]), ..Region::whole() };
    let half = |x: f64, _: f64| if x < 0.5 { WHITE } else { BLUE };
    let reading = seen(&manifest, &region, half).unwrap();
    assert_eq!((reading.okta.eighths(), reading.parts.zenith), (4, Some(0.5)));
    assert!((fraction(&reading) - 0.5).abs() < 1e-9, "{reading:?}");
    assert_eq!(reading.parts.zones["left"], Some(1.0));
    // What lies beyond the limit is not judged: cloud there changes nothing.
    let classes = reading.classes.unwrap();
    assert_eq!([classes.at(0, 16), classes.at(12, 16)], [Cell::Outside, Cell::Cloud]);
    let corners = |x: f64, y: f64| {
        let off = (2.0 * (x - 0.5)).hypot(y - 0.5);
        if off > 0.49 { WHITE } else { BLUE }
    };
    assert_eq!(seen(&manifest, &region, corners).unwrap().okta.eighths(), 0);
    // Without a lens all of it counts.
    let plain = seen(&manifest, &Region::whole(), corners).unwrap();
    assert!(fraction(&plain) > 0.5 && plain.parts.zenith.is_none(), "{plain:?}");
}
