//! A camera that has its latest picture alone.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use celaje::camera::http::HttpClient;
use celaje::camera::{SearchResult, Source};
use celaje::clock::Clock;
use celaje::service::RunPolicy;
use celaje::service::request::station_source;
use celaje_sky::outcome::MissReason;
use celaje_sky::slot::{Slot, SlotGrid, SlotRange};
use celaje_sky::station::{PictureNames, PicturePlace, TimeFrom};
use chrono::TimeDelta;

use crate::schemes::{at_station, celaje_drain, slots_of, station};
use crate::support::judge::{self, Trouble};
use crate::support::range;
use crate::support::server::{Reply, Server};
use crate::support::stage::{Stage, tuning};

/// A clock that stands still at a slot.
pub fn clock_at(slot: Slot) -> Clock {
    slot.utc().format("%Y-%m-%dT%H:%M:%SZ@0.01").to_string().parse().unwrap()
}

/// A picture that no other number has, by its comment.
fn numbered(n: usize) -> Vec<u8> {
    let picture = judge::picture((n % 9) as u8, Trouble::None, (n % 97) as u8);
    let comment = format!("{n:08}");
    [&picture[..2], &[0xff, 0xfe, 0, 10], comment.as_bytes(), &picture[2..]].concat()
}

/// A program unlinks the picture and writes it anew, a half at a time, while it is asked for.
#[actix::test]
async fn a_picture_that_is_replaced_a_thousand_times_is_never_lost_nor_taken_twice() {
    tokio::time::pause();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("latest.jpg");
    let mut station =
        station(PicturePlace::Folder(file.clone()), PictureNames::Latest(Some(TimeFrom::Fetch)));
    station.minutes = SlotGrid::every(15).unwrap();
    let source = station_source(&Arc::new(station.clone())).unwrap();
    let Source::Scheme(scheme) = &source else { panic!("{source:?}") };
    let client =
        HttpClient::new(source.base(), &station.trust, tuning().http, celaje_drain()).unwrap();
    let day = range("2024-03-01T00:00", "2024-03-01T23:59");
    let slots: Vec<Slot> = slots_of(&station, day).into_iter().take(1000).collect();
    let mut hashes = std::collections::BTreeSet::new();
    for (n, slot) in slots.iter().enumerate() {
        let clock = clock_at(*slot);
        if n > 0 {
            // The one before is still there.
            let same = scheme.look_for(&client, *slot, clock).await;
            let SearchResult::Miss(miss) = same else { panic!("{n}: the same picture again") };
            assert_eq!(miss.reason, MissReason::Stale);
        }
        let bytes = numbered(n);
        let (path, whole) = (file.clone(), bytes.clone());
        let writer = actix::spawn(async move {
            let _ = fs::remove_file(&path);
            for _ in 0..n % 5 {
                tokio::time::sleep(Duration::from_millis(700)).await;
            }
            let (first, second) = whole.split_at(whole.len() / 2);
            fs::write(&path, first).unwrap();
            for _ in 0..n % 4 {
                tokio::time::sleep(Duration::from_millis(900)).await;
            }
            fs::write(&path, [first, second].concat()).unwrap();
        });
        let mut tries = 0;
        let got = loop {
            tries += 1;
            assert!(tries < 20, "{n}");
            match scheme.look_for(&client, *slot, clock).await {
                SearchResult::Picture(got, _) if got.bytes == bytes => break got,
                // The decoder refuses a half.
                SearchResult::Picture(half, _) => assert!(half.bytes.len() < bytes.len(), "{n}"),
                SearchResult::Miss(miss) => assert!(
                    matches!(miss.reason, MissReason::NotFound | MissReason::Stale),
                    "{miss:?}"
                ),
                SearchResult::Cancelled => panic!("{n}"),
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        };
        writer.await.unwrap();
        let taken = got.taken_at.unwrap() - slot.utc();
        assert!(taken.abs() < TimeDelta::seconds(7), "{taken}");
        let hash = {
            use sha2::Digest;
            format!("{:x?}", sha2::Sha256::digest(&got.bytes))
        };
        assert!(hashes.insert(hash), "{n} came twice");
    }
    assert_eq!(hashes.len(), 1000);
}

/// The same, from the file to the rows of the record.
#[actix::test]
async fn a_thousand_replacements_are_a_thousand_rows() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("latest.jpg");
    let names = PictureNames::Latest(Some(TimeFrom::Fetch));
    let mut station = station(PicturePlace::Folder(file.clone()), names);
    station.minutes = SlotGrid::every(60).unwrap();
    let mut stage = Stage::at("http://127.0.0.1:9/");
    at_station(&mut stage, station);
    stage.policy = RunPolicy { retry_missed: true, ..RunPolicy::default() };
    let day = range("2024-03-01T00:00", "2024-03-01T23:59");
    let slots: Vec<Slot> = slots_of(&stage.station, day).into_iter().take(1000).collect();
    for (n, slot) in slots.iter().enumerate() {
        stage.clock = clock_at(*slot);
        if n % 10 == 5 {
            let report = stage.run(SlotRange::of(*slot)).await;
            assert_eq!(report.end.ledger.missed(), 1, "{n}: the picture before, again");
        }
        let path = file.clone();
        let writer = std::thread::spawn(move || {
            let pause = |n: usize| std::thread::sleep(Duration::from_millis(n as u64));
            let _ = fs::remove_file(&path);
            pause(n % 3);
            let whole = numbered(n);
            fs::write(&path, &whole[..whole.len() / 2]).unwrap();
            // Now and then the first half is found, and asked for again after two seconds.
            pause(if n % 100 == 0 { 500 } else { 0 });
            fs::write(&path, &whole).unwrap();
        });
        let mut tries = 0;
        while stage.run(SlotRange::of(*slot)).await.end.ledger.missed() > 0 {
            tries += 1;
            assert!(tries < 20, "{n}");
        }
        writer.join().unwrap();
    }
    let mut record = stage.record();
    assert_eq!((record.count("observations"), record.count("misses")), (1000, 0));
    let hashes = record.texts("SELECT DISTINCT image_sha256 FROM observations");
    assert_eq!(hashes.len(), 1000);
}

#[actix::test]
async fn a_camera_without_a_new_picture_is_asked_with_conditions_and_missed_with_its_reason() {
    let picture = judge::picture(3, Trouble::None, 1);
    let server = Server::start(move |_, nth| match nth {
        0 => Reply::Body(picture.clone()),
        _ => Reply::Status(304, vec![]),
    });
    let url = format!("{}latest.jpg", server.base());
    let mut stage = Stage::new(&server);
    at_station(&mut stage, station(PicturePlace::Address(url), PictureNames::Latest(None)));
    let hour = range("2024-03-01T22:00", "2024-03-01T22:19");
    let slots = slots_of(&stage.station, hour);
    for slot in &slots {
        stage.clock = clock_at(*slot);
        stage.run(SlotRange::of(*slot)).await;
    }
    assert_eq!(stage.record().count("observations"), 1);
    let misses = stage.record().texts("SELECT reason || ': ' || detail FROM misses");
    assert_eq!(misses, ["stale: no new picture came"]);
    // Long after its slot nothing is asked.
    server.forget_requests();
    stage.clock = "2024-03-02T12:00:00Z".parse().unwrap();
    let past = range("2024-03-01T22:20", "2024-03-01T22:59");
    let report = stage.run(past).await;
    assert_eq!((report.end.ledger.missed(), server.requests().len()), (4, 0));
}

/// An address that leads to one of two cameras, or to a cache of each, gives either picture in
/// turn: each is stored once, also by a program that was started anew.
#[actix::test]
async fn pictures_that_come_in_turn_are_stored_once() {
    let pictures = [1, 2].map(|n| judge::picture(n, Trouble::None, n));
    let server = Server::start(move |_, nth| Reply::Body(pictures[nth % 2].clone()));
    let url = format!("{}latest.jpg", server.base());
    let mut stage = Stage::new(&server);
    at_station(&mut stage, station(PicturePlace::Address(url), PictureNames::Latest(None)));
    for slot in slots_of(&stage.station, range("2024-03-01T22:00", "2024-03-01T22:59")) {
        stage.clock = clock_at(slot);
        stage.run(SlotRange::of(slot)).await;
    }
    let hashes = stage.record().texts("SELECT image_sha256 FROM observations");
    assert_eq!((hashes.len(), server.requests().len()), (2, 6));
    assert_ne!(hashes[0], hashes[1]);
    let misses = stage.record().texts("SELECT DISTINCT reason || ': ' || detail FROM misses");
    assert_eq!(misses, ["stale: the picture is the same as before"]);
}

/// A camera that is slower than the slots is late, and its clock is right.
#[actix::test]
async fn a_camera_that_is_slower_than_its_slots_is_not_accused() {
    let clocks = ["21:59:49", "22:00:04", "22:00:19", "21:59:00"];
    let pictures = [0, 1, 2, 3].map(|n| {
        let picture = judge::picture(n, Trouble::None, n);
        with_exif(&picture, &format!("2024:03:01 {}", clocks[usize::from(n)]))
    });
    let server = Server::start(move |_, nth| Reply::Body(pictures[nth.min(3)].clone()));
    let url = format!("{}latest.jpg", server.base());
    let mut stage = Stage::new(&server);
    let mut roof = station(PicturePlace::Address(url), PictureNames::Latest(None));
    roof.minutes = SlotGrid::every(15).unwrap();
    roof.source.as_mut().unwrap().tolerance = TimeDelta::seconds(7);
    at_station(&mut stage, roof);
    let slots = slots_of(&stage.station, range("2024-03-01T22:00", "2024-03-01T22:01"));
    for slot in &slots[..4] {
        stage.clock = clock_at(*slot);
        let pipeline = stage.start();
        pipeline.run(SlotRange::of(*slot)).await.unwrap();
        let told: Vec<_> = pipeline.gate().take_faults().into_iter().collect();
        assert_eq!(told, [], "{slot}");
        assert!(pipeline.stop().await.is_some());
    }
    assert_eq!(server.requests().len(), 4);
    let misses = stage.record().count("misses WHERE detail LIKE '%too far from the slot%'");
    assert_eq!(misses, 4);
}

/// A picture that was deleted is told as gone, also once the time of its slot is over.
#[actix::test]
async fn a_latest_picture_that_is_gone_is_said_to_be() {
    let server = Server::start(|_, _| Reply::not_found());
    let url = format!("{}latest.jpg", server.base());
    let mut stage = Stage::new(&server);
    at_station(&mut stage, station(PicturePlace::Address(url), PictureNames::Latest(None)));
    stage.policy.retry_missed = true;
    let outage = range("2024-03-01T22:00", "2024-03-01T22:29");
    for slot in slots_of(&stage.station, outage) {
        stage.clock = clock_at(slot);
        stage.run(SlotRange::of(slot)).await;
    }
    for _ in 0..2 {
        let misses = stage.record().texts("SELECT reason || ': ' || detail FROM misses");
        assert_eq!(misses.len(), 3);
        for told in misses {
            assert!(told.starts_with("not_found: the picture at http://"), "{told}");
            assert!(told.contains("/latest.jpg is gone"), "{told}");
        }
        stage.clock = "2024-03-02T12:00:00Z".parse().unwrap();
        stage.run(outage).await;
    }
}

/// The picture with this time of the camera's clock in its EXIF (big-endian, `DateTime` alone).
fn with_exif(picture: &[u8], clock: &str) -> Vec<u8> {
    let mut tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x32\0\x02\0\0\0\x14\0\0\0\x1a\0\0\0\0".to_vec();
    tiff.extend_from_slice(clock.as_bytes());
    tiff.push(0);
    let length = (tiff.len() + 8) as u16;
    let head = [&[0xff, 0xe1][..], &length.to_be_bytes(), b"Exif\0\0", &tiff].concat();
    [&picture[..2], &head, &picture[2..]].concat()
}

/// The camera's own word goes before the server's, and one of another slot is no picture of this.
#[actix::test]
async fn the_moment_of_a_latest_picture_is_what_the_camera_wrote_into_it() {
    let pictures =
        [("2024:03:01 21:59:41", 1), ("2024:03:01 22:10:07", 2), ("2024:03:01 21:10:00", 3)]
            .map(|(clock, n)| with_exif(&judge::picture(n, Trouble::None, n), clock));
    let server = Server::start(move |_, nth| Reply::Body(pictures[nth.min(2)].clone()));
    let url = format!("{}latest.jpg", server.base());
    let mut stage = Stage::new(&server);
    at_station(&mut stage, station(PicturePlace::Address(url), PictureNames::Latest(None)));
    let mut told = Vec::new();
    for slot in slots_of(&stage.station, range("2024-03-01T22:00", "2024-03-01T22:29")) {
        stage.clock = clock_at(slot);
        let pipeline = stage.start();
        pipeline.run(SlotRange::of(slot)).await.unwrap();
        told.extend(pipeline.gate().take_faults().iter().map(|fault| fault.text().en));
        assert!(pipeline.stop().await.is_some());
    }
    // Its clock has jumped back by an hour.
    assert_eq!(told.len(), 1, "{told:?}");
    let parts =
        ["clock", "has jumped", "of 2024-03-02T00:10:00Z, 1 h 10 min behind 2024-03-02T01:20:00Z"];
    for part in parts {
        assert!(told[0].contains(part), "no '{part}': {}", told[0]);
    }
    let rows = stage
        .record()
        .texts("SELECT slot_local || ' ' || taken_at FROM observations ORDER BY slot_local");
    // By the station's clock, three hours behind.
    let wanted = ["2024-03-01T22:00 2024-03-02T00:59:41Z", "2024-03-01T22:10 2024-03-02T01:10:07Z"];
    assert_eq!(rows, wanted);
    let misses = stage.record().texts("SELECT slot_local || ' ' || detail FROM misses");
    assert_eq!(misses.len(), 1);
    assert!(misses[0].contains("2024-03-02T00:10:00Z, too far from the slot"), "{}", misses[0]);
}
