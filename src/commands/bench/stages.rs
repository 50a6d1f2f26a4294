//! Each stage alone, on the pictures and in the arrangement of the whole pipeline.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::actors::session::observation;
use crate::camera::http::HttpClient;
use crate::camera::{SearchResult, Source, look_for};
use crate::clock::Clock;
use crate::commands::bench::arrange::measure;
use crate::commands::bench::report::Alone;
use crate::service::inference::Arrangement;
use crate::settings::tuning::Tuning;
use crate::store::{CommitMode, Database, PictureSource, RunKind, RunStart};
use crate::usage::Usage;
use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::layout::LayoutBook;
use celaje_sky::outcome::Outcome;
use celaje_sky::say;
use celaje_sky::slot::{Slot, SlotRange};
use celaje_sky::station::region::Region;
use celaje_sky::station::{LayoutChoice, Station, Trust};
use celaje_vision::engine::backend::Engine;
use celaje_vision::model::source::Model;
use celaje_vision::picture::prepare::{Frame, prepare};
use celaje_vision::reading::{Reading, run_batch};

/// How long inference is measured.
const INFERENCE: Duration = Duration::from_millis(800);

/// Measures what happens until `finish` is called.
struct Watch {
    begun: Instant,
    before: Option<Usage>,
}

impl Watch {
    fn start() -> Self {
        Self { before: Usage::now(), begun: Instant::now() }
    }

    fn finish(self, pictures: usize) -> Alone {
        let elapsed = self.begun.elapsed().as_secs_f64();
        let used = self.before.and_then(|before| Some(Usage::now()?.since(before)));
        let cpu = used.map_or(0.0, |used| used.cpu.as_secs_f64());
        let pictures = pictures.max(1) as f64;
        Alone { cpu_ms: 1000.0 * cpu / pictures, pictures_per_s: pictures / elapsed }
    }
}

/// Requests to the camera for `slots`, as many in flight as the pipeline would have.
///
/// # Errors
/// When a picture does not come.
pub async fn fetch(base: &url::Url, tuning: &Tuning, slots: &[Slot]) -> Result<Alone> {
    let source = Source::Http(base.clone());
    let gate = Arc::new(tuning.gate());
    let client = HttpClient::new(
        Some(base),
        &Trust::default(),
        tuning.http.clone(),
        CancellationToken::new(),
    )
    .map_err(|error| broken(&error))?
    .through(Arc::clone(&gate));
    let book = Mutex::new(LayoutBook::new(LayoutChoice::Year, 2000, []));
    let one = |slot: Slot| {
        let (source, client, book, gate) = (&source, &client, &book, &gate);
        async move {
            let _pass = gate.enter().await;
            look_for(source, client, book, slot, Clock::SYSTEM).await
        }
    };
    // The window finds its size first.
    let (first, rest) = slots.split_at(slots.len() / 4);
    let ask = |slots: Vec<Slot>| {
        futures_util::stream::iter(slots).map(one).buffer_unordered(tuning.concurrency).fold(
            0,
            |missed, found| async move {
                missed + usize::from(!matches!(found, SearchResult::Picture(..)))
            },
        )
    };
    let missed = ask(first.to_vec()).await;
    let watch = Watch::start();
    let missed = missed + ask(rest.to_vec()).await;
    if missed > 0 {
        return Err(broken(&format!("{missed} pictures did not come")));
    }
    Ok(watch.finish(rest.len()))
}

/// `count` pictures from bytes to frames on `tuning.decoders` threads; a first few do not count.
///
/// # Errors
/// When a picture does not decode.
pub fn decode(jpegs: &[Bytes], model: &Model, tuning: &Tuning, count: usize) -> Result<Alone> {
    let run = |count: usize| -> Result<()> {
        let next = AtomicUsize::new(0);
        let (next, region) = (&next, &Region::whole());
        let work = move || -> Result<()> {
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                if place >= count {
                    return Ok(());
                }
                let jpeg = &jpegs[place % jpegs.len()];
                let frame = prepare(jpeg, &model.manifest, region, &tuning.picture);
                std::hint::black_box(frame.map_err(|error| broken(&error))?);
            }
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..tuning.decoders).map(|_| scope.spawn(work)).collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(broken(&"a panic"))))
        })
    };
    run(tuning.decoders * 4)?;
    let watch = Watch::start();
    run(count)?;
    Ok(watch.finish(count))
}

/// Frames of the pictures.
///
/// # Errors
/// When a picture does not decode.
pub fn frames(jpegs: &[Bytes], model: &Model, tuning: &Tuning) -> Result<Vec<Frame>> {
    jpegs
        .iter()
        .map(|jpeg| {
            prepare(jpeg, &model.manifest, &Region::whole(), &tuning.picture)
                .map_err(|error| broken(&error))
        })
        .collect()
}

/// The network, and what is read from its numbers.
///
/// # Errors
/// When it does not run.
pub fn inference(
    engine: &dyn Engine,
    model: &Model,
    arrangement: Arrangement,
    frames: &[Frame],
) -> Result<Alone> {
    let measured =
        measure(engine, model, arrangement, frames, INFERENCE).map_err(|error| broken(&error))?;
    Ok(Alone { cpu_ms: measured.cpu_ms.unwrap_or(0.0), pictures_per_s: measured.pictures_per_s })
}

/// A reading of the first frame, for rows that are like real ones.
///
/// # Errors
/// When the network does not run.
pub fn reading(engine: &dyn Engine, model: &Model, frame: &Frame) -> Result<Option<Reading>> {
    let mut session = engine.open(1).map_err(|error| broken(&error))?;
    let readings =
        run_batch(session.as_mut(), &model.manifest, &[frame], &Region::whole(), &mut Vec::new());
    let readings = readings.map_err(|error| broken(&error))?;
    Ok(readings.into_iter().next().and_then(std::result::Result::ok))
}

/// Rows for `slots` into a new record, in transactions of the pipeline's size.
///
/// # Errors
/// When the record cannot be written.
pub fn store(
    station: &Station,
    model: &Model,
    frame: &Frame,
    reading: Option<&Reading>,
    slots: &[Slot],
    rows: usize,
) -> Result<Alone> {
    let folder = tempfile::tempdir().map_err(|error| broken(&io_text(&error)))?;
    let mut database = Database::open(&folder.path().join("bench.db"), station)?.database;
    let (Some(first), Some(last)) = (slots.first(), slots.last()) else {
        return Ok(Alone::default());
    };
    let range = SlotRange::new(first.local(), last.local()).map_err(|error| broken(&error))?;
    let run = database.begin_run(&RunStart {
        kind: RunKind::Backfill,
        range,
        source: PictureSource::default(),
        version: crate::version::VERSION.to_owned(),
        engine: String::new(),
        model: model.label(),
    })?;
    let outcomes: Vec<Outcome> = slots
        .iter()
        .map(|slot| {
            let url = format!("http://127.0.0.1/{}/{}", slot.year(), slot.file_name());
            let row = observation(station, model, *slot, url, frame, reading);
            Outcome::Observed(Box::new(row))
        })
        .collect();
    let watch = Watch::start();
    for slice in outcomes.chunks(rows.max(1)) {
        database.commit(run, CommitMode::Insert, slice)?;
    }
    Ok(watch.finish(slots.len()))
}

/// What keeps a benchmark from being made.
pub fn broken(why: &dyn std::fmt::Display) -> Failure {
    Failure::environment(say!(
        "the benchmark cannot go on: {why}",
        "la prueba no puede seguir: {why}"
    ))
}
