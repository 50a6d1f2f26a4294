//! A camera that has its latest picture alone: live, with copies, gone and back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::*;

#[test]
fn the_latest_picture_is_read_as_it_changes_and_a_camera_that_is_gone_is_said_once() {
    let home = Home::new();
    let shown = Arc::new(AtomicU8::new(0));
    let showing = Arc::clone(&shown);
    // Each request sees another picture, until it stands still.
    let server = Server::start(move |path, _| {
        if path != "/sky/latest.jpg" {
            return Reply::not_found();
        }
        let n = showing.load(Ordering::SeqCst);
        let next = if n < 100 { showing.fetch_add(1, Ordering::SeqCst) } else { n };
        Reply::Body(pictures::shaded([90, 40, next]))
    });
    home.write(
        "celaje.toml",
        &format!(
            "model = 'red.onnx'\nkeep = '1d'\nkeep_size = 'original'\n\
             [station]\nid = 'gate'\nlatitude = -53.79\nlongitude = -67.7\ntime_zone = '-03:00'\n\
             [station.source]\nkind = 'latest'\nurl = '{}latest.jpg'\nevery = '1m'\n\
             time_from = 'fetch'\n",
            server.base()
        ),
    );
    let running = Running::start(home.serve(&[]).args(["--clock", "2024-03-01T15:02:30Z@20"]));
    let metrics = || running.ask("GET", "/metrics", "", "").1;
    let up = |is: u8| metrics().contains(&format!("celaje_camera_up{{station=\"gate\"}} {is}"));
    until("three readings", || home.record().count("observations") >= 3);
    until("it is up", || up(1));
    // The picture stands still: nothing is stored twice.
    shown.store(200, Ordering::SeqCst);
    until("it is gone", || up(0));
    let camera = running.state()["stations"][0]["camera"].clone();
    assert_eq!((&camera["up"], &camera["fault"]), (&false.into(), &"stale".into()), "{camera}");
    assert!(camera["address"].as_str().unwrap().ends_with("/sky/latest.jpg"), "{camera}");
    until("it is missed", || home.record().count("misses WHERE reason = 'stale'") >= 2);
    let twice = "(SELECT image_sha256 FROM observations GROUP BY 1 HAVING count(*) > 1)";
    assert_eq!(home.record().count(twice), 0);

    // The page shows the copy: the camera has none of the past.
    let slot = &home.record().texts("SELECT min(slot_local) FROM observations")[0].clone();
    let path = format!("/api/v1/stations/gate/slots/{slot}/picture");
    let mut stream = TcpStream::connect(&running.address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", running.address)
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let head = String::from_utf8_lossy(&answer[..answer.len().min(900)]).into_owned();
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("image/jpeg"), "{head}");

    shown.store(0, Ordering::SeqCst);
    until("it is back", || up(1));
    let (status, told) = running.end("TERM");
    assert_eq!(status, 0, "{told:?}");
    let count = |what: &str| told.iter().filter(|line| line.contains(what)).count();
    assert_eq!(count("the camera gives no picture"), 1, "{told:#?}");
    assert_eq!(count("the camera gives pictures again"), 1, "{told:#?}");
    assert_eq!(count("station 'gate': camera http://127.0.0.1"), 1, "{told:#?}");
    assert_eq!(count("nothing is filled in of the past"), 1, "{told:#?}");
    let copies = std::fs::read_dir(home.path("cielo-pictures/gate/2024-03-01")).unwrap().count();
    assert!(copies >= 3, "{copies}");
}

/// Most slots of a camera that is slower than the grid see the same picture again.
#[test]
fn a_camera_that_is_slower_than_the_grid_is_gone_only_when_it_is() {
    const SPEED: u64 = 20;
    let home = Home::new();
    let begun = Instant::now();
    let stopped = Arc::new(AtomicU8::new(0));
    let stands = Arc::clone(&stopped);
    // A new picture a minute, of the station's clock, until it stands still.
    let server = Server::start(move |_, _| {
        let minute = (begun.elapsed().as_millis() as u64 * SPEED / 60_000) as u8;
        let shade = match stands.load(Ordering::SeqCst) {
            0 => minute,
            still => still,
        };
        Reply::Body(pictures::shaded([90, 40, shade]))
    });
    home.write(
        "celaje.toml",
        &format!(
            "model = 'red.onnx'\n\
             [station]\nid = 'gate'\nlatitude = -53.79\nlongitude = -67.7\ntime_zone = '-03:00'\n\
             [station.source]\nkind = 'latest'\nurl = '{}latest.jpg'\nevery = '15s'\n\
             time_from = 'fetch'\n",
            server.base()
        ),
    );
    let clock = format!("2024-03-01T15:02:30Z@{SPEED}");
    let running = Running::start(home.serve(&[]).args(["--clock", &clock]));
    let camera = || running.state()["stations"][0]["camera"].clone();
    let up = |is: u8| {
        let metrics = running.ask("GET", "/metrics", "", "").1;
        metrics.contains(&format!("celaje_camera_up{{station=\"gate\"}} {is}"))
    };
    let was_up = || {
        assert!(!up(0), "{}", camera());
        home.record().count("misses WHERE reason = 'stale'") >= 12
    };
    until("slots see the same picture", was_up);
    assert_eq!(camera()["up"], true);
    stopped.store(250, Ordering::SeqCst);
    until("it is gone", || up(0));
    assert_eq!((&camera()["up"], &camera()["fault"]), (&false.into(), &"stale".into()));
    stopped.store(0, Ordering::SeqCst);
    until("it is back", || up(1));
    let (status, told) = running.end("TERM");
    assert_eq!(status, 0, "{told:?}");
    let count = |what: &str| told.iter().filter(|line| line.contains(what)).count();
    assert_eq!(count("the camera gives no picture"), 1, "{told:#?}");
    assert_eq!(count("the camera gives pictures again"), 1, "{told:#?}");
}

/// Nine slots in a row find nothing, for a reason that each of them has: one line says so.
#[test]
fn a_camera_that_is_gone_is_warned_of_once_with_its_reason() {
    let server = Server::start(|path, _| match path.contains("locked") {
        true => Reply::Status(401, vec![("WWW-Authenticate", "Basic realm=\"cam\"".to_owned())]),
        false => Reply::Status(503, Vec::new()),
    });
    let base = server.base();
    let (host, path) = base.split_once("://").unwrap().1.split_once('/').unwrap();
    for (source, reason) in [
        (
            "kind = 'tree'\ndir = 'missing'\npath = '%Y%m%d%H%M%S.jpg'".to_owned(),
            "there is no folder",
        ),
        ("kind = 'tree'\ndir = 'empty'\npath = '%Y%m%d%H%M%S.jpg'".to_owned(), "is empty"),
        (format!("kind = 'latest'\nurl = '{base}a.jpg'"), "answers 503"),
        (
            format!("kind = 'latest'\nurl = 'http://me:no@{host}/{path}locked.jpg'"),
            "does not accept this",
        ),
    ] {
        let home = Home::new();
        std::fs::create_dir(home.path("empty")).unwrap();
        home.write(
            "celaje.toml",
            &format!(
                "model = 'red.onnx'\n\
                 [station]\nid = 'gate'\nlatitude = -53.79\nlongitude = -67.7\n\
                 time_zone = '-03:00'\n[station.source]\n{source}\nevery = '1m'\n"
            ),
        );
        let args = ["--clock", "2024-03-01T15:02:30Z@30"];
        let running = Running::start(home.serve(&[]).args(args));
        until("slots are missed", || home.record().count("misses") >= 6);
        let (status, told) = running.end("TERM");
        assert_eq!(status, 0, "{told:?}");
        let of = |what: &str| told.iter().filter(|line| line.contains(what)).collect::<Vec<_>>();
        let gone = of("the camera gives no picture");
        assert_eq!(gone.len(), 1, "{told:#?}");
        assert!(gone[0].contains(reason), "{told:#?}");
        let again: Vec<_> = of("WARN").into_iter().filter(|line| line.contains(reason)).collect();
        assert_eq!(again.len(), 1, "{told:#?}");
    }
}
