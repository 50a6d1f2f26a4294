//! Outcomes on their way to a transaction.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use celaje::actors::gather::Gather;
use celaje::actors::store::{Commit, Finished, StoreTask};
use celaje::settings::tuning::CommitPolicy;
use celaje_sky::credit::{Home, Returned};
use celaje_sky::outcome::{Miss, MissReason, Outcome};

use crate::{Heard, credit, home, recorder, slot};

struct Scene {
    gather: Addr<Gather>,
    tasks: Heard<StoreTask>,
    home: Home,
    returned: Heard<Returned>,
}

impl Scene {
    fn new(rows: usize, wait: Duration) -> Self {
        let (store, tasks) = recorder();
        let (home, returned) = home();
        let policy = CommitPolicy { rows, wait };
        let store = store.recipient();
        Self {
            gather: Supervisor::start(move |_| Gather::new(policy, store)),
            tasks,
            home,
            returned,
        }
    }

    fn finish(&self, index: usize) {
        let miss = Miss {
            slot: slot(index),
            reason: MissReason::NotFound,
            http_status: None,
            attempts: 1,
            detail: String::new(),
            unasked: None,
        };
        let finished = Finished::new(Outcome::Missed(miss), credit(index, 1, &self.home));
        self.gather.do_send(Commit(vec![finished]));
    }

    /// The next transaction; waits for it.
    async fn commit(&mut self) -> Commit {
        match self.tasks.next().await {
            StoreTask::Commit(commit) => commit,
            _ => panic!("something else than a commit"),
        }
    }
}

fn slots(commit: &Commit) -> Vec<String> {
    let finished = commit.0.iter();
    finished.map(|f| f.outcome.slot().to_string()).collect()
}

#[actix::test]
async fn enough_slots_are_a_transaction() {
    let mut scene = Scene::new(3, Duration::from_secs(3_600));
    (0..7).for_each(|index| scene.finish(index));
    for first in [0, 3] {
        let wanted: Vec<String> = (first..first + 3).map(|i| slot(i).to_string()).collect();
        assert_eq!(slots(&scene.commit().await), wanted);
    }
    // The seventh waits for others.
    scene.tasks.nothing().await;
}

#[actix::test]
async fn a_few_do_not_wait_for_ever() {
    let mut scene = Scene::new(100, Duration::from_millis(10));
    for round in 0..3 {
        scene.finish(2 * round);
        scene.finish(2 * round + 1);
        assert_eq!(scene.commit().await.0.len(), 2);
    }
}

/// A store that ends a commit when it is let.
struct Slow(UnboundedSender<usize>, Arc<Semaphore>);

impl Actor for Slow {
    type Context = Context<Self>;
}

impl Handler<StoreTask> for Slow {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, task: StoreTask, _: &mut Context<Self>) -> ResponseFuture<()> {
        let StoreTask::Commit(Commit(finished)) = task else {
            panic!("something else than a commit");
        };
        self.0.send(finished.len()).unwrap();
        let lets = Arc::clone(&self.1);
        Box::pin(async move {
            lets.acquire().await.unwrap().forget();
            drop(finished);
        })
    }
}

#[actix::test]
async fn a_store_that_is_busy_gets_more_at_once() {
    let (commits, mut heard) = unbounded_channel();
    let lets = Arc::new(Semaphore::new(0));
    let store = Slow(commits, Arc::clone(&lets)).start().recipient();
    let policy = CommitPolicy { rows: 2, wait: Duration::from_millis(1) };
    let gather = Supervisor::start(move |_| Gather::new(policy, store));
    let scene = Scene { gather, ..Scene::new(2, policy.wait) };
    (0..4).for_each(|index| scene.finish(index));
    // One is written, the other lies ready.
    assert_eq!((heard.recv().await, heard.recv().await), (Some(2), Some(2)));
    (4..13).for_each(|index| scene.finish(index));
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(heard.try_recv().is_err(), "the store is busy");
    lets.add_permits(1);
    assert_eq!(heard.recv().await, Some(9));
    // What is too few waits no longer than before.
    scene.finish(13);
    lets.add_permits(2);
    assert_eq!(heard.recv().await, Some(1));
}

#[actix::test]
async fn what_is_held_when_nobody_is_left_is_committed() {
    let scene = Scene::new(100, Duration::from_millis(50));
    scene.finish(0);
    let Scene { gather, mut tasks, mut returned, .. } = scene;
    drop(gather);
    let StoreTask::Commit(commit) = tasks.next().await else {
        panic!("something else than a commit");
    };
    assert_eq!(commit.0.len(), 1);
    // And its credit is with it, not lost on the way.
    returned.nothing().await;
    drop(commit);
    assert_eq!(returned.next().await.fate, None);
}
