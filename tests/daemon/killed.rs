//! SIGKILL while others are told of the sky: nothing is told twice or never, nothing is half
//! written, and what is retained is right after the restart.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::support::broker;
use crate::support::sink::Sink;

/// The station's time, which goes on while the program is dead.
#[derive(Clone, Copy)]
struct GoingClock {
    begun: Instant,
    start: DateTime<Utc>,
    speed: u32,
}

impl GoingClock {
    fn start(at: &str, speed: u32) -> Self {
        Self { begun: Instant::now(), start: at.parse().unwrap(), speed }
    }

    fn now(&self) -> DateTime<Utc> {
        self.start + TimeDelta::from_std(self.begun.elapsed() * self.speed).unwrap()
    }

    fn argument(&self) -> String {
        format!("{}@{}", self.now().format("%Y-%m-%dT%H:%M:%SZ"), self.speed)
    }
}

/// A camera whose sky has so many oktas, and whose host shows the time.
fn sky(okta: &Arc<AtomicU8>, clock: GoingClock) -> Server {
    let shown = Arc::clone(okta);
    Server::start(move |path, _| match crate::support::asked(path) {
        Some(asked) => {
            let red = shown.load(Ordering::SeqCst) * 30;
            Reply::Body(pictures::shaded([red, 40, (asked.index % 200) as u8]))
        }
        None => {
            let date = clock.now().format("%a, %d %b %Y %H:%M:%S GMT");
            Reply::Status(404, vec![("date", date.to_string())])
        }
    })
}

/// Settings of a station with these tables.
fn settle(home: &Home, server: &Server, more: &str) {
    home.write(
        "celaje.toml",
        &format!(
            "model = 'red.onnx'\n{more}\n\
             [station]\nid = 'rio-grande'\nlatitude = -53.79\nlongitude = -67.7\n\
             time_zone = '-03:00'\nurl_base = '{}'\n\
             [station.safety]\nwhen = 'always'\nsafe_after = '1m'\nstale_after = '3h'\n",
            server.base()
        ),
    );
}

/// How often a pseudo-random pause is this long, milliseconds: 40 to 1,000.
fn pause(n: u64) -> Duration {
    Duration::from_millis(40 + (n * n * 137 + n * 61) % 961)
}

/// Killed between a reading's commit and the alert's, and while the message is under way.
#[test]
fn an_alert_is_neither_lost_nor_told_twice() {
    let home = Home::new();
    let okta = Arc::new(AtomicU8::new(8));
    // A slot takes a second.
    let clock = GoingClock::start("2024-03-01T15:02:30Z", 600);
    let server = sky(&okta, clock);
    // The first message is under way when the program is killed.
    let sink = Sink::start(|n| (n > 0).then_some(200));
    settle(
        &home,
        &server,
        &format!(
            "[[alert]]\nname = 'clear'\nwhen = 'clearing'\nonly = 'always'\nquiet_for = '0'\n\
             to = ['hook']\n\
             [[alert]]\nname = 'cloudy'\nwhen = 'clouding'\nonly = 'always'\nquiet_for = '0'\n\
             to = ['hook']\n\
             [[sender]]\nid = 'hook'\nkind = 'webhook'\nurl = '{}'\n",
            sink.url
        ),
    );
    let start =
        || Running::start(home.serve(&["--catch-up", "0"]).args(["--clock", &clock.argument()]));
    let armed = "alert_states WHERE alert = 'clear' AND NOT fired";
    let running = start();
    until("the alert is armed", || home.record().count(armed) == 1);

    // The alerts are looked at every five seconds: after the reading's commit, before theirs.
    okta.store(0, Ordering::SeqCst);
    let clear = "(SELECT okta FROM observations ORDER BY slot_local DESC LIMIT 5) WHERE okta = 0";
    until("it clears", || home.record().count(clear) == 5);
    drop(running);
    let written = home.record().count("alert_outbox");
    println!("{written} messages were written before the first kill");

    // The next life finds what the first one did not come to; it is killed while it sends.
    let running = start();
    until("the message is under way", || sink.messages().len() == 1);
    drop(running);
    let running = start();
    until("it arrives", || sink.taken().len() == 1);
    until("that is written", || home.record().count("alert_outbox WHERE status = 'sent'") == 1);
    drop(running);

    // It clouds over, with a kill at whatever moment.
    okta.store(8, Ordering::SeqCst);
    let mut n = 0;
    while sink.taken().len() < 2 {
        n += 1;
        assert!(n < 60, "the second alert never comes");
        let running = start();
        // Long enough for an alert to be looked at now and then.
        std::thread::sleep(pause(n) * 2 + Duration::from_secs(n % 4));
        drop(running);
    }
    // Nothing is told again by the lives after it.
    let running = start();
    let rows = home.record().count("observations");
    until("two more readings", || home.record().count("observations") >= rows + 2);
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(running.end("TERM").0, 0);
    let messages = sink.messages();
    let told: Vec<_> =
        messages.iter().map(|(message, _)| message["kind"].as_str().unwrap()).collect();
    assert_eq!(told, ["clearing", "clearing", "clouding"], "{written} written before the kill");
    assert_eq!(messages[0].0["id"], messages[1].0["id"], "the same message, by its id");
    assert_eq!(home.record().count("alert_outbox"), 2);
}

#[test]
fn what_is_retained_is_right_after_each_kill() {
    if broker::program().is_none() {
        return;
    }
    let home = Home::new();
    let port = broker::free_port();
    let _broker = broker::start(home.0.path(), port, "allow_anonymous true\n");
    let (_client, heard) = broker::listen(port);
    // A slot takes two seconds.
    let clock = GoingClock::start("2024-03-01T15:02:30Z", 300);
    let server = sky(&Arc::new(AtomicU8::new(1)), clock);
    settle(&home, &server, &format!("[mqtt]\nurl = 'mqtt://127.0.0.1:{port}'\npicture = 'mqtt'\n"));
    let state = || {
        let heard = heard.lock().unwrap();
        let state = heard.get("celaje/rio-grande/state")?.clone();
        Some(serde_json::from_slice::<Value>(&state).expect("a whole state"))
    };
    let newest = || {
        let slots = home.record().texts("SELECT coalesce(max(slot_utc), '') FROM observations");
        slots[0].replace('Z', "+00:00")
    };
    for n in 0..8 {
        heard.lock().unwrap().clear();
        let mut command = home.serve(&["--catch-up", "1h"]);
        let running = Running::start(command.args(["--clock", &clock.argument()]));
        if n % 2 == 0 {
            // Whatever is being published.
            std::thread::sleep(pause(n));
        } else {
            until("all is told", || {
                let told = state().is_some_and(|state| state["slot_utc"] == newest());
                told && has_status(&heard, "online")
                    && is_told(&heard, "celaje/rio-grande/safety", "safe")
            });
            let state = state().unwrap();
            assert_eq!((&state["okta"], &state["problem"]), (&1.into(), &false.into()), "{state}");
            until("the picture", || {
                let heard = heard.lock().unwrap();
                let picture = heard.get("celaje/rio-grande/picture");
                picture.is_some_and(|jpeg| jpeg.starts_with(b"\xff\xd8\xff"))
            });
        }
        let was_online = has_status(&heard, "online");
        drop(running);
        if was_online {
            until("the last will", || has_status(&heard, "offline"));
        }
    }
}

/// An answer's body from an address of its own; none where nobody answers, or not to the end.
fn asked(address: &str, method: &str, target: &str, body: &str) -> Option<Value> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let form = "Content-Type: application/x-www-form-urlencoded";
    write!(
        stream,
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{form}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    assert!(head.starts_with("HTTP/1.1 200"), "{target}: {answer}");
    // What is cut off is no answer to any client.
    serde_json::from_str(body).ok()
}

#[test]
fn boltwoods_file_is_whole_and_alpaca_goes_on_after_each_kill() {
    let home = Home::new();
    // A slot takes ten seconds.
    let clock = GoingClock::start("2024-03-01T15:02:30Z", 60);
    let server = sky(&Arc::new(AtomicU8::new(0)), clock);
    settle(&home, &server, "");
    let address = format!("127.0.0.1:{}", broker::free_port());
    let folder = home.path("dome");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("sky.txt");
    // Whoever reads the file, at whatever moment.
    let (ends, bad) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(BTreeSet::new())));
    let reader = {
        let (file, ends, bad) = (file.clone(), Arc::clone(&ends), Arc::clone(&bad));
        std::thread::spawn(move || {
            let mut seen = 0_u64;
            while !ends.load(Ordering::SeqCst) {
                if let Ok(line) = std::fs::read_to_string(&file) {
                    seen += 1;
                    if line.split_whitespace().count() != 21 || !line.ends_with("\r\n") {
                        bad.lock().unwrap().insert(line);
                    }
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            seen
        })
    };
    let safe = "/api/v1/safetymonitor/0/issafe?ClientID=3";
    let mut ids = BTreeSet::new();
    for n in 0..6_u32 {
        let mut command = home.serve(&["--catch-up", "1h", "--boltwood", "dome/sky.txt"]);
        command.args(["--alpaca", &address, "--alpaca-discovery", "0"]);
        let running = Running::start(command.args(["--clock", &clock.argument()]));
        let before = asked(&address, "GET", safe, "").unwrap();
        assert_eq!(before["ErrorNumber"], 0x407, "nobody has connected: {before}");
        let connect = "/api/v1/safetymonitor/0/connected";
        asked(&address, "PUT", connect, "Connected=true&ClientID=3").unwrap();
        // The record's readings count as if there had been no kill, as soon as the camera's host
        // was asked what time it is.
        until("it is safe", || asked(&address, "GET", safe, "").unwrap()["Value"] == true);
        let devices = asked(&address, "GET", "/management/v1/configureddevices", "").unwrap();
        ids.insert(devices["Value"].to_string());
        let answers = Arc::new(AtomicU32::new(0));
        let asks = {
            let (address, answers) = (address.clone(), Arc::clone(&answers));
            std::thread::spawn(move || {
                while let Some(told) = asked(&address, "GET", safe, "") {
                    assert_eq!(told["Value"], true, "{told}");
                    answers.fetch_add(1, Ordering::SeqCst);
                }
            })
        };
        until("it answers", || answers.load(Ordering::SeqCst) > n);
        std::thread::sleep(pause(n.into()) / 2);
        drop(running);
        asks.join().unwrap();
    }
    ends.store(true, Ordering::SeqCst);
    assert!(reader.join().unwrap() > 0);
    assert_eq!(ids.len(), 1, "the devices keep their ids: {ids:?}");
    assert!(bad.lock().unwrap().is_empty(), "{bad:?}");
    let left: BTreeSet<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    // What a kill leaves unfinished is written over by the next life.
    let known = ["sky.txt", ".sky.txt.tmp"];
    assert!(left.iter().all(|name| known.contains(&name.as_str())), "{left:?}");
}

/// A picture of a megabyte of a slot, like no other.
fn large(name: &str) -> Vec<u8> {
    let seed = name.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31) + u32::from(byte));
    let mut bytes = pictures::shaded([(seed % 240) as u8, 40, (seed / 240 % 200) as u8]);
    for part in 0..20_u8 {
        // A comment.
        let comment = [&[0xff, 0xfe, 0xc3, 0x52][..], name.as_bytes(), &[part; 50_000]].concat();
        bytes.splice(2..2, comment[..50_004].iter().copied());
    }
    bytes
}

/// The paths of the copies on disk, below the station's folder, and of what is unfinished.
fn copies(home: &Home) -> (Vec<String>, Vec<String>) {
    let (mut all, mut unfinished) = (Vec::new(), Vec::new());
    let Ok(days) = std::fs::read_dir(home.path(COPIES)) else { return (all, unfinished) };
    for day in days.map(|day| day.unwrap()) {
        for copy in std::fs::read_dir(day.path()).unwrap().map(|copy| copy.unwrap()) {
            let names = [day.file_name(), copy.file_name()].map(|name| name.into_string().unwrap());
            match names[1].starts_with('.') {
                true => unfinished.push(names.join("/")),
                false => all.push(names.join("/")),
            }
        }
    }
    (all, unfinished)
}

const COPIES: &str = "cielo-pictures/gate";

#[test]
fn a_copy_of_a_picture_is_whole_whenever_the_program_is_killed() {
    let home = Home::new();
    let gone = Arc::new(AtomicBool::new(false));
    let is_gone = Arc::clone(&gone);
    let server = Server::start(move |path, _| match path.strip_prefix("/sky/") {
        Some(name) if !is_gone.load(Ordering::SeqCst) => Reply::Body(large(name)),
        _ => Reply::not_found(),
    });
    home.write(
        "celaje.toml",
        &format!(
            "model = 'red.onnx'\nkeep = '1d'\nkeep_size = 'original'\n\
             [station]\nid = 'gate'\nlatitude = -53.79\nlongitude = -67.7\ntime_zone = '-03:00'\n\
             [station.source]\nkind = 'template'\nurl = '{}'\npath = '%Y-%m-%d/%H%M%S.jpg'\n\
             every = '15s'\n",
            server.base()
        ),
    );
    let clock = GoingClock::start("2024-03-01T15:02:30Z", 1);
    let start = || {
        let mut command = home.serve(&["--catch-up", "6h"]);
        Running::start(command.args(["--clock", &clock.argument()]))
    };
    let read = |name: &str| std::fs::read(home.path(COPIES).join(name)).unwrap();
    // What was asked for as this name is in the copy of this name.
    let check = |name: &str, bytes: &[u8]| {
        let (day, time) = name.split_once('/').unwrap();
        let time = time.strip_suffix(".jpg").unwrap();
        let seconds = if time.len() == 4 { "00" } else { "" };
        let is_whole = bytes == large(&format!("{day}/{time}{seconds}.jpg"));
        assert!(is_whole, "{name} has {} bytes of another picture, or not all", bytes.len());
    };
    let (mut known, mut cut_off) = (0, 0);
    for _ in 0..8 {
        let running = start();
        until("more copies are written", || copies(&home).0.len() >= known + 8);
        // While one is written, or at whatever moment.
        let begun = Instant::now();
        while copies(&home).1.is_empty() && begun.elapsed() < Duration::from_secs(2) {}
        drop(running);
        let (all, unfinished) = copies(&home);
        all.iter().for_each(|name| check(name, &read(name)));
        (known, cut_off) = (all.len(), cut_off + unfinished.len());
    }
    println!("{known} copies after 8 kills, which left {cut_off} unfinished");
    assert!(known >= 64, "{known}");

    // The camera is gone: what is served is a copy, and all are counted.
    gone.store(true, Ordering::SeqCst);
    let running = start();
    let (all, _) = copies(&home);
    let (_, told) = running.ask("GET", "/dashboard/operations", "", "");
    let told: Value = serde_json::from_str(&told).unwrap();
    let bytes: usize = all.iter().map(|name| read(name).len()).sum();
    assert_eq!(
        (&told["pictures"]["n"], &told["pictures"]["bytes"]),
        (&all.len().into(), &bytes.into())
    );
    for name in all.iter().step_by(9) {
        let (day, time) = name.split_once('/').unwrap();
        let colons: Vec<_> = time
            .strip_suffix(".jpg")
            .unwrap()
            .as_bytes()
            .chunks(2)
            .map(String::from_utf8_lossy)
            .collect();
        let path = format!("/api/v1/stations/gate/slots/{day}T{}/picture", colons.join(":"));
        let mut stream = TcpStream::connect(&running.address).unwrap();
        let host = &running.address;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(&read(name)), "{path}");
    }
}

/// What stays behind must not say for ever that a dome may be open.
#[test]
fn an_orderly_end_leaves_boltwoods_file_closed() {
    let home = Home::new();
    let clock = GoingClock::start("2024-03-01T15:02:30Z", 60);
    let server = sky(&Arc::new(AtomicU8::new(0)), clock);
    settle(&home, &server, "");
    let mut command = home.serve(&["--catch-up", "1h", "--boltwood", "sky.txt"]);
    let running = Running::start(command.args(["--clock", &clock.argument()]));
    let line = || std::fs::read_to_string(home.path("sky.txt")).unwrap_or_default();
    until("the file says that it is safe", || line().ends_with(" 0 0\r\n"));
    assert_eq!(running.end("TERM").0, 0);
    let last = line();
    assert!(last.ends_with(" 1 1\r\n"), "{last}");
    assert_eq!(last.split_whitespace().nth(15), Some("0"), "{last}");
}
