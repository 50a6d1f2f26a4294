//! Gathers outcomes before the store, so that a transaction is worth its price.
//!
//! While the store has enough to do nothing more is handed on, so that transactions grow under
//! load; the credits of the pipeline bound what is held.

use actix::prelude::*;

use crate::actors::failpoint::Point;
use crate::actors::guard::{Guard, Guarded};
use crate::actors::health::Part;
use crate::actors::store::{Commit, Finished, StoreTask};
use crate::settings::tuning::CommitPolicy;

/// Commits in the store at most: one is written while the next one lies ready.
const COMMITS: usize = 2;
/// Slots of a transaction at most.
const MOST_ROWS: usize = 1_000;

/// See the module. When it panics, the credits of what it holds return without a fate.
pub struct Gather {
    policy: CommitPolicy,
    store: Recipient<StoreTask>,
    held: Vec<Finished>,
    timer: Option<SpawnHandle>,
    /// Whether the first of what is held has waited long enough.
    is_due: bool,
    /// Commits in the store.
    commits: usize,
    guard: Guard,
}

impl Gather {
    /// Hands outcomes on to `store`.
    pub fn new(policy: CommitPolicy, store: Recipient<StoreTask>) -> Self {
        Self {
            policy,
            store,
            held: Vec::new(),
            timer: None,
            is_due: false,
            commits: 0,
            guard: Guard::alone(Part::Gather),
        }
    }

    /// Takes part in the pipeline's supervision.
    #[must_use]
    pub fn with_guard(mut self, guard: Guard) -> Self {
        self.guard = guard;
        self
    }

    /// Hands on what is held once it is enough, or has waited long enough, and the store has room.
    fn hand_on(&mut self, ctx: &mut Context<Self>) {
        while self.commits < COMMITS
            && !self.held.is_empty()
            && (self.is_due || self.held.len() >= self.policy.rows)
        {
            let rest = self.held.split_off(self.held.len().min(MOST_ROWS));
            let commit = Commit(std::mem::replace(&mut self.held, rest));
            self.commits += 1;
            let done = self.store.send(StoreTask::Commit(commit)).into_actor(self);
            ctx.spawn(done.map(|_, me, ctx| {
                // Lost with a panic of the store, too: it goes on.
                me.guarded(ctx, |me, ctx| {
                    me.commits = me.commits.saturating_sub(1);
                    me.hand_on(ctx);
                });
            }));
        }
        if self.held.is_empty() {
            self.is_due = false;
            if let Some(timer) = self.timer.take() {
                ctx.cancel_future(timer);
            }
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
        (self.timer, self.is_due, self.commits) = (None, false, 0);
        self.rest(ctx);
    }
}

impl Handler<Commit> for Gather {
    type Result = ();

    fn handle(&mut self, Commit(finished): Commit, ctx: &mut Context<Self>) {
        self.guarded(ctx, |me, ctx| {
            me.guard.pass(Point::Gather, None);
            me.held.extend(finished);
            me.hand_on(ctx);
            if !me.held.is_empty() && me.timer.is_none() && !me.is_due {
                me.timer = Some(ctx.run_later(me.policy.wait, |me, ctx| {
                    me.guarded(ctx, |me, ctx| {
                        (me.timer, me.is_due) = (None, true);
                        me.hand_on(ctx);
                    });
                }));
            }
        });
    }
}
