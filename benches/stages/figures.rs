//! The raster of a year, from the record to the SVG.

use std::hint::black_box;

use celaje::store::CommitMode;
use celaje::store::reader::Reader;
use celaje_chart::look::Look;
use celaje_chart::raster::Raster;
use celaje_sky::outcome::Outcome;
use celaje_sky::station::Station;
use celaje_sky::text::Lang;
use criterion::{Criterion, Throughput};

use crate::record::{outcome, record, slots, year};

/// 52,560 readings: reading them, and drawing them.
pub fn rasters(criterion: &mut Criterion) {
    let station = Station::rio_grande();
    let (folder, mut database, run) = record(&station);
    let outcomes: Vec<Outcome> = slots(year(), &station).map(outcome).collect();
    database.commit(run, CommitMode::Insert, &outcomes).expect("a commit");
    let mut reader = Reader::open(&folder.path().join("bench.db")).expect("a reader");
    let range = (year().from(), year().to());
    let mut read = || reader.covers(&station.id, range).expect("a query");
    let readings = read();
    assert_eq!(readings.len(), 52_560);
    let draw = || {
        let raster = Raster {
            look: Look::alone(Lang::En),
            station: &station.name,
            days: (range.0.date(), range.1.date()),
            now: range.1,
            first: Some(range.0),
            spacing: 10,
            readings: black_box(&readings),
            zone: station.zone,
            latitude: station.latitude,
            longitude: station.longitude,
        };
        raster.svg()
    };
    assert!(draw().contains("class=\"cells\""));

    let mut group = criterion.benchmark_group("figure");
    group.throughput(Throughput::Elements(1));
    group.sample_size(20);
    group.bench_function("read_a_year", |b| b.iter(&mut read));
    group.bench_function("raster_of_a_year", |b| b.iter(draw));
    group.finish();
}
