//! The always-on program: watches the cameras of its stations, and fills missing slots.
//!
//! Each station has a [`worker`] with a pipeline of its own; all write through one connection. A
//! worker asks its clockwork ([`pipeline::ticks`](celaje_sky::ticks)) what is due, and has ranges
//! that wait ([`jobs`]) filled in [`parts`] between the slots. The [`state`] is what they and the
//! web share. [`notify`] speaks to systemd.

pub mod alerts;
pub mod boltwood;
pub mod factory;
pub mod jobs;
pub mod liveness;
pub mod mqtt;
pub mod notify;
pub mod operator;
pub mod parts;
mod peer;
mod queue;
pub mod recent;
pub mod state;
pub mod watcher;
pub mod worker;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::daemon::factory::{PipelineFactories, PipelineFactory};
use crate::daemon::liveness::Liveness;
use crate::daemon::state::DaemonState;
use crate::daemon::watcher::RecordWatcher;
use crate::daemon::worker::{Duty, StationWorker, WorkerContext};
use crate::service::notices;
use crate::settings::Settings;
use crate::store::{Database, SharedDatabase};
use celaje_sky::error::{Failure, Result};
use celaje_sky::flow::Flow;
use celaje_sky::say;
use celaje_sky::station::Station;
use celaje_sky::text::Text;

/// The running stations.
pub struct Daemon {
    common: WorkerContext,
    stations: Mutex<BTreeMap<WorkerKey, StationHandle>>,
    db: std::path::PathBuf,
    /// Cancelled when a worker ends unasked.
    fallen: CancellationToken,
}

/// A station's id, and which of its workers is meant.
type WorkerKey = (String, Duty);

/// The handle of a station's worker.
struct StationHandle {
    renewals: mpsc::Sender<PipelineFactory>,
    stop: CancellationToken,
    liveness: Arc<Liveness>,
    ended: tokio::task::JoinHandle<()>,
}

impl Daemon {
    /// Opens the models and the record, and starts a worker for each station. To be called inside
    /// an actix system. `tell` gets the notices about models and record.
    pub async fn start(settings: Settings, clock: Clock, tell: impl Fn(&Text)) -> Result<Self> {
        check(&settings)?;
        let db = settings.db.clone();
        let stations = settings.stations.clone();
        let factories = PipelineFactories::make(settings, &tell).await?;
        let clock = clock.begin();
        let database = open(&db, &stations, &tell)?;
        let flow = Arc::new(Flow::default());
        let watcher = RecordWatcher::start(&db, clock)?;
        let state = DaemonState::new(watcher, database.downgrade(), Arc::clone(&flow), clock);
        state.set_models(&factories.model, &factories.engine, factories.shadow);
        state.queue().set_address(factories.all.iter().find_map(PipelineFactory::queue));
        let daemon = Self {
            common: WorkerContext {
                database,
                flow,
                state,
                clock,
                turns: Arc::new(Semaphore::new(1)),
            },
            stations: Mutex::default(),
            db,
            fallen: CancellationToken::new(),
        };
        for factory in factories.all {
            for duty in Duty::of(&factory) {
                daemon.take_on(factory.clone(), *duty, true).await?;
            }
        }
        Ok(daemon)
    }

    pub fn state(&self) -> Arc<DaemonState> {
        Arc::clone(&self.common.state)
    }

    /// The record that its workers write.
    pub fn database(&self) -> SharedDatabase {
        self.common.database.clone()
    }

    /// What its workers take for now.
    pub fn clock(&self) -> Clock {
        self.common.clock
    }

    fn stations(&self) -> MutexGuard<'_, BTreeMap<WorkerKey, StationHandle>> {
        self.stations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a station's worker. When its pipeline does not start, that is an error for a `needed`
    /// station; the worker of another one tries again and again.
    /// One that fills the past by a queue begins when that is there.
    async fn take_on(&self, factory: PipelineFactory, duty: Duty, needed: bool) -> Result<()> {
        let id = factory.station.id.clone();
        let (renewals, renewed) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let liveness = Arc::new(Liveness::default());
        let mut worker = StationWorker::new(
            duty,
            self.common.clone(),
            factory,
            renewed,
            stop.clone(),
            Arc::clone(&liveness),
        );
        if duty != Duty::Filling {
            match worker.begin().await {
                Err(failure) if needed => return Err(failure),
                Err(failure) => worker.troubled(&failure.to_string()),
                Ok(()) => {}
            }
        }
        // Dropped by a panic too.
        let fall = self.fallen.clone().drop_guard();
        let ended = actix::spawn(async move {
            worker.work().await;
            // It was asked to end.
            fall.disarm();
        });
        self.stations().insert((id, duty), StationHandle { renewals, stop, liveness, ended });
        Ok(())
    }

    /// Exchanges the settings; an error leaves the old ones. No slot is lost: each worker changes
    /// between two slots. One call at a time.
    pub async fn reload(&self, settings: Settings, tell: impl Fn(&Text)) -> Result<()> {
        let changed = self.try_reload(settings, tell).await;
        let why = changed.as_ref().err().map(ToString::to_string);
        self.common.state.set_trouble("settings", why);
        changed
    }

    async fn try_reload(&self, settings: Settings, tell: impl Fn(&Text)) -> Result<()> {
        check(&settings)?;
        let shown = settings.db.display();
        if settings.db != self.db {
            return Err(Failure::usage(say!(
                "the settings name another database, '{shown}'; restart the program to change it",
                "los ajustes nombran otra base de datos, '{shown}'; \
                 reinicie el programa para cambiarla"
            )));
        }
        let factories = PipelineFactories::make(settings, tell).await?;
        if self.common.state.is_stopping() {
            return Err(Failure::environment(say!(
                "the program is about to end",
                "el programa está por terminar"
            )));
        }
        let stations = factories.all.iter().map(|factory| Arc::clone(&factory.station));
        register(&self.common.database, stations.collect()).await?;
        self.go_over(factories).await;
        Ok(())
    }

    /// Hands the factories to the workers; stations without one are removed.
    async fn go_over(&self, factories: PipelineFactories) {
        let state = &self.common.state;
        state.set_models(&factories.model, &factories.engine, factories.shadow);
        state.queue().set_address(factories.all.iter().find_map(PipelineFactory::queue));
        let keys = |factory: &PipelineFactory| -> Vec<WorkerKey> {
            let id = &factory.station.id;
            Duty::of(factory).iter().map(|duty| (id.clone(), *duty)).collect()
        };
        let keep: Vec<WorkerKey> = factories.all.iter().flat_map(keys).collect();
        let gone: Vec<(WorkerKey, StationHandle)> = {
            let mut stations = self.stations();
            stations.extract_if(.., |key, _| !keep.contains(key)).collect()
        };
        for ((id, duty), running) in gone {
            if keep.iter().all(|(kept, _)| *kept != id) {
                // Before its worker ends, so that no job is queued for it any more.
                state.remove_station(&id);
            }
            running.end().await;
            if duty == Duty::Filling {
                state.queue().set_trouble(&id, None);
            }
        }
        for factory in factories.all {
            for duty in Duty::of(&factory) {
                self.hand_over(factory.clone(), *duty).await;
            }
        }
    }

    /// Hands a factory to a worker; takes on one where it is missing.
    async fn hand_over(&self, factory: PipelineFactory, duty: Duty) {
        if self.common.state.is_stopping() {
            return;
        }
        let known = {
            let stations = self.stations();
            let running = stations.get(&(factory.station.id.clone(), duty));
            running.map(|running| running.renewals.clone())
        };
        let Some(renewals) = known else {
            // Not needed, hence never an error.
            let _ = self.take_on(factory, duty, false).await;
            return;
        };
        let bells = self.common.state.add_station(&factory.station);
        // Waits until the worker has taken an earlier one.
        let _ = renewals.send(factory).await;
        bells.ring();
    }

    /// Notes that the new settings could not be read.
    pub fn keep_settings(&self, why: &Failure) {
        self.common.state.set_trouble("settings", Some(why.to_string()));
    }

    /// Waits until a worker ends unasked: an error of the program.
    pub async fn fallen(&self) {
        self.fallen.cancelled().await;
    }

    /// Whether every station's worker lives.
    pub fn is_alive(&self) -> bool {
        let stations = self.stations();
        stations.values().all(|running| running.liveness.is_alive())
    }

    /// Refuses new jobs, drains the workers, and closes their runs.
    pub async fn end(&self) {
        self.common.state.stop();
        let stations = std::mem::take(&mut *self.stations());
        for running in stations.values() {
            running.stop.cancel();
        }
        for running in stations.into_values() {
            running.end().await;
        }
    }

    /// Ends the workers, and closes the record.
    pub async fn stop(self) {
        self.end().await;
        if let Some(mut database) = self.common.database.into_inner()
            && let Err(error) = database.checkpoint()
        {
            tracing::warn!(%error, "the record's log could not be folded into it");
        }
    }
}

impl StationHandle {
    async fn end(self) {
        self.stop.cancel();
        if self.ended.await.is_err() {
            tracing::warn!("a station's worker ended with an error");
        }
    }
}

/// Refuses an address or a layout on the command line for several stations.
fn check(settings: &Settings) -> Result<()> {
    if settings.place_given && settings.stations.len() > 1 {
        return Err(Failure::usage(say!(
            "--url-base and --layout are of one station, and the settings have several; \
             name it with --station",
            "--url-base y --layout son de una estación, y los ajustes tienen varias; \
             indíquela con --station"
        )));
    }
    Ok(())
}

fn open(db: &Path, stations: &[Station], tell: impl Fn(&Text)) -> Result<SharedDatabase> {
    let Some((first, others)) = stations.split_first() else {
        return Err(Failure::usage(say!(
            "the settings name no station",
            "los ajustes no nombran ninguna estación"
        )));
    };
    let mut opened =
        Database::open_telling(db, first, |plan| tell(&notices::takeover(db, plan, true)))?;
    notices::opened(&opened).iter().for_each(tell);
    for station in others {
        opened.database.add_station(station)?;
    }
    Ok(opened.database.into())
}

/// Writes the stations to the record, on a blocking thread: a worker may be writing.
async fn register(database: &SharedDatabase, stations: Vec<Arc<Station>>) -> Result<()> {
    let database = database.clone();
    let written = tokio::task::spawn_blocking(move || {
        for station in stations {
            database.seen_from(&station.id, |database| database.add_station(&station))??;
        }
        Ok::<_, Failure>(())
    });
    written.await.unwrap_or_else(|_| {
        Err(Failure::environment(say!(
            "the stations could not be written to the record after an error of this program; \
             see the log",
            "no se pudieron escribir las estaciones en la base por un error de este programa; \
             vea el log"
        )))
    })
}
