//! Outcomes on their way to a transaction.

use std::time::Duration;

use actix::prelude::*;

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
