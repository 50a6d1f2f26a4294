//! Workers: what the threads of a pool do with a message, and how it is done without threads.
//!
//! The program gives each worker a thread of its own (a `SyncArbiter`'s). A simulation runs the same
//! workers [`Inline`], on one thread whose time is its own, so that a seed says what happens.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use crate::actors::guard::{Guard, Panicked, rest};

/// Does the work of a message, whatever runs it.
pub trait Worker<M> {
    /// Called once, before the first message.
    fn begin(&mut self) {}

    /// Works on `message`.
    ///
    /// # Errors
    /// [`Panicked`]: the worker's state is spoilt, another one is to take its place.
    fn work(&mut self, message: M) -> Result<(), Panicked>;
}

/// How long a worker that runs inline takes for a message, by the runtime's clock.
pub type Delay = Arc<dyn Fn() -> Duration + Send + Sync>;

/// A worker on the thread of its arbiter, one message at a time.
pub struct Inline<W> {
    make: Box<dyn Fn() -> W>,
    worker: W,
    delay: Delay,
    guard: Guard,
}

impl<W: Unpin + 'static> Inline<W> {
    /// Makes a worker with `make`, and another one whenever it has panicked.
    pub fn start(make: impl Fn() -> W + 'static, delay: Delay, guard: Guard) -> Addr<Self> {
        Supervisor::start(move |_| Self {
            worker: make(),
            make: Box::new(make),
            delay,
            guard,
        })
    }
}

impl<W: Unpin + 'static> Actor for Inline<W> {
    type Context = Context<Self>;
}

impl<W: Unpin + 'static> Supervised for Inline<W> {
    fn restarting(&mut self, ctx: &mut Context<Self>) {
        self.worker = (self.make)();
        let guard = self.guard.clone();
        rest(&guard, self, ctx);
    }
}

impl<W, M> Handler<M> for Inline<W>
where
    W: Worker<M> + Unpin + 'static,
    M: Message<Result = ()> + 'static,
{
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, message: M, _: &mut Context<Self>) -> Self::Result {
        let pause = tokio::time::sleep((self.delay)());
        AtomicResponse::new(Box::pin(pause.into_actor(self).map(
            move |(), me: &mut Self, ctx| {
                if me.worker.work(message).is_err() {
                    ctx.stop();
                }
            },
        )))
    }
}
