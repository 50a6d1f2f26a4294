//! The store: the only writer of the database, on a thread of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix::WeakRecipient;
use actix::prelude::*;

use crate::actors::failpoint::Point;
use crate::actors::guard::{Guard, Panicked};
use crate::actors::inline::Worker;
use crate::actors::scheduler::Fail;
use crate::store::{CommitMode, Committed, Database, RunId, ShadowReading, SharedDatabase};
use celaje_sky::credit::{Credit, Fate};
use celaje_sky::error::Failure;
use celaje_sky::flow::{Flow, Stage};
use celaje_sky::layout::Layout;
use celaje_sky::outcome::{MissReason, Outcome};

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
        credit.goes_to(Stage::Store);
        Self { outcome, credit }
    }
}

/// Commits outcomes in one transaction.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Commit(pub Vec<Finished>);

/// Keeps for later runs where a year's pictures were found.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct RememberLayout {
    /// The year.
    pub year: i32,
    /// Its place.
    pub layout: Layout,
}

/// Keeps what a shadow model says of a picture.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct KeepShadow(pub ShadowReading);

/// Any other work on the database, such as a query before a run; its answer goes through `work`.
#[derive(Message)]
#[rtype(result = "()")]
pub struct WithDatabase {
    /// Done on the store's thread.
    pub work: Box<dyn FnOnce(&mut Database) + Send>,
}

/// The database and what a commit needs to know; survives a restart of the actor.
pub struct StoreShared {
    /// The stores of the stations of a file take turns at it.
    pub database: SharedDatabase,
    /// Whose slots they are.
    pub station: String,
    /// What happens to a slot that has a row.
    pub mode: CommitMode,
    /// The run that rows are booked to.
    pub run: Mutex<Option<RunId>>,
    /// Misses are booked but not written: their pictures may still come.
    pub holds_misses: AtomicBool,
    /// Counts transactions.
    pub flow: Arc<Flow>,
    /// Told when the database cannot be written; weak, since the scheduler holds the store.
    pub scheduler: WeakRecipient<Fail>,
    /// Keeps panics inside their messages.
    pub guard: Guard,
}

/// See the module.
pub struct StoreActor(Arc<StoreShared>);

impl StoreActor {
    /// The writer of `shared.database`; start one only.
    pub const fn new(shared: Arc<StoreShared>) -> Self {
        Self(shared)
    }

    fn commit(&self, finished: Vec<Finished>) {
        let n = finished.len();
        self.0.flow.commit(n);
        let holds = self.0.holds_misses.load(Ordering::Relaxed);
        let (outcomes, credits): (Vec<Outcome>, Vec<Credit>) = finished
            .into_iter()
            .filter_map(|finished| match &finished.outcome {
                // Another try of what crashes the program would crash it again: it is written.
                Outcome::Missed(miss) if holds && miss.reason != MissReason::Poison => {
                    let fate = Fate::Missed(miss.reason);
                    finished.credit.settle(fate);
                    None
                }
                _ => Some(finished),
            })
            .map(
                |Finished {
                     outcome,
                     mut credit,
                 }| {
                    credit.taken_up_with(n);
                    (outcome, credit)
                },
            )
            .unzip();
        let Some(run) = *self.0.run.lock().unwrap_or_else(PoisonError::into_inner) else {
            // Nothing is in flight outside a run; what comes late goes home.
            return tracing::warn!("outcomes came without a run");
        };
        let _at_work = self.0.guard.at_work(credits.iter().map(Credit::slot));
        self.0.guard.pass(Point::BeforeCommit);
        let committed = self.0.database.seen_from(&self.0.station, |database| {
            database.commit(run, self.0.mode, &outcomes)
        });
        match committed.and_then(|committed| committed) {
            Ok(committed) => {
                self.0.guard.pass(Point::AfterCommit);
                for ((credit, committed), outcome) in
                    credits.into_iter().zip(committed).zip(&outcomes)
                {
                    credit.settle(match (committed, outcome) {
                        (Committed::New, _) => Fate::New,
                        (Committed::Duplicate, Outcome::Missed(miss)) => Fate::Kept(miss.reason),
                        (Committed::Duplicate, Outcome::Observed(_)) => Fate::Duplicate,
                        (Committed::Replaced, _) => Fate::Replaced,
                        (Committed::Missed, Outcome::Missed(miss)) => Fate::Missed(miss.reason),
                        (Committed::Missed, Outcome::Observed(_)) => Fate::Duplicate,
                    });
                }
            }
            Err(error) => {
                // Before the credits go home, so that the run drains instead of trying again.
                self.fail(Failure::from(error));
                drop(credits);
            }
        }
    }

    fn with_database(&self, work: impl FnOnce(&mut Database)) {
        let _at_work = self.0.guard.at_work([]);
        self.0.guard.pass(Point::Database);
        if let Err(error) = self.0.database.seen_from(&self.0.station, work) {
            self.fail(Failure::from(error));
        }
    }
}

impl StoreActor {
    /// After a panic the connection may still be inside a transaction, and would refuse the next.
    fn recover(&self) {
        let recovered = self.0.guard.run_aside(|| {
            let _at_work = self.0.guard.at_work([]);
            let recover = |database: &mut Database| database.recover();
            self.0.database.seen_from(&self.0.station, recover)
        });
        if let Ok(Err(error) | Ok(Err(error))) = recovered {
            self.fail(Failure::from(error));
        }
    }

    fn fail(&self, failure: Failure) {
        self.0.guard.erred(&failure.text.en);
        if let Some(scheduler) = self.0.scheduler.upgrade() {
            scheduler.do_send(Fail(failure));
        }
    }
}

impl Worker<Commit> for StoreActor {
    fn begin(&mut self) {
        self.recover();
    }

    fn work(&mut self, Commit(finished): Commit) -> Result<(), Panicked> {
        self.0.guard.run(|| self.commit(finished))
    }
}

impl Worker<RememberLayout> for StoreActor {
    fn work(&mut self, RememberLayout { year, layout }: RememberLayout) -> Result<(), Panicked> {
        self.0.guard.run_aside(|| {
            self.with_database(|database| {
                // Only a saving for later runs: a failure to keep it loses nothing.
                if let Err(error) = database.remember_layout(year, layout) {
                    tracing::warn!(%error, year, "where the year is could not be kept");
                }
            });
        })
    }
}

impl Worker<KeepShadow> for StoreActor {
    fn work(&mut self, KeepShadow(reading): KeepShadow) -> Result<(), Panicked> {
        self.0.guard.run_aside(|| {
            self.with_database(|database| {
                // No part of the record: a failure to keep it harms nothing else.
                if let Err(error) = database.keep_shadow(&reading) {
                    tracing::warn!(%error, slot = %reading.slot, "a shadow's reading could not be kept");
                }
            });
        })
    }
}

impl Worker<WithDatabase> for StoreActor {
    fn work(&mut self, WithDatabase { work }: WithDatabase) -> Result<(), Panicked> {
        self.0.guard.run(|| self.with_database(work))
    }
}

impl Actor for StoreActor {
    type Context = SyncContext<Self>;

    fn started(&mut self, _: &mut SyncContext<Self>) {
        self.0.guard.rest_here();
        self.recover();
    }
}

impl<M> Handler<M> for StoreActor
where
    M: Message<Result = ()>,
    Self: Worker<M>,
{
    type Result = ();

    fn handle(&mut self, message: M, ctx: &mut SyncContext<Self>) {
        if self.work(message).is_err() {
            ctx.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::vitals::Part;
    use crate::store::{Asked, RunKind, RunStart};
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
            run: Mutex::new(None),
            holds_misses: AtomicBool::new(false),
            flow: Arc::default(),
            scheduler: Deaf.start().downgrade().recipient(),
            guard: Guard::alone(Part::Store),
        });
        let store = SyncArbiter::start(1, move || StoreActor::new(Arc::clone(&shared)));
        let (answer, answered) = oneshot::channel();
        for _ in 0..2 {
            store.do_send(WithDatabase {
                work: Box::new(Database::panic_in_transaction),
            });
        }
        let noon = chrono::NaiveDate::from_ymd_opt(2024, 3, 1)
            .and_then(|day| day.and_hms_opt(12, 0, 0))
            .unwrap();
        let start = RunStart {
            kind: RunKind::Backfill,
            range: SlotRange::new(noon, noon).unwrap(),
            asked: Asked::default(),
            version: "0".to_owned(),
            engine: "none".to_owned(),
            model: "none".to_owned(),
        };
        store.do_send(WithDatabase {
            work: Box::new(move |database| {
                let first = database.begin_run(&start).is_ok();
                let _ = answer.send((first, database.checkpoint().is_ok()));
            }),
        });
        assert_eq!(answered.await.unwrap(), (true, true));
    }
}
