//! `celaje status`: what the program that writes a record is doing, and how its actors are.
//!
//! Whoever writes keeps a small file beside its database, anew every two seconds; this reads it. It
//! is no part of the record: without it nothing is lost.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use clap::Args;
use clap::builder::FalseyValueParser;
use serde::{Deserialize, Serialize};
use tokio::sync::{oneshot, watch};

use crate::actors::vitals::{ActorReport, Vitals};
use crate::commands::output;
use crate::settings::layer::{DatabaseGroup, Flags, SpanishHelp};
use crate::settings::{Layer, Settings};
use crate::store::Database;
use crate::store::error::Fault;
use celaje_sky::error::{Failure, Result};
use celaje_sky::run::Progress;
use celaje_sky::say;
use celaje_sky::slot::SlotRange;

#[derive(Clone, Debug, Args)]
pub(super) struct StatusArgs {
    /// Station to look at, by its id in celaje.toml [default: the first one there, else rio-grande]
    #[arg(long, value_name = "ID", env = "CELAJE_STATION")]
    station: Option<String>,
    #[command(flatten)]
    db: Flags<DatabaseGroup>,
    /// One JSON object instead of text
    #[arg(long, env = "CELAJE_JSON", value_parser = FalseyValueParser::new())]
    json: bool,
}

pub(super) const SPANISH: SpanishHelp = &[
    (
        "status",
        "Muestra qué está haciendo el programa: su corrida, sus actores, reinicios y últimos \
         errores",
    ),
    ("json", "Escribe un objeto JSON en vez de texto"),
];

impl StatusArgs {
    pub(super) fn run(self, config: Option<&Path>) -> Result<u8> {
        let flags = Layer {
            station: self.station,
            ..self.db.0
        };
        run(&Settings::read(flags, config)?, self.json)
    }
}

/// How often the file is written.
const EVERY: Duration = Duration::from_secs(2);
/// A program that has not written it for so long is gone, or cannot go on.
const SILENT_AFTER: TimeDelta = TimeDelta::seconds(15);

/// What a program says of a station when it begins to work for it.
#[derive(Clone, Debug)]
pub struct About {
    /// Whose record it writes.
    pub station: String,
    /// Inference engine, its version and device.
    pub engine: String,
    /// Name and version of the model.
    pub model: String,
    /// What it was asked to fill; none for a daemon.
    pub range: Option<SlotRange>,
}

/// The file's content.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// Of the process.
    pub pid: u32,
    /// Of the program.
    pub version: String,
    /// Whether it goes on, or has ended as it should.
    pub running: bool,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When this was written.
    pub updated_at: DateTime<Utc>,
    /// Those that it works for, by their ids.
    pub stations: Vec<StationStatus>,
}

/// How the work for one station goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StationStatus {
    /// Whose record it writes.
    pub station: String,
    /// Inference engine, its version and device.
    pub engine: String,
    /// Name and version of the model.
    pub model: String,
    /// First and last minute of what it was asked to fill, station local time.
    pub range: Option<(String, String)>,
    /// Where its run stands.
    pub run: RunStatus,
    /// How its actors are.
    pub actors: Vec<ActorReport>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStatus {
    /// Slots of the range.
    pub planned: u64,
    /// Observations written.
    pub new: u64,
    /// Slots that were stored already.
    pub duplicates: u64,
    /// Slots without an observation.
    pub missed: u64,
    /// Slots in flight.
    pub in_flight: usize,
}

impl From<&Progress> for RunStatus {
    fn from(progress: &Progress) -> Self {
        let ledger = &progress.ledger;
        Self {
            planned: progress.planned,
            new: ledger.new_rows(),
            duplicates: ledger.duplicates(),
            missed: ledger.missed(),
            in_flight: progress.in_flight,
        }
    }
}

/// The stations that a program works for now: whoever works for one says so here.
#[derive(Clone, Default)]
pub struct Stations(Arc<Mutex<BTreeMap<String, AtWork>>>);

struct AtWork {
    about: About,
    vitals: Arc<Vitals>,
    progress: watch::Receiver<Progress>,
}

impl Stations {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, AtWork>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The work for a station begins, or goes on with other actors.
    pub fn put(&self, about: About, vitals: Arc<Vitals>, progress: watch::Receiver<Progress>) {
        let station = about.station.clone();
        let work = AtWork {
            about,
            vitals,
            progress,
        };
        self.all().insert(station, work);
    }

    /// It is no station of this program any more.
    pub fn remove(&self, station: &str) {
        self.all().remove(station);
    }

    /// How all of them are.
    fn report(&self) -> Vec<StationStatus> {
        let of = |work: &AtWork| StationStatus {
            station: work.about.station.clone(),
            engine: work.about.engine.clone(),
            model: work.about.model.clone(),
            range: work
                .about
                .range
                .map(|range| (minute(range.from()), minute(range.to()))),
            run: RunStatus::from(&*work.progress.borrow()),
            actors: work.vitals.report(),
        };
        self.all().values().map(of).collect()
    }
}

/// The file beside a database.
#[derive(Clone, Debug)]
pub struct StatusFile(PathBuf);

/// Keeps the file up to date until it is told that the program has ended.
pub struct Kept {
    end: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Kept {
    /// Writes that the program has ended.
    pub async fn end(self) {
        let _ = self.end.send(());
        let _ = self.task.await;
    }
}

impl StatusFile {
    /// That of the database at `db`.
    pub fn beside(db: &Path) -> Self {
        let mut name = db.as_os_str().to_owned();
        name.push(".status.json");
        Self(PathBuf::from(name))
    }

    /// Writes it now and then, from now on. To be called inside an actix system.
    pub fn keep(self, stations: Stations) -> Kept {
        let (end, mut ended) = oneshot::channel();
        let started_at = Utc::now().trunc_subsecs(0);
        let task = actix::spawn(async move {
            let mut running = true;
            loop {
                let status = Status {
                    pid: std::process::id(),
                    version: crate::version::VERSION.to_owned(),
                    running,
                    started_at,
                    updated_at: Utc::now().trunc_subsecs(0),
                    stations: stations.report(),
                };
                let file = self.0.clone();
                let written = tokio::task::spawn_blocking(move || {
                    let text = serde_json::to_string_pretty(&status)?;
                    output::replace_file(&file, text.as_bytes())
                });
                if let Ok(Err(error)) = written.await {
                    tracing::debug!(%error, "the status file could not be written");
                }
                if !running {
                    return;
                }
                tokio::select! {
                    _ = &mut ended => running = false,
                    () = tokio::time::sleep(EVERY) => {}
                }
            }
        });
        Kept { end, task }
    }

    /// What was written last; none when no program has written beside this database.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn read(&self) -> Result<Option<Status>> {
        let shown = self.0.display();
        let unreadable = |why: String| {
            Failure::environment(say!(
                "'{shown}' cannot be read: {why}; it may be removed, the next run writes it anew",
                "no se puede leer '{shown}': {why}; puede borrarse, la próxima corrida lo escribe de nuevo"
            ))
        };
        match std::fs::read(&self.0) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| unreadable(error.to_string())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(error.to_string())),
        }
    }
}

fn minute(time: chrono::NaiveDateTime) -> String {
    time.format("%Y-%m-%dT%H:%M").to_string()
}

/// What is known of a program's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Life {
    /// It is at work.
    Running,
    /// It ended as it should.
    Ended,
    /// It has not been heard of since, and did not say that it ended: killed, or hanging.
    Silent,
}

impl Life {
    fn of(status: &Status, now: DateTime<Utc>) -> Self {
        if !status.running {
            Self::Ended
        } else if now - status.updated_at > SILENT_AFTER {
            Self::Silent
        } else {
            Self::Running
        }
    }
}

/// Runs the command; gives its exit status: 0, or 3 where the last program fell silent.
///
/// # Errors
/// When the record or the file beside it cannot be read.
pub fn run(settings: &Settings, json: bool) -> Result<u8> {
    let status = StatusFile::beside(&settings.db).read()?;
    let summary = match Database::open_read_only(&settings.db, &settings.station) {
        Ok(mut database) => Some(database.summary()?),
        Err(error) if matches!(error.fault, Fault::Missing) => None,
        Err(error) => return Err(error.into()),
    };
    let life = status.as_ref().map(|status| Life::of(status, Utc::now()));
    if json {
        output::line(serde_json::json!({
            "life": life,
            "status": status,
            "observations": summary.as_ref().map(|s| s.observations),
            "misses": summary.as_ref().map(|s| s.misses),
            "last": summary.as_ref().and_then(|s| s.last).map(minute),
        }))?;
    } else {
        let shown = settings.db.display();
        match &summary {
            None => output::line(say!(
                "there is no record '{shown}' yet",
                "todavía no hay un registro '{shown}'"
            ))?,
            Some(summary) => {
                let (rows, misses) = (summary.observations, summary.misses);
                let last = summary.last.map(minute);
                let last = last.unwrap_or_else(|| "–".to_owned());
                output::line(say!(
                    "record '{shown}': {rows} observations, the last of {last}; {misses} misses",
                    "registro '{shown}': {rows} observaciones, la última de {last}; {misses} faltas"
                ))?;
            }
        }
        match (&status, life) {
            (Some(status), Some(life)) => tell(status, life)?,
            _ => output::line(say!(
                "no program has been writing it",
                "ningún programa lo ha estado escribiendo"
            ))?,
        }
    }
    Ok(if life == Some(Life::Silent) { 3 } else { 0 })
}

fn tell(status: &Status, life: Life) -> Result<()> {
    let Status {
        pid,
        version,
        updated_at,
        started_at,
        stations,
        ..
    } = status;
    output::line(match life {
        Life::Running => say!(
            "celaje {version} (process {pid}) runs since {started_at}",
            "celaje {version} (proceso {pid}) corre desde {started_at}"
        ),
        Life::Ended => say!(
            "celaje {version} ended at {updated_at}",
            "celaje {version} terminó a las {updated_at}"
        ),
        Life::Silent => say!(
            "celaje {version} (process {pid}) has not been heard of since {updated_at}: it was killed or hangs; run the same command again",
            "celaje {version} (proceso {pid}) no da señales desde {updated_at}: lo mataron o está colgado; repita la orden"
        ),
    })?;
    stations.iter().try_for_each(tell_station)
}

fn tell_station(status: &StationStatus) -> Result<()> {
    let StationStatus {
        station,
        engine,
        model,
        ..
    } = status;
    output::line(say!(
        "station '{station}', model {model} on {engine}",
        "estación '{station}', modelo {model} en {engine}"
    ))?;
    let RunStatus {
        planned,
        new,
        duplicates,
        missed,
        in_flight,
    } = status.run;
    if let Some((from, to)) = &status.range {
        output::line(say!(
            "run from {from} to {to}: {planned} slots, {new} new, {duplicates} duplicates, {missed} missed, {in_flight} in flight",
            "corrida de {from} a {to}: {planned} turnos, {new} nuevos, {duplicates} duplicados, {missed} fallidos, {in_flight} en curso"
        ))?;
    }
    for actor in &status.actors {
        let ActorReport {
            restarts,
            hangs,
            working,
            last_error,
            last_error_at,
            ..
        } = actor;
        let name = actor.actor.name();
        let (part, parte) = (name.en, name.es);
        let (en, es) = match (last_error, last_error_at) {
            (Some(what), Some(at)) => (
                format!("; last error at {at}: {what}"),
                format!("; último error a las {at}: {what}"),
            ),
            _ => (String::new(), String::new()),
        };
        output::line(say!(
            "  {part}: {restarts} restarts, {hangs} hangs, {working} messages at work{en}",
            "  {parte}: {restarts} reinicios, {hangs} cuelgues, {working} mensajes en trabajo{es}"
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::vitals::Part;

    #[actix::test]
    async fn the_file_tells_of_restarts_and_of_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = StatusFile::beside(&folder.path().join("a.db"));
        assert!(file.read().unwrap().is_none());
        let vitals = Arc::new(Vitals::default());
        vitals.failed(Part::Session, "out of luck");
        let (sender, progress) = watch::channel(Progress::default());
        sender.send_modify(|progress| progress.planned = 144);
        let about = About {
            station: "hill".to_owned(),
            engine: "none".to_owned(),
            model: "none".to_owned(),
            range: None,
        };
        let stations = Stations::default();
        let hill = About {
            station: "a hill".to_owned(),
            ..about.clone()
        };
        stations.put(hill, Arc::default(), progress.clone());
        stations.put(about.clone(), Arc::default(), progress.clone());
        // It goes on with other actors, and the other one is let go.
        stations.put(about, vitals, progress);
        stations.remove("a hill");
        let kept = file.clone().keep(stations);
        let mut seen = None;
        while seen.is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
            seen = file.read().unwrap();
        }
        let status = seen.unwrap();
        assert_eq!(Life::of(&status, Utc::now()), Life::Running);
        let later = Utc::now() + TimeDelta::minutes(1);
        assert_eq!(Life::of(&status, later), Life::Silent);
        let [of_hill] = &status.stations[..] else {
            panic!("{status:?}");
        };
        assert_eq!(
            (of_hill.station.as_str(), of_hill.run.planned),
            ("hill", 144)
        );
        let mut actors = of_hill.actors.iter();
        let session = actors.find(|one| one.actor == Part::Session);
        let session = session.unwrap();
        assert_eq!(session.restarts, 1);
        assert_eq!(session.last_error.as_deref(), Some("out of luck"));
        kept.end().await;
        let status = file.read().unwrap().unwrap();
        assert_eq!(Life::of(&status, later), Life::Ended);
    }
}
