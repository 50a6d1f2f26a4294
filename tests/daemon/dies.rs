//! A camera that dies: how long each way to ask, and each that is told, still says that it is safe.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::support::broker;

/// Station time a second of real time. A slot is 15 s.
const SPEED: u32 = 4;
/// Seconds of the station's time after which a reading is stale.
const STALE: f64 = 40.0;
/// Seconds that a program on a busy machine may need beside what is promised.
const SLACK: f64 = 40.0;

/// What each says, by its name: safe, or showing an amount.
fn says(
    running: &Running,
    alpaca: &str,
    file: &Path,
    heard: &broker::Heard,
) -> Vec<(&'static str, bool)> {
    let ask = |path: &str| running.ask("GET", path, "", "").1;
    let json = |path: &str| serde_json::from_str::<Value>(&ask(path)).unwrap();
    let safety = json("/api/v1/stations/gate/safety");
    let closed = |line: &str| line.split_whitespace().nth(19) == Some("1");
    let asks = |member: &str| {
        let mut stream = TcpStream::connect(alpaca).unwrap();
        let path = format!("/api/v1/{member}?ClientID=3");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {alpaca}\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let has_value = |answer: &str| answer.contains("\"Value\":");
    vec![
        ("Alpaca", asks("safetymonitor/0/issafe").contains("\"Value\":true")),
        ("Alpaca's cloud cover", has_value(&asks("observingconditions/0/cloudcover"))),
        ("INDI", safety["roof_status"]["open_ok"] == 1),
        ("badge", ask("/badge.svg").contains("/8")),
        ("widget", ask("/widget").contains("/8")),
        ("metrics", ask("/metrics").contains("celaje_safe{station=\"gate\"} 1")),
        ("Boltwood by HTTP", !closed(&ask("/api/v1/stations/gate/boltwood"))),
        ("Boltwood's file", std::fs::read_to_string(file).is_ok_and(|line| !closed(&line))),
        ("MQTT", is_told(heard, "celaje/gate/safety", "safe")),
    ]
}

fn connect(alpaca: &str, kind: &str) {
    let mut stream = TcpStream::connect(alpaca).unwrap();
    let body = "Connected=true&ClientID=3";
    write!(
        stream,
        "PUT /api/v1/{kind}/0/connected HTTP/1.1\r\nHost: {alpaca}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    stream.read_to_string(&mut String::new()).unwrap();
}

#[test]
fn a_camera_that_dies_makes_every_one_unsafe_within_the_stale_time() {
    let home = Home::new();
    let port = broker::free_port();
    let has_broker = broker::program().is_some();
    let _broker = has_broker.then(|| broker::start(home.0.path(), port, "allow_anonymous true\n"));
    let (_client, heard) = broker::listen(port);
    let died = Arc::new(AtomicBool::new(false));
    let is_dead = Arc::clone(&died);
    let server = Server::start(move |path, _| {
        if is_dead.load(Ordering::SeqCst) {
            // It takes the connection, and says nothing more.
            return Reply::Hang;
        }
        // Each slot has a picture like no other.
        let sum = path.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31) + u32::from(byte));
        Reply::Body(pictures::shaded([0, (sum / 200 % 200) as u8, (sum % 200) as u8]))
    });
    home.write(
        "celaje.toml",
        &format!(
            "model = 'red.onnx'\ntimeout = 5\n[mqtt]\nurl = 'mqtt://127.0.0.1:{port}'\n\
             [station]\nid = 'gate'\nlatitude = -53.79\nlongitude = -67.7\ntime_zone = '-03:00'\n\
             [station.source]\nkind = 'template'\nurl = '{}'\npath = '%Y%m%d%H%M%S.jpg'\n\
             every = '15s'\n\
             [station.safety]\nwhen = 'always'\nsafe_after = '10s'\nstale_after = '{STALE}s'\n",
            server.base()
        ),
    );
    let alpaca = format!("127.0.0.1:{}", broker::free_port());
    let mut command = home.serve(&["--catch-up", "2m", "--boltwood", "sky.txt"]);
    command.args(["--alpaca", &alpaca, "--alpaca-discovery", "0"]);
    let running =
        Running::start(command.args(["--clock", &format!("2024-03-01T15:02:30Z@{SPEED}")]));
    ["safetymonitor", "observingconditions"].iter().for_each(|kind| connect(&alpaca, kind));
    let file = home.path("sky.txt");
    let all = || {
        let mut said = says(&running, &alpaca, &file, &heard);
        said.retain(|(name, _)| has_broker || *name != "MQTT");
        said
    };
    until("all say that it is safe", || all().iter().all(|(_, safe)| *safe));

    died.store(true, Ordering::SeqCst);
    // Seconds of the station's time since the last reading, by the program's own clock.
    let age = || {
        let (_, told) = running.ask("GET", "/api/v1/stations/gate/safety", "", "");
        let told: Value = serde_json::from_str(&told).unwrap();
        let time = |key: &str| {
            let text = told[key].as_str().unwrap().trim_end_matches('Z').to_owned();
            chrono::NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S").unwrap()
        };
        (time("timestamp_utc") - time("reading_at")).num_milliseconds() as f64 / 1000.0
    };
    let mut unsafe_at = std::collections::BTreeMap::new();
    let begun = Instant::now();
    while unsafe_at.len() < all().len() {
        assert!(begun.elapsed() < PATIENCE, "still safe; unsafe are {unsafe_at:?}");
        let before = age();
        for (name, safe) in all() {
            if safe {
                // A moment before the answer was asked for.
                assert!(
                    before <= STALE || ["Boltwood's file", "MQTT"].contains(&name),
                    "{name} says safe {before} s after the last reading"
                );
                unsafe_at.remove(name);
            } else {
                unsafe_at.entry(name).or_insert(before);
            }
        }
    }
    // The file is written every ten seconds, a message sent each second, of real time.
    for (name, promised) in [("Boltwood's file", 10.0), ("MQTT", 1.0)] {
        if let Some(age) = unsafe_at.get(name) {
            let late = (age - STALE) / f64::from(SPEED);
            assert!(late <= promised + SLACK, "{name}: {late} s after the stale time");
        }
    }
    let shown: Vec<_> = unsafe_at.iter().map(|(name, age)| format!("{name} {age:.0} s")).collect();
    println!("stale after {STALE} s of the station's time; unsafe: {}", shown.join(", "));
}
