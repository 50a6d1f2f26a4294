//! The seeds of `fuzz/` and what was ever found with them, put through the same code again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use celaje::fuzzed::{TARGETS, Target};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A path below the repository.
fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// What lies in the folder `name`, in the order of the names; nothing where there is no such
/// folder.
fn files_in(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(folder) = fs::read_dir(place(name)) else {
        return Vec::new();
    };
    let paths: BTreeSet<_> = folder.map(|entry| entry.unwrap().path()).collect();
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap();
        (path, bytes)
    };
    paths.into_iter().map(read).collect()
}

/// What is tried with a target: its seeds, what was found, and for pictures the fixtures too.
fn kept(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut kept = files_in(&format!("fuzz/seeds/{target}"));
    assert!(!kept.is_empty(), "{target} has no seeds");
    kept.extend(files_in(&format!("fuzz/regressions/{target}")));
    if target == "picture" {
        kept.extend(files_in("tests/fixtures/pictures"));
    }
    kept
}

#[test]
fn whatever_was_found_stays_mended() {
    for (name, target) in TARGETS {
        for (path, bytes) in kept(name) {
            if let Err(what) = target(&bytes) {
                panic!("{}: {what}", path.display());
            }
        }
    }
}

/// One to eight changes: a byte, a bit, a stretch cut out, doubled or moved, the end cut off.
fn change(bytes: &mut Vec<u8>, random: &mut StdRng) {
    for _ in 0..random.random_range(1..=8) {
        if bytes.is_empty() {
            bytes.push(random.random());
        }
        let at = random.random_range(0..bytes.len());
        let end = bytes.len().min(at + random.random_range(1..64));
        match random.random_range(0..6) {
            0 => bytes[at] = random.random(),
            1 => bytes[at] ^= 1 << random.random_range(0..8),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let stretch = bytes[at..end].to_vec();
                let to = random.random_range(0..bytes.len());
                bytes.splice(to..to, stretch);
            }
            4 => bytes[at..end].reverse(),
            _ => bytes.truncate(bytes.len() - random.random_range(0..=bytes.len() / 4)),
        }
    }
}

/// Tries `target` with `rounds` changed copies of what is kept of it.
fn try_changed(name: &str, target: Target, rounds: usize) {
    let kept = kept(name);
    let mut random = StdRng::seed_from_u64(20);
    for round in 0..rounds {
        let (path, seed) = &kept[round % kept.len()];
        let mut bytes = seed.clone();
        change(&mut bytes, &mut random);
        if let Err(what) = target(&bytes) {
            panic!("round {round}, {}: {what}", path.display());
        }
    }
}

#[test]
fn changed_bytes_break_nothing_either() {
    for (name, target) in TARGETS {
        try_changed(name, *target, 300);
    }
}

#[test]
fn every_target_has_its_program() {
    let manifest = fs::read_to_string(place("fuzz/Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        let program = fs::read_to_string(place(&format!("fuzz/targets/{name}.rs"))).unwrap();
        assert!(program.contains(&format!("fuzzed::{name}(")), "{name}");
    }
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
    for folder in ["fuzz/seeds", "fuzz/regressions"] {
        for entry in fs::read_dir(place(folder)).into_iter().flatten() {
            let found = entry.unwrap().file_name();
            let known = TARGETS.iter().any(|(name, _)| found == *name);
            assert!(known, "nothing tries {folder}/{}", found.display());
        }
    }
}
