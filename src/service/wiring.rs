//! Which actor gets whose address, and on which thread it runs.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use actix::prelude::*;
use chrono::Datelike;

use crate::actors::cores::{Cores, Priority};
use crate::actors::decode::{Decode, DecodeShared, DecodeStage};
use crate::actors::dispatch::{Dispatch, DispatchSetup};
use crate::actors::fetch::{Fetch, FetchItem, FetchOutlets, FetchShared};
use crate::actors::gather::Gather;
use crate::actors::guard::{Guard, Oversight};
use crate::actors::health::Part;
use crate::actors::inference::{Infer, Inference};
use crate::actors::pool::{CoreNeed, Executor};
use crate::actors::scheduler::Scheduler;
use crate::actors::session::{RunBatch, SessionShared, SessionStage};
use crate::actors::shadow::{ShadowCounts, ShadowShared, ShadowStage, ToShadow};
use crate::actors::store::{Commit, StoreShared, StoreStage, StoreTask};
use crate::camera::Source;
use crate::camera::gate::Gate;
use crate::camera::health::{HostHealth, HostHold};
use crate::camera::http::HttpClient;
use crate::camera::kept::KeptPictures;
use crate::clock::Clock;
use crate::draining::Draining;
use crate::service::RunPolicy;
use crate::service::supervision::Supervision;
use crate::settings::tuning::Tuning;
use crate::store::{CommitMode, Database, SharedDatabase};
use celaje_sky::batching::BatchPolicy;
use celaje_sky::error::{Failure, Result};
use celaje_sky::flow::Flow;
use celaje_sky::layout::{Layout, LayoutBook};
use celaje_sky::say;
use celaje_sky::station::{LayoutChoice, Station};
use celaje_vision::engine::backend::Engine;
use celaje_vision::model::source::Model;

/// How long actors may take to end once nothing is in flight.
const END_DEADLINE: Duration = Duration::from_secs(5);
/// Fetch actors, an arbiter and a client each; one core's worth of requests is plenty for one
/// server, the second keeps going while the first one parses.
const FETCHERS: usize = 2;

/// What a pipeline is started with. One without a database is a worker's.
pub struct Setup<D = SharedDatabase> {
    /// Whose pictures they are.
    pub station: Arc<Station>,
    /// Where they are.
    pub source: Source,
    /// What judges them.
    pub model: Arc<Model>,
    /// What runs the model.
    pub engine: Arc<dyn Engine>,
    /// Where the record is kept; stations of one file share it.
    pub database: D,
    /// Sizes and bounds.
    pub tuning: Tuning,
    /// What a run does with slots that it knows.
    pub policy: RunPolicy,
    /// A second model that judges beside the first, for comparison.
    pub shadow: Option<Shadow>,
    /// Keeps copies of pictures.
    pub kept: Option<Arc<KeptPictures>>,
    /// Books what flows through it.
    pub flow: Arc<Flow>,
    /// What is due is decided by it.
    pub clock: Clock,
}

/// A model that judges beside the first one.
#[derive(Clone)]
pub struct Shadow {
    /// The model.
    pub model: Arc<Model>,
    /// What runs it.
    pub engine: Arc<dyn Engine>,
    /// Counts what it judges, skips and fails.
    pub counts: Arc<ShadowCounts>,
}

/// Addresses and shared state of the started actors.
pub(super) struct PipelineActors {
    /// The writer's address.
    pub(super) store: Recipient<StoreTask>,
    /// Takes outcomes.
    pub(super) outcomes: Recipient<Commit>,
    /// Threads that several actors share, each with the actor that is named when it hangs.
    pub(super) arbiters_watched: Vec<(Part, ArbiterHandle)>,
    /// What the writer works on.
    pub(super) store_shared: Arc<StoreShared>,
    /// Counts of the second model.
    pub(super) shadow: Option<Arc<ShadowCounts>>,
    sessions: Weak<SessionShared>,
    arbiters: Vec<Arbiter>,
}

/// What the fetch actors share, from what earlier runs `remembered`.
pub(super) fn fetch_shared(
    setup: &Setup<impl Sized>,
    remembered: Vec<(i32, Layout)>,
    gate: Arc<Gate>,
    drain: Draining,
) -> Arc<FetchShared> {
    let year = setup.station.zone.local(setup.clock.now()).year();
    let layout = match setup.source {
        Source::Http(_) => setup.station.layout,
        // A folder is looked through in both ways each time; nothing is learned from it. A scheme
        // has one way.
        Source::Folder(_) | Source::Scheme(_) => LayoutChoice::Root,
    };
    let book = LayoutBook::new(layout, year, remembered);
    let book = if setup.policy.retry_missed { book.always_ask_both() } else { book };
    let health = HostHealth::new(setup.tuning.patience);
    let shared = FetchShared::new(setup.source.clone(), book, health, gate, drain);
    Arc::new(shared.with_clock(setup.clock))
}

/// An HTTP client for each fetch actor; they leave the host alone together.
///
/// # Errors
/// When the system's TLS settings cannot be read.
pub(super) fn clients(
    setup: &Setup<impl Sized>,
    gate: &Arc<Gate>,
    drain: &Draining,
    #[cfg_attr(not(feature = "testing"), expect(unused_variables))] supervision: &Supervision,
) -> Result<Vec<HttpClient>> {
    let fetchers = setup.tuning.concurrency.clamp(1, FETCHERS);
    let hold = Arc::new(HostHold::default());
    (0..fetchers)
        .map(|_| {
            let (limits, drain) = (setup.tuning.http.clone(), drain.clone());
            #[cfg(feature = "testing")]
            if let Some(script) = &supervision.script {
                let client = HttpClient::scripted(Arc::clone(script), limits, drain);
                let client = client.map_err(|e| Failure::environment(say!("{e}", "{e}")))?;
                return Ok(client.sharing(Arc::clone(&hold)).through(Arc::clone(gate)));
            }
            let client = HttpClient::new(setup.source.base(), &setup.station.trust, limits, drain);
            let client = client.map_err(|e| {
                Failure::environment(say!(
                    "{e}; check the certificates of this system",
                    "{e}; revise los certificados de este sistema"
                ))
            })?;
            Ok(client.sharing(Arc::clone(&hold)).through(Arc::clone(gate)))
        })
        .collect()
}

/// What every actor of a pipeline is started with.
pub(super) struct Wiring<'a> {
    /// Where credits return to.
    pub(super) scheduler: &'a Addr<Scheduler>,
    /// What the actors share about themselves.
    pub(super) oversight: &'a Oversight,
    /// Where stages run.
    pub(super) executor: &'a Executor,
    /// Books what flows.
    pub(super) flow: Arc<Flow>,
}

/// Where slots are sent.
pub(super) enum Feed {
    /// To fetch actors, which ask the camera with a client each.
    Camera(Arc<FetchShared>, Vec<HttpClient>),
    /// To workers.
    Queue(Box<DispatchSetup>, Draining),
}

/// Starts everything but the scheduler, from the store upwards.
pub(super) fn wire(
    wiring: &Wiring<'_>,
    setup: Setup,
    feed: Feed,
) -> (PipelineActors, Vec<Recipient<FetchItem>>) {
    let (store, store_shared) = wiring.start_store(&setup);
    let gather = wiring.start_gather(&setup, store.clone());
    let reading = match feed {
        Feed::Camera(fetch, clients) => {
            wiring.start_reading(&setup, gather.clone(), store.clone(), &fetch, clients)
        }
        Feed::Queue(queue, drain) => {
            let scheduler = wiring.scheduler.downgrade().recipient();
            let dispatch = Dispatch::new(*queue, gather.clone(), scheduler, drain).start();
            ReadingActors { fetchers: vec![dispatch.recipient()], ..ReadingActors::default() }
        }
    };
    let ReadingActors { fetchers, sessions, arbiters, shadow } = reading;
    let actors = PipelineActors {
        store,
        outcomes: gather,
        arbiters_watched: watched(&arbiters),
        store_shared,
        shadow,
        sessions,
        arbiters,
    };
    (actors, fetchers)
}

/// The threads that several actors share, with `arbiters` those of the fetch actors.
pub(super) fn watched(arbiters: &[Arbiter]) -> Vec<(Part, ArbiterHandle)> {
    let fetch = arbiters.iter().map(|one| (Part::Fetch, one.handle()));
    std::iter::once((Part::Scheduler, Arbiter::current())).chain(fetch).collect()
}

/// The actors that make outcomes of slots.
#[derive(Default)]
pub(super) struct ReadingActors {
    /// Take slots.
    pub(super) fetchers: Vec<Recipient<FetchItem>>,
    sessions: Weak<SessionShared>,
    pub(super) arbiters: Vec<Arbiter>,
    shadow: Option<Arc<ShadowCounts>>,
}

fn core_count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

type SharedCores = Option<Arc<Cores>>;

fn need(cores: &SharedCores, n: usize, priority: Priority) -> Option<CoreNeed> {
    let cores = cores.clone()?;
    Some(CoreNeed { cores, n, priority })
}

impl Wiring<'_> {
    /// Starts what makes outcomes of slots. These go to `outcomes`, what is learned on the way to
    /// `lessons`.
    pub(super) fn start_reading(
        &self,
        setup: &Setup<impl Sized>,
        outcomes: Recipient<Commit>,
        lessons: Recipient<StoreTask>,
        fetch: &Arc<FetchShared>,
        clients: Vec<HttpClient>,
    ) -> ReadingActors {
        let cores = setup.tuning.shares_cores.then(|| {
            // One more than there are, so that a core has work while the next thread wakes up.
            Arc::new(Cores::new(core_count() + 1))
        });
        let (session_pool, sessions) = self.start_sessions(setup, &cores, outcomes.clone());
        let inference = self.start_inference(setup, session_pool);
        let to_shadow = self.start_shadow(setup, &cores, lessons.clone());
        let shadow = to_shadow.as_ref().map(|shadow| Arc::clone(&shadow.counts));
        let decode = self.start_decoders(setup, &cores, to_shadow, inference, outcomes.clone());
        let outlets = FetchOutlets {
            decode,
            store: outcomes,
            layouts: lessons,
            scheduler: self.scheduler.downgrade().recipient(),
        };
        let (fetchers, arbiters) = self.start_fetchers(fetch, clients, &outlets);
        ReadingActors { fetchers, sessions, arbiters, shadow }
    }

    fn guard(&self, part: Part) -> Guard {
        self.oversight.guard(part)
    }

    fn start_store(&self, setup: &Setup) -> (Recipient<StoreTask>, Arc<StoreShared>) {
        let shared = Arc::new(StoreShared {
            database: setup.database.clone(),
            station: setup.station.id.clone(),
            mode: if setup.policy.reprocess { CommitMode::Replace } else { CommitMode::Insert },
            booking: Mutex::new(None),
            flow: Arc::clone(&self.flow),
            scheduler: self.scheduler.downgrade().recipient(),
            guard: self.guard(Part::Store),
        });
        let of_stage = Arc::clone(&shared);
        let make = move || StoreStage::new(Arc::clone(&of_stage));
        let guard = self.guard(Part::Store);
        (self.executor.pool(1, guard, None, make), shared)
    }

    fn start_gather(&self, setup: &Setup, store: Recipient<StoreTask>) -> Recipient<Commit> {
        let (policy, guard) = (setup.tuning.commit, self.guard(Part::Gather));
        let gather = Supervisor::start(move |_| Gather::new(policy, store).with_guard(guard));
        gather.recipient()
    }

    fn start_sessions(
        &self,
        setup: &Setup<impl Sized>,
        cores: &SharedCores,
        gather: Recipient<Commit>,
    ) -> (Recipient<RunBatch>, Weak<SessionShared>) {
        let tuning = &setup.tuning;
        let shared = Arc::new(SessionShared {
            engine: Arc::clone(&setup.engine),
            model: Arc::clone(&setup.model),
            station: Arc::clone(&setup.station),
            threads: tuning.session_threads,
            store: gather,
            scheduler: self.scheduler.downgrade().recipient(),
            guard: self.guard(Part::Session),
        });
        let alive = Arc::downgrade(&shared);
        let need = need(cores, tuning.session_threads, Priority::High);
        let make = move || SessionStage::new(Arc::clone(&shared));
        let guard = self.guard(Part::Session);
        (self.executor.pool(tuning.threads, guard, need, make), alive)
    }

    fn start_inference(
        &self,
        setup: &Setup<impl Sized>,
        sessions: Recipient<RunBatch>,
    ) -> Recipient<Infer> {
        let (tuning, guard) = (setup.tuning.clone(), self.guard(Part::Inference));
        let (flow, cores) = (Arc::clone(&self.flow), tuning.shares_cores.then(core_count));
        let policy = BatchPolicy { size: tuning.batch, deadline: tuning.batch_deadline };
        let inference = Supervisor::start(move |_| {
            Inference::new(policy, sessions, tuning.threads)
                .with_flow(flow, cores, tuning.session_threads)
                .with_guard(guard)
        });
        inference.recipient()
    }

    fn start_shadow(
        &self,
        setup: &Setup<impl Sized>,
        cores: &SharedCores,
        store: Recipient<StoreTask>,
    ) -> Option<ToShadow> {
        let shadow = setup.shadow.clone()?;
        let shared = Arc::new(ShadowShared {
            engine: shadow.engine,
            model: Arc::clone(&shadow.model),
            station: Arc::clone(&setup.station),
            limits: setup.tuning.picture,
            store,
            counts: Arc::clone(&shadow.counts),
        });
        let make = move || ShadowStage::new(Arc::clone(&shared));
        let (guard, need) = (self.guard(Part::Shadow), need(cores, 1, Priority::Low));
        Some(ToShadow {
            manifest: Arc::new(shadow.model.manifest.clone()),
            shadow: Executor::Threads.pool(1, guard, need, make),
            counts: shadow.counts,
        })
    }

    fn start_decoders(
        &self,
        setup: &Setup<impl Sized>,
        cores: &SharedCores,
        shadow: Option<ToShadow>,
        inference: Recipient<Infer>,
        gather: Recipient<Commit>,
    ) -> Recipient<Decode> {
        let shared = Arc::new(DecodeShared {
            kept: setup.kept.clone(),
            clock: setup.clock,
            shadow,
            manifest: Arc::new(setup.model.manifest.clone()),
            region: setup.station.region.clone(),
            limits: setup.tuning.picture,
            inference,
            store: gather,
            guard: self.guard(Part::Decode),
        });
        let make = move || DecodeStage::new(Arc::clone(&shared));
        let (guard, need) = (self.guard(Part::Decode), need(cores, 1, Priority::Low));
        self.executor.pool(setup.tuning.decoders, guard, need, make)
    }

    /// Starts a fetch actor a client, each on an arbiter of its own; inline on this one.
    fn start_fetchers(
        &self,
        shared: &Arc<FetchShared>,
        clients: Vec<HttpClient>,
        outlets: &FetchOutlets,
    ) -> (Vec<Recipient<FetchItem>>, Vec<Arbiter>) {
        let mut arbiters = Vec::new();
        let fetchers = clients.into_iter().map(|client| {
            let (shared, outlets) = (Arc::clone(shared), outlets.clone());
            let guard = self.guard(Part::Fetch);
            let make =
                move |_: &mut Context<Fetch>| Fetch::new(shared, client, outlets).with_guard(guard);
            let actor = match self.executor {
                Executor::Threads => {
                    let arbiter = Arbiter::new();
                    let actor = Supervisor::start_in_arbiter(&arbiter.handle(), make);
                    arbiters.push(arbiter);
                    actor
                }
                #[cfg(feature = "testing")]
                Executor::Inline(_) => Supervisor::start(make),
            };
            actor.recipient()
        });
        (fetchers.collect(), arbiters)
    }
}

impl PipelineActors {
    /// Ends the actors and hands the database back, when nothing is in flight any more and no other
    /// pipeline shares it.
    ///
    /// A straggler is left behind after a few seconds and named in the log.
    pub(super) async fn end(self) -> Option<Database> {
        let Self { store, outcomes, mut store_shared, sessions, arbiters, .. } = self;
        for arbiter in &arbiters {
            arbiter.stop();
        }
        drop((outcomes, store));
        let deadline = Clock::instant() + END_DEADLINE;
        loop {
            let sessions_ended = sessions.strong_count() == 0;
            match Arc::try_unwrap(store_shared) {
                Ok(shared) if sessions_ended => {
                    for arbiter in arbiters {
                        let _ = arbiter.join();
                    }
                    return shared.database.into_inner();
                }
                Ok(shared) => store_shared = Arc::new(shared),
                Err(shared) => store_shared = shared,
            }
            if Clock::instant() >= deadline {
                let store_ended = Arc::strong_count(&store_shared) == 1;
                tracing::warn!(sessions_ended, store_ended, "an actor did not end in time");
                return None;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}
