use super::*;
use celaje_sky::station::region::Margins;
use celaje_vision::engine::toy::{self, Toy};
use celaje_vision::picture::testing::{draw, jpeg, png};
use serde_json::Value;
use std::fs;
use std::io;
use std::sync::atomic::Ordering;

/// A sky of which the first `eighths` eighths are cloud.
fn sky(eighths: u32) -> celaje_vision::picture::decode::DecodedPicture {
    draw(128, 128, |x, y| shaded(x < 16 * eighths, y, 128))
}

/// Cloud, or sky, a little lighter towards the horizon: one colour alone would be a test card.
fn shaded(cloud: bool, y: u32, height: u32) -> [u8; 3] {
    let light = (40 * y / height) as u8;
    if cloud { [210; 3] } else { [60, 110, 200] }.map(|c: u8| c + light)
}

fn predicted(options: &PredictOptions) -> (PredictSummary, String) {
    let mut out = Vec::new();
    let engine = Toy::default().engine();
    let summary = run(options, &toy::manifest(), &engine, &mut out).unwrap();
    (summary, String::from_utf8(out).unwrap())
}

fn options(inputs: &[&Path]) -> PredictOptions {
    PredictOptions { inputs: inputs.iter().map(|&p| p.to_owned()).collect(), ..Default::default() }
}

#[test]
fn many_pictures_come_out_in_order() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..60u32 {
        // Sizes differ, so that threads finish out of order.
        let side = if i % 7 == 0 { 900 } else { 64 };
        let picture = draw(side, side, |x, y| shaded(8 * x < side * (i % 9), y, side));
        fs::write(folder.path().join(format!("{i:03}.jpg")), jpeg(&picture)).unwrap();
    }
    let options = PredictOptions { json: true, threads: 3, ..options(&[folder.path()]) };
    let (summary, lines) = predicted(&options);
    assert_eq!(summary, PredictSummary { read: 60, failed: 0 });
    assert_eq!(summary.exit_status(), 0);
    let objects: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(objects.len(), 60);
    for (i, object) in objects.iter().enumerate() {
        assert!(object["path"].as_str().unwrap().ends_with(&format!("{i:03}.jpg")));
        assert_eq!(object["octas"], i % 9, "{object}");
        assert_eq!(object["quality"], "ok", "{object}");
    }
}

#[test]
fn bad_pictures_are_lines_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let whole = jpeg(&sky(4));
    for (name, bytes) in [
        ("a.jpg", whole.clone()),
        ("b.jpg", Vec::new()),
        ("c.jpg", b"<html>404".to_vec()),
        ("d.jpg", whole[..whole.len() / 2].to_vec()),
        ("e.jpg", png(&draw(64, 64, |_, _| [0; 3]))),
    ] {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let big = fs::File::create(folder.path().join("f.jpg")).unwrap();
    big.set_len(20_000_001).unwrap();
    let (summary, lines) = predicted(&options(&[folder.path()]));
    assert_eq!(summary, PredictSummary { read: 2, failed: 4 });
    assert_eq!(summary.exit_status(), 1);
    let second: Vec<_> =
        lines.lines().map(|l| l.split('\t').skip(1).take(2).collect::<Vec<_>>()).collect();
    assert_eq!(
        second,
        [
            ["4", "0.500"],
            ["error", "empty"],
            ["error", "not_an_image"],
            ["error", "truncated"],
            ["9", "-"],
            ["error", "too_large"],
        ]
    );
}

#[test]
fn a_sky_that_cannot_be_seen_is_a_nine_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let overlays = folder.path().join("overlays");
    // The toy takes nearly black for background, and blue for sky whatever it is a picture of.
    let ground = draw(64, 64, |x, y| [if (x + y) % 5 == 0 { 30 } else { 0 }, 0, 0]);
    for (name, picture) in [
        ("a.png", draw(64, 64, |_, _| [0; 3])),
        ("b.png", draw(64, 64, |_, _| [60, 110, 200])),
        ("c.png", ground),
    ] {
        fs::write(folder.path().join(name), png(&picture)).unwrap();
    }
    let options = PredictOptions { overlay: Some(overlays.clone()), ..options(&[folder.path()]) };
    let (summary, lines) = predicted(&options);
    assert_eq!((summary.read, summary.exit_status()), (3, 0));
    let told: Vec<_> = lines.lines().map(|line| line.split_once('\t').unwrap().1).collect();
    assert_eq!(
        told,
        ["9\t-\t-\tOBSC\tdark,no_sky", "9\t-\t-\tOBSC\tplaceholder", "9\t-\t-\tOBSC\tdark,no_sky"]
    );
    // Where the network finds nothing there is nothing to mark.
    assert_eq!(fs::read_dir(overlays).unwrap().count(), 1);
}

#[test]
fn a_named_file_is_tried_whatever_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("camera.dat");
    fs::write(&path, png(&sky(8))).unwrap();
    fs::write(folder.path().join("clear.png"), png(&sky(0))).unwrap();
    let (summary, lines) = predicted(&options(&[folder.path()]));
    assert!(summary.read == 1 && !lines.contains("camera.dat"), "{lines}");
    let (_, lines) = predicted(&options(&[&path]));
    assert!(lines.contains("\t8\t1.000\t") && lines.contains("\tOVC\t"), "{lines}");
}

#[test]
fn the_region_is_what_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    fs::write(&path, png(&sky(4))).unwrap();
    let margins = Margins { right: 0.5, ..Margins::default() };
    let options = PredictOptions { region: Region::with_margins(margins), ..options(&[&path]) };
    assert!(predicted(&options).1.contains("\t8\t1.000\t"));
}

#[test]
fn overlays_have_names_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for dir in ["a", "b"] {
        fs::create_dir(root.join(dir)).unwrap();
        fs::write(root.join(dir).join("x.png"), png(&sky(3))).unwrap();
    }
    fs::write(root.join("b/x.jpg"), jpeg(&sky(3))).unwrap();
    let target = root.join("new/overlays");
    let options = PredictOptions {
        json: true,
        overlay: Some(target.clone()),
        ..options(&[&root.join("a"), &root.join("b")])
    };
    let (_, lines) = predicted(&options);
    let mut names: Vec<_> = fs::read_dir(&target)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["x-2.overlay.png", "x-3.overlay.png", "x.overlay.png"]);
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first["overlay"], target.join("x.overlay.png").to_str().unwrap());
    let bytes = fs::read(target.join("x.overlay.png")).unwrap();
    let drawn = celaje_vision::picture::decode::decode(&bytes, &Limits::default()).unwrap();
    assert_eq!((drawn.width, drawn.height), (128, 128));
    assert_ne!(drawn, sky(3));
}

#[test]
fn a_panic_is_one_pictures_error() {
    let folder = tempfile::tempdir().unwrap();
    for (name, colour) in [("1.png", [60, 110, 200]), ("2.png", [1, 2, 250]), ("3.png", [210; 3])] {
        fs::write(folder.path().join(name), png(&draw(64, 64, |_, _| colour))).unwrap();
    }
    let toy = Arc::new(Toy { poison: Some([1, 2, 250]), ..Toy::default() });
    let engine: Arc<dyn Engine> = Arc::clone(&toy) as _;
    let mut out = Vec::new();
    let options = PredictOptions { threads: 1, ..options(&[folder.path()]) };
    let summary = run(&options, &toy::manifest(), &engine, &mut out).unwrap();
    assert_eq!(summary, PredictSummary { read: 2, failed: 1 });
    let lines = String::from_utf8(out).unwrap();
    assert!(lines.lines().nth(1).unwrap().contains("\terror\tpoison\t"), "{lines}");
    assert_eq!(toy.opened.load(Ordering::Relaxed), 2, "the session is replaced");
}

#[test]
fn what_cannot_be_done_is_said_before_any_line() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("a.png");
    fs::write(&picture, png(&sky(1))).unwrap();
    let fails = |options: &PredictOptions, manifest: &Manifest, toy: Toy| {
        let mut out = Vec::new();
        let failure = run(options, manifest, &toy.engine(), &mut out).unwrap_err();
        assert!(out.is_empty());
        (failure.class.exit_status(), failure.text.en)
    };
    let manifest = toy::manifest();
    let bare = folder.path().join("bare");
    fs::create_dir_all(bare.join("deeper")).unwrap();
    fs::write(bare.join("notes.txt"), "").unwrap();
    let overlay = folder.path().join("marked");
    let nothing = PredictOptions { overlay: Some(overlay.clone()), ..options(&[&bare]) };
    let (status, text) = fails(&nothing, &toy::manifest(), Toy::default());
    assert!(status == 2 && text.contains("bare'"), "{text}");
    assert!(!overlay.exists(), "a folder was made for nothing");
    let missing = folder.path().join("b.png");
    let (status, text) = fails(&options(&[&picture, &missing]), &manifest, Toy::default());
    assert!(status == 2 && text.contains("b.png"), "{text}");
    assert_eq!(fails(&options(&[]), &manifest, Toy::default()).0, 2);
    let broken = Toy { broken: true, ..Toy::default() };
    let (status, text) = fails(&options(&[&picture]), &manifest, broken);
    assert!(status == 3 && text.contains("no such operator"), "{text}");
    let mut classifier = toy::manifest();
    classifier.kind = Kind::Classification;
    let overlay =
        PredictOptions { overlay: Some(folder.path().join("new")), ..options(&[&picture]) };
    assert_eq!(fails(&overlay, &classifier, Toy::default()).0, 2);
    let overlay = PredictOptions { overlay: Some(picture.join("new")), ..options(&[&picture]) };
    assert_eq!(fails(&overlay, &manifest, Toy::default()).0, 3);
}

/// Takes so many bytes, then its reader has gone.
struct Pipe(usize, io::ErrorKind);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(self.1)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_pipe_ends_quietly_and_a_full_disk_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = png(&sky(2));
    for i in 0..40 {
        fs::write(folder.path().join(format!("{i}.png")), &bytes).unwrap();
    }
    let options = PredictOptions { threads: 2, ..options(&[folder.path()]) };
    let (manifest, engine) = (toy::manifest(), Toy::default().engine());
    let mut pipe = Pipe(300, io::ErrorKind::BrokenPipe);
    let summary = run(&options, &manifest, &engine, &mut pipe).unwrap();
    assert!(summary.read < 40 && summary.exit_status() == 0);
    let mut disk = Pipe(300, io::ErrorKind::StorageFull);
    let failure = run(&options, &manifest, &engine, &mut disk).unwrap_err();
    assert_eq!(failure.class.exit_status(), 3);
}
