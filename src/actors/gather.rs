//! Gathers outcomes before the store, so that a transaction is worth its price.

use actix::prelude::*;

use crate::actors::failpoint::Point;
use crate::actors::guard::{Guard, Guarded};
use crate::actors::health::Part;
use crate::actors::store::{Commit, Finished, StoreTask};
use crate::settings::tuning::CommitPolicy;

/// See the module. When it panics, the credits of what it holds return without a fate.
pub struct Gather {
    policy: CommitPolicy,
    store: Recipient<StoreTask>,
    held: Vec<Finished>,
    timer: Option<SpawnHandle>,
    guard: Guard,
}

impl Gather {
    /// Hands outcomes on to `store`.
    pub fn new(policy: CommitPolicy, store: Recipient<StoreTask>) -> Self {
        Self { policy, store, held: Vec::new(), timer: None, guard: Guard::alone(Part::Gather) }
    }

    /// Takes part in the pipeline's supervision.
    #[must_use]
    pub fn with_guard(mut self, guard: Guard) -> Self {
        self.guard = guard;
        self
    }

    fn hand_on(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        if !self.held.is_empty() {
            let held = Commit(std::mem::take(&mut self.held));
            self.store.do_send(StoreTask::Commit(held));
        }
    }
}

impl Actor for Gather {
    type Context = Context<Self>;
}

impl Guarded for Gather {
    fn guard(&self) -> &Guard {
        &self.guard
    }
}

impl Supervised for Gather {
    fn restarting(&mut self, ctx: &mut Context<Self>) {
        self.held.clear();
        self.timer = None;
        self.rest(ctx);
    }
}

impl Handler<Commit> for Gather {
    type Result = ();

    fn handle(&mut self, Commit(finished): Commit, ctx: &mut Context<Self>) {
        self.guarded(ctx, |me, ctx| {
            me.guard.pass(Point::Gather, None);
            me.held.extend(finished);
            if me.held.len() >= me.policy.rows {
                me.hand_on(ctx);
            } else if me.timer.is_none() {
                me.timer = Some(ctx.run_later(me.policy.wait, |me, ctx| {
                    me.guarded(ctx, |me, ctx| {
                        me.timer = None;
                        me.hand_on(ctx);
                    });
                }));
            }
        });
    }
}
