//! A year of raw rows in one answer, which does not delay the writer.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
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

    // Somebody reads the beginning of it, and no more until all is written: a writer that waited
    // for readers would wait for ever.
    let address = site.addr();
    let mut reader = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!("GET {YEAR} HTTP/1.0\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream.read_exact(&mut [0; 1000]).unwrap();
        stream
    })
    .await
    .unwrap();
    let mut database = site.database();
    let range = SlotRange::new(at("2024-01-01T00:00"), at("2024-01-01T23:59")).unwrap();
    let run = begin(&mut database, range);
    let slots: Vec<Slot> = range.slots(&site.station.minutes, site.station.zone).collect();
    let station = site.station.clone();
    let writing = tokio::task::spawn_blocking(move || {
        for slot in slots {
            let outcome = [reading(&station, slot, "http://127.0.0.1:9/")];
            database.commit(run, CommitMode::Insert, &outcome).unwrap();
        }
    });
    writing.await.unwrap();
    let mut rest = Vec::new();
    let read = tokio::task::spawn_blocking(move || {
        reader.read_to_end(&mut rest).unwrap();
        rest.len()
    });
    let read = read.await.unwrap();
    assert!(read + 1000 > reply.body.len(), "{read} of {}", reply.body.len());
}
