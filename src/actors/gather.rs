//! Gathers outcomes before the store, so that a transaction is worth its price.

use std::time::Duration;

use actix::prelude::*;

use crate::actors::guard::guarded;
use crate::actors::store::{Commit, Finished};

/// When what was gathered is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitPolicy {
    /// Slots that are enough for a transaction.
    pub rows: usize,
    /// How long the first of them waits for others.
    pub wait: Duration,
}

impl Default for CommitPolicy {
    fn default() -> Self {
        Self {
            rows: 32,
            wait: Duration::from_millis(20),
        }
    }
}

/// See the module. What it holds when it dies goes home with its credits.
pub struct Gather {
    policy: CommitPolicy,
    store: Recipient<Commit>,
    held: Vec<Finished>,
    timer: Option<SpawnHandle>,
}

impl Gather {
    /// Hands outcomes on to `store`.
    pub const fn new(policy: CommitPolicy, store: Recipient<Commit>) -> Self {
        Self {
            policy,
            store,
            held: Vec::new(),
            timer: None,
        }
    }

    fn guarded(
        &mut self,
        ctx: &mut Context<Self>,
        work: impl FnOnce(&mut Self, &mut Context<Self>),
    ) {
        if guarded("gather", || work(self, ctx)).is_err() {
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
    fn restarting(&mut self, _: &mut Context<Self>) {
        self.held.clear();
        self.timer = None;
    }
}

impl Handler<Commit> for Gather {
    type Result = ();

    fn handle(&mut self, Commit(finished): Commit, ctx: &mut Context<Self>) {
        self.guarded(ctx, |me, ctx| {
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
