//! The record alone: commits, and the plan of a range that is stored already.

use celaje::store::{CommitMode, Database, PictureSource, RunId, RunKind, RunStart};
use celaje_sky::okta::Okta;
use celaje_sky::outcome::{Observation, Outcome};
use celaje_sky::plan::Plan;
use celaje_sky::quality::Quality;
use celaje_sky::run::{Action, Run};
use celaje_sky::slot::{Slot, SlotRange, Slots};
use celaje_sky::station::Station;
use celaje_sky::station::zone::SkyParts;
use celaje_sky::sun::DayPhase;
use chrono::NaiveDate;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};

/// Rows in a transaction.
const ROWS: [usize; 4] = [1, 5, 32, 1000];

/// Some thousand years, more slots than any benchmark commits.
fn long_time() -> SlotRange {
    days((2000, 1, 1), (4000, 12, 31))
}

/// 52,560 slots.
pub(super) fn year() -> SlotRange {
    days((2023, 1, 1), (2023, 12, 31))
}

fn days(from: (i32, u32, u32), to: (i32, u32, u32)) -> SlotRange {
    let day = |(y, m, d)| NaiveDate::from_ymd_opt(y, m, d).expect("a day of the calendar");
    let from = day(from).and_hms_opt(0, 0, 0).expect("midnight");
    let to = day(to).and_hms_opt(23, 59, 0).expect("a minute to midnight");
    SlotRange::new(from, to).expect("a range")
}

pub(super) fn slots(range: SlotRange, station: &Station) -> Slots {
    range.slots(&station.minutes, station.zone)
}

pub(super) fn outcome(slot: Slot) -> Outcome {
    Outcome::Observed(Box::new(Observation {
        slot,
        url: format!("http://camera.example/{}/{}", slot.year(), slot.file_name()),
        cover: Okta::from_fraction(0.4).into(),
        cloud_fraction: Some(0.4),
        parts: SkyParts::default(),
        confidence: Some(0.9),
        range: None,
        quality: Quality::default(),
        model: "celaje-4 4".to_owned(),
        model_sha256: "0".repeat(64),
        taken_at: None,
        solar_elevation: 12.5,
        day_phase: DayPhase::Day,
        width: 480,
        height: 450,
        image_sha256: "0".repeat(64),
    }))
}

/// A new record on disk, with a run begun.
pub(super) fn record(station: &Station) -> (tempfile::TempDir, Database, RunId) {
    let folder = tempfile::tempdir().expect("a folder");
    let opened = Database::open(&folder.path().join("bench.db"), station).expect("a database");
    let mut database = opened.database;
    let run = database
        .begin_run(&RunStart {
            kind: RunKind::Backfill,
            range: year(),
            source: PictureSource::default(),
            version: "bench".to_owned(),
            engine: "bench".to_owned(),
            model: "bench".to_owned(),
        })
        .expect("a run");
    (folder, database, run)
}

/// New rows, one transaction a commit.
pub fn commits(criterion: &mut Criterion) {
    let station = Station::rio_grande();
    let mut group = criterion.benchmark_group("commit");
    for rows in ROWS {
        let (_folder, mut database, run) = record(&station);
        let mut slots = slots(long_time(), &station);
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_function(BenchmarkId::new("rows", rows), |b| {
            b.iter_batched(
                || slots.by_ref().take(rows).map(outcome).collect::<Vec<_>>(),
                |outcomes| {
                    let done = database.commit(run, CommitMode::Insert, &outcomes);
                    assert_eq!(done.expect("a commit").len(), rows);
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// A year that is stored already: the range query, and the walk beside it.
pub fn plans(criterion: &mut Criterion) {
    let station = Station::rio_grande();
    let (_folder, mut database, run) = record(&station);
    let outcomes: Vec<Outcome> = slots(year(), &station).map(outcome).collect();
    database.commit(run, CommitMode::Insert, &outcomes).expect("a commit");
    let n = outcomes.len() as u64;
    assert_eq!(n, 52_560);
    let stored = database.stored_slots(year()).expect("a query");

    let mut group = criterion.benchmark_group("plan");
    group.throughput(Throughput::Elements(n));
    group.sample_size(20);
    group.bench_function("query_a_stored_year", |b| {
        b.iter(|| database.stored_slots(year()).expect("a query"));
    });
    group.bench_function("walk_a_stored_year", |b| {
        b.iter_batched(
            || stored.clone(),
            |stored| {
                let plan = Plan::new(slots(year(), &station), stored, Vec::new());
                let mut run = Run::new(plan, n, 32);
                assert_eq!(run.next_action(), Action::Finish);
                assert_eq!(run.progress().ledger.duplicates(), n);
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}
