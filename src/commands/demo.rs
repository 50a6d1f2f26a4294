//! `celaje demo`: a simulated camera, a backfill of its last days, a plot, the dashboard.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{Days, NaiveDate, NaiveDateTime, TimeDelta};
use clap::Args;
use clap::builder::FalseyValueParser;

use crate::clock::Clock;
use crate::commands::backfill::{BackfillOptions, record};
use crate::commands::output;
use crate::commands::replacement::replace_file;
use crate::daemon::watcher::RecordWatcher;
use crate::service::RunPolicy;
use crate::service::notices;
use crate::settings::Settings;
use crate::settings::layer::{Flags, InferenceGroup, SpanishHelp};
use crate::settings::tuning::Tuning;
use crate::settings::values::whole;
use crate::store::Database;
use crate::store::error::Fault;
use crate::store::reader::{ObservationItem, Reader, ReadingFilter};
use crate::web::{self, Running, WebOptions};
use celaje_chart::look::Look;
use celaje_chart::timeline::{Reading, Timeline};
use celaje_chart::{png, spark, sun};
use celaje_simulate::options::SimulateOptions;
use celaje_simulate::server::start;
use celaje_simulate::{Scene, Studio};
use celaje_sky::cover::Cover;
use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::okta::Okta;
use celaje_sky::say;
use celaje_sky::slot::{Slot, SlotRange};
use celaje_sky::station::Station;
use celaje_sky::sun::DayPhase;
use celaje_sky::text::Lang;
use celaje_vision::engine::choose::EngineChoice;
use celaje_vision::engine::install::{VERSION, install};
use celaje_vision::engine::library;
use celaje_vision::engine::search::Search;

/// Time limit of a request: drawing a picture is slow on a busy machine.
const SLOW_DRAWING: Duration = Duration::from_secs(120);

#[derive(Clone, Debug, Args)]
pub(super) struct DemoArgs {
    /// End after the summary instead of showing the dashboard of what was recorded
    #[arg(long, env = "CELAJE_ONCE", value_parser = FalseyValueParser::new())]
    once: bool,
    /// Days to record; the last one is 2024-01-15
    #[arg(
        long,
        value_name = "N",
        env = "CELAJE_DAYS",
        default_value_t = 1,
        value_parser = whole(1..=31_u32)
    )]
    days: u32,
    /// Folder for the demo's database and plot
    #[arg(long, value_name = "DIR", env = "CELAJE_OUT", default_value = "celaje-demo")]
    out: PathBuf,
    /// What the simulated camera looks at
    #[arg(long, value_name = "SCENE", env = "CELAJE_SCENE", default_value = "landscape")]
    scene: Scene,
    #[command(flatten)]
    inference: Flags<InferenceGroup>,
}

pub(super) const SPANISH: SpanishHelp = &[
    ("demo", "Muestra el programa entero en acción con imágenes dibujadas"),
    ("once", "Termina después del resumen en vez de mostrar el tablero de lo registrado"),
    ("days", "Días que registra; el último es el 2024-01-15"),
    ("out", "Carpeta para la base y el gráfico de la demostración"),
    (
        "scene",
        "Qué mira la cámara simulada: landscape es una lente común hacia el ecuador, con el \
         horizonte abajo; fisheye, un ojo de pez hacia el cenit",
    ),
];

impl DemoArgs {
    pub(super) async fn run(self, config: Option<&Path>) -> Result<u8> {
        let Self { once, days, out, scene, inference } = self;
        let settings = Settings::read(inference.0, config)?;
        run(settings, days, &out, scene, once).await
    }
}

async fn run(
    mut settings: Settings,
    days: u32,
    out: &Path,
    scene: Scene,
    once: bool,
) -> Result<u8> {
    provide_engine(&settings).await;
    let db = fresh_database(out)?;
    let station = settings.station.clone();
    let range = last_days(days)?;
    let simulate = SimulateOptions {
        port: 0,
        range: Some(range),
        scene,
        ..SimulateOptions::for_station(&station)
    };
    let studio = Studio::new(simulate.spec());
    let camera = start(simulate)?;
    let (from, to, url) = (range.from(), range.to(), camera.base_url.clone());
    output::note(say!(
        "A simulated camera answers at {url}; recording {from} to {to}.",
        "Una cámara simulada responde en {url}; se registra de {from} a {to}."
    ));
    settings.station.url_base.clone_from(&camera.base_url);
    settings.is_nobodys = false;
    settings.db.clone_from(&db);
    be_patient(&mut settings.tuning);
    if scene == Scene::Fisheye {
        settings.station.region = celaje_sky::station::region::Region::whole();
    }
    settings.stations = vec![settings.station.clone()];
    let shown = settings.clone();
    let mut recorded = record(BackfillOptions {
        settings,
        range,
        folder: None,
        policy: RunPolicy::default(),
        stats: false,
        json: false,
        quiet: false,
    })
    .await?;
    if let Some(failure) = recorded.report.end.failure {
        return Err(failure);
    }
    notices::misses(&recorded.report).iter().for_each(output::note);
    if let Some(signal) = recorded.signal {
        output::line(recorded.report.end.ledger)?;
        return Ok(signal.exit_status());
    }
    // Kept open, and so locked, until the end: a second demo cannot remove the files.
    let database = match recorded.database.take() {
        Some(database) => database,
        None => Database::open(&db, &station)?.database,
    };
    let drawing = Drawing {
        readings: stored_readings(&db, &station, range)?,
        station,
        range,
        studio,
        plot: out.join("demo.png"),
    };
    let plot = drawing.plot.display().to_string();
    let given_up = Arc::new(AtomicBool::new(false));
    let drawn = {
        let given_up = Arc::clone(&given_up);
        tokio::task::spawn_blocking(move || drawing.draw(&given_up))
    };
    let lines = tokio::select! {
        drawn = drawn => drawn.map_err(|e| Failure::environment(say!(
            "the plot cannot be drawn: {e}; please report this",
            "no se puede dibujar el gráfico: {e}; por favor repórtelo"
        )))??,
        signal = recorded.signals.next() => {
            given_up.store(true, Ordering::Relaxed);
            output::line(recorded.report.end.ledger)?;
            return Ok(signal.exit_status());
        }
    };
    output::prose(lines)?;
    let db = db.display();
    let (model, engine) = (&recorded.model, &recorded.engine);
    output::prose(say!(
        "Record: {db} · plot: {plot} · model {model} on {engine}",
        "Registro: {db} · gráfico: {plot} · modelo {model} en {engine}"
    ))?;
    output::line(recorded.report.end.ledger)?;
    if !once {
        output::note(say!(
            "The simulated camera goes on at {url}.",
            "La cámara simulada sigue en {url}."
        ));
        let running = show(&shown)?;
        let addr = running.addr;
        output::line(say!(
            "Dashboard and API: http://{addr}/ (Ctrl-C ends it)",
            "Tablero y API: http://{addr}/ (se termina con Ctrl-C)"
        ))?;
        recorded.signals.next().await;
        running.stop().await;
    }
    camera.stop().await;
    drop(database);
    Ok(0)
}

/// Address of the dashboard; a free port when this one is taken.
const DASHBOARD: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Serves the recorded days, as `celaje serve --read-only` does.
fn show(settings: &Settings) -> Result<Running> {
    let operator = Arc::new(RecordWatcher::start(&settings.db, Clock::SYSTEM)?);
    let any = SocketAddr::new(DASHBOARD.ip(), 0);
    let shown = web::start(WebOptions::new(DASHBOARD, settings), Arc::clone(&operator) as _);
    shown.or_else(|_| web::start(WebOptions::new(any, settings), operator))
}

/// The simulated camera shares the cores with inference: fewer requests at a time, and longer time
/// limits.
fn be_patient(tuning: &mut Tuning) {
    tuning.concurrency = tuning.concurrency.min(tuning.threads + 2);
    tuning.http.read_timeout = tuning.http.read_timeout.max(SLOW_DRAWING);
    tuning.http.total_timeout = tuning.http.total_timeout.max(SLOW_DRAWING);
}

/// Installs ONNX Runtime when there is none and the engine is not fixed to the other one.
async fn provide_engine(settings: &Settings) {
    if settings.engine == EngineChoice::Rten || settings.ort_lib.is_some() {
        return;
    }
    if !matches!(library::load(&Search::from_environment(None)), Ok(None)) {
        return;
    }
    output::note(say!(
        "Fetching ONNX Runtime {VERSION} (once, into your cache folder)…",
        "Descargando ONNX Runtime {VERSION} (una vez, a su carpeta de caché)…"
    ));
    let installed = tokio::task::spawn_blocking(|| install(None, false));
    if let Ok(Err(failure)) = installed.await {
        output::note(failure);
    }
}

/// Removes the database of an earlier demo in `out`, unless that demo still runs; returns the path
/// of the new one.
fn fresh_database(out: &Path) -> Result<PathBuf> {
    let shown = out.display();
    let cannot = |e: &dyn std::fmt::Display| {
        Failure::environment(say!(
            "the folder '{shown}' cannot be written: {e}; name another one with --out",
            "no se puede escribir en la carpeta '{shown}': {e}; indique otra con --out"
        ))
    };
    std::fs::create_dir_all(out).map_err(|e| cannot(&io_text(&e)))?;
    let db = out.join("demo.db");
    Database::remove(&db).map_err(|error| match error.fault {
        Fault::SecondWriter(_) => Failure::environment(say!(
            "another demo is at work in the folder '{shown}'; wait for it or name another one \
             with --out",
            "otra demostración trabaja en la carpeta '{shown}'; espérela o indique otra con --out"
        )),
        fault => cannot(&fault),
    })?;
    Ok(db)
}

/// The last day of every demo: with the simulator's own seed it is the same sky, so that the
/// documents show what everybody gets.
const LAST_DAY: NaiveDate = match NaiveDate::from_ymd_opt(2024, 1, 15) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

/// Whole days of the station's clock.
fn last_days(days: u32) -> Result<SlotRange> {
    let from = LAST_DAY - Days::new(u64::from(days.saturating_sub(1)));
    let to = LAST_DAY.and_time(chrono::NaiveTime::MIN) + TimeDelta::minutes(24 * 60 - 1);
    let range = SlotRange::new(from.and_time(chrono::NaiveTime::MIN), to);
    range.map_err(|e| Failure::usage(say!("{e}", "{e}")))
}

/// The work after recording, some seconds of a core: the plot and the comparison.
struct Drawing {
    readings: Vec<Reading>,
    station: Station,
    range: SlotRange,
    studio: Studio,
    plot: PathBuf,
}

impl Drawing {
    /// Writes the plot; returns a sparkline and how the readings compare with what was drawn. Stops
    /// between two pictures once `given_up` is set.
    fn draw(&self, given_up: &AtomicBool) -> Result<String> {
        let (station, range, readings) = (&self.station, self.range, &self.readings);
        draw_plot(station, range, readings, &self.plot)?;
        Ok(tell(station, range, readings, &self.studio, given_up))
    }
}

fn draw_plot(station: &Station, range: SlotRange, readings: &[Reading], path: &Path) -> Result<()> {
    let slots: Vec<NaiveDateTime> =
        range.slots(&station.minutes, station.zone).map(Slot::local).collect();
    let stored: HashSet<NaiveDateTime> = readings.iter().map(|reading| reading.local).collect();
    let misses: Vec<NaiveDateTime> =
        slots.iter().copied().filter(|slot| !stored.contains(slot)).collect();
    let end = range.to() + TimeDelta::minutes(1);
    let svg = Timeline {
        look: Look::alone(Lang::current()),
        title: &say!("Cloud amount (simulated camera)", "Nubosidad (cámara simulada)").to_string(),
        station: &station.name,
        range,
        slots: &slots,
        first: readings.iter().map(|reading| reading.local).min(),
        readings,
        misses: &misses,
        sun: &sun::track(range.from(), end, station.zone, station.latitude, station.longitude),
        replaced_until: None,
    }
    .svg();
    let shown = path.display();
    let cannot = |e: String| {
        Failure::environment(say!(
            "the plot '{shown}' cannot be written: {e}",
            "no se puede escribir el gráfico '{shown}': {e}"
        ))
    };
    let png = png::render(&svg, 1.0).map_err(|e| cannot(e.to_string()))?;
    replace_file(path, &png).map_err(|e| cannot(io_text(&e).to_string()))
}

fn stored_readings(db: &Path, station: &Station, range: SlotRange) -> Result<Vec<Reading>> {
    let filter = ReadingFilter::all(&station.id, (range.from(), range.to()));
    let mut readings = Vec::new();
    Reader::open(db)?.observations(&filter, usize::MAX, |item| {
        readings.extend(chart_reading(&item));
    })?;
    Ok(readings)
}

fn chart_reading(item: &ObservationItem) -> Option<Reading> {
    Some(Reading {
        local: item.time()?,
        cover: item.cover()?,
        cloud_fraction: item.cloud_fraction,
        confidence: item.confidence,
        phase: item.phase()?,
    })
}

/// A sparkline, and how the readings compare with what was drawn.
fn tell(
    station: &Station,
    range: SlotRange,
    readings: &[Reading],
    studio: &Studio,
    given_up: &AtomicBool,
) -> String {
    let by_slot: HashMap<NaiveDateTime, Cover> =
        readings.iter().map(|reading| (reading.local, reading.cover)).collect();
    let mut values = Vec::new();
    let mut scores = [Score::default(), Score::default()];
    let slots = range.slots(&station.minutes, station.zone);
    for slot in slots.take_while(|_| !given_up.load(Ordering::Relaxed)) {
        let read = by_slot.get(&slot.local()).copied();
        values.push(read);
        if let Some(read) = read.and_then(Cover::okta) {
            let (truth, _) = studio.truth(slot);
            let phase = DayPhase::from_elevation(truth.solar_elevation);
            let night = usize::from(phase != DayPhase::Day);
            if let Some(okta) = truth.okta() {
                scores[night].add(read, okta);
            }
        }
    }
    let [day, night] = scores.map(|score| score.to_string());
    let compared = say!(
        "Read against what was drawn: by day {day}; by twilight and night {night}",
        "Lo leído frente a lo dibujado: de día {day}; en crepúsculo y noche {night}"
    );
    format!("{}\n{compared}", spark::line(&values, 72))
}

/// How readings compare with the truth.
#[derive(Clone, Copy, Default)]
struct Score {
    readings: u32,
    exact: u32,
    within_one: u32,
}

impl Score {
    fn add(&mut self, read: Okta, truth: Okta) {
        let off = read.eighths().abs_diff(truth.eighths());
        self.readings += 1;
        self.exact += u32::from(off == 0);
        self.within_one += u32::from(off <= 1);
    }
}

impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { readings, exact, within_one } = *self;
        if readings == 0 {
            return f.write_str("–");
        }
        let share = |n: u32| 100.0 * f64::from(n) / f64::from(readings);
        let (exact, close) = (share(exact), share(within_one));
        let text = say!(
            "{exact:.0} % exact, {close:.0} % within one okta ({readings})",
            "{exact:.0} % exacto, {close:.0} % a una octa o menos ({readings})"
        );
        write!(f, "{text}")
    }
}
