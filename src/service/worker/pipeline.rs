//! The actors of a worker: the pipeline, whose store collects.

use std::sync::Arc;

use actix::prelude::*;
use tokio::sync::{oneshot, watch};

use crate::actors::collect::{Collect, Collected};
use crate::actors::fetch::FetchShared;
use crate::actors::guard::Oversight;
use crate::actors::health::{ActorHealth, Part};
use crate::actors::pool::Executor;
use crate::actors::scheduler::{Drain, Fail, RunEnd, Scheduler, StartRun};
use crate::actors::watchdog::{HangHandler, Patience, Watchdog};
use crate::actors::work::hang_failure;
use crate::camera::gate::Gate;
use crate::draining::Draining;
use crate::queue::messages::WorkMarks;
use crate::service::FOLDER_READS;
use crate::service::supervision::Supervision;
use crate::service::wiring::{Setup, Wiring, clients, fetch_shared, watched};
use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::plan::Plan;
use celaje_sky::run::Run;
use celaje_sky::say;
use celaje_sky::slot::{Slot, SlotRange};
use celaje_sky::station::Station;

/// The actors of a worker.
pub(super) struct WorkerPipeline {
    pub(super) marks: WorkMarks,
    scheduler: Addr<Scheduler>,
    pub(super) collected: Collected,
    fetch: Arc<FetchShared>,
    station: Arc<Station>,
    credits: usize,
    arbiters: Vec<Arbiter>,
    _watchdog: Watchdog,
}

impl WorkerPipeline {
    pub(super) fn start(setup: Setup<()>, marks: WorkMarks) -> Result<Self> {
        let supervision = Supervision::of_program();
        let drain = Draining::default();
        let gate = Arc::new(match setup.source.base() {
            Some(_) => setup.tuning.gate(),
            None => Gate::of(setup.tuning.concurrency.min(FOLDER_READS)),
        });
        let fetch = fetch_shared(&setup, Vec::new(), Arc::clone(&gate), drain.clone());
        let clients = clients(&setup, &gate, &drain, &supervision)?;
        let oversight = Oversight {
            health: Arc::new(ActorHealth::new(supervision.budget, setup.clock)),
            ..Oversight::default()
        };
        let (station, credits) = (Arc::clone(&setup.station), setup.tuning.credits());
        let collected = Collected::default();
        let outcomes = Collect(collected.clone()).start();
        let (parts, started) = std::sync::mpsc::channel();
        let (overseen, shared) = (oversight.clone(), Arc::clone(&fetch));
        // The closure runs at once, on this thread; inside it the scheduler's address is known.
        let scheduler = Supervisor::start(move |ctx: &mut Context<Scheduler>| {
            let wiring = Wiring {
                scheduler: &ctx.address(),
                oversight: &overseen,
                executor: &Executor::Threads,
                flow: Arc::clone(&setup.flow),
            };
            let (commits, lessons) = (outcomes.clone().recipient(), outcomes.recipient());
            let reading = wiring.start_reading(&setup, commits.clone(), lessons, &shared, clients);
            let _ = parts.send(reading.arbiters);
            let (tuning, window) = (setup.tuning.clone(), gate);
            let (progress, _) = watch::channel(Default::default());
            Scheduler::new(reading.fetchers, commits, progress, drain)
                .with_doubts(move || shared.settle())
                .with_capacity(move || tuning.credits_with(window.size()))
                .with_flow(setup.flow)
                .with_guard(overseen.guard(Part::Scheduler))
        });
        let alarmed = scheduler.downgrade();
        oversight.health.on_alarm(move |failure| {
            if let Some(scheduler) = alarmed.upgrade() {
                scheduler.do_send(Fail(failure));
            }
        });
        let arbiters: Vec<Arbiter> = started.try_recv().unwrap_or_default();
        let patience = Patience::default();
        let last_resort = supervision.last_resort;
        let handler = HangHandler {
            hung: Box::new(move |work| {
                tracing::error!("{}", hang_failure(&work, patience.limit));
            }),
            // The queue gives its job to another worker.
            last_resort: Box::new(move || last_resort()),
        };
        let watchdog = Watchdog::start(oversight, watched(&arbiters), patience, handler);
        let _watchdog = watchdog.map_err(|error| {
            Failure::environment(say!(
                "the system gives no thread: {error}",
                "el sistema no da un hilo: {error}",
                error = io_text(&error),
            ))
        })?;
        Ok(Self { marks, scheduler, collected, fetch, station, credits, arbiters, _watchdog })
    }

    /// Makes an outcome of each of the `slots`, which ascend, until the worker is to end.
    pub(super) async fn run(&self, slots: &[Slot], drain: &Draining) -> Result<RunEnd> {
        let gone = || {
            Failure::environment(say!(
                "the scheduler ended unexpectedly; see the log and start this worker again",
                "el planificador terminó de forma inesperada; vea el registro y vuelva a iniciar \
                 este trabajador"
            ))
        };
        let locals: Arc<[_]> = slots.iter().map(|slot| slot.local()).collect();
        let (Some(first), Some(last)) = (locals.first(), locals.last()) else {
            return Err(gone());
        };
        let range = SlotRange::new(*first, *last).map_err(|_| gone())?;
        self.collected.take();
        self.fetch.begin(Vec::new());
        let slots = range.slots(&self.station.minutes, self.station.zone).among(locals);
        let planned = slots.clone().count() as u64;
        let run = Run::new(Plan::new(slots, Vec::new(), Vec::new()), planned, self.credits);
        let (done, ended) = oneshot::channel();
        self.scheduler.do_send(StartRun { run, done });
        let mut ended = std::pin::pin!(ended);
        let end = tokio::select! {
            end = &mut ended => end,
            () = drain.begun() => {
                self.scheduler.do_send(Drain);
                ended.await
            }
        };
        self.fetch.close();
        end.map_err(|_| gone())
    }

    pub(super) fn end(self) {
        drop(self.scheduler);
        for arbiter in self.arbiters {
            arbiter.stop();
        }
    }
}
