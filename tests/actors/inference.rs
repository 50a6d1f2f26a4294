//! The batch queue before the sessions.

use std::time::Duration;

use actix::prelude::*;
use tokio::sync::{mpsc, oneshot};
use tracing_subscriber::layer::{Context as Logged, Layer, SubscriberExt};

use celaje::actors::inference::{Infer, Inference};
use celaje::actors::session::RunBatch;
use celaje_sky::batching::BatchPolicy;
use celaje_sky::credit::{Home, Returned};

use crate::support::judge::Trouble;
use crate::{Heard, credit, frame, home, slot};

/// A batch that runs until the test ends it.
struct Running {
    batch: Vec<Infer>,
    end: oneshot::Sender<()>,
}

impl Running {
    fn size(&self) -> usize {
        self.batch.len()
    }

    /// The session answers; its credits come home lost, since nobody settles them.
    fn end(self) {
        let _ = self.end.send(());
    }
}

/// Sessions that run for as long as the test likes.
struct Sessions(mpsc::UnboundedSender<Running>);

impl Actor for Sessions {
    type Context = Context<Self>;
}

impl Handler<RunBatch> for Sessions {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, RunBatch(batch): RunBatch, _: &mut Context<Self>) -> ResponseFuture<()> {
        let (end, ended) = oneshot::channel();
        let _ = self.0.send(Running { batch, end });
        Box::pin(async move {
            let _ = ended.await;
        })
    }
}

struct Scene {
    inference: Addr<Inference>,
    running: Heard<Running>,
    home: Home,
    returned: Heard<Returned>,
}

impl Scene {
    fn new(size: usize, deadline: Duration, threads: usize) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let sessions = Sessions(sender).start().recipient();
        let policy = BatchPolicy { size, deadline };
        let (home, returned) = home();
        Self {
            inference: Supervisor::start(move |_| Inference::new(policy, sessions, threads)),
            running: Heard(receiver),
            home,
            returned,
        }
    }

    fn infer(&self, index: usize, attempt: u32) {
        self.inference.do_send(Infer {
            frame: frame(1, Trouble::None),
            url: String::new(),
            taken_at: None,
            credit: credit(index, attempt, &self.home),
        });
    }
}

const NEVER: Duration = Duration::from_secs(3_600);
const SOON: Duration = Duration::from_millis(20);

#[actix::test]
async fn a_full_batch_runs_at_once() {
    let mut scene = Scene::new(3, NEVER, 4);
    for index in 0..7 {
        scene.infer(index, 1);
    }
    for start in [0, 3] {
        let running = scene.running.next().await;
        let slots: Vec<_> = running.batch.iter().map(|i| i.credit.slot()).collect();
        assert_eq!(slots, [slot(start), slot(start + 1), slot(start + 2)]);
        running.end();
    }
    // The seventh waits for two more.
    scene.running.nothing().await;
    scene.infer(7, 1);
    scene.infer(8, 1);
    assert_eq!(scene.running.next().await.size(), 3);
}

#[actix::test]
async fn a_small_batch_runs_when_its_oldest_has_waited_long_enough() {
    let mut scene = Scene::new(100, SOON, 1);
    for index in 0..5 {
        scene.infer(index, 1);
    }
    assert_eq!(scene.running.next().await.size(), 5);
}

#[actix::test]
async fn suspects_run_alone() {
    let mut scene = Scene::new(4, SOON, 1);
    let mut sizes = Vec::new();
    for (index, attempt) in [1, 1, 2, 2, 1].into_iter().enumerate() {
        scene.infer(index, attempt);
    }
    for _ in 0..4 {
        let running = scene.running.next().await;
        let suspects = running.batch.iter().filter(|i| i.credit.attempt() > 1);
        assert!(suspects.count() == 0 || running.size() == 1);
        sizes.push(running.size());
        running.end();
    }
    assert_eq!(sizes, [2, 1, 1, 1]);
}

#[actix::test]
async fn no_more_batches_run_than_there_are_sessions() {
    let mut scene = Scene::new(1, SOON, 2);
    for index in 0..6 {
        scene.infer(index, 1);
    }
    let mut running: Vec<Running> = scene.running.several(2).await;
    for _ in 0..4 {
        scene.running.nothing().await;
        running.remove(0).end();
        running.push(scene.running.next().await);
    }
    // While none was idle, what came made one batch.
    let mut scene = Scene::new(8, SOON, 1);
    scene.infer(0, 1);
    let first = scene.running.next().await;
    for index in 1..6 {
        scene.infer(index, 1);
    }
    scene.running.nothing().await;
    first.end();
    assert_eq!(scene.running.next().await.size(), 5);
}

#[actix::test]
async fn a_session_that_dies_is_idle_again_and_its_credits_go_home() {
    let mut scene = Scene::new(2, SOON, 1);
    for round in 0..3 {
        scene.infer(2 * round, 1);
        scene.infer(2 * round + 1, 1);
        let running = scene.running.next().await;
        assert_eq!(running.size(), 2);
        drop(running);
        for returned in scene.returned.several(2).await {
            assert_eq!(returned.fate, None);
        }
    }
}

/// A log that panics at the first event whose words begin so.
struct Bomb(std::sync::Mutex<Option<&'static str>>);

impl<S: tracing::Subscriber> Layer<S> for Bomb {
    fn on_event(&self, event: &tracing::Event<'_>, _: Logged<'_, S>) {
        let mut words = String::new();
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            if field.name() == "message" {
                words = format!("{value:?}");
            }
        });
        let mut awaited = self.0.lock().unwrap();
        if awaited.is_some_and(|awaited| words.starts_with(awaited)) {
            *awaited = None;
            drop(awaited);
            panic!("at '{words}'");
        }
    }
}

fn panic_at(words: &'static str) -> tracing::subscriber::DefaultGuard {
    let bomb = Bomb(std::sync::Mutex::new(Some(words)));
    tracing::subscriber::set_default(tracing_subscriber::registry().with(bomb))
}

/// Sessions that are gone after their first batch, without a word.
struct Gone;

impl Actor for Gone {
    type Context = Context<Self>;
}

impl Handler<RunBatch> for Gone {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: RunBatch, ctx: &mut Context<Self>) -> Self::Result {
        ctx.terminate();
        Box::pin(actix::fut::wrap_future(std::future::pending()))
    }
}

#[actix::test]
async fn a_panic_when_a_batch_ends_loses_no_slot() {
    let _log = panic_at("a batch was lost");
    let mut scene = Scene::new(1, SOON, 1);
    let sessions = Gone.start().recipient();
    let policy = BatchPolicy { size: 1, deadline: SOON };
    scene.inference = Supervisor::start(move |_| Inference::new(policy, sessions, 1));
    for index in 0..2 {
        scene.infer(index, 1);
        assert_eq!(scene.returned.next().await.fate, None);
        scene.running.nothing().await;
        assert!(scene.inference.connected(), "it is gone for good");
    }
}

#[actix::test]
async fn a_panic_in_the_timer_loses_no_slot() {
    let _log = panic_at("the oldest picture");
    let mut scene = Scene::new(2, SOON, 1);
    scene.infer(0, 1);
    // The queue is forgotten with its timer.
    assert_eq!(scene.returned.next().await.fate, None);
    scene.infer(1, 1);
    assert_eq!(scene.running.next().await.size(), 1);
}
