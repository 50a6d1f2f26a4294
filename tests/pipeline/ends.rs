//! Runs that end before their range does.

use std::time::Duration;

use crate::support::first;
use crate::support::record::Record;
use crate::support::server::{Reply, Server};
use crate::support::stage::Stage;
use crate::{camera, healthy};

#[actix::test]
async fn draining_commits_what_is_in_flight_and_the_next_run_goes_on() {
    let server = Server::start(camera(|asked, _| Some(healthy(asked.index).late(3))));
    let stage = Stage::new(&server);
    let pipeline = stage.start();
    let drain = pipeline.drainer();
    let mut progress = pipeline.progress();
    let draining = actix::spawn(async move {
        while progress.borrow_and_update().ledger.new_rows() < 20 {
            progress.changed().await.unwrap();
        }
        drain();
    });
    let report = pipeline.run(first(500)).await.unwrap();
    draining.await.unwrap();
    assert!(pipeline.stop().await.is_some());
    stage.check(first(500), &report);
    let done = report.end.ledger.total();
    assert!((20..120).contains(&done), "{done}");
    assert_eq!(report.pending(), 500 - done);
    assert_eq!(stage.record().count("observations") as u64, done);
    // Only what was asked for is stored, and what was asked for is stored.
    assert!(server.requests().len() as u64 <= done + 4 + 1);

    let report = stage.run(first(120)).await;
    assert_eq!(report.end.ledger.duplicates(), done);
    assert_eq!(report.end.ledger.new_rows(), 120 - done);
}

#[actix::test]
async fn draining_waits_for_no_retry_and_no_host() {
    // Each would wait for minutes, were the run not draining.
    let patience = vec![("retry-after", "100".to_owned())];
    let server = Server::start(camera(move |_, _| Some(Reply::Status(503, patience.clone()))));
    let stage = Stage::new(&server);
    let pipeline = stage.start();
    let drain = pipeline.drainer();
    let asked_for = server.requests().len();
    assert_eq!(asked_for, 0);
    let draining = actix::spawn(async move {
        while server.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drain();
    });
    let run = pipeline.run(first(50));
    let report =
        tokio::time::timeout(Duration::from_secs(30), run).await.expect("drains at once").unwrap();
    draining.await.unwrap();
    assert!(pipeline.stop().await.is_some());
    stage.check(first(50), &report);
    assert_eq!(report.end.ledger.total(), 0);
    assert_eq!(stage.record().count("misses"), 0);
}

#[actix::test]
async fn a_drain_before_the_run_leaves_it_undone() {
    let server = Server::start(camera(|_, _| None));
    let stage = Stage::new(&server);
    let pipeline = stage.start();
    (pipeline.drainer())();
    let report = pipeline.run(first(10)).await.unwrap();
    assert!(pipeline.stop().await.is_some());
    stage.check(first(10), &report);
    assert_eq!((report.pending(), server.requests().len()), (10, 0));
}

/// A database that stops taking rows in mid-run ends it, with a sentence, and nothing half-written.
#[actix::test]
async fn a_database_that_fails_ends_the_run() {
    let server = Server::start(camera(|asked, _| Some(healthy(asked.index).late(2))));
    let stage = Stage::new(&server);
    let pipeline = stage.start();
    let db = stage.db();
    let mut progress = pipeline.progress();
    let spoiling = actix::spawn(async move {
        while progress.borrow_and_update().ledger.new_rows() < 20 {
            progress.changed().await.unwrap();
        }
        Record::open(&db).execute(
            "PRAGMA busy_timeout = 5000; CREATE TRIGGER full BEFORE INSERT ON observations \
             BEGIN SELECT raise(ABORT, 'the disk is on fire'); END",
        );
    });
    let report = pipeline.run(first(500)).await.unwrap();
    spoiling.await.unwrap();
    assert!(pipeline.stop().await.is_some());
    let failure = report.end.failure.clone().expect("says so");
    assert_eq!(failure.class.exit_status(), 3);
    assert!(failure.text.en.contains("on fire"), "{failure}");
    stage.check(first(500), &report);
    let done = report.end.ledger.total();
    assert_eq!(stage.record().count("observations") as u64, done);
    assert!(done < 200 && server.requests().len() < 300);

    stage.record().execute("DROP TRIGGER full");
    let report = stage.run(first(60)).await;
    assert_eq!(stage.record().count("observations"), 60.max(done as i64));
    assert_eq!(report.end.ledger.missed(), 0);
}
