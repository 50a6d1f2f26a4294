//! Wires the actors and owns the order in which they end.

pub mod supervision;
mod wiring;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use actix::WeakRecipient;
use actix::prelude::*;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use tokio::sync::{oneshot, watch};

use crate::actors::fetch::FetchShared;
use crate::actors::guard::Guard;
use crate::actors::scheduler::{Drain, Fail, Pause, RunEnd, Scheduler, SignOfLife, StartRun};
use crate::actors::store::WithDatabase;
use crate::actors::vitals::{Part, Vitals, Work, hangs};
use crate::actors::watchdog::{Bites, Patience, Watchdog};
use crate::app::supervision::{Supervision, Threads};
use crate::camera::Source;
use crate::camera::gate::Gate;
use crate::clock;
use crate::draining::Draining;
use crate::error::{Failure, Result};
use crate::pipeline::audit::Imbalance;
use crate::pipeline::credit::Fate;
use crate::pipeline::flow::Flow;
use crate::pipeline::layout::Layout;
use crate::pipeline::outcome::{Miss, MissReason, Outcome};
use crate::pipeline::plan::{Plan, Step};
use crate::pipeline::run::{Progress, Run};
use crate::pipeline::slot::{Slot, SlotRange};
use crate::say;
use crate::station::{LayoutChoice, Station};
use crate::store::{
    Asked, CommitMode, Committed, Database, KnownMiss, RunCounts, RunEnd as RunStatus, RunId,
    RunKind, RunStart,
};

pub use wiring::{Setup, Shadow, Tuning};
use wiring::{Wired, clients, fetch_shared, wire};

/// A missing picture is only settled when it was last asked for so long after its slot.
const SETTLES_AFTER: TimeDelta = TimeDelta::hours(1);

/// By how much clocks that are right may differ.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::hours(1);

/// Files of a folder that are read at the same time, at most.
const FOLDER_READS: usize = 16;

/// What a run does with slots that the record knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunPolicy {
    /// Asks again for pictures that an earlier run settled as missed, in both places.
    pub retry_missed: bool,
    /// Classifies stored slots again.
    pub reprocess: bool,
}

/// How a run went.
#[derive(Clone, Debug)]
pub struct RunReport {
    /// What was booked, and why it ended early if it did.
    pub end: RunEnd,
    /// From the start of the run to its last commit.
    pub elapsed: Duration,
}

/// A part of a run.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// Its slots.
    pub range: SlotRange,
    /// What it is booked to.
    pub run: RunId,
    /// What happens to slots that the record knows.
    pub policy: RunPolicy,
    /// Misses are booked but not written: their pictures may still come.
    pub holds_misses: bool,
}

impl Pass {
    /// A part of `run` that writes its misses.
    pub const fn of(range: SlotRange, run: RunId, policy: RunPolicy) -> Self {
        Self {
            range,
            run,
            policy,
            holds_misses: false,
        }
    }
}

impl RunReport {
    /// What was booked, as the table of runs has it.
    pub fn counts(&self) -> RunCounts {
        RunCounts {
            total: self.end.planned,
            new: self.end.ledger.new_rows(),
            duplicates: self.end.ledger.duplicates(),
            missed: self.end.ledger.missed(),
        }
    }

    /// Slots of the range that the run did not come to.
    pub fn pending(&self) -> u64 {
        self.end.planned.saturating_sub(self.end.ledger.total())
    }

    /// Whether requests were made and not one of them reached the host.
    pub fn host_unreachable(&self) -> bool {
        let asked = self.end.asked_in_vain();
        self.found_none().is_some() && asked.keys().eq([&MissReason::Unreachable])
    }

    /// The slots that were asked for, when not one of them had a picture; none when nothing was
    /// asked for.
    pub fn found_none(&self) -> Option<u64> {
        let asked = self.end.asked_in_vain();
        let slots: u64 = asked.values().sum();
        let ledger = &self.end.ledger;
        let none = ledger.new_rows() == 0
            && ledger.reprocessed() == 0
            && asked.keys().all(|reason| reason.is_without_picture());
        (none && slots > 0).then_some(slots)
    }
}

/// The running actors.
pub struct Pipeline {
    scheduler: Addr<Scheduler>,
    wired: Wired,
    progress: watch::Receiver<Progress>,
    drain: Draining,
    fetch: Arc<FetchShared>,
    flow: Arc<Flow>,
    gate: Arc<Gate>,
    vitals: Arc<Vitals>,
    /// What hangs; whoever sends is the watchdog.
    hung: watch::Receiver<Vec<Work>>,
    patience: Patience,
    /// None where time is not real.
    _watchdog: Option<Watchdog>,
    about: About,
}

/// What a run writes about itself.
struct About {
    station: Arc<Station>,
    asked: Asked,
    engine: String,
    model: String,
    credits: usize,
    policy: RunPolicy,
}

impl Pipeline {
    /// Starts the actors; nothing is fetched yet. To be called inside an actix system.
    ///
    /// # Errors
    /// When no HTTP client can be set up or the record cannot be read.
    pub fn start(setup: Setup) -> Result<Self> {
        Self::start_with(setup, Supervision::default())
    }

    /// The same, looked after as `supervision` says.
    ///
    /// # Errors
    /// When no HTTP client can be set up, the record cannot be read, or the system gives no thread.
    pub fn start_with(setup: Setup, supervision: Supervision) -> Result<Self> {
        let station = setup.station.id.as_str();
        let remembered = setup
            .database
            .seen_from(station, |database| database.remembered_layouts())??;
        let drain = Draining::default();
        let (progress_sender, progress) = watch::channel(Progress::default());
        let gate = Arc::new(match setup.source {
            Source::Http(_) => setup.tuning.gate(),
            Source::Folder(_) => Gate::of(setup.tuning.concurrency.min(FOLDER_READS)),
        });
        let flow = Arc::clone(&setup.flow);
        let clients = clients(&setup, &gate, &drain, &supervision)?;
        let vitals = supervision.vitals.clone().unwrap_or_else(|| {
            let vitals = Vitals::new(supervision.budget);
            Arc::new(vitals.with_failpoints(supervision.failpoints.clone()))
        });
        let shared = fetch_shared(&setup, remembered, Arc::clone(&gate), drain.clone());
        let about = About {
            station: Arc::clone(&setup.station),
            asked: Asked {
                source: setup.source.address(),
                layout: match setup.source {
                    Source::Http(_) => setup.station.layout,
                    // A folder is looked through in both layouts, whatever a server's is.
                    Source::Folder(_) => LayoutChoice::Auto,
                },
            },
            engine: setup.engine.describe(),
            model: setup.model.label(),
            credits: setup.tuning.credits(),
            policy: setup.policy,
        };
        let (parts, wired) = std::sync::mpsc::channel();
        let draining = drain.clone();
        let (flowing, window) = (Arc::clone(&flow), Arc::clone(&gate));
        let tuning = setup.tuning.clone();
        let (watched, threads) = (Arc::clone(&vitals), supervision.threads.clone());
        let (fetch, doubts) = (Arc::clone(&shared), Arc::clone(&shared));
        // The closure runs at once, on this thread; inside it the scheduler's address is known.
        let scheduler = Supervisor::start(move |ctx: &mut Context<Scheduler>| {
            let (wired, fetchers) = wire(
                &ctx.address(),
                setup,
                shared,
                clients,
                Arc::clone(&flowing),
                &watched,
                &threads,
            );
            let store = wired.store.commit.clone();
            let _ = parts.send(wired);
            Scheduler::new(fetchers, store, progress_sender, draining)
                .with_doubts(move || doubts.settle())
                .with_capacity(move || tuning.credits_with(window.size()))
                .with_flow(flowing)
                .with_guard(Guard::new(Part::Scheduler, watched))
        });
        let wired = wired.try_recv().map_err(|_| store_is_gone())?;
        let alarmed = scheduler.downgrade();
        vitals.on_alarm(move |failure| {
            if let Some(scheduler) = alarmed.upgrade() {
                scheduler.do_send(Fail(failure));
            }
        });
        let (hangs, hung) = watch::channel(Vec::new());
        let watchdog = match &supervision.threads {
            Threads::Own => Some(watch_over(&vitals, &wired, hangs, &supervision)?),
            Threads::Inline(_) => None,
        };
        Ok(Self {
            scheduler,
            wired,
            progress,
            drain,
            fetch,
            flow,
            gate,
            vitals,
            hung,
            patience: supervision.patience,
            _watchdog: watchdog,
            about,
        })
    }

    /// Where the present run stands, as it goes.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// What flows through it.
    pub fn flow(&self) -> Arc<Flow> {
        Arc::clone(&self.flow)
    }

    /// What stands before the host.
    pub fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.gate)
    }

    /// How the actors are.
    pub fn vitals(&self) -> Arc<Vitals> {
        Arc::clone(&self.vitals)
    }

    /// A handle that begins to drain the present run.
    pub fn drainer(&self) -> impl Fn() + Clone + 'static {
        let scheduler = self.scheduler.clone();
        move || scheduler.do_send(Drain)
    }

    /// A handle that ends the present pass early; what it did not come to is
    /// [pending](RunReport::pending), and another pass may follow. Does nothing while none is under way.
    pub fn pauser(&self) -> impl Fn() + Clone + 'static {
        let scheduler = self.scheduler.clone();
        move || scheduler.do_send(Pause)
    }

    /// Fetches, classifies and stores the slots of `range` that are not stored yet, as a run of its
    /// own.
    ///
    /// # Errors
    /// When the record cannot be read before the run. What goes wrong in the run is in the report.
    pub async fn run(&self, range: SlotRange) -> Result<RunReport> {
        let planned = self.count(range).await?;
        let run = self.begin(RunKind::Backfill, range, planned).await?;
        let mut report = self.pass(Pass::of(range, run, self.about.policy)).await?;
        let end = &report.end;
        let status = if end.failure.is_some() {
            RunStatus::Failed
        } else if end.ledger.total() < end.planned {
            RunStatus::Interrupted
        } else {
            RunStatus::Finished
        };
        let closing = self.finish(run, report.counts(), status);
        let closed = match &report.end.failure {
            None => closing.await,
            // The store may be what hangs.
            Some(_) => match tokio::time::timeout(self.patience.grace, closing).await {
                Ok(closed) => closed,
                Err(_) => return Ok(report),
            },
        };
        if let (Err(error), None) = (closed, &report.end.failure) {
            report.end.failure = Some(error);
        }
        Ok(report)
    }

    /// The slots of `range`.
    ///
    /// # Errors
    /// When this process cannot do it.
    pub async fn count(&self, range: SlotRange) -> Result<u64> {
        let slots = range.slots(&self.about.station.minutes, self.about.station.zone);
        // A range of centuries takes its time.
        tokio::task::spawn_blocking(move || slots.count() as u64)
            .await
            .map_err(|_| store_is_gone())
    }

    /// Writes that a run of `planned` slots begins.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn begin(&self, kind: RunKind, range: SlotRange, planned: u64) -> Result<RunId> {
        let start = RunStart {
            kind,
            range,
            asked: self.about.asked.clone(),
            version: crate::commands::version::short().to_owned(),
            engine: self.about.engine.clone(),
            model: self.about.model.clone(),
        };
        // Should the process die, its run still says how much it was asked for.
        let asked = RunCounts {
            total: planned,
            ..RunCounts::default()
        };
        self.with_database(move |database| {
            let run = database.begin_run(&start)?;
            database.update_run(run, &asked)?;
            Ok::<_, Failure>(run)
        })
        .await?
    }

    /// Writes that a run ended, and folds the log into the file.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn finish(&self, run: RunId, counts: RunCounts, end: RunStatus) -> Result<()> {
        self.with_database(move |database| {
            database.finish_run(run, &counts, end)?;
            database.checkpoint()?;
            Ok::<_, Failure>(())
        })
        .await?
    }

    /// Does a part of a run, or all of it; the run goes on. One pass at a time.
    ///
    /// # Errors
    /// When the record cannot be read before. What goes wrong later is in the report.
    pub async fn pass(&self, pass: Pass) -> Result<RunReport> {
        let started = clock::now();
        let Pass {
            range, run, policy, ..
        } = pass;
        let slots = range.slots(&self.about.station.minutes, self.about.station.zone);
        let planned = self.count(range).await?;
        let Known {
            stored,
            settled,
            doubts,
        } = self.known(range, policy).await?;
        let before = self
            .with_database(move |database| database.new_rows_of(run))
            .await??;
        self.fetch.begin();
        self.fetch.remind(doubts);
        let shared = &self.wired.store_shared;
        shared
            .holds_misses
            .store(pass.holds_misses, Ordering::Relaxed);
        *shared.run.lock().unwrap_or_else(PoisonError::into_inner) = Some(run);

        let (done, ended) = oneshot::channel();
        let audited = slots.clone();
        let work = Run::new(
            Plan::new(slots, stored, settled),
            planned,
            self.about.credits,
        );
        self.scheduler.do_send(StartRun { run: work, done });
        let end = tokio::select! {
            biased;
            end = ended => end.map_err(|_| store_is_gone())?,
            hung = self.given_up() => return Ok(self.end_hung(run, &hung, started).await),
        };
        let elapsed = clock::now().saturating_duration_since(started);
        let sure = self.fetch.close();
        // A pass that asked for nothing has only read what the record holds, and one that holds its
        // misses has written none.
        let idle = end.ledger.new_rows() == 0
            && end.ledger.reprocessed() == 0
            && end.asked_in_vain().is_empty();
        let audited = Some((audited, end.ledger.clone())).filter(|_| !idle && !pass.holds_misses);
        let closed = self
            .with_database(move |database| {
                database.end_doubts(run, &sure)?;
                match audited {
                    Some((slots, ledger)) => database.audit(run, range, slots, &ledger, before),
                    None => Ok(Ok(())),
                }
            })
            .await?;
        let mut report = RunReport { end, elapsed };
        let failure = match closed {
            Err(error) => Some(error.into()),
            Ok(Err(imbalance)) => Some(out_of_balance(&imbalance)),
            Ok(Ok(())) => None,
        };
        if report.end.failure.is_none() {
            report.end.failure = failure;
        }
        Ok(report)
    }

    /// What the record knows of a range.
    async fn known(&self, range: SlotRange, policy: RunPolicy) -> Result<Known> {
        let asked = self.about.asked.clone();
        let zone = self.about.station.zone;
        let (stored, missed) = self
            .with_database(move |database| {
                database.asks(&asked);
                let stored = if policy.reprocess {
                    Vec::new()
                } else {
                    database.stored_slots(range)?
                };
                let missed = if policy.retry_missed {
                    Vec::new()
                } else {
                    database.known_misses(range, &asked)?
                };
                Ok::<_, Failure>((stored, missed))
            })
            .await??;
        let now = Utc::now();
        let (mut settled, mut doubts) = (Vec::new(), Vec::new());
        for miss in missed {
            match standing(&miss, now, |local| Slot::at(local, zone)) {
                Standing::Settled => settled.push((miss.slot, miss.reason)),
                Standing::Doubted(slot, unasked) => doubts.push((slot, unasked)),
                Standing::Open => {}
            }
        }
        Ok(Known {
            stored,
            settled,
            doubts,
        })
    }

    /// The first slot of `range` that a run would ask for.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub async fn first_missing(&self, range: SlotRange) -> Result<Option<Slot>> {
        let known = self.known(range, RunPolicy::default()).await?;
        let slots = range.slots(&self.about.station.minutes, self.about.station.zone);
        let mut steps = Plan::new(slots, known.stored, known.settled);
        Ok(steps.find_map(|step| match step {
            Step::Fetch(slot) => Some(slot),
            Step::Duplicate(_) | Step::KnownMiss(..) => None,
        }))
    }

    /// Where to ask the scheduler for a sign of life; does not keep it alive.
    pub fn pulse(&self) -> WeakRecipient<SignOfLife> {
        self.scheduler.downgrade().recipient()
    }

    /// Name and version of the model.
    pub fn model(&self) -> &str {
        &self.about.model
    }

    /// The engine, in words.
    pub fn engine(&self) -> &str {
        &self.about.engine
    }

    /// Until an actor hangs, and what does not hang has had time to end.
    async fn given_up(&self) -> Vec<Work> {
        let mut found = self.hung.clone();
        if found.wait_for(|all| !all.is_empty()).await.is_err() {
            // Nobody watches.
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(self.patience.grace).await;
        self.hung.borrow().clone()
    }

    /// Ends a run in which something hangs: what it hangs at is a miss, so that no later run hangs
    /// at it again.
    async fn end_hung(&self, run: RunId, hung: &[Work], started: Instant) -> RunReport {
        let progress = self.progress.borrow().clone();
        let mut end = RunEnd {
            ledger: progress.ledger,
            planned: progress.planned,
            skipped: BTreeMap::new(),
            failure: hung.first().map(|work| hangs(work, self.patience.limit)),
        };
        let misses: Vec<Outcome> = hung
            .iter()
            .flat_map(|work| work.slots.iter().map(move |slot| (work.part, *slot)))
            .map(|(part, slot)| {
                Outcome::Missed(Miss {
                    slot,
                    reason: MissReason::Poison,
                    http_status: None,
                    attempts: 0,
                    detail: format!("the actor '{}' hung at it", part.as_str()),
                    unasked: None,
                })
            })
            .collect();
        let mut ledger = end.ledger.clone();
        let written = self.with_database(move |database| {
            for committed in database.commit(run, CommitMode::Insert, &misses)? {
                if committed == Committed::Missed {
                    ledger.book(Fate::Missed(MissReason::Poison));
                }
            }
            Ok::<_, Failure>(ledger)
        });
        // The store may be what hangs.
        if let Ok(Ok(Ok(ledger))) = tokio::time::timeout(self.patience.grace, written).await {
            end.ledger = ledger;
        }
        let elapsed = clock::now().saturating_duration_since(started);
        RunReport { end, elapsed }
    }

    /// Does `work` on the store's thread.
    ///
    /// # Errors
    /// When the store has ended.
    pub async fn with_database<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Database) -> T + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        self.wired.store.work.do_send(WithDatabase {
            work: Box::new(move |database| {
                let _ = answer.send(work(database));
            }),
        });
        tokio::select! {
            biased;
            answer = answered => answer.map_err(|_| store_is_gone()),
            failure = self.store_hung() => Err(failure),
        }
    }

    /// Until the store hangs.
    async fn store_hung(&self) -> Failure {
        let mut found = self.hung.clone();
        let of_store = |all: &Vec<Work>| all.iter().any(|work| work.part == Part::Store);
        if found.wait_for(of_store).await.is_err() {
            // Nobody watches.
            std::future::pending::<()>().await;
        }
        let work = Work::of(Part::Store);
        hangs(&work, self.patience.limit)
    }

    /// Whether the store has been found to hang.
    pub fn store_hangs(&self) -> bool {
        self.hung
            .borrow()
            .iter()
            .any(|work| work.part == Part::Store)
    }

    /// Ends the actors and hands the database back, when nothing is in flight any more and no other
    /// pipeline shares it.
    ///
    /// A straggler is left behind after a few seconds and named in the log.
    pub async fn stop(self) -> Option<Database> {
        self.drain.begin();
        drop(self.scheduler);
        self.wired.end().await
    }
}

/// What the record knows of a range.
struct Known {
    /// Slots with a row.
    stored: Vec<NaiveDateTime>,
    /// Slots that asking for is of no use.
    settled: Vec<(NaiveDateTime, MissReason)>,
    /// Slots to be looked for in this place.
    doubts: Vec<(Slot, Layout)>,
}

/// Starts the watchdog; what it finds to hang is put into `hangs`.
fn watch_over(
    vitals: &Arc<Vitals>,
    wired: &Wired,
    hangs: watch::Sender<Vec<Work>>,
    supervision: &Supervision,
) -> Result<Watchdog> {
    let last_resort = Arc::clone(&supervision.last_resort);
    let bites = Bites {
        hung: Box::new(move |work| hangs.send_modify(|all| all.push(work))),
        last_resort: Box::new(move || last_resort()),
    };
    Watchdog::start(
        Arc::clone(vitals),
        wired.pulses.clone(),
        supervision.patience,
        bites,
    )
    .map_err(|error| {
        Failure::environment(say!(
            "the system gives no thread: {error}; see its limits (ulimit -u)",
            "el sistema no da un hilo: {error}; revise sus límites (ulimit -u)"
        ))
    })
}

/// What a miss of an earlier run means for this one.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// Asking again is of no use.
    Settled,
    /// It was looked for in one of its year's places; this is the other one.
    Doubted(Slot, Layout),
    /// It is asked for as if for the first time.
    Open,
}

/// Where a miss of the same source and layout stands.
///
/// A slot that was last tried before its picture could be there (a range that reaches into the
/// future, an upload that was late) is open, whatever came of it; so is one that was last tried in the
/// future, by a clock that was wrong.
fn standing(
    miss: &KnownMiss,
    now: DateTime<Utc>,
    slot: impl Fn(NaiveDateTime) -> Option<Slot>,
) -> Standing {
    let slot = slot(miss.slot)
        .filter(|slot| miss.last_tried - slot.utc() >= SETTLES_AFTER)
        .filter(|_| miss.last_tried - now <= CLOCKS_DIFFER);
    match (slot, miss.unasked) {
        (Some(_), None) if miss.reason.is_settled() => Standing::Settled,
        (Some(slot), Some(unasked)) => Standing::Doubted(slot, unasked),
        _ => Standing::Open,
    }
}

fn out_of_balance(imbalance: &Imbalance) -> Failure {
    Failure::environment(say!(
        "the ledger of the run does not agree with the record: {imbalance}; did another program change the database? run the same command again",
        "el libro de la corrida no coincide con el registro: {imbalance}; ¿otro programa cambió la base? repita la orden"
    ))
}

fn store_is_gone() -> Failure {
    Failure::environment(say!(
        "the store ended unexpectedly; see the log and run the same command again",
        "el almacén terminó de forma inesperada; vea el registro y repita la orden"
    ))
}
