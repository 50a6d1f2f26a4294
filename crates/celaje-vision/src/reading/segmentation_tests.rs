use super::*;
use crate::engine::toy;
use crate::model::manifest::Fit;
use crate::picture::decode::Limits;
use crate::picture::prepare::{prepare, prepare_decoded};
use crate::picture::stats::{LIGHT, colourfulness, level, luminance};
use crate::picture::testing::{draw, png};
use crate::reading::{if_sky, read};
use celaje_sky::station::region::Mask;
use celaje_sky::station::zone::SkyParts;
use proptest::prelude::*;
use std::sync::Arc;

fn manifest(classes: &[&str]) -> Manifest {
    let mut manifest = toy::manifest();
    manifest.output.classes = classes.iter().map(|&name| name.to_owned()).collect();
    manifest
}

const FOUR: [&str; 4] = ["background", "sky", "cloud", OBSTRUCTED];

fn frame(manifest: &Manifest) -> Frame {
    let picture = draw(80, 50, |x, y| [(3 * x) as u8, (4 * y) as u8, (x + y) as u8]);
    prepare(&png(&picture), manifest, &Region::whole(), &Limits::default()).unwrap()
}

/// The numbers cell by cell in place of channel by channel.
fn interleaved(numbers: &[f32], classes: usize) -> Vec<f32> {
    let cells = numbers.len() / classes;
    (0..numbers.len()).map(|at| numbers[at % classes * cells + at / classes]).collect()
}

/// The same as [`read`], a cell and a pixel at a time, by the formulas as they are written down.
fn plainly(
    numbers: &[f32],
    (rows, columns): (usize, usize),
    manifest: &Manifest,
    frame: &Frame,
    region: &Region,
) -> Option<Reading> {
    let names = &manifest.output.classes;
    let calibration = manifest.calibration.unwrap_or_default();
    let place = |name: &str| names.iter().position(|class| class == name);
    let (sky, cloud) = (place("sky").unwrap(), place("cloud").unwrap());
    let value = |class: usize, at: usize| numbers[class * rows * columns + at];
    let probabilities = manifest.output.activation == Activation::Probabilities;
    let logit = |class: usize, at: usize| {
        let value = f64::from(value(class, at));
        let logit = if probabilities { value.max(1e-12).ln() } else { value };
        logit / calibration.temperature
    };
    let (width, height) = frame.geometry.input;
    let mut cells = Vec::new();
    let (mut inside, mut error, mut lens) = (0, 0.0, 0.0);
    for at in 0..rows * columns {
        let x = ((at % columns) as f64 + 0.5) * (f64::from(width) / columns as f64);
        let y = ((at / columns) as f64 + 0.5) * (f64::from(height) / rows as f64);
        let judged = frame
            .geometry
            .to_picture(x, y)
            .is_some_and(|(x, y)| region.mask.as_ref().is_none_or(|mask| mask.contains(x, y)));
        if !judged {
            cells.push(Cell::Outside);
            continue;
        }
        inside += 1;
        if let Some(obstructed) = place(OBSTRUCTED) {
            lens += f64::from(value(obstructed, at));
        }
        let mut best = None;
        for class in (0..names.len()).filter(|&class| names[class] != OBSTRUCTED) {
            if best.is_none_or(|best| value(class, at) > value(best, at)) {
                best = Some(class);
            }
        }
        let cell = match best.unwrap() {
            class if class == sky => Cell::Sky,
            class if class == cloud => Cell::Cloud,
            _ => Cell::Background,
        };
        if cell != Cell::Background {
            error += 1.0 / (1.0 + (logit(cloud, at) - logit(sky, at)).abs().exp());
        }
        cells.push(cell);
    }
    let count = |of: Cell| cells.iter().filter(|cell| **cell == of).count() as f64;
    let seen = count(Cell::Sky) + count(Cell::Cloud);
    if seen == 0.0 || seen < LEAST_SKY * f64::from(inside) {
        return None;
    }
    let (mut light, mut colour, mut pixels) = (0.0, 0.0, 0.0);
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        let (row, column) =
            (y as usize * rows / height as usize, x as usize * columns / width as usize);
        if matches!(cells[row * columns + column], Cell::Sky | Cell::Cloud) {
            light += luminance(frame.pixel(x, y));
            colour += f64::from(colourfulness(frame.pixel(x, y))) / 255.0;
            pixels += 1.0;
        }
    }
    let (mut background, mut lit) = (0.0, 0.0);
    let content = frame.geometry.content;
    for (at, cell) in cells.iter().enumerate() {
        let x = ((at % columns) as f64 + 0.5) * f64::from(width) / columns as f64;
        let y = ((at / columns) as f64 + 0.5) * f64::from(height) / rows as f64;
        let u = (x - f64::from(content.left)) / f64::from(content.width) - 0.5;
        let v = (y - f64::from(content.top)) / f64::from(content.height) - 0.5;
        let bright = level(frame.pixel(x as u32, y as u32)) >= LIGHT;
        if u.hypot(v) <= 0.25 && *cell != Cell::Outside && bright {
            lit += 1.0;
            background += f64::from(u8::from(*cell == Cell::Background));
        }
    }
    let fraction = count(Cell::Cloud) / seen;
    let okta = Okta::from_fraction(fraction);
    let evidence = Evidence {
        fraction,
        expected_error: error / seen,
        light: light / f64::max(pixels, 1.0),
        colour: colour / f64::max(pixels, 1.0),
    };
    let mean = lens / f64::from(inside);
    let lens = if probabilities { mean } else { 1.0 / (1.0 + (-mean).exp()) };
    Some(Reading {
        okta,
        cloud_fraction: Some(fraction),
        parts: SkyParts::default(),
        confidence: confidence::probability(okta, &evidence, &calibration),
        range: {
            let probabilities = confidence::distribution(&evidence, &calibration);
            confidence::range(okta, &probabilities, calibration.range_level)
        },
        middle_background: (lit > 0.0).then(|| background / lit),
        lens: place(OBSTRUCTED).map(|_| lens),
        classes: Some(ClassMap { width: columns as u32, height: rows as u32, cells }),
    })
}

#[test]
fn obstructed_competes_with_no_class() {
    let manifest = manifest(&FOUR);
    let frame = frame(&manifest);
    // 1×4 cells: cloud, sky, background, sky, under an `obstructed` above them all.
    let classes = [0., 0., 9., 0., 1., 9., 0., 9., 9., 0., 0., 0.];
    let with = |lens: [f32; 4]| {
        let numbers = [&classes[..], &lens].concat();
        read(&numbers, &[4, 1, 4], &manifest, &frame, &Region::whole(), true).unwrap()
    };
    let much = with([90., 80., 95., 99.]);
    let cells = [Cell::Cloud, Cell::Sky, Cell::Background, Cell::Sky];
    assert_eq!(much.classes.as_ref().unwrap().cells, cells);
    assert!((much.cloud_fraction.unwrap() - 1.0 / 3.0).abs() < 1e-12);
    assert_eq!(much.lens, Some(1.0));
    // Nothing but the lens hangs on it.
    let none = with([-9.; 4]);
    assert!(none.lens.unwrap() < 2e-4);
    assert_eq!(Reading { lens: None, ..none }, Reading { lens: None, ..much });
    // The mean is put through the logistic function, not the other way round; background counts.
    let some = with([8., -2., 2., -4.]);
    assert!((some.lens.unwrap() - 1.0 / (1.0 + (-1f64).exp())).abs() < 1e-12);
}

#[test]
fn where_it_stands_and_what_it_is_does_not_matter() {
    let order = [OBSTRUCTED, "cloud", "background", "sky"];
    let mut manifest = manifest(&order);
    let frame = frame(&manifest);
    let region = Region::whole();
    let numbers = [0.9, 0.5, 0.1, 0.7, 0.8, 0.1, 0.1, 0.2, 0.1, 0.1, 0.1, 0.2, 0.1, 0.8, 0.8, 0.6];
    manifest.output.activation = Activation::Probabilities;
    let planes = read(&numbers, &[4, 1, 4], &manifest, &frame, &region, true).unwrap();
    // Probabilities have a mean as they are.
    assert!((planes.lens.unwrap() - 0.55).abs() < 1e-6);
    assert_eq!(planes.cloud_fraction, Some(0.25));
    manifest.input.layout = TensorLayout::Nhwc;
    let turned = interleaved(&numbers, 4);
    let cells = read(&turned, &[1, 4, 4], &manifest, &frame, &region, true).unwrap();
    assert_eq!(cells, planes);
    // What is none of a probability makes none.
    let wild = turned.iter().map(|value| value * 40.0).collect::<Vec<_>>();
    let wild = read(&wild, &[1, 4, 4], &manifest, &frame, &region, true).unwrap();
    assert_eq!(wild.lens, Some(1.0));
}

#[test]
fn a_network_without_it_says_nothing_of_the_lens() {
    let manifest = manifest(&FOUR[..3]);
    let frame = frame(&manifest);
    let numbers = [0., 9., 0.];
    let reading = read(&numbers, &[3, 1, 1], &manifest, &frame, &Region::whole(), false);
    assert_eq!(reading.unwrap().lens, None);
}

#[test]
fn bars_and_what_is_masked_out_say_nothing_of_the_lens() {
    let mut manifest = manifest(&FOUR);
    manifest.input.fit = Fit::Letterbox;
    let picture = draw(128, 64, |_, _| [60, 110, 200]);
    let mask = Mask::new(2, 1, vec![false, true]).unwrap();
    let region = Region { mask: Some(Arc::new(mask)), ..Region::whole() };
    let frame = prepare_decoded(&picture, String::new(), &manifest, &region).unwrap();
    let mut numbers = vec![0.0; 4 * 64];
    for cell in 0..64 {
        numbers[64 + cell] = 5.0;
        let judged = (2..6).contains(&(cell / 8)) && cell % 8 >= 4;
        numbers[3 * 64 + cell] = if judged { -20.0 } else { 1e6 };
    }
    let reading = read(&numbers, &[4, 8, 8], &manifest, &frame, &region, false).unwrap();
    assert!(reading.lens.unwrap() < 1e-8, "{:?}", reading.lens);
}

#[test]
fn no_number_and_no_shape_makes_it_panic() {
    let manifest = manifest(&FOUR);
    let frame = frame(&manifest);
    let region = Region::whole();
    let ends = [f32::MAX, f32::MIN, 0.0, f32::MIN_POSITIVE];
    let numbers: Vec<f32> = (0..64).map(|at| ends[(at * 7 + at / 5) % 4]).collect();
    let reading = read(&numbers, &[4, 4, 4], &manifest, &frame, &region, true).unwrap();
    assert!((0.0..=1.0).contains(&reading.lens.unwrap()));
    assert!((0.0..=1.0).contains(&reading.confidence));
    for number in [f32::NAN, f32::INFINITY] {
        let mut bad = numbers.clone();
        bad[63] = number;
        let error = read(&bad, &[4, 4, 4], &manifest, &frame, &region, true).unwrap_err();
        assert_eq!(error, ReadingError::Model(format!("the network gave {number}")));
    }
    let half = 1 << (usize::BITS - 1);
    for shape in [
        &[half, 2, 4][..],
        &[4, half + 16, 1],
        &[usize::MAX, usize::MAX, 64],
        &[4, 0, 16],
        &[64],
        &[],
    ] {
        let error = read(&numbers, shape, &manifest, &frame, &region, true).unwrap_err();
        assert!(matches!(error, ReadingError::Model(_)), "{shape:?}");
    }
    // A frame whose pixels are missing is black.
    let mut empty = frame;
    empty.pixels.clear();
    let reading = read(&numbers, &[4, 4, 4], &manifest, &empty, &region, true).unwrap();
    assert_eq!(reading.middle_background, None);
}

/// What is compared: numbers, rows, columns, and all that may change how they are read.
fn any_output() -> impl Strategy<Value = (Vec<f32>, (usize, usize), Manifest, Region)> {
    let orders = prop::sample::select(vec![
        &FOUR[..],
        &FOUR[..3],
        &["sky", OBSTRUCTED, "background", "cloud", "background"],
        &["cloud", "sky"],
    ]);
    let size = (1usize..70, 1usize..70);
    let calibration = (0.5..3.0f64, prop::sample::select(vec![0.0, 0.0008, 0.01]), 0.1..0.6f64);
    let mask = prop::option::of(prop::collection::vec(any::<bool>(), 12));
    let flags = (any::<bool>(), any::<bool>());
    (orders, size, calibration, mask, flags, 0.1..30.0f32).prop_flat_map(
        |(order, size, (temperature, scale_base, scale_slope), mask, flags, spread)| {
            let mut manifest = manifest(order);
            manifest.calibration = Some(Calibration {
                temperature,
                scale_base,
                scale_slope,
                half_light: 0.2,
                half_colour: 0.05,
                ..Calibration::default()
            });
            let (letterbox, probabilities) = flags;
            let numbers = if probabilities {
                manifest.output.activation = Activation::Probabilities;
                0.0..1.0f32
            } else {
                -spread..spread
            };
            if letterbox {
                manifest.input.fit = Fit::Letterbox;
            }
            let region = Region {
                mask: mask.and_then(|inside| Mask::new(4, 3, inside)).map(Arc::new),
                ..Region::whole()
            };
            let n = order.len() * size.0 * size.1;
            let numbers = prop::collection::vec(numbers, n);
            (numbers, Just(size), Just(manifest), Just(region))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 200, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn fast_and_plain_readings_are_the_same((numbers, size, manifest, region) in any_output()) {
        let classes = manifest.output.classes.len();
        let frame = frame(&manifest);
        let plain = plainly(&numbers, size, &manifest, &frame, &region);
        let shape = [classes, size.0, size.1];
        // Where the last dimension fits too, the first one counts (NCHW).
        let fast = if_sky(read(&numbers, &shape, &manifest, &frame, &region, true)).unwrap();
        let mut last = manifest.clone();
        last.input.layout = TensorLayout::Nhwc;
        let turned = interleaved(&numbers, classes);
        let shape = [size.0, size.1, classes];
        let other = if_sky(read(&turned, &shape, &last, &frame, &region, true)).unwrap();
        prop_assert_eq!(&other, &fast);
        let (Some(plain), Some(fast)) = (&plain, &fast) else {
            prop_assert_eq!(plain, fast);
            return Ok(());
        };
        prop_assert_eq!(plain.okta, fast.okta);
        prop_assert_eq!(plain.cloud_fraction, fast.cloud_fraction);
        prop_assert_eq!(&plain.classes, &fast.classes);
        prop_assert_eq!(plain.middle_background, fast.middle_background);
        prop_assert!((plain.confidence - fast.confidence).abs() < 1e-6);
        let lens = |reading: &Reading| reading.lens.unwrap_or(-1.0);
        prop_assert!((lens(plain) - lens(fast)).abs() < 1e-9);
    }
}
