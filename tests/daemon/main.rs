//! The always-on program as its users run it, a process of its own, with a clock that begins in
//! 2024 and goes faster. Nothing but loopback is asked.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod busy;
mod clocks;
mod dies;
mod down;
mod home_assistant;
mod killed;
#[cfg(target_os = "linux")]
mod lost;
mod manager;
mod monitoring;
#[cfg(target_os = "linux")]
mod namespaces;
mod reload;
mod sources;
mod stations;
mod trees;
mod troubled;
mod unreached;
mod unwitnessed;
mod watch;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use support::record::Record;
use support::server::{Reply, Server};
use support::{Asked, asked, onnx, pictures};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Noon and half a minute at the station: 12:02 is due half a minute later. A minute takes a
/// second.
const NOON: &str = "2024-03-01T15:02:30Z@60";

/// A home folder, which is the working folder too.
struct Home(TempDir);

impl Home {
    /// With the tiny network `red.onnx` and its manifest in it.
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        home.model("red", "3");
        home
    }

    /// Writes the tiny network as `<name>.onnx`, version `version`.
    fn model(&self, name: &str, version: &str) {
        onnx::write_red(self.0.path(), name, version);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn record(&self) -> Record {
        let mut record = Record::open(&self.path("cielo.db"));
        // The program opens, folds and closes the file as it likes.
        record.execute("PRAGMA busy_timeout = 10000");
        record
    }

    /// The bare program.
    fn celaje(&self) -> Command {
        let mut command = Command::new(Path::new(env!("CARGO_BIN_EXE_celaje")));
        command.env_clear().env("HOME", self.0.path()).env("LANG", "C").current_dir(self.0.path());
        command
    }

    /// The always-on program, not yet started; what it is told beside is `args`.
    fn serve(&self, args: &[&str]) -> Command {
        let mut command = self.celaje();
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--db", "cielo.db"])
            .args(["--engine", "rten", "--threads", "1"])
            .args(args);
        command
    }
}

/// A running program; killed when dropped.
struct Running {
    child: Child,
    address: String,
    told: std::sync::mpsc::Receiver<String>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let Some(address) = line.split("http://").nth(1) else {
            let mut all = String::new();
            err.read_to_string(&mut all).unwrap();
            panic!("it does not serve: '{line}' {all}");
        };
        let address = address.split('/').next().unwrap().to_owned();
        let (sender, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in err.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, address, told }
    }

    /// Status and body of an answer.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}",
            self.address
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
            return (status, unchunked(body));
        }
        (status, body.to_owned())
    }

    fn state(&self) -> Value {
        let (status, body) = self.ask("GET", "/api/v1/state", "", "");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e}: {body}"))
    }

    fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &line]).status().unwrap();
        assert!(sent.success());
    }

    /// Ends it by a signal; gives its exit status and what it told on stderr.
    fn end(mut self, signal: &str) -> (i32, Vec<String>) {
        self.signal(signal);
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        let told = self.told.iter().collect();
        (status.code().expect("ended by itself"), told)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 {
            break;
        }
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}

/// Waits until `what` holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// A camera with a picture for every slot, but where `fault` says otherwise for the `nth` request
/// for a path.
fn camera(fault: impl Fn(Asked, usize) -> Option<Reply> + Send + Sync + 'static) -> Server {
    Server::start(move |path, nth| match asked(path) {
        Some(asked) => fault(asked, nth).unwrap_or_else(|| Reply::Body(picture(asked))),
        None => Reply::not_found(),
    })
}

/// The picture of a slot; its okta goes round, and its bytes are its own.
fn picture(asked: Asked) -> Vec<u8> {
    let okta = (asked.index % 9) as u8;
    pictures::shaded([okta * 30, 40, (asked.index % 200) as u8])
}

/// The local time of a slot that is asked for.
fn time(asked: Asked) -> String {
    asked.slot.to_string()
}

fn stored(home: &Home, slot: &str) -> bool {
    let rows = format!("observations WHERE slot_local = '{slot}'");
    home.record().count(&rows) == 1
}

/// Whether the last message of a topic is this text.
fn is_told(heard: &support::broker::Heard, topic: &str, text: &str) -> bool {
    heard.lock().unwrap().get(topic).is_some_and(|payload| payload == text)
}

/// Whether the program, whatever its id at the broker, says this of itself.
fn has_status(heard: &support::broker::Heard, text: &str) -> bool {
    let heard = heard.lock().unwrap();
    let is_its = |topic: &str| topic.starts_with("celaje/celaje-") && topic.ends_with("/status");
    heard.iter().any(|(topic, payload)| is_its(topic) && payload == text)
}
