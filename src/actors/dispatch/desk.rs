//! The desk of a writer: gives out slots by jobs, and takes in what workers say of them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix::{Recipient, WeakRecipient};
use async_nats::Subscriber;
use async_nats::jetstream::{AckKind, Message as Delivery};
use futures_util::StreamExt;
use tokio::sync::mpsc;

use crate::actors::dispatch::DispatchCounts;
use crate::actors::dispatch::asked::{AskedSlots, SlotGroup, SlotPlace};
use crate::actors::scheduler::Fail;
use crate::actors::store::{Commit, Finished};
use crate::clock::Clock;
use crate::draining::Draining;
use crate::queue::messages::{JobOutcomes, SlotJob, WriterWelcome, unpack};
use crate::queue::{LineState, LineTrouble, QueueError, WriterAnswers, WriterLine};
use celaje_sky::credit::{Credit, Home, Returned};
use celaje_sky::outcome::Outcome;
use celaje_sky::slot::Slot;

/// Slots on their way into the record beyond which no more outcomes are taken from the queue.
const MOST_COMMITTING: usize = 4_000;
/// Jobs that are put into the queue at a tick, at the same time.
const PUT_AT_ONCE: usize = 32;
/// Workers that are counted at most.
const MOST_WORKERS: usize = 10_000;
/// How long a first worker may take to come before that is said.
const NOBODY: Duration = Duration::from_secs(10);
/// Time between two looks at what is to be given out.
const TICK: Duration = Duration::from_millis(200);

/// Whom the desk tells.
pub(super) struct Outlets {
    pub(super) store: Recipient<Commit>,
    pub(super) scheduler: WeakRecipient<Fail>,
    pub(super) drain: Draining,
    /// Credits of outcomes, by the message that brought them.
    pub(super) returns: mpsc::UnboundedSender<(u64, Returned)>,
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

/// See the module.
pub(super) struct Desk {
    line: WriterLine,
    answers: WriterAnswers,
    /// Name and version of the model.
    model: String,
    counts: Arc<DispatchCounts>,
    outlets: Outlets,
    slots: AskedSlots,
    /// Workers that said something, by name.
    workers: HashSet<String>,
    begun: Instant,
    /// Whether it is known which slots the run asks for.
    began: bool,
    /// Whether it was said that no worker is there.
    warned: bool,
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
    /// Whether the run ends because nothing can be written, or the queue denies what is needed.
    failed: bool,
    /// When the queue was last looked at.
    looked: Instant,
    /// When workers last said something, or it was tried whether the queue takes what they say.
    heard: Instant,
    /// Since when the server says that it cannot make what was lost.
    ruined: Option<Instant>,
    /// Whether the queue was in trouble since slots were last given out again: what is missing then
    /// is no fault of its picture.
    troubled: bool,
}

impl Desk {
    pub(super) fn new(
        line: WriterLine,
        answers: WriterAnswers,
        model: String,
        counts: Arc<DispatchCounts>,
        outlets: Outlets,
    ) -> Self {
        Self {
            line,
            answers,
            model,
            counts,
            outlets,
            slots: AskedSlots::default(),
            workers: HashSet::new(),
            begun: Clock::instant(),
            began: false,
            warned: false,
            jobs: BTreeSet::new(),
            deliveries: HashMap::new(),
            next_delivery: 0,
            committing: 0,
            grew: false,
            moved: true,
            state: DeskState::Begins,
            failed: false,
            looked: Clock::instant(),
            heard: Clock::instant(),
            ruined: None,
            troubled: false,
        }
    }

    pub(super) async fn work(
        mut self,
        mut credits: mpsc::UnboundedReceiver<Credit>,
        mut returned: mpsc::UnboundedReceiver<(u64, Returned)>,
        mut deliveries: mpsc::Receiver<Delivery>,
        mut questions: Subscriber,
    ) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            // What an earlier run left is taken once it is known which slots this one asks for.
            let takes = self.began && self.committing < MOST_COMMITTING;
            tokio::select! {
                credit = credits.recv() => match credit {
                    Some(credit) => self.take(credit),
                    None => return,
                },
                Some((delivery, credit)) = returned.recv() => self.returned(delivery, credit).await,
                Some(delivery) = deliveries.recv(), if takes => self.arrived(delivery).await,
                Some(question) = questions.next() => {
                    if let Some(note) = self.line.answer(question, &self.answers).await {
                        self.counts.seen.hear(note, Clock::instant());
                    }
                }
                _ = tick.tick() => {
                    self.began |= !self.grew && !self.slots.is_empty();
                    self.tick().await;
                    self.grew = false;
                }
            }
        }
    }

    fn take(&mut self, mut credit: Credit) {
        credit.taken_up();
        (self.grew, self.moved) = (true, true);
        self.slots.take(credit);
    }

    /// Commits what a worker says.
    async fn arrived(&mut self, message: Delivery) {
        (self.moved, self.heard) = (true, Clock::instant());
        if self.failed {
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
        if told.marks != self.answers.welcome.marks {
            if self.counts.refused.fetch_add(n, Ordering::Relaxed) == 0 {
                let (worker, marks) = (&told.worker, &told.marks);
                tracing::warn!(worker, ?marks, "outcomes of another version, station or model");
            }
            return acknowledge(&message).await;
        }
        tracing::debug!(worker = told.worker, outcomes = n, "outcomes");
        // A number of names that no honest queue has is not kept.
        let is_worker = !told.worker.is_empty() && self.workers.len() < MOST_WORKERS;
        if is_worker && self.workers.insert(told.worker) {
            self.counts.workers.fetch_add(1, Ordering::Relaxed);
        }
        self.give_again(told.left, true);
        let finished = self.finished(told.outcomes);
        if finished.is_empty() {
            return acknowledge(&message).await;
        }
        let left = finished.len();
        self.committing += left;
        let delivery = self.next_delivery;
        self.next_delivery += 1;
        self.deliveries.insert(delivery, Unacknowledged { message, left, is_whole: true });
        self.outlets.store.do_send(Commit(finished));
    }

    /// Those of the outcomes of a message, the next one, that go into the record.
    fn finished(&mut self, outcomes: Vec<Outcome>) -> Vec<Finished> {
        let (delivery, returns) = (self.next_delivery, self.outlets.returns.clone());
        let home: Home = Arc::new(move |returned| {
            let _ = returns.send((delivery, returned));
        });
        let mut finished = Vec::new();
        for outcome in outcomes {
            if let Some(fault) = self.fault(&outcome) {
                if self.counts.broken.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::warn!(fault, ?outcome, "an outcome that cannot be true");
                }
                continue;
            }
            match self.slots.commits(outcome.slot()) {
                Some(asked) => {
                    let (slot, attempt) = (asked.slot(), asked.attempt());
                    let credit = Credit::new(slot, attempt, Arc::clone(&home), asked.flow());
                    finished.push(Finished::new(outcome, credit));
                }
                // In the record by another message, or not asked for: the record has the last word.
                None => count(&self.counts.repeated, 1),
            }
        }
        finished
    }

    /// Why an outcome cannot be true.
    fn fault(&self, outcome: &Outcome) -> Option<&'static str> {
        let marks = &self.answers.welcome.marks;
        match outcome {
            Outcome::Observed(observed)
                if observed.model_sha256 != marks.model || observed.model != self.model =>
            {
                Some("another model has read it")
            }
            _ => outcome.fault(),
        }
    }

    /// Books what the store did with an outcome, and acknowledges the message when it is all
    /// committed.
    async fn returned(&mut self, delivery: u64, returned: Returned) {
        self.moved = true;
        self.committing = self.committing.saturating_sub(1);
        match returned.fate {
            Some(fate) => {
                count(&self.counts.taken, 1);
                self.slots.settle(returned.slot, fate);
            }
            // Nothing is in the record: it is to come again.
            None => {
                self.failed |= matches!(self.state, DeskState::Drains(_));
                self.slots.uncommitted(returned.slot);
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
        if !self.failed
            && let Some(denied) = self.line.denied()
        {
            self.failed = true;
            if let Some(scheduler) = self.outlets.scheduler.upgrade() {
                scheduler.do_send(Fail(denied));
            }
        }
        if self.outlets.drain.is_on() {
            if !matches!(self.state, DeskState::Drains(_)) {
                self.begin_draining().await;
            }
        } else if self.slots.is_empty() && self.began {
            self.await_a_run();
        } else if matches!(self.state, DeskState::Drains(_)) {
            // Of a run that was paused; another one has begun.
            self.await_a_run();
        }
        if matches!(self.state, DeskState::Works(_)) {
            self.give_out().await;
        }
        if self.failed {
            self.slots.cancel(|place| place != SlotPlace::Committing);
        }
        let every = match self.state {
            DeskState::Works(_) => (self.line.patience() / 20).clamp(TICK, Duration::from_secs(3)),
            _ => TICK,
        };
        if !self.slots.is_empty() && Clock::since(self.looked) >= every {
            self.look().await;
        }
    }

    /// Looks at what lies in the queue.
    async fn look(&mut self) {
        self.looked = Clock::instant();
        let moved = std::mem::replace(&mut self.moved, false);
        let state = match self.line.state().await {
            Ok(state) => {
                self.ruined = None;
                state
            }
            Err(trouble) => {
                self.troubled(trouble).await;
                LineState { jobs_in_hand: 1, ..LineState::default() }
            }
        };
        if state.jobs_in_hand > 0 && state.outcomes == 0 {
            self.listen().await;
        }
        let is_alone = state.jobs_waiting > 0 && state.jobs_in_hand == 0;
        let is_alone = is_alone && self.workers.is_empty();
        if is_alone && !self.warned && Clock::since(self.begun) >= NOBODY {
            self.warned = true;
            tracing::warn!("jobs lie in the queue, and no worker takes them: celaje worker");
        }
        self.jobs = self.jobs.split_off(&state.delivered.saturating_add(1));
        // What waits in this process is not acknowledged, so that the queue counts it.
        let is_empty = state.is_quiet() && self.committing == 0;
        let is_done = is_empty && !moved && !self.slots.has_waiting();
        match self.state {
            DeskState::Begins if is_empty => self.state = DeskState::Works(0),
            DeskState::Begins => {}
            DeskState::Works(0) if is_done => self.state = DeskState::Works(1),
            DeskState::Works(_) if is_done => {
                self.state = DeskState::Works(0);
                self.plan_anew();
            }
            DeskState::Works(_) => self.state = DeskState::Works(0),
            DeskState::Drains(until) => {
                // What workers have in hand lies in the queue for the next run.
                let is_late = Clock::instant() >= until || !self.line.is_connected();
                if is_empty || is_late {
                    self.slots.cancel(|place| place != SlotPlace::Committing);
                }
            }
        }
    }

    /// Where workers have been silent for long, tries whether the queue takes what they say: a
    /// server may be left with a stream that takes nothing, and says so to those alone who fill it.
    async fn listen(&mut self) {
        if Clock::since(self.heard) < self.line.patience() {
            return;
        }
        self.heard = Clock::instant();
        let marks = self.answers.welcome.marks.clone();
        let worker = String::new();
        let nothing = JobOutcomes { marks, worker, outcomes: Vec::new(), left: Vec::new() };
        if let Err(LineTrouble::Broken(error)) = self.line.try_outcomes(&nothing).await {
            tracing::warn!(%error, "the queue takes no outcomes, and is made anew");
            self.line.make_anew().await;
            self.jobs.clear();
            (self.moved, self.troubled) = (true, true);
        }
    }

    /// What lies in the queue is not known.
    async fn troubled(&mut self, trouble: LineTrouble) {
        if !self.troubled {
            tracing::warn!(?trouble, "the queue does not answer as it should");
        }
        (self.moved, self.troubled) = (true, true);
        match trouble {
            // As long as it likes: nothing says that anything is lost.
            LineTrouble::Silent(_) => self.ruined = None,
            // Other numbers come.
            LineTrouble::Lost(_) => (self.ruined, self.jobs) = (None, BTreeSet::new()),
            // What was lost by halves is lost whole, and made anew: the record has the rest.
            LineTrouble::Broken(error) => {
                self.jobs.clear();
                let since = *self.ruined.get_or_insert_with(Clock::instant);
                if Clock::since(since) >= self.line.patience() {
                    tracing::warn!(%error, "the queue is made anew");
                    self.line.make_anew().await;
                    self.ruined = None;
                }
            }
        }
    }

    /// Puts jobs into the queue. The last day is kept back while slots still come.
    async fn give_out(&mut self) {
        let groups = self.slots.groups(PUT_AT_ONCE, !self.grew);
        let (line, welcome) = (&self.line, &self.answers.welcome);
        let put = futures_util::stream::iter(groups).map(|group: SlotGroup| async move {
            let (marks, run) = (welcome.marks.clone(), welcome.run.clone());
            let id = format!("{run}/{}", group.id);
            let job = SlotJob { marks, run, slots: group.slots };
            let number = line.put(&job, &id).await;
            (job.slots, number)
        });
        let put: Vec<(Vec<Slot>, Result<u64, QueueError>)> =
            put.buffer_unordered(PUT_AT_ONCE).collect().await;
        for (slots, number) in put {
            match number {
                Ok(number) => {
                    self.moved = true;
                    self.jobs.insert(number);
                    self.slots.gave(&slots);
                }
                Err(error) => tracing::warn!(%error, "a job could not be put into the queue"),
            }
        }
    }

    /// Gives out again what nobody said anything of.
    fn plan_anew(&mut self) {
        let out = self.slots.out();
        tracing::warn!(slots = out.len(), "slots were lost on their way, and are given out again");
        count(&self.counts.again, out.len());
        let free = std::mem::take(&mut self.troubled);
        self.give_again(out, free);
    }

    /// Gives out slots again; misses those with which that was done too often.
    fn give_again(&mut self, slots: Vec<Slot>, free: bool) {
        let lost: Vec<Finished> =
            slots.into_iter().filter_map(|slot| self.slots.again(slot, free)).collect();
        if !lost.is_empty() {
            self.outlets.store.do_send(Commit(lost));
        }
    }

    /// The run is over, and another one may follow: workers are to look anew for what is there.
    fn await_a_run(&mut self) {
        self.answers.welcome.run = WriterWelcome::new_run();
        self.state = DeskState::Begins;
        (self.began, self.failed, self.troubled) = (false, false, false);
        (self.begun, self.warned) = (Clock::instant(), false);
    }

    /// Takes back what no worker has begun.
    async fn begin_draining(&mut self) {
        if self.line.is_connected()
            && let Ok(state) = self.line.state().await
        {
            let unbegun = self.jobs.split_off(&state.delivered.saturating_add(1));
            self.line.take_back(unbegun).await;
        }
        self.state = DeskState::Drains(Clock::instant() + self.line.patience());
        self.moved = true;
        self.slots.cancel(|place| place == SlotPlace::Waiting);
    }
}

fn count(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Ordering::Relaxed);
}

async fn acknowledge(message: &Delivery) {
    if let Err(error) = message.ack().await {
        // It comes again, and is found to be in the record.
        tracing::debug!(%error, "a message could not be acknowledged");
    }
}
