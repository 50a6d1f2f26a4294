//! Hosts that cannot be reached.

use std::time::{Duration, Instant};

use celaje::station::LayoutChoice;

use crate::camera;
use crate::support::first;
use crate::support::server::{Reply, Server, closed};
use crate::support::stage::Stage;

#[actix::test]
async fn a_host_that_is_down_is_given_up_soon() {
    let stage = Stage::at(&format!("http://{}/", closed()));
    let begun = Instant::now();
    let report = stage.run(first(400)).await;
    assert!(report.host_unreachable());
    assert_eq!(stage.record().reasons()["unreachable"], 400);
    // A few tried their tries, the others were not even asked for.
    let misses = stage.record().misses();
    let tried = misses.values().filter(|missed| missed.attempts > 0).count();
    assert!((8..=40).contains(&tried), "{tried}");
    assert!(misses.values().all(|m| m.attempts == 0 || m.attempts == 3));
    assert!(begun.elapsed() < Duration::from_secs(20));
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
    assert!(
        reasons.keys().all(|r| r == "unreachable" || r == "reset"),
        "{reasons:?}"
    );

    // And those are asked for again, without being told to.
    let report = stage.run(first(120)).await;
    assert_eq!(report.end.ledger.missed(), 0);
    assert_eq!(stage.record().count("observations"), 120);
    assert_eq!(stage.record().count("misses"), 0);
}

#[actix::test]
async fn a_host_that_never_returns_ends_the_run_when_patience_does() {
    let server = Server::start(camera(|asked, _| {
        (asked.index == 20).then_some(Reply::Die(Duration::from_secs(60)))
    }));
    let mut stage = Stage::new(&server).with_layout(LayoutChoice::Root);
    stage.tuning.patience = Duration::from_millis(300);
    let report = stage.run(first(300)).await;
    assert!(!report.host_unreachable(), "it was reached at first");
    let ledger = &report.end.ledger;
    assert!(ledger.new_rows() >= 15 && ledger.missed() >= 270);
}

#[actix::test]
async fn a_host_that_only_refuses_is_reached() {
    let server = Server::start(camera(|_, _| Some(Reply::status(403))));
    let stage = Stage::new(&server);
    let report = stage.run(first(10)).await;
    assert!(!report.host_unreachable());
}
