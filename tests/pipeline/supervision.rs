//! Actors that fail again and again, and actors that hang.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use celaje::actors::failpoint::{Failpoints, Point};
use celaje::actors::health::Part;
use celaje::actors::watchdog::Patience;
use celaje::store::{Database, SharedDatabase};
use celaje_sky::outcome::MissReason;
use celaje_sky::restarts::RestartBudget;
use celaje_sky::slot::Slot;
use celaje_vision::engine::fake::{Act, FakeEngine};

use crate::support::judge::{Trouble, picture};
use crate::support::server::{Reply, Server};
use crate::support::stage::Stage;
use crate::support::{first, slots};
use crate::{camera, healthy};

const HURRIED: Patience = Patience {
    every: Duration::from_millis(10),
    limit: Duration::from_millis(400),
    grace: Duration::from_millis(300),
    end: Duration::from_secs(30),
};

#[actix::test]
async fn an_actor_that_fails_too_often_ends_the_run_with_one_line() {
    let server = Server::start(camera(|_, _| None));
    let broken = Arc::new(FakeEngine::always(Act::Panic("out of order".to_owned())));
    let mut stage = Stage::new(&server).with_engine(broken);
    stage.supervision.budget = RestartBudget { failures: 3, ..RestartBudget::default() };
    let pipeline = stage.start();
    let vitals = pipeline.oversight();
    let report = pipeline.run(first(60)).await.unwrap();
    assert!(pipeline.stop().await.is_some());
    stage.check(first(60), &report);
    let failure = report.end.failure.clone().expect("the run fails");
    assert_eq!(failure.class.exit_status(), 3);
    for part in ["'session' fails at nearly everything", "'out of order'", "--retry-missed"] {
        assert!(failure.text.en.contains(part), "{failure}");
    }
    assert!(report.pending() > 0, "it ended before its range");
    let actors = vitals.report();
    let session = actors.iter().find(|one| one.actor == Part::Session).unwrap();
    assert!(session.restarts > 3);
    assert_eq!(session.last_error.as_deref(), Some("out of order"));

    // Nothing is lost: a session that works does what is left.
    stage.engine = crate::support::judge::Judge::default().engine();
    stage.policy.retry_missed = true;
    let report = stage.run(first(60)).await;
    assert_eq!(report.end.ledger.new_rows(), 60);
}

#[actix::test]
async fn what_fails_now_and_then_goes_on_after_a_rest() {
    let server = Server::start(camera(|asked, _| {
        let trouble = if asked.index % 10 == 3 { Trouble::Panic } else { Trouble::None };
        Some(Reply::Body(picture(4, trouble, asked.index as u8)))
    }));
    let mut stage = Stage::new(&server);
    let rest = Duration::from_millis(20);
    stage.supervision.budget.first_pause = rest;
    stage.tuning.threads = 1;
    let pipeline = stage.start();
    let (vitals, begun) = (pipeline.oversight(), std::time::Instant::now());
    let report = pipeline.run(first(40)).await.unwrap();
    assert!(pipeline.stop().await.is_some());
    stage.check(first(40), &report);
    let actors = vitals.report();
    let session = actors.iter().find(|one| one.actor == Part::Session).unwrap();
    // The four may come in one batch; after it each crashes the session alone.
    assert!((1 + 4..=2 * 4).contains(&session.restarts), "{actors:?}");
    // The one thread rests after each crash before it comes to the next.
    let rests = u32::try_from(session.restarts).unwrap() - 1;
    assert!(begun.elapsed() >= rests * rest, "it did not rest: {actors:?}");
    assert_eq!(report.end.failure, None);
    let poisoned = report.end.ledger.missed_by_reason().get(&MissReason::Poison);
    assert_eq!((report.end.ledger.new_rows(), poisoned), (36, Some(&4)));
}

/// A stage whose decoders crash at the pictures of these slots.
fn crashing(server: &Server, at: impl Fn(Slot) -> bool + Send + Sync + 'static) -> Stage {
    let mut stage = Stage::new(server);
    stage.supervision.failpoints = Failpoints::calling(move |point, slot| {
        let crashes = point == Point::Decode && slot.is_some_and(&at);
        assert!(!crashes, "a picture that no decoder bears");
    });
    stage
}

#[actix::test]
async fn pictures_that_crash_the_decoder_are_given_up_and_all_others_stored() {
    let server = Server::start(camera(|asked, _| Some(healthy(asked.index))));
    let bad: BTreeSet<Slot> = slots(first(400)).into_iter().skip(3).step_by(10).collect();
    let crash = bad.clone();
    let stage = crashing(&server, move |slot| crash.contains(&slot));
    let report = stage.run(first(400)).await;
    assert_eq!(report.end.failure, None);
    assert_eq!(report.end.ledger.new_rows(), 360);
    let misses = stage.record().misses();
    let given_up: BTreeSet<&str> = misses.keys().map(String::as_str).collect();
    let bad: Vec<String> = bad.iter().map(Slot::to_string).collect();
    assert_eq!(given_up, bad.iter().map(String::as_str).collect());
    assert!(misses.values().all(|miss| miss.reason == "poison"));
    // No loop: each is fetched twice, and by no later run.
    assert_eq!(server.requests().len(), 400 + 40);
    server.forget_requests();
    let report = stage.run(first(400)).await;
    assert_eq!(report.end.ledger.duplicates(), 360);
    assert_eq!(server.requests(), Vec::<String>::new());
}

#[actix::test]
async fn a_decoder_that_crashes_at_every_picture_ends_the_run_before_its_range() {
    let server = Server::start(camera(|asked, _| Some(healthy(asked.index))));
    let stage = crashing(&server, |_| true);
    let report = stage.run(first(400)).await;
    let failure = report.end.failure.clone().expect("the run fails");
    assert_eq!(failure.class.exit_status(), 3);
    assert!(failure.text.en.contains("'decode' fails at nearly everything"), "{failure}");
    assert!(report.pending() > 300, "{report:?}");
    assert_eq!(stage.record().count("observations"), 0);
}

#[actix::test]
async fn a_session_that_hangs_ends_the_run_and_its_picture_is_not_asked_for_again() {
    let server = Server::start(camera(|asked, _| Some(healthy(asked.index))));
    let freed = Arc::new(AtomicBool::new(false));
    let (hangs, runs) = (Arc::clone(&freed), AtomicUsize::new(0));
    let engine = FakeEngine::scripted(move |_| {
        if runs.fetch_add(1, Ordering::SeqCst) == 5 {
            while !hangs.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Act::okta(3)
    });
    let mut stage = Stage::new(&server).with_engine(Arc::new(engine));
    stage.tuning.batch = 1;
    stage.supervision.patience = HURRIED;
    let pipeline = stage.start();
    let report = pipeline.run(first(40)).await.unwrap();
    let failure = report.end.failure.clone().expect("the run fails");
    assert!(failure.text.en.contains("the actor 'session' hangs"), "{failure}");
    assert_eq!(failure.class.exit_status(), 3);
    let misses = stage.record().misses();
    let hung: Vec<_> = misses.iter().filter(|(_, miss)| miss.reason == "poison").collect();
    assert_eq!(hung.len(), 1, "{misses:?}");
    assert_eq!(hung[0].1.detail, "the actor 'session' hung at it");
    let at = hung[0].0.clone();
    // The process ends here, and with it what hangs; a copy of what it leaves is gone on with.
    let left = tempfile::tempdir().unwrap();
    let copy = left.path().join("left.db");
    stage.record().execute(&format!("VACUUM INTO '{}'", copy.display()));
    let runs = stage.record().runs();
    freed.store(true, Ordering::SeqCst);
    assert!(pipeline.stop().await.is_some());
    // What it says when it wakes up is not booked to the run, which is closed.
    assert_eq!(stage.record().misses(), misses);
    assert_eq!(stage.record().runs(), runs);
    let kept = std::fs::read(&copy).unwrap();
    std::fs::write(stage.db(), kept).unwrap();

    let slot = slots(first(40)).into_iter().find(|slot| slot.to_string() == at);
    let path = slot.unwrap().file_name();
    let asked = || server.requests().iter().filter(|one| one.ends_with(&path)).count();
    let before = asked();

    stage.engine = crate::support::judge::Judge::default().engine();
    let report = stage.run(first(40)).await;
    assert_eq!(report.end.failure, None);
    assert_eq!(asked(), before, "the picture that it hung at was asked for again");
}

/// A station's next pipeline shares the health of the one that hung, whose thread is still busy.
#[actix::test]
async fn work_that_a_hung_pipeline_left_behind_is_no_hang_of_the_next_one() {
    let server = Server::start(camera(|asked, _| Some(healthy(asked.index))));
    let freed = Arc::new(AtomicBool::new(false));
    let (hangs, runs) = (Arc::clone(&freed), AtomicUsize::new(0));
    let engine = FakeEngine::scripted(move |_| {
        if runs.fetch_add(1, Ordering::SeqCst) == 0 {
            while !hangs.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Act::okta(3)
    });
    let mut stage = Stage::new(&server).with_engine(Arc::new(engine));
    stage.tuning.batch = 1;
    stage.supervision.patience = HURRIED;
    let opened = Database::open(&stage.db(), &stage.station).unwrap();
    let database: SharedDatabase = opened.database.into();
    let hung = stage.start_on(database.clone());
    let health = hung.oversight().health;
    let report = hung.run(first(8)).await.unwrap();
    assert!(report.end.failure.is_some(), "the first pipeline hangs");
    assert!(hung.stop().await.is_none(), "its thread is left behind");

    let ended = Arc::new(AtomicBool::new(false));
    let ends = Arc::clone(&ended);
    stage.supervision.last_resort = Arc::new(move || ends.store(true, Ordering::SeqCst));
    stage.supervision.health = Some(health);
    stage.supervision.patience.end = HURRIED.limit;
    let next = stage.start_on(database);
    for range in [first(20), first(40)] {
        let report = next.run(range).await.unwrap();
        assert_eq!(report.end.failure, None);
        tokio::time::sleep(3 * HURRIED.limit).await;
    }
    assert!(!ended.load(Ordering::SeqCst), "the last resort was called");
    let found: u64 = next.oversight().report().iter().map(|a| a.hangs).sum();
    assert_eq!(found, 1, "only the hang of the first pipeline counts");
    freed.store(true, Ordering::SeqCst);
    next.stop().await;
}

#[actix::test]
async fn to_wait_is_not_to_hang() {
    // A server that is slower than the watchdog's patience, and sessions that are the bottleneck.
    let server = Server::start(camera(|asked, _| {
        let late = if asked.index < 4 { 900 } else { 0 };
        Some(healthy(asked.index).late(late))
    }));
    let engine = FakeEngine::always(Act::okta(5)).with_delay(Duration::from_millis(30));
    let mut stage = Stage::new(&server).with_engine(Arc::new(engine));
    stage.tuning.batch = 1;
    stage.tuning.threads = 1;
    stage.supervision.patience = HURRIED;
    let pipeline = stage.start();
    let vitals = pipeline.oversight();
    let report = pipeline.run(first(60)).await.unwrap();
    assert!(pipeline.stop().await.is_some());
    stage.check(first(60), &report);
    assert_eq!(report.end.failure, None);
    assert_eq!(report.end.ledger.new_rows(), 60);
    assert!(vitals.report().iter().all(|actor| actor.hangs == 0));
}
