//! What a run does with slots that the record knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use celaje::service::RunPolicy;
use celaje_sky::layout::Layout;
use celaje_sky::station::LayoutChoice;
use celaje_vision::engine::fake::{Act, FakeEngine};

use crate::support::server::{Reply, Server, closed};
use crate::support::stage::Stage;
use crate::support::{Asked, first};
use crate::{camera, okta};

/// A server with faults until it is mended.
fn mendable(
    fault: impl Fn(Asked) -> Option<Reply> + Send + Sync + 'static,
) -> (Server, Arc<AtomicBool>) {
    let mended = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&mended);
    let server =
        Server::start(camera(
            move |asked, _| {
                if seen.load(Ordering::SeqCst) { None } else { fault(asked) }
            },
        ));
    (server, mended)
}

const RETRY: RunPolicy = RunPolicy { retry_missed: true, reprocess: false };
const REPROCESS: RunPolicy = RunPolicy { retry_missed: false, reprocess: true };

fn faults(asked: Asked) -> Option<Reply> {
    match asked.index {
        2 => Some(Reply::not_found()),
        4 => Some(Reply::status(403)),
        6 => Some(Reply::Body(vec![0xff, 0xd8, 0xff, 0xe0])), // a JPEG that ends at once
        8 => Some(Reply::status(500)),
        _ => None,
    }
}

#[actix::test]
async fn a_settled_miss_is_left_alone_until_it_is_asked_for() {
    let (server, mended) = mendable(faults);
    let mut stage = Stage::new(&server).with_layout(LayoutChoice::Root);
    let report = stage.run(first(12)).await;
    assert_eq!(report.end.ledger.missed(), 4);
    let attempts = |stage: &Stage| {
        let misses = stage.record().misses();
        misses.into_values().map(|m| m.attempts).collect::<Vec<_>>()
    };
    assert_eq!(attempts(&stage), [1, 1, 1, 3]);

    // The refusals of the server are asked for again; the settled ones are known and counted.
    server.forget_requests();
    let report = stage.run(first(12)).await;
    assert_eq!((report.end.ledger.missed(), report.end.skipped_misses()), (4, 2));
    assert_eq!(server.requests().len(), 1 + 3);
    assert_eq!(attempts(&stage), [1, 2, 1, 6]);

    // Once the server is mended, a run takes what it still asks for ...
    mended.store(true, Ordering::SeqCst);
    server.forget_requests();
    let report = stage.run(first(12)).await;
    assert_eq!((report.end.ledger.new_rows(), report.end.ledger.missed()), (2, 2));
    assert_eq!(server.requests().len(), 2);

    // ... and the rest when it is told to. A miss that succeeds leaves the misses table.
    stage.policy = RETRY;
    server.forget_requests();
    let report = stage.run(first(12)).await;
    assert_eq!((report.end.ledger.new_rows(), report.end.ledger.missed()), (2, 0));
    assert_eq!(server.requests().len(), 2);
    assert_eq!(stage.record().count("misses"), 0);
    let oktas: Vec<i64> = (0..12).map(|i| i64::from(okta(i))).collect();
    assert_eq!(stage.record().oktas(), oktas);
}

/// Misses of a wrong address, or of a wrong layout, say nothing about the right one.
#[actix::test]
async fn another_source_or_layout_asks_again() {
    let wrong = Server::start(|_, _| Reply::not_found());
    let right = Server::start(camera(|asked, _| {
        (asked.layout == Layout::Root || asked.index == 5).then(Reply::not_found)
    }));
    let mut stage = Stage::new(&wrong).with_layout(LayoutChoice::Auto);
    let point_at = |stage: &mut Stage, server: &Server, layout| {
        stage.station.url_base = server.base();
        stage.station.layout = layout;
        stage.source = celaje::camera::Source::Http(server.base().parse().unwrap());
    };
    let report = stage.run(first(12)).await;
    assert_eq!(report.found_none(), Some(12));
    let again = stage.run(first(12)).await;
    assert_eq!((again.end.skipped_misses(), again.found_none()), (12, None));

    point_at(&mut stage, &right, LayoutChoice::Root);
    let report = stage.run(first(12)).await;
    assert_eq!(report.end.skipped_misses(), 0);
    assert_eq!(report.found_none(), Some(12));
    assert_eq!(stage.run(first(12)).await.end.skipped_misses(), 12);

    point_at(&mut stage, &right, LayoutChoice::Year);
    let report = stage.run(first(12)).await;
    assert_eq!((report.end.ledger.new_rows(), report.found_none()), (11, None));
    // A key of the address is no part of it, nor is the blank end of its path.
    let base = right.base().replace("http://", "http://user:key@");
    let base = format!("{}?key=1", base.trim_end_matches('/'));
    stage.source = celaje::camera::Source::Http(base.parse().unwrap());
    assert_eq!(stage.run(first(12)).await.end.skipped_misses(), 1);
    let sources = stage.record().texts("SELECT source FROM misses");
    assert_eq!(sources, [right.base()]);
}

/// A picture that was asked for within an hour of its slot may be late: it is no settled miss. What
/// is not due is not asked for.
#[actix::test]
async fn a_slot_that_has_just_been_is_asked_for_again_and_one_to_come_is_pending() {
    let server = Server::start(|_, _| Reply::not_found());
    let mut stage = Stage::new(&server).with_layout(LayoutChoice::Root);
    // Half past midnight at the station.
    stage.clock = "2024-03-01T03:30:00Z".parse().unwrap();
    let hour = crate::support::range("2024-03-01T00:00", "2024-03-01T00:59");
    for _ in 0..2 {
        let report = stage.run(hour).await;
        assert_eq!((report.end.ledger.missed(), report.not_due), (3, 3));
    }
    assert_eq!(server.requests().len(), 6);
    stage.clock = "2024-03-01T05:30:00Z".parse().unwrap();
    stage.run(hour).await;
    stage.run(hour).await;
    assert_eq!(server.requests().len(), 12, "those that were asked for late enough are settled");
    let mut record = stage.record();
    assert_eq!(record.count("misses WHERE last_tried LIKE '2024-03-01 05:3%'"), 6);
}

#[actix::test]
async fn reprocessing_replaces_rows_by_the_present_models() {
    let (server, mended) = mendable(faults);
    let mut stage = Stage::new(&server).with_layout(LayoutChoice::Root);
    stage.run(first(12)).await;
    assert_eq!(stage.record().count("observations"), 8);

    let mut model = stage.model.as_ref().clone();
    model.manifest.version = "2".to_owned();
    stage.model = Arc::new(model);
    stage.engine = Arc::new(FakeEngine::always(Act::okta(7)));
    stage.policy = REPROCESS;
    mended.store(true, Ordering::SeqCst);
    let report = stage.run(first(12)).await;
    let ledger = &report.end.ledger;
    assert_eq!((ledger.new_rows(), ledger.duplicates(), ledger.reprocessed()), (2, 8, 8));
    // The settled misses are left alone here too.
    assert_eq!(stage.record().oktas(), [7; 10]);
    assert_eq!(stage.record().count("observations WHERE model = 'judge 2'"), 10);
}

/// Its rows stay, and are duplicates: that the host was not reached is told all the same.
#[actix::test]
async fn reprocessing_from_a_host_that_is_down_says_so() {
    let server = Server::start(camera(|_, _| None));
    let mut stage = Stage::new(&server).with_layout(LayoutChoice::Root);
    stage.run(first(6)).await;
    let before = stage.record().rows();
    stage.policy = REPROCESS;
    let up = stage.run(first(6)).await;
    assert!(!up.host_unreachable());

    let nowhere = format!("http://{}/", closed());
    stage.station.url_base.clone_from(&nowhere);
    stage.source = celaje::camera::Source::Http(nowhere.parse().unwrap());
    // Of the last two slots there is no row: they are misses.
    let report = stage.run(first(8)).await;
    let ledger = &report.end.ledger;
    assert_eq!((ledger.duplicates(), ledger.reprocessed()), (6, 0));
    assert_eq!(ledger.missed(), 2);
    assert!(report.host_unreachable());
    // Nor when the rows are all there are.
    let report = stage.run(first(6)).await;
    assert_eq!((report.end.ledger.duplicates(), report.end.ledger.missed()), (6, 0));
    assert!(report.host_unreachable());
    assert_eq!(stage.record().rows(), before);
    // Nothing is asked for without --reprocess: no host is missed.
    stage.policy = RunPolicy::default();
    assert!(!stage.run(first(6)).await.host_unreachable());
}

/// A row is better than none: it stays when the picture is gone.
#[actix::test]
async fn a_row_whose_picture_is_gone_survives_reprocessing() {
    let (server, gone) = mendable(|_| None);
    let mut stage = Stage::new(&server).with_layout(LayoutChoice::Root);
    stage.run(first(6)).await;
    drop((server, gone));
    let before = stage.record().rows();

    let server = Server::start(camera(|asked, _| (asked.index == 3).then(Reply::not_found)));
    stage.station.url_base = server.base();
    stage.source = celaje::camera::Source::Http(server.base().parse().unwrap());
    stage.policy = REPROCESS;
    let report = stage.run(first(6)).await;
    let ledger = &report.end.ledger;
    assert_eq!((ledger.duplicates(), ledger.missed()), (6, 0));
    assert_eq!(ledger.reprocessed(), 5);
    let after = stage.record().rows();
    assert_eq!(after.len(), 6);
    let kept = before.iter().nth(3).unwrap();
    assert_eq!(after.get(kept.0), Some(kept.1));
    assert_eq!(stage.record().count("misses"), 0);
}
