//! Merging files: what comes out is a function of the rows, not of the order of the files.

use proptest::prelude::*;

use super::*;
use crate::store::error::Fault;
use crate::store::{
    CommitEffect, CommitMode, LabelOrder, MergeReport, RunCounts, RunStatus, ShadowReading,
};
use celaje_sky::labelling::Draw;
use celaje_sky::layout::Layout;

const TABLES: [&str; 9] = [
    "stations",
    "runs",
    "observations",
    "misses",
    "shadow_observations",
    "celaje_labels",
    "celaje_calibrations",
    "year_layouts",
    "legacy_rows",
];

/// Every row of the record, without the numbers that a file gives.
fn dump(path: &Path) -> Vec<String> {
    let mut connection = other(path);
    let mut all = Vec::new();
    for table in TABLES {
        let columns =
            texts(&mut connection, &format!("SELECT name FROM pragma_table_info('{table}')"));
        let shown = columns.iter().map(|column| match column.as_str() {
            "id" if table != "stations" => "''".to_owned(),
            "run_id" => "ifnull((SELECT uid FROM runs WHERE id = run_id), '-')".to_owned(),
            "calibration_id" => "ifnull((SELECT c.created_at FROM celaje_calibrations AS c \
                                 WHERE c.id = calibration_id), '-')"
                .to_owned(),
            column => format!("quote({column})"),
        });
        let shown = shown.collect::<Vec<_>>().join(" || '|' || ");
        let rows = texts(&mut connection, &format!("SELECT {shown} FROM {table} ORDER BY 1"));
        all.extend(rows.into_iter().map(|row| format!("{table}: {row}")));
    }
    all.extend(texts(
        &mut connection,
        "SELECT 'view: ' || ifnull(filename, '-') || ifnull(octas_predichas, '-') \
         FROM registro_historico ORDER BY 1",
    ));
    all
}

/// Merges the files into a new one of the folder; gives its path.
fn merged(place: &Place, name: &str, files: &[&PathBuf]) -> PathBuf {
    let into = place.folder.path().join(name);
    merge_into(&into, files, false);
    into
}

fn merge_into(into: &Path, files: &[&PathBuf], keep: bool) -> MergeReport {
    let files: Vec<PathBuf> = files.iter().map(|file| (*file).clone()).collect();
    let report = Database::merge(into, &files, keep, |_, _| ()).unwrap();
    assert_sound(into);
    report
}

fn assert_sound(path: &Path) {
    for finding in Reader::open(path).unwrap().check().unwrap() {
        finding.result.unwrap_or_else(|wrong| panic!("{}: {wrong}", finding.name));
    }
}

/// What a slot of a file has.
#[derive(Clone, Debug)]
enum Entry {
    Reading { okta: u8, picture: u8 },
    Miss,
    Label { okta: u8 },
    Shadow { okta: u8 },
    Legacy { okta: Option<u8> },
}

fn entry() -> impl Strategy<Value = Entry> {
    prop_oneof![
        6 => (0..=9u8, 0..3u8).prop_map(|(okta, picture)| Entry::Reading { okta, picture }),
        3 => Just(Entry::Miss),
        1 => (0..=9u8).prop_map(|okta| Entry::Label { okta }),
        1 => (0..=8u8).prop_map(|okta| Entry::Shadow { okta }),
        1 => proptest::option::of(0..=8u8).prop_map(|okta| Entry::Legacy { okta }),
    ]
}

/// A file's entries: slot, day on which it was written, whether of the second station.
fn entries() -> impl Strategy<Value = Vec<(u32, u8, bool, Entry)>> {
    proptest::collection::vec((0..14u32, 1..4u8, proptest::bool::weighted(0.2), entry()), 0..24)
}

fn filled(path: &Path, entries: &[(u32, u8, bool, Entry)]) {
    let mut database = Database::open(path, &station()).unwrap().database;
    let second = Station { id: "cerro".to_owned(), ..station() };
    database.add_station(&second).unwrap();
    let mut old = Vec::new();
    for (n, day, is_second, entry) in entries {
        database.look_from(if *is_second { "cerro" } else { "rio-grande" });
        let slot = nth(*n);
        let written = format!("2024-02-0{day} 00:00:00");
        let table = match entry {
            Entry::Reading { okta, picture } => {
                let run = begin(&mut database);
                let outcome = seen_as(slot, *okta, &format!("{picture:0>64}"));
                let done = database.commit(run, CommitMode::Replace, &[outcome]).unwrap();
                let new = u64::from(done == [CommitEffect::New]);
                let counts = RunCounts { total: 1, new, duplicates: 1 - new, missed: 0 };
                finish(&mut database, run, counts);
                "observations SET created_at"
            }
            Entry::Miss => {
                let run = begin(&mut database);
                let outcome = missed(slot, MissReason::Timeout, u32::from(*day));
                database.commit(run, CommitMode::Insert, &[outcome]).unwrap();
                database.remember_layout(2024, Layout::Year).unwrap();
                "misses SET last_tried"
            }
            Entry::Label { okta } => {
                let cover = Cover::from_code(*okta);
                let draw = Draw::Random;
                let order = LabelOrder { slot, observer: "Ana".to_owned(), cover, draw };
                database.keep_label(&order).unwrap();
                "celaje_labels SET created_at"
            }
            Entry::Shadow { okta } => {
                let slot = super::slot(slot);
                database.keep_shadow(&shadow(slot, *okta)).unwrap();
                "shadow_observations SET created_at"
            }
            Entry::Legacy { okta } => {
                old.push((*n, written, *okta));
                continue;
            }
        };
        let at = crate::store::rows::slot_text(slot);
        let station = &database.station.clone();
        let date = format!(
            "UPDATE {table} = '{written}' WHERE station = '{station}' AND slot_local = '{at}'"
        );
        run_sql(&mut database.connection, &date);
    }
    run_sql(
        &mut database.connection,
        "UPDATE year_layouts SET seen_at = '2024-02-01 00:00:00'; \
         UPDATE runs SET started_at = '2024-02-01 00:00:00'",
    );
    drop(database);
    // Another tool: readings, and rows without a slot, an okta or a name.
    for (n, written, okta) in old {
        let name = match okta {
            None => "NULL".to_owned(),
            Some(okta) if okta % 2 == 0 => format!("'odd-{n}'"),
            Some(_) => format!("'{}'", slot(nth(n)).file_name()),
        };
        let okta = okta.map_or_else(|| "NULL".to_owned(), |okta| okta.to_string());
        let row = format!(
            "INSERT OR REPLACE INTO registro_historico (filename, octas_predichas, created_at) \
             VALUES ({name}, {okta}, '{written}')"
        );
        run_sql(&mut other(path), &row);
    }
    // Completes those rows; their flags and those after them are as the rows ask for.
    drop(Database::open(path, &station()).unwrap());
    let everything = Place::new();
    let _ = std::fs::remove_file(&everything.db);
    let report = Database::merge(&everything.db, &[path.to_owned()], false, |_, _| ()).unwrap();
    assert_eq!(report.kept, 0);
    std::fs::rename(&everything.db, path).unwrap();
}

fn finish(database: &mut Database, run: RunId, counts: RunCounts) {
    database.finish_run(run, &counts, RunStatus::Finished).unwrap();
}

fn shadow(slot: Slot, okta: u8) -> ShadowReading {
    ShadowReading {
        slot,
        model: "other 1".to_owned(),
        model_sha256: "cd".repeat(32),
        cover: Cover::from_code(okta).unwrap(),
        cloud_fraction: None,
        confidence: Some(0.5),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 40, ..ProptestConfig::with_cases(10) })]

    #[test]
    fn the_order_of_files_has_no_say(files in [entries(), entries(), entries()]) {
        let place = Place::new();
        let [a, b, c] = ["a", "b", "c"].map(|name| place.folder.path().join(name));
        for (path, entries) in [&a, &b, &c].into_iter().zip(&files) {
            filled(path, entries);
        }
        let abc = merged(&place, "abc", &[&a, &b, &c]);
        let expected = dump(&abc);
        prop_assert_eq!(&dump(&merged(&place, "cba", &[&c, &b, &a])), &expected);
        let bc = merged(&place, "bc", &[&b, &c]);
        prop_assert_eq!(&dump(&merged(&place, "a-bc", &[&a, &bc])), &expected);
        let again = merge_into(&abc, &[&b, &a, &bc], false);
        prop_assert_eq!((again.new, again.replaced, again.misses), (0, 0, 0));
        prop_assert_eq!(&dump(&abc), &expected);
    }
}

/// A file at `name` with these outcomes, of one run that ended.
fn file(place: &Place, name: &str, outcomes: &[Outcome]) -> PathBuf {
    let path = place.folder.path().join(name);
    let mut database = Database::open(&path, &station()).unwrap().database;
    let run = begin(&mut database);
    database.commit(run, CommitMode::Insert, outcomes).unwrap();
    let missed = outcomes.iter().filter(|one| matches!(one, Outcome::Missed(_))).count() as u64;
    let total = outcomes.len() as u64;
    let counts = RunCounts { total, new: total - missed, missed, duplicates: 0 };
    finish(&mut database, run, counts);
    path
}

/// Forty slots of a camera that stops and starts, and misses some.
fn outcomes() -> Vec<Outcome> {
    let one = |n: u32| match n % 7 {
        3 => missed(nth(n), MissReason::NotFound, 1),
        _ => seen_as(nth(n), (n % 10) as u8, &format!("{:0>64}", n / 5)),
    };
    (0..40).map(one).collect()
}

#[test]
fn parts_of_a_range_become_the_record_of_one_run() {
    let place = Place::new();
    let all = outcomes();
    let whole = file(&place, "whole", &all);
    let rows = |path: &Path| {
        let mut connection = other(path);
        let rows = texts(
            &mut connection,
            "SELECT slot_local || okta || quality || image_sha256 || url FROM observations \
             ORDER BY slot_local",
        );
        let misses =
            texts(&mut connection, "SELECT slot_local || reason FROM misses ORDER BY slot_local");
        (rows, misses)
    };
    let (expected, misses) = rows(&whole);
    assert_eq!((expected.len(), misses.len()), (34, 6));
    let frozen = expected.iter().filter(|row| row.contains("frozen")).count();
    assert!(frozen > 20, "{expected:?}");
    // Halves, and slots in turns: seams everywhere.
    let is_first: [fn(usize) -> bool; 2] = [|n| n < 20, |n| n % 2 == 0];
    for (k, is_first) in is_first.into_iter().enumerate() {
        let part = |first: bool| -> Vec<Outcome> {
            let of = all.iter().enumerate().filter(|(n, _)| is_first(*n) == first);
            of.map(|(_, outcome)| outcome.clone()).collect()
        };
        let a = file(&place, &format!("a{k}"), &part(true));
        let b = file(&place, &format!("b{k}"), &part(false));
        let into = place.folder.path().join(format!("c{k}"));
        let report = merge_into(&into, &[&a, &b], false);
        assert_eq!((report.new, report.replaced, report.kept, report.misses), (34, 0, 0, 6));
        assert_eq!(rows(&into), (expected.clone(), misses.clone()));
        let counts = "SELECT sum(new) || ' ' || sum(missed) || ' ' || count(*) FROM runs";
        assert_eq!(texts(&mut other(&into), counts), ["34 6 2"]);
    }
}

#[test]
fn the_newer_reading_stays_unless_the_older_is_to_be_kept() {
    let place = Place::new();
    let a = file(
        &place,
        "a",
        &[seen(nth(0), 1), seen(nth(1), 1), missed(nth(2), MissReason::Reset, 1)],
    );
    let b = file(
        &place,
        "b",
        &[seen(nth(0), 2), missed(nth(1), MissReason::Reset, 1), seen(nth(2), 2)],
    );
    run_sql(&mut other(&b), "UPDATE observations SET created_at = '2030-01-01T00:00:00-03:00'");
    let oktas = |path: &Path| {
        column::<BigInt, i64>(&mut other(path), "SELECT okta FROM observations ORDER BY slot_local")
    };
    let c = merged(&place, "c", &[&b, &a]);
    assert_eq!((oktas(&c), count(&mut other(&c), "misses")), (vec![2, 1, 2], 0));
    let report = merge_into(&a, &[&b], true);
    assert_eq!((report.new, report.replaced, report.kept, report.misses), (1, 0, 1, 0));
    assert_eq!((oktas(&a), count(&mut other(&a), "misses")), (vec![1, 1, 2], 0));
    let report = merge_into(&a, &[&b], false);
    assert_eq!((report.new, report.replaced, report.kept), (0, 1, 1));
    assert_eq!(oktas(&a), [2, 1, 2]);
}

#[test]
fn a_run_that_goes_on_is_known_again() {
    let place = Place::new();
    let a = place.folder.path().join("a");
    let mut database = Database::open(&a, &station()).unwrap().database;
    let run = begin(&mut database);
    database.commit(run, CommitMode::Insert, &[seen(nth(0), 1)]).unwrap();
    // While it is written: the run looks as if it had been interrupted.
    let c = merged(&place, "c", &[&a]);
    let runs = |path: &Path| {
        texts(&mut other(path), "SELECT status || new || (finished_at IS NULL) FROM runs")
    };
    assert_eq!(runs(&c), ["interrupted10"]);
    database.commit(run, CommitMode::Insert, &[seen(nth(1), 1)]).unwrap();
    finish(&mut database, run, RunCounts { total: 2, new: 2, ..RunCounts::default() });
    merge_into(&c, &[&a], false);
    assert_eq!(runs(&c), ["finished20"]);
    drop(database);
    // A copy that went on by itself has the runs of both.
    let b = place.folder.path().join("b");
    std::fs::copy(&a, &b).unwrap();
    let mut database = Database::open(&b, &station()).unwrap().database;
    let run = begin(&mut database);
    database.commit(run, CommitMode::Insert, &[seen(nth(2), 1)]).unwrap();
    drop(database);
    assert_eq!(merge_into(&c, &[&b], false).new, 1);
    assert_eq!(runs(&c), ["finished20", "interrupted10"]);
}

#[test]
fn calibrations_are_numbered_anew_and_the_newest_holds() {
    let place = Place::new();
    let calibrated = |name: &str, from: u32, day: u32| {
        let outcomes: Vec<Outcome> = (from..from + 30).map(|n| seen(nth(n), 4)).collect();
        let path = file(&place, name, &outcomes);
        let mut database = Database::open(&path, &station()).unwrap().database;
        for n in from..from + 30 {
            let (cover, draw) = (Cover::from_code(4), Draw::Random);
            let observer = "Ana".to_owned();
            database.keep_label(&LabelOrder { slot: nth(n), observer, cover, draw }).unwrap();
        }
        let item = database.calibrate().unwrap().unwrap();
        assert!(item.labels > 0);
        assert!(database.recalibrate(&item).unwrap().changed > 0);
        let date = format!("UPDATE celaje_calibrations SET created_at = '2024-03-0{day} 00:00:00'");
        run_sql(&mut database.connection, &date);
        path
    };
    let (newer, older) = (calibrated("newer", 0, 5), calibrated("older", 30, 4));
    let c = merged(&place, "c", &[&newer, &older]);
    merge_into(&c, &[&older, &newer], false);
    let of = "SELECT c.created_at || ' ' || count(*) FROM observations \
              JOIN celaje_calibrations AS c ON \
              c.id = calibration_id GROUP BY c.id ORDER BY c.created_at";
    let expected = ["2024-03-04 00:00:00 30", "2024-03-05 00:00:00 30"];
    assert_eq!(texts(&mut other(&c), of), expected);
    let mut database = Database::open(&c, &station()).unwrap().database;
    let run = begin(&mut database);
    database.commit(run, CommitMode::Insert, &[seen(nth(99), 4)]).unwrap();
    let expected = ["2024-03-04 00:00:00 30", "2024-03-05 00:00:00 31"];
    assert_eq!(texts(&mut database.connection, of), expected);
}

#[test]
fn rows_of_the_replaced_system_go_with_their_home_station() {
    let place = Place::new();
    let a = file(&place, "a", &[seen(nth(0), 1)]);
    run_sql(
        &mut other(&a),
        "INSERT INTO registro_historico (filename, octas_predichas) VALUES ('odd', 3), (NULL, 4)",
    );
    let b = place.folder.path().join("b");
    let second = Station { id: "cerro".to_owned(), ..station() };
    drop(Database::open(&b, &second).unwrap());
    // The home of a new file: of a source that has such rows, whatever its id.
    let c = merged(&place, "c", &[&b, &a]);
    let home = "SELECT id FROM stations WHERE is_home";
    assert_eq!(texts(&mut other(&c), home), ["rio-grande"]);
    assert_eq!(count(&mut other(&c), "registro_historico"), 3);
    // That of an old one stays, and they are left.
    let mut left = None;
    Database::merge(&b, std::slice::from_ref(&a), false, |_, report| left = report.left.clone())
        .unwrap();
    let left = left.unwrap();
    assert_eq!((left.rows, left.home.as_str()), (2, "rio-grande"));
    assert_eq!(texts(&mut other(&b), home), ["cerro"]);
    assert_eq!(count(&mut other(&b), "legacy_rows"), 0);
    assert_eq!(count(&mut other(&b), "observations"), 1);
}

#[test]
fn what_cannot_be_merged_is_refused_before_anything_is_written() {
    let place = Place::new();
    let a = file(&place, "a", &[seen(nth(0), 1)]);
    let c = place.folder.path().join("c");
    let refused = |sources: &[&PathBuf], into: &Path| {
        let sources: Vec<PathBuf> = sources.iter().map(|path| (*path).clone()).collect();
        let error = Database::merge(into, &sources, false, |_, _| ()).unwrap_err();
        assert!(!c.exists());
        (error.path, error.fault)
    };
    let is = |(path, fault): (PathBuf, Fault), at: &Path, wanted: fn(&Fault) -> bool| {
        assert!(path == at && wanted(&fault), "{} {fault}", path.display());
    };
    is(refused(&[&a], &a), &a, |fault| matches!(fault, Fault::Itself));
    let none = place.folder.path().join("none");
    is(refused(&[&a, &none], &c), &none, |fault| matches!(fault, Fault::Missing));
    let replaced = place.folder.path().join("replaced");
    run_sql(&mut other(&replaced), REPLACED);
    is(refused(&[&a, &replaced], &c), &replaced, |fault| matches!(fault, Fault::Outdated));
    is(refused(&[&a], &replaced), &replaced, |fault| matches!(fault, Fault::Outdated));
    let older = file(&place, "older", &[seen(nth(1), 1)]);
    run_sql(&mut other(&older), "DELETE FROM __diesel_schema_migrations WHERE version = '0012'");
    is(refused(&[&a, &older], &c), &older, |fault| matches!(fault, Fault::Outdated));
    let moved = place.folder.path().join("moved");
    let zone = "-04:00".parse().unwrap();
    drop(Database::open(&moved, &Station { zone, ..station() }).unwrap());
    is(
        refused(&[&a, &moved], &c),
        &moved,
        |fault| matches!(fault, Fault::Elsewhere { station, .. } if station == "rio-grande"),
    );
}

/// A source is neither changed nor given company, also where its last rows are in its log alone and
/// nothing may be made beside it.
#[test]
fn sources_are_only_read() {
    let place = Place::new();
    let a = file(&place, "a", &outcomes());
    let bytes = std::fs::read(&a).unwrap();
    merged(&place, "c", &[&a]);
    assert_eq!(std::fs::read(&a).unwrap(), bytes);
    assert_eq!(place.files(), ["a", "c"]);
    assert_eq!(count(&mut other(&a), "observations"), 34);
}

#[cfg(unix)]
#[test]
fn a_log_without_its_index_is_read_too() {
    use crate::store::connection::{self, Access};

    let place = Place::new();
    let a = file(&place, "a", &outcomes());
    let copy = place.folder.path().join("copy");
    let mut writer = other(&a);
    run_sql(&mut writer, "PRAGMA wal_autocheckpoint = 0; DELETE FROM observations WHERE okta = 9");
    for suffix in ["", "-wal"] {
        let of = |path: &Path| crate::store::lock::with_suffix(path, suffix);
        std::fs::copy(of(&a), of(&copy)).unwrap();
    }
    let mut database = place.open();
    let attach = |connection: &mut SqliteConnection, access| {
        connection::attach(connection, &copy, access).unwrap();
        let rows = count(connection, "source.observations");
        run_sql(connection, "BEGIN IMMEDIATE; ROLLBACK");
        connection::detach(connection).unwrap();
        rows
    };
    let in_all = attach(&mut database.connection, Access::ImmutableWithLog);
    let in_the_file = attach(&mut database.connection, Access::Immutable);
    assert_eq!(in_the_file, 34);
    assert!(in_all < 34);
    assert!(!crate::store::lock::with_suffix(&copy, "-shm").exists());
}
