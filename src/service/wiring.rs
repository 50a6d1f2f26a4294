//! Which actor gets whose address, and on which thread it runs.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use actix::WeakRecipient;
use actix::prelude::*;
use chrono::{Datelike, Utc};

use crate::actors::cores::Cores;
use crate::actors::decode::{DecodeActor, DecodeShared};
use crate::actors::fetch::{Fetch, FetchItem, FetchOutlets, FetchShared};
use crate::actors::gather::Gather;
use crate::actors::guard::Guard;
use crate::actors::inference::Inference;
use crate::actors::inline::Inline;
use crate::actors::scheduler::Scheduler;
use crate::actors::session::{SessionActor, SessionShared};
use crate::actors::shadow::{ShadowActor, ShadowCounts, ShadowShared, ToShadow};
use crate::actors::store::{
    Commit, KeepShadow, RememberLayout, StoreActor, StoreShared, WithDatabase,
};
use crate::actors::vitals::{Part, Vitals};
use crate::actors::watchdog::Ping;
use crate::camera::Source;
use crate::camera::gate::Gate;
use crate::camera::health::{HostHealth, HostHold};
use crate::camera::http::HttpClient;
use crate::clock;
use crate::draining::Draining;
use crate::service::RunPolicy;
use crate::service::supervision::{Supervision, Threads};
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

/// Everything that a pipeline is made of.
pub struct Setup {
    /// Whose pictures they are.
    pub station: Arc<Station>,
    /// Where they are.
    pub source: Source,
    /// What judges them.
    pub model: Arc<Model>,
    /// What runs the model.
    pub engine: Arc<dyn Engine>,
    /// Where the record is kept; stations of one file share it.
    pub database: SharedDatabase,
    /// Sizes and bounds.
    pub tuning: Tuning,
    /// What a run does with slots that it knows.
    pub policy: RunPolicy,
    /// A second model that judges beside the first, for comparison.
    pub shadow: Option<Shadow>,
    /// Books what flows through it.
    pub flow: Arc<Flow>,
}

/// A model that judges beside the first one.
#[derive(Clone)]
pub struct Shadow {
    /// The model.
    pub model: Arc<Model>,
    /// What runs it.
    pub engine: Arc<dyn Engine>,
    /// Counts what comes of it.
    pub counts: Arc<ShadowCounts>,
}

/// How the store is reached, whatever runs it.
pub(super) struct StoreAddress {
    /// Takes outcomes.
    pub(super) commit: Recipient<Commit>,
    /// Takes where a year was found.
    pub(super) layouts: Recipient<RememberLayout>,
    /// Takes what a shadow says.
    pub(super) shadow: Recipient<KeepShadow>,
    /// Takes any other work.
    pub(super) work: Recipient<WithDatabase>,
}

/// Addresses and shared state of the started actors.
pub(super) struct Wired {
    /// The writer's address.
    pub(super) store: StoreAddress,
    /// Actors that share a thread, and are asked whether they live.
    pub(super) pulses: Vec<(Part, WeakRecipient<Ping>)>,
    /// What the writer works on.
    pub(super) store_shared: Arc<StoreShared>,
    sessions: Weak<SessionShared>,
    arbiters: Vec<Arbiter>,
}

/// What the fetch actors share, from what earlier runs `remembered`.
pub(super) fn fetch_shared(
    setup: &Setup,
    remembered: Vec<(i32, Layout)>,
    gate: Arc<Gate>,
    drain: Draining,
) -> Arc<FetchShared> {
    let year = setup.station.zone.local(Utc::now()).year();
    let layout = match setup.source {
        Source::Http(_) => setup.station.layout,
        // A folder is looked through in both ways each time; nothing is learned from it.
        Source::Folder(_) => LayoutChoice::Root,
    };
    let book = LayoutBook::new(layout, year, remembered);
    let book = if setup.policy.retry_missed {
        book.always_ask_both()
    } else {
        book
    };
    let health = HostHealth::new(setup.tuning.patience);
    Arc::new(FetchShared::new(
        setup.source.clone(),
        book,
        health,
        gate,
        drain,
    ))
}

/// An HTTP client for each fetch actor; they leave the host alone together.
///
/// # Errors
/// When the system's TLS settings cannot be read.
pub(super) fn clients(
    setup: &Setup,
    gate: &Arc<Gate>,
    drain: &Draining,
    supervision: &Supervision,
) -> Result<Vec<HttpClient>> {
    let fetchers = setup.tuning.concurrency.clamp(1, FETCHERS);
    let hold = Arc::new(HostHold::default());
    (0..fetchers)
        .map(|_| {
            let (limits, drain) = (setup.tuning.http.clone(), drain.clone());
            match &supervision.script {
                Some(script) => HttpClient::scripted(Arc::clone(script), limits, drain),
                None => HttpClient::new(&setup.source, limits, drain),
            }
            .map(|client| client.sharing(Arc::clone(&hold)).through(Arc::clone(gate)))
            .map_err(|e| {
                Failure::environment(say!(
                    "{e}; check the certificates of this system",
                    "{e}; revise los certificados de este sistema"
                ))
            })
        })
        .collect()
}

/// Starts everything but the scheduler, from the store upwards.
pub(super) fn wire(
    scheduler: &Addr<Scheduler>,
    setup: Setup,
    fetch: Arc<FetchShared>,
    clients: Vec<HttpClient>,
    flow: Arc<Flow>,
    vitals: &Arc<Vitals>,
    threads_of: &Threads,
) -> (Wired, Vec<Recipient<FetchItem>>) {
    let Setup {
        station,
        model,
        engine,
        database,
        tuning,
        policy,
        shadow,
        ..
    } = setup;
    let guard = |part| Guard::new(part, Arc::clone(vitals));
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    // One more than there are, so that a core has work while the next thread wakes up.
    let shared_cores = tuning.shares_cores.then(|| Arc::new(Cores::new(count + 1)));
    let store_shared = Arc::new(StoreShared {
        database,
        station: station.id.clone(),
        mode: if policy.reprocess {
            CommitMode::Replace
        } else {
            CommitMode::Insert
        },
        run: Mutex::new(None),
        holds_misses: AtomicBool::new(false),
        flow: Arc::clone(&flow),
        scheduler: scheduler.downgrade().recipient(),
        guard: guard(Part::Store),
    });
    let shared = Arc::clone(&store_shared);
    let make = move || StoreActor::new(Arc::clone(&shared));
    let store = match threads_of {
        Threads::Own => {
            let actor = SyncArbiter::start(1, make);
            StoreAddress {
                commit: actor.clone().recipient(),
                layouts: actor.clone().recipient(),
                shadow: actor.clone().recipient(),
                work: actor.recipient(),
            }
        }
        Threads::Inline(delay) => {
            let actor = Inline::start(make, Arc::clone(delay), guard(Part::Store));
            StoreAddress {
                commit: actor.clone().recipient(),
                layouts: actor.clone().recipient(),
                shadow: actor.clone().recipient(),
                work: actor.recipient(),
            }
        }
    };
    let mut pulses = Vec::new();
    let writer = store.commit.clone();
    let gatherer = guard(Part::Gather);
    let gather =
        Supervisor::start(move |_| Gather::new(tuning.commit, writer).with_guard(gatherer));
    pulses.push((Part::Gather, gather.downgrade().recipient()));
    let gather = gather.recipient();

    let session_shared = Arc::new(SessionShared {
        engine,
        model: Arc::clone(&model),
        station: Arc::clone(&station),
        threads: tuning.session_threads,
        cores: shared_cores.clone(),
        store: gather.clone(),
        scheduler: scheduler.downgrade().recipient(),
        guard: guard(Part::Session),
    });
    let sessions = Arc::downgrade(&session_shared);
    let threads = tuning.threads;
    let make = move || SessionActor::new(Arc::clone(&session_shared));
    let session = match threads_of {
        Threads::Own => SyncArbiter::start(threads, make).recipient(),
        Threads::Inline(delay) => {
            Inline::start(make, Arc::clone(delay), guard(Part::Session)).recipient()
        }
    };
    let batching = BatchPolicy {
        size: tuning.batch,
        deadline: tuning.batch_deadline,
    };
    let cores = tuning.shares_cores.then_some(count);
    let keeper = guard(Part::Inference);
    let inference = Supervisor::start(move |_| {
        Inference::new(batching, session, threads)
            .with_flow(flow, cores, tuning.session_threads)
            .with_guard(keeper)
    });
    pulses.push((Part::Inference, inference.downgrade().recipient()));

    let shadow = shadow.map(|shadow| {
        let shared = Arc::new(ShadowShared {
            engine: shadow.engine,
            model: Arc::clone(&shadow.model),
            station: Arc::clone(&station),
            limits: tuning.picture,
            cores: shared_cores.clone(),
            store: store.shadow.clone(),
            counts: Arc::clone(&shadow.counts),
        });
        let actors = SyncArbiter::start(1, move || ShadowActor::new(Arc::clone(&shared)));
        ToShadow {
            manifest: Arc::new(shadow.model.manifest.clone()),
            shadow: actors.recipient(),
            counts: shadow.counts,
        }
    });
    let decode_shared = Arc::new(DecodeShared {
        shadow,
        manifest: Arc::new(model.manifest.clone()),
        region: station.region.clone(),
        limits: tuning.picture,
        cores: shared_cores,
        inference: inference.recipient(),
        store: gather.clone(),
        guard: guard(Part::Decode),
    });
    let make = move || DecodeActor::new(Arc::clone(&decode_shared));
    let decode = match threads_of {
        Threads::Own => SyncArbiter::start(tuning.decoders, make).recipient(),
        Threads::Inline(delay) => {
            Inline::start(make, Arc::clone(delay), guard(Part::Decode)).recipient()
        }
    };

    let outlets = FetchOutlets {
        decode,
        store: gather,
        layouts: store.layouts.clone(),
        scheduler: scheduler.downgrade().recipient(),
    };
    let mut arbiters = Vec::new();
    let fetchers = clients
        .into_iter()
        .map(|client| {
            let (fetch, outlets) = (Arc::clone(&fetch), outlets.clone());
            let guard = guard(Part::Fetch);
            let make =
                move |_: &mut Context<Fetch>| Fetch::new(fetch, client, outlets).with_guard(guard);
            let actor = match threads_of {
                Threads::Own => {
                    let arbiter = Arbiter::new();
                    let actor = Supervisor::start_in_arbiter(&arbiter.handle(), make);
                    arbiters.push(arbiter);
                    actor
                }
                Threads::Inline(_) => Supervisor::start(make),
            };
            pulses.push((Part::Fetch, actor.downgrade().recipient()));
            actor.recipient()
        })
        .collect();
    pulses.push((Part::Scheduler, scheduler.downgrade().recipient()));
    (
        Wired {
            store,
            pulses,
            store_shared,
            sessions,
            arbiters,
        },
        fetchers,
    )
}

impl Wired {
    /// Ends the actors and hands the database back, when nothing is in flight any more and no other
    /// pipeline shares it.
    ///
    /// A straggler is left behind after a few seconds and named in the log.
    pub(super) async fn end(self) -> Option<Database> {
        let Self {
            store,
            mut store_shared,
            sessions,
            arbiters,
            ..
        } = self;
        for arbiter in &arbiters {
            arbiter.stop();
        }
        drop(store);
        let deadline = clock::now() + END_DEADLINE;
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
            if clock::now() >= deadline {
                let store_ended = Arc::strong_count(&store_shared) == 1;
                tracing::warn!(sessions_ended, store_ended, "an actor did not end in time");
                return None;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}
