//! Wires the actors and owns the order in which they end.

mod hung;
pub mod inference;
mod known;
pub(crate) mod notices;
mod passes;
mod report;
pub mod request;
pub mod supervision;
mod wiring;
pub mod witness;
pub mod worker;
pub mod workers;

use std::sync::Arc;

use actix::prelude::*;
use chrono::NaiveDateTime;
use tokio::sync::watch;

use crate::actors::dispatch::{DispatchSetup, SLOTS_OUT};
use crate::actors::fetch::FetchShared;
use crate::actors::guard::Oversight;
use crate::actors::health::{ActorHealth, Part};
use crate::actors::pool::Executor;
use crate::actors::scheduler::{Drain, Fail, Pause, Scheduler};
use crate::actors::watchdog::{Patience, Watchdog};
use crate::actors::work::Work;
use crate::camera::Source;
use crate::camera::gate::Gate;
use crate::clock::Clock;
use crate::draining::Draining;
use crate::queue::WriterLine;
use crate::service::supervision::Supervision;
use crate::store::{Database, PictureSource};
use celaje_sky::error::{Failure, Result};
use celaje_sky::flow::Flow;
use celaje_sky::run::Progress;
use celaje_sky::say;
use celaje_sky::slot::{SlotRange, Slots};
use celaje_sky::station::{LayoutChoice, Station};

use hung::watch_over;
pub use report::{Pass, RunPolicy, RunReport};
use wiring::{Feed, PipelineActors, Wiring, clients, fetch_shared, wire};
pub use wiring::{Setup, Shadow};

/// Files of a folder that are read at the same time, at most.
const FOLDER_READS: usize = 16;

/// The running actors.
pub struct Pipeline {
    scheduler: Addr<Scheduler>,
    actors: PipelineActors,
    progress: watch::Receiver<Progress>,
    drain: Draining,
    fetch: Arc<FetchShared>,
    flow: Arc<Flow>,
    gate: Arc<Gate>,
    oversight: Oversight,
    /// What hangs; the watchdog sends it.
    hung: watch::Receiver<Vec<Work>>,
    patience: Patience,
    /// None where time is not real.
    _watchdog: Option<Watchdog>,
    /// The queue of its workers, if it has any.
    line: Option<WriterLine>,
    about: About,
}

/// What a run writes about itself.
struct About {
    station: Arc<Station>,
    source: PictureSource,
    engine: String,
    model: String,
    credits: usize,
    policy: RunPolicy,
    is_archive: bool,
    /// The slots that are asked for, where these are not all of a range.
    alone: Option<Arc<[NaiveDateTime]>>,
    clock: Clock,
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
        Self::start_fed(setup, supervision, None)
    }

    /// The same; with a `queue`, its workers make the outcomes instead of this machine.
    ///
    /// # Errors
    /// As [`Self::start_with`].
    pub fn start_fed(
        setup: Setup,
        supervision: Supervision,
        queue: Option<DispatchSetup>,
    ) -> Result<Self> {
        let station = setup.station.id.as_str();
        let remembered = setup.database.seen_from(station, |database| {
            database.keep_time(setup.clock);
            database.remembered_layouts()
        })??;
        let drain = Draining::default();
        let (progress_sender, progress) = watch::channel(Progress::default());
        let gate = Arc::new(match setup.source.base() {
            Some(_) => setup.tuning.gate(),
            None => Gate::of(setup.tuning.concurrency.min(FOLDER_READS)),
        });
        let flow = Arc::clone(&setup.flow);
        let line = queue.as_ref().map(|queue| queue.line.clone());
        let health = supervision.health.clone();
        let oversight = Oversight {
            health: health
                .unwrap_or_else(|| Arc::new(ActorHealth::new(supervision.budget, setup.clock))),
            work: Arc::default(),
            failpoints: supervision.failpoints.clone(),
        };
        let shared = fetch_shared(&setup, remembered, Arc::clone(&gate), drain.clone());
        let about = About {
            station: Arc::clone(&setup.station),
            source: PictureSource {
                address: setup.source.address(),
                layout: match setup.source {
                    Source::Http(_) => setup.station.layout,
                    // A folder is looked through in both layouts, whatever a server's is.
                    Source::Folder(_) => LayoutChoice::Auto,
                    Source::Scheme(_) => LayoutChoice::Root,
                },
            },
            engine: match &queue {
                None => setup.engine.describe(),
                Some(_) => "workers".to_owned(),
            },
            model: setup.model.label(),
            credits: if queue.is_some() { SLOTS_OUT } else { setup.tuning.credits() },
            policy: setup.policy,
            is_archive: setup.source.is_archive(),
            alone: match &setup.source {
                Source::Folder(folder) => folder.alone(),
                Source::Scheme(scheme) => scheme.alone(),
                Source::Http(_) => None,
            },
            clock: setup.clock,
        };
        let (parts, started) = std::sync::mpsc::channel();
        let draining = drain.clone();
        let (flowing, window) = (Arc::clone(&flow), Arc::clone(&gate));
        let tuning = setup.tuning.clone();
        let (overseen, executor) = (oversight.clone(), supervision.executor.clone());
        let (fetch, doubts) = (Arc::clone(&shared), Arc::clone(&shared));
        let slots_out = queue.is_some().then_some(SLOTS_OUT);
        let feed = match queue {
            None => Feed::Camera(shared, clients(&setup, &gate, &drain, &supervision)?),
            Some(queue) => Feed::Queue(Box::new(queue), drain.clone()),
        };
        // The closure runs at once, on this thread; inside it the scheduler's address is known.
        let scheduler = Supervisor::start(move |ctx: &mut Context<Scheduler>| {
            let wiring = Wiring {
                scheduler: &ctx.address(),
                oversight: &overseen,
                executor: &executor,
                flow: Arc::clone(&flowing),
            };
            let (actors, fetchers) = wire(&wiring, setup, feed);
            let outcomes = actors.outcomes.clone();
            let _ = parts.send(actors);
            Scheduler::new(fetchers, outcomes, progress_sender, draining)
                .with_doubts(move || doubts.settle())
                .with_capacity(move || {
                    slots_out.unwrap_or_else(|| tuning.credits_with(window.size()))
                })
                .with_flow(flowing)
                .with_guard(overseen.guard(Part::Scheduler))
        });
        let actors = started.try_recv().map_err(|_| store_is_gone())?;
        let alarmed = scheduler.downgrade();
        oversight.health.on_alarm(move |failure| {
            if let Some(scheduler) = alarmed.upgrade() {
                scheduler.do_send(Fail(failure));
            }
        });
        let (hangs, hung) = watch::channel(Vec::new());
        let watchdog = match &supervision.executor {
            Executor::Threads => Some(watch_over(&oversight, &actors, hangs, &supervision)?),
            #[cfg(feature = "testing")]
            Executor::Inline(_) => None,
        };
        Ok(Self {
            scheduler,
            actors,
            progress,
            drain,
            fetch,
            flow,
            gate,
            oversight,
            hung,
            patience: supervision.patience,
            _watchdog: watchdog,
            line,
            about,
        })
    }

    /// The slots of `range`; of a folder that is asked for as a whole those that have a picture.
    fn slots(&self, range: SlotRange) -> Slots {
        let slots = range.slots(&self.about.station.minutes, self.about.station.zone);
        match &self.about.alone {
            Some(moments) => slots.among(Arc::clone(moments)),
            None => slots,
        }
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

    /// Health and work of the actors.
    pub fn oversight(&self) -> Oversight {
        self.oversight.clone()
    }

    /// A handle that begins to drain the present run.
    pub fn drainer(&self) -> impl Fn() + Clone + 'static {
        let scheduler = self.scheduler.clone();
        move || scheduler.do_send(Drain)
    }

    /// A handle that ends the present pass early; what it did not come to is
    /// [pending](RunReport::pending), and another pass may follow. Does nothing while none is under
    /// way.
    pub fn pauser(&self) -> impl Fn() + Clone + 'static {
        let scheduler = self.scheduler.clone();
        move || scheduler.do_send(Pause)
    }

    /// Ends the actors and hands the database back, when nothing is in flight any more and no other
    /// pipeline shares it.
    ///
    /// A straggler is left behind after a few seconds and named in the log.
    pub async fn stop(self) -> Option<Database> {
        self.drain.begin();
        drop(self.scheduler);
        let database = self.actors.end().await;
        if let Some(line) = self.line {
            line.close().await;
        }
        database
    }
}

fn store_is_gone() -> Failure {
    Failure::environment(say!(
        "the store ended unexpectedly; see the log and run the same command again",
        "el almacén terminó de forma inesperada; vea el registro y repita la orden"
    ))
}
