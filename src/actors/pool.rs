//! Stages, and the pools of threads that run them.
//!
//! A [`Stage`] is what a thread does with one message. [`Executor::pool`] runs a stage on threads
//! of its own, each with an instance of the stage. The pool contains panics: the thread then makes
//! a new instance, after a rest. A simulation runs the same stages inline, on one thread with a
//! paused clock.

use std::sync::Arc;

use actix::prelude::*;

use crate::actors::cores::{Cores, Priority};
use crate::actors::guard::{Guard, Panicked};
use celaje_sky::slot::Slot;

/// What a thread of a pool does with a message. It may block and compute.
pub trait Stage: Unpin + 'static {
    /// The message.
    type In: Message<Result = ()> + Send + 'static;

    /// The slots that `input` is about.
    fn slots(input: &Self::In) -> Vec<Slot>;

    /// Whether `input` is the stage's duty, so that doing it speaks for the stage's health.
    fn is_duty(_: &Self::In) -> bool {
        true
    }

    /// Called on the thread before its first message, and after each restart.
    fn begin(&mut self) {}

    /// Does the work.
    fn work(&mut self, input: Self::In);
}

/// Cores that a message takes before its work begins.
#[derive(Clone)]
pub struct CoreNeed {
    /// The cores that decoders and sessions share.
    pub cores: Arc<Cores>,
    /// How many of them a message takes.
    pub n: usize,
    /// Who goes first when several wait.
    pub priority: Priority,
}

/// Where the stages of a pipeline run.
#[derive(Clone, Default)]
pub enum Executor {
    /// On threads of their own.
    #[default]
    Threads,
    /// On the thread that starts the pipeline; each message takes as long as the delay says, by the
    /// runtime's clock. With a paused clock a schedule is then a function of the delays.
    #[cfg(feature = "testing")]
    Inline(inline::Delay),
}

impl Executor {
    /// Starts `threads` threads (inline: one instance) that run the stages of `make`, and gives the
    /// address that they share. They end when the address is dropped.
    pub fn pool<S: Stage>(
        &self,
        threads: usize,
        guard: Guard,
        cores: Option<CoreNeed>,
        make: impl Fn() -> S + Send + Sync + 'static,
    ) -> Recipient<S::In> {
        let make = Arc::new(make);
        let make = move || Instance { stage: make(), guard: guard.clone(), cores: cores.clone() };
        match self {
            Self::Threads => SyncArbiter::start(threads, make).recipient(),
            #[cfg(feature = "testing")]
            Self::Inline(delay) => inline::Inline::start(make, Arc::clone(delay)).recipient(),
        }
    }
}

/// A stage with its guard and its need of cores.
struct Instance<S> {
    stage: S,
    guard: Guard,
    cores: Option<CoreNeed>,
}

impl<S: Stage> Instance<S> {
    fn begin(&mut self) {
        let _at_work = self.guard.at_work(Vec::new());
        // A panic here comes again with the first message.
        let _ = self.guard.run_aside(|| self.stage.begin());
    }

    fn work(&mut self, input: S::In) -> Result<(), Panicked> {
        // Waiting for a core is not work: a stage that waits does not hang.
        let need = self.cores.as_ref();
        let _cores = need.map(|need| need.cores.take(need.n, need.priority));
        let _at_work = self.guard.at_work(S::slots(&input));
        let is_duty = S::is_duty(&input);
        let work = || self.stage.work(input);
        if is_duty { self.guard.run(work) } else { self.guard.run_aside(work) }
    }
}

impl<S: Stage> Actor for Instance<S> {
    type Context = SyncContext<Self>;

    fn started(&mut self, _: &mut SyncContext<Self>) {
        std::thread::sleep(self.guard.take_rest());
        self.begin();
    }
}

impl<S: Stage> Handler<S::In> for Instance<S> {
    type Result = ();

    fn handle(&mut self, input: S::In, ctx: &mut SyncContext<Self>) {
        if self.work(input).is_err() {
            ctx.stop();
        }
    }
}

/// Stages without threads.
#[cfg(feature = "testing")]
pub mod inline {
    use std::sync::Arc;
    use std::time::Duration;

    use actix::prelude::*;

    use super::{Instance, Stage};
    use crate::actors::guard::{Guard, Guarded};

    /// How long a message takes, by the runtime's clock.
    pub type Delay = Arc<dyn Fn() -> Duration + Send + Sync>;

    /// An instance on the thread of its arbiter, one message at a time.
    pub(super) struct Inline<S: Stage> {
        make: Box<dyn Fn() -> Instance<S>>,
        instance: Instance<S>,
        delay: Delay,
    }

    impl<S: Stage> Inline<S> {
        pub(super) fn start(make: impl Fn() -> Instance<S> + 'static, delay: Delay) -> Addr<Self> {
            Supervisor::start(move |_| Self { instance: make(), make: Box::new(make), delay })
        }
    }

    impl<S: Stage> Actor for Inline<S> {
        type Context = Context<Self>;

        fn started(&mut self, _: &mut Context<Self>) {
            self.instance.begin();
        }
    }

    impl<S: Stage> Guarded for Inline<S> {
        fn guard(&self) -> &Guard {
            &self.instance.guard
        }
    }

    impl<S: Stage> Supervised for Inline<S> {
        fn restarting(&mut self, ctx: &mut Context<Self>) {
            self.instance = (self.make)();
            self.rest(ctx);
        }
    }

    impl<S: Stage> Handler<S::In> for Inline<S> {
        type Result = AtomicResponse<Self, ()>;

        fn handle(&mut self, input: S::In, _: &mut Context<Self>) -> Self::Result {
            let pause = tokio::time::sleep((self.delay)());
            AtomicResponse::new(Box::pin(pause.into_actor(self).map(
                move |(), me: &mut Self, ctx| {
                    if me.instance.work(input).is_err() {
                        ctx.stop();
                    }
                },
            )))
        }
    }
}
