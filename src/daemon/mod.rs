//! The always-on program: watches the cameras of its stations, and fills what is missing.
//!
//! Each station has a [`worker`] with a pipeline of its own; all write through one connection. A
//! worker asks its clockwork ([`pipeline::ticks`](celaje_sky::ticks)) what is due, and has
//! ranges that wait ([`jobs`]) filled in [`parts`] between the slots. The [`board`] is what they and the
//! web share. The [`clock`] is the machine's, or one for trials; [`notify`] speaks to systemd.

pub mod clock;
pub mod factory;
pub mod jobs;
pub mod notify;
pub mod operator;
pub mod parts;
pub mod pulse;
pub mod state;
pub mod watcher;
pub mod worker;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::daemon::clock::Clock;
use crate::daemon::factory::{PipelineFactories, PipelineFactory};
use crate::daemon::pulse::Pulse;
use crate::daemon::state::DaemonState;
use crate::daemon::watcher::RecordWatcher;
use crate::daemon::worker::{Common, Worker};
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
    common: Common,
    stations: Mutex<BTreeMap<String, Running>>,
    db: std::path::PathBuf,
    /// Cancelled when a worker ends by itself.
    fallen: CancellationToken,
}

/// A station's worker, from outside.
struct Running {
    renewals: mpsc::Sender<PipelineFactory>,
    stop: CancellationToken,
    pulse: Arc<Pulse>,
    ended: tokio::task::JoinHandle<()>,
}

impl Daemon {
    /// Opens the models and the record, and starts a worker for each station. To be called inside
    /// an actix system. `tell` is given what is to be known of the models and the record.
    ///
    /// # Errors
    /// When a model does not hold, the record cannot be opened, or actors cannot be started.
    pub async fn start(settings: Settings, clock: Clock, tell: impl Fn(&Text)) -> Result<Self> {
        check(&settings)?;
        let db = settings.db.clone();
        let stations = settings.stations.clone();
        let kits = PipelineFactories::make(settings, &tell).await?;
        let database = open(&db, &stations, &tell)?;
        let flow = Arc::new(Flow::default());
        let board = DaemonState::new(RecordWatcher::start(&db)?, Arc::clone(&flow));
        board.set_models(&kits.model, &kits.engine, kits.shadow);
        let daemon = Self {
            common: Common {
                database,
                flow,
                board,
                clock: clock.begin(),
                turns: Arc::new(Semaphore::new(1)),
            },
            stations: Mutex::default(),
            db,
            fallen: CancellationToken::new(),
        };
        for kit in kits.all {
            daemon.take_on(kit, true).await?;
        }
        Ok(daemon)
    }

    /// What is asked and told.
    pub fn board(&self) -> Arc<DaemonState> {
        Arc::clone(&self.common.board)
    }

    fn stations(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        self.stations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to work for a station. One that cannot be begun with is an error when it is `needed`;
    /// else it is tried again and again.
    async fn take_on(&self, kit: PipelineFactory, needed: bool) -> Result<()> {
        let id = kit.station.id.clone();
        let (renewals, renewed) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let pulse = Arc::new(Pulse::default());
        let mut worker = Worker::new(
            self.common.clone(),
            kit,
            renewed,
            stop.clone(),
            Arc::clone(&pulse),
        );
        match worker.begin().await {
            Err(failure) if needed => return Err(failure),
            Err(failure) => worker.troubled(&failure.to_string()),
            Ok(()) => {}
        }
        // Dropped by a panic too.
        let fall = self.fallen.clone().drop_guard();
        let ended = actix::spawn(async move {
            worker.work().await;
            // It ended because it was told to.
            fall.disarm();
        });
        self.stations().insert(
            id,
            Running {
                renewals,
                stop,
                pulse,
                ended,
            },
        );
        Ok(())
    }

    /// Goes over to other settings; nothing changes when they do not hold. Slots are not lost: each
    /// worker changes between two of them. One at a time.
    ///
    /// # Errors
    /// Why the old settings stay.
    pub async fn reload(&self, settings: Settings, tell: impl Fn(&Text)) -> Result<()> {
        let changed = self.try_reload(settings, tell).await;
        let why = changed.as_ref().err().map(ToString::to_string);
        self.common.board.set_trouble("settings", why);
        changed
    }

    async fn try_reload(&self, settings: Settings, tell: impl Fn(&Text)) -> Result<()> {
        check(&settings)?;
        let shown = settings.db.display();
        if settings.db != self.db {
            return Err(Failure::usage(say!(
                "the settings name another database, '{shown}'; restart the program to change it",
                "los ajustes nombran otra base de datos, '{shown}'; reinicie el programa para cambiarla"
            )));
        }
        let kits = PipelineFactories::make(settings, tell).await?;
        if self.common.board.is_stopping() {
            return Err(Failure::environment(say!(
                "the program is about to end",
                "el programa está por terminar"
            )));
        }
        let stations = kits.all.iter().map(|kit| Arc::clone(&kit.station));
        register(&self.common.database, stations.collect()).await?;
        self.go_over(kits).await;
        Ok(())
    }

    /// Has the stations work with these kits; those that are not among them are left.
    async fn go_over(&self, kits: PipelineFactories) {
        let board = &self.common.board;
        board.set_models(&kits.model, &kits.engine, kits.shadow);
        let keep: Vec<String> = kits.all.iter().map(|kit| kit.station.id.clone()).collect();
        let gone: Vec<(String, Running)> = {
            let mut stations = self.stations();
            stations
                .extract_if(.., |id, _| !keep.contains(id))
                .collect()
        };
        for (id, running) in gone {
            // Before its worker ends: nothing is queued for it any more.
            board.remove_station(&id);
            running.end().await;
        }
        for kit in kits.all {
            if board.is_stopping() {
                return;
            }
            let known = {
                let stations = self.stations();
                let running = stations.get(&kit.station.id);
                running.map(|running| running.renewals.clone())
            };
            let Some(renewals) = known else {
                // It is not needed, and so no error.
                let _ = self.take_on(kit, false).await;
                continue;
            };
            let bell = board.add_station(&kit.station);
            // Waits while an earlier one is not taken up yet.
            let _ = renewals.send(kit).await;
            bell.notify_one();
        }
    }

    /// Tells that the settings could not be read anew.
    pub fn keep_settings(&self, why: &Failure) {
        self.common
            .board
            .set_trouble("settings", Some(why.to_string()));
    }

    /// Waits until a worker ends by itself, which it should not.
    pub async fn fallen(&self) {
        self.fallen.cancelled().await;
    }

    /// Whether every station's worker and scheduler give a sign of life.
    pub async fn is_alive(&self) -> bool {
        let pulses: Vec<_> = {
            let stations = self.stations();
            stations
                .values()
                .map(|running| Arc::clone(&running.pulse))
                .collect()
        };
        let asked = pulses.iter().map(|pulse| pulse.is_there());
        join_all(asked).await.into_iter().all(|there| there)
    }

    /// Takes nothing up any more, finishes what is in flight, and writes how everything ended.
    pub async fn end(&self) {
        self.common.board.stop();
        let stations = std::mem::take(&mut *self.stations());
        for running in stations.values() {
            running.stop.cancel();
        }
        for running in stations.into_values() {
            running.end().await;
        }
    }

    /// Ends what has not ended yet, and closes the record.
    pub async fn stop(self) {
        self.end().await;
        if let Some(mut database) = self.common.database.into_inner()
            && let Err(error) = database.checkpoint()
        {
            tracing::warn!(%error, "the record's log could not be folded into it");
        }
    }
}

impl Running {
    async fn end(self) {
        self.stop.cancel();
        if self.ended.await.is_err() {
            tracing::warn!("a station's worker ended with an error");
        }
    }
}

/// That an address or a layout that was given is of one station.
fn check(settings: &Settings) -> Result<()> {
    if settings.place_given && settings.stations.len() > 1 {
        return Err(Failure::usage(say!(
            "--url-base and --layout are of one station, and the settings have several; name it with --station",
            "--url-base y --layout son de una estación, y los ajustes tienen varias; indíquela con --station"
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
    let mut opened = Database::open(db, first)?;
    notices::opened(&opened).iter().for_each(tell);
    for station in others {
        opened.database.add_station(station)?;
    }
    Ok(opened.database.into())
}

/// Has the record know the stations. On a thread that may wait: somebody may be writing.
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
            "the stations could not be written to the record after an error of this program; see the log",
            "no se pudieron escribir las estaciones en el registro por un error de este programa; vea el registro"
        )))
    })
}
