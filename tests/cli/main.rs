//! The program as its users run it: arguments, environment, files, output, exit status.
//!
//! Each test has a home folder of its own and an environment without anything of ours; nothing
//! but loopback is asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod backfill;
mod bench;
mod buckets;
mod db;
mod disks;
mod doctor;
mod environment;
mod evaluate;
#[cfg(unix)]
mod export;
mod init;
#[cfg(unix)]
mod kills;
mod labels;
#[cfg(unix)]
mod merge;
mod models;
mod mutated;
mod other;
mod predict;
#[cfg(unix)]
mod readme;
mod report;
mod secrets;
mod settings;
#[cfg(unix)]
mod signals;
mod simulate;
mod sources;
mod status;
mod storage;
mod takeover;
mod timelapse;
mod twins;
mod usage;

use std::path::{Path, PathBuf};
use std::time::Duration;

use assert_cmd::Command;
use tempfile::TempDir;

use support::record::Record;
use support::server::{Reply, Server};
use support::{asked, onnx, pictures};

/// How a run of the program ended.
#[derive(Debug)]
struct Told {
    status: i32,
    out: String,
    err: String,
}

impl Told {
    /// The last line of the standard output, read as JSON.
    fn json(&self) -> serde_json::Value {
        let line = self.out.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// That the program refused with this status and one sentence that has all these parts.
    fn refused(&self, status: i32, parts: &[&str]) {
        assert_eq!(self.status, status, "{self:?}");
        for part in parts {
            assert!(self.err.contains(part), "no '{part}' in {}", self.err);
        }
        assert!(!self.err.contains("panicked"), "{}", self.err);
        let lines = self.err.trim_end().lines().count();
        let most = if status == 2 { 1 } else { 11 };
        assert!(lines <= most, "{}", self.err);
        assert_eq!(self.out, "");
    }
}

/// A home folder, which is the working folder too.
struct Home(TempDir);

impl Home {
    /// With the tiny network `red.onnx` and its manifest in it.
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        onnx::write_red(home.0.path(), "red", "3");
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, contents).unwrap();
    }

    fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    fn record(&self, name: &str) -> Record {
        Record::open(&self.path(name))
    }

    /// The bare program.
    fn celaje<A: AsRef<str>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        self.call(program(), args)
    }

    /// A copy of the program that was built ten days ago, as far as its file tells.
    fn older_program(&self) -> PathBuf {
        let copy = self.path("celaje-of-old");
        std::fs::copy(program(), &copy).unwrap();
        let built = std::time::SystemTime::now() - Duration::from_secs(10 * 86_400);
        std::fs::File::options().write(true).open(&copy).unwrap().set_modified(built).unwrap();
        copy
    }

    fn call<A: AsRef<str>>(&self, program: &Path, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", self.0.path())
            .env("LANG", "C")
            .current_dir(self.0.path())
            .timeout(Duration::from_secs(120));
        for arg in args {
            command.arg(arg.as_ref());
        }
        command
    }

    /// A backfill of pictures of `base` with the tiny network into `cielo.db`.
    fn backfill(&self, base: &str, from: &str, to: &str) -> Command {
        self.backfill_by(program(), base, from, to)
    }

    fn backfill_by(&self, program: &Path, base: &str, from: &str, to: &str) -> Command {
        let mut command = self.call(program, ["backfill", "--desde", from, "--hasta", to]);
        command.args(["--url-base", base, "--db", "cielo.db"]);
        command.args(["--engine", "rten", "--model", "red.onnx"]);
        command.args(["--threads", "1", "--concurrency", "8"]);
        command
    }
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_celaje"))
}

fn run(command: &mut Command) -> Told {
    let output = command.output().unwrap();
    Told {
        status: output.status.code().expect("ended by itself"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The okta of the slot in this place.
fn okta(index: usize) -> u8 {
    (index % 9) as u8
}

/// The picture of the slot in this place.
fn picture(index: usize) -> Vec<u8> {
    pictures::shaded([okta(index) * 30, 40, 200])
}

/// A server with a picture for every slot of 2024-03-01 in both layouts.
fn camera() -> Server {
    camera_with(|_| None)
}

/// The same but for the places where `fault` says otherwise.
fn camera_with(fault: impl Fn(usize) -> Option<Reply> + Send + Sync + 'static) -> Server {
    Server::start(move |path, _| match asked(path) {
        Some(asked) => fault(asked.index).unwrap_or_else(|| Reply::Body(picture(asked.index))),
        None => Reply::not_found(),
    })
}
