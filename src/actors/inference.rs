//! Inference: the batch queue before the session threads, and its deadline timer.

use std::sync::Arc;

use actix::prelude::*;
use chrono::{DateTime, Utc};

use crate::actors::failpoint::Point;
use crate::actors::guard::{Guard, Guarded};
use crate::actors::health::Part;
use crate::actors::session::RunBatch;
use crate::clock::Clock;
use celaje_sky::batching::{BatchPolicy, BatchQueue, Decision};
use celaje_sky::credit::Credit;
use celaje_sky::flow::{Flow, FlowStage};
use celaje_vision::picture::prepare::Frame;

/// Classifies a frame.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Infer {
    /// The picture at the network's size.
    pub frame: Frame,
    /// Where it was found.
    pub url: String,
    /// When it was taken, where that is known beside the slot.
    pub taken_at: Option<DateTime<Utc>>,
    /// Whose slot it is.
    pub credit: Credit,
}

pub struct Inference {
    queue: BatchQueue<Infer>,
    policy: BatchPolicy,
    sessions: Recipient<RunBatch>,
    threads: usize,
    /// Batches that sessions run or that lie ready for them.
    outstanding: usize,
    /// Batches that may lie ready.
    ahead: usize,
    flow: Arc<Flow>,
    /// Threads that a session computes with.
    session_threads: usize,
    /// Cores that decoders and sessions share; without them a batch always waits for its deadline.
    cores: Option<usize>,
    timer: Option<SpawnHandle>,
    guard: Guard,
}

impl Inference {
    /// A queue before `threads` session threads that share the address `sessions`.
    pub fn new(policy: BatchPolicy, sessions: Recipient<RunBatch>, threads: usize) -> Self {
        Self {
            queue: BatchQueue::new(policy),
            policy,
            sessions,
            threads,
            outstanding: 0,
            ahead: 0,
            flow: Arc::default(),
            session_threads: 1,
            cores: None,
            timer: None,
            guard: Guard::alone(Part::Inference),
        }
    }

    /// Takes part in the pipeline's supervision.
    #[must_use]
    pub fn with_guard(mut self, guard: Guard) -> Self {
        self.guard = guard;
        self
    }

    /// Books its batches in `flow`; with `cores` that decoders and sessions share, no batch waits
    /// while one of them is idle. A full batch lies ready for each session, so that it goes on at
    /// once.
    #[must_use]
    pub fn with_flow(
        mut self,
        flow: Arc<Flow>,
        cores: Option<usize>,
        session_threads: usize,
    ) -> Self {
        (self.flow, self.cores) = (flow, cores);
        self.session_threads = session_threads;
        self.ahead = self.threads;
        self
    }

    /// Whether a core is idle.
    fn spare(&self) -> bool {
        let decoding = usize::try_from(self.flow.working(FlowStage::Decode)).unwrap_or(usize::MAX);
        let running = self.outstanding.min(self.threads);
        self.cores
            .is_some_and(|cores| decoding.saturating_add(running * self.session_threads) < cores)
    }

    fn pump(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        loop {
            let idle = self.threads.saturating_sub(self.outstanding);
            if idle == 0 {
                let room = self.outstanding < self.threads + self.ahead;
                match room.then(|| self.queue.take_full()).flatten() {
                    Some(batch) => self.run(batch, ctx),
                    None => return,
                }
                continue;
            }
            match self.queue.decide(Clock::instant(), idle, self.spare()) {
                Decision::Run(batch) => self.run(batch, ctx),
                Decision::Wait(time) => {
                    self.timer = Some(ctx.run_later(time, |me, ctx| {
                        me.guarded(ctx, |me, ctx| {
                            tracing::trace!("the oldest picture has waited long enough");
                            me.timer = None;
                            me.pump(ctx);
                        });
                    }));
                    return;
                }
                Decision::Rest => return,
            }
        }
    }

    fn run(&mut self, mut batch: Vec<Infer>, ctx: &mut Context<Self>) {
        self.outstanding += 1;
        self.flow.batch(batch.len());
        for infer in &mut batch {
            infer.credit.goes_to(FlowStage::Session);
        }
        let run = self.sessions.send(RunBatch(batch));
        ctx.spawn(run.into_actor(self).map(|ended, me, ctx| {
            me.guarded(ctx, |me, ctx| {
                // An error means that the session's thread restarts; it is idle all the same, and
                // the batch's credits have returned.
                if let Err(error) = ended {
                    tracing::warn!(%error, "a batch was lost");
                }
                me.outstanding = me.outstanding.saturating_sub(1);
                me.pump(ctx);
            });
        }));
    }
}

impl Actor for Inference {
    type Context = Context<Self>;
}

impl Guarded for Inference {
    fn guard(&self) -> &Guard {
        &self.guard
    }
}

impl Supervised for Inference {
    /// The queue is dropped: its credits return and its slots are fetched again.
    fn restarting(&mut self, ctx: &mut Context<Self>) {
        self.queue = BatchQueue::new(self.policy);
        self.outstanding = 0;
        self.timer = None;
        self.rest(ctx);
    }
}

impl Handler<Infer> for Inference {
    type Result = ();

    fn handle(&mut self, mut infer: Infer, ctx: &mut Context<Self>) {
        infer.credit.taken_up();
        self.guarded(ctx, |me, ctx| {
            me.guard.pass(Point::Queue, None);
            let suspect = infer.credit.attempt() > 1;
            me.queue.push(infer, Clock::instant(), suspect);
            me.pump(ctx);
        });
    }
}
