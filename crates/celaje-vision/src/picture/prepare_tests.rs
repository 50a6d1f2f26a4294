use super::*;
use crate::model::manifest::Fit;
use crate::picture::testing::{draw, fixture, jpeg, mean_difference, png, shared_data, sky};
use celaje_sky::station::region::Margins;
use std::process::Command;

fn manifest(kind: &str, width: u32, height: u32) -> Manifest {
    let classes = match kind {
        "segmentation" => r#"["background", "sky", "cloud"]"#,
        _ => r#"["0", "1", "2", "3", "4", "5", "6", "7", "8"]"#,
    };
    toml::from_str(&format!(
        "name = 'test'\nkind = '{kind}'\n[input]\nwidth = {width}\nheight = {height}\n\
         [output]\nclasses = {classes}\n"
    ))
    .unwrap()
}

fn frame(picture: &DecodedPicture, manifest: &Manifest, region: &Region) -> Frame {
    prepare(&png(picture), manifest, region, &Limits::default()).unwrap()
}

fn bottom(fraction: f64) -> Region {
    Region::with_margins(Margins { bottom: fraction, ..Margins::default() })
}

/// The pixels of a fixture.
fn expected(name: &str) -> Vec<u8> {
    crate::picture::decode::decode(&fixture(name), &Limits::default()).unwrap().rgb
}

#[test]
fn resizing_is_pillows() {
    let picture = sky(480, 450);
    for (side, kind) in [(192, "segmentation"), (224, "classification")] {
        let frame = frame(&picture, &manifest(kind, side, side), &Region::whole());
        let off = mean_difference(&frame.pixels, &expected(&format!("sky-{side}.png")));
        assert!(off < 0.3, "{side}: {off}");
    }
}

#[test]
fn margins_are_cut_before_the_resize() {
    let picture = sky(480, 450);
    let frame = frame(&picture, &manifest("segmentation", 192, 192), &bottom(0.2));
    let off = mean_difference(&frame.pixels, &expected("sky-192-cut.png"));
    assert!(off < 0.3, "{off}");
    let crop = frame.geometry.crop;
    assert_eq!((crop.left, crop.top, crop.width, crop.height), (0.0, 0.0, 1.0, 0.8));
}

#[test]
fn nothing_from_beyond_the_margin_gets_in() {
    // White under the margin must not bleed into the last row.
    let picture = draw(300, 200, |_, y| if y < 160 { [10, 20, 30] } else { [255; 3] });
    for filter in [Filter::Bilinear, Filter::Bicubic, Filter::Lanczos, Filter::Nearest] {
        let mut manifest = manifest("segmentation", 64, 64);
        manifest.input.filter = filter;
        let frame = frame(&picture, &manifest, &bottom(0.2));
        assert!(frame.pixels.chunks_exact(3).all(|p| p == [10, 20, 30]), "{filter:?}");
    }
}

#[test]
fn a_classification_sees_the_whole_picture_unless_told_otherwise() {
    let picture = sky(320, 240);
    let mut manifest = manifest("classification", 64, 64);
    assert_eq!(frame(&picture, &manifest, &bottom(0.5)).geometry.crop.height, 1.0);
    manifest.use_region = Some(true);
    assert_eq!(frame(&picture, &manifest, &bottom(0.5)).geometry.crop.height, 0.5);
    let mut manifest = self::manifest("segmentation", 64, 64);
    assert_eq!(frame(&picture, &manifest, &bottom(0.5)).geometry.crop.height, 0.5);
    manifest.use_region = Some(false);
    assert_eq!(frame(&picture, &manifest, &bottom(0.5)).geometry.crop.height, 1.0);
}

#[test]
fn a_letterbox_has_black_bars_that_are_not_measured() {
    let picture = draw(400, 100, |_, _| [120, 140, 200]);
    let mut manifest = manifest("segmentation", 64, 64);
    manifest.input.fit = Fit::Letterbox;
    let frame = frame(&picture, &manifest, &Region::whole());
    assert_eq!(frame.pixel(30, 23), [0; 3]);
    assert_eq!(frame.pixel(30, 24), [120, 140, 200]);
    assert_eq!(frame.pixel(30, 39), [120, 140, 200]);
    assert_eq!(frame.pixel(30, 40), [0; 3]);
    assert_eq!(frame.stats.dark, 0.0);
    assert!(frame.stats.spread < 1e-6);
    assert_eq!(frame.pixel(64, 64), [0; 3]);
}

#[test]
fn a_frame_remembers_the_original() {
    let bytes = png(&sky(320, 240));
    let manifest = manifest("segmentation", 64, 48);
    let frame = prepare(&bytes, &manifest, &Region::whole(), &Limits::default()).unwrap();
    assert_eq!((frame.width, frame.height), (320, 240));
    assert_eq!(frame.pixels.len(), 64 * 48 * 3);
    // SHA-256 of nothing, from FIPS 180-2's examples of it.
    assert_eq!(sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(frame.sha256, sha256(&bytes));
}

#[test]
fn tensors_are_normalised_in_both_layouts() {
    let picture = draw(16, 16, |x, y| [(x * 16) as u8, (y * 16) as u8, 51]);
    let mut manifest = manifest("classification", 16, 16);
    manifest.input.mean = [0.5, 0.25, 0.1];
    manifest.input.std = [0.5, 0.5, 0.2];
    let frame = frame(&picture, &manifest, &Region::whole());
    let mut planes = vec![f32::NAN; 3 * 256];
    frame.write_tensor(&manifest.input, &mut planes);
    let (x, y) = (3, 7);
    let at = y * 16 + x;
    let truth = [(48.0 / 255.0 - 0.5) / 0.5, (112.0 / 255.0 - 0.25) / 0.5, (0.2f32 - 0.1) / 0.2];
    for c in 0..3 {
        assert!((planes[c * 256 + at] - truth[c]).abs() < 1e-6);
    }
    manifest.input.layout = TensorLayout::Nhwc;
    let mut interleaved = vec![f32::NAN; 3 * 256];
    frame.write_tensor(&manifest.input, &mut interleaved);
    for c in 0..3 {
        assert!((interleaved[3 * at + c] - truth[c]).abs() < 1e-6);
    }
    assert!(planes.iter().chain(&interleaved).all(|v| v.is_finite()));
    // A buffer of the wrong length is no reason to fail.
    frame.write_tensor(&manifest.input, &mut [0.0; 5]);
    frame.write_tensor(&manifest.input, &mut []);
}

/// Real JPEGs, decoded and resized by Pillow and by us: the issue allows 1 of 255 in the mean.
#[test]
fn real_pictures_agree_with_pillow() {
    const SCRIPT: &str = "import sys\nfrom PIL import Image\n\
        side = int(sys.argv[1])\n\
        for path in sys.argv[2:]:\n    \
            image = Image.open(path).convert('RGB').resize((side, side), Image.BILINEAR)\n    \
            sys.stdout.buffer.write(image.tobytes())\n";
    let Some(data) = shared_data() else { return };
    let python = std::env::var("CELAJE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut files = Vec::new();
    for group in ["allsky-day", "allsky-clear", "perspective-day", "allsky-night"] {
        let mut names: Vec<_> = std::fs::read_dir(data.join(group).join("images"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        names.sort();
        files.extend(names.into_iter().step_by(7).take(6));
    }
    for (side, kind) in [(192usize, "segmentation"), (224, "classification")] {
        let output =
            Command::new(&python).args(["-c", SCRIPT, &side.to_string()]).args(&files).output();
        let pillow = match output {
            Ok(output) if output.status.success() => output.stdout,
            _ => return eprintln!("skipped: {python} has no Pillow (CELAJE_PYTHON names another)"),
        };
        let manifest = manifest(kind, side as u32, side as u32);
        assert_eq!(pillow.len(), files.len() * side * side * 3);
        for (file, pillow) in files.iter().zip(pillow.chunks(side * side * 3)) {
            let bytes = std::fs::read(file).unwrap();
            let frame = prepare(&bytes, &manifest, &Region::whole(), &Limits::default()).unwrap();
            let off = mean_difference(&frame.pixels, pillow);
            assert!(off < 0.5, "{}: {off}", file.display());
        }
    }
}

/// training/tests/test_picture.py has the same numbers: Python resizes as this program does.
#[test]
fn resizing_is_that_of_the_training() {
    let picture = draw(45, 37, |x, y| {
        std::array::from_fn(|c| ((x * 7 + y * 13 + c as u32 * 50 + x * y / 5) % 256) as u8)
    });
    let mut manifest = manifest("segmentation", 19, 16);
    manifest.input.fit = Fit::Stretch;
    let frame = frame(&picture, &manifest, &Region::whole());
    let sum: u64 = frame.pixels.iter().map(|v| u64::from(*v)).sum();
    let places = frame.pixels.iter().zip(1u64..);
    let weighted: u64 = places.map(|(v, place)| u64::from(*v) * place).sum();
    assert_eq!((sum, weighted), (116_372, 53_139_521));
    assert_eq!(frame.pixel(9, 7), [190, 188, 41]);
}

#[test]
fn the_picture_before_leaves_no_trace() {
    let manifest = manifest("segmentation", 192, 192);
    let pictures = [sky(1280, 960), sky(480, 450), sky(640, 480), sky(1280, 960)];
    for (n, picture) in pictures.iter().enumerate() {
        let bytes = jpeg(picture);
        let at_once = prepare(&bytes, &manifest, &bottom(0.2), &Limits::default()).unwrap();
        let plain = crate::picture::decode::decode(&bytes, &Limits::default()).unwrap();
        let plain = prepare_decoded(&plain, sha256(&bytes), &manifest, &bottom(0.2)).unwrap();
        assert_eq!(at_once.geometry, plain.geometry);
        let off = mean_difference(&at_once.pixels, &plain.pixels);
        // One that is shrunk while it is decoded is not the same to the bit.
        let allowed = if picture.width > 1000 { 1.0 } else { 0.0 };
        assert!(off <= allowed, "{n}: {off}");
    }
}

#[test]
fn as_much_is_left_as_the_filter_needs() {
    let input = |side| Input { fit: Fit::Letterbox, ..manifest("segmentation", side, side).input };
    let none = Margins::default();
    for (size, side, wanted) in [
        ((480, 450), 192, 1),
        ((767, 575), 192, 1),
        ((768, 576), 192, 2),
        ((1280, 960), 192, 2),
        ((1536, 1152), 192, 4),
        ((2592, 1944), 224, 4),
        ((4000, 3000), 192, 8),
        ((20, 4000), 192, 8),
    ] {
        assert_eq!(divisor(size.0, size.1, none, &input(side)), wanted, "{size:?}");
    }
    let cut = Margins { left: 0.5, ..none };
    assert_eq!(divisor(1280, 960, cut, &input(192)), 2);
    assert_eq!(divisor(1280, 640, cut, &input(192)), 1);
}
