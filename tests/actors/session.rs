//! Session actors on engines that do what a test says.

use std::sync::Arc;

use actix::prelude::*;

use celaje::actors::guard::Guard;
use celaje::actors::health::Part;
use celaje::actors::inference::Infer;
use celaje::actors::pool::Executor;
use celaje::actors::scheduler::Fail;
use celaje::actors::session::{RunBatch, SessionShared, SessionStage};
use celaje::actors::store::{Commit, Finished};
use celaje_sky::cover::Cover;
use celaje_sky::credit::{Home, Returned};
use celaje_sky::outcome::{MissReason, Observation, Outcome};
use celaje_sky::slot::Slot;
use celaje_sky::sun::DayPhase;
use celaje_vision::engine::backend::Engine;
use celaje_vision::engine::fake::{Act, FakeEngine};
use celaje_vision::model::source::Model;

use crate::support::judge::{self, Judge, Trouble};
use crate::{Heard, Recorder, credit, frame, home, recorder, slot};

/// One session thread among recorders.
struct Scene {
    session: Recipient<RunBatch>,
    commits: Heard<Commit>,
    failures: Heard<Fail>,
    _scheduler: Addr<Recorder<Fail>>,
    home: Home,
    returned: Heard<Returned>,
}

impl Scene {
    fn new(engine: Arc<dyn Engine>) -> Self {
        Self::with_model(engine, judge::model())
    }

    fn with_model(engine: Arc<dyn Engine>, model: Arc<Model>) -> Self {
        let (store, commits) = recorder();
        let (scheduler, failures) = recorder();
        let shared = Arc::new(SessionShared {
            engine,
            model,
            station: Arc::new(crate::support::station("http://host/")),
            threads: 1,
            store: store.recipient(),
            scheduler: scheduler.downgrade().recipient(),
            guard: Guard::alone(Part::Session),
        });
        let (home, returned) = home();
        Self {
            session: Executor::Threads.pool(1, Guard::alone(Part::Session), None, move || {
                SessionStage::new(Arc::clone(&shared))
            }),
            commits,
            failures,
            _scheduler: scheduler,
            home,
            returned,
        }
    }

    /// Runs a batch of pictures (place, attempt, trouble); the okta is the place.
    async fn run(&self, batch: &[(usize, u32, Trouble)]) {
        let batch = batch
            .iter()
            .map(|(index, attempt, trouble)| Infer {
                frame: frame(*index as u8 % 9, *trouble),
                url: format!("http://host/{index}"),
                taken_at: None,
                credit: credit(*index, *attempt, &self.home),
            })
            .collect();
        self.session.send(RunBatch(batch)).await.unwrap();
    }

    /// The next credit that came home, without a fate.
    async fn lost(&mut self) -> (Slot, u32) {
        let returned = self.returned.next().await;
        assert_eq!(returned.fate, None);
        (returned.slot, returned.attempt)
    }
}

fn observed(finished: &Finished) -> &Observation {
    match &finished.outcome {
        Outcome::Observed(observation) => observation,
        Outcome::Missed(miss) => panic!("{miss:?}"),
    }
}

fn missed(finished: &Finished) -> MissReason {
    match &finished.outcome {
        Outcome::Missed(miss) => miss.reason,
        Outcome::Observed(observation) => panic!("{observation:?}"),
    }
}

const FINE: Trouble = Trouble::None;

#[actix::test]
async fn a_batch_becomes_observations_in_its_order() {
    let mut scene = Scene::new(Judge::default().engine());
    scene.run(&[(3, 1, FINE), (8, 1, FINE), (0, 2, FINE)]).await;
    let Commit(finished) = scene.commits.next().await;
    let told: Vec<_> = finished
        .iter()
        .map(|f| (f.credit.slot(), observed(f).cover.code(), observed(f).url.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (slot(3), 3, "http://host/3"),
            (slot(8), 8, "http://host/8"),
            (slot(0), 0, "http://host/0")
        ]
    );
    let one = observed(&finished[0]);
    assert_eq!((one.model.as_str(), one.width, one.height), ("judge 1", 48, 32));
    assert_eq!(one.model_sha256, judge::model().sha256);
    assert_eq!(one.image_sha256, frame(3, FINE).sha256);
    assert!(one.confidence > Some(0.99) && one.cloud_fraction.is_none());
    // Half past midnight in Tierra del Fuego.
    assert!(one.solar_elevation < -18.0 && one.day_phase == DayPhase::Night);
}

#[actix::test]
async fn numbers_that_are_none_miss_their_own_picture_alone() {
    let mut scene = Scene::new(Judge::default().engine());
    scene.run(&[(1, 1, FINE), (2, 1, Trouble::NotANumber), (3, 1, FINE)]).await;
    let Commit(finished) = scene.commits.next().await;
    assert_eq!(observed(&finished[0]).cover.code(), 1);
    assert_eq!(missed(&finished[1]), MissReason::Model);
    assert_eq!(observed(&finished[2]).cover.code(), 3);
}

#[actix::test]
async fn a_batch_that_fails_is_tried_again_and_who_fails_alone_is_missed() {
    for trouble in [Trouble::Fail, Trouble::Short] {
        let mut scene = Scene::new(Judge::default().engine());
        scene.run(&[(1, 1, FINE), (2, 1, trouble)]).await;
        assert_eq!(scene.lost().await, (slot(1), 1));
        assert_eq!(scene.lost().await, (slot(2), 1));
        let Commit(nothing) = scene.commits.next().await;
        assert!(nothing.is_empty());

        scene.run(&[(2, 2, trouble)]).await;
        let Commit(finished) = scene.commits.next().await;
        assert_eq!(missed(&finished[0]), MissReason::Model);
        scene.run(&[(1, 2, FINE)]).await;
        let Commit(finished) = scene.commits.next().await;
        assert_eq!(observed(&finished[0]).cover.code(), 1);
        scene.failures.nothing().await;
    }
}

#[actix::test]
async fn an_output_of_another_form_is_the_models_fault() {
    for (data, shape) in [(vec![1.0; 8], vec![8]), (vec![1.0; 4], vec![9])] {
        let engine = FakeEngine::always(Act::Give { data, shape });
        let mut scene = Scene::new(Arc::new(engine));
        scene.run(&[(1, 2, FINE)]).await;
        let Commit(finished) = scene.commits.next().await;
        assert_eq!(missed(&finished[0]), MissReason::Model);
    }
}

#[actix::test]
async fn a_picture_without_sky_is_obscured() {
    let mut model = Model::bundled().unwrap();
    (model.manifest.input.width, model.manifest.input.height) = (16, 16);
    let mut background = vec![0.0; 3 * 16];
    background[..16].fill(20.0);
    let engine = FakeEngine::always(Act::Give { data: background, shape: vec![3, 4, 4] });
    let mut scene = Scene::with_model(Arc::new(engine), Arc::new(model));
    scene.run(&[(1, 1, FINE)]).await;
    let Commit(finished) = scene.commits.next().await;
    let one = observed(&finished[0]);
    assert_eq!((one.cover, one.confidence), (Cover::Obscured, None));
    assert_eq!(one.quality.to_string(), "night,no_sky");
}

#[actix::test]
async fn a_panic_costs_its_batch_and_its_session_alone() {
    let judge = Judge::default();
    let mut scene = Scene::new(judge.engine());
    scene.run(&[(4, 1, FINE)]).await;
    // Credits that came as far as the store are kept, so that only lost ones come home.
    let mut stored = vec![scene.commits.next().await];
    for round in 1..4 {
        scene.run(&[(1, round, FINE), (2, round, Trouble::Panic)]).await;
        assert_eq!(scene.lost().await, (slot(1), round));
        assert_eq!(scene.lost().await, (slot(2), round));
        scene.run(&[(5, 1, FINE)]).await;
        let commit = scene.commits.next().await;
        assert_eq!(observed(&commit.0[0]).cover.code(), 5);
        assert_eq!(judge.sessions(), 1 + round as usize);
        stored.push(commit);
    }
    scene.failures.nothing().await;
}

#[actix::test]
async fn an_engine_that_opens_no_session_fails_the_run() {
    let engine = FakeEngine::always(Act::okta(1)).refusing("no such operator");
    let mut scene = Scene::new(Arc::new(engine));
    scene.run(&[(1, 1, FINE), (2, 1, FINE)]).await;
    let Fail(failure) = scene.failures.next().await;
    assert_eq!(failure.class.exit_status(), 3);
    assert!(failure.text.en.contains("no such operator"), "{failure}");
    assert_eq!(scene.lost().await, (slot(1), 1));
    assert_eq!(scene.lost().await, (slot(2), 1));
    scene.commits.nothing().await;
}

#[actix::test]
async fn one_session_serves_batch_after_batch() {
    let engine = FakeEngine::always(Act::okta(6));
    let mut scene = Scene::new(Arc::new(engine.clone()));
    assert_eq!(engine.sessions(), 0, "opened before it is needed");
    for index in 0..5 {
        scene.run(&[(index, 1, FINE)]).await;
        scene.commits.next().await;
    }
    assert_eq!((engine.sessions(), engine.runs()), (1, 5));
}
