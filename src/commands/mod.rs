//! A file, or a folder, a command: its flags, its help in Spanish and its work.
//!
//! The doc comments of flags are their help in English.

mod alert;
pub mod backfill;
pub mod bench;
mod completions;
mod db;
mod demo;
mod doctor;
pub mod evaluate;
mod explain;
mod export;
mod init;
mod label;
mod labels;
mod lens;
mod man;
mod merge;
mod old_script;
mod ordered;
pub mod output;
pub mod predict;
pub mod progress;
mod range;
mod recalibrate;
mod replacement;
mod report;
pub mod runtime;
pub mod serve;
pub mod signals;
pub mod simulate;
mod spanish;
pub mod status;
mod timelapse;
pub mod version;
mod worker;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::service::notices;
use crate::settings::Settings;
use crate::settings::values::name_of;
use crate::store::ReadableRecord;
use crate::store::error::StoreError;
use celaje_sky::error::Result;
use celaje_sky::say;
use celaje_sky::text::{BadValue, Lang};

/// Heading of the flags that every command has.
const GLOBAL: &str = "Global options";

/// Turns a sky camera into a trustworthy record of cloud cover.
#[derive(Debug, Parser)]
#[command(name = "celaje", version, propagate_version = false, max_term_width = 100)]
#[command(disable_version_flag = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    command: Option<Command>,
    /// Print the version, its commit and the inference engines
    #[arg(long, short = 'V')]
    version: bool,
}

// A doc comment here would be printed as help.
#[derive(Clone, Debug, Args)]
pub struct GlobalArgs {
    /// Settings file [default: ./celaje.toml, then the user's configuration folder]
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "FILE", env = "CELAJE_CONFIG")]
    config: Option<PathBuf>,
    /// Language of the messages [default: that of the environment]
    #[arg(
        long,
        global = true,
        help_heading = GLOBAL,
        value_name = "LANG",
        env = "CELAJE_LANG",
        value_parser = name_of(Lang::NAMES)
    )]
    lang: Option<Lang>,
    /// What is logged to stderr: off, error, warn, info, debug, trace, or a filter such as
    /// celaje=debug
    #[arg(
        long,
        global = true,
        help_heading = GLOBAL,
        value_name = "FILTER",
        env = "CELAJE_LOG",
        default_value = "warn",
        value_parser = checked_log_filter
    )]
    log: String,
}

impl GlobalArgs {
    /// The filter of the log, which was checked when the command line was parsed.
    pub fn log_filter(&self) -> EnvFilter {
        log_filter(&self.log)
    }
}

/// The record of `settings` as it can be read; says so where that is a copy.
fn readable(settings: &Settings) -> Result<ReadableRecord, StoreError> {
    let record = ReadableRecord::of(&settings.db, &settings.station)?;
    if let Some(notice) = notices::copied(&settings.db, &record) {
        output::note(notice);
    }
    Ok(record)
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fetch, classify and store the pictures of a range of time
    Backfill(backfill::BackfillArgs),
    /// Read the pictures that a backfill on another machine asks for, through a queue
    Worker(worker::WorkerArgs),
    /// Classify picture files; no database is touched
    Predict(predict::args::PredictArgs),
    /// Measure a model on labelled pictures
    Evaluate(evaluate::args::EvaluateArgs),
    /// Watch the cameras, fill the record as pictures come, and show it over HTTP
    Serve(serve::ServeArgs),
    /// Serve drawn pictures of a sky camera on loopback
    Simulate(simulate::SimulateArgs),
    /// Show the whole program at work on drawn pictures
    Demo(demo::DemoArgs),
    /// Measure each stage and the whole pipeline, and compare with what the machine can give
    Bench(bench::args::BenchArgs),
    /// The camera of a benchmark, in a process of its own
    #[command(hide = true)]
    BenchCamera(bench::args::BenchCameraArgs),
    /// Look at a camera, find how its pictures are named, and write celaje.toml
    Init(init::InitArgs),
    /// Check engine, model, database and camera, and say what to do about each
    Doctor(doctor::DoctorArgs),
    /// Look after the database: back it up, check it, compact it, merge others, list misses
    Db(db::DbArgs),
    /// Write the record into files: CSV, JSON lines, Parquet, NetCDF, a table for BUFR
    Export(export::RecordExportArgs),
    /// Write a report of a station that can be cited, as a PDF
    Report(report::ReportArgs),
    /// Make a film of a night or a day of the pictures that were kept
    Timelapse(timelapse::TimelapseArgs),
    /// Show the pictures of a folder to be labelled in the browser
    Label(label::LabelArgs),
    /// Write the labelled pictures into a folder, for training and evaluation
    Labels(labels::LabelsArgs),
    /// Fit the confidence to a station's labels, and give it to the stored readings too
    Recalibrate(recalibrate::RecalibrateArgs),
    /// Show what the record holds, which process writes it, and how the last run went
    Status(status::StatusArgs),
    /// Look after the alerts: send a test message
    Alert(alert::AlertArgs),
    /// Find the circle of a fisheye lens in a few pictures and draw it over one
    Lens(lens::LensArgs),
    /// Install or find the inference engine's library
    Runtime(runtime::RuntimeArgs),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
    /// Write the manual pages
    Man(man::ManArgs),
}

impl Cli {
    /// The command line, with its help in `lang`.
    fn command_in(lang: Lang) -> clap::Command {
        Self::localized(Self::command(), lang)
    }

    fn localized(command: clap::Command, lang: Lang) -> clap::Command {
        match lang {
            Lang::Es => spanish::localize(command),
            Lang::En => command,
        }
    }

    /// Parses the command line, with help and errors in `lang`.
    pub fn parse_in(lang: Lang) -> std::result::Result<Self, ExitCode> {
        let command = Self::command_in(lang);
        let parsed = explain::without_empty_variables(command.clone())
            .try_get_matches()
            .and_then(|matches| Self::from_arg_matches(&matches));
        parsed.map_err(|error| {
            let lossy = |arg: OsString| arg.to_string_lossy().into_owned();
            let args: Vec<String> = std::env::args_os().skip(1).map(lossy).collect();
            match explain::explain(&error, &command, &args) {
                Some(text) => {
                    output::note(format!("celaje: {text}"));
                    ExitCode::from(2)
                }
                None => error.exit(),
            }
        })
    }

    /// Does what the command line asks for, inside an actix system; returns the exit status.
    pub async fn run(self) -> Result<u8> {
        let config = self.global.config.as_deref();
        if self.version {
            return version::run(config);
        }
        let Some(command) = self.command else {
            output::note(say!(
                "Celaje turns a sky camera into a trustworthy record of cloud cover.\n\n  \
                celaje demo      shows it at work on drawn pictures: start here\n  \
                celaje init      looks at your camera and writes celaje.toml\n  \
                celaje doctor    checks engine, model, database and camera\n  \
                celaje serve     watches the camera and shows the record on a page\n  \
                celaje --help    lists all commands",
                "Celaje convierte una cámara de cielo en un registro confiable de nubosidad.\n\n  \
                celaje demo      lo muestra en marcha con imágenes dibujadas: empiece aquí\n  \
                celaje init      mira su cámara y escribe celaje.toml\n  \
                celaje doctor    comprueba motor, modelo, base de datos y cámara\n  \
                celaje serve     vigila la cámara y muestra el registro en una página\n  \
                celaje --help    enumera todos los comandos"
            ));
            return Ok(2);
        };
        match command {
            Command::Backfill(args) => args.run(config).await,
            Command::Worker(args) => args.run(config).await,
            Command::Predict(args) => args.run(config),
            Command::Evaluate(args) => args.run(config),
            Command::Serve(args) => args.run(config).await,
            Command::Simulate(args) => args.run(config).await,
            Command::Demo(args) => args.run(config).await,
            Command::Bench(args) => args.run(config).await,
            Command::BenchCamera(args) => args.run().await,
            Command::Init(args) => args.run(config).await,
            Command::Doctor(args) => args.run(config).await,
            Command::Db(args) => args.run(config),
            Command::Export(args) => args.run(config),
            Command::Report(args) => args.run(config),
            Command::Timelapse(args) => args.run(config),
            Command::Label(args) => args.run(config).await,
            Command::Labels(args) => args.run(config).await,
            Command::Recalibrate(args) => args.run(config),
            Command::Status(args) => args.run(config),
            Command::Alert(args) => args.run(config).await,
            Command::Lens(args) => args.run(),
            Command::Runtime(args) => args.run(config),
            Command::Completions(args) => args.run(),
            Command::Man(args) => args.run(),
        }
    }
}

/// The user's filter of the log. That ONNX Runtime is newer than the crate that loads it is
/// harmless and not said: its interface only grows. The error about a certificate that is not
/// trusted is this
/// program's, with what to do; the verifier's own is logged only by a filter that names the
/// verifier. What clients send that is no HTTP is an error of theirs, which the HTTP library calls
/// one of the program: it is logged for who asks for more than warnings.
fn log_filter(users: &str) -> EnvFilter {
    match users.trim() {
        "" => EnvFilter::new(""),
        users => {
            let asked = users.parse::<EnvFilter>().ok().and_then(|filter| filter.max_level_hint());
            let clients = match asked.is_some_and(|level| level > LevelFilter::WARN) {
                true => "",
                false => "actix_http::h1::dispatcher=off,actix_http::h1::decoder=off,",
            };
            let others = "rustls_platform_verifier=off,ort=error";
            // Of two directives with one target, the later one counts.
            EnvFilter::new(format!("{clients}{others},{users}"))
        }
    }
}

/// Checks a filter of the log.
fn checked_log_filter(text: &str) -> std::result::Result<String, BadValue> {
    match text.parse::<EnvFilter>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(BadValue(say!(
            "write off, error, warn, info, debug, trace, or a filter such as celaje=debug",
            "escriba off, error, warn, info, debug, trace, o un filtro como celaje=debug"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_filter_of_the_log_wins() {
        for (users, verifier) in [
            ("warn", "rustls_platform_verifier=off"),
            ("debug", "rustls_platform_verifier=off"),
            ("warn,rustls_platform_verifier=info", "rustls_platform_verifier=info"),
            ("rustls_platform_verifier=trace", "rustls_platform_verifier=trace"),
        ] {
            let filter = log_filter(users).to_string();
            let about: Vec<_> = filter.split(',').filter(|d| d.starts_with("rustls")).collect();
            assert_eq!(about, [verifier], "{users}");
        }
        assert_eq!(log_filter("").to_string(), "error");
        for (users, clients) in [("warn", 2), ("celaje=error", 2), ("debug", 0), ("info", 0)] {
            let filter = log_filter(users).to_string();
            assert_eq!(filter.matches("actix_http::h1::").count(), clients, "{filter}");
        }
    }
}
