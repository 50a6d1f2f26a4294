//! How the house is built: which room may use which, no files in a ring, one name for one type,
//! lines that fit.
//!
//! The crates below `src` are kept apart by the compiler. What stays in `src` is one crate, so its
//! floors are checked here, from the `crate::` paths in its files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The rooms of `src`, from the ground up. A room uses those of lower floors and none of its own or
/// of a higher one.
const FLOORS: [&[&str]; 8] = [
    &["clock", "draining", "usage", "version"],
    &["camera", "queue", "store"],
    &["settings"],
    &["actors", "export"],
    &["figures", "service"],
    &["daemon"],
    &["web"],
    &["commands"],
];

/// Rooms that exist for tests alone and may look into every other one.
const FOR_TESTS: [&str; 1] = ["fuzzed"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// A file's code without its unit tests and comments.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let product = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = product.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn is_test(path: &Path) -> bool {
    let name = path.to_string_lossy();
    name.ends_with("tests.rs") || name.contains("/tests/")
}

/// The first segment of every path of `text` that begins with `crate::`.
fn rooms_used(text: &str) -> BTreeSet<&str> {
    let paths = text.match_indices("crate::").filter(|(at, _)| {
        // Not `$crate::` of a macro, nor the end of another word.
        !text[..*at].ends_with(|c: char| c == '$' || c == '_' || c.is_alphanumeric())
    });
    let names = paths.map(|(at, path)| {
        let rest = &text[at + path.len()..];
        let end = rest.find(|c: char| c != '_' && !c.is_alphanumeric());
        &rest[..end.unwrap_or(rest.len())]
    });
    names.collect()
}

/// The room that a file of `src` lies in; none for `main.rs` and `lib.rs`.
fn room_of(file: &Path) -> Option<String> {
    let below = file.strip_prefix(root().join("src")).unwrap();
    let first = below.iter().next()?.to_str()?.trim_end_matches(".rs");
    (!["lib", "main"].contains(&first)).then(|| first.to_owned())
}

fn floor_of(room: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&room))
}

#[test]
fn every_arrow_of_src_points_down() {
    let mut wrong = Vec::new();
    for file in rust_files(&root().join("src")) {
        let Some(room) = room_of(&file) else { continue };
        if FOR_TESTS.contains(&room.as_str()) || is_test(&file) {
            continue;
        }
        let Some(floor) = floor_of(&room) else {
            wrong.push(format!("{room} has no floor: name it in FLOORS"));
            continue;
        };
        let text = code(&file);
        for used in rooms_used(&text).into_iter().filter(|used| *used != room) {
            if floor_of(used).is_none_or(|below| below >= floor) {
                wrong.push(format!("{} uses {used}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Files that use each other by design. The actors send their messages round in a ring, and a
/// message is declared in its receiver's file. The files of the store share their errors and locks.
const RINGS: [&str; 2] = ["actors", "store"];

/// The paths of `text` that begin with `crate::`, with the trees of `use` written out.
fn paths_used(text: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        if !text[..at].ends_with(|c: char| c == '$' || c == '_' || c.is_alphanumeric()) {
            let mut rest = text[at + "crate::".len()..].chars().peekable();
            branches(&mut rest, &[], &mut paths);
        }
    }
    paths
}

/// Reads one branch of a tree of `use`, up to its end, a comma or a brace, into `paths`.
fn branches(
    text: &mut std::iter::Peekable<std::str::Chars<'_>>,
    trunk: &[String],
    paths: &mut Vec<Vec<String>>,
) {
    let mut path = trunk.to_vec();
    loop {
        while text.next_if(|c| c.is_whitespace()).is_some() {}
        let mut name = String::new();
        while let Some(c) = text.next_if(|c| *c == '_' || c.is_alphanumeric()) {
            name.push(c);
        }
        if name.is_empty() && text.next_if_eq(&'{').is_some() {
            loop {
                branches(text, &path, paths);
                // What stands between a branch and the next one: ` as name`, a comma, white space.
                while text.next_if(|c| !",}".contains(*c)).is_some() {}
                if text.next() != Some(',') {
                    return;
                }
            }
        }
        path.extend((!name.is_empty() && name != "self").then_some(name));
        if text.next_if_eq(&':').is_none() || text.next_if_eq(&':').is_none() {
            paths.push(path);
            return;
        }
    }
}

/// The module that `file` holds, below `folder`.
fn module_of(file: &Path, folder: &Path) -> Vec<String> {
    let below = file.strip_prefix(folder).unwrap().with_extension("");
    let mut names: Vec<String> =
        below.iter().map(|name| name.to_str().unwrap().to_owned()).collect();
    names.pop_if(|last| ["mod", "lib", "main"].contains(&last.as_str()));
    names
}

/// Which files of a crate use which: by `crate::` paths, and by `super::` ones that lead to a
/// sibling. A file may use those that it lies below, as a part of them.
fn uses_of(folder: &Path) -> BTreeMap<Vec<String>, BTreeSet<Vec<String>>> {
    let files = rust_files(folder).into_iter().filter(|file| !is_test(file));
    let texts: BTreeMap<Vec<String>, String> =
        files.map(|file| (module_of(&file, folder), code(&file))).collect();
    let uses = texts.iter().map(|(module, text)| {
        let mut text = text.clone();
        for up in (1..=module.len()).rev() {
            let above = ["crate", &module[..module.len() - up].join("::")].join("::");
            text = text.replace(&"super::".repeat(up), &format!("{above}::").replace("::::", "::"));
        }
        let used = paths_used(&text).into_iter().filter_map(|path| {
            let known = (1..=path.len()).rev().map(|n| path[..n].to_vec());
            known.into_iter().find(|path| texts.contains_key(path))
        });
        let used = used.filter(|used| !module.starts_with(used)).collect();
        (module.clone(), used)
    });
    uses.collect()
}

#[test]
fn no_file_uses_one_that_uses_it() {
    let mut rings = Vec::new();
    let crates = std::fs::read_dir(root().join("crates")).unwrap();
    let folders = crates.map(|entry| entry.unwrap().path().join("src"));
    for folder in folders.chain([root().join("src")]) {
        let mut uses = uses_of(&folder);
        uses.retain(|module, _| !module.first().is_some_and(|room| RINGS.contains(&room.as_str())));
        // What uses nothing that is left is in no ring.
        loop {
            let left: BTreeSet<_> = uses.keys().cloned().collect();
            uses.retain(|_, used| {
                used.retain(|used| left.contains(used));
                !used.is_empty()
            });
            if uses.len() == left.len() {
                break;
            }
        }
        rings.extend(uses);
    }
    assert!(rings.is_empty(), "these files use each other, or files that do: {rings:#?}");
}

#[test]
fn a_tree_of_use_is_written_out() {
    let text = "use crate::a::{self, b::C, d::{e as f, G}};\nlet x = crate::h::i(); $crate::no";
    let told: Vec<String> = paths_used(text).iter().map(|path| path.join("::")).collect();
    assert_eq!(told, ["a", "a::b::C", "a::d::e", "a::d::G", "h::i"]);
}

#[test]
fn a_type_name_stands_for_one_type_of_its_crate() {
    let mut twice = Vec::new();
    let crates = std::fs::read_dir(root().join("crates")).unwrap();
    let folders = crates.map(|entry| entry.unwrap().path().join("src"));
    for folder in folders.chain([root().join("src")]) {
        let mut homes: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for file in rust_files(&folder).into_iter().filter(|file| !is_test(file)) {
            for line in code(&file).lines() {
                // Types of a function's own are its own business.
                let line = if line.starts_with(' ') {
                    continue;
                } else {
                    line
                };
                let words: Vec<&str> = line.split([' ', '(', '<', ';', '{', ':']).collect();
                let kind = words.iter().position(|w| ["struct", "enum", "trait"].contains(w));
                if let Some(name) = kind.and_then(|at| words.get(at + 1))
                    && words[0].starts_with(|c: char| "psetu".contains(c))
                    && name.starts_with(|c: char| c.is_uppercase())
                {
                    homes.entry((*name).to_owned()).or_default().push(file.clone());
                }
            }
        }
        twice.extend(homes.into_iter().filter(|(_, files)| files.len() > 1));
    }
    assert!(twice.is_empty(), "{twice:#?}");
}

#[test]
fn whoever_needs_the_time_asks_the_clock() {
    let mut wrong = Vec::new();
    for file in rust_files(&root().join("src")).into_iter().filter(|file| !is_test(file)) {
        // A benchmark's stopwatch is the standard library's.
        let is_apart = file.ends_with("src/clock.rs") || file.starts_with(bench());
        let text = code(&file);
        for now in ["Utc::now", "Local::now", "Instant::now", "SystemTime::now"] {
            if !is_apart && text.contains(now) {
                wrong.push(format!("{}: {now}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn bench() -> PathBuf {
    root().join("src/commands/bench")
}

#[test]
fn lines_fit() {
    let mut wide = Vec::new();
    for folder in ["src", "crates", "tests", "benches", "fuzz/targets"] {
        for file in rust_files(&root().join(folder)) {
            let text = std::fs::read_to_string(&file).unwrap();
            for (number, line) in text.lines().enumerate() {
                if line.chars().count() > 100 {
                    wide.push(format!("{}:{}", file.display(), number + 1));
                }
            }
        }
    }
    assert!(wide.is_empty(), "{} lines: {:#?}", wide.len(), wide);
}
