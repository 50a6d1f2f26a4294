//! Gathers outcomes before the store, so that a transaction is worth its price.

use actix::prelude::*;

use crate::actors::failpoint::Point;
use crate::actors::guard::{Guard, rest};
use crate::actors::store::{Commit, Finished};
use crate::actors::vitals::Part;
use crate::actors::watchdog::Ping;
use crate::settings::tuning::CommitPolicy;

/// See the module. What it holds when it dies goes home with its credits.
pub struct Gather {
    policy: CommitPolicy,
    store: Recipient<Commit>,
    held: Vec<Finished>,
    timer: Option<SpawnHandle>,
    guard: Guard,
}

impl Gather {
    /// Hands outcomes on to `store`.
    pub fn new(policy: CommitPolicy, store: Recipient<Commit>) -> Self {
        Self {
            policy,
            store,
            held: Vec::new(),
            timer: None,
            guard: Guard::alone(Part::Gather),
        }
    }

    /// Shares what is known of all actors.
    #[must_use]
    pub fn with_guard(mut self, guard: Guard) -> Self {
        self.guard = guard;
        self
    }

    fn guarded(
        &mut self,
        ctx: &mut Context<Self>,
        work: impl FnOnce(&mut Self, &mut Context<Self>),
    ) {
        let guard = self.guard.clone();
        if guard.run(|| work(self, ctx)).is_err() {
            ctx.stop();
        }
    }

    fn hand_on(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        if !self.held.is_empty() {
            self.store.do_send(Commit(std::mem::take(&mut self.held)));
        }
    }
}

impl Actor for Gather {
    type Context = Context<Self>;
}

impl Supervised for Gather {
    fn restarting(&mut self, ctx: &mut Context<Self>) {
        self.held.clear();
        self.timer = None;
        let guard = self.guard.clone();
        rest(&guard, self, ctx);
    }
}

impl Handler<Commit> for Gather {
    type Result = ();

    fn handle(&mut self, Commit(finished): Commit, ctx: &mut Context<Self>) {
        self.guarded(ctx, |me, ctx| {
            me.guard.pass(Point::Gather);
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

impl Handler<Ping> for Gather {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Context<Self>) {}
}
