//! A year of raw rows in one answer, which does not delay the writer.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use celaje::store::CommitMode;
use celaje_sky::slot::{Slot, SlotRange};

use crate::site::{Site, at, begin, reading};

const YEAR: &str = "/api/v1/stations/rio-grande/observations?from=2023-01-01&to=2023-12-31";

#[actix::test]
async fn a_year_is_one_answer_and_does_not_delay_the_writer() {
    let site = Site::of("2023-01-01T00:00", "2023-12-31T23:59", "http://127.0.0.1:9/", |_| {});
    let begun = Instant::now();
    let reply = site.get(YEAR).await;
    let took = begun.elapsed();
    let body = reply.json();
    let items = body["items"].as_array().unwrap();
    // 365 misses, one a day.
    assert_eq!(items.len(), 365 * 144 - 365);
    assert_eq!(body["next"], serde_json::Value::Null);
    let slots: BTreeSet<_> = items.iter().map(|item| item["slot"].as_str().unwrap()).collect();
    assert_eq!(slots.len(), items.len());
    assert!(items.is_sorted_by_key(|item| item["slot"].as_str().unwrap()));
    println!("a year of raw rows: {} bytes in {took:?}", reply.body.len());

    // Commits while others read all of it, over and over: a writer that waited for readers would
    // give up.
    let mut database = site.database();
    let range = SlotRange::new(at("2024-01-01T00:00"), at("2024-01-01T23:59")).unwrap();
    let run = begin(&mut database, range);
    let slots: Vec<Slot> = range.slots(&site.station.minutes, site.station.zone).collect();
    let station = site.station.clone();
    let written = AtomicBool::new(false);
    let reading_on = async {
        while !written.load(Ordering::SeqCst) {
            let (a, b) = tokio::join!(site.get(YEAR), site.get(YEAR));
            assert_eq!((a.status, b.status), (200, 200));
        }
    };
    let writing = async {
        let work = tokio::task::spawn_blocking(move || {
            for slot in slots {
                let outcome = [reading(&station, slot, "http://127.0.0.1:9/")];
                database.commit(run, CommitMode::Insert, &outcome).unwrap();
            }
        });
        let done = work.await;
        written.store(true, Ordering::SeqCst);
        done.unwrap();
    };
    tokio::join!(reading_on, writing);
}
