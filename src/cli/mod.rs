//! Command-line types only; what they mean is in [`commands`](crate::commands).
#![allow(
    missing_docs,
    reason = "a doc comment of a flattened field would end up in the help"
)]

pub mod conditions;
pub mod explain;
pub mod spanish;
pub mod values;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand};

use crate::cli::conditions::Spoilt;
use crate::cli::values::{number, whole};
use crate::daemon::clock::Clock;
use crate::settings::span::Span;
use crate::settings::{self, Layer};
use crate::web::origins::Origin;
use celaje_simulate::Scene;
use celaje_simulate::options::Layout as ServedLayout;
use celaje_sky::moment::Moment;
use celaje_sky::station::LayoutChoice;
use celaje_sky::text::Lang;
use celaje_vision::engine::choose::{Device, EngineChoice};

/// Heading of the flags that every command has.
const GLOBAL: &str = "Global options";

/// Turns a sky camera into a trustworthy record of cloud cover.
#[derive(Debug, Parser)]
#[command(
    name = "celaje",
    version,
    propagate_version = false,
    max_term_width = 100
)]
#[command(disable_version_flag = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Print the version, its commit and the inference engines
    #[arg(long, short = 'V')]
    pub version: bool,
}

/// Flags of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Settings file [default: ./celaje.toml, then the user's configuration folder]
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "FILE", env = "CELAJE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Language of the messages [default: that of the environment]
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "LANG", env = "CELAJE_LANG", value_parser = values::name_of(Lang::NAMES))]
    pub lang: Option<Lang>,
    /// What is logged to stderr: off, error, warn, info, debug, trace, or a filter such as celaje=debug
    #[arg(
        long,
        global = true,
        help_heading = GLOBAL,
        value_name = "FILTER",
        env = "CELAJE_LOG",
        default_value = "warn",
        value_parser = values::filter
    )]
    pub log: String,
}

/// A subcommand.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fetch, classify and store the pictures of a range of time
    Backfill(Backfill),
    /// Judge picture files; no database is touched
    Predict(Predict),
    /// Measure a model on labelled pictures
    Evaluate(Evaluate),
    /// Watch the cameras, fill the record as pictures come, and show it over HTTP
    Serve(Serve),
    /// Have systemd keep `celaje serve` running
    Service(Service),
    /// Serve drawn pictures of a sky camera on loopback
    Simulate(Simulate),
    /// Show the whole program at work on drawn pictures
    Demo(Demo),
    /// Measure each stage, the whole pipeline, and how near it comes to what the machine can give
    Bench(Bench),
    /// The camera of a benchmark, a process of its own
    #[command(hide = true)]
    BenchCamera(BenchCamera),
    /// Check engine, model, database and camera, and say what to do about each
    Doctor(Doctor),
    /// Look after the database: back it up, check it, pack it, list what is missing
    Db(Db),

    /// Show what the program is doing: its run, its actors, their restarts and last errors
    Status(Status),
    /// Install or find the inference engine's library
    Runtime(Runtime),
    /// Print a completion script for a shell
    Completions(Completions),
}

/// Where pictures come from, where the record goes, and how the work is done.
#[derive(Clone, Debug, Default, Args)]
pub struct Work {
    /// Station to work for, by its id in celaje.toml [default: the first one there, else rio-grande]
    #[arg(long, value_name = "ID", env = "CELAJE_STATION")]
    pub station: Option<String>,
    /// Base address of the pictures [default: the station's]
    #[arg(
        long,
        value_name = "URL",
        env = "CELAJE_URL_BASE",
        hide_env_values = true
    )]
    pub url_base: Option<String>,
    /// Where a year's pictures are below the base [default: auto]
    #[arg(long, value_name = "LAYOUT", env = "CELAJE_LAYOUT", value_parser = values::name_of(LayoutChoice::NAMES))]
    pub layout: Option<LayoutChoice>,
    /// Database file [default: registros-octas.db]
    #[arg(long, value_name = "FILE", env = "CELAJE_DB")]
    pub db: Option<PathBuf>,
    #[command(flatten)]
    pub inference: Inference,
    /// Requests in flight to the host, always as many [default: their number adapts to what it takes]
    #[arg(long, value_name = "N", env = "CELAJE_CONCURRENCY", value_parser = whole(settings::CONCURRENCY))]
    pub concurrency: Option<usize>,
    /// Requests in flight to the host at most, where their number adapts [default: 256]
    #[arg(long, value_name = "N", env = "CELAJE_MAX_CONCURRENCY", value_parser = whole(settings::CONCURRENCY))]
    pub max_concurrency: Option<usize>,
    /// Requests that may begin in a second [default: as many as come]
    #[arg(long, value_name = "N", env = "CELAJE_MAX_RPS", value_parser = number(settings::MAX_RPS))]
    pub max_rps: Option<f64>,
    /// Pictures in a full batch [default: 1; 64 on a card]
    #[arg(long, value_name = "N", env = "CELAJE_BATCH", value_parser = whole(settings::BATCH))]
    pub batch: Option<usize>,
    /// Seconds that a whole picture may take [default: 60]
    #[arg(long, value_name = "SECONDS", env = "CELAJE_TIMEOUT", value_parser = number(settings::TIMEOUT))]
    pub timeout: Option<f64>,
    /// Bytes of a picture at most [default: 20000000]
    #[arg(long, value_name = "BYTES", env = "CELAJE_MAX_BYTES", value_parser = whole(settings::MAX_BYTES))]
    pub max_bytes: Option<usize>,
}

/// The model and what runs it.
#[derive(Clone, Debug, Default, Args)]
pub struct Inference {
    /// ONNX model, with its manifest FILE.toml beside it, or a bundled one: celaje-4 (the default) or
    /// celaje-4-fp32
    #[arg(long, value_name = "FILE", env = "CELAJE_MODEL")]
    pub model: Option<PathBuf>,
    /// ONNX Runtime's shared library [default: looked for]
    #[arg(long, value_name = "FILE", env = "CELAJE_ORT_LIB")]
    pub ort_lib: Option<PathBuf>,
    /// Inference engine [default: auto]
    #[arg(long, value_name = "ENGINE", env = "CELAJE_ENGINE", value_parser = values::name_of(EngineChoice::NAMES))]
    pub engine: Option<EngineChoice>,
    /// Where the engine runs [default: auto]
    #[arg(long, value_name = "DEVICE", env = "CELAJE_DEVICE", value_parser = values::name_of(Device::NAMES))]
    pub device: Option<Device>,
    /// Inference sessions, and threads that decode [default: the number of cores]
    #[arg(long, value_name = "N", env = "CELAJE_THREADS", value_parser = whole(settings::THREADS))]
    pub threads: Option<usize>,
    /// Threads that each session computes with [default: 1]
    #[arg(long, value_name = "N", env = "CELAJE_SESSION_THREADS", value_parser = whole(settings::THREADS))]
    pub session_threads: Option<usize>,
}

impl Work {
    /// The settings layer that these flags (and their environment twins) make.
    pub fn layer(&self) -> Layer {
        Layer {
            station: self.station.clone(),
            url_base: self.url_base.clone(),
            layout: self.layout,
            db: self.db.clone(),
            concurrency: self.concurrency,
            max_concurrency: self.max_concurrency,
            max_rps: self.max_rps,
            batch: self.batch,
            timeout: self.timeout,
            max_bytes: self.max_bytes,
            ..self.inference.layer()
        }
    }
}

impl Inference {
    /// The settings layer that these flags (and their environment twins) make.
    pub fn layer(&self) -> Layer {
        Layer {
            model: self.model.clone(),
            ort_lib: self.ort_lib.clone(),
            engine: self.engine,
            device: self.device,
            threads: self.threads,
            session_threads: self.session_threads,
            ..Layer::default()
        }
    }
}

/// `celaje backfill`.
#[derive(Clone, Debug, Args)]
pub struct Backfill {
    /// First minute, station local time: YYYY-MM-DDTHH:MM, or a date for its first minute
    #[arg(long, alias = "from", value_name = "TIME", env = "CELAJE_DESDE", value_parser = Moment::parse)]
    pub desde: Moment,
    /// Last minute, included: YYYY-MM-DDTHH:MM, or a date for its last minute
    #[arg(long, alias = "to", value_name = "TIME", env = "CELAJE_HASTA", value_parser = Moment::parse)]
    pub hasta: Moment,
    /// Take the pictures from this folder instead of the camera
    #[arg(long, value_name = "FOLDER", env = "CELAJE_DIR")]
    pub dir: Option<PathBuf>,
    #[command(flatten)]
    pub work: Work,
    /// Ask again for pictures that an earlier run found missing or unreadable
    #[arg(long, env = "CELAJE_RETRY_MISSED", value_parser = FalseyValueParser::new())]
    pub retry_missed: bool,
    /// Classify stored slots again with the present model
    #[arg(long, env = "CELAJE_REPROCESS", value_parser = FalseyValueParser::new())]
    pub reprocess: bool,
    /// Tell on stderr what went through each actor, and how long it waited and took there
    #[arg(long, env = "CELAJE_STATS", value_parser = FalseyValueParser::new())]
    pub stats: bool,
    /// Print one JSON object as the last line
    #[arg(long, env = "CELAJE_JSON", value_parser = FalseyValueParser::new())]
    pub json: bool,
    /// No progress, no notices; with --json no summary line either
    #[arg(long, env = "CELAJE_QUIET", value_parser = FalseyValueParser::new())]
    pub quiet: bool,
}

/// `celaje predict`.
#[derive(Clone, Debug, Args)]
pub struct Predict {
    /// Picture files, or folders of them
    #[arg(value_name = "FILE|DIR", required = true)]
    pub paths: Vec<PathBuf>,
    /// One JSON object a picture
    #[arg(long, env = "CELAJE_JSON", value_parser = FalseyValueParser::new())]
    pub json: bool,
    /// Write pictures with the mask laid over them into this folder
    #[arg(long, value_name = "DIR", env = "CELAJE_OVERLAY")]
    pub overlay: Option<PathBuf>,
    /// Write what the network is fed, cut and resized, into this folder as PNG
    #[arg(long, value_name = "DIR", env = "CELAJE_FRAMES")]
    pub frames: Option<PathBuf>,
    /// Judge this station's region of interest instead of the whole picture
    #[arg(long, value_name = "ID", env = "CELAJE_STATION")]
    pub station: Option<String>,
    #[command(flatten)]
    pub inference: Inference,
}

/// `celaje evaluate`.
#[derive(Clone, Debug, Args)]
pub struct Evaluate {
    /// Table of labels (columns image, okta or cloud_fraction, mask, group, camera), or a folder of
    /// folders …octa_0 to …octa_8
    #[arg(value_name = "LABELS.csv|DIR")]
    pub labels: PathBuf,
    /// One JSON object instead of text
    #[arg(long, env = "CELAJE_JSON", value_parser = FalseyValueParser::new())]
    pub json: bool,
    /// Only this group of pictures; several times, or with commas between them
    #[arg(long, value_name = "NAME", env = "CELAJE_GROUP", value_delimiter = ',')]
    pub group: Vec<String>,
    /// Write a row for each picture into this CSV file
    #[arg(long, value_name = "FILE", env = "CELAJE_EVALUATE_OUT")]
    pub out: Option<PathBuf>,
    /// Draw the confusion matrix and the reliability diagram into this folder
    #[arg(long, value_name = "DIR", env = "CELAJE_PLOT")]
    pub plot: Option<PathBuf>,
    /// Compare with the readings in this CSV file, picture by picture; status 1 when they differ
    #[arg(long, value_name = "FILE", env = "CELAJE_AGAINST")]
    pub against: Option<PathBuf>,
    /// Judge this station's region of interest instead of the whole picture
    #[arg(long, value_name = "ID", env = "CELAJE_STATION")]
    pub station: Option<String>,
    #[command(flatten)]
    pub inference: Inference,
    /// No progress and no notices
    #[arg(long, env = "CELAJE_QUIET", value_parser = FalseyValueParser::new())]
    pub quiet: bool,
}

/// `celaje serve`.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// Only show the record: fetch nothing, write nothing
    #[arg(long, env = "CELAJE_READ_ONLY", value_parser = FalseyValueParser::new())]
    pub read_only: bool,
    /// Address and port to listen on
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        env = "CELAJE_LISTEN",
        default_value = "127.0.0.1:8080",
        value_parser = values::socket
    )]
    pub listen: SocketAddr,
    /// A name under which the server may be asked, beside loopback and the address itself; several
    /// times, or with commas between them
    #[arg(long, value_name = "NAME", env = "CELAJE_HOST", value_delimiter = ',')]
    pub host: Vec<String>,
    /// Server whose pages may read /octas, /historial and /imagen (`https://example.org`), or * for
    /// any; several times, or with commas between them
    #[arg(
        long,
        value_name = "ORIGIN",
        env = "CELAJE_ALLOW_ORIGIN",
        value_delimiter = ',',
        value_parser = values::origin
    )]
    pub allow_origin: Vec<Origin>,
    /// File with the token that starts and cancels backfills through the API [default: CELAJE_TOKEN,
    /// else nobody can]
    #[arg(long, value_name = "FILE", env = "CELAJE_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    #[command(flatten)]
    pub work: Work,
    /// A second model that judges the same pictures, for comparison alone
    #[arg(long, value_name = "FILE", env = "CELAJE_SHADOW_MODEL")]
    pub shadow_model: Option<PathBuf>,
    /// How far back what is missing is filled: 7d, 36h, 90m, 0 for not at all [default: 7d]
    #[arg(long, value_name = "SPAN", env = "CELAJE_CATCH_UP", value_parser = values::span)]
    pub catch_up: Option<Span>,
    /// For trials: the time it is at the start, and how fast it goes (2024-03-01T15:02:30Z@60)
    #[arg(long, value_name = "TIME", hide = true)]
    pub clock: Option<Clock>,
}

impl Serve {
    /// The settings layer that these flags (and their environment twins) make.
    pub fn layer(&self) -> Layer {
        Layer {
            shadow_model: self.shadow_model.clone(),
            catch_up: self.catch_up,
            ..self.work.layer()
        }
    }
}

/// `celaje service`.
#[derive(Clone, Debug, Args)]
pub struct Service {
    /// What to do with the service.
    #[command(subcommand)]
    pub action: ServiceAction,
}

/// What to do with the service.
#[derive(Clone, Debug, Subcommand)]
pub enum ServiceAction {
    /// Write a systemd unit that keeps `celaje serve` running, and say what to do next
    Install(ServiceInstall),
    /// Remove the unit; the record stays
    Uninstall {
        /// The unit of your own services, not of the system's
        #[arg(long, env = "CELAJE_USER", value_parser = FalseyValueParser::new())]
        user: bool,
    },
}

/// `celaje service install`.
#[derive(Clone, Debug, Args)]
pub struct ServiceInstall {
    /// A unit of your own services, not of the system's
    #[arg(long, env = "CELAJE_USER", value_parser = FalseyValueParser::new())]
    pub user: bool,
    /// Print the unit instead of writing it
    #[arg(long, env = "CELAJE_DRY_RUN", value_parser = FalseyValueParser::new())]
    pub dry_run: bool,
    /// Database file [default: that of the settings, else one in the service's own folder]
    #[arg(long, value_name = "FILE", env = "CELAJE_DB")]
    pub db: Option<PathBuf>,
    /// Address and port that the service listens on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT", env = "CELAJE_LISTEN", value_parser = values::socket)]
    pub listen: Option<SocketAddr>,
}

/// `celaje simulate`.
#[derive(Clone, Debug, Args)]
pub struct Simulate {
    /// Port to listen on; 0 takes any free one
    #[arg(long, value_name = "PORT", env = "CELAJE_PORT", default_value_t = 8088, value_parser = whole(0..=u16::MAX))]
    pub port: u16,
    /// Address to listen on
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "CELAJE_BIND",
        default_value = "127.0.0.1",
        value_parser = values::address
    )]
    pub bind: IpAddr,
    /// First minute that has pictures [default: all up to now]
    #[arg(long, alias = "desde", value_name = "TIME", env = "CELAJE_FROM", value_parser = Moment::parse, requires = "to")]
    pub from: Option<Moment>,
    /// Last minute that has pictures
    #[arg(long, alias = "hasta", value_name = "TIME", env = "CELAJE_TO", value_parser = Moment::parse, requires = "from")]
    pub to: Option<Moment>,
    /// What the camera looks at
    #[arg(
        long,
        value_name = "SCENE",
        env = "CELAJE_SCENE",
        default_value = "landscape"
    )]
    pub scene: Scene,
    /// Size of the pictures
    #[arg(long, value_name = "WxH", env = "CELAJE_SIZE", default_value = "800x600", value_parser = values::size)]
    pub size: (u32, u32),
    /// Seed of the weather: another number, another sky
    #[arg(long, value_name = "N", env = "CELAJE_SEED", default_value_t = 1, value_parser = whole(0..=u64::MAX))]
    pub seed: u64,
    /// Station whose sun, clock and name are drawn [default: the first one in celaje.toml, else
    /// rio-grande]
    #[arg(long, value_name = "ID", env = "CELAJE_STATION")]
    pub station: Option<String>,
    /// Where the pictures are served: in a folder a year, at the root, or both
    #[arg(
        long,
        value_name = "LAYOUT",
        env = "CELAJE_SERVED_LAYOUT",
        default_value = "both"
    )]
    pub layout: ServedLayout,
    #[command(flatten)]
    pub spoilt: Spoilt,
}

/// `celaje demo`.
#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// End after the summary instead of showing the dashboard of what was recorded
    #[arg(long, env = "CELAJE_ONCE", value_parser = FalseyValueParser::new())]
    pub once: bool,
    /// Days to record; the last one is yesterday
    #[arg(long, value_name = "N", env = "CELAJE_DAYS", default_value_t = 1, value_parser = whole(1..=31_u32))]
    pub days: u32,
    /// Folder for the demo's database and plot
    #[arg(
        long,
        value_name = "DIR",
        env = "CELAJE_OUT",
        default_value = "celaje-demo"
    )]
    pub out: PathBuf,
    /// What the simulated camera looks at
    #[arg(
        long,
        value_name = "SCENE",
        env = "CELAJE_SCENE",
        default_value = "landscape"
    )]
    pub scene: Scene,
    #[command(flatten)]
    pub inference: Inference,
}

/// `celaje bench`.
#[derive(Clone, Debug, Args)]
pub struct Bench {
    /// Folder of pictures to measure with, at most 400 of them [default: drawn ones]
    #[arg(long, value_name = "FOLDER", env = "CELAJE_DIR")]
    pub dir: Option<PathBuf>,
    /// Size of drawn pictures
    #[arg(long, value_name = "WxH", env = "CELAJE_SIZE", default_value = "480x450", value_parser = values::size)]
    pub size: (u32, u32),
    /// What the camera of drawn pictures looks at
    #[arg(
        long,
        value_name = "SCENE",
        env = "CELAJE_SCENE",
        default_value = "fisheye"
    )]
    pub scene: Scene,
    /// Pictures in a round
    #[arg(long, value_name = "N", env = "CELAJE_COUNT", default_value_t = 1000, value_parser = whole(16..=100_000_usize))]
    pub count: usize,
    /// Rounds; the middle one counts
    #[arg(long, value_name = "N", env = "CELAJE_ROUNDS", default_value_t = 3, value_parser = whole(1..=99_usize))]
    pub rounds: usize,
    /// Milliseconds before each answer of the camera
    #[arg(long, value_name = "MS", env = "CELAJE_LATENCY", default_value_t = 0.0, value_parser = number(0.0..=60_000.0))]
    pub latency: f64,
    /// Megabits a second that the line to the camera carries [default: as many as go through]
    #[arg(long, value_name = "MBIT", env = "CELAJE_BANDWIDTH", value_parser = number(0.01..=100_000.0))]
    pub bandwidth: Option<f64>,
    /// Requests in flight to the camera, always as many [default: their number adapts]
    #[arg(long, value_name = "N", env = "CELAJE_CONCURRENCY", value_parser = whole(settings::CONCURRENCY))]
    pub concurrency: Option<usize>,
    /// Pictures in a full batch [default: what a measurement finds]
    #[arg(long, value_name = "N", env = "CELAJE_BATCH", value_parser = whole(settings::BATCH))]
    pub batch: Option<usize>,
    #[command(flatten)]
    pub inference: Inference,
    /// One JSON object instead of text
    #[arg(long, env = "CELAJE_JSON", value_parser = FalseyValueParser::new())]
    pub json: bool,
    /// Draw the figures into this PNG file
    #[arg(long, value_name = "FILE", env = "CELAJE_PLOT")]
    pub plot: Option<PathBuf>,
}

/// `celaje bench-camera`.
#[derive(Clone, Debug, Args)]
pub struct BenchCamera {
    /// Folder of the pictures
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Milliseconds before each answer
    #[arg(long, value_name = "MS", default_value_t = 0.0, value_parser = number(0.0..=60_000.0))]
    pub latency: f64,
    /// Megabits a second
    #[arg(long, value_name = "MBIT", value_parser = number(0.01..=100_000.0))]
    pub bandwidth: Option<f64>,
}

/// `celaje doctor`.
#[derive(Clone, Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    pub work: Work,
    /// One JSON object instead of text
    #[arg(long, env = "CELAJE_JSON", value_parser = FalseyValueParser::new())]
    pub json: bool,
}

/// `celaje status`.
#[derive(Clone, Debug, Args)]
pub struct Status {
    /// Station to look at, by its id in celaje.toml [default: the first one there, else rio-grande]
    #[arg(long, value_name = "ID", env = "CELAJE_STATION")]
    pub station: Option<String>,
    /// Database file [default: registros-octas.db]
    #[arg(long, value_name = "FILE", env = "CELAJE_DB")]
    pub db: Option<PathBuf>,
    /// One JSON object instead of text
    #[arg(long, env = "CELAJE_JSON", value_parser = FalseyValueParser::new())]
    pub json: bool,
}

/// `celaje runtime`.
#[derive(Clone, Debug, Args)]
pub struct Runtime {
    /// What to do with the library.
    #[command(subcommand)]
    pub action: RuntimeAction,
}

/// What to do with ONNX Runtime's library.
#[derive(Clone, Debug, Subcommand)]
pub enum RuntimeAction {
    /// Fetch the pinned ONNX Runtime, check it and put it into the user's cache
    Install {
        /// A wheel or a library on this disk, instead of the package index
        #[arg(long = "from", value_name = "FILE", env = "CELAJE_RUNTIME_FROM")]
        source: Option<PathBuf>,
        /// Also when one is installed already
        #[arg(long, env = "CELAJE_FORCE", value_parser = FalseyValueParser::new())]
        force: bool,
    },
    /// Print the path of the library that would be used
    Path,
    /// List the libraries that are found; * marks the one that would be used
    List,
}

/// `celaje db`.
#[derive(Clone, Debug, Args)]
pub struct Db {
    #[command(subcommand)]
    pub action: DbAction,
}

/// What to do with the database.
#[derive(Clone, Debug, Subcommand)]
pub enum DbAction {
    /// Copy the database into a file, also while a run writes to it, and verify the copy
    Backup {
        /// The copy
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Replace the file where it is there already
        #[arg(long, env = "CELAJE_FORCE", value_parser = FalseyValueParser::new())]
        force: bool,
        /// Database file [default: registros-octas.db]
        #[arg(long, value_name = "FILE", env = "CELAJE_DB")]
        db: Option<PathBuf>,
    },
    /// Check the file and all that must hold of its rows; status 1 when something does not
    Check {
        /// One JSON object instead of text
        #[arg(long, env = "CELAJE_JSON", value_parser = FalseyValueParser::new())]
        json: bool,
        /// Database file [default: registros-octas.db]
        #[arg(long, value_name = "FILE", env = "CELAJE_DB")]
        db: Option<PathBuf>,
    },
    /// Pack the file; no run may write to it meanwhile
    Vacuum {
        /// Database file [default: registros-octas.db]
        #[arg(long, value_name = "FILE", env = "CELAJE_DB")]
        db: Option<PathBuf>,
    },
    /// List the slots without a reading, and why
    ExportMisses(ExportMisses),
}

/// `celaje db export-misses`.
#[derive(Clone, Debug, Args)]
pub struct ExportMisses {
    /// First minute, station local time: YYYY-MM-DDTHH:MM, or a date [default: the first of all]
    #[arg(long, alias = "desde", value_name = "TIME", env = "CELAJE_FROM", value_parser = Moment::parse)]
    pub from: Option<Moment>,
    /// Last minute, included [default: the last of all]
    #[arg(long, alias = "hasta", value_name = "TIME", env = "CELAJE_TO", value_parser = Moment::parse)]
    pub to: Option<Moment>,
    /// Only this station's [default: all of the database]
    #[arg(long, value_name = "ID", env = "CELAJE_STATION")]
    pub station: Option<String>,
    /// Write a table into this CSV file; - is the standard output, and the default
    #[arg(
        long,
        value_name = "FILE",
        env = "CELAJE_CSV",
        conflicts_with = "jsonl"
    )]
    pub csv: Option<PathBuf>,
    /// Write a JSON object a line into this file; - is the standard output
    #[arg(long, value_name = "FILE", env = "CELAJE_JSONL")]
    pub jsonl: Option<PathBuf>,
    /// Database file [default: registros-octas.db]
    #[arg(long, value_name = "FILE", env = "CELAJE_DB")]
    pub db: Option<PathBuf>,
}

/// `celaje completions`.
#[derive(Clone, Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}
