//! One file a subcommand: each takes its options, does its work, and gives an exit status.

pub mod backfill;
pub mod bench;
pub mod db;
pub mod demo;
pub mod doctor;
pub mod evaluate;
mod ordered;
pub mod output;
pub mod predict;
pub mod progress;
pub mod runtime;
pub mod serve;
pub mod service;
pub mod signals;
pub mod simulate;
pub mod status;
pub mod version;

use std::path::Path;
use std::time::Duration;

use chrono::Datelike;
use clap::CommandFactory;

use crate::cli::{self, Cli, Command, Global, RuntimeAction};
use crate::service::RunPolicy;
use crate::service::inference::open_model;
use crate::service::request::check_range;
use crate::settings::{Layer, Settings};
use celaje_simulate::options::SimulateOptions;
use celaje_sky::error::{Failure, Result};
use celaje_sky::moment::Moment;
use celaje_sky::say;
use celaje_sky::slot::{SlotRange, YEARS};
use celaje_sky::station::region::Region;
use celaje_vision::engine::install::Install;

/// Does what the command line asks for; gives the exit status.
///
/// To be called inside an actix system.
///
/// # Errors
/// What the user has to act on.
pub async fn dispatch(cli: Cli) -> Result<u8> {
    let Global { config, .. } = cli.global;
    let config = config.as_deref();
    if cli.version {
        let named = settle(Layer::default(), config).map(|settings| settings.ort_lib);
        output::line(version::long(named))?;
        return Ok(0);
    }
    let Some(command) = cli.command else {
        return Err(Failure::usage(say!(
            "no command was given; `celaje --help` lists them",
            "falta una orden; `celaje --help` las enumera"
        )));
    };
    match command {
        Command::Backfill(args) => backfill(args, config).await,
        Command::Predict(args) => predict(args, config),
        Command::Evaluate(args) => evaluate(args, config),
        Command::Serve(args) => serve::run(args, config).await,
        Command::Service(args) => service::run(args.action, config),
        Command::Simulate(args) => simulate::run(simulate_options(&args, config)?).await,
        Command::Demo(args) => {
            let settings = settle(args.inference.layer(), config)?;
            let cli::Demo {
                once,
                days,
                out,
                scene,
                ..
            } = args;
            demo::run(demo::DemoOptions {
                settings,
                days,
                out,
                scene,
                once,
            })
            .await
        }
        Command::Bench(args) => {
            let flags = Layer {
                concurrency: args.concurrency,
                batch: args.batch,
                ..args.inference.layer()
            };
            let mut settings = settle(flags, config)?;
            // What is polite to a camera says nothing about this machine.
            settings.tuning.max_rps = None;
            settings.tuning.adaptive = args.concurrency.is_none();
            if settings.tuning.adaptive {
                settings.tuning.concurrency = crate::settings::MAX_CONCURRENCY;
                settings.tuning.http.keep_alive = crate::settings::MAX_CONCURRENCY;
            }
            bench::run(bench::BenchOptions {
                settings,
                dir: args.dir,
                size: args.size,
                scene: args.scene,
                count: args.count,
                rounds: args.rounds,
                line: line(args.latency, args.bandwidth),
                json: args.json,
                plot: args.plot,
            })
            .await
        }
        Command::BenchCamera(args) => {
            bench::server::serve(args.folder, line(args.latency, args.bandwidth)).await
        }
        Command::Doctor(args) => doctor::run(settle(args.work.layer(), config)?, args.json).await,
        Command::Db(args) => db::run(args.action, config),

        Command::Status(args) => {
            let flags = Layer {
                station: args.station,
                db: args.db,
                ..Layer::default()
            };
            status::run(&settle(flags, config)?, args.json)
        }
        Command::Runtime(args) => runtime(args.action, config),
        Command::Completions(args) => {
            let mut command = Cli::command();
            let mut script = Vec::new();
            clap_complete::generate(args.shell, &mut command, "celaje", &mut script);
            output::line(String::from_utf8_lossy(&script).trim_end())?;
            Ok(0)
        }
    }
}

/// The line to the camera of a benchmark; milliseconds and megabits a second.
fn line(latency: f64, bandwidth: Option<f64>) -> bench::server::Line {
    bench::server::Line {
        latency: Duration::from_secs_f64(latency / 1000.0),
        bytes_per_s: bandwidth.map(|rate| rate * 1e6 / 8.0),
    }
}

pub(crate) fn settle(flags: Layer, config: Option<&Path>) -> Result<Settings> {
    Settings::resolve(flags, config, |name| std::env::var(name).ok())
}

/// The range between two flags.
fn ordered(from: Moment, to: Moment, from_flag: &str, to_flag: &str) -> Result<SlotRange> {
    for (flag, year) in [
        (from_flag, from.first().year()),
        (to_flag, to.last().year()),
    ] {
        if !YEARS.contains(&year) {
            let (first, last) = (YEARS.start(), YEARS.end());
            return Err(Failure::usage(say!(
                "{flag} is in the year {year}; file names have years from {first} to {last}",
                "{flag} es del año {year}; los nombres de archivo llevan años de {first} a {last}"
            )));
        }
    }
    Moment::range(from, to).map_err(|e| {
        let form = "%Y-%m-%dT%H:%M";
        let (from, to) = (e.from.format(form), e.to.format(form));
        Failure::usage(say!(
            "{to_flag} ({to}) lies before {from_flag} ({from}); swap them",
            "{to_flag} ({to}) es anterior a {from_flag} ({from}); inviértalos"
        ))
    })
}

async fn backfill(args: cli::Backfill, config: Option<&Path>) -> Result<u8> {
    let range = ordered(args.desde, args.hasta, "--desde", "--hasta")?;
    let settings = settle(args.work.layer(), config)?;
    check_range(range, &settings.station)?;
    backfill::run(backfill::BackfillOptions {
        settings,
        range,
        dir: args.dir,
        policy: RunPolicy {
            retry_missed: args.retry_missed,
            reprocess: args.reprocess,
        },
        stats: args.stats,
        json: args.json,
        quiet: args.quiet,
    })
    .await
}

fn simulate_options(args: &cli::Simulate, config: Option<&Path>) -> Result<SimulateOptions> {
    let flags = Layer {
        station: args.station.clone(),
        ..Layer::default()
    };
    let station = settle(flags, config)?.station;
    let range = match (args.from, args.to) {
        (Some(from), Some(to)) => Some(ordered(from, to, "--from", "--to")?),
        _ => None,
    };
    Ok(SimulateOptions {
        bind: args.bind,
        port: args.port,
        range,
        scene: args.scene,
        size: args.size,
        seed: args.seed,
        layout: args.layout,
        conditions: args.spoilt.conditions(),
        ..SimulateOptions::for_station(&station)
    })
}

fn predict(args: cli::Predict, config: Option<&Path>) -> Result<u8> {
    let region_wanted = args.station.is_some();
    let flags = Layer {
        station: args.station,
        ..args.inference.layer()
    };
    let settings = settle(flags, config)?;
    let (model, engine) = open_model(&settings, |notice| output::note(notice))?;
    output::tell_engine(&model.label(), &engine.describe());
    let options = predict::PredictOptions {
        inputs: args.paths,
        json: args.json,
        overlay: args.overlay,
        frames: args.frames,
        region: if region_wanted {
            settings.station.region
        } else {
            Region::whole()
        },
        threads: settings.tuning.threads,
        limits: settings.tuning.picture,
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let summary = predict::run(&options, &model.manifest, &engine, &mut out)?;
    Ok(summary.exit_status())
}

fn evaluate(args: cli::Evaluate, config: Option<&Path>) -> Result<u8> {
    let region_wanted = args.station.is_some();
    let flags = Layer {
        station: args.station,
        ..args.inference.layer()
    };
    let settings = settle(flags, config)?;
    let (model, engine) = open_model(&settings, |notice| {
        if !args.quiet {
            output::note(notice);
        }
    })?;
    let station = settings.station;
    evaluate::run(
        &evaluate::EvaluateOptions {
            labels: args.labels,
            groups: args.group,
            json: args.json,
            out: args.out,
            plot: args.plot,
            against: args.against,
            region: region_wanted.then_some((station.id, station.region)),
            threads: settings.tuning.threads,
            limits: settings.tuning.picture,
            quiet: args.quiet,
        },
        &model.manifest,
        &engine,
    )
}

fn runtime(action: RuntimeAction, config: Option<&Path>) -> Result<u8> {
    let settings = settle(Layer::default(), config)?;
    let explicit = settings.ort_lib.as_deref();
    match action {
        RuntimeAction::Install { source, force } => {
            output::line(runtime::install(&Install {
                from: source,
                force,
            })?)?;
        }
        RuntimeAction::Path => output::line(runtime::path(explicit)?.display())?,
        RuntimeAction::List => {
            for found in runtime::list(explicit)? {
                let (mark, path) = (
                    if found.used { "*" } else { " " },
                    found.candidate.path.display(),
                );
                output::line(format!("{mark} {} {path}", found.version))?;
            }
        }
    }
    Ok(0)
}
