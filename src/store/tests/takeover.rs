use super::*;
use crate::store::CommitMode;
use crate::store::connection::{Access, connect, transaction};
use crate::store::error::Fault;
use crate::store::examination::admit;
use crate::store::reader::LegacyDays;
use crate::store::takeover::{take_over, take_over_within};
use celaje_sky::error::Failure;

const COLUMN_NAMES: [&str; 9] = [
    "filename",
    "url_imagen",
    "fecha_captura",
    "octas_predichas",
    "confianza",
    "categoria",
    "descripcion",
    "modelo_version",
    "created_at",
];

/// All nine columns of every row, with their types, in the order of the file names.
fn rows(connection: &mut SqliteConnection) -> Vec<String> {
    let columns = COLUMN_NAMES
        .map(|name| format!("typeof({name}) || ':' || quote({name})"))
        .join(" || ' ' || ");
    texts(connection, &format!("SELECT {columns} AS line FROM registro_historico ORDER BY line"))
}

fn adopt(place: &Place) -> (Database, i64, i64, i64, PathBuf) {
    let opened = Database::open(&place.db, &station()).unwrap();
    let adopted = opened.adopted.expect("taken over");
    (opened.database, adopted.rows, adopted.placed, adopted.kept_verbatim, adopted.copy)
}

const ROWS: &str = "INSERT INTO registro_historico VALUES
    ('2024-01010002.jpg', 'http://h/2024/2024-01010002.jpg',
     '2024-01-01T00:02', 3, 0.8731, 'SCT', NULL, 'v1', '2024-01-02 10:00:00'),
    ('2024-01010012.jpg', 'http://h/2024/2024-01010012.jpg',
     '2024-01-01T00:12:00', 0, 1, 'SKC', 'Cielo despejado', NULL, '2024-01-02T10:00:00.123'),
    ('2024-01010022.jpg', 'http://h/2024-01010022.jpg',
     '2024-01-01 00:22', 8, 0.5, 'cubierto', '', 'v1', '2024-01-02 10:00:00'),
    ('2024-01010032.jpg', 'x',
     '2023-12-31T21:32', 7, 0.8731, 'BKN', 'Muy nublado', 'v1', '2024-01-02 10:00:00'),
    ('2024-01010032.JPG', 'x',
     '2024-01-01T00:32', 7, 0.9, 'BKN', NULL, 'v1', '2024-01-02 10:00:00'),
    ('test.jpg', 'x', '2024-01-01T00:42', 1, 0.9, 'FEW', NULL, 'v1', '2024-01-02 10:00:00'),
    ('2024-01010052.jpg', 'x', '2024-01-01T00:52', 9, 0.9, '', NULL, 'v1', '2024-01-02 10:00:00')";

#[test]
fn every_row_shows_as_it_was() {
    let place = Place::new();
    let old = &mut place.other();
    run_sql(old, REPLACED);
    run_sql(old, ROWS);
    let before = rows(old);
    let bytes = std::fs::read(&place.db).unwrap();
    let (mut database, all, placed, kept, copy) = adopt(&place);
    assert_eq!((all, placed, kept), (7, 4, 3));
    assert_eq!(rows(&mut database.connection), before);
    // The statements of a connection that was open all along go on working.
    assert_eq!(rows(old), before);
    assert_eq!(database.stored_slots(whole()).unwrap(), [nth(0), nth(1), nth(2), nth(3)]);
    let utc =
        texts(&mut database.connection, "SELECT slot_utc || day_phase FROM observations LIMIT 1");
    assert_eq!(utc, ["2024-01-01T03:02:00Ztwilight"]);
    // The copy is the old file.
    assert_eq!(copy, place.folder.path().join("cielo.db.before-celaje.bak"));
    let kept_file = &mut other(&copy);
    assert_eq!(rows(kept_file), before);
    assert_eq!(planned(&copy).rows, 7);
    assert_ne!(std::fs::read(&place.db).unwrap(), bytes);
    drop(database);
    let again = Database::open(&place.db, &station()).unwrap();
    assert_eq!(again.adopted, None);
}

#[test]
fn the_record_goes_on_from_there() {
    let place = Place::new();
    run_sql(&mut place.other(), REPLACED);
    run_sql(&mut place.other(), ROWS);
    let (mut database, ..) = adopt(&place);
    let run = begin(&mut database);
    let outcomes = [seen(nth(0), 1), seen(nth(4), 2), seen(nth(5), 6)];
    let done = database.commit(run, CommitMode::Insert, &outcomes).unwrap();
    use crate::store::CommitEffect::{Duplicate, New};
    assert_eq!(done, [Duplicate, New, New]);
    // Seven rows, one slot more; the row with nine oktas gave way to a reading.
    assert_eq!(count(&mut database.connection, "registro_historico"), 8);
    assert_eq!(count(&mut database.connection, "registro_historico WHERE octas_predichas = 9"), 0);
    assert_eq!(count(&mut database.connection, "legacy_rows"), 3);
    let old = &mut place.other();
    run_sql(
        old,
        &format!(
            "INSERT OR IGNORE INTO registro_historico {COLUMNS} VALUES \
            ('2024-01010002.jpg', 'u', 'f', 5, 0.5, 'BKN', NULL, 'v2'), \
            ('2024-01010102.jpg', 'u', '2024-01-01T01:02', 5, 0.5, 'BKN', NULL, 'v2')"
        ),
    );
    assert_eq!(count(old, "registro_historico"), 9);
    assert_eq!(count(old, "registro_historico WHERE modelo_version = 'v2'"), 1);
}

#[test]
fn a_lax_table_loses_nothing_either() {
    let place = Place::new();
    let old = &mut place.other();
    // No key, other types, a column missing, one too many, another order.
    run_sql(
        old,
        "CREATE TABLE registro_historico (id INTEGER, Octas_Predichas TEXT, filename, \
             url_imagen VARCHAR(200), fecha_captura DATETIME, confianza TEXT, categoria TEXT, \
             created_at TEXT, extra BLOB);
         INSERT INTO registro_historico VALUES
             (1, '3', '2024-01010002.jpg', NULL, NULL, '0.5', NULL, NULL, x'00'),
             (2, '4', '2024-01010002.jpg', 'b', 'c', 'high', 'SCT', 'now', NULL),
             (3, NULL, '2024-01010012.jpg', 'b', 'c', NULL, NULL, NULL, NULL),
             (4, '5', '2024-01010012.jpg', 'b', 'c', NULL, NULL, NULL, NULL),
             (5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
             (6, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
             (7, '3', x'323032342d30313031303030322e6a7067', NULL, NULL, NULL, NULL, NULL, NULL),
             (8, '3', '2024-01010022.jpg' || char(0) || 'x', 'b', 'c', NULL, NULL, NULL, NULL),
             (9, '3 or so', 20240101, 'b', 'c', NULL, NULL, NULL, NULL);",
    );
    let (mut database, all, placed, kept, _) = adopt(&place);
    assert_eq!((all, placed, kept), (9, 2, 7));
    assert_eq!(count(&mut database.connection, "registro_historico"), 9);
    let placed = texts(
        &mut database.connection,
        "SELECT concat_ws('|', slot_local, okta, ifnull(captured_at, '-'), \
         ifnull(confidence, '-')) FROM observations \
         ORDER BY slot_local",
    );
    // Of two readings of one picture the last one counts; the other text is no confidence.
    assert_eq!(placed, ["2024-01-01T00:02|4|c|high", "2024-01-01T00:12|5|c|-"]);
    let copies = "legacy_rows WHERE filename = '2024-01010002.jpg' AND octas_predichas = 3";
    assert_eq!(count(&mut database.connection, copies), 1);
    // Reading such rows does not fail.
    assert_eq!(place.readings().len(), 2);
}

/// What a column is said to hold is no rule for SQLite: each value in each column.
#[test]
fn a_value_of_any_type_in_any_column_is_taken_over_and_told() {
    const VALUES: [&str; 18] = [
        "NULL",
        "4",
        "-1",
        "9",
        "1e18",
        "4.0",
        "4.5",
        "9e999",
        "''",
        "'4'",
        "' 4'",
        "'04'",
        "'4' || char(0)",
        "x'34'",
        "x''",
        "x'0400000000000000'",
        "x'ff'",
        "CAST(x'43e9' AS TEXT)",
    ];
    let types: Vec<&str> = COLUMN_NAMES.iter().map(|_| "").collect();
    let replaced = ["TEXT", "TEXT", "DATETIME", "INTEGER", "REAL", "TEXT", "TEXT", "TEXT", "TEXT"];
    for types in [&types[..], &replaced[..]] {
        for odd in COLUMN_NAMES {
            let place = Place::new();
            let old = &mut place.other();
            let columns: Vec<String> =
                COLUMN_NAMES.iter().zip(types).map(|(name, of)| format!("{name} {of}")).collect();
            run_sql(old, &format!("CREATE TABLE registro_historico ({})", columns.join(", ")));
            for (n, value) in VALUES.iter().enumerate() {
                let row = COLUMN_NAMES.map(|name| match name {
                    _ if name == odd => (*value).to_owned(),
                    "filename" => format!("'2024-010112{n:02}.jpg'"),
                    "fecha_captura" => format!("'2024-01-01T12:{n:02}'"),
                    "octas_predichas" => "3".to_owned(),
                    "confianza" => "0.5".to_owned(),
                    _ => "'x'".to_owned(),
                });
                run_sql(old, &format!("INSERT INTO registro_historico VALUES ({})", row.join(",")));
            }
            let (database, all, ..) = adopt(&place);
            assert_eq!(all, 18, "{odd}");
            drop(database);
            let days = LegacyDays::all();
            for most in [2, 100] {
                let (mut told, mut from) = (0, Some(days.first()));
                while let Some(begin) = from {
                    let (rows, next) = place.reader().legacy_rows(&days, begin, most).unwrap();
                    (told, from) = (told + rows.len(), next);
                }
                assert_eq!(told, 18, "{odd}, {most} a part");
            }
            place.reader().legacy_latest().unwrap();
            place.reader().newest_address("rio-grande").unwrap();
            place.reader().models(None).unwrap();
            place.readings();
            let found = place.reader().check().unwrap();
            assert!(found.iter().all(|finding| finding.result.is_ok()), "{odd}: {found:?}");
        }
    }
    // An address of the older form, in Latin-1.
    let place = Place::new();
    run_sql(
        &mut place.other(),
        "CREATE TABLE registro_historico (fecha_hora_prediccion TEXT, octas_predichas INTEGER, \
             url_imagen TEXT);
         INSERT INTO registro_historico VALUES ('2024-01-01T12:00:00', 3, \
             CAST(x'2f52ed6f2f323032342d30313031313230322e6a7067' AS TEXT));",
    );
    let (_, all, placed, ..) = adopt(&place);
    assert_eq!((all, placed), (1, 1));
}

#[test]
fn a_date_that_was_null_stays_null() {
    let place = Place::new();
    run_sql(
        &mut place.other(),
        "CREATE TABLE registro_historico (filename TEXT PRIMARY KEY, octas_predichas INTEGER, \
             fecha_captura TEXT);
         INSERT INTO registro_historico VALUES ('2024-01010002.jpg', 3, NULL);",
    );
    let (mut database, ..) = adopt(&place);
    let nulls = "registro_historico WHERE fecha_captura IS NULL";
    assert_eq!(count(&mut database.connection, nulls), 1);
    let old = &mut place.other();
    run_sql(
        old,
        "INSERT INTO registro_historico (filename, octas_predichas) VALUES ('2024-01010012.jpg', 4);
         UPDATE registro_historico SET octas_predichas = 5;",
    );
    assert_eq!(count(old, nulls), 2);
    assert_eq!(count(old, "observations WHERE okta = 5"), 2);
    run_sql(old, "DELETE FROM registro_historico");
    assert_eq!(count(old, "observations"), 0);
}

#[test]
fn ten_thousand_rows_arrive() {
    let place = Place::new();
    let old = &mut place.other();
    run_sql(old, REPLACED);
    run_sql(
        old,
        "PRAGMA journal_mode = WAL;
         WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
         INSERT INTO registro_historico
         SELECT strftime('%Y-%m%d%H%M.jpg', s), 'u', s, i % 9, 0.5, 'SCT', NULL, 'm', '2024'
         FROM (SELECT i,
             strftime('%Y-%m-%dT%H:%M', '2020-01-01', (10 * i + 2) || ' minutes') AS s FROM n);",
    );
    let before = rows(old);
    let (mut database, all, placed, kept, _) = adopt(&place);
    assert_eq!((all, placed, kept), (10_000, 10_000, 0));
    assert!(rows(&mut database.connection) == before, "a row has changed");
}

#[test]
fn a_takeover_that_is_refused_leaves_the_file_as_it_was() {
    let place = Place::new();
    let old = &mut place.other();
    run_sql(old, REPLACED);
    run_sql(old, ROWS);
    // A name that the record needs.
    run_sql(old, "CREATE TABLE theirs (x); CREATE INDEX legacy_rows_by_capture ON theirs (x);");
    let before = std::fs::read(&place.db).unwrap();
    let error = Database::open(&place.db, &station()).map(drop).unwrap_err();
    assert!(matches!(error.fault, Fault::Clash(_)), "{error}");
    assert_eq!(std::fs::read(&place.db).unwrap(), before);
    assert_eq!(place.files(), ["cielo.db"]);
    // With the obstacle gone it succeeds, and the other table is left alone.
    run_sql(old, "DROP INDEX legacy_rows_by_capture; INSERT INTO theirs VALUES (1);");
    assert_eq!(adopt(&place).1, 7);
    assert_eq!(count(old, "theirs"), 1);
}

#[test]
fn a_takeover_that_is_cut_off_leaves_the_file_as_it_was() {
    let (place, crashed) = (Place::new(), Place::new());
    let old = &mut place.other();
    run_sql(old, REPLACED);
    run_sql(old, ROWS);
    let before = rows(old);
    let mut connection = connect(&place.db, Access::Write).unwrap();
    // So small a cache that the file is written to before the transaction ends.
    run_sql(&mut connection, "PRAGMA cache_size = 2");
    let untouched = std::fs::read(&place.db).unwrap();
    let cut_off = transaction(&mut connection, |connection| {
        take_over_within(connection, &station(), None)?;
        assert_eq!(count(connection, "observations"), 4);
        // What a kill at this point would leave on the disk.
        for name in place.files() {
            std::fs::copy(place.folder.path().join(&name), crashed.folder.path().join(&name))
                .unwrap();
        }
        Err::<(), Fault>(Fault::Full)
    });
    assert!(matches!(cut_off, Err(Fault::Full)));
    assert_eq!(crashed.files(), ["cielo.db", "cielo.db-journal"]);
    assert_ne!(std::fs::read(&crashed.db).unwrap(), untouched);
    for file in [&place, &crashed] {
        assert_eq!(planned(&file.db).rows, 7);
        assert_eq!(rows(&mut file.other()), before);
        let (mut database, all, ..) = adopt(file);
        assert_eq!((all, rows(&mut database.connection)), (7, before.clone()));
    }
}

#[test]
fn what_cannot_be_taken_over_is_refused() {
    let place = Place::new();
    let old = &mut place.other();
    run_sql(old, "CREATE TABLE registro_historico (filename TEXT PRIMARY KEY)");
    let fault = || Database::open(&place.db, &station()).map(drop).unwrap_err().fault;
    assert!(matches!(fault(), Fault::OddTable("octas_predichas")));
    run_sql(old, "DROP TABLE registro_historico");
    run_sql(old, REPLACED);
    run_sql(old, "CREATE TABLE Runs (x)");
    assert!(matches!(fault(), Fault::Clash(name) if name == "Runs"));
    assert_eq!(place.files(), ["cielo.db"]);
}

#[test]
fn an_older_copy_is_never_written_over() {
    let place = Place::new();
    run_sql(&mut place.other(), REPLACED);
    let bak = place.folder.path().join("cielo.db.before-celaje.bak");
    std::fs::write(&bak, b"precious").unwrap();
    std::fs::write(place.folder.path().join("cielo.db.before-celaje-2.bak.part"), b"cut off")
        .unwrap();
    let (.., copy) = adopt(&place);
    assert_eq!(copy, place.folder.path().join("cielo.db.before-celaje-2.bak"));
    assert_eq!(std::fs::read(&bak).unwrap(), b"precious");
    assert_eq!(
        place.files().into_iter().filter(|name| name.contains("before")).collect::<Vec<_>>(),
        ["cielo.db.before-celaje-2.bak", "cielo.db.before-celaje.bak"]
    );
}

/// The column's own collation does not make a slot's name of one that is none.
#[test]
fn names_are_compared_letter_by_letter() {
    for collation in ["NOCASE", "RTRIM"] {
        let place = Place::new();
        let old = &mut place.other();
        run_sql(
            old,
            &REPLACED.replace("filename TEXT", &format!("filename TEXT COLLATE {collation}")),
        );
        run_sql(
            old,
            &format!(
                "INSERT INTO registro_historico {COLUMNS} VALUES
                 ('2024-01010002.jpg', 'u', 'f', 3, 0.5, 'SCT', NULL, 'v'),
                 ('2024-01010012.JPG', 'u', 'f', 3, 0.5, 'SCT', NULL, 'v'),
                 ('2024-01010022.jpg ', 'u', 'f', 3, 0.5, 'SCT', NULL, 'v')"
            ),
        );
        let before = rows(old);
        let state = Database::foresee(&place.db).unwrap();
        assert_eq!(state, FileState::Replaced(planned(&place.db)));
        let (_, all, placed, kept, _) = adopt(&place);
        assert_eq!((all, placed, kept), (3, 1, 2), "{collation}");
        assert_eq!(rows(old), before);
    }
}

#[test]
fn a_disk_that_fills_up_is_named_and_the_file_is_as_it_was() {
    let place = Place::new();
    let old = &mut place.other();
    run_sql(old, REPLACED);
    run_sql(
        old,
        "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
         INSERT INTO registro_historico
         SELECT strftime('%Y-%m%d%H%M.jpg', '2020-01-01', (10 * i + 2) || ' minutes'), 'u', 's', \
             i % 9, 0.5, 'SCT', NULL, 'm', '2024' FROM n;",
    );
    let before = std::fs::read(&place.db).unwrap();
    let plan = planned(&place.db);
    let mut connection = connect(&place.db, Access::Write).unwrap();
    let pages = column::<BigInt, i64>(&mut connection, "PRAGMA page_count")[0];
    // From the first page that is missing to the last: whatever statement meets the end.
    for more in [0, 3, 12, 20, 30, 40, 50] {
        run_sql(&mut connection, &format!("PRAGMA max_page_count = {}", pages + more));
        let fault = take_over(&mut connection, &place.db, &station(), &plan).unwrap_err();
        assert!(matches!(fault, Fault::Full), "{more}: {fault}");
        assert_eq!(std::fs::read(&place.db).unwrap(), before, "{more}");
        assert_eq!(place.files(), ["cielo.db"], "{more}");
    }
    run_sql(&mut connection, "PRAGMA max_page_count = 100000");
    take_over(&mut connection, &place.db, &station(), &plan).unwrap();
}

/// The check and the opening ask this; a disk that is too small is found before anything is made.
#[test]
fn there_must_be_room_for_the_copy_and_the_rows() {
    let place = Place::new();
    let old = &mut place.other();
    run_sql(old, REPLACED);
    run_sql(old, ROWS);
    for mode in ["DELETE", "WAL"] {
        run_sql(old, &format!("PRAGMA journal_mode = {mode}"));
        let mut connection = connect(&place.db, Access::Write).unwrap();
        let size = column::<BigInt, i64>(
            &mut connection,
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
        )[0];
        for free in [0, size.unsigned_abs()] {
            let fault = admit(&mut connection, Some(free)).unwrap_err();
            let Fault::NoRoom { needed, free: told } = fault else { panic!("{fault}") };
            assert!(told == free && needed > size.unsigned_abs(), "{needed}");
            let text = Failure::from(fault.at(&place.db)).text;
            assert!(text.en.contains("where 0 MB are free"), "{}", text.en);
            assert!(admit(&mut connection, Some(needed)).is_ok());
        }
        assert!(admit(&mut connection, None).is_ok());
    }
}

#[test]
fn a_damaged_file_is_not_taken_over() {
    let place = Place::new();
    let old = &mut place.other();
    run_sql(old, REPLACED);
    run_sql(
        old,
        "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
         INSERT INTO registro_historico
         SELECT i || '.jpg', 'u', 's', i % 9, 0.5, 'SCT', NULL, 'm', '2024' FROM n;",
    );
    let mut bytes = std::fs::read(&place.db).unwrap();
    let last = bytes.len() - 4096;
    bytes[last..].fill(0x55);
    std::fs::write(&place.db, bytes).unwrap();
    for fault in [
        Database::foresee(&place.db).map(drop).unwrap_err().fault,
        Database::open(&place.db, &station()).map(drop).unwrap_err().fault,
    ] {
        assert!(matches!(fault, Fault::Damaged), "{fault}");
    }
    assert_eq!(place.files(), ["cielo.db"]);
}

#[test]
fn a_locked_file_is_not_taken_over() {
    let place = Place::new();
    let old = &mut place.other();
    run_sql(old, REPLACED);
    let plan = planned(&place.db);
    run_sql(old, "BEGIN IMMEDIATE");
    let mut connection = connect(&place.db, Access::Write).unwrap();
    run_sql(&mut connection, "PRAGMA busy_timeout = 1");
    let fault = take_over(&mut connection, &place.db, &station(), &plan).unwrap_err();
    assert!(matches!(fault, Fault::Busy), "{fault}");
    let fault = admit(&mut connection, None).unwrap_err();
    assert!(matches!(fault, Fault::Busy), "{fault}");
    assert_eq!(place.files(), ["cielo.db"]);
    run_sql(old, "ROLLBACK");
    assert_eq!(admit(&mut connection, None).unwrap(), FileState::Replaced(plan));
}
