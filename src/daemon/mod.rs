//! The always-on program: watches the cameras of its stations, and fills what is missing.
//!
//! Each station has a [`worker`] with a pipeline of its own; all write through one connection. A
//! worker asks its clockwork ([`pipeline::ticks`](crate::pipeline::ticks)) what is due, and has
//! ranges that wait ([`jobs`]) filled in parts between the slots. The [`board`] is what they and the
//! web share. The [`clock`] is the machine's, or one for trials; [`notify`] speaks to systemd.

pub mod board;
pub mod clock;
pub mod jobs;
pub mod kit;
pub mod notify;
pub mod unit;
pub mod worker;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::WeakRecipient;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::actors::scheduler::SignOfLife;
use crate::commands::notices::{adopted_text, cut_off_text};
use crate::commands::status::StatusFile;
use crate::daemon::board::Board;
use crate::daemon::clock::Clock;
use crate::daemon::kit::{Kit, Kits};
use crate::daemon::worker::{Common, Pulse, Worker};
use crate::error::{Failure, Result};
use crate::pipeline::flow::Flow;
use crate::say;
use crate::settings::Settings;
use crate::station::Station;
use crate::store::{Database, SharedDatabase};
use crate::text::Text;
use crate::web::bystander::Bystander;

/// How long an actor may take to give a sign of life.
const PATIENCE: Duration = Duration::from_secs(5);

/// The running stations.
pub struct Daemon {
    common: Common,
    stations: BTreeMap<String, Running>,
    db: std::path::PathBuf,
    /// Cancelled when a worker ends by itself.
    fallen: CancellationToken,
}

/// A station's worker, from outside.
struct Running {
    renewals: mpsc::Sender<Kit>,
    stop: CancellationToken,
    pulse: Pulse,
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
        let kits = Kits::make(settings, &tell).await?;
        let database = open(&db, &stations, &tell)?;
        let flow = Arc::new(Flow::default());
        let board = Board::new(Bystander::start(&db)?, Arc::clone(&flow));
        board.set_models(&kits.model, &kits.engine, kits.shadow);
        let mut daemon = Self {
            common: Common {
                database,
                flow,
                board,
                clock: clock.begin(),
                status_file: Some(StatusFile::beside(&db)),
                turns: Arc::new(Semaphore::new(1)),
            },
            stations: BTreeMap::new(),
            db,
            fallen: CancellationToken::new(),
        };
        for kit in kits.all {
            daemon.take_on(kit).await?;
        }
        Ok(daemon)
    }

    /// What is asked and told.
    pub fn board(&self) -> Arc<Board> {
        Arc::clone(&self.common.board)
    }

    async fn take_on(&mut self, kit: Kit) -> Result<()> {
        let id = kit.station.id.clone();
        let (renewals, renewed) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let pulse: Pulse = Arc::new(Mutex::new(None));
        let mut worker = Worker::new(
            self.common.clone(),
            kit,
            renewed,
            stop.clone(),
            Arc::clone(&pulse),
        );
        worker.begin().await?;
        // Dropped by a panic too.
        let fall = self.fallen.clone().drop_guard();
        let ended = actix::spawn(async move {
            worker.work().await;
            // It ended because it was told to.
            fall.disarm();
        });
        self.stations.insert(
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
    /// worker changes between two of them.
    ///
    /// # Errors
    /// Why the old settings stay.
    pub async fn reload(&mut self, settings: Settings, tell: impl Fn(&Text)) -> Result<()> {
        let changed = self.try_reload(settings, tell).await;
        let why = changed.as_ref().err().map(ToString::to_string);
        self.common.board.set_trouble("settings", why);
        changed
    }

    async fn try_reload(&mut self, settings: Settings, tell: impl Fn(&Text)) -> Result<()> {
        check(&settings)?;
        let shown = settings.db.display();
        if settings.db != self.db {
            return Err(Failure::usage(say!(
                "the settings name another database, '{shown}'; restart the program to change it",
                "los ajustes nombran otra base de datos, '{shown}'; reinicie el programa para cambiarla"
            )));
        }
        let kits = Kits::make(settings, tell).await?;
        for kit in &kits.all {
            register(&self.common.database, &kit.station)?;
        }
        self.common
            .board
            .set_models(&kits.model, &kits.engine, kits.shadow);
        let keep: Vec<String> = kits.all.iter().map(|kit| kit.station.id.clone()).collect();
        for kit in kits.all {
            let id = kit.station.id.clone();
            match self.stations.get(&id) {
                Some(running) => {
                    let bell = self.common.board.add_station(&kit.station);
                    // Waits while an earlier one is not taken up yet.
                    let _ = running.renewals.send(kit).await;
                    bell.notify_one();
                }
                None => self.take_on(kit).await?,
            }
        }
        let gone: Vec<String> = self
            .stations
            .keys()
            .filter(|id| !keep.contains(id))
            .cloned()
            .collect();
        for id in gone {
            if let Some(running) = self.stations.remove(&id) {
                running.end().await;
            }
            self.common.board.remove_station(&id);
        }
        Ok(())
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

    /// Whether every station's scheduler answers.
    pub async fn is_alive(&self) -> bool {
        for running in self.stations.values() {
            let pulse = running.pulse();
            // One that is being mended or exchanged has none: it looks after itself.
            let Some(scheduler) = pulse.and_then(|pulse| pulse.upgrade()) else {
                continue;
            };
            let asked = tokio::time::timeout(PATIENCE, scheduler.send(SignOfLife));
            if !matches!(asked.await, Ok(Ok(()))) {
                return false;
            }
        }
        true
    }

    /// Finishes what is in flight, writes how everything ended, and closes the record.
    pub async fn stop(self) {
        self.common.board.stop();
        for running in self.stations.values() {
            running.stop.cancel();
        }
        for (_, running) in self.stations {
            running.end().await;
        }
        if let Some(mut database) = self.common.database.into_inner()
            && let Err(error) = database.checkpoint()
        {
            tracing::warn!(%error, "the record's log could not be folded into it");
        }
    }
}

impl Running {
    fn pulse(&self) -> Option<WeakRecipient<SignOfLife>> {
        let pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        pulse.clone()
    }

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
    if let Some(taken) = &opened.adopted {
        tell(&adopted_text(taken));
    }
    for cut_off in &opened.cut_off {
        tell(&cut_off_text(cut_off));
    }
    for station in others {
        opened.database.add_station(station)?;
    }
    Ok(opened.database.into())
}

fn register(database: &SharedDatabase, station: &Station) -> Result<()> {
    database.seen_from(&station.id, |database| database.add_station(station))??;
    Ok(())
}
