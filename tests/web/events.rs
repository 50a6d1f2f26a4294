//! Server-sent events.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use celaje::clock::Clock;
use celaje::daemon::operator::{Event, Operator};
use celaje::daemon::watcher::RecordWatcher;
use celaje::store::reader::LatestReading;
use celaje::store::{CommitMode, ShadowReading};
use celaje::web::events::LISTENERS;
use celaje_sky::cover::Cover;
use celaje_sky::outcome::Outcome;
use celaje_sky::slot::SlotRange;

use crate::site::{Site, begin, fill, item, reading};

fn listen(addr: SocketAddr, headers: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET /api/v1/events HTTP/1.1\r\nHost: {addr}\r\n{headers}\r\n").unwrap();
    BufReader::new(stream)
}

/// Reads until a line begins with `start`, and returns that line.
fn until(reader: &mut BufReader<TcpStream>, start: &str) -> String {
    for _ in 0..100 {
        let mut line = String::new();
        assert_ne!(reader.read_line(&mut line).unwrap(), 0, "it ended before '{start}'");
        if line.starts_with(start) {
            return line.trim_end().to_owned();
        }
    }
    panic!("no '{start}'");
}

#[actix::test]
async fn listeners_receive_events_and_those_that_they_missed() {
    let site = Site::new();
    let addr = site.addr();
    let heard = tokio::task::spawn_blocking(move || {
        let mut reader = listen(addr, "Accept-Encoding: gzip\r\n");
        assert_eq!(until(&mut reader, "content-type"), "content-type: text/event-stream");
        let hello = until(&mut reader, "id:");
        assert!(hello.ends_with("-0"), "{hello}");
        until(&mut reader, ": celaje");
        reader
    });
    let mut reader = heard.await.unwrap();
    let send = |slot: &str| {
        let reading = LatestReading { item: item(slot), shadow: None };
        let event = Event::Observation("rio-grande".to_owned(), reading);
        site.operator.sender.send(event).unwrap();
    };
    send("2024-01-03T00:02");
    send("2024-01-03T00:12");
    tokio::task::spawn_blocking(move || {
        let first = until(&mut reader, "id:");
        let epoch = first.strip_suffix("-1").unwrap();
        assert_eq!(until(&mut reader, "event:"), "event: observation");
        let data = until(&mut reader, "data: ");
        let data: serde_json::Value = serde_json::from_str(&data[6..]).unwrap();
        assert_eq!(
            (&data["station"], &data["slot"]),
            (&"rio-grande".into(), &"2024-01-03T00:02".into())
        );
        assert_eq!(data["quality"], serde_json::json!(["night", "frozen"]));
        assert_eq!(data.get("shadow"), Some(&serde_json::Value::Null));
        let second = format!("{epoch}-2");
        assert_eq!(until(&mut reader, "id:"), second);
        // A client that reconnects receives the events that it missed.
        let seen = first.strip_prefix("id: ").unwrap();
        let mut back = listen(addr, &format!("Last-Event-ID: {seen}\r\n"));
        assert_eq!(until(&mut back, "id:"), second);
        assert_eq!(until(&mut back, "event:"), "event: observation");
        // After an id of an earlier process the number of missed events is unknown.
        let mut stranger = listen(addr, "Last-Event-ID: 1\r\n");
        assert_eq!(until(&mut stranger, "id:"), second);
        assert_eq!(until(&mut stranger, "event:"), "event: state");
        assert_eq!(until(&mut stranger, "data:"), "data: {\"missed\":null}");
    })
    .await
    .unwrap();
}

#[actix::test]
async fn listeners_are_limited_and_free_their_places() {
    let site = Site::new();
    let addr = site.addr();
    let sitting = tokio::task::spawn_blocking(move || {
        let mut sitting: Vec<_> = (0..LISTENERS).map(|_| listen(addr, "")).collect();
        for reader in &mut sitting {
            until(reader, "retry:");
        }
        sitting
    })
    .await
    .unwrap();
    let refused = site.get("/api/v1/events").await;
    refused.problem(503);
    assert!(refused.header("retry-after").is_some());
    // Other requests are still answered.
    assert_eq!(site.get("/api/v1/stations").await.status, 200);
    drop(sitting);
    let begun = Instant::now();
    loop {
        // The server notices when it sends the next event.
        let _ = site.operator.sender.send(Event::State);
        let reader = tokio::task::spawn_blocking(move || {
            let mut reader = listen(addr, "");
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            line
        });
        if reader.await.unwrap().contains(" 200 ") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "no place was given back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[actix::test]
async fn a_stopping_server_ends_its_event_streams() {
    let site = Site::new();
    let addr = site.addr();
    let mut reader = tokio::task::spawn_blocking(move || {
        let mut reader = listen(addr, "");
        until(&mut reader, "retry:");
        reader
    })
    .await
    .unwrap();
    site.running.stop().await;
    let rest = tokio::task::spawn_blocking(move || {
        let mut rest = String::new();
        while reader.read_line(&mut rest).unwrap() > 0 {}
        rest
    });
    // The last chunk: it was ended, not cut off when the server's patience with it was over.
    assert!(rest.await.unwrap().ends_with("0\r\n\r\n"));
}

#[actix::test]
async fn a_watcher_notices_rows_of_other_writers() {
    let site = Site::new();
    let watcher = RecordWatcher::start(&site.db, Clock::SYSTEM).unwrap();
    let mut events = watcher.events();
    let mut database = site.database();
    fill(
        &mut database,
        &site.station,
        "2024-01-03T11:50",
        "2024-01-03T12:15",
        "http://127.0.0.1:9/",
    );
    let (mut seen, mut missed, mut runs) = (Vec::new(), Vec::new(), 0);
    while seen.len() < 2 || missed.is_empty() || runs == 0 {
        let event = tokio::time::timeout(Duration::from_secs(20), events.recv());
        match event.await.unwrap().unwrap() {
            Event::Observation(station, reading) => {
                assert_eq!(station, "rio-grande");
                assert_eq!(reading.shadow, None);
                seen.push(reading.item.slot);
            }
            Event::Miss(_, item) => missed.push(item.slot),
            // The first one ended when the record was opened again.
            Event::Run(run) => runs += usize::from(run.id == 2),
            Event::Judged(..) | Event::State | Event::Missed(_) => {}
        }
    }
    assert_eq!(seen, ["2024-01-03T11:52", "2024-01-03T12:12"]);
    assert_eq!(missed, ["2024-01-03T12:02"]);
    let pictures = watcher.state().pictures;
    assert_eq!((pictures["new"], pictures["not_found"]), (2, 1));
    assert!(watcher.cancel(celaje::daemon::operator::JobId(1)).is_err());
}

#[actix::test]
async fn a_reading_that_replaces_the_newest_one_is_an_event() {
    let site = Site::new();
    let watcher = RecordWatcher::start(&site.db, Clock::SYSTEM).unwrap();
    let mut events = watcher.events();
    let mut database = site.database();
    let newest = slot(&site, "2024-01-02T23:52");
    let range = SlotRange::new(newest.local(), newest.local()).unwrap();
    let run = begin(&mut database, range);
    let mut outcome = reading(&site.station, newest, "http://127.0.0.1:9/");
    if let Outcome::Observed(observation) = &mut outcome {
        observation.model = "model 2".to_owned();
    }
    let replaced = database.commit(run, CommitMode::Replace, &[outcome]);
    replaced.unwrap();
    let item = loop {
        let event = tokio::time::timeout(Duration::from_secs(20), events.recv());
        if let Event::Observation(_, reading) = event.await.unwrap().unwrap() {
            break reading.item;
        }
    };
    assert_eq!(item.slot, "2024-01-02T23:52");
    assert_eq!(item.model.as_deref(), Some("model 2"));
}

#[actix::test]
async fn readings_wait_for_a_second_model_through_a_read_error() {
    let site = Site::new();
    let watcher = RecordWatcher::start(&site.db, Clock::SYSTEM).unwrap();
    let mut events = watcher.events();
    let mut database = site.database();
    let (from, to) = ("2024-01-03T00:00", "2024-01-03T00:05");
    fill(&mut database, &site.station, from, to, "http://127.0.0.1:9/");
    loop {
        let event = tokio::time::timeout(Duration::from_secs(20), events.recv());
        if let Event::Observation(..) = event.await.unwrap().unwrap() {
            break;
        }
    }
    site.execute("ALTER TABLE shadow_observations RENAME TO hidden");
    while watcher.state().trouble.is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    site.execute("ALTER TABLE hidden RENAME TO shadow_observations");
    let shadow = ShadowReading {
        slot: slot(&site, "2024-01-03T00:02"),
        model: "next 1".to_owned(),
        model_sha256: "1".repeat(64),
        cover: Cover::from_code(3).unwrap(),
        cloud_fraction: Some(0.4),
        confidence: Some(0.6),
    };
    database.keep_shadow(&shadow).unwrap();
    let judged = loop {
        let event = tokio::time::timeout(Duration::from_secs(20), events.recv());
        if let Event::Judged(_, reading) = event.await.unwrap().unwrap() {
            break reading.item.slot;
        }
    };
    assert_eq!(judged, "2024-01-03T00:02");
}

/// A second model judges after the first, so after the event of its reading.
#[actix::test]
async fn a_second_models_reading_sends_the_event_again() {
    let site = Site::new();
    let watcher = RecordWatcher::start(&site.db, Clock::SYSTEM).unwrap();
    let mut events = watcher.events();
    let mut database = site.database();
    let (from, to) = ("2024-01-03T00:00", "2024-01-03T00:05");
    let base = "http://127.0.0.1:9/";
    fill(&mut database, &site.station, from, to, base);
    let mut judged = false;
    let told = loop {
        let event = tokio::time::timeout(Duration::from_secs(20), events.recv());
        match event.await.unwrap().unwrap() {
            Event::Observation(_, reading) => {
                assert!(!judged && reading.shadow.is_none());
                judged = true;
                for (model, okta) in [("next 1", 3), ("next 2", 9)] {
                    let cover = Cover::from_code(okta).unwrap();
                    let seen = cover != Cover::Obscured;
                    let shadow = ShadowReading {
                        slot: slot(&site, "2024-01-03T00:02"),
                        model: model.to_owned(),
                        model_sha256: "1".repeat(64),
                        cover,
                        cloud_fraction: seen.then_some(0.4),
                        confidence: seen.then_some(0.6),
                    };
                    database.keep_shadow(&shadow).unwrap();
                }
            }
            Event::Judged(station, reading) => break (station, reading),
            _ => {}
        }
    };
    assert_eq!((told.0.as_str(), told.1.item.slot.as_str()), ("rio-grande", "2024-01-03T00:02"));
    // The picture is not counted twice.
    assert_eq!(watcher.state().pictures["new"], 1);
    let latest = site.get("/api/v1/stations/rio-grande/latest").await.json();
    let shadow = serde_json::json!(
        {"model": "next 2", "okta": 9, "cloud_fraction": null, "confidence": null}
    );
    assert_eq!((&latest["slot"], &latest["shadow"]), (&"2024-01-03T00:02".into(), &shadow));
    // The replaced system knows of no second model.
    let octas = site.get("/octas").await.json();
    assert_eq!(octas.as_object().unwrap().len(), 9);
}

fn slot(site: &Site, local: &str) -> celaje_sky::slot::Slot {
    let local = crate::site::at(local);
    celaje_sky::slot::Slot::at(local, site.station.zone).unwrap()
}
