use diesel::result::{DatabaseErrorKind, Error};

use super::*;
use crate::store::CommitMode;

fn values(file: &str, okta: &str) -> String {
    format!(
        "{COLUMNS} VALUES ('{file}', 'http://camera/{file}', '2024-01-01 00:02:00', {okta}, 0.9, \
        'SCT', NULL, 'old')"
    )
}

fn put(connection: &mut SqliteConnection, clause: &str, file: &str, okta: &str) -> QueryResult<()> {
    connection.batch_execute(&format!("{clause} INTO registro_historico {}", values(file, okta)))
}

fn shown(connection: &mut SqliteConnection) -> Vec<String> {
    texts(
        connection,
        "SELECT filename || ' ' || coalesce(octas_predichas, 'none') FROM registro_historico ORDER \
        BY 1",
    )
}

const READING: &str = "2024-01010002.jpg";
const NO_READING: &str = "2024-02300002.jpg";

#[test]
fn inserting_keeps_the_meaning_of_each_conflict_clause() {
    let place = Place::new();
    let mut database = place.open();
    let old = &mut place.other();
    for file in [READING, NO_READING] {
        put(old, "INSERT OR IGNORE", file, "3").unwrap();
        put(old, "INSERT OR IGNORE", file, "4").unwrap();
        let error = put(old, "INSERT", file, "5").unwrap_err();
        assert!(
            matches!(error, Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)),
            "{error}"
        );
        assert!(shown(old).contains(&format!("{file} 3")));
        put(old, "INSERT OR REPLACE", file, "6").unwrap();
        put(old, "REPLACE", file, "7").unwrap();
    }
    assert_eq!(shown(old), [format!("{READING} 7"), format!("{NO_READING} 7")]);
    assert_eq!(database.stored_slots(whole()).unwrap(), [nth(0)]);
    assert_eq!(count(old, "legacy_rows"), 1);
    // The text of the date is what was written, the moment of writing the default's.
    let row =
        texts(old, "SELECT fecha_captura || '|' || created_at FROM registro_historico LIMIT 1");
    let now = chrono::Utc::now().format("%Y").to_string();
    assert!(row[0].starts_with(&format!("2024-01-01 00:02:00|{now}-")), "{row:?}");
}

/// To other tools a picture that does not show the sky is not there.
#[test]
fn a_nine_is_not_shown_and_gives_way() {
    let place = Place::new();
    let mut database = place.open();
    let run = begin(&mut database);
    let nines: Vec<Outcome> = (0..6).map(|n| seen(nth(n), 9)).collect();
    database.commit(run, CommitMode::Insert, &nines).unwrap();
    let old = &mut place.other();
    assert_eq!(count(old, "registro_historico"), 0);
    let file = |n: u32| slot(nth(n)).file_name();
    // Whatever the clause, a reading takes its place, once.
    for (n, clause) in [(0, "INSERT"), (1, "INSERT OR IGNORE"), (2, "INSERT OR REPLACE")] {
        put(old, clause, &file(n), "3").unwrap();
    }
    // A row that is no reading is shown as any other of its kind, and takes nothing's place.
    put(old, "INSERT", &file(3), "9").unwrap();
    put(old, "INSERT OR IGNORE", &file(3), "NULL").unwrap();
    assert!(put(old, "INSERT", &file(3), "9").is_err());
    // So does one that is moved there.
    run_sql(
        old,
        &format!(
            "UPDATE registro_historico SET filename = '{}' WHERE filename = '{}'",
            file(4),
            file(2)
        ),
    );
    let rows: Vec<String> =
        [(0, 3), (1, 3), (3, 9), (4, 3)].map(|(n, okta)| format!("{} {okta}", file(n))).into();
    assert_eq!(shown(old), rows);
    let kept = "SELECT slot_local || ' ' || okta FROM observations ORDER BY 1";
    let stored: Vec<String> = [(0, 3), (1, 3), (3, 9), (4, 3), (5, 9)]
        .map(|(n, okta)| format!("{} {okta}", nth(n).format("%Y-%m-%dT%H:%M")))
        .into();
    assert_eq!(texts(old, kept), stored);
    // What is not shown is not deleted either; the mean is that of what is.
    assert_eq!(
        texts(
            old,
            "SELECT avg(octas_predichas) || '' FROM registro_historico WHERE octas_predichas < 9"
        ),
        ["3.0"]
    );
    run_sql(old, "DELETE FROM registro_historico");
    assert_eq!(count(old, "registro_historico"), 0);
    assert_eq!(database.stored_slots(whole()).unwrap(), [nth(3), nth(5)]);
    // And a nine of this program hides no row of another's.
    put(old, "INSERT", &file(7), "NULL").unwrap();
    database.commit(run, CommitMode::Insert, &[seen(nth(7), 9)]).unwrap();
    assert_eq!(shown(old), [format!("{} none", file(7))]);
    assert_eq!(count(old, "observations JOIN misses USING (station, slot_local)"), 0);
}

#[test]
fn inserting_ends_the_miss() {
    let place = Place::new();
    let mut database = place.open();
    let run = begin(&mut database);
    database.commit(run, CommitMode::Insert, &[missed(nth(0), MissReason::Empty, 1)]).unwrap();
    put(&mut place.other(), "INSERT OR IGNORE", READING, "3").unwrap();
    assert_eq!(database.known_misses(whole(), &source()).unwrap(), []);
    assert_eq!(database.stored_slots(whole()).unwrap(), [nth(0)]);
}

#[test]
fn file_names_are_read_as_the_program_reads_them() {
    let place = Place::new();
    drop(place.open());
    let old = &mut place.other();
    let names = [
        "2024-01010002.jpg",
        "2024-01010005.jpg",
        "2024-02290002.jpg",
        "1900-01010000.jpg",
        "9999-12312359.jpg",
        "2023-02290002.jpg",
        "2024-13010002.jpg",
        "2024-00010002.jpg",
        "2024-01000002.jpg",
        "2024-01012402.jpg",
        "2024-01010060.jpg",
        "1899-12312359.jpg",
        "2024-01010002.JPG",
        "2024-0101000x.jpg",
        "2024-010100021.jpg",
        "2024_01010002.jpg",
        "2024-01010002.jpg ",
        " 2024-01010002.jpg",
        "2024-0101000２.jpg",
        "20240101-0002.jpg",
        "",
        "latest.jpg",
    ];
    for name in names {
        put(old, "INSERT", name, "3").unwrap();
        let placed = count(old, &format!("observations WHERE file_name = '{name}'")) == 1;
        assert_eq!(placed, Slot::parse_file_name(name).is_some(), "'{name}'");
    }
    assert_eq!(count(old, "registro_historico"), names.len() as i64);
    let slots: i64 =
        names.iter().filter(|name| Slot::parse_file_name(name).is_some()).count() as i64;
    assert_eq!(slots, 5);
    assert_eq!(count(old, "legacy_rows"), names.len() as i64 - slots);
}

#[test]
fn an_okta_that_is_none_is_kept_but_is_no_reading() {
    let place = Place::new();
    let mut database = place.open();
    let old = &mut place.other();
    for (minute, okta) in ["9", "NULL", "-1", "2.5", "'many'", "'4'", "5.0"].iter().enumerate() {
        put(old, "INSERT", &format!("2024-0101000{minute}.jpg"), okta).unwrap();
    }
    assert_eq!(count(old, "registro_historico"), 7);
    let oktas = column::<BigInt, i64>(old, "SELECT okta FROM observations ORDER BY slot_local");
    assert_eq!(oktas, [4, 5]);
    // A reading that comes later supersedes such a row, which is not shown any more.
    let run = begin(&mut database);
    database.commit(run, CommitMode::Insert, &[seen(at("2024-01-01T00:00"), 8)]).unwrap();
    assert!(shown(old).contains(&"2024-01010000.jpg 8".to_owned()));
    assert_eq!(count(old, "registro_historico"), 7);
    // But no such row takes a reading's place.
    for okta in ["9", "NULL"] {
        assert!(put(old, "INSERT", "2024-01010000.jpg", okta).is_err());
        assert!(put(old, "INSERT OR REPLACE", "2024-01010000.jpg", okta).is_err());
        put(old, "INSERT OR IGNORE", "2024-01010000.jpg", okta).unwrap();
    }
    assert!(shown(old).contains(&"2024-01010000.jpg 8".to_owned()));
    // Deleting the reading does not bring the superseded row back.
    run_sql(old, "DELETE FROM registro_historico WHERE filename = '2024-01010000.jpg'");
    assert_eq!(count(old, "registro_historico"), 6);
}

#[test]
fn updating_keeps_what_the_old_columns_do_not_know() {
    let place = Place::new();
    let mut database = place.open();
    let run = begin(&mut database);
    database.commit(run, CommitMode::Insert, &[seen(nth(0), 4), seen(nth(1), 4)]).unwrap();
    let old = &mut place.other();
    run_sql(old, "UPDATE registro_historico SET descripcion = 'medio'");
    let row = "SELECT concat_ws('|', description, okta, ifnull(cloud_fraction, '-'), image_width, \
               ifnull(model_sha256, '-') <> '-', origin) FROM observations ORDER BY slot_local";
    assert_eq!(texts(old, row)[0], "medio|4|0.5|480|1|registro_historico");
    run_sql(
        old,
        "UPDATE registro_historico SET octas_predichas = 5, modelo_version = 'by hand' \
         WHERE filename = '2024-01010002.jpg'",
    );
    assert_eq!(
        texts(old, row),
        ["medio|5|-|480|0|registro_historico", "medio|4|0.5|480|1|registro_historico"]
    );
}

#[test]
fn updating_moves_a_row_where_it_belongs() {
    let place = Place::new();
    let mut database = place.open();
    let old = &mut place.other();
    put(old, "INSERT", READING, "9").unwrap();
    put(old, "INSERT", "2024-01010012.jpg", "1").unwrap();
    let update = |old: &mut SqliteConnection, set: &str, file: &str| {
        old.batch_execute(&format!("UPDATE registro_historico SET {set} WHERE filename = '{file}'"))
    };
    update(old, "octas_predichas = 2", READING).unwrap();
    assert_eq!(database.stored_slots(whole()).unwrap(), [nth(0), nth(1)]);
    assert_eq!(count(old, "legacy_rows"), 0);
    update(old, "filename = '2024-01010022.jpg'", READING).unwrap();
    assert_eq!(database.stored_slots(whole()).unwrap(), [nth(1), nth(2)]);
    assert!(update(old, "filename = '2024-01010012.jpg'", "2024-01010022.jpg").is_err());
    update(old, "octas_predichas = 9", "2024-01010022.jpg").unwrap();
    assert_eq!(shown(old), ["2024-01010012.jpg 1", "2024-01010022.jpg 9"]);
    assert_eq!(database.stored_slots(whole()).unwrap(), [nth(1)]);
}

#[test]
fn deleting_deletes() {
    let place = Place::new();
    let mut database = place.open();
    let run = begin(&mut database);
    database.commit(run, CommitMode::Insert, &[seen(nth(0), 4), seen(nth(1), 5)]).unwrap();
    let old = &mut place.other();
    put(old, "INSERT", "odd.jpg", "3").unwrap();
    run_sql(old, "DELETE FROM registro_historico WHERE octas_predichas = 5");
    assert_eq!(shown(old), ["2024-01010002.jpg 4", "odd.jpg 3"]);
    run_sql(old, "DELETE FROM registro_historico");
    assert_eq!(count(old, "registro_historico"), 0);
    assert_eq!(database.stored_slots(whole()).unwrap(), []);
}

#[test]
fn rows_of_other_tools_are_completed_at_the_next_open() {
    let place = Place::new();
    drop(place.open());
    let old = &mut place.other();
    put(old, "INSERT", "2024-01011302.jpg", "3").unwrap();
    let row = "SELECT concat_ws('|', ifnull(slot_utc, '-'), ifnull(day_phase, '-'), \
               round(ifnull(solar_elevation, 99))) FROM observations";
    assert_eq!(texts(old, row), ["-|-|99.0"]);
    // The station that opens it does not matter: the row is the home station's.
    let second = Station { id: "north".to_owned(), latitude: 50.0, ..station() };
    drop(Database::open(&place.db, &second).unwrap());
    assert_eq!(texts(old, row), ["2024-01-01T16:02:00Z|day|59.0"]);
}
