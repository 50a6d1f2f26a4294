//! Gives slots to workers through the queue, in place of the fetch actors of this machine.
//!
//! A slot's credit stays here until the store has committed what a worker says of the slot; then
//! the worker's message is acknowledged. What no worker says anything of, though the queue is
//! empty, is given out again: in smaller jobs each time, so that a picture that ends workers ends
//! up alone, and after five rounds it is missed.

mod asked;
mod desk;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::WeakRecipient;
use actix::prelude::*;
use async_nats::Subscriber;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::actors::fetch::FetchItem;
use crate::actors::scheduler::Fail;
use crate::actors::store::Commit;
use crate::draining::Draining;
use crate::queue::registry::WorkerRegistry;
use crate::queue::{WriterAnswers, WriterLine};
use celaje_sky::credit::Credit;
use celaje_sky::error::Failure;
use celaje_sky::say;
use celaje_sky::text::Text;

use desk::{Desk, Outlets};

/// Slots that workers may have at once.
pub const SLOTS_OUT: usize = 32_768;
/// Messages of outcomes that lie ready.
const READY: usize = 16;

/// What a writer counts of its workers.
#[derive(Debug, Default)]
pub struct DispatchCounts {
    /// Outcomes that were committed.
    pub taken: AtomicU64,
    /// Outcomes of slots that were not asked for, or are in the record already.
    pub repeated: AtomicU64,
    /// Outcomes of another version, station or model.
    pub refused: AtomicU64,
    /// Outcomes that cannot be true.
    pub broken: AtomicU64,
    /// Slots that were given out again.
    pub again: AtomicU64,
    /// Workers that said something.
    pub workers: AtomicU64,
    /// Workers that say that they are there.
    pub seen: WorkerRegistry,
}

/// What a writer has counted of its workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DispatchReport {
    /// Workers that said something.
    pub workers: u64,
    /// Slots that were given out again.
    pub given_again: u64,
    /// Outcomes of slots that were not asked for, or are in the record already.
    pub repeated: u64,
    /// Outcomes of another version, station or model.
    pub refused: u64,
    /// Outcomes that cannot be true.
    pub broken: u64,
}

impl DispatchCounts {
    /// The counts so far.
    pub fn report(&self) -> DispatchReport {
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        DispatchReport {
            workers: count(&self.workers),
            given_again: count(&self.again),
            repeated: count(&self.repeated),
            refused: count(&self.refused),
            broken: count(&self.broken),
        }
    }
}

impl DispatchReport {
    /// For who asked for the run.
    pub fn text(&self) -> Text {
        let Self { workers, given_again, repeated, refused, broken } = self;
        say!(
            "workers: {workers}; slots given out again: {given_again}; outcomes that came twice: \
             {repeated}, of another version, station or model: {refused}, that cannot be true: \
             {broken}",
            "trabajadores: {workers}; turnos repartidos otra vez: {given_again}; resultados que \
             llegaron dos veces: {repeated}, de otra versión, estación o modelo: {refused}, que no \
             pueden ser ciertos: {broken}"
        )
    }
}

/// What a writer works with.
pub struct DispatchSetup {
    /// Its line.
    pub line: WriterLine,
    /// What workers ask.
    pub questions: Subscriber,
    /// What it answers.
    pub answers: WriterAnswers,
    /// Name and version of the model.
    pub model: String,
    /// What it counts.
    pub counts: Arc<DispatchCounts>,
}

/// See the module.
pub struct Dispatch {
    /// Bounded by the credits.
    slots: mpsc::UnboundedSender<Credit>,
}

impl Dispatch {
    /// Hands outcomes to `store`.
    pub fn new(
        setup: DispatchSetup,
        store: Recipient<Commit>,
        scheduler: WeakRecipient<Fail>,
        drain: Draining,
    ) -> Self {
        let (slots, credits) = mpsc::unbounded_channel();
        let (returns, returned) = mpsc::unbounded_channel();
        let (outlet, deliveries) = mpsc::channel(READY);
        actix::spawn(setup.line.clone().deliver(outlet));
        let questions = setup.questions;
        let desk = Desk::new(
            setup.line,
            setup.answers,
            setup.model,
            setup.counts,
            Outlets { store, scheduler: scheduler.clone(), drain, returns },
        );
        let ends = EndsBadly(Some(scheduler));
        actix::spawn(async move {
            desk.work(credits, returned, deliveries, questions).await;
            ends.well();
        });
        Self { slots }
    }
}

/// Tells the scheduler when the desk is gone without having ended.
struct EndsBadly(Option<WeakRecipient<Fail>>);

impl EndsBadly {
    fn well(mut self) {
        self.0 = None;
    }
}

impl Drop for EndsBadly {
    fn drop(&mut self) {
        if let Some(scheduler) = self.0.as_ref().and_then(WeakRecipient::upgrade) {
            scheduler.do_send(Fail(Failure::environment(say!(
                "the work with the queue ended by an error of this program; see the log and run \
                 the same command again",
                "el trabajo con la cola terminó por un error de este programa; vea el registro y \
                 repita la orden"
            ))));
        }
    }
}

impl Actor for Dispatch {
    type Context = Context<Self>;
}

impl Handler<FetchItem> for Dispatch {
    type Result = ();

    fn handle(&mut self, FetchItem { credit }: FetchItem, _: &mut Context<Self>) {
        // Without the desk the credit returns without a fate, and the run has failed.
        let _ = self.slots.send(credit);
    }
}
