//! `celaje status`: what the record holds, who writes it, and how its last runs went.

use std::path::Path;

use clap::Args;
use clap::builder::FalseyValueParser;
use serde::Serialize;
use serde_json::json;

use crate::commands::{output, readable};
use crate::settings::Settings;
use crate::settings::layer::{DatabaseGroup, Flags, SpanishHelp};
use crate::store::error::Fault;
use crate::store::reader::{MissedSlot, Reader, RunItem, StationItem};
use crate::store::{Database, DatabaseWriter, WriterProcess};
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;
use celaje_sky::text::{Text, count};

#[derive(Clone, Debug, Args)]
pub(super) struct StatusArgs {
    /// Station of the record, by its id [default: all of them]
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
        "Muestra qué tiene el registro, qué proceso lo escribe y cómo fue la última corrida",
    ),
    ("station", "Estación del registro, por su id [por omisión: todas]"),
    ("json", "Escribe un objeto JSON en vez de texto"),
];

impl StatusArgs {
    pub(super) fn run(self, config: Option<&Path>) -> Result<u8> {
        let settings = Settings::read(self.db.0, config)?;
        show(&settings, self.station.as_deref(), self.json)
    }
}

/// Runs that are looked through for open ones.
const RUNS: usize = 100;

/// Whether a program is at work on the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Life {
    /// A process holds the writer's lock.
    Running,
    /// Nobody holds the lock, and every run is closed.
    Ended,
    /// Nobody holds the lock, but a run is open: its process died.
    Died,
}

/// Gives the exit status: 0, or 3 where the last writer died.
fn show(settings: &Settings, station: Option<&str>, as_json: bool) -> Result<u8> {
    let shown = settings.db.display();
    // The lock before the runs: a writer that ends in between has closed its own.
    let writer = Database::writer(&settings.db);
    let record = match readable(settings) {
        Ok(record) => record,
        Err(error) if matches!(error.fault, Fault::Missing) => {
            match as_json {
                true => output::line(json!({"life": null}))?,
                false => output::prose(say!(
                    "there is no record '{shown}' yet",
                    "todavía no hay un registro '{shown}'"
                ))?,
            }
            return Ok(0);
        }
        Err(error) => return Err(error.into()),
    };
    let mut reader = Reader::open(record.path())?;
    let stations = stations(&mut reader, station)?;
    let (runs, is_open) = runs(&mut reader, station)?;
    let life = match &writer {
        Some(_) => Life::Running,
        None if is_open => Life::Died,
        None => Life::Ended,
    };
    let process = writer.and_then(DatabaseWriter::process);
    if as_json {
        output::line(json!({
            "life": life,
            "pid": process.as_ref().map(|process| process.pid),
            "host": process.as_ref().map(|process| &process.host),
            "command": process.as_ref().map(|process| &process.command),
            "observations": stations.iter().map(|station| station.observations).sum::<i64>(),
            "misses": stations.iter().map(|station| station.misses).sum::<i64>(),
            "last": stations.iter().filter_map(|station| station.last.as_ref()).max(),
            "stations": stations,
            "runs": runs,
        }))?;
    } else {
        output::prose(say!("record '{shown}'", "registro '{shown}'"))?;
        for station in &stations {
            output::prose(station_text(station))?;
            let miss = reader.newest_miss(&station.id)?;
            if let Some(text) = miss.and_then(|miss| camera_text(station, &miss)) {
                output::prose(text)?;
            }
        }
        output::prose(life_text(life, process.as_ref()))?;
        for run in &runs {
            output::prose(run_text(run, life))?;
        }
    }
    Ok(if life == Life::Died { 3 } else { 0 })
}

/// The stations of the record, or the one that was asked for.
fn stations(reader: &mut Reader, wanted: Option<&str>) -> Result<Vec<StationItem>> {
    let mut stations = reader.stations()?;
    let Some(id) = wanted else {
        return Ok(stations);
    };
    let known: Vec<String> = stations.iter().map(|station| station.id.clone()).collect();
    stations.retain(|station| station.id == id);
    if stations.is_empty() {
        let (db, known) = (reader.path().display(), known.join(", "));
        return Err(Failure::usage(say!(
            "the record '{db}' has no station '{id}'; it has: {known}",
            "el registro '{db}' no tiene la estación '{id}'; tiene: {known}"
        )));
    }
    Ok(stations)
}

/// The open runs, or else the last one; and whether any is open.
fn runs(reader: &mut Reader, station: Option<&str>) -> Result<(Vec<RunItem>, bool)> {
    let mut runs = reader.runs(station, None, RUNS)?;
    let is_open = runs.iter().any(is_running);
    match is_open {
        true => runs.retain(is_running),
        false => runs.truncate(1),
    }
    Ok((runs, is_open))
}

fn is_running(run: &RunItem) -> bool {
    run.status == "running"
}

/// So many observations.
pub(super) fn observations_of(n: i64) -> Text {
    count(n, ["observation", "observations"], ["observación", "observaciones"])
}

/// So many misses.
pub(super) fn misses_of(n: i64) -> Text {
    count(n, ["miss", "misses"], ["fallido", "fallidos"])
}

fn station_text(station: &StationItem) -> Text {
    let StationItem { id, observations, misses, .. } = station;
    let last = station.last.as_deref().unwrap_or("–");
    say!(
        "  station '{id}': {observations}, {misses}, the last of {last}",
        "  estación '{id}': {observations}, {misses}, la última de {last}",
        observations = observations_of(*observations),
        misses = misses_of(*misses),
    )
}

/// That the camera gives no pictures: its newest slot has a miss.
fn camera_text(station: &StationItem, miss: &MissedSlot) -> Option<Text> {
    let last = station.last.as_deref().unwrap_or("–");
    if station.last.as_deref().is_some_and(|last| last >= miss.slot_local.as_str()) {
        return None;
    }
    let MissedSlot { slot_local: slot, reason, last_tried, source, .. } = miss;
    Some(say!(
        "    its camera {source} gives no picture since {last}: {reason} for {slot}, last asked \
         {last_tried} UTC",
        "    su cámara {source} no da imágenes desde {last}: {reason} para {slot}, pedida por \
         última vez {last_tried} UTC"
    ))
}

fn life_text(life: Life, process: Option<&WriterProcess>) -> Text {
    match (life, process) {
        (Life::Running, Some(process)) => {
            let Text { en, es } = process.text();
            say!("{en}, is writing it", "{es}, lo está escribiendo")
        }
        (Life::Running, None) => {
            say!("another process is writing it", "otro proceso lo está escribiendo")
        }
        (Life::Ended | Life::Died, _) => {
            say!("no program is writing it", "ningún programa lo está escribiendo")
        }
    }
}

fn run_text(run: &RunItem, life: Life) -> Text {
    let RunItem {
        id,
        station,
        range_from: from,
        range_to: to,
        total,
        new,
        duplicates,
        missed,
        started_at,
        model,
        engine,
        kind,
        ..
    } = run;
    let how = match (run.status.as_str(), life) {
        ("running", Life::Died) => say!(
            "its process died; run the same command again",
            "su proceso murió; repita la orden"
        ),
        ("running", _) => say!("running", "en curso"),
        ("finished", _) => say!("finished", "terminada"),
        ("interrupted", _) => say!("interrupted", "interrumpida"),
        (status, _) => say!("{status}", "fallida"),
    };
    say!(
        "run {id} ({kind}) of station '{station}' from {from} to {to}, started {started_at} UTC: \
         {total}, {new}, {duplicates}, {missed}; {how}\n  \
         model {model} on {engine}",
        "corrida {id} ({kind}) de la estación '{station}' de {from} a {to}, \
         iniciada {started_at} UTC: {total}, {new}, {duplicates}, {missed}; {how}\n  \
         modelo {model} en {engine}",
        total = count(*total, ["slot", "slots"], ["turno", "turnos"]),
        new = count(*new, ["new", "new"], ["nuevo", "nuevos"]),
        duplicates = count(*duplicates, ["duplicate", "duplicates"], ["duplicado", "duplicados"]),
        missed = count(*missed, ["missed", "missed"], ["fallido", "fallidos"]),
        how = how,
    )
}
