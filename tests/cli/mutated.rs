//! Damaged pictures and huge ones: each is read or refused, none is the end of the program.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::pictures;
use crate::{Home, program};

/// Files.
const MANY: usize = 1000;
/// Peak of the resident memory, kilobytes.
const MOST_KB: u64 = 300_000;

/// One to twelve changes of `bytes`, most of them behind the header.
fn damage(bytes: &mut Vec<u8>, random: &mut StdRng) {
    for _ in 0..random.random_range(1..=12) {
        let length = bytes.len().max(1);
        let at = random.random_range(0..length);
        let end = bytes.len().min(at + random.random_range(1..200));
        match random.random_range(0..7) {
            0 | 1 => bytes.iter_mut().skip(at).take(1).for_each(|b| *b = random.random()),
            2 => {
                bytes.iter_mut().skip(at).take(1).for_each(|b| *b ^= 1 << random.random_range(0..8))
            }
            3 => drop(bytes.drain(at.min(end)..end)),
            4 => {
                let stretch = bytes[at.min(end)..end].to_vec();
                bytes.extend(stretch);
            }
            5 => bytes.truncate(length - random.random_range(0..=length / 8)),
            // A number of the header: sizes, lengths, counts.
            _ => {
                let at = random.random_range(0..length.min(700));
                bytes.iter_mut().skip(at).take(2).for_each(|b| *b = 0xff);
            }
        }
    }
}

#[test]
fn damaged_pictures_cost_no_panic_and_little_memory() {
    let home = Home::new();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pictures");
    let mut seeds: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let end = path.extension().unwrap().to_str().unwrap().to_owned();
            (end, std::fs::read(&path).unwrap())
        })
        .collect();
    seeds.sort();
    seeds.push(("jpg".to_owned(), pictures::jpeg(0.4)));
    seeds.push(("png".to_owned(), pictures::bomb()));
    let mut random = StdRng::seed_from_u64(1000);
    for n in 0..MANY {
        let (end, seed) = &seeds[n % seeds.len()];
        let mut bytes = seed.clone();
        damage(&mut bytes, &mut random);
        home.write(&format!("p/{n:04}.{end}"), bytes);
    }
    let (output, peak) = predicted(&home, &["--threads", "2", "p"]);
    let (out, err) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    // Some cannot be read.
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(!err.contains("panicked"), "{err}");
    let lines: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), MANY);
    let refused = lines.iter().filter(|line| line["error"].is_string()).count();
    assert!((200..1000).contains(&refused), "{refused}");
    if cfg!(target_os = "linux") {
        let peak = peak.unwrap();
        assert!(peak < MOST_KB, "{peak} kB");
    }
}

/// `predict --json` with these arguments: what it gave, and the most memory that it had resident,
/// kilobytes.
fn predicted(home: &Home, args: &[&str]) -> (Output, Option<u64>) {
    let child = Command::new(program())
        .env_clear()
        .env("HOME", home.path("."))
        .env("LANG", "C")
        .current_dir(home.path("."))
        .args(["predict", "--json", "--engine", "rten"])
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = child.id();
    let ended = std::thread::spawn(move || child.wait_with_output().unwrap());
    let mut peak = None;
    while !ended.is_finished() {
        peak = peak_kb(id).or(peak);
        std::thread::sleep(Duration::from_millis(10));
    }
    (ended.join().unwrap(), peak)
}

/// As docs/settings.md has it: 11 bytes a pixel at most, one large picture at a time.
#[test]
fn pictures_of_200_megapixels_are_read_where_the_user_allows_it() {
    let home = Home::new();
    let (width, height) = (16_384, 12_207);
    home.write("p/baseline.jpg", pictures::huge_jpeg(width, height, false));
    home.write("p/progressive.jpg", pictures::huge_jpeg(width, height, true));
    home.write("p/grey.png", pictures::huge_png(width.into(), height.into()));
    home.write("p/larger.jpg", pictures::huge_jpeg(width, height + 1, false));
    let lines = |output: Output| -> Vec<serde_json::Value> {
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let args = ["--threads", "4", "p"];
    let (output, peak) = predicted(&home, &[&["--max-megapixels", "200"][..], &args].concat());
    let read = lines(output);
    assert_eq!(read.len(), 4);
    for line in &read {
        let is_larger = line["path"].as_str().unwrap().contains("larger");
        assert_eq!(line["error"].is_string(), is_larger, "{line}");
        assert_eq!(line["octas"].is_u64(), !is_larger, "{line}");
    }
    if cfg!(target_os = "linux") {
        let (peak, most) = (peak.unwrap(), MOST_KB + 200_000 * 11);
        assert!(peak < most, "{peak} kB");
    }
    let refused = lines(predicted(&home, &args).0);
    assert_eq!(refused.len(), 4);
    for line in refused {
        assert_eq!(line["error"], "too_many_pixels", "{line}");
        assert!(line["detail"].as_str().unwrap().contains("--max-megapixels"), "{line}");
    }
}

/// The most memory that the process `id` has had resident so far, kilobytes; none where the system
/// does not say.
fn peak_kb(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
