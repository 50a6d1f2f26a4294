//! The store actor on a database of its own.

use std::sync::{Arc, Mutex};

use actix::prelude::*;
use tempfile::TempDir;
use tokio::sync::oneshot;

use celaje::actors::guard::Guard;
use celaje::actors::health::Part;
use celaje::actors::pool::Executor;
use celaje::actors::scheduler::Fail;
use celaje::actors::session::observation;
use celaje::actors::store::{Booking, Commit, Finished, StoreShared, StoreStage, StoreTask};
use celaje::store::{CommitMode, Database, PictureSource, RunKind, RunStart};
use celaje_sky::credit::{Credit, Fate, Home, Returned};
use celaje_sky::flow::{Flow, FlowStage};
use celaje_sky::layout::Layout;
use celaje_sky::okta::{Okta, OktaRange};
use celaje_sky::outcome::{Miss, MissReason, Outcome};
use celaje_sky::station::zone::SkyParts;
use celaje_vision::reading::Reading;

use crate::support::judge::{self, Trouble};
use crate::support::record::Record;
use crate::support::{first, station};
use crate::{Heard, Recorder, credit, frame, home, recorder, slot};

struct Scene {
    folder: TempDir,
    store: Recipient<StoreTask>,
    shared: Arc<StoreShared>,
    failures: Heard<Fail>,
    _scheduler: Addr<Recorder<Fail>>,
    home: Home,
    returned: Heard<Returned>,
}

fn backfill() -> RunStart {
    RunStart {
        kind: RunKind::Backfill,
        range: first(9),
        source: PictureSource::default(),
        version: "0".to_owned(),
        engine: "none".to_owned(),
        model: "none".to_owned(),
    }
}

impl Scene {
    fn new(mode: CommitMode) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cielo.db");
        let mut database = Database::open(&path, &station("http://host/")).unwrap().database;
        let run = database.begin_run(&backfill());
        let (scheduler, failures) = recorder();
        let shared = Arc::new(StoreShared {
            database: database.into(),
            station: station("http://host/").id,
            mode,
            booking: Mutex::new(Some(Booking { run: run.unwrap(), holds_misses: false })),
            flow: Arc::default(),
            scheduler: scheduler.downgrade().recipient(),
            guard: Guard::alone(Part::Store),
        });
        let used = Arc::clone(&shared);
        let (home, returned) = home();
        Self {
            folder,
            store: Executor::Threads.pool(1, Guard::alone(Part::Store), None, move || {
                StoreStage::new(Arc::clone(&used))
            }),
            shared,
            failures,
            _scheduler: scheduler,
            home,
            returned,
        }
    }

    fn record(&self) -> Record {
        Record::open(&self.folder.path().join("cielo.db"))
    }

    fn observed(&self, index: usize, okta: u8) -> Finished {
        let reading = Reading {
            okta: Okta::new(okta).unwrap(),
            cloud_fraction: None,
            confidence: 0.5,
            parts: SkyParts::default(),
            range: OktaRange::of(Okta::ALL[4]),
            middle_background: None,
            lens: None,
            classes: None,
        };
        let credit = credit(index, 1, &self.home);
        let outcome = Outcome::Observed(Box::new(observation(
            &station("http://host/"),
            &judge::model(),
            credit.slot(),
            "http://host/a".to_owned(),
            &frame(okta, Trouble::None),
            Some(&reading),
        )));
        Finished { outcome, credit }
    }

    fn missed(&self, index: usize, reason: MissReason) -> Finished {
        let credit: Credit = credit(index, 1, &self.home);
        let outcome = Outcome::Missed(Miss {
            slot: credit.slot(),
            reason,
            http_status: None,
            attempts: 1,
            detail: "said so".to_owned(),
            unasked: None,
        });
        Finished { outcome, credit }
    }

    /// Commits, and gives the fates in the order in which the credits came home.
    async fn commit(&mut self, finished: Vec<Finished>) -> Vec<Option<Fate>> {
        let n = finished.len();
        let task = StoreTask::Commit(Commit(finished));
        self.store.send(task).await.unwrap();
        let returned = self.returned.several(n).await;
        returned.into_iter().map(|returned| returned.fate).collect()
    }
}

#[actix::test]
async fn credits_go_home_with_what_the_record_made_of_their_slots() {
    let mut scene = Scene::new(CommitMode::Insert);
    let batch =
        vec![scene.observed(0, 3), scene.missed(1, MissReason::NotFound), scene.observed(0, 4)];
    assert_eq!(
        scene.commit(batch).await,
        [
            Some(Fate::New),
            Some(Fate::Missed(MissReason::NotFound)),
            // The run's own row, as when a credit is lost after its commit.
            Some(Fate::New)
        ]
    );
    assert_eq!(scene.record().oktas(), [3]);
    // A miss that later succeeds leaves the misses table.
    let batch = vec![scene.observed(1, 5)];
    assert_eq!(scene.commit(batch).await, [Some(Fate::New)]);
    assert_eq!(scene.record().count("misses"), 0);
    assert_eq!(scene.record().oktas(), [3, 5]);
    scene.failures.nothing().await;
}

#[actix::test]
async fn a_reprocessing_store_replaces() {
    let mut scene = Scene::new(CommitMode::Replace);
    let batch = vec![scene.observed(0, 3)];
    assert_eq!(scene.commit(batch).await, [Some(Fate::New)]);
    // As a later run does; what it has added itself is new, however often it comes.
    let station = scene.shared.station.clone();
    let begin = |database: &mut Database| database.begin_run(&backfill());
    let later = scene.shared.database.seen_from(&station, begin).unwrap();
    scene.shared.book_to(Some(Booking { run: later.unwrap(), holds_misses: false }));
    let batch = vec![scene.observed(0, 7), scene.observed(1, 2)];
    let fates = [Some(Fate::Replaced), Some(Fate::New)];
    assert_eq!(scene.commit(batch).await, fates);
    let batch = vec![scene.observed(0, 7), scene.observed(1, 2)];
    assert_eq!(scene.commit(batch).await, fates);
    let mut record = scene.record();
    let counted = "runs WHERE new = 1 AND duplicates = 1";
    assert_eq!(record.count(counted), 1);
    assert_eq!(record.oktas(), [7, 2]);
}

#[actix::test]
async fn a_database_that_fails_is_told_before_the_credits_go_home() {
    let mut scene = Scene::new(CommitMode::Insert);
    scene.record().execute("ALTER TABLE misses RENAME TO gone");
    let batch = vec![scene.observed(0, 3), scene.missed(1, MissReason::Reset)];
    assert_eq!(scene.commit(batch).await, [None, None]);
    let Fail(failure) = scene.failures.next().await;
    assert_eq!(failure.class.exit_status(), 3);
    assert!(failure.text.en.contains("cielo.db"), "{failure}");
    // All or nothing.
    assert_eq!(scene.record().count("observations"), 0);

    // The actor lives on: what works again is stored.
    scene.record().execute("ALTER TABLE gone RENAME TO misses");
    let batch = vec![scene.missed(1, MissReason::Reset)];
    assert_eq!(scene.commit(batch).await, [Some(Fate::Missed(MissReason::Reset))]);
}

/// In the daemon, the miss of a late picture is booked and not written while it may still come.
#[actix::test]
async fn a_held_miss_counts_as_done_by_the_store() {
    let mut scene = Scene::new(CommitMode::Insert);
    if let Some(booking) = &mut *scene.shared.booking.lock().unwrap() {
        booking.holds_misses = true;
    }
    let flow = Arc::new(Flow::default());
    let home = Arc::clone(&scene.home);
    let Finished { outcome, .. } = scene.missed(0, MissReason::NotFound);
    assert_eq!(scene.returned.next().await.fate, None);
    let late = Credit::new(slot(0), 1, home, Arc::clone(&flow));
    let fates = scene.commit(vec![Finished::new(outcome, late)]).await;
    assert_eq!(fates, [Some(Fate::Missed(MissReason::NotFound))]);
    assert_eq!(scene.record().count("misses"), 0);
    let store = flow.report().stages[FlowStage::Store as usize];
    assert_eq!((store.taken, store.done), (1, 1));
    // Nothing was written: it is no slot of a transaction.
    let booked = scene.shared.flow.report();
    assert_eq!((booked.commits, booked.committed), (0, 0));
}

#[actix::test]
async fn outside_a_run_nothing_is_written() {
    let mut scene = Scene::new(CommitMode::Insert);
    scene.shared.book_to(None);
    let batch = vec![scene.observed(0, 3), scene.missed(1, MissReason::NotFound)];
    assert_eq!(scene.commit(batch).await, [None, None]);
    assert_eq!(scene.record().count("observations"), 0);
}

#[actix::test]
async fn a_panic_on_the_stores_thread_ends_in_its_message() {
    let mut scene = Scene::new(CommitMode::Insert);
    let (sender, receiver) = oneshot::channel::<()>();
    scene.store.do_send(StoreTask::Other(Box::new(move |_| {
        let _told_when_dropped = sender;
        panic!("a test asked for it")
    })));
    assert!(receiver.await.is_err());
    let batch = vec![scene.observed(0, 3)];
    assert_eq!(scene.commit(batch).await, [Some(Fate::New)]);
}

#[actix::test]
async fn layouts_and_other_work_reach_the_database() {
    let scene = Scene::new(CommitMode::Insert);
    for layout in [Layout::Root, Layout::Year] {
        let message = StoreTask::RememberLayout { year: 2024, layout };
        scene.store.send(message).await.unwrap();
    }
    let (sender, receiver) = oneshot::channel();
    scene.store.do_send(StoreTask::Other(Box::new(move |database| {
        let _ = sender.send(database.remembered_layouts().unwrap());
    })));
    assert_eq!(receiver.await.unwrap(), [(2024, Layout::Year)]);
    assert_eq!(slot(0).year(), 2024);
}
