//! The record as its users see it: each test has a file of its own.

mod commits;
mod confidences;
#[cfg(target_os = "linux")]
mod displaced;
mod faults;
mod labels;
#[cfg(target_os = "linux")]
mod linked;
mod merge;
mod objects;
mod older;
mod opening;
#[cfg(target_os = "linux")]
mod overwritten;
mod ranges;
mod takeover;
mod triggers;
#[cfg(target_os = "linux")]
mod unseen;
mod view;
mod whole;

use std::path::{Path, PathBuf};

use chrono::{NaiveDate, NaiveDateTime};
use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::query_dsl::methods::LoadQuery;
use diesel::sql_types::{BigInt, SingleValue, Text};
use tempfile::TempDir;

use crate::store::reader::{ObservationItem, Reader, ReadingFilter, StationItem};
use crate::store::{Database, FileState, PictureSource, RunId, RunKind, RunStart, TakeoverPlan};
use celaje_sky::cover::Cover;
use celaje_sky::okta::OktaRange;
use celaje_sky::outcome::{Miss, MissReason, Observation, Outcome};
use celaje_sky::quality::{Flag, Quality};
use celaje_sky::slot::{Slot, SlotRange};
use celaje_sky::station::zone::SkyParts;
use celaje_sky::station::{LayoutChoice, Station};
use celaje_sky::sun::DayPhase;

/// What the replaced system makes.
const REPLACED: &str = "CREATE TABLE registro_historico (filename TEXT PRIMARY KEY, \
     url_imagen TEXT NOT NULL, fecha_captura TEXT NOT NULL, octas_predichas INTEGER NOT NULL, \
     confianza REAL NOT NULL, categoria TEXT NOT NULL, descripcion TEXT, modelo_version TEXT, \
     created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP); \
     CREATE INDEX ix_historial_fecha ON registro_historico(fecha_captura);";

/// What the replaced system writes, less the conflict clause and the values.
const COLUMNS: &str = "(filename, url_imagen, fecha_captura, octas_predichas, confianza, \
     categoria, descripcion, modelo_version)";

impl Database {
    /// Dies in the middle of a write, as a bug would.
    pub(crate) fn panic_in_transaction(&mut self) {
        self.connection
            .immediate_transaction::<(), diesel::result::Error, _>(|connection| {
                connection.batch_execute("DELETE FROM stations")?;
                panic!("in the middle")
            })
            .unwrap();
    }
}

/// A folder of its own with the path of a database in it.
struct Place {
    folder: TempDir,
    db: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("cielo.db");
        Self { folder, db }
    }

    fn open(&self) -> Database {
        Database::open(&self.db, &station()).unwrap().database
    }

    fn reader(&self) -> Reader {
        Reader::open(&self.db).unwrap()
    }

    /// The home station's readings.
    fn readings(&self) -> Vec<ObservationItem> {
        let mut items = Vec::new();
        let all = ReadingFilter::all(&station().id, (whole().from(), whole().to()));
        self.reader().observations(&all, usize::MAX, |item| items.push(item)).unwrap();
        items
    }

    /// The home station, with its counts.
    fn counts(&self) -> StationItem {
        self.reader().stations().unwrap().into_iter().find(|station| station.is_home).unwrap()
    }

    /// Another program's connection.
    fn other(&self) -> SqliteConnection {
        other(&self.db)
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn other(path: &Path) -> SqliteConnection {
    SqliteConnection::establish(path.to_str().unwrap()).unwrap()
}

/// The takeover that a file waits for.
fn planned(path: &Path) -> TakeoverPlan {
    match crate::store::examination::examine(path).unwrap() {
        FileState::Replaced(plan) => plan,
        other => panic!("{other:?}"),
    }
}

fn run_sql(connection: &mut SqliteConnection, statement: &str) {
    connection.batch_execute(statement).unwrap();
}

fn count(connection: &mut SqliteConnection, from: &str) -> i64 {
    sql::<BigInt>(&format!("SELECT count(*) FROM {from}")).get_result(connection).unwrap()
}

/// One column of every row.
fn column<'a, T, U>(connection: &mut SqliteConnection, query: &str) -> Vec<U>
where
    T: SingleValue + 'static,
    SqlLiteral<T>: LoadQuery<'a, SqliteConnection, U>,
{
    sql::<T>(query).load(connection).unwrap()
}

fn texts(connection: &mut SqliteConnection, query: &str) -> Vec<String> {
    column::<Text, String>(connection, query)
}

fn station() -> Station {
    Station::rio_grande()
}

fn at(text: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").unwrap()
}

/// The n-th slot from 2024-01-01T00:02 on, ten minutes apart.
fn nth(n: u32) -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2024, 1, 1).unwrap().and_hms_opt(0, 2, 0).unwrap()
        + chrono::Duration::minutes(10 * i64::from(n))
}

fn slot(local: NaiveDateTime) -> Slot {
    Slot::at(local, station().zone).unwrap()
}

fn whole() -> SlotRange {
    SlotRange::new(at("1900-01-01T00:00"), at("9999-12-31T23:59")).unwrap()
}

/// A picture of `okta`, 0 to 9, whose bytes no other slot's picture has.
fn seen(local: NaiveDateTime, okta: u8) -> Outcome {
    let bytes = local.format("%Y%m%d%H%M").to_string();
    seen_as(local, okta, &format!("{bytes:0>64}"))
}

/// The same, whose bytes have this SHA-256.
fn seen_as(local: NaiveDateTime, okta: u8, sha256: &str) -> Outcome {
    let slot = slot(local);
    let cover = Cover::from_code(okta).unwrap();
    let mut quality = Quality::default();
    if cover == Cover::Obscured {
        quality.add(Flag::Placeholder);
    }
    Outcome::Observed(Box::new(Observation {
        slot,
        url: format!("http://camera/{}/{}", slot.year(), slot.file_name()),
        cover,
        cloud_fraction: cover.okta().map(|okta| f64::from(okta.eighths()) / 8.0),
        parts: SkyParts::default(),
        confidence: cover.okta().map(|_| 0.75),
        range: cover.okta().map(|okta| OktaRange::of(okta).widened(1)),
        quality,
        model: "sky 1".to_owned(),
        model_sha256: "ab".repeat(32),
        taken_at: None,
        solar_elevation: 12.5,
        day_phase: DayPhase::Day,
        width: 480,
        height: 450,
        image_sha256: sha256.to_owned(),
    }))
}

fn missed(local: NaiveDateTime, reason: MissReason, attempts: u32) -> Outcome {
    Outcome::Missed(Miss {
        slot: slot(local),
        reason,
        http_status: (reason == MissReason::NotFound).then_some(404),
        attempts,
        detail: "said the camera".to_owned(),
        unasked: None,
    })
}

fn source() -> PictureSource {
    PictureSource { address: "http://camera/".to_owned(), layout: LayoutChoice::Auto }
}

fn begin(database: &mut Database) -> RunId {
    database
        .begin_run(&RunStart {
            kind: RunKind::Backfill,
            range: SlotRange::new(nth(0), nth(143)).unwrap(),
            source: source(),
            version: "0.1.0".to_owned(),
            engine: "fake".to_owned(),
            model: "sky 1".to_owned(),
        })
        .unwrap()
}
