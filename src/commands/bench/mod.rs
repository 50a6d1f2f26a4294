//! `celaje bench`: what this machine gives, and how far that is from what it could.
//!
//! The stages are measured alone and then all together, on the same pictures, round after round, so
//! that a machine that does other work too shifts both. Nothing is reused for repeated bytes: every
//! picture of a round is fetched, decoded, judged and stored.

pub(super) mod args;
pub(crate) mod arrange;
mod plot;
pub mod report;
pub mod server;
mod stages;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{NaiveDate, TimeDelta};

use crate::camera::Source;
use crate::camera::file_name::is_picture_name;
use crate::clock::Clock;
use crate::commands::bench::report::{
    EngineFigures, Report, Round, Stages, Subject, Whole, median,
};
use crate::commands::bench::server::{Camera, Line};
use crate::commands::bench::stages::broken;
use crate::commands::output;
use crate::service::inference::{Arrangement, open_model};
use crate::service::{Pipeline, RunPolicy, Setup};
use crate::settings::Settings;
use crate::store::Database;
use crate::usage::Usage;
use celaje_simulate::options::SimulateOptions;
use celaje_simulate::{Scene, Studio};
use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::say;
use celaje_sky::slot::{Slot, SlotRange};
use celaje_sky::station::region::Region;
use celaje_sky::station::{LayoutChoice, Station};
use celaje_vision::engine::backend::Engine;
use celaje_vision::engine::choose::{self, EngineChoice};
use celaje_vision::model::source::Model;
use celaje_vision::picture::decode::{Limits, decode};
use celaje_vision::picture::prepare::Frame;
use celaje_vision::reading::Reading;

/// Different pictures that are drawn.
const DRAWN: usize = 36;
/// Pictures of a folder that are used at most: they are kept in memory.
const MOST_PICTURES: usize = 400;
/// Slots before the first round, in which sessions are opened and the window finds its size.
const WARM_UP: usize = 400;
/// How long each arrangement of each engine is tried.
const TRIAL: Duration = Duration::from_millis(250);

/// What is to be measured.
pub struct BenchOptions {
    /// Model, engine, sizes; station and database do not count.
    pub settings: Settings,
    /// A folder of pictures; none has some drawn.
    pub dir: Option<PathBuf>,
    /// Of drawn pictures.
    pub size: (u32, u32),
    /// Of drawn pictures.
    pub scene: Scene,
    /// Pictures in a round.
    pub count: usize,
    /// Rounds.
    pub rounds: usize,
    /// How the camera is reached.
    pub line: Line,
    /// One JSON object instead of text.
    pub json: bool,
    /// Where a plot is written, as PNG.
    pub plot: Option<PathBuf>,
}

/// Runs the command; gives its exit status.
///
/// # Errors
/// What keeps it from measuring.
pub async fn run(options: BenchOptions) -> Result<u8> {
    let (json, plot) = (options.json, options.plot.clone());
    let report = measure(options).await?;
    if json {
        let line = serde_json::to_string(&report).map_err(|error| broken(&error))?;
        output::line(line)?;
    } else {
        output::line(&report)?;
    }
    if let Some(path) = plot {
        plot::write(&report, &path)?;
    }
    Ok(0)
}

/// What the rounds share.
struct Bench {
    pipeline: Pipeline,
    camera: Camera,
    base: url::Url,
    station: Arc<Station>,
    model: Arc<Model>,
    engine: Arc<dyn Engine>,
    tuning: crate::settings::tuning::Tuning,
    arrangement: Arrangement,
    jpegs: Arc<[Bytes]>,
    frames: Arc<[Frame]>,
    reading: Option<Reading>,
}

async fn measure(options: BenchOptions) -> Result<Report> {
    let BenchOptions { mut settings, dir, size, scene, count, rounds, line, .. } = options;
    let tell = |text: celaje_sky::text::Text| {
        if !options.json {
            output::progress(&text);
        }
    };
    let (model, engine) = open_model(&settings, |notice| output::note(notice))?;
    let arrangement = Arrangement::settle(&mut settings, engine.as_ref());
    let tuning = settings.tuning.clone();
    let limits = tuning.picture;
    tell(say!("pictures …", "imágenes …"));
    let jpegs = blocking(move || match dir {
        Some(dir) => read(&dir, &limits),
        None => draw(size, scene),
    })
    .await?;
    let folder = lay_out(&jpegs)?;
    let jpegs: Arc<[Bytes]> = jpegs.into();
    let first = decode(&jpegs[0], &limits).map_err(|error| broken(&error))?;
    let frames: Arc<[Frame]> = stages::frames(&jpegs, &model, &tuning)?.into();
    tell(say!("engines …", "motores …"));
    let engines = engines(&settings, &model, &engine, &frames).await?;

    let camera = Camera::start(folder.path(), line)?;
    let base: url::Url = camera.base().parse().map_err(|error| broken(&error))?;
    let station = Arc::new(Station {
        url_base: camera.base().to_owned(),
        layout: LayoutChoice::Year,
        region: Region::whole(),
        ..Station::rio_grande()
    });
    let record = tempfile::tempdir().map_err(|error| broken(&io_text(&error)))?;
    let database = Database::open(&record.path().join("bench.db"), &station)?.database;
    let reading = stages::reading(engine.as_ref(), &model, &frames[0])?;
    let pipeline = Pipeline::start(Setup {
        station: Arc::clone(&station),
        source: Source::Http(base.clone()),
        model: Arc::clone(&model),
        engine: Arc::clone(&engine),
        database: database.into(),
        tuning: tuning.clone(),
        policy: RunPolicy::default(),
        shadow: None,
        kept: None,
        flow: Arc::default(),
        clock: Clock::SYSTEM,
    })?;
    let subject = Subject {
        cores: cores(),
        pictures: jpegs.len(),
        size: (first.width, first.height),
        bytes: jpegs.iter().map(Bytes::len).sum::<usize>() as f64 / jpegs.len() as f64,
        count,
        latency_ms: 1000.0 * line.latency.as_secs_f64(),
        bandwidth_mbit: line.bytes_per_s.map(|rate| rate * 8.0 / 1e6),
        model: model.label(),
        engine: engine.describe(),
        arrangement,
    };
    let bench = Bench {
        pipeline,
        camera,
        base,
        station,
        model,
        engine,
        tuning,
        arrangement,
        jpegs,
        frames,
        reading,
    };
    let carried = line.bytes_per_s.map_or(f64::INFINITY, |rate| rate / subject.bytes);
    let mut slots = bench.slots();
    bench.whole(&slots.by_ref().take(WARM_UP).collect::<Vec<_>>()).await?;
    let mut done = Vec::new();
    for round in 1..=rounds {
        tell(say!("round {round} of {rounds} …", "ronda {round} de {rounds} …"));
        let slots: Vec<Slot> = slots.by_ref().take(count).collect();
        let stages = bench.stages(&slots).await?;
        let whole = bench.whole(&slots).await?;
        let on_card = bench.engine.on_card();
        done.push(Round::new(stages, whole, subject.cores, on_card, carried));
    }
    let requests_peak = bench.pipeline.gate().peak();
    bench.pipeline.stop().await;
    Ok(Report {
        median: median(&done).ok_or_else(|| broken(&"no round"))?,
        subject,
        engines,
        rounds: done,
        requests_peak,
        peak_memory: Usage::now().map(|used| used.peak_memory),
    })
}

impl Bench {
    /// More slots than any benchmark has rounds for, all of them due: a century before 2024.
    fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        let from = NaiveDate::from_ymd_opt(1924, 1, 1)
            .unwrap_or_default()
            .and_time(chrono::NaiveTime::MIN);
        let range = SlotRange::new(from, from + TimeDelta::days(36_500)).ok();
        let station = Arc::clone(&self.station);
        range.into_iter().flat_map(move |range| range.slots(&station.minutes, station.zone))
    }

    async fn stages(&self, slots: &[Slot]) -> Result<Stages> {
        let fetch = stages::fetch(&self.base, &self.tuning, slots).await?;
        let (jpegs, model, tuning) = (self.jpegs.clone(), self.model.clone(), self.tuning.clone());
        let count = slots.len();
        let decode = blocking(move || stages::decode(&jpegs, &model, &tuning, count)).await?;
        let (engine, model, frames) =
            (self.engine.clone(), self.model.clone(), self.frames.clone());
        let arrangement = self.arrangement;
        let inference =
            blocking(move || stages::inference(engine.as_ref(), &model, arrangement, &frames))
                .await?;
        let (station, model, frames) =
            (self.station.clone(), self.model.clone(), self.frames.clone());
        let (reading, rows, slots) =
            (self.reading.clone(), self.tuning.commit.rows, slots.to_vec());
        let store = blocking(move || {
            stages::store(&station, &model, &frames[0], reading.as_ref(), &slots, rows)
        })
        .await?;
        Ok(Stages { fetch, decode, inference, store })
    }

    async fn whole(&self, slots: &[Slot]) -> Result<Whole> {
        let (Some(first), Some(last)) = (slots.first(), slots.last()) else {
            return Err(broken(&"no slots"));
        };
        let range = SlotRange::new(first.local(), last.local()).map_err(|error| broken(&error))?;
        let flow = self.pipeline.flow();
        let (flowed, camera, before) = (flow.report(), self.camera.cpu().await, Usage::now());
        let report = self.pipeline.run(range).await?;
        let used = before.and_then(|before| Some(Usage::now()?.since(before)));
        let camera_after = self.camera.cpu().await;
        if let Some(failure) = report.end.failure {
            return Err(failure);
        }
        let each = 1.0 / slots.len() as f64;
        let camera = match (camera, camera_after) {
            (Some(before), Some(after)) => after.saturating_sub(before),
            _ => Duration::ZERO,
        };
        let used = used.unwrap_or_default();
        Ok(Whole {
            pictures_per_s: report.end.ledger.new_rows() as f64 / report.elapsed.as_secs_f64(),
            cpu_ms: 1000.0 * used.cpu.as_secs_f64() * each,
            camera_cpu_ms: 1000.0 * camera.as_secs_f64() * each,
            waits: used.waits as f64 * each,
            preemptions: used.preemptions as f64 * each,
            missed: report.end.ledger.missed(),
            flow: flow.report().since(&flowed),
        })
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// `work` on a thread where it may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(broken(&error)))
}

/// The engine of the pipeline and, where it was left open which one, the others, in all
/// arrangements.
async fn engines(
    settings: &Settings,
    model: &Arc<Model>,
    engine: &Arc<dyn Engine>,
    frames: &Arc<[Frame]>,
) -> Result<Vec<EngineFigures>> {
    let mut all = vec![Arc::clone(engine)];
    if settings.engine == EngineChoice::Auto && !engine.describe().starts_with("rten") {
        // Not every network runs on it.
        let rten = choose::engine(EngineChoice::Rten, settings.device, None, model);
        all.extend(rten.ok().map(|(engine, _)| engine));
    }
    let (model, frames) = (Arc::clone(model), Arc::clone(frames));
    blocking(move || {
        let figures = all.iter().map(|engine| EngineFigures {
            engine: engine.describe(),
            measured: arrange::candidates(cores(), engine.on_card())
                .into_iter()
                .filter_map(|candidate| {
                    arrange::measure(engine.as_ref(), &model, candidate, &frames, TRIAL).ok()
                })
                .collect(),
        });
        Ok(figures.collect())
    })
    .await
}

/// The pictures of a folder, in the order of their names.
fn read(folder: &Path, limits: &Limits) -> Result<Vec<Bytes>> {
    let shown = folder.display();
    let cannot = |why: &dyn std::fmt::Display| {
        Failure::usage(say!(
            "no pictures can be taken from '{shown}': {why}; check --dir",
            "no se pueden tomar imágenes de '{shown}': {why}; revise --dir"
        ))
    };
    let entries = std::fs::read_dir(folder).map_err(|error| cannot(&io_text(&error)))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_picture_name(path))
        .collect();
    paths.sort();
    paths.truncate(MOST_PICTURES);
    let mut pictures = Vec::new();
    for path in paths {
        let bytes = std::fs::read(&path).map_err(|error| cannot(&io_text(&error)))?;
        if let Err(error) = decode(&bytes, limits) {
            let (path, why) = (path.display(), error.text());
            return Err(cannot(&format!("{path}: {why}")));
        }
        pictures.push(Bytes::from(bytes));
    }
    if pictures.is_empty() {
        return Err(cannot(&say!("there are none", "no hay ninguna")));
    }
    Ok(pictures)
}

/// Pictures of a day and a night.
fn draw(size: (u32, u32), scene: Scene) -> Result<Vec<Bytes>> {
    let options = SimulateOptions { size, scene, ..SimulateOptions::default() };
    let studio = Studio::new(options.spec());
    let moments: Vec<Slot> = (0..DRAWN)
        .filter_map(|k| {
            let minutes = 24 * 60 * k / DRAWN / 10 * 10 + 2;
            let local = NaiveDate::from_ymd_opt(2024, 3, 1)?.and_time(chrono::NaiveTime::MIN)
                + TimeDelta::minutes(i64::try_from(minutes).ok()?);
            Slot::at(local, options.zone)
        })
        .collect();
    let share = moments.len().div_ceil(cores()).max(1);
    std::thread::scope(|scope| {
        let studio = &studio;
        let threads: Vec<_> = moments
            .chunks(share)
            .map(|part| {
                scope.spawn(move || {
                    part.iter()
                        .map(|slot| studio.draw(*slot).map(|drawn| Bytes::from(drawn.jpeg)))
                        .collect::<std::result::Result<Vec<_>, _>>()
                })
            })
            .collect();
        let mut all = Vec::new();
        for thread in threads {
            let drawn = thread.join().map_err(|_| broken(&"a panic"))?;
            all.extend(drawn.map_err(|error| broken(&error))?);
        }
        Ok(all)
    })
}

/// The pictures as files, for the camera.
fn lay_out(pictures: &[Bytes]) -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir().map_err(|error| broken(&io_text(&error)))?;
    for (k, picture) in pictures.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{k:04}.jpg")), picture)
            .map_err(|error| broken(&error))?;
    }
    Ok(folder)
}
