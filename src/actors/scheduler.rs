//! The scheduler: walks the plan, gives out credits, keeps the ledger.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::prelude::*;
use tokio::sync::{oneshot, watch};

use crate::actors::failpoint::Point;
use crate::actors::fetch::FetchItem;
use crate::actors::guard::{Guard, Guarded};
use crate::actors::health::Part;
use crate::actors::store::{Commit, Finished};
use crate::draining::Draining;
use celaje_sky::credit::{Credit, Home, Returned};
use celaje_sky::error::Failure;
use celaje_sky::flow::{Flow, FlowStage};
use celaje_sky::ledger::Ledger;
use celaje_sky::outcome::{Miss, MissReason, Outcome};
use celaje_sky::run::{Action, Progress, Run};
use celaje_sky::say;
use celaje_sky::slot::Slot;

/// Begins a run; one at a time.
#[derive(Message)]
#[rtype(result = "()")]
pub struct StartRun {
    /// What is to be done.
    pub run: Run,
    /// Gets the end of the run, once nothing is in flight any more.
    pub done: oneshot::Sender<RunEnd>,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct RunEnd {
    /// The counts of the run.
    pub ledger: Ledger,
    /// Slots of the range.
    pub planned: u64,
    /// Of the misses, those that an earlier run had settled, by reason; no zeros.
    pub skipped: BTreeMap<MissReason, u64>,
    /// Why the run ended before its range did.
    pub failure: Option<Failure>,
}

impl RunEnd {
    /// Of the misses, those for which nothing was asked: an earlier run had settled them.
    pub fn skipped_misses(&self) -> u64 {
        self.skipped.values().sum()
    }

    /// The slots that were asked for in vain, by reason, those that keep an earlier row included;
    /// no zeros.
    pub fn asked_in_vain(&self) -> BTreeMap<MissReason, u64> {
        let (missed, kept) = (self.ledger.missed_by_reason(), self.ledger.kept_by_reason());
        let mut asked = missed.clone();
        for (reason, n) in &self.skipped {
            let left = asked.entry(*reason).or_default();
            *left = left.saturating_sub(*n);
        }
        for (reason, n) in kept {
            *asked.entry(*reason).or_default() += n;
        }
        asked.retain(|_, n| *n > 0);
        asked
    }
}

/// A credit has returned.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CreditReturned(pub Returned);

/// Fetches slots again that were believed missing too soon.
#[derive(Message)]
#[rtype(result = "()")]
pub struct FetchAgain(pub Vec<Slot>);

/// Starts no new slot from here on; slots in flight are finished and committed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Drain;

/// Ends the present run as [`Drain`] does, but another one may follow. Without a run, does
/// nothing.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Pause;

/// An actor cannot do its work any more; the run drains and reports it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Fail(pub Failure);

/// How often in a row a restarted scheduler tries to go on with its run.
const RESUMES: usize = 3;

pub struct Scheduler {
    fetchers: Vec<Recipient<FetchItem>>,
    store: Recipient<Commit>,
    next_fetcher: usize,
    run: Option<Run>,
    done: Option<oneshot::Sender<RunEnd>>,
    progress: watch::Sender<Progress>,
    drain: Draining,
    /// No run follows that does not drain.
    ends: bool,
    /// The run drains for the sake of something else: the next one does not.
    paused: bool,
    failure: Option<Failure>,
    doubts: Box<dyn FnMut() -> Vec<Slot>>,
    capacity: Option<Box<dyn Fn() -> usize>>,
    flow: Arc<Flow>,
    guard: Guard,
    /// Returned credits that are not booked yet: a panic on the way to the ledger loses none.
    unbooked: Vec<Returned>,
}

impl Scheduler {
    /// A scheduler that hands slots to `fetchers` in turn, publishes its progress, and begins
    /// `drain` when it drains.
    pub fn new(
        fetchers: Vec<Recipient<FetchItem>>,
        store: Recipient<Commit>,
        progress: watch::Sender<Progress>,
        drain: impl Into<Draining>,
    ) -> Self {
        Self {
            fetchers,
            store,
            next_fetcher: 0,
            run: None,
            done: None,
            progress,
            drain: drain.into(),
            ends: false,
            paused: false,
            failure: None,
            doubts: Box::new(Vec::new),
            capacity: None,
            flow: Arc::default(),
            guard: Guard::alone(Part::Scheduler),
            unbooked: Vec::new(),
        }
    }

    /// Takes part in the pipeline's supervision.
    #[must_use]
    pub fn with_guard(mut self, guard: Guard) -> Self {
        self.guard = guard;
        self
    }

    /// Asks `doubts` for slots to fetch again whenever a run has nothing else left to do; the run
    /// ends when it gives none.
    #[must_use]
    pub fn with_doubts(mut self, doubts: impl FnMut() -> Vec<Slot> + 'static) -> Self {
        self.doubts = Box::new(doubts);
        self
    }

    /// Asks `capacity` before each step how many slots may be in flight, instead of keeping to what
    /// the run was begun with.
    #[must_use]
    pub fn with_capacity(mut self, capacity: impl Fn() -> usize + 'static) -> Self {
        self.capacity = Some(Box::new(capacity));
        self
    }

    /// Has its credits book themselves in `flow`.
    #[must_use]
    pub fn with_flow(mut self, flow: Arc<Flow>) -> Self {
        self.flow = flow;
        self
    }

    fn credit(&self, ctx: &Context<Self>, slot: Slot, attempt: u32) -> Credit {
        Credit::new(slot, attempt, Self::home(ctx), Arc::clone(&self.flow))
    }

    fn home(ctx: &Context<Self>) -> Home {
        let me = ctx.address();
        Arc::new(move |returned| me.do_send(CreditReturned(returned)))
    }

    /// Books all returned credits.
    fn book(&mut self) {
        while let Some(returned) = self.unbooked.last().copied() {
            self.guard.pass(Point::Returned, None);
            if returned.fate.is_none() {
                let (slot, attempt) = (returned.slot, returned.attempt);
                // Once the run has failed, what is in flight cannot be stored, and is left.
                match self.failure {
                    None => tracing::warn!(%slot, attempt, "a slot was lost"),
                    Some(_) => tracing::debug!(%slot, attempt, "a slot was lost"),
                }
            }
            if let Some(run) = self.run.as_mut() {
                run.returned(returned);
            }
            self.unbooked.pop();
        }
    }

    /// Does what the run says until it has to wait.
    fn pump(&mut self, ctx: &Context<Self>) {
        let capacity = self.capacity.as_ref().map(|capacity| capacity());
        if let (Some(run), Some(capacity)) = (self.run.as_mut(), capacity) {
            run.set_capacity(capacity);
        }
        while self.run.is_some() {
            // Before a slot is in flight: once it is, its credit has to exist.
            self.guard.pass(Point::Schedule, None);
            let Some(run) = self.run.as_mut() else { break };
            match run.next_action() {
                Action::Fetch { slot, attempt } => {
                    let mut credit = self.credit(ctx, slot, attempt);
                    credit.goes_to(FlowStage::Fetch);
                    // Without a fetcher the credit returns, and the slot is lost twice.
                    self.next_fetcher = (self.next_fetcher + 1) % self.fetchers.len().max(1);
                    if let Some(fetcher) = self.fetchers.get(self.next_fetcher) {
                        fetcher.do_send(FetchItem { credit });
                    }
                }
                Action::CommitPoison { slot, attempt } => {
                    let credit = self.credit(ctx, slot, attempt);
                    let outcome = Outcome::Missed(Miss {
                        slot,
                        reason: MissReason::Poison,
                        http_status: None,
                        attempts: attempt - 1,
                        detail: "lost twice on its way through the pipeline".to_owned(),
                        unasked: None,
                    });
                    let poisoned = Finished::new(outcome, credit);
                    self.store.do_send(Commit(vec![poisoned]));
                }
                Action::Wait => break,
                Action::Finish => {
                    let doubts = (self.doubts)();
                    // A run that drains passes them over, and finishes in the next turn.
                    if doubts.is_empty() {
                        self.finish();
                    } else {
                        run.fetch_again(doubts);
                    }
                }
            }
        }
        if let Some(run) = &self.run {
            self.progress.send_replace(run.progress());
        }
    }

    fn finish(&mut self) {
        let Some(run) = self.run.take() else { return };
        let progress = run.progress();
        if let (Some(slot), None) = (run.stuck(), &self.failure) {
            self.failure = Some(Failure::environment(say!(
                "slot {slot} was lost again and again, even its miss could not be stored; see the \
                log and run the same command again",
                "el turno {slot} se perdió una y otra vez, ni su falta pudo guardarse; vea el \
                registro y repita la orden"
            )));
        }
        self.progress.send_replace(progress.clone());
        if std::mem::take(&mut self.paused) && !self.ends {
            self.drain.renew();
        }
        if let Some(done) = self.done.take() {
            let _ = done.send(RunEnd {
                ledger: progress.ledger,
                planned: progress.planned,
                skipped: run.skipped().clone(),
                failure: self.failure.take(),
            });
        }
    }

    fn begin_draining(&mut self) {
        self.ends = true;
        self.drain_run();
    }

    fn drain_run(&mut self) {
        self.drain.begin();
        if let Some(run) = self.run.as_mut() {
            run.drain();
        }
    }
}

impl Actor for Scheduler {
    type Context = Context<Self>;
}

impl Guarded for Scheduler {
    fn guard(&self) -> &Guard {
        &self.guard
    }
}

impl Supervised for Scheduler {
    /// Goes on with the run as it stands. A panic here would come again and again: the run ends as
    /// failed instead.
    fn restarting(&mut self, ctx: &mut Context<Self>) {
        let guard = self.guard.clone();
        let resumed = (0..RESUMES).any(|_| {
            let work = || {
                self.book();
                self.pump(ctx);
            };
            // Success here does not count as a message done: the next one may fail again.
            guard.run_aside(work).is_ok()
        });
        self.rest(ctx);
        if !resumed {
            self.failure.get_or_insert_with(|| {
                Failure::environment(say!(
                    "the run cannot go on after an error of this program; see the log and run the \
                    same command again",
                    "la corrida no puede seguir por un error de este programa; vea el registro y \
                    repita la orden"
                ))
            });
            self.begin_draining();
            self.finish();
        }
    }
}

impl Handler<StartRun> for Scheduler {
    type Result = ();

    fn handle(&mut self, StartRun { run, done }: StartRun, ctx: &mut Context<Self>) {
        self.guarded(ctx, |me, ctx| {
            me.run = Some(run);
            me.done = Some(done);
            if me.drain.is_on() {
                me.begin_draining();
            }
            me.pump(ctx);
        });
    }
}

impl Handler<CreditReturned> for Scheduler {
    type Result = ();

    fn handle(&mut self, CreditReturned(returned): CreditReturned, ctx: &mut Context<Self>) {
        self.unbooked.push(returned);
        self.guarded(ctx, |me, ctx| {
            me.book();
            me.pump(ctx);
        });
    }
}

impl Handler<FetchAgain> for Scheduler {
    type Result = ();

    fn handle(&mut self, FetchAgain(slots): FetchAgain, ctx: &mut Context<Self>) {
        self.guarded(ctx, |me, ctx| {
            if let Some(run) = me.run.as_mut() {
                run.fetch_again(slots);
            }
            me.pump(ctx);
        });
    }
}

impl Handler<Drain> for Scheduler {
    type Result = ();

    fn handle(&mut self, _: Drain, ctx: &mut Context<Self>) {
        self.guarded(ctx, |me, ctx| {
            me.begin_draining();
            me.pump(ctx);
        });
    }
}

impl Handler<Pause> for Scheduler {
    type Result = ();

    fn handle(&mut self, _: Pause, ctx: &mut Context<Self>) {
        self.guarded(ctx, |me, ctx| {
            if me.run.is_some() {
                me.paused = true;
                me.drain_run();
                me.pump(ctx);
            }
        });
    }
}

impl Handler<Fail> for Scheduler {
    type Result = ();

    fn handle(&mut self, Fail(failure): Fail, ctx: &mut Context<Self>) {
        self.guarded(ctx, |me, ctx| {
            me.failure.get_or_insert(failure);
            me.begin_draining();
            me.pump(ctx);
        });
    }
}
