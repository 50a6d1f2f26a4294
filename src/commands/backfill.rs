//! `celaje backfill`: fetch, classify and store a range of time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::Months;
use serde::Serialize;

use crate::camera::Source;
use crate::camera::gate::Gate;
use crate::commands::bench::arrange::{self, Arrangement, Remembered};
use crate::commands::notices::{
    adopted_text, cut_off_text, tell_kept, tell_misses, tell_none, tell_pending,
};
use crate::commands::progress::RunBar;
use crate::commands::signals::{Signal, Signals};
use crate::commands::status::{About, Stations, StatusFile};
use crate::commands::{model_and_engine, output};
use crate::service::supervision::Supervision;
use crate::service::{Pipeline, RunPolicy, RunReport, Setup};
use crate::settings::Settings;
use crate::store::Database;
use celaje_sky::error::{Class, Failure, Result};
use celaje_sky::flow::{Flow, FlowReport};
use celaje_sky::say;
use celaje_sky::slot::SlotRange;
use celaje_sky::station::Station;
use celaje_sky::text::Text;
use celaje_vision::engine::backend::Engine;
use celaje_vision::model::source::Model;

/// What to record, and how to tell of it.
pub struct BackfillOptions {
    /// Station, database, model and sizes.
    pub settings: Settings,
    /// The range of slots.
    pub range: SlotRange,
    /// A folder to take the pictures from instead of the camera.
    pub dir: Option<PathBuf>,
    /// What happens to slots that the record knows.
    pub policy: RunPolicy,
    /// Tell what flowed through the actors.
    pub stats: bool,
    /// One JSON object as the last line.
    pub json: bool,
    /// No progress, no notices.
    pub quiet: bool,
}

/// A recorded range.
pub struct Recorded {
    /// How the run went.
    pub report: RunReport,
    /// The signal that ended it early.
    pub signal: Option<Signal>,
    /// Hears of those that came since.
    pub signals: Signals,
    /// The database, still open for writing; none when the store did not end in time.
    pub database: Option<Database>,
    /// The engine, in words.
    pub engine: String,
    /// Name and version of the model.
    pub model: String,
    /// What flowed through the actors.
    pub flow: FlowReport,
    /// How the model was run.
    pub arrangement: Arrangement,
    /// The most requests that were in flight at once.
    pub requests_peak: usize,
}

/// Years that a range may span: more is a slip of the pen, and its slots would take minutes to count.
const LONGEST: u32 = 50;

/// Refuses a range that has no slot, or too many.
///
/// # Errors
/// One sentence of it.
pub fn check_range(range: SlotRange, station: &Station) -> Result<()> {
    let form = "%Y-%m-%dT%H:%M";
    let (from, to) = (range.from().format(form), range.to().format(form));
    let last = range.from().checked_add_months(Months::new(12 * LONGEST));
    if last.is_some_and(|last| range.to() >= last) {
        return Err(Failure::usage(say!(
            "the range from {from} to {to} spans more than {LONGEST} years; ask for a part of it",
            "el rango de {from} a {to} abarca más de {LONGEST} años; pida una parte"
        )));
    }
    if range.slots(&station.minutes, station.zone).next().is_none() {
        let minutes = station.minutes.as_slice().iter();
        let minutes: Vec<String> = minutes.map(u32::to_string).collect();
        let minutes = minutes.join(", ");
        return Err(Failure::usage(say!(
            "there is no slot from {from} to {to}: pictures are of the minutes {minutes} of each hour; widen --desde and --hasta",
            "no hay ningún turno de {from} a {to}: las imágenes son de los minutos {minutes} de cada hora; amplíe --desde y --hasta"
        )));
    }
    Ok(())
}

/// Runs the command; gives its exit status.
///
/// # Errors
/// What keeps the run from starting or ends it early, the latter after the summary of what was
/// done.
pub async fn run(options: BackfillOptions) -> Result<u8> {
    let (json, quiet, range) = (options.json, options.quiet, options.range);
    let stats = options.stats;
    let station = options.settings.station.id.clone();
    let address = options.settings.station.url_base.clone();
    let folder = options.dir.clone();
    let recorded = record(options).await?;
    if !quiet {
        tell_misses(&recorded.report);
        tell_kept(&recorded.report);
        tell_pending(&recorded.report);
        tell_none(&recorded.report, folder.as_deref(), &address);
    }
    if stats {
        output::note(recorded.flow);
    }
    if !(json && quiet) {
        output::line(&recorded.report.end.ledger)?;
    }
    if json {
        output::line(Summary::new(&station, range, &recorded, stats).to_json())?;
    }
    if let Some(failure) = recorded.report.end.failure {
        return Err(failure);
    }
    if let Some(signal) = recorded.signal {
        return Ok(signal.exit_status());
    }
    if recorded.report.host_unreachable() {
        let url = url::Url::parse(&address).ok();
        let host = url
            .as_ref()
            .and_then(url::Url::host_str)
            .unwrap_or_default();
        return Err(Failure::unreachable(say!(
            "no request reached the host '{host}'; check the network and --url-base",
            "ninguna petición llegó al servidor '{host}'; revise la red y --url-base"
        )));
    }
    Ok(0)
}

/// Records the range and prints nothing but notices and progress, on stderr.
///
/// # Errors
/// What keeps the run from starting.
pub async fn record(options: BackfillOptions) -> Result<Recorded> {
    let BackfillOptions {
        mut settings,
        range,
        dir,
        mut policy,
        quiet,
        ..
    } = options;
    let notice = |text: &Text| {
        if !quiet {
            output::note(text);
        }
    };
    // What a server did not have says nothing about a folder.
    policy.retry_missed |= dir.is_some();
    let source = picture_source(dir, &settings.station.url_base)?;
    let (model, engine) = model_and_engine(&settings, notice)?;
    let opened = Database::open(&settings.db, &settings.station)?;
    let mut database = opened.database;
    if let Some(adopted) = &opened.adopted {
        notice(&adopted_text(adopted));
    }
    for cut_off in &opened.cut_off {
        notice(&cut_off_text(cut_off));
    }
    let status_file = StatusFile::beside(&settings.db);
    let (engine_name, model_name) = (engine.describe(), model.label());
    if !quiet {
        output::tell_engine(&model_name, &engine_name);
    }
    let (model, engine) = (Arc::new(model), engine);
    let stored = match policy.reprocess {
        true => 0,
        false => database.stored_slots(range)?.len(),
    };
    let long = range
        .slots(&settings.station.minutes, settings.station.zone)
        .nth(stored + WORTH_MEASURING)
        .is_some();
    arrange_inference(&mut settings, &engine, &model, long).await;
    let arrangement = Arrangement {
        sessions: settings.tuning.threads,
        threads: settings.tuning.session_threads,
        batch: settings.tuning.batch,
    };
    let started = About {
        station: settings.station.id.clone(),
        engine: engine_name.clone(),
        model: model_name.clone(),
        range: Some(range),
    };
    let setup = Setup {
        station: Arc::new(settings.station),
        source,
        model,
        engine,
        database: database.into(),
        tuning: settings.tuning,
        policy,
        shadow: None,
        flow: Arc::default(),
    };
    let pipeline = Pipeline::start_with(setup, supervision())?;
    let stations = Stations::default();
    stations.put(started, pipeline.vitals(), pipeline.progress());
    let kept = status_file.keep(stations);
    let mut signals = Signals::listen();
    let bar = RunBar::follow(pipeline.progress(), quiet);
    let drain = pipeline.drainer();
    let (flow, gate) = (pipeline.flow(), pipeline.gate());
    let logged = log_flow(Arc::clone(&flow), Arc::clone(&gate));
    let (report, signal) = signals.draining(pipeline.run(range), drain).await;
    logged.abort();
    kept.end().await;
    drop(bar);
    let database = pipeline.stop().await;
    Ok(Recorded {
        report: report?,
        signal,
        signals,
        database,
        engine: engine_name,
        model: model_name,
        flow: flow.report(),
        arrangement,
        requests_peak: gate.peak(),
    })
}

/// The actors are looked after as usual; a program whose main thread hangs is ended from outside it.
pub fn supervision() -> Supervision {
    Supervision {
        last_resort: Arc::new(|| {
            output::note(say!(
                "celaje: the program hangs and was ended; what is stored is safe: see the log and run the same command again",
                "celaje: el programa está colgado y se terminó; lo guardado está a salvo: vea el registro y repita la orden"
            ));
            std::process::exit(i32::from(Class::Environment.exit_status()));
        }),
        ..Supervision::default()
    }
}

/// Slots to be asked for beyond which it is worth a second or two to find out how the model is best run.
const WORTH_MEASURING: usize = 5_000;
/// How often what flows is logged.
const LOGGED_EVERY: Duration = Duration::from_secs(10);

/// Settles how the model is run: as asked for, as an earlier measurement on this machine found or,
/// when the run is `long`, as one made now does.
pub(crate) async fn arrange_inference(
    settings: &mut Settings,
    engine: &Arc<dyn Engine>,
    model: &Arc<Model>,
    long: bool,
) {
    let tuning = &mut settings.tuning;
    tuning.shares_cores = !engine.on_card();
    let asked = settings.batch_given || settings.sessions_given;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let remembered = Remembered::usual();
    let known = remembered
        .as_ref()
        .filter(|_| !asked)
        .and_then(|file| file.get(engine.as_ref(), model, cores));
    let found = match known {
        None if long && !asked => {
            let (engine, model) = (Arc::clone(engine), Arc::clone(model));
            let found = tokio::task::spawn_blocking(move || {
                let found = arrange::find(engine.as_ref(), &model, cores);
                if let (Some(found), Some(file)) = (found, remembered) {
                    file.put(engine.as_ref(), &model, cores, found);
                }
                found
            });
            found.await.ok().flatten()
        }
        known => known,
    };
    match found {
        Some(found) => {
            tracing::info!(?found, "how the model is run on this machine");
            tuning.threads = found.sessions;
            tuning.session_threads = found.threads;
            tuning.batch = found.batch;
        }
        None => {
            if !settings.batch_given {
                tuning.batch = engine.usual_batch();
            }
            if !settings.sessions_given && engine.on_card() {
                // One batch is copied while the other one runs.
                tuning.threads = 2;
            }
        }
    }
}

/// Logs what flowed in every ten seconds, until it is aborted.
fn log_flow(flow: Arc<Flow>, gate: Arc<Gate>) -> tokio::task::JoinHandle<()> {
    actix::spawn(async move {
        let mut before = flow.report();
        loop {
            tokio::time::sleep(LOGGED_EVERY).await;
            let now = flow.report();
            let lately = now.since(&before);
            before = now;
            for stage in &lately.stages {
                tracing::info!(
                    stage = %stage.stage.name().en,
                    received = stage.received,
                    done = stage.done,
                    waiting = stage.waiting,
                    working = stage.working,
                    wait_ms = stage.wait_ms(),
                    work_ms = stage.work_ms(),
                    "flow"
                );
            }
            tracing::info!(
                in_flight = now.in_flight(),
                requests = gate.size(),
                batch = lately.batch_fill(),
                commit = lately.commit_fill(),
                "flow of all"
            );
        }
    })
}

/// The folder, or the camera's base address.
///
/// # Errors
/// When there is no such folder, or the address is no HTTP address.
pub fn picture_source(dir: Option<PathBuf>, url_base: &str) -> Result<Source> {
    if let Some(dir) = dir {
        if !dir.is_dir() {
            let shown = dir.display();
            return Err(Failure::usage(say!(
                "there is no folder '{shown}' to take pictures from; check --dir",
                "no hay una carpeta '{shown}' de donde tomar imágenes; revise --dir"
            )));
        }
        return Ok(Source::Folder(dir));
    }
    match url::Url::parse(url_base) {
        Ok(base) if matches!(base.scheme(), "http" | "https") && base.has_host() => {
            Ok(Source::Http(base))
        }
        _ => {
            let shown = public_part(url_base);
            Err(Failure::usage(say!(
                "'{shown}' is no address of pictures; write --url-base http://host/path/",
                "'{shown}' no es una dirección de imágenes; escriba --url-base http://servidor/ruta/"
            )))
        }
    }
}

/// What was meant for an address, without what may be secret in it: a user name, a password, and
/// all from the first `?` or `#` on.
pub(super) fn public_part(text: &str) -> String {
    let (scheme, rest) = match text.find("://") {
        Some(end) => text.split_at(end + 3),
        None => ("", text),
    };
    let (place, more) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
    let (user, place) = match place.rsplit_once('@') {
        Some((_, place)) => ("…@", place),
        None => ("", place),
    };
    // A password may hold the first '?', a query an '@': then nothing is known to be public.
    match more {
        "" => format!("{scheme}{user}{place}"),
        _ if more.contains('@') => format!("{scheme}…"),
        _ => format!("{scheme}{user}{place}…"),
    }
}

/// The machine-readable summary.
#[derive(Serialize)]
struct Summary<'a> {
    station: &'a str,
    from: String,
    to: String,
    total: u64,
    new: u64,
    duplicates: u64,
    missed: u64,
    missed_by_reason: BTreeMap<&'static str, u64>,
    /// Of the duplicates, those classified again.
    reprocessed: u64,
    /// Slots of the range that an interrupted run did not come to.
    pending: u64,
    interrupted: bool,
    elapsed_s: f64,
    /// Pictures classified and stored a second.
    images_per_s: f64,
    engine: &'a str,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<Stats>,
}

/// What `--stats` adds.
#[derive(Serialize)]
struct Stats {
    #[serde(flatten)]
    flow: FlowReport,
    inference: Arrangement,
    /// The most requests that were in flight at once.
    requests_peak: usize,
}

impl<'a> Summary<'a> {
    fn new(station: &'a str, range: SlotRange, recorded: &'a Recorded, stats: bool) -> Self {
        let Recorded {
            report,
            signal,
            engine,
            model,
            flow,
            arrangement,
            requests_peak,
            ..
        } = recorded;
        let ledger = &report.end.ledger;
        let elapsed_s = report.elapsed.as_secs_f64();
        let classified = (ledger.new_rows() + ledger.reprocessed()) as f64;
        let rounded = |x: f64| (x * 1000.0).round() / 1000.0;
        let minute = |t: chrono::NaiveDateTime| t.format("%Y-%m-%dT%H:%M").to_string();
        Self {
            station,
            from: minute(range.from()),
            to: minute(range.to()),
            total: ledger.total(),
            new: ledger.new_rows(),
            duplicates: ledger.duplicates(),
            missed: ledger.missed(),
            missed_by_reason: ledger
                .missed_by_reason()
                .iter()
                .map(|(reason, n)| (reason.as_str(), *n))
                .collect(),
            reprocessed: ledger.reprocessed(),
            pending: report.pending(),
            interrupted: signal.is_some(),
            elapsed_s: rounded(elapsed_s),
            images_per_s: rounded(if elapsed_s > 0.0 {
                classified / elapsed_s
            } else {
                0.0
            }),
            engine,
            model,
            stats: stats.then_some(Stats {
                flow: *flow,
                inference: *arrangement,
                requests_peak: *requests_peak,
            }),
        }
    }

    fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|e| format!("{{\"error\":\"{e}\"}}"))
    }
}
