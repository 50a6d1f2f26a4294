//! Networks that fail.

use std::sync::Arc;

use celaje_sky::station::LayoutChoice;
use celaje_vision::engine::fake::{Act, FakeEngine};

use crate::support::first;
use crate::support::judge::{Judge, Trouble, picture};
use crate::support::server::{Reply, Server};
use crate::support::stage::Stage;
use crate::{camera, okta};

/// A server among whose pictures some give the network trouble.
fn troubled(at: &'static [(usize, Trouble)]) -> Server {
    Server::start(camera(move |asked, _| {
        let (_, trouble) = at.iter().find(|(index, _)| *index == asked.index)?;
        Some(Reply::Body(picture(okta(asked.index), *trouble, 1)))
    }))
}

#[actix::test]
async fn a_picture_that_fails_is_tried_alone_and_spoils_no_other() {
    let server = troubled(&[
        (3, Trouble::Fail),
        (10, Trouble::NotANumber),
        (17, Trouble::Short),
        (25, Trouble::Panic),
    ]);
    let judge = Judge::default();
    let mut stage = Stage::new(&server).with_layout(LayoutChoice::Root).with_engine(judge.engine());
    stage.tuning.batch = 8;
    stage.tuning.concurrency = 16;
    // No batch begins early for want of anything else to do.
    stage.tuning.shares_cores = false;
    let report = stage.run(first(32)).await;
    assert_eq!(report.end.ledger.new_rows(), 28);
    let misses: Vec<_> = stage.record().misses().into_values().collect();
    let reasons: Vec<&str> = misses.iter().map(|m| m.reason.as_str()).collect();
    assert_eq!(reasons, ["model", "model", "model", "poison"]);
    // Numbers that are none are believed at once, unless another picture spoilt their batch.
    let attempts: Vec<i64> = misses.iter().map(|m| m.attempts).collect();
    assert!(attempts == [2, 1, 2, 2] || attempts == [2; 4], "{attempts:?}");
    let batches = judge.batches();
    assert!(batches.iter().any(|batch| batch.len() > 1), "{batches:?}");
    // What failed was last run alone.
    for trouble in [Trouble::Fail, Trouble::Short, Trouble::Panic] {
        let last = batches.iter().rfind(|batch| batch.contains(&trouble));
        assert_eq!(last, Some(&vec![trouble]), "{batches:?}");
    }
    // A model's failure may pass (another model, another machine): it is asked for again. What
    // killed an actor twice is not, unless told to.
    server.forget_requests();
    stage.run(first(32)).await;
    assert_eq!(
        stage.record().reasons(),
        [("model".to_owned(), 3), ("poison".to_owned(), 1)].into()
    );
    assert!(!server.requests().iter().any(|path| path.contains("0412.jpg")));
}

#[actix::test]
async fn a_panic_costs_a_session_and_the_next_batch_opens_one() {
    let server = troubled(&[(0, Trouble::Panic)]);
    let judge = Judge::default();
    let mut stage = Stage::new(&server).with_layout(LayoutChoice::Root).with_engine(judge.engine());
    // On one thread, the second try of the picture needs what the first one cost.
    stage.tuning.threads = 1;
    stage.run(first(6)).await;
    assert_eq!(stage.record().reasons(), [("poison".to_owned(), 1)].into());
    assert!((2..=3).contains(&judge.sessions()), "{}", judge.sessions());
}

#[actix::test]
async fn an_engine_that_fails_once_costs_nothing() {
    let server = Server::start(camera(|_, _| None));
    for act in [Act::Fail("once".to_owned()), Act::Panic("once".to_owned()), Act::Short] {
        let engine = FakeEngine::scripted(move |call| match call.number {
            1 => act.clone(),
            _ => Act::okta(4),
        });
        let stage = Stage::new(&server).with_engine(Arc::new(engine));
        let report = stage.run(first(24)).await;
        assert_eq!(report.end.ledger.new_rows(), 24);
    }
}

#[actix::test]
async fn an_engine_that_always_fails_leaves_misses_alone() {
    let server = Server::start(camera(|_, _| None));
    for (act, reason) in [
        (Act::Fail("always".to_owned()), "model"),
        (Act::Panic("always".to_owned()), "poison"),
        (Act::Short, "model"),
        (Act::NotANumber, "model"),
        (Act::Give { data: vec![1.0; 8], shape: vec![8] }, "model"),
    ] {
        let mut stage = Stage::new(&server).with_engine(Arc::new(FakeEngine::always(act)));
        stage.supervision.budget.failures = 100;
        stage.run(first(12)).await;
        assert_eq!(stage.record().reasons()[reason], 12);
    }
}

#[actix::test]
async fn an_engine_that_opens_no_session_ends_the_run() {
    let server = Server::start(camera(|_, _| None));
    let engine = FakeEngine::always(Act::okta(1)).refusing("no such operator");
    let stage = Stage::new(&server).with_engine(Arc::new(engine));
    let report = stage.run(first(200)).await;
    let failure = report.end.failure.expect("says so");
    assert_eq!(failure.class.exit_status(), 3);
    assert!(
        failure.text.en.contains("no such operator") && failure.text.en.contains("judge 1"),
        "{failure}"
    );
    assert_eq!(stage.record().count("observations"), 0);
    assert!(server.requests().len() < 100, "it did not stop asking");
}

#[actix::test]
async fn batches_fill_up_and_never_grow_over_their_size() {
    let server = Server::start(camera(|_, _| None));
    let judge = Judge::default();
    let mut stage = Stage::new(&server).with_layout(LayoutChoice::Root).with_engine(judge.engine());
    (stage.tuning.batch, stage.tuning.concurrency) = (5, 16);
    stage.tuning.batch_deadline = std::time::Duration::from_millis(200);
    // No batch begins early for want of anything else to do.
    stage.tuning.shares_cores = false;
    stage.run(first(50)).await;
    let sizes: Vec<usize> = judge.batches().iter().map(Vec::len).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 50);
    assert!(sizes.iter().all(|size| *size <= 5), "{sizes:?}");
    assert!(sizes.contains(&5), "{sizes:?}");
}
