//! `celaje backfill`: fetch, classify and store a range of time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;
use serde::Serialize;

use crate::actors::dispatch::DispatchReport;
use crate::camera::Source;
use crate::camera::fault::AccessFault;
use crate::camera::gate::Gate;
use crate::camera::picture_folder::PictureFolder;
use crate::clock::Clock;
use crate::commands::old_script::OldScriptArgs;
use crate::commands::progress::RunBar;
use crate::commands::signals::{Signal, Signals};
use crate::commands::{output, range};
use crate::queue::Queue;
use crate::service::inference::{Arrangement, open_model};
use crate::service::notices;
use crate::service::request::{
    check_clock, check_folder, check_range, range_of, range_of_scheme, readable_folder,
    refuse_the_latest, station_source,
};
use crate::service::supervision::Supervision;
use crate::service::witness::{self, ClockWitness, check_range_has_come};
use crate::service::{Pipeline, RunPolicy, RunReport, Setup, workers};
use crate::settings::Settings;
use crate::settings::layer::{BackfillGroup, Flags, SpanishHelp};
use crate::settings::tuning::CommitPolicy;
use crate::store::Database;
use celaje_sky::error::{Failure, Result};
use celaje_sky::flow::{Flow, FlowReport};
use celaje_sky::moment::Moment;
use celaje_sky::say;
use celaje_sky::slot::SlotRange;
use celaje_sky::station::PicturePlace;
use celaje_sky::text::Text;

#[derive(Clone, Debug, Args)]
pub(super) struct BackfillArgs {
    /// First minute, station local time: YYYY-MM-DDTHH:MM, or a date for its first minute
    #[arg(
        long,
        alias = "from",
        value_name = "TIME",
        env = "CELAJE_DESDE",
        value_parser = Moment::parse,
        required_unless_present = "dir"
    )]
    desde: Option<Moment>,
    /// Last minute, included: YYYY-MM-DDTHH:MM, or a date for its last minute
    #[arg(
        long,
        alias = "to",
        value_name = "TIME",
        env = "CELAJE_HASTA",
        value_parser = Moment::parse,
        required_unless_present = "dir"
    )]
    hasta: Option<Moment>,
    /// Take the pictures from this folder, at any depth, instead of the camera: all that it holds;
    /// with --desde or --hasta, those between, where a slot without a picture is missed
    #[arg(long, alias = "base-dir", value_name = "FOLDER", env = "CELAJE_DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    work: Flags<BackfillGroup>,
    #[command(flatten)]
    old: OldScriptArgs,
    /// Ask again for pictures that an earlier run found missing or unreadable
    #[arg(long, env = "CELAJE_RETRY_MISSED", value_parser = FalseyValueParser::new())]
    retry_missed: bool,
    /// Classify stored slots again with the present model
    #[arg(long, env = "CELAJE_REPROCESS", value_parser = FalseyValueParser::new())]
    reprocess: bool,
    /// Print on stderr how many slots each actor handled, and how long they waited and took there
    #[arg(long, env = "CELAJE_STATS", value_parser = FalseyValueParser::new())]
    stats: bool,
    /// Print one JSON object as the last line
    #[arg(long, env = "CELAJE_JSON", value_parser = FalseyValueParser::new())]
    json: bool,
    /// No progress, no notices; with --json no summary line either
    #[arg(long, env = "CELAJE_QUIET", value_parser = FalseyValueParser::new())]
    quiet: bool,
}

pub(super) const SPANISH: SpanishHelp = &[
    ("backfill", "Descarga, clasifica y guarda las imágenes de un rango de tiempo"),
    (
        "desde",
        "Primer minuto, hora local de la estación: AAAA-MM-DDTHH:MM, o una fecha por su primer \
         minuto",
    ),
    ("hasta", "Último minuto, incluido: AAAA-MM-DDTHH:MM, o una fecha por su último minuto"),
    (
        "dir",
        "Toma las imágenes de esta carpeta, a cualquier profundidad, en vez de la cámara: todas \
         las que tiene; con --desde o --hasta, las de ese rango, donde falla el turno sin imagen",
    ),
    (
        "retry_missed",
        "Pide de nuevo las imágenes que una corrida anterior no encontró o no pudo leer",
    ),
    ("reprocess", "Clasifica otra vez con el modelo actual los turnos ya guardados"),
    (
        "stats",
        "Muestra en stderr cuántos turnos pasaron por cada actor, y cuánto esperaron y tardaron \
         allí",
    ),
    ("json", "Escribe un objeto JSON como última línea"),
    ("quiet", "Sin progreso ni avisos; con --json, tampoco la línea de resumen"),
];

impl BackfillArgs {
    pub(super) async fn run(self, config: Option<&Path>) -> Result<u8> {
        let mut settings = Settings::read(self.work.0, config)?;
        let folder = match (&self.dir, &mut settings.station.source) {
            (None, _) => None,
            (Some(dir), None) => Some(readable_folder(dir)?),
            // Named as the station's are.
            (Some(dir), Some(source)) => {
                check_folder(dir)?;
                source.place = PicturePlace::Folder(dir.clone());
                source.is_archive = true;
                None
            }
        };
        // Between its first picture and its last nobody asked for more than there is.
        let is_whole = self.desde.is_none() && self.hasta.is_none();
        let folder = match is_whole {
            true => folder.map(PictureFolder::without_gaps),
            false => folder,
        };
        refuse_the_latest(&settings.station)?;
        let whole = match (&folder, &self.dir, self.desde, self.hasta) {
            (_, _, Some(_), Some(_)) | (None, None, ..) => None,
            (Some(folder), ..) => Some(range_of(folder, &settings.station)?),
            (None, Some(_), ..) => {
                let (range, alone) = range_of_scheme(&settings).await?;
                if let Some(source) = settings.station.source.as_mut().filter(|_| is_whole) {
                    source.alone = Some(alone);
                }
                Some(range)
            }
        };
        let range = asked_range(self.desde, self.hasta, whole)?;
        check_range(range, &settings.station)?;
        self.old.check_step(&settings.station)?;
        let reprocess = self.reprocess || self.old.reprocess();
        run(BackfillOptions {
            settings,
            range,
            folder,
            policy: RunPolicy { retry_missed: self.retry_missed, reprocess },
            stats: self.stats,
            json: self.json,
            quiet: self.quiet,
        })
        .await
    }
}

/// The range between the flags; what one of them leaves open is that of the `whole` folder.
fn asked_range(
    from: Option<Moment>,
    to: Option<Moment>,
    whole: Option<SlotRange>,
) -> Result<SlotRange> {
    let from = from.or(whole.map(|whole| Moment::Minute(whole.from())));
    let to = to.or(whole.map(|whole| Moment::Minute(whole.to())));
    let (Some(from), Some(to)) = (from, to) else {
        return Err(Failure::usage(say!(
            "write --desde and --hasta, or --dir",
            "escriba --desde y --hasta, o --dir"
        )));
    };
    range::between(from, to, "--desde", "--hasta")
}

/// What to record, and how to tell of it.
pub struct BackfillOptions {
    /// Station, database, model and sizes.
    pub settings: Settings,
    /// The range of slots.
    pub range: SlotRange,
    /// A folder to take the pictures from instead of the camera.
    pub folder: Option<PictureFolder>,
    /// What happens to slots that the record knows.
    pub policy: RunPolicy,
    /// Whether to report what flowed through the actors.
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
    /// Reports the signals that came since.
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
    /// What a person has to mend before the camera gives pictures.
    pub faults: BTreeSet<AccessFault>,
    /// What was counted of the workers of a queue.
    pub workers: Option<DispatchReport>,
}

/// Runs the command; gives its exit status.
///
/// # Errors
/// What keeps the run from starting or ends it early, the latter after the summary of what was
/// done.
pub async fn run(options: BackfillOptions) -> Result<u8> {
    let (json, quiet, range) = (options.json, options.quiet, options.range);
    let stats = options.stats;
    let whole = options.settings.station.clone();
    let station = whole.id.clone();
    let folder = options.folder.as_ref().map(|folder| folder.root().to_owned());
    let folder = folder.or_else(|| match &options.settings.station.source.as_ref()?.place {
        PicturePlace::Folder(folder) => Some(folder.clone()),
        PicturePlace::Address(_) => None,
    });
    // Where other folders have pictures, these hide a part alone.
    let some = options.folder.as_ref().filter(|folder| folder.moments().next().is_some());
    let closed = notices::closed(some);
    let recorded = record(options).await?;
    let faults = notices::faults(&recorded.faults, &recorded.report);
    let mut faults: Vec<_> = faults.iter().map(AccessFault::text).collect();
    // They were told at the start.
    faults.retain(|fault| !closed.contains(fault));
    let unreachable = recorded.report.host_unreachable();
    let hidden = notices::hidden(&recorded.faults, &recorded.report);
    let hidden = hidden.filter(|hidden| !closed.contains(hidden));
    if !quiet {
        let (report, found) = (&recorded.report, &recorded.faults);
        let notices = notices::ended(report, found, folder.as_deref(), &whole);
        // Those of a host that was not reached, and what hides all, are the error below.
        let faults = faults.iter().filter(|fault| !unreachable && hidden.as_ref() != Some(*fault));
        notices.iter().chain(faults).for_each(output::note);
    }
    if stats {
        output::note(recorded.flow);
    }
    if !(json && quiet) {
        output::line(&recorded.report.end.ledger)?;
    }
    if json {
        output::line(BackfillSummary::new(&station, range, &recorded, stats).to_json())?;
    }
    if let Some(failure) = recorded.report.end.failure {
        return Err(failure);
    }
    if let Some(signal) = recorded.signal {
        return Ok(signal.exit_status());
    }
    if unreachable {
        let url = url::Url::parse(&whole.url_base).ok();
        let host = url.as_ref().and_then(url::Url::host_str).unwrap_or_default();
        if let Some(fault) = faults.first() {
            return Err(Failure::unreachable(say!(
                "no request reached the host '{host}': {fault}",
                "ningún pedido llegó al servidor '{host}': {fault}"
            )));
        }
        let set_by = whole.source.as_ref().map_or("--url-base", |_| "[station.source]");
        return Err(Failure::unreachable(say!(
            "no request reached the host '{host}'; check the network and {set_by}",
            "ningún pedido llegó al servidor '{host}'; revise la red y {set_by}"
        )));
    }
    hidden.map_or(Ok(0), |hidden| Err(Failure::environment(hidden)))
}

/// Records the range and prints nothing but notices and progress, on stderr.
///
/// # Errors
/// What keeps the run from starting.
pub async fn record(options: BackfillOptions) -> Result<Recorded> {
    let BackfillOptions { mut settings, range, folder, mut policy, quiet, .. } = options;
    let notice = |text: &Text| {
        if !quiet {
            output::note(text);
        }
    };
    // What a server did not have says nothing about a folder.
    policy.retry_missed |= folder.is_some();
    if folder.is_none() {
        notices::whose_camera(&settings).iter().for_each(notice);
        notices::any_certificate(&settings.station).iter().for_each(notice);
    }
    notices::off_minute(folder.as_ref(), &settings.station).iter().for_each(notice);
    notices::closed(folder.as_ref()).iter().for_each(notice);
    notices::doubles(folder.as_ref()).iter().for_each(notice);
    notices::set_back(range, &settings.station).iter().for_each(notice);
    let station = Arc::new(settings.station.clone());
    let source = match folder {
        Some(folder) => Source::Folder(folder),
        None => station_source(&station)?,
    };
    notices::ignored_proxies(&source).iter().for_each(notice);
    check_clock(Clock::SYSTEM, &source)?;
    let (model, engine) = open_model(&settings, notice)?;
    let opened = Database::open_telling(&settings.db, &settings.station, |plan| {
        notice(&notices::takeover(&settings.db, plan, true));
    })?;
    notices::opened(&opened).iter().for_each(notice);
    let mut database = opened.database;
    if !settings.trust_clock
        && let Some(witness) = ClockWitness::of(&source, &settings.station, &settings.tuning.http)
    {
        let known = witness::evidence(&mut database, &settings.station, Clock::SYSTEM)?;
        check_range_has_come(range, Clock::SYSTEM, known, &witness).await?;
    }
    let (engine_name, model_name) = (engine.describe(), model.label());
    if !quiet {
        output::tell_engine(&model_name, &engine_name);
    }
    let arrangement = Arrangement::settle(&mut settings, engine.as_ref());
    let workers = match &settings.queue {
        None => None,
        Some(address) => {
            let identity = database.identity()?;
            let queue = Queue::connect(address, "celaje writer").await?;
            let counts = Arc::default();
            Some(workers::open(queue, &identity, &station, &source, &model, counts).await?)
        }
    };
    let counts = workers.as_ref().map(|workers| Arc::clone(&workers.counts));
    if workers.is_some() {
        settings.tuning.commit = CommitPolicy::of_many();
    }
    let setup = Setup {
        station,
        source,
        model,
        engine,
        database: database.into(),
        tuning: settings.tuning,
        policy,
        shadow: None,
        kept: None,
        flow: Arc::default(),
        clock: Clock::SYSTEM,
    };
    let pipeline = Pipeline::start_fed(setup, Supervision::of_program(), workers)?;
    let mut signals = Signals::listen();
    let bar = RunBar::follow(pipeline.progress(), counts.clone(), quiet);
    let drain = pipeline.drainer();
    let (flow, gate) = (pipeline.flow(), pipeline.gate());
    let logged = log_flow(Arc::clone(&flow), Arc::clone(&gate));
    let (report, signal) = signals.draining(pipeline.run(range), drain).await;
    logged.abort();
    drop(bar);
    let workers = counts.map(|counts| counts.report());
    workers.iter().for_each(|workers| notice(&workers.text()));
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
        faults: gate.take_faults(),
        workers,
    })
}

/// Time between two log lines of what flows through the actors.
const LOGGED_EVERY: Duration = Duration::from_secs(10);

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

/// The machine-readable summary.
#[derive(Serialize)]
struct BackfillSummary<'a> {
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
    /// Slots of the range that an interrupted run did not come to, and those that were not due.
    pending: u64,
    interrupted: bool,
    elapsed_s: f64,
    /// Pictures classified and stored a second.
    images_per_s: f64,
    engine: &'a str,
    model: &'a str,
    /// Of a queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<DispatchReport>,
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

impl<'a> BackfillSummary<'a> {
    fn new(station: &'a str, range: SlotRange, recorded: &'a Recorded, stats: bool) -> Self {
        let Recorded { report, signal, engine, model, flow, arrangement, requests_peak, .. } =
            recorded;
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
            pending: report.pending() + report.not_due,
            interrupted: signal.is_some(),
            elapsed_s: rounded(elapsed_s),
            images_per_s: rounded(if elapsed_s > 0.0 { classified / elapsed_s } else { 0.0 }),
            engine,
            model,
            queue: recorded.workers,
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
