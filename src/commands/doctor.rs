//! `celaje doctor`: what the program stands on, and what to do where it does not hold.

mod camera;

use std::path::Path;

use clap::Args;
use clap::builder::FalseyValueParser;
use serde::Serialize;

use self::camera::WorkingCamera;
use crate::commands::{output, status};
use crate::service::notices;
use crate::settings::Settings;
use crate::settings::layer::{Flags, SpanishHelp, WorkGroup};
use crate::store::error::StoreError;
use crate::store::reader::Reader;
use crate::store::{Database, FileState};
use crate::version::VERSION;
use celaje_sky::error::Failure;
use celaje_sky::say;
use celaje_sky::text::{Text, count};
use celaje_vision::engine::choose;
use celaje_vision::model::source::Model;

#[derive(Clone, Debug, Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    work: Flags<WorkGroup>,
    /// One JSON object instead of text
    #[arg(long, env = "CELAJE_JSON", value_parser = FalseyValueParser::new())]
    json: bool,
}

pub(super) const SPANISH: SpanishHelp = &[
    ("doctor", "Revisa motor, modelo, base de datos y cámara, y dice qué hacer con cada uno"),
    ("json", "Escribe un objeto JSON en vez de texto"),
];

impl DoctorArgs {
    pub(super) async fn run(self, config: Option<&Path>) -> Result<u8, Failure> {
        run(Settings::read(self.work.0, config)?, self.json).await
    }
}

/// The outcome of one check.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    /// Whether it holds with a warning.
    warning: bool,
    detail: String,
}

impl Check {
    fn new(name: &'static str, result: Result<Text, Text>) -> Self {
        let ok = result.is_ok();
        Self { name, ok, warning: false, detail: result.unwrap_or_else(|e| e).to_string() }
    }

    fn of_camera(result: Result<WorkingCamera, Text>) -> Self {
        let (text, warning) = match result {
            Ok(WorkingCamera { text, warning }) => (Ok(text), warning),
            Err(text) => (Err(text), None),
        };
        let check = Self::new("camera", text);
        match warning {
            Some(warning) => {
                Self { warning: true, detail: format!("{}; {warning}", check.detail), ..check }
            }
            None => check,
        }
    }
}

/// Checks engine, model, database and camera; exit status 0 when all are in order, else 3.
///
/// Changes nothing; requests only the newest picture from the camera.
async fn run(settings: Settings, json: bool) -> Result<u8, Failure> {
    let mut checks = Vec::new();
    match Model::resolve(settings.model.as_deref()) {
        Ok(model) => {
            let (label, hash) = (model.label(), model.sha256.clone());
            checks.push(Check::new(
                "model",
                Ok(say!("{label}, sha256 {hash}", "{label}, sha256 {hash}")),
            ));
            let library = settings.ort_lib.as_deref();
            let chosen = choose::engine(settings.engine, settings.device, library, &model);
            checks.push(Check::new(
                "engine",
                match chosen {
                    Ok((engine, notices)) => {
                        let engine = engine.describe();
                        let notices: Vec<_> = notices.iter().map(Text::to_string).collect();
                        let notices = notices.join(" ");
                        Ok(say!("{engine} {notices}", "{engine} {notices}"))
                    }
                    Err(failure) => Err(failure.text),
                },
            ));
        }
        Err(failure) => checks.push(Check::new("model", Err(failure.text))),
    }
    checks.push(Check::new("database", database(&settings)));
    notices::whose_camera(&settings).iter().for_each(output::note);
    checks.push(Check::of_camera(camera::check(&settings).await));
    let ok = checks.iter().all(|check| check.ok);
    if json {
        let report = serde_json::json!({
            "ok": ok,
            "version": VERSION,
            "station": settings.station.id,
            "checks": checks,
        });
        output::line(report)?;
    } else {
        output::line(format!("celaje {}", VERSION))?;
        for Check { name, ok, warning, detail } in &checks {
            let mark = match (ok, warning) {
                (true, false) => "✔",
                (true, true) => "⚠",
                (false, _) => "✘",
            };
            output::prose(format!("{mark} {}: {}", title(name), detail.trim()))?;
        }
    }
    Ok(if ok { 0 } else { 3 })
}

/// A check's name for people.
fn title(name: &str) -> Text {
    match name {
        "model" => say!("model", "modelo"),
        "engine" => say!("engine", "motor"),
        "database" => say!("database", "base de datos"),
        "camera" => say!("camera", "cámara"),
        _ => say!("{name}", "{name}"),
    }
}

fn database(settings: &Settings) -> Result<Text, Text> {
    let shown = settings.db.display();
    let refused = |error: StoreError| Failure::from(error).text;
    match Database::foresee(&settings.db) {
        Ok(FileState::Replaced(plan)) => {
            return Ok(notices::takeover(&settings.db, &plan, false));
        }
        Ok(FileState::Outdated) => {
            return Ok(say!(
                "'{shown}' has an older schema; the next backfill updates it",
                "'{shown}' tiene un esquema anterior; el próximo backfill la actualiza"
            ));
        }
        Ok(FileState::New) if !settings.db.exists() => {
            return Ok(say!(
                "'{shown}' does not exist yet; the first backfill creates it",
                "'{shown}' todavía no existe; el primer backfill la crea"
            ));
        }
        Ok(FileState::New) => {
            return Ok(say!(
                "'{shown}' is empty; the first backfill fills it",
                "'{shown}' está vacía; el primer backfill la llena"
            ));
        }
        Ok(FileState::Current) => {}
        Err(error) => return Err(refused(error)),
    }
    let describe = || {
        let mut reader = Reader::open(&settings.db)?;
        let faults = reader.quick_check()?;
        // Counting rows of a damaged file may fail; the faults say more.
        if !faults.is_empty() {
            return Ok(Err(faults));
        }
        let stations = reader.stations()?;
        let own = stations.iter().find(|station| station.id == settings.station.id);
        let counts = own.map_or((0, 0), |station| (station.observations, station.misses));
        Ok::<_, StoreError>(Ok((counts, reader.schema_version()?)))
    };
    match describe() {
        Ok(Err(faults)) => {
            let faults = faults.join("; ");
            Err(say!(
                "'{shown}' is damaged: {faults}; restore a copy, or make a new one with `sqlite3 \
                 {shown} .recover`",
                "'{shown}' está dañada: {faults}; restaure una copia, o haga otra con `sqlite3 \
                 {shown} .recover`"
            ))
        }
        Ok(Ok(((rows, misses), schema))) => Ok(say!(
            "'{shown}': sound, {rows}, {misses}, schema {schema}",
            "'{shown}': sana, {rows}, {misses}, esquema {schema}",
            rows = count(rows, ["row", "rows"], ["fila", "filas"]),
            misses = status::misses_of(misses),
        )),
        Err(error) => Err(refused(error)),
    }
}
