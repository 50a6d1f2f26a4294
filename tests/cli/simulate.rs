//! `celaje simulate`: a camera server that is asked as a station is.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use crate::{Home, program, run};

/// A running simulator; ends with the test.
struct Simulator {
    child: Child,
    address: String,
}

impl Simulator {
    fn start(home: &Home, args: &[&str]) -> Self {
        let mut child = Command::new(program())
            .env_clear()
            .env("HOME", home.path("."))
            .env("LANG", "C")
            .args(["simulate", "--port", "0", "--size", "64x48"])
            .args(["--from", "2024-03-01", "--to", "2024-03-01"])
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.as_mut().unwrap());
        out.read_line(&mut line).unwrap();
        let rest = line.split_once("http://").expect("the address").1;
        let address = rest.split('/').next().unwrap().to_owned();
        Self { child, address }
    }

    /// Status and body of what is at `path`.
    fn get(&self, path: &str) -> (u16, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let host = &self.address;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, bytes.split_off(end + 4))
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn pictures_and_truth_in_both_layouts() {
    let home = Home::new();
    let simulator = Simulator::start(&home, &[]);
    let (status, picture) = simulator.get("/2024/2024-03011202.jpg");
    assert_eq!(status, 200);
    let decoded = image::load_from_memory(&picture).unwrap();
    assert_eq!((decoded.width(), decoded.height()), (64, 48));
    assert_eq!(simulator.get("/2024-03011202.jpg"), (200, picture));
    let (status, truth) = simulator.get("/truth/2024-03011202.json");
    assert_eq!(status, 200);
    let truth: serde_json::Value = serde_json::from_slice(&truth).unwrap();
    assert!(truth.is_object(), "{truth}");
    for path in ["/2024-03021202.jpg", "/2024-03011203.jpg", "/2023/2024-03011202.jpg"] {
        assert_eq!(simulator.get(path).0, 404, "{path}");
    }
}

#[test]
fn a_station_can_be_filled_from_it() {
    let home = Home::new();
    let simulator = Simulator::start(&home, &["--layout", "year", "--seed", "7"]);
    let base = format!("http://{}/", simulator.address);
    let told = run(&mut home.backfill(&base, "2024-03-01T11:00", "2024-03-01T11:59"));
    assert_eq!(told.out, "📊 Backfill → total=6 | nuevos=6 | duplicados=0 | fallidos=0\n");
}

#[cfg(unix)]
#[test]
fn it_ends_when_it_is_told_to() {
    for signal in ["TERM", "INT"] {
        let home = Home::new();
        let mut simulator = Simulator::start(&home, &[]);
        let line = format!("kill -{signal} {}", simulator.child.id());
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
        assert_eq!(simulator.child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn a_port_that_is_taken_is_told() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    run(&mut home.celaje(["simulate", "--port", &port])).refused(3, &[&port, "another port"]);
    run(&mut home.celaje(["simulate", "--size", "10x10"])).refused(2, &["10x10", "800x600"]);
}
