//! Ctrl-C and SIGTERM drain; SIGKILL loses nothing that was committed.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::server::{Reply, Server};
use crate::{Home, camera, camera_with, picture, program, run};

/// A slow camera: a day takes some seconds.
fn slow() -> Server {
    camera_with(|index| Some(Reply::Body(picture(index)).late(20)))
}

/// A backfill of several days that has begun to store rows.
fn begun(home: &Home, server: &Server) -> Child {
    begun_after(home, server, 30)
}

/// The same, once so many pictures were asked for.
fn begun_after(home: &Home, server: &Server, requests: usize) -> Child {
    let mut child = Command::new(program())
        .env_clear()
        .env("HOME", home.path("."))
        .env("LANG", "C")
        .current_dir(home.path("."))
        .args(["backfill", "--desde", "2024-03-01", "--hasta", "2024-03-05", "--json"])
        .args(["--url-base", &server.base(), "--db", "cielo.db"])
        .args(["--engine", "rten", "--model", "red.onnx", "--threads", "1"])
        .args(["--concurrency", "2", "--batch", "2"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    // Far more than can be in flight: some are stored.
    while server.requests().len() < requests {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not begin");
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

fn send(child: &Child, signal: &str) {
    let line = format!("kill -{signal} {}", child.id());
    assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
}

#[test]
fn both_drain_commit_and_tell() {
    for (signal, status) in [("INT", 130), ("TERM", 0)] {
        let home = Home::new();
        let server = slow();
        let child = begun(&home, &server);
        send(&child, signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        let out = String::from_utf8(output.stdout).unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        let summary: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
        let total = summary["total"].as_u64().unwrap();
        assert!((20..720).contains(&total), "{total}");
        assert_eq!(summary["new"].as_u64(), Some(total));
        assert_eq!(summary["interrupted"], true);
        assert_eq!(summary["pending"].as_u64(), Some(720 - total));
        assert!(out.contains(&format!("total={total} | nuevos={total} |")));
        assert!(err.contains("finishing what is in flight") && err.contains("are left"), "{err}");
        let mut record = home.record("cielo.db");
        assert_eq!(record.count("observations") as u64, total);
        assert_eq!(record.count("misses"), 0);
        assert_eq!(record.runs(), [format!("interrupted 720 {total} 0 0")]);
        // What was asked for is stored.
        assert_eq!(server.requests().len() as u64, total);
    }
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let home = Home::new();
    // What is in flight would take a minute, or until the run's patience with it ends.
    let server = camera_with(|index| {
        let picture = Reply::Body(picture(index));
        Some(if index < 90 { picture } else { picture.late(60_000) })
    });
    // Two requests at a time: both are of those that take so long.
    let mut child = begun_after(&home, &server, 90 + 2);
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    send(&child, "INT");
    assert!(told.any(|line| line.unwrap().contains("finishing what is in flight")));
    send(&child, "INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    // A run that drains to its end sums up.
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    assert!(home.record("cielo.db").count("observations") >= 20);
}

/// A demo of few and quick pictures that has drawn its plot.
fn demo(home: &Home, args: &[&str]) -> Child {
    let few = "[station]\nid = 'a'\nlatitude = -53.8\nlongitude = -67.7\ntime_zone = 'UTC'\n\
        url_base = 'http://127.0.0.1:9/'\nvalid_minutes = [0]\n";
    home.write("celaje.toml", few);
    let child = Command::new(program())
        .env_clear()
        .env("HOME", home.path("."))
        .env("LANG", "C")
        .current_dir(home.path("."))
        .args(["demo", "--engine", "rten", "--model", "red.onnx", "--out", "out"])
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !home.has("out/demo.png") {
        assert!(begun.elapsed() < Duration::from_secs(120), "it does not draw");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

/// The run is over, and what was drawn is drawn once more.
#[test]
fn a_demo_hears_ctrl_c_while_it_draws() {
    let home = Home::new();
    let child = demo(&home, &["--once"]);
    // Nobody takes its files from under it.
    let args = ["demo", "--once", "--engine", "rten", "--model", "red.onnx", "--out", "out"];
    run(&mut home.celaje(args)).refused(3, &["another demo", "'out'"]);
    send(&child, "INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.starts_with("📊 Backfill → total=24 |"), "{out}");
    assert!(home.has("out/demo.db"));
}

/// It ends by showing what it recorded, until it is told to end.
#[test]
fn a_demo_shows_its_days() {
    use std::io::{BufRead, BufReader, Read, Write};
    let home = Home::new();
    let mut child = demo(&home, &[]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    let address = loop {
        line.clear();
        assert_ne!(out.read_line(&mut line).unwrap(), 0, "it ends by itself");
        if let Some(rest) = line.split("http://").nth(1) {
            break rest.split('/').next().unwrap().to_owned();
        }
    };
    let mut stream = std::net::TcpStream::connect(&address).unwrap();
    let path = "/api/v1/stations/a/observations";
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 200 ") && answer.contains("\"okta\""), "{answer}");
    send(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_run_that_was_killed_is_continued_without_a_loss() {
    let home = Home::new();
    let server = slow();
    let mut child = begun(&home, &server);
    child.kill().unwrap();
    child.wait().unwrap();
    drop(server);
    let server = camera();
    let stored = home.record("cielo.db").count("observations");
    assert!(stored > 0);
    let told = run(home.backfill(&server.base(), "2024-03-01", "2024-03-01").arg("--json"));
    assert_eq!(told.status, 0, "{told:?}");
    let summary = told.json();
    assert_eq!(summary["duplicates"].as_i64(), Some(stored.min(144)));
    assert_eq!(summary["total"], 144);
    let mut record = home.record("cielo.db");
    let oktas: Vec<i64> = (0..144).map(|i| i64::from(crate::okta(i))).collect();
    assert_eq!(record.oktas()[..144], oktas);
    // The run that died is marked so.
    assert!(record.runs()[0].starts_with("interrupted "), "{:?}", record.runs());
    assert!(record.runs()[1].starts_with("finished 144 "));
}
