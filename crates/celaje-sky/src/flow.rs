//! Where slots are in the pipeline, and how long they wait and are worked on there.
//!
//! Each credit books itself here as it travels; one that is lost leaves its stage too. Counting
//! takes no lock.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::say;
use crate::text::Text;

/// A stage of the pipeline that slots queue for: the actor of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlowStage {
    /// Requests to the camera: a slot waits for its turn to ask, and is worked on while they run.
    Fetch,
    /// Decoding: from bytes to a frame.
    Decode,
    /// The batch queue: a picture is worked on until its batch is sent to a session.
    Batch,
    /// The network; a picture is charged its share of the batch's time.
    Session,
    /// The store; a slot is charged its share of the transaction's time.
    Store,
}

impl FlowStage {
    /// All of them, in the order in which a slot goes through them.
    pub const ALL: [Self; 5] = [Self::Fetch, Self::Decode, Self::Batch, Self::Session, Self::Store];

    /// Its name for people.
    pub fn name(self) -> Text {
        match self {
            Self::Fetch => say!("fetch", "descarga"),
            Self::Decode => say!("decode", "decodificación"),
            Self::Batch => say!("batch", "lote"),
            Self::Session => say!("session", "sesión"),
            Self::Store => say!("store", "almacén"),
        }
    }
}

#[derive(Debug, Default)]
struct Counters {
    sent: AtomicU64,
    /// Leaves the queue of a stage that never took it up: it was lost on the way.
    dropped: AtomicU64,
    taken: AtomicU64,
    left: AtomicU64,
    waited_ns: AtomicU64,
    worked_ns: AtomicU64,
}

/// Counts of what flows through a pipeline; its actors share it.
#[derive(Debug, Default)]
pub struct Flow {
    stages: [Counters; 5],
    given: AtomicU64,
    home: AtomicU64,
    batches: AtomicU64,
    batched: AtomicU64,
    commits: AtomicU64,
    committed: AtomicU64,
}

fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

fn add_time(counter: &AtomicU64, time: Duration) {
    add(counter, u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
}

impl Flow {
    pub(super) fn gave(&self) {
        add(&self.given, 1);
    }

    pub(super) fn came_home(&self) {
        add(&self.home, 1);
    }

    pub(super) fn sent(&self, stage: FlowStage) {
        add(&self.stages[stage as usize].sent, 1);
    }

    pub(super) fn taken(&self, stage: FlowStage, waited: Duration) {
        let counters = &self.stages[stage as usize];
        add(&counters.taken, 1);
        add_time(&counters.waited_ns, waited);
    }

    pub(super) fn left(&self, stage: FlowStage, worked: Duration) {
        let counters = &self.stages[stage as usize];
        add(&counters.left, 1);
        add_time(&counters.worked_ns, worked);
    }

    pub(super) fn dropped(&self, stage: FlowStage) {
        add(&self.stages[stage as usize].dropped, 1);
    }

    /// Counts a batch of `n` pictures.
    pub fn batch(&self, n: usize) {
        add(&self.batches, 1);
        add(&self.batched, n as u64);
    }

    /// Counts a transaction for `n` slots.
    pub fn commit(&self, n: usize) {
        add(&self.commits, 1);
        add(&self.committed, n as u64);
    }

    /// Slots that `stage` is working on.
    pub fn working(&self, stage: FlowStage) -> u64 {
        let counters = &self.stages[stage as usize];
        // Read in this order, so that nobody is counted who has left.
        let left = counters.left.load(Ordering::Relaxed);
        counters.taken.load(Ordering::Relaxed).saturating_sub(left)
    }

    /// The counts now.
    pub fn report(&self) -> FlowReport {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let stages = FlowStage::ALL.map(|stage| {
            let counters = &self.stages[stage as usize];
            let (left, taken) = (read(&counters.left), read(&counters.taken));
            let sent = read(&counters.sent);
            StageReport {
                stage,
                received: sent,
                done: left,
                waiting: sent.saturating_sub(taken + read(&counters.dropped)),
                working: taken.saturating_sub(left),
                taken,
                waited_s: read(&counters.waited_ns) as f64 / 1e9,
                worked_s: read(&counters.worked_ns) as f64 / 1e9,
            }
        });
        FlowReport {
            stages,
            credits_given: read(&self.given),
            credits_home: read(&self.home),
            batches: read(&self.batches),
            batched: read(&self.batched),
            commits: read(&self.commits),
            committed: read(&self.committed),
        }
    }
}

/// A stage's counts since its pipeline was started.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StageReport {
    /// The stage.
    pub stage: FlowStage,
    /// Slots sent to it.
    pub received: u64,
    /// Slots that it has begun to work on.
    pub taken: u64,
    /// Slots that have left it: handed on, committed, or lost.
    pub done: u64,
    /// Slots in its queue now.
    pub waiting: u64,
    /// Slots that it works on now.
    pub working: u64,
    /// Seconds that slots waited in its queue, summed.
    pub waited_s: f64,
    /// Seconds of work on slots, summed.
    pub worked_s: f64,
}

impl StageReport {
    /// Milliseconds that a slot waited, on average.
    pub fn wait_ms(&self) -> f64 {
        each(self.waited_s, self.taken)
    }

    /// Milliseconds of work on a slot, on average.
    pub fn work_ms(&self) -> f64 {
        each(self.worked_s, self.done)
    }
}

fn each(seconds: f64, n: u64) -> f64 {
    if n == 0 { 0.0 } else { 1000.0 * seconds / n as f64 }
}

/// What flowed through a pipeline since it was started.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FlowReport {
    /// By stage, in the order in which a slot goes through them.
    pub stages: [StageReport; 5],
    /// Credits that the scheduler made.
    pub credits_given: u64,
    /// Credits that came back to it.
    pub credits_home: u64,
    /// Batches run.
    pub batches: u64,
    /// Pictures in them.
    pub batched: u64,
    /// Transactions of the store.
    pub commits: u64,
    /// Slots in them.
    pub committed: u64,
}

impl FlowReport {
    /// The counts since `earlier`; `waiting` and `working` stay those of now.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = *self;
        for (now, then) in since.stages.iter_mut().zip(&earlier.stages) {
            now.received = now.received.saturating_sub(then.received);
            now.taken = now.taken.saturating_sub(then.taken);
            now.done = now.done.saturating_sub(then.done);
            now.waited_s -= then.waited_s;
            now.worked_s -= then.worked_s;
        }
        since.credits_given -= earlier.credits_given.min(since.credits_given);
        since.credits_home -= earlier.credits_home.min(since.credits_home);
        since.batches -= earlier.batches.min(since.batches);
        since.batched -= earlier.batched.min(since.batched);
        since.commits -= earlier.commits.min(since.commits);
        since.committed -= earlier.committed.min(since.committed);
        since
    }

    /// Slots in flight now.
    pub const fn in_flight(&self) -> u64 {
        self.credits_given.saturating_sub(self.credits_home)
    }

    /// Pictures in a batch, on average; 0 without any.
    pub fn batch_fill(&self) -> f64 {
        self.batched as f64 / self.batches.max(1) as f64
    }

    /// Slots in a transaction, on average; 0 without any.
    pub fn commit_fill(&self) -> f64 {
        self.committed as f64 / self.commits.max(1) as f64
    }
}

/// A table for people, a line a stage.
impl fmt::Display for FlowReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = say!(
            "stage                  in      out   waiting  working   wait ms   work ms",
            "etapa             entran    salen   esperan   en obra espera ms  trabajo ms"
        );
        writeln!(f, "{head}")?;
        for stage in &self.stages {
            writeln!(
                f,
                "{:14} {:>9} {:>8} {:>9} {:>8} {:>9.2} {:>9.2}",
                stage.stage.name().to_string(),
                stage.received,
                stage.done,
                stage.waiting,
                stage.working,
                stage.wait_ms(),
                stage.work_ms()
            )?;
        }
        let (given, home) = (self.credits_given, self.credits_home);
        let (batch, commit) = (self.batch_fill(), self.commit_fill());
        write!(
            f,
            "{}",
            say!(
                "credits: {given} given, {home} home · {batch:.1} pictures a batch · {commit:.1} \
                slots a transaction",
                "créditos: {given} dados, {home} de vuelta · {batch:.1} imágenes por lote · \
                {commit:.1} turnos por transacción"
            )
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::credit::{Credit, Fate, Home};
    use crate::slot::{Slot, Zone};

    #[test]
    fn every_credit_is_somewhere_until_it_is_home() {
        let zone: Zone = "-03:00".parse().unwrap();
        let slot = Slot::at(Slot::parse_file_name("2024-01010002.jpg").unwrap(), zone).unwrap();
        let (flow, home): (_, Home) = (Arc::new(Flow::default()), Arc::new(drop));
        let credit = || Credit::new(slot, 1, Arc::clone(&home), Arc::clone(&flow));
        let place = |stage: FlowStage| {
            let stage = flow.report().stages[stage as usize];
            (stage.received, stage.waiting, stage.working, stage.done)
        };
        let (mut one, mut lost) = (credit(), credit());
        one.goes_to(FlowStage::Fetch);
        lost.goes_to(FlowStage::Fetch);
        assert_eq!(place(FlowStage::Fetch), (2, 2, 0, 0));
        one.taken_up();
        assert_eq!(place(FlowStage::Fetch), (2, 1, 1, 0));
        one.goes_to(FlowStage::Store);
        assert_eq!(place(FlowStage::Fetch), (2, 1, 0, 1));
        assert_eq!(flow.report().in_flight(), 2);
        // Lost in a queue, and settled at work.
        drop(lost);
        one.taken_up_with(2);
        assert_eq!(flow.working(FlowStage::Store), 1);
        one.settle(Fate::New);
        assert_eq!(place(FlowStage::Fetch), (2, 0, 0, 1));
        assert_eq!(place(FlowStage::Store), (1, 0, 0, 1));
        let report = flow.report();
        assert_eq!((report.credits_home, report.in_flight()), (2, 0));
        assert_eq!(report.since(&report).stages[0].received, 0);
    }
}
