//! The scheduler: who is asked for what, and when the run is over.

use actix::prelude::*;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use celaje::actors::fetch::FetchItem;
use celaje::actors::scheduler::{Drain, Fail, FetchAgain, Pause, RunEnd, Scheduler, StartRun};
use celaje::actors::store::Commit;
use celaje_sky::credit::Fate;
use celaje_sky::error::Failure;
use celaje_sky::outcome::{MissReason, Outcome};
use celaje_sky::plan::Plan;
use celaje_sky::run::{Progress, Run};
use celaje_sky::say;
use celaje_sky::slot::{Slot, SlotGrid};
use celaje_sky::station::Station;

use crate::support::first;
use crate::{Heard, recorder, slot};

/// A scheduler among recorders.
struct Scene {
    scheduler: Addr<Scheduler>,
    fetchers: Vec<Heard<FetchItem>>,
    store: Heard<Commit>,
    progress: watch::Receiver<Progress>,
    drain: CancellationToken,
}

impl Scene {
    fn new(fetchers: usize, doubts: Vec<Vec<Slot>>) -> Self {
        let mut doubts = doubts.into_iter();
        Self::doubting(fetchers, move || doubts.next().unwrap_or_default())
    }

    /// A scheduler that asks `doubts` what to fetch again.
    fn doubting(fetchers: usize, doubts: impl FnMut() -> Vec<Slot> + Send + 'static) -> Self {
        let (recipients, heard): (Vec<_>, Vec<_>) = (0..fetchers)
            .map(|_| {
                let (address, heard) = recorder::<FetchItem>();
                (address.recipient(), heard)
            })
            .unzip();
        let (store, commits) = recorder::<Commit>();
        let (sender, progress) = watch::channel(Progress::default());
        let drain = CancellationToken::new();
        let scheduler = Scheduler::new(recipients, store.recipient(), sender, drain.clone())
            .with_doubts(doubts);
        Self {
            scheduler: Supervisor::start(|_| scheduler),
            fetchers: heard,
            store: commits,
            progress,
            drain,
        }
    }

    /// Begins a run over `n` slots with so many credits.
    fn run(&self, n: usize, credits: usize) -> oneshot::Receiver<RunEnd> {
        let slots = first(n).slots(&SlotGrid::default(), Station::rio_grande().zone);
        let run = Run::new(Plan::new(slots, vec![], vec![]), n as u64, credits);
        let (done, ended) = oneshot::channel();
        self.scheduler.do_send(StartRun { run, done });
        ended
    }

    async fn asked(&mut self) -> FetchItem {
        self.fetchers[0].next().await
    }
}

#[actix::test]
async fn no_more_slots_are_in_flight_than_there_are_credits() {
    let mut scene = Scene::new(1, vec![]);
    let mut ended = scene.run(10, 3);
    let mut flying = scene.fetchers[0].several(3).await;
    for (index, item) in flying.iter().enumerate() {
        assert_eq!((item.credit.slot(), item.credit.attempt()), (slot(index), 1));
    }
    for done in 0..10 {
        scene.fetchers[0].nothing().await;
        let now = scene.progress.borrow().clone();
        assert_eq!(now.in_flight, flying.len());
        assert_eq!((now.planned, now.ledger.total()), (10, done));
        assert!(ended.try_recv().is_err(), "ended with slots in flight");
        // In any order.
        let item = flying.remove(flying.len() / 2);
        item.credit.settle(Fate::New);
        if done < 7 {
            flying.push(scene.asked().await);
        }
    }
    let end = ended.await.unwrap();
    assert_eq!((end.ledger.new_rows(), end.planned), (10, 10));
    assert!(end.failure.is_none() && !scene.drain.is_cancelled());
    assert_eq!(scene.progress.borrow().in_flight, 0);
}

#[actix::test]
async fn fetchers_take_turns() {
    let mut scene = Scene::new(3, vec![]);
    let _ended = scene.run(9, 9);
    let mut flying = Vec::new();
    for heard in &mut scene.fetchers {
        flying.extend(heard.several(3).await);
        heard.nothing().await;
    }
    assert_eq!(flying.len(), 9);
}

#[actix::test]
async fn a_lost_slot_is_fetched_again_and_then_committed_as_poison() {
    let mut scene = Scene::new(1, vec![]);
    let ended = scene.run(2, 2);
    let lost = scene.asked().await;
    let other = scene.asked().await;
    drop(lost);
    let again = scene.asked().await;
    assert_eq!((again.credit.slot(), again.credit.attempt()), (slot(0), 2));
    drop(again);
    let Commit(mut finished) = scene.store.next().await;
    let finished = finished.pop().unwrap();
    let Outcome::Missed(miss) = &finished.outcome else { panic!("a miss is committed") };
    assert_eq!((miss.slot, miss.reason, miss.attempts), (slot(0), MissReason::Poison, 2));
    scene.fetchers[0].nothing().await;
    finished.credit.settle(Fate::Missed(MissReason::Poison));
    other.credit.settle(Fate::New);
    let end = ended.await.unwrap();
    assert_eq!(end.ledger.missed_by_reason()[&MissReason::Poison], 1);
    assert_eq!(end.ledger.total(), 2);
}

#[actix::test]
async fn a_slot_whose_miss_is_lost_too_ends_the_run_with_a_sentence() {
    let mut scene = Scene::new(1, vec![]);
    let ended = scene.run(20, 1);
    drop(scene.asked().await);
    drop(scene.asked().await);
    drop(scene.store.next().await);
    let end = ended.await.unwrap();
    let failure = end.failure.unwrap();
    assert_eq!(failure.class.exit_status(), 3);
    assert!(failure.text.en.contains("2024-03-01T00:02"), "{failure}");
    assert_eq!(end.ledger.total(), 0);
}

#[actix::test]
async fn fetchers_that_died_lose_no_slot() {
    let mut scene = Scene::new(0, vec![]);
    let ended = scene.run(4, 2);
    for _ in 0..4 {
        let Commit(finished) = scene.store.next().await;
        for finished in finished {
            finished.credit.settle(Fate::Missed(MissReason::Poison));
        }
    }
    assert_eq!(ended.await.unwrap().ledger.missed(), 4);
}

#[actix::test]
async fn draining_ends_when_what_is_in_flight_does() {
    let mut scene = Scene::new(1, vec![]);
    let mut ended = scene.run(50, 3);
    let mut flying = scene.fetchers[0].several(3).await;
    scene.scheduler.do_send(Drain);
    flying.remove(0).credit.settle(Fate::New);
    flying.remove(0).credit.settle(Fate::Cancelled);
    scene.fetchers[0].nothing().await;
    assert!(scene.drain.is_cancelled());
    assert!(ended.try_recv().is_err(), "one is in flight still");
    // What is lost now is not fetched again.
    drop(flying);
    let end = ended.await.unwrap();
    assert_eq!((end.ledger.total(), end.planned), (1, 50));
    assert!(end.failure.is_none());
    scene.fetchers[0].nothing().await;
}

#[actix::test]
async fn a_failure_drains_and_the_first_one_is_told() {
    let mut scene = Scene::new(1, vec![]);
    let ended = scene.run(50, 2);
    let flying = scene.fetchers[0].several(2).await;
    for text in [say!("first", "primera"), say!("second", "segunda")] {
        scene.scheduler.do_send(Fail(Failure::environment(text)));
    }
    for item in flying {
        item.credit.settle(Fate::New);
    }
    let end = ended.await.unwrap();
    assert_eq!(end.failure.unwrap().text.en, "first");
    assert_eq!(end.ledger.new_rows(), 2);
    assert!(scene.drain.is_cancelled());
}

#[actix::test]
async fn slots_believed_missing_too_soon_are_fetched_again() {
    let mut scene = Scene::new(1, vec![]);
    let ended = scene.run(3, 3);
    let missed = Fate::Missed(MissReason::NotFound);
    let [a, b, c]: [FetchItem; 3] =
        scene.fetchers[0].several(3).await.try_into().unwrap_or_else(|_| panic!("three"));
    a.credit.settle(missed);
    scene.scheduler.do_send(FetchAgain(vec![slot(0), slot(1)]));
    let again = scene.asked().await;
    assert_eq!(again.credit.slot(), slot(0));
    b.credit.settle(missed); // was on its way when it was doubted
    let second = scene.asked().await;
    assert_eq!(second.credit.slot(), slot(1));
    for item in [again, second, c] {
        item.credit.settle(Fate::New);
    }
    let end = ended.await.unwrap();
    assert_eq!((end.ledger.new_rows(), end.ledger.missed()), (3, 0));
}

#[actix::test]
async fn a_paused_run_ends_early_and_another_one_may_follow() {
    let mut scene = Scene::new(1, vec![]);
    // Without a run there is nothing to pause, not even the next one.
    scene.scheduler.do_send(Pause);
    let paused = scene.run(5, 2);
    let flying = scene.fetchers[0].several(2).await;
    scene.scheduler.do_send(Pause);
    scene.scheduler.do_send(Pause);
    for (item, fate) in flying.into_iter().zip([Fate::New, Fate::Cancelled]) {
        item.credit.settle(fate);
    }
    let end = paused.await.unwrap();
    assert_eq!((end.ledger.total(), end.planned), (1, 5));
    assert!(end.failure.is_none());
    let next = scene.run(2, 2);
    for item in scene.fetchers[0].several(2).await {
        item.credit.settle(Fate::New);
    }
    assert_eq!(next.await.unwrap().ledger.new_rows(), 2);
    // A drain is for good, even of a run that is paused already.
    let last = scene.run(5, 1);
    let item = scene.asked().await;
    scene.scheduler.do_send(Pause);
    scene.scheduler.do_send(Drain);
    item.credit.settle(Fate::New);
    assert_eq!(last.await.unwrap().ledger.total(), 1);
    assert_eq!(scene.run(5, 1).await.unwrap().ledger.total(), 0);
}

#[actix::test]
async fn doubts_are_asked_for_before_the_run_ends() {
    let mut scene = Scene::new(1, vec![vec![slot(1)], vec![slot(1)], vec![]]);
    let mut ended = scene.run(2, 2);
    for item in scene.fetchers[0].several(2).await {
        item.credit.settle(Fate::Missed(MissReason::NotFound));
    }
    for fate in [Fate::Missed(MissReason::NotFound), Fate::New] {
        let again = scene.asked().await;
        assert_eq!(again.credit.slot(), slot(1));
        assert!(ended.try_recv().is_err());
        again.credit.settle(fate);
    }
    let end = ended.await.unwrap();
    assert_eq!((end.ledger.new_rows(), end.ledger.missed()), (1, 1));
}

#[actix::test]
async fn a_panic_in_the_scheduler_loses_no_slot() {
    let mut asked = 0;
    let mut scene = Scene::doubting(1, move || {
        asked += 1;
        match asked {
            1 => panic!("once"),
            2 => vec![slot(0)],
            _ => vec![],
        }
    });
    let ended = scene.run(2, 2);
    for item in scene.fetchers[0].several(2).await {
        item.credit.settle(Fate::Missed(MissReason::NotFound));
    }
    // It has restarted, and goes on with the run as it stood.
    let again = scene.asked().await;
    assert_eq!(again.credit.slot(), slot(0));
    again.credit.settle(Fate::New);
    let end = ended.await.unwrap();
    assert_eq!((end.ledger.new_rows(), end.ledger.missed()), (1, 1));
    assert!(end.failure.is_none() && !scene.drain.is_cancelled());
    // And takes another run.
    let second_run = scene.run(1, 1);
    scene.asked().await.credit.settle(Fate::New);
    assert_eq!(second_run.await.unwrap().ledger.new_rows(), 1);
}

#[actix::test]
async fn a_scheduler_that_panics_for_ever_ends_the_run_with_a_sentence() {
    let mut scene = Scene::doubting(1, || panic!("for ever"));
    let ended = scene.run(1, 1);
    scene.asked().await.credit.settle(Fate::New);
    let end = ended.await.unwrap();
    assert_eq!(end.failure.unwrap().class.exit_status(), 3);
    assert_eq!((end.ledger.new_rows(), end.planned), (1, 1));
}

/// Credits of an earlier run that come home late are passed over.
#[actix::test]
async fn a_second_run_begins_with_a_clean_ledger() {
    let mut scene = Scene::new(1, vec![]);
    let first_run = scene.run(1, 1);
    scene.asked().await.credit.settle(Fate::New);
    assert_eq!(first_run.await.unwrap().ledger.total(), 1);
    let second_run = scene.run(2, 2);
    for item in scene.fetchers[0].several(2).await {
        item.credit.settle(Fate::Duplicate);
    }
    let end = second_run.await.unwrap();
    assert_eq!((end.ledger.total(), end.ledger.new_rows()), (2, 0));
}
