//! Each stage of the pipeline alone, on pictures that the simulator draws: what a picture costs on
//! one thread. `cargo bench` runs them all, `cargo bench -- inference` those that contain the word.
//!
//! ONNX Runtime is measured where its library is found (`CELAJE_ORT_LIB` names one), `rten` always.
//! Times are wall-clock: on a machine that does other work the least of several runs counts.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that cannot be set up has nothing better to do than to stop"
)]

#[path = "stages/figures.rs"]
mod figures;
#[path = "stages/flow.rs"]
mod flow;
#[path = "stages/pictures.rs"]
mod pictures;
#[path = "stages/reading.rs"]
mod reading;
#[path = "stages/record.rs"]
mod record;

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;

use celaje_sky::okta::Okta;
use celaje_sky::station::region::Region;
use celaje_vision::engine::backend::{Device, Engine, InputBatch};
use celaje_vision::engine::choose::{self, EngineChoice};
use celaje_vision::model::source::Model;
use celaje_vision::picture::decode::{Limits, decode};
use celaje_vision::picture::prepare::{Frame, prepare, prepare_decoded};
use celaje_vision::reading::{read, run_batch};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

use pictures::{SIZES, Sky};

/// The size of common large sky cameras.
const LARGE: (u32, u32) = (4056, 3040);
/// Pictures in a batch.
const BATCHES: [usize; 3] = [1, 4, 8];

/// JPEG to pixels, and JPEG to the frame that is sent to the network.
fn decoding(criterion: &mut Criterion) {
    let model = Model::bundled().unwrap();
    let (region, limits) = (Region::whole(), Limits::default());
    let mut group = criterion.benchmark_group("picture");
    group.throughput(Throughput::Elements(1));
    for size in SIZES.into_iter().chain([LARGE]) {
        let sky = Sky::of(size);
        let mut jpegs = sky.jpegs.iter().cycle();
        let mut next = || jpegs.next().unwrap();
        group.bench_function(BenchmarkId::new("decode", &sky.name), |b| {
            b.iter(|| decode(black_box(next()), &limits).unwrap());
        });
        let decoded: Vec<_> = sky.jpegs.iter().map(|jpeg| decode(jpeg, &limits).unwrap()).collect();
        let mut pictures = decoded.iter().cycle();
        group.bench_function(BenchmarkId::new("cut_and_resize", &sky.name), |b| {
            b.iter(|| {
                let picture = pictures.next().unwrap();
                prepare_decoded(picture, String::new(), &model.manifest, &region).unwrap()
            });
        });
        let mut jpegs = sky.jpegs.iter().cycle();
        group.bench_function(BenchmarkId::new("prepare", &sky.name), |b| {
            b.iter(|| prepare(jpegs.next().unwrap(), &model.manifest, &region, &limits).unwrap());
        });
    }
    group.finish();
}

fn frames(model: &Model, n: usize) -> Vec<Frame> {
    let sky = Sky::of(SIZES[0]);
    let prepared =
        sky.jpegs.iter().cycle().take(n).map(|jpeg| {
            prepare(jpeg, &model.manifest, &Region::whole(), &Limits::default()).unwrap()
        });
    prepared.collect()
}

/// A frame to the numbers that the network is fed.
fn tensor(criterion: &mut Criterion) {
    let model = Model::bundled().unwrap();
    let frames = frames(&model, 1);
    let mut numbers = vec![0.0; frames[0].pixels.len()];
    let mut group = criterion.benchmark_group("tensor");
    group.throughput(Throughput::Elements(1));
    group.bench_function("write", |b| {
        b.iter(|| frames[0].write_tensor(&model.manifest.input, black_box(&mut numbers)));
    });
    group.finish();
}

/// A network's numbers to an okta, whatever engine there is.
fn readings(criterion: &mut Criterion) {
    let model = Model::bundled().unwrap();
    reading::readings(criterion, &frames(&model, 1)[0]);
}

/// The engines of this machine, one thread a session, with their names.
fn engines(model: &Model) -> Vec<(&'static str, Arc<dyn Engine>)> {
    let library = std::env::var_os("CELAJE_ORT_LIB").map(PathBuf::from);
    let all = [("onnxruntime", EngineChoice::OnnxRuntime), ("rten", EngineChoice::Rten)];
    let mut found = Vec::new();
    for (name, choice) in all {
        match choose::engine(choice, Device::Cpu, library.as_deref(), model) {
            Ok((engine, _)) => found.push((name, engine)),
            Err(failure) => eprintln!("{name} is left out: {failure}"),
        }
    }
    found
}

/// The network alone, a picture's share of a batch; and what is read from its numbers.
fn inference(criterion: &mut Criterion) {
    let model = Model::bundled().unwrap();
    let input = &model.manifest.input;
    let (height, width) = (input.height as usize, input.width as usize);
    let engines = engines(&model);
    let mut group = criterion.benchmark_group("inference");
    for (name, engine) in &engines {
        for n in BATCHES {
            let mut session = engine.open(1).unwrap();
            let mut data = vec![0.0; n * 3 * height * width];
            for (frame, out) in frames(&model, n).iter().zip(data.chunks_mut(3 * height * width)) {
                frame.write_tensor(input, out);
            }
            let shape = [n, 3, height, width];
            group.throughput(Throughput::Elements(n as u64));
            group.bench_function(BenchmarkId::new(*name, n), |b| {
                b.iter(|| session.run(InputBatch { data: &data, shape }).unwrap());
            });
        }
    }
    group.finish();

    let Some((_, engine)) = engines.first() else {
        return;
    };
    let mut session = engine.open(1).unwrap();
    let (frames, region) = (frames(&model, 1), Region::whole());
    let mut data = vec![0.0; 3 * height * width];
    frames[0].write_tensor(input, &mut data);
    let shape = [1, 3, height, width];
    let output = session.run(InputBatch { data: &data, shape }).unwrap();
    let mut group = criterion.benchmark_group("reading");
    group.throughput(Throughput::Elements(1));
    group.bench_function("numbers_to_okta", |b| {
        b.iter(|| {
            let numbers = black_box(&output.data);
            read(numbers, &output.shape[1..], &model.manifest, &frames[0], &region, false)
        });
    });
    let mut buffer = Vec::new();
    let refs: Vec<&Frame> = frames.iter().collect();
    group.bench_function("frame_to_okta", |b| {
        b.iter(|| {
            run_batch(session.as_mut(), &model.manifest, &refs, &region, &mut buffer).unwrap()
        });
    });
    group.finish();
}

/// The okta rules, on a thousand fractions.
fn oktas(criterion: &mut Criterion) {
    let fractions: Vec<f64> = (0..1000).map(|k| f64::from(k) / 999.0).collect();
    let mut group = criterion.benchmark_group("okta");
    group.throughput(Throughput::Elements(fractions.len() as u64));
    group.bench_function("from_fraction", |b| {
        b.iter_batched(
            || fractions.clone(),
            |fractions| {
                let eighths = fractions.into_iter().map(Okta::from_fraction);
                eighths.map(|okta| u32::from(okta.eighths())).sum::<u32>()
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(
    stages,
    decoding,
    tensor,
    readings,
    inference,
    oktas,
    flow::credits,
    flow::batches,
    flow::windows,
    record::commits,
    record::plans,
    figures::rasters
);
criterion_main!(stages);
