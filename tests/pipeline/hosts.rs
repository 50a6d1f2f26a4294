//! Hosts that cannot be reached.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use celaje::camera::Source;
use celaje::camera::health::HostHold;
use celaje::camera::http::HttpClient;
use celaje::service::{Pass, RunPolicy};
use celaje::store::RunKind;
use celaje_sky::station::{LayoutChoice, Trust};
use tokio_util::sync::CancellationToken;

use crate::camera;
use crate::support::first;
use crate::support::server::{Reply, Server, closed};
use crate::support::stage::Stage;

#[actix::test]
async fn a_host_that_is_down_is_given_up_soon() {
    let stage = Stage::at(&format!("http://{}/", closed()));
    let report = stage.run(first(400)).await;
    assert!(report.host_unreachable());
    assert_eq!(stage.record().reasons()["unreachable"], 400);
    // A few tried their tries, the others were not even asked for.
    let misses = stage.record().misses();
    let tried = misses.values().filter(|missed| missed.attempts > 0).count();
    assert!((8..=40).contains(&tried), "{tried}");
    assert!(misses.values().all(|m| m.attempts == 0 || m.attempts == 3));
}

#[actix::test]
async fn a_host_that_returns_goes_on_where_it_ended() {
    let server = Server::start(camera(|asked, nth| {
        (asked.index == 30 && nth == 0).then_some(Reply::Die(Duration::from_millis(700)))
    }));
    let stage = Stage::new(&server).with_layout(LayoutChoice::Root);
    let report = stage.run(first(120)).await;
    // Those that were asked for before it counted as down are misses; all others are there.
    let ledger = &report.end.ledger;
    assert!(ledger.missed() <= 16, "{:?}", ledger.missed_by_reason());
    assert!(!report.host_unreachable());
    let reasons = stage.record().reasons();
    assert!(reasons.keys().all(|r| r == "unreachable" || r == "reset"), "{reasons:?}");

    // And those are asked for again, without being told to.
    let report = stage.run(first(120)).await;
    assert_eq!(report.end.ledger.missed(), 0);
    assert_eq!(stage.record().count("observations"), 120);
    assert_eq!(stage.record().count("misses"), 0);
}

#[actix::test]
async fn a_host_that_never_returns_ends_the_run_when_patience_does() {
    let server = Server::start(camera(|asked, _| {
        (asked.index == 60).then_some(Reply::Die(Duration::from_secs(60)))
    }));
    let mut stage = Stage::new(&server).with_layout(LayoutChoice::Root);
    stage.tuning.patience = Duration::from_millis(300);
    let report = stage.run(first(300)).await;
    assert!(!report.host_unreachable(), "it was reached at first");
    let ledger = &report.end.ledger;
    // Slots in flight overtake one another.
    assert!(
        ledger.new_rows() >= 15 && ledger.missed() >= 230,
        "{} {:?}",
        ledger.new_rows(),
        ledger.missed_by_reason()
    );
}

#[actix::test]
async fn a_host_that_only_refuses_is_reached() {
    let server = Server::start(camera(|_, _| Some(Reply::status(403))));
    let stage = Stage::new(&server);
    let report = stage.run(first(10)).await;
    assert!(!report.host_unreachable());
}

/// When each request reached the server.
type Times = Arc<Mutex<Vec<Instant>>>;

/// A server that asks for a second of patience with this status at each `every`th request.
fn impatient(status: u16, every: usize) -> (Server, Times) {
    let times = Times::default();
    let seen = Arc::clone(&times);
    let server = Server::start(camera(move |_, _| {
        let mut seen = seen.lock().unwrap();
        seen.push(Instant::now());
        let after = vec![("retry-after", "1".to_owned())];
        ((seen.len() - 1).is_multiple_of(every)).then_some(Reply::Status(status, after))
    }));
    (server, times)
}

/// No slot has more than one try here, so that each request is another slot's.
#[actix::test]
async fn a_host_that_asks_for_patience_is_left_alone_by_all_slots() {
    for status in [429, 503] {
        let (server, times) = impatient(status, 3);
        let mut stage = Stage::new(&server).with_layout(LayoutChoice::Root);
        stage.tuning.concurrency = 1;
        stage.tuning.http.retry.retries = 0;
        let report = stage.run(first(6)).await;
        assert_eq!(report.end.ledger.missed(), 2);
        assert!(!report.host_unreachable());
        let times = times.lock().unwrap();
        assert_eq!(times.len(), 6);
        for refused in [0, 3] {
            let pause = times[refused + 1] - times[refused];
            assert!(pause >= Duration::from_secs(1), "{status}: {pause:?}");
        }
    }
}

#[actix::test]
async fn clients_leave_a_host_alone_together() {
    let (server, times) = impatient(503, 2);
    let mut limits = crate::support::stage::tuning().http;
    limits.retry.retries = 0;
    let base: url::Url = server.base().parse().unwrap();
    let hold = Arc::new(HostHold::default());
    let drain = CancellationToken::new();
    let client = || {
        let source = Source::Http(base.clone());
        HttpClient::new(source.base(), &Trust::default(), limits.clone(), drain.clone())
            .unwrap()
            .sharing(Arc::clone(&hold))
    };
    let (one, other) = (client(), client());
    let url = base.join("2024-03010002.jpg").unwrap();
    assert_eq!(one.get(url.clone()).await.unwrap_err().unwrap().attempts, 1);
    assert!(other.get(url.clone()).await.is_ok());
    let seen = times.lock().unwrap().clone();
    let pause = seen[1] - seen[0];
    assert!(pause >= Duration::from_secs(1), "{pause:?}");
    // A run that drains waits for no host.
    hold.hold(Instant::now() + Duration::from_secs(3600));
    drain.cancel();
    assert_eq!(one.get(url).await.unwrap_err(), None);
    assert_eq!(times.lock().unwrap().len(), 2);
}

/// A pass that is paused leaves what hangs, and the next one does what is left.
#[actix::test]
async fn what_hangs_is_left_by_a_pause_and_asked_for_by_the_next_pass() {
    let server =
        Server::start(camera(|asked, nth| (asked.index == 2 && nth == 0).then_some(Reply::Hang)));
    let stage = Stage::new(&server).with_layout(LayoutChoice::Root).with_timeouts(300_000, 300_000);
    let pipeline = stage.start();
    let run = pipeline.begin(RunKind::Backfill, first(6), 6).await.unwrap();
    let pass = Pass::of(first(6), run, RunPolicy::default());
    let pause = pipeline.pauser();
    // Nothing is under way yet.
    pause();
    let paused = {
        let work = pipeline.pass(pass);
        tokio::pin!(work);
        loop {
            tokio::select! {
                report = &mut work => break report.unwrap(),
                () = tokio::time::sleep(Duration::from_millis(50)) => {
                    if server.requests().len() >= 6 {
                        pause();
                    }
                }
            }
        }
    };
    assert!(paused.end.failure.is_none());
    assert_eq!((paused.pending(), paused.end.ledger.new_rows()), (1, 5));
    assert_eq!(paused.end.ledger.missed(), 0);
    let whole = pipeline.pass(pass).await.unwrap();
    let ledger = &whole.end.ledger;
    assert_eq!((ledger.new_rows(), ledger.duplicates()), (1, 5));
    assert_eq!(whole.pending(), 0);
    // It keeps the scheduler.
    drop(pause);
    assert!(pipeline.stop().await.is_some());
    assert_eq!(server.requests().len(), 7);
}

/// A name that nobody resolves. It has a label longer than names may have, so that no resolver is
/// asked outside this machine.
#[actix::test]
async fn a_name_that_is_not_resolved_is_a_host_that_is_down() {
    let base = format!("http://{}.invalid/sky/", "camera".repeat(11));
    let stage = Stage::at(&base).with_layout(LayoutChoice::Root);
    let report = stage.run(first(40)).await;
    let reasons = stage.record().reasons();
    assert_eq!(reasons.values().sum::<u64>(), 40);
    assert!(reasons.keys().all(|reason| reason == "unreachable"), "{reasons:?}");
    assert_eq!(report.end.ledger.new_rows(), 0);
}
