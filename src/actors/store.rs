//! The store stage: the only writer of the database, on a thread of its own.

use std::sync::{Arc, Mutex, PoisonError};

use actix::WeakRecipient;
use actix::prelude::*;

use crate::actors::failpoint::Point;
use crate::actors::guard::Guard;
use crate::actors::pool::Stage;
use crate::actors::scheduler::Fail;
use crate::store::{CommitEffect, CommitMode, Database, RunId, ShadowReading, SharedDatabase};
use celaje_sky::credit::{Credit, Fate};
use celaje_sky::error::Failure;
use celaje_sky::flow::{Flow, FlowStage};
use celaje_sky::layout::Layout;
use celaje_sky::outcome::{MissReason, Outcome};
use celaje_sky::slot::Slot;

/// A slot's outcome with its credit.
#[derive(Debug)]
pub struct Finished {
    /// What is stored.
    pub outcome: Outcome,
    /// Goes home when it is.
    pub credit: Credit,
}

impl Finished {
    /// An outcome on its way to the store.
    pub fn new(outcome: Outcome, mut credit: Credit) -> Self {
        credit.goes_to(FlowStage::Store);
        Self { outcome, credit }
    }
}

/// Commits outcomes in one transaction.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Commit(pub Vec<Finished>);

/// Work on the database.
#[derive(Message)]
#[rtype(result = "()")]
pub enum StoreTask {
    /// Commits outcomes.
    Commit(Commit),
    /// Keeps for later runs where a year's pictures were found.
    RememberLayout {
        /// The year.
        year: i32,
        /// Its place.
        layout: Layout,
    },
    /// Keeps what a shadow model says of a picture.
    KeepShadow(Box<ShadowReading>),
    /// Any other work, such as a query before a run; it sends its answer itself.
    Other(Box<dyn FnOnce(&mut Database) + Send>),
}

/// What the outcomes of a pass are booked to.
#[derive(Clone, Copy, Debug)]
pub struct Booking {
    /// The run.
    pub run: RunId,
    /// Misses are booked but not written: their pictures may still come.
    pub holds_misses: bool,
}

/// The database and what a commit needs to know; survives a restart of the actor.
pub struct StoreShared {
    /// The stores of the stations of a file take turns at it.
    pub database: SharedDatabase,
    /// Whose slots they are.
    pub station: String,
    /// What happens to a slot that has a row.
    pub mode: CommitMode,
    /// What outcomes are booked to; none outside a pass, so that nothing is added to a closed run.
    pub booking: Mutex<Option<Booking>>,
    /// Counts transactions.
    pub flow: Arc<Flow>,
    /// Told when the database cannot be written; weak, since the scheduler holds the store.
    pub scheduler: WeakRecipient<Fail>,
    /// Keeps panics inside their messages.
    pub guard: Guard,
}

impl StoreShared {
    /// Books outcomes to this from now on.
    pub fn book_to(&self, booking: Option<Booking>) {
        *self.booking.lock().unwrap_or_else(PoisonError::into_inner) = booking;
    }
}

pub struct StoreStage(Arc<StoreShared>);

impl StoreStage {
    /// The writer of `shared.database`; a pipeline has one.
    pub const fn new(shared: Arc<StoreShared>) -> Self {
        Self(shared)
    }

    fn commit(&self, finished: Vec<Finished>) {
        let booking = *self.0.booking.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Booking { run, holds_misses }) = booking else {
            // From an actor that hung until its run was over. Their credits return without a fate.
            return tracing::warn!("outcomes came without a run");
        };
        let n = finished.len();
        let mut outcomes = Vec::with_capacity(n);
        let mut credits = Vec::with_capacity(n);
        for Finished { outcome, mut credit } in finished {
            credit.taken_up_with(n);
            match &outcome {
                // A picture that crashes the program would crash it again: that miss is written.
                Outcome::Missed(miss) if holds_misses && miss.reason != MissReason::Poison => {
                    credit.settle(Fate::Missed(miss.reason));
                }
                _ => {
                    outcomes.push(outcome);
                    credits.push(credit);
                }
            }
        }
        if outcomes.is_empty() {
            return;
        }
        self.0.flow.commit(outcomes.len());
        self.0.guard.pass(Point::BeforeCommit, None);
        let committed = self
            .0
            .database
            .seen_from(&self.0.station, |database| database.commit(run, self.0.mode, &outcomes));
        match committed.and_then(|committed| committed) {
            Ok(committed) => {
                self.0.guard.pass(Point::AfterCommit, None);
                for ((credit, committed), outcome) in
                    credits.into_iter().zip(committed).zip(&outcomes)
                {
                    credit.settle(fate(committed, outcome));
                }
            }
            Err(error) => {
                // Before the credits return, so that the run drains instead of trying again.
                self.fail(Failure::from(error));
                drop(credits);
            }
        }
    }

    fn with_database(&self, work: impl FnOnce(&mut Database)) {
        self.0.guard.pass(Point::Database, None);
        if let Err(error) = self.0.database.seen_from(&self.0.station, work) {
            self.fail(Failure::from(error));
        }
    }

    fn remember_layout(&self, year: i32, layout: Layout) {
        self.with_database(|database| {
            // Only a saving for later runs: failure to write is logged and ignored.
            if let Err(error) = database.remember_layout(year, layout) {
                tracing::warn!(%error, year, "a year's layout could not be stored");
            }
        });
    }

    fn keep_shadow(&self, reading: &ShadowReading) {
        self.with_database(|database| {
            // Not part of the record: failure to write is logged and ignored.
            if let Err(error) = database.keep_shadow(reading) {
                let slot = reading.slot;
                tracing::warn!(%error, %slot, "a shadow's reading could not be stored");
            }
        });
    }

    fn fail(&self, failure: Failure) {
        self.0.guard.erred(&failure.text.en);
        if let Some(scheduler) = self.0.scheduler.upgrade() {
            scheduler.do_send(Fail(failure));
        }
    }
}

fn fate(committed: CommitEffect, outcome: &Outcome) -> Fate {
    match (committed, outcome) {
        (CommitEffect::New, _) => Fate::New,
        (CommitEffect::Duplicate, Outcome::Missed(miss)) => Fate::Kept(miss.reason),
        (CommitEffect::Duplicate, Outcome::Observed(_)) => Fate::Duplicate,
        (CommitEffect::Replaced, _) => Fate::Replaced,
        (CommitEffect::Missed, Outcome::Missed(miss)) => Fate::Missed(miss.reason),
        (CommitEffect::Missed, Outcome::Observed(_)) => Fate::Duplicate,
    }
}

impl Stage for StoreStage {
    type In = StoreTask;

    fn slots(input: &StoreTask) -> Vec<Slot> {
        match input {
            StoreTask::Commit(Commit(finished)) => {
                let slots = finished.iter().map(|finished| finished.credit.slot());
                slots.collect()
            }
            _ => Vec::new(),
        }
    }

    fn is_duty(input: &StoreTask) -> bool {
        matches!(input, StoreTask::Commit(_) | StoreTask::Other(_))
    }

    /// After a panic the connection may still be inside a transaction, and would refuse the next.
    fn begin(&mut self) {
        let recover = |database: &mut Database| database.recover();
        let recovered = self.0.database.seen_from(&self.0.station, recover);
        if let Err(error) | Ok(Err(error)) = recovered {
            self.fail(Failure::from(error));
        }
    }

    fn work(&mut self, input: StoreTask) {
        match input {
            StoreTask::Commit(Commit(finished)) => self.commit(finished),
            StoreTask::RememberLayout { year, layout } => self.remember_layout(year, layout),
            StoreTask::KeepShadow(reading) => self.keep_shadow(&reading),
            StoreTask::Other(work) => self.with_database(work),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::health::Part;
    use crate::actors::pool::Executor;
    use crate::store::{PictureSource, RunKind, RunStart};
    use celaje_sky::slot::SlotRange;
    use celaje_sky::station::Station;
    use tokio::sync::oneshot;

    struct Deaf;

    impl Actor for Deaf {
        type Context = Context<Self>;
    }

    impl Handler<Fail> for Deaf {
        type Result = ();

        fn handle(&mut self, _: Fail, _: &mut Context<Self>) {}
    }

    #[actix::test]
    async fn a_panic_in_a_transaction_leaves_the_store_at_work() {
        let folder = tempfile::tempdir().unwrap();
        let opened = Database::open(&folder.path().join("a.db"), &Station::rio_grande());
        let shared = Arc::new(StoreShared {
            database: opened.unwrap().database.into(),
            station: Station::rio_grande().id,
            mode: CommitMode::Insert,
            booking: Mutex::new(None),
            flow: Arc::default(),
            scheduler: Deaf.start().downgrade().recipient(),
            guard: Guard::alone(Part::Store),
        });
        let guard = shared.guard.clone();
        let make = move || StoreStage::new(Arc::clone(&shared));
        let store = Executor::Threads.pool(1, guard, None, make);
        let (answer, answered) = oneshot::channel();
        for _ in 0..2 {
            store.do_send(StoreTask::Other(Box::new(Database::panic_in_transaction)));
        }
        let noon = chrono::NaiveDate::from_ymd_opt(2024, 3, 1)
            .and_then(|day| day.and_hms_opt(12, 0, 0))
            .unwrap();
        let start = RunStart {
            kind: RunKind::Backfill,
            range: SlotRange::new(noon, noon).unwrap(),
            source: PictureSource::default(),
            version: "0".to_owned(),
            engine: "none".to_owned(),
            model: "none".to_owned(),
        };
        store.do_send(StoreTask::Other(Box::new(move |database| {
            let first = database.begin_run(&start).is_ok();
            let _ = answer.send((first, database.checkpoint().is_ok()));
        })));
        assert_eq!(answered.await.unwrap(), (true, true));
    }
}
