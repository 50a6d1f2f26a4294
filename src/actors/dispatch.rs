//! Gives slots to workers through the queue, in place of the fetch actors of this machine.
//!
//! A slot's credit stays here until the store has committed what a worker says of the slot; then
//! the worker's message is acknowledged. What no worker says anything of, though the queue is
//! empty, is given out again: in smaller jobs each time, so that a picture that ends workers ends
//! up alone, and after five rounds it is missed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix::WeakRecipient;
use actix::prelude::*;
use async_nats::Subscriber;
use async_nats::jetstream::{AckKind, Message as Delivery};
use futures_util::StreamExt;
use tokio::sync::mpsc;

use crate::actors::fetch::FetchItem;
use crate::actors::scheduler::Fail;
use crate::actors::store::{Commit, Finished};
use crate::clock::Clock;
use crate::draining::Draining;
use crate::queue::messages::{JobOutcomes, MOST_SLOTS, SlotJob, WriterWelcome, unpack};
use crate::queue::{LineState, QueueError, WriterLine};
use celaje_sky::credit::{Credit, Fate, Home, Returned};
use celaje_sky::error::Failure;
use celaje_sky::outcome::{Miss, MissReason, Outcome};
use celaje_sky::say;
use celaje_sky::slot::Slot;
use celaje_sky::text::Text;
use celaje_vision::model::source::Model;

/// Slots that workers may have at once.
pub const SLOTS_OUT: usize = 32_768;
/// How often a slot is given out anew, at most.
const ROUNDS: usize = 5;
/// Slots of a job, by how often they were given out before.
const JOB_SLOTS: [usize; ROUNDS + 1] = [MOST_SLOTS, 64, 8, 1, 1, 1];
/// Slots on their way into the record beyond which no more outcomes are taken from the queue.
const MOST_COMMITTING: usize = 4_000;
/// Messages of outcomes that lie ready.
const READY: usize = 16;
/// Jobs that are put into the queue at a tick, at the same time.
const PUT_AT_ONCE: usize = 32;
/// Workers that are counted at most.
const MOST_WORKERS: usize = 10_000;
/// How long a first worker may take to come before that is said.
const NOBODY: Duration = Duration::from_secs(10);
/// Time between two looks at what is to be given out.
const TICK: Duration = Duration::from_millis(200);

/// What a writer counts of its workers.
#[derive(Debug, Default)]
pub struct DispatchCounts {
    /// Outcomes that were committed.
    pub taken: AtomicU64,
    /// Outcomes of slots that were not asked for, or are in the record already.
    pub repeated: AtomicU64,
    /// Outcomes of another version, station or model.
    pub refused: AtomicU64,
    /// Slots that were given out again.
    pub again: AtomicU64,
    /// Workers that said something.
    pub workers: AtomicU64,
}

impl DispatchCounts {
    /// For who asked for the run.
    pub fn text(&self) -> Text {
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let (workers, repeated) = (count(&self.workers), count(&self.repeated));
        let (refused, again) = (count(&self.refused), count(&self.again));
        say!(
            "workers: {workers}; slots given out again: {again}; outcomes that came twice: \
             {repeated}, of another version, station or model: {refused}",
            "trabajadores: {workers}; turnos repartidos otra vez: {again}; resultados que llegaron \
             dos veces: {repeated}, de otra versión, estación o modelo: {refused}"
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
    pub welcome: WriterWelcome,
    /// The model that it gives to workers.
    pub model: Arc<Model>,
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
        let desk = Desk {
            run: setup.welcome.run.clone(),
            workers: HashSet::new(),
            begun: Clock::instant(),
            warned: false,
            line: setup.line,
            welcome: setup.welcome,
            model: setup.model,
            counts: setup.counts,
            store,
            drain,
            returns,
            asked: HashMap::new(),
            waiting: BTreeSet::new(),
            jobs: BTreeSet::new(),
            deliveries: HashMap::new(),
            next_delivery: 0,
            committing: 0,
            grew: false,
            moved: true,
            state: DeskState::Begins,
            store_failed: false,
            looked: Clock::instant(),
            failing: None,
        };
        let ends = EndsBadly(Some(scheduler));
        actix::spawn(async move {
            desk.work(credits, returned, deliveries, setup.questions).await;
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

/// Where a slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SlotPlace {
    /// Not given out.
    Waiting,
    /// In the queue, or in a worker's hands.
    Out,
    /// On its way into the record.
    Committing,
}

/// A slot that the run asks for.
struct AskedSlot {
    credit: Credit,
    place: SlotPlace,
    rounds: usize,
}

/// A worker's message whose outcomes are being committed.
struct Unacknowledged {
    message: Delivery,
    left: usize,
    is_whole: bool,
}

/// What the desk is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DeskState {
    /// What an earlier writer gave out comes in first, so that nothing is asked for twice.
    Begins,
    /// Gives out slots. The number of looks in a row that found the queue empty.
    Works(u32),
    /// Gives out no more; waits for what workers have in hand, until then.
    Drains(Instant),
}

struct Desk {
    run: String,
    /// Those that said something, by name.
    workers: HashSet<String>,
    begun: Instant,
    /// Whether it was said that no worker is there.
    warned: bool,
    line: WriterLine,
    welcome: WriterWelcome,
    model: Arc<Model>,
    counts: Arc<DispatchCounts>,
    store: Recipient<Commit>,
    drain: Draining,
    returns: mpsc::UnboundedSender<(u64, Returned)>,
    asked: HashMap<Slot, AskedSlot>,
    /// Those of the slots that are not given out.
    waiting: BTreeSet<Slot>,
    /// The numbers of the jobs in the queue, some that are done among them.
    jobs: BTreeSet<u64>,
    deliveries: HashMap<u64, Unacknowledged>,
    next_delivery: u64,
    /// Slots on their way into the record.
    committing: usize,
    /// Whether slots came since the last tick.
    grew: bool,
    /// Whether anything happened since the last look at the queue.
    moved: bool,
    state: DeskState,
    /// Whether the run ends because nothing can be written.
    store_failed: bool,
    /// When the queue was last looked at.
    looked: Instant,
    /// Since when it does not answer as it should.
    failing: Option<Instant>,
}

impl Desk {
    async fn work(
        mut self,
        mut credits: mpsc::UnboundedReceiver<Credit>,
        mut returned: mpsc::UnboundedReceiver<(u64, Returned)>,
        mut deliveries: mpsc::Receiver<Delivery>,
        mut questions: Subscriber,
    ) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut began = false;
        loop {
            // What an earlier run left is taken once it is known which slots this one asks for.
            let takes = began && self.committing < MOST_COMMITTING;
            tokio::select! {
                credit = credits.recv() => match credit {
                    Some(credit) => self.take(credit),
                    None => return,
                },
                Some((delivery, credit)) = returned.recv() => self.returned(delivery, credit).await,
                Some(delivery) = deliveries.recv(), if takes => self.arrived(delivery).await,
                Some(question) = questions.next() => {
                    self.line.answer(question, &self.welcome, &self.model).await;
                }
                _ = tick.tick() => {
                    began |= !self.grew && !self.asked.is_empty();
                    self.tick().await;
                    self.grew = false;
                }
            }
        }
    }

    fn take(&mut self, mut credit: Credit) {
        let slot = credit.slot();
        credit.taken_up();
        (self.grew, self.moved) = (true, true);
        let asked = AskedSlot { credit, place: SlotPlace::Waiting, rounds: 0 };
        self.asked.insert(slot, asked);
        self.waiting.insert(slot);
    }

    /// Commits what a worker says.
    async fn arrived(&mut self, message: Delivery) {
        self.moved = true;
        if self.store_failed {
            // A later writer gets it.
            return;
        }
        let told: JobOutcomes = match unpack(&message.payload) {
            Ok(told) => told,
            Err(error) => {
                tracing::warn!(%error, "outcomes that are none were refused");
                return acknowledge(&message).await;
            }
        };
        let n = told.outcomes.len() as u64;
        if told.marks != self.welcome.marks {
            if self.counts.refused.fetch_add(n, Ordering::Relaxed) == 0 {
                let (worker, marks) = (&told.worker, &told.marks);
                tracing::warn!(worker, ?marks, "outcomes of another version, station or model");
            }
            return acknowledge(&message).await;
        }
        tracing::debug!(worker = told.worker, outcomes = n, "outcomes");
        // A number of names that no honest queue has is not kept.
        if self.workers.len() < MOST_WORKERS && self.workers.insert(told.worker) {
            self.counts.workers.fetch_add(1, Ordering::Relaxed);
        }
        for slot in told.left {
            self.waits_again(slot);
        }
        let delivery = self.next_delivery;
        self.next_delivery += 1;
        let returns = self.returns.clone();
        let home: Home = Arc::new(move |returned| {
            let _ = returns.send((delivery, returned));
        });
        let mut finished = Vec::new();
        for outcome in told.outcomes {
            let slot = outcome.slot();
            match self.asked.get_mut(&slot) {
                Some(asked) if asked.place != SlotPlace::Committing => {
                    asked.place = SlotPlace::Committing;
                    self.waiting.remove(&slot);
                    let (attempt, flow) = (asked.credit.attempt(), asked.credit.flow());
                    let credit = Credit::new(slot, attempt, Arc::clone(&home), flow);
                    finished.push(Finished::new(outcome, credit));
                }
                // In the record by another message, or not asked for: the record has the last word.
                _ => {
                    self.counts.repeated.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        if finished.is_empty() {
            return acknowledge(&message).await;
        }
        let left = finished.len();
        self.committing += left;
        self.deliveries.insert(delivery, Unacknowledged { message, left, is_whole: true });
        self.store.do_send(Commit(finished));
    }

    /// Books what the store did with an outcome, and acknowledges the message when it is all
    /// committed.
    async fn returned(&mut self, delivery: u64, returned: Returned) {
        self.moved = true;
        self.committing = self.committing.saturating_sub(1);
        match returned.fate {
            Some(fate) => {
                self.counts.taken.fetch_add(1, Ordering::Relaxed);
                if let Some(asked) = self.asked.remove(&returned.slot) {
                    asked.credit.settle(fate);
                }
            }
            // Nothing is in the record: it is to come again.
            None => {
                self.store_failed |= matches!(self.state, DeskState::Drains(_));
                if let Some(asked) = self.asked.get_mut(&returned.slot) {
                    asked.place = SlotPlace::Out;
                }
            }
        }
        let Some(waits) = self.deliveries.get_mut(&delivery) else { return };
        waits.left = waits.left.saturating_sub(1);
        waits.is_whole &= returned.fate.is_some();
        if waits.left == 0
            && let Some(done) = self.deliveries.remove(&delivery)
        {
            if done.is_whole {
                acknowledge(&done.message).await;
            } else {
                let _ = done.message.ack_with(AckKind::Nak(Some(TICK))).await;
            }
        }
    }

    async fn tick(&mut self) {
        if self.drain.is_on() && !matches!(self.state, DeskState::Drains(_)) {
            self.begin_draining().await;
        }
        if matches!(self.state, DeskState::Works(_)) {
            self.give_out().await;
        }
        if self.store_failed {
            self.cancel(|asked| asked.place != SlotPlace::Committing);
        }
        let every = match self.state {
            DeskState::Works(_) => (self.line.patience() / 20).clamp(TICK, Duration::from_secs(3)),
            _ => TICK,
        };
        if self.asked.is_empty() || Clock::since(self.looked) < every {
            return;
        }
        self.looked = Clock::instant();
        let moved = std::mem::replace(&mut self.moved, false);
        let state = match self.line.state().await {
            Ok(state) => {
                self.failing = None;
                state
            }
            Err(error) => {
                self.moved = true;
                let since = *self.failing.get_or_insert_with(|| {
                    tracing::warn!(%error, "the queue does not answer as it should");
                    Clock::instant()
                });
                // What was lost by halves is lost whole, and made anew: the record has the rest.
                if Clock::since(since) >= self.line.patience() {
                    tracing::warn!(%error, "the queue is made anew");
                    self.line.make_anew().await;
                    self.failing = None;
                }
                LineState { jobs_in_hand: 1, ..LineState::default() }
            }
        };
        let is_alone = state.jobs_waiting > 0 && state.jobs_in_hand == 0;
        let is_alone = is_alone && self.workers.is_empty();
        if is_alone && !self.warned && Clock::since(self.begun) >= NOBODY {
            self.warned = true;
            tracing::warn!("jobs lie in the queue, and no worker takes them: celaje worker");
        }
        self.jobs = self.jobs.split_off(&state.delivered.saturating_add(1));
        // What waits in this process is not acknowledged, so that the queue counts it.
        let is_empty = state.is_quiet() && self.committing == 0;
        let is_quiet = is_empty && !moved;
        match self.state {
            DeskState::Begins if is_empty => self.state = DeskState::Works(0),
            DeskState::Begins => {}
            DeskState::Works(0) if is_quiet && self.waiting.is_empty() => {
                self.state = DeskState::Works(1);
            }
            DeskState::Works(_) if is_quiet && self.waiting.is_empty() => {
                self.state = DeskState::Works(0);
                self.plan_anew();
            }
            DeskState::Works(_) => self.state = DeskState::Works(0),
            DeskState::Drains(until) => {
                if is_empty || Clock::instant() >= until {
                    self.cancel(|asked| asked.place != SlotPlace::Committing);
                }
            }
        }
    }

    /// Puts jobs into the queue. The last day is kept back while slots still come.
    async fn give_out(&mut self) {
        let mut jobs: Vec<Vec<Slot>> = Vec::new();
        let mut last: Option<(Slot, usize)> = None;
        for slot in &self.waiting {
            let rounds = self.asked.get(slot).map_or(0, |asked| asked.rounds);
            let same = last.is_some_and(|(before, round)| {
                before.local().date() == slot.local().date() && round == rounds
            });
            match jobs.last_mut() {
                Some(job) if same && job.len() < JOB_SLOTS[rounds.min(ROUNDS)] => job.push(*slot),
                _ => jobs.push(vec![*slot]),
            }
            last = Some((*slot, rounds));
        }
        if self.grew {
            jobs.pop_if(|job| job.len() < MOST_SLOTS);
        }
        let line = &self.line;
        let (run, marks, asked) = (&self.run, &self.welcome.marks, &self.asked);
        jobs.truncate(PUT_AT_ONCE);
        let put = futures_util::stream::iter(jobs).map(|slots: Vec<Slot>| async move {
            let first = slots.first().copied();
            let rounds = first.and_then(|slot| asked.get(&slot)).map_or(0, |asked| asked.rounds);
            let id = first.map(|slot| format!("{run}/{slot}/{rounds}")).unwrap_or_default();
            let job = SlotJob { marks: marks.clone(), run: run.clone(), slots: slots.clone() };
            (slots, line.put(&job, &id).await)
        });
        let put: Vec<(Vec<Slot>, Result<u64, QueueError>)> =
            put.buffer_unordered(PUT_AT_ONCE).collect().await;
        for (slots, number) in put {
            match number {
                Ok(number) => {
                    self.moved = true;
                    self.jobs.insert(number);
                    for slot in slots {
                        self.waiting.remove(&slot);
                        if let Some(asked) = self.asked.get_mut(&slot) {
                            asked.place = SlotPlace::Out;
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "a job could not be put into the queue"),
            }
        }
    }

    /// Gives out again what nobody said anything of; what that was done with too often is missed.
    fn plan_anew(&mut self) {
        let out = self.asked.iter().filter(|(_, asked)| asked.place == SlotPlace::Out);
        let out: Vec<Slot> = out.map(|(slot, _)| *slot).collect();
        tracing::warn!(slots = out.len(), "slots were lost on their way, and are given out again");
        self.counts.again.fetch_add(out.len() as u64, Ordering::Relaxed);
        let mut lost = Vec::new();
        for slot in out {
            let Some(asked) = self.asked.get_mut(&slot) else { continue };
            asked.rounds += 1;
            if asked.rounds <= ROUNDS {
                self.waits_again(slot);
            } else if let Some(asked) = self.asked.remove(&slot) {
                let missed = Outcome::Missed(Miss {
                    slot,
                    reason: MissReason::Poison,
                    http_status: None,
                    attempts: 0,
                    detail: format!("no worker said anything of it, {} times", asked.rounds),
                    unasked: None,
                });
                lost.push(Finished::new(missed, asked.credit));
            }
        }
        if !lost.is_empty() {
            self.store.do_send(Commit(lost));
        }
    }

    fn waits_again(&mut self, slot: Slot) {
        if let Some(asked) = self.asked.get_mut(&slot)
            && asked.place == SlotPlace::Out
        {
            asked.place = SlotPlace::Waiting;
            self.waiting.insert(slot);
        }
    }

    /// Takes back what no worker has begun.
    async fn begin_draining(&mut self) {
        if let Ok(state) = self.line.state().await {
            let unbegun = self.jobs.split_off(&state.delivered.saturating_add(1));
            self.line.take_back(unbegun).await;
        }
        self.state = DeskState::Drains(Clock::instant() + self.line.patience());
        self.moved = true;
        self.cancel(|asked| asked.place == SlotPlace::Waiting);
    }

    /// Gives up slots.
    fn cancel(&mut self, which: impl Fn(&AskedSlot) -> bool) {
        let given_up = self.asked.extract_if(|_, asked| which(asked));
        for (slot, asked) in given_up {
            self.waiting.remove(&slot);
            asked.credit.settle(Fate::Cancelled);
        }
    }
}

async fn acknowledge(message: &Delivery) {
    if let Err(error) = message.ack().await {
        // It comes again, and is found to be in the record.
        tracing::debug!(%error, "a message could not be acknowledged");
    }
}
