//! What the pipeline itself adds to a picture: credits, batches, the window of requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use celaje_sky::batching::{BatchPolicy, BatchQueue, Decision};
use celaje_sky::credit::{Credit, Fate, Home};
use celaje_sky::flow::{Flow, FlowStage};
use celaje_sky::slot::{Slot, Zone};
use celaje_sky::window::{Answer, Window};
use criterion::{Criterion, Throughput};

/// A credit's whole way, booked at each stage.
pub fn credits(criterion: &mut Criterion) {
    let zone: Zone = "-03:00".parse().expect("a zone");
    let local = Slot::parse_file_name("2024-01010002.jpg").expect("a name");
    let slot = Slot::at(local, zone).expect("a slot");
    let flow = Arc::new(Flow::default());
    let home: Home = Arc::new(|returned| {
        std::hint::black_box(returned);
    });
    let mut group = criterion.benchmark_group("flow");
    group.throughput(Throughput::Elements(1));
    group.bench_function("credit", |b| {
        b.iter(|| {
            let mut credit = Credit::new(slot, 1, Arc::clone(&home), Arc::clone(&flow));
            for stage in FlowStage::ALL {
                credit.goes_to(stage);
                credit.taken_up();
            }
            credit.settle(Fate::New);
        });
    });
    group.finish();
}

/// Pictures through the batch queue, a batch at a time.
pub fn batches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("flow");
    group.throughput(Throughput::Elements(4));
    group.bench_function("batch_of_4", |b| {
        let mut queue =
            BatchQueue::new(BatchPolicy { size: 4, deadline: Duration::from_millis(5) });
        let now = Instant::now();
        b.iter(|| {
            for picture in 0..4 {
                queue.push(picture, now, false);
                if let Decision::Run(batch) = queue.decide(now, 1, false) {
                    std::hint::black_box(batch);
                }
            }
        });
    });
    group.finish();
}

/// An answer and what it does to the window.
pub fn windows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("flow");
    group.throughput(Throughput::Elements(1));
    group.bench_function("window", |b| {
        let mut window = Window::adaptive(256);
        let now = Instant::now();
        b.iter(|| window.answered(Answer::Good(Duration::from_millis(3)), now, true));
    });
    group.finish();
}
