//! `celaje timelapse`: films of the pictures that were kept.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::{Home, Told, camera, pictures, run};

/// Two dark hours of twelve readings, of which nine pictures were kept.
fn home() -> Home {
    let home = Home::new();
    let server = camera();
    let mut command = home.backfill(&server.base(), "2024-06-20T22:00", "2024-06-20T23:59");
    assert_eq!(run(&mut command).status, 0);
    home.write("celaje.toml", "keep_dir = 'kept'\n");
    for n in 0..9 {
        let (hour, minute) = (22 + n / 6, 10 * (n % 6) + 2);
        let name = format!("kept/rio-grande/2024-06-20/{hour}{minute:02}.jpg");
        home.write(&name, pictures::jpeg(f64::from(n) / 9.0));
    }
    home
}

fn timelapse(home: &Home, args: &[&str]) -> Told {
    let mut command = home.celaje(["timelapse", "--db", "cielo.db"]);
    run(command.args(args))
}

const NIGHT: [&str; 4] = ["--from", "2024-06-20T12:00", "--to", "2024-06-21T11:59"];

/// The JPEGs of a film.
fn frames(film: &[u8]) -> Vec<image::RgbImage> {
    let word = |at: usize| u32::from_le_bytes(film[at..at + 4].try_into().unwrap()) as usize;
    let (mut at, mut found) = (224, Vec::new());
    while &film[at..at + 4] == b"00dc" {
        let length = word(at + 4);
        let jpeg = &film[at + 8..at + 8 + length];
        found.push(image::load_from_memory(jpeg).unwrap().to_rgb8());
        at += 8 + length + length % 2;
    }
    found
}

/// The mean brightness of some rows.
fn brightness(frame: &image::RgbImage, rows: std::ops::Range<u32>) -> f64 {
    let places = rows.flat_map(|y| (0..frame.width()).map(move |x| (x, y)));
    let values: Vec<f64> =
        places.map(|(x, y)| frame[(x, y)].0.map(f64::from).iter().sum::<f64>() / 3.0).collect();
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn a_film_has_the_pictures_that_were_kept_with_a_caption() {
    let home = home();
    let told = timelapse(&home, &[&NIGHT[..], &["--out", "night.avi", "--fps", "5"]].concat());
    assert_eq!(told.status, 0, "{told:?}");
    assert!(told.err.contains("9 pictures"), "{told:?}");
    let film = std::fs::read(home.path("night.avi")).unwrap();
    let frames = frames(&film);
    assert_eq!(frames.len(), 9);
    for (n, frame) in frames.iter().enumerate() {
        let plain = image::load_from_memory(&pictures::jpeg(n as f64 / 9.0)).unwrap().to_rgb8();
        assert_eq!(frame.dimensions(), plain.dimensions());
        let top = [frame, &plain].map(|frame| brightness(frame, 0..40));
        assert!((top[0] - top[1]).abs() < 4.0, "{n}: {top:?}");
        let bottom = [frame, &plain].map(|frame| brightness(frame, 52..72));
        assert!((bottom[0] - bottom[1]).abs() > 15.0, "{n}: {bottom:?}");
    }
    ffmpeg_makes_of(&home);
}

/// Where ffmpeg is installed it makes the other forms, which have as many pictures.
fn ffmpeg_makes_of(home: &Home) {
    let path = std::env::var("PATH").unwrap_or_default();
    if Command::new("ffprobe").arg("-version").stdout(Stdio::null()).status().is_err() {
        // Not `eprintln!`: the harness keeps that back.
        let _ = writeln!(std::io::stderr(), "skipped: ffmpeg is not here");
        return;
    }
    for form in ["mp4", "webm", "avi"] {
        let name = format!("-night.{form}");
        let out = format!("--out={name}");
        let mut command = home.celaje(["timelapse", "--db", "cielo.db", &out]);
        let told = run(command.args(NIGHT).env("PATH", &path));
        assert_eq!(told.status, 0, "{told:?}");
        let probed = Command::new("ffprobe")
            .args(["-v", "error", "-count_frames", "-of", "csv=p=0"])
            .args(["-show_entries", "stream=width,nb_read_frames"])
            .arg(home.path(&name))
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(probed.stdout).unwrap().trim(), "96,9", "{form}");
    }
}

#[test]
fn trails_are_the_brightest_of_the_dark_pictures() {
    let home = home();
    let told = timelapse(&home, &[&NIGHT[..], &["--out", "trails.jpg"]].concat());
    assert_eq!(told.status, 0, "{told:?}");
    let trails = image::open(home.path("trails.jpg")).unwrap().to_rgb8();
    let last = image::load_from_memory(&pictures::jpeg(8.0 / 9.0)).unwrap().to_rgb8();
    let top = [&trails, &last].map(|picture| brightness(picture, 0..40));
    assert!((top[0] - top[1]).abs() < 4.0, "{top:?}");
}

#[test]
fn what_cannot_be_made_is_said_in_a_sentence() {
    let home = home();
    let with = |out: &str, from: &str, to: &str| {
        timelapse(&home, &["--out", out, "--from", from, "--to", to])
    };
    let (from, to) = ("2024-06-20", "2024-06-20");
    with("x.gif", from, to).refused(2, &["'x.gif'", ".avi"]);
    with("x.avi", "2024-06-21", "2024-06-21").refused(2, &["no picture", "keep"]);
    // Where no program is, ffmpeg is not.
    let mut command = home.celaje(["timelapse", "--db", "cielo.db", "--out", "x.mp4"]);
    let told = run(command.args(["--from", from, "--to", to]).env("PATH", home.path("kept")));
    assert_eq!(told.status, 3, "{told:?}");
    assert!(told.err.contains("ffmpeg is not installed") && told.err.contains(".avi"), "{told:?}");
    std::fs::remove_dir_all(home.path("kept")).unwrap();
    with("x.avi", from, to).refused(2, &["no picture", "keep"]);
    let left = std::fs::read_dir(home.path(".")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("tmp")), "{left:?}");
}
