//! A database of the replaced system is taken over and continued.

use crate::support::station;
use crate::{Home, camera, run};

/// What the replaced system makes, and rows as it writes them.
const REPLACED: &str = "CREATE TABLE registro_historico (filename TEXT PRIMARY KEY, \
     url_imagen TEXT NOT NULL, fecha_captura TEXT NOT NULL, octas_predichas INTEGER NOT NULL, \
     confianza REAL NOT NULL, categoria TEXT NOT NULL, descripcion TEXT, modelo_version TEXT, \
     created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP); \
     CREATE INDEX ix_historial_fecha ON registro_historico(fecha_captura); \
     INSERT INTO registro_historico VALUES \
     ('2024-03010002.jpg', 'http://h/a', '2024-03-01T00:02:00', 6, 0.9, 'BKN', 'x', 'v1', 't'), \
     ('2024-03010022.jpg', 'http://h/b', '2024-03-01T00:22:00', 2, 0.8, 'FEW', 'y', 'v1', 't'), \
     ('2023-12312352.jpg', 'http://h/c', '2023-12-31T23:52:00', 0, 0.7, 'SKC', 'z', 'v1', 't'), \
     ('prueba.jpg', 'http://h/d', 'nunca', 4, 0.1, 'SCT', NULL, NULL, 't');";

const ALL: &str = "SELECT filename || '|' || url_imagen || '|' || fecha_captura || '|' || \
     octas_predichas || '|' || confianza || '|' || categoria || '|' || \
     coalesce(descripcion, '-') || '|' || coalesce(modelo_version, '-') || '|' || created_at \
     FROM registro_historico WHERE url_imagen LIKE 'http://h/%' ORDER BY filename";

#[test]
fn its_rows_are_kept_and_its_slots_are_known() {
    let home = Home::new();
    home.record("cielo.db").execute(REPLACED);
    home.record("cielo.db").execute(
        "ALTER TABLE registro_historico ADD COLUMN nota TEXT; \
         ALTER TABLE registro_historico ADD COLUMN lente TEXT; \
         CREATE TRIGGER aviso AFTER INSERT ON registro_historico BEGIN SELECT 1; END; \
         CREATE VIEW notas AS SELECT nota FROM registro_historico;",
    );
    // What the check says beforehand is what is done.
    let doctor = home
        .celaje([
            "doctor",
            "--engine",
            "rten",
            "--db",
            "cielo.db",
            "--url-base",
            "http://127.0.0.1:9/",
        ])
        .output()
        .unwrap();
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(
        doctor.contains("with 4 rows; the first backfill takes them over, and a copy")
            && doctor.contains("FAIL OR READ SOMETHING ELSE from then on: notas"),
        "{doctor}"
    );
    let before = home.record("cielo.db").texts(ALL);
    let server = camera();
    let hour = || home.backfill(&server.base(), "2024-03-01T00:00", "2024-03-01T00:59");
    let told = run(&mut hour());
    assert_eq!(told.status, 0, "{told:?}");
    let (before_it, after_it) = (
        "'cielo.db' is the replaced system's, with 4 rows; they are taken over now, and a copy of \
        the file is kept. Its table stays in the file as registro_historico_anterior, with what \
        the view registro_historico has not: columns nota, lente; triggers aviso. THESE VIEWS, \
        TRIGGERS AND VIRTUAL TABLES FAIL OR READ SOMETHING ELSE from then on: notas (no such \
        column: nota); make them anew with",
        "4 rows were taken over (3 as observations, 1 kept as they were); a copy of the file is \
        'cielo.db.before-celaje.bak'",
    );
    let places = [before_it, after_it].map(|text| told.err.find(text).unwrap_or(usize::MAX));
    assert!(places[0] < places[1] && places[1] < usize::MAX, "{}", told.err);
    assert_eq!(told.out, "📊 Backfill → total=6 | nuevos=4 | duplicados=2 | fallidos=0\n");
    assert_eq!(server.requests().len(), 4);
    let mut record = home.record("cielo.db");
    assert_eq!(record.texts(ALL), before);
    assert_eq!(record.count("registro_historico"), 8);
    assert_eq!(
        record.texts("SELECT type FROM sqlite_schema WHERE name = 'registro_historico'"),
        ["view"]
    );
    let copied = home.record("cielo.db.before-celaje.bak").texts(ALL);
    assert_eq!(copied, before);

    // Older tools go on writing; what they write is known.
    record.execute(
        "INSERT OR IGNORE INTO registro_historico (filename, url_imagen, fecha_captura, \
         octas_predichas, confianza, categoria) VALUES \
         ('2024-03010102.jpg', 'http://h/e', '2024-03-01T01:02:00', 7, 0.5, 'BKN')",
    );
    drop(record);
    let mut longer = home.backfill(&server.base(), "2024-03-01T00:00", "2024-03-01T01:02");
    let told = run(&mut longer);
    assert_eq!(
        (told.out.as_str(), told.err.as_str()),
        ("📊 Backfill → total=7 | nuevos=0 | duplicados=7 | fallidos=0\n", "")
    );
}

#[test]
fn a_run_that_cannot_begin_takes_nothing_over() {
    let home = Home::new();
    home.record("cielo.db").execute(REPLACED);
    let before = std::fs::read(home.path("cielo.db")).unwrap();
    let mut command = home.backfill("http://127.0.0.1:9/", "2024-03-01", "2024-03-01");
    command.args(["--model", "none.onnx"]);
    let told = run(&mut command);
    assert!(told.status != 0, "{told:?}");
    assert!(std::fs::read(home.path("cielo.db")).unwrap() == before);
    assert!(!home.has("cielo.db.before-celaje.bak"));
}

/// What keeps a backfill from the file keeps the check from passing it, with the same sentence.
#[test]
fn the_check_refuses_what_a_backfill_refuses() {
    let home = Home::new();
    let sentence = |text: &str| text.trim().split_once(": ").unwrap().1.to_owned();
    let both = |parts: &[&str]| {
        let mut doctor = home.celaje(["doctor", "--engine", "rten", "--db", "cielo.db"]);
        let doctor = run(doctor.args(["--url-base", "http://127.0.0.1:9/"]));
        let line = doctor.out.lines().find(|line| line.contains("database: ")).unwrap();
        assert!(line.starts_with('✘') && doctor.status == 3, "{doctor:?}");
        let told = run(&mut home.backfill("http://127.0.0.1:9/", "2024-03-01", "2024-03-01"));
        told.refused(3, parts);
        let last = told.err.lines().last().unwrap();
        assert_eq!(sentence(line), sentence(last));
    };
    home.record("cielo.db").execute(REPLACED);
    // The replaced system is in the middle of a write.
    let mut old = home.record("cielo.db");
    old.execute("BEGIN IMMEDIATE; UPDATE registro_historico SET octas_predichas = 5");
    both(&["locked by another program"]);
    old.execute("ROLLBACK; CREATE TABLE runs (x)");
    both(&["'runs'", "rename it"]);
    for command in [&["status"][..], &["db", "check"], &["db", "backup", "copy.db"]] {
        let mut command = home.celaje(command.iter());
        run(command.args(["--db", "cielo.db"])).refused(3, &["'runs'", "rename it"]);
    }
    old.execute("DROP TABLE runs");
    // Another Celaje writes.
    let station = station("http://127.0.0.1:9/");
    let writer = celaje::store::Database::open(&home.path("cielo.db"), &station).unwrap();
    both(&["another celaje", "already writing"]);
    drop(writer);
    old.execute(
        "CREATE TRIGGER mine AFTER INSERT ON observations BEGIN INSERT INTO nowhere VALUES (1); \
         END",
    );
    both(&["'mine'", "no such table: main.nowhere", "DROP TRIGGER"]);
    assert!(!home.has("copy.db"));
}

/// Who compares file names without regard to case has them taken over letter by letter.
#[test]
fn a_column_of_any_collation_is_taken_over_as_the_check_says() {
    let home = Home::new();
    home.record("cielo.db")
        .execute(&REPLACED.replace("filename TEXT", "filename TEXT COLLATE NOCASE"));
    home.record("cielo.db").execute(
        "INSERT INTO registro_historico VALUES ('2024-03010032.JPG', 'http://h/e', \
         '2024-03-01T00:32:00', 6, 0.9, 'BKN', 'x', 'v1', 't')",
    );
    let mut doctor = home.celaje(["doctor", "--engine", "rten", "--db", "cielo.db"]);
    let doctor = run(doctor.args(["--url-base", "http://127.0.0.1:9/"]));
    assert!(doctor.out.contains("✔ database: 'cielo.db' is the replaced system's, with 5 rows"));
    let server = camera();
    let told = run(&mut home.backfill(&server.base(), "2024-03-01T00:02", "2024-03-01T00:02"));
    assert_eq!(told.status, 0, "{told:?}");
    assert!(told.err.contains("5 rows were taken over (3 as observations, 2 kept"), "{told:?}");
}

#[test]
fn the_old_clients_port_is_refused_with_what_to_do() {
    let home = Home::new();
    let station = station("http://127.0.0.1:9/");
    drop(celaje::store::Database::open(&home.path("cielo.db"), &station).unwrap());
    let serve = |port: &str| {
        let mut command = home.celaje(["serve", "--read-only", "--listen", "127.0.0.1:0"]);
        run(command.args(["--db", "cielo.db", "--compat", port]))
    };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let sentence = format!("another program uses port {port} of 127.0.0.1; end it, or choose");
    serve(&port).refused(3, &[&sentence, "--compat"]);
    serve("80001").refused(2, &["80001", "a port from 1 to 65535"]);
}

#[test]
fn the_older_form_is_taken_over_as_the_check_says() {
    let home = Home::new();
    home.record("cielo.db").execute(
        "CREATE TABLE registro_historico (fecha_hora_prediccion TEXT PRIMARY KEY, \
         octas_predichas INTEGER, confianza REAL, categoria TEXT, descripcion TEXT, \
         url_imagen TEXT); \
         INSERT INTO registro_historico VALUES \
         ('2024-03-01T00:04:09', 6, 0.9, 'BKN', 'x', 'http://h/a/2024-03010002.jpg'), \
         ('2024-03-01T00:05:00', 2, 0.8, 'FEW', 'y', 'http://h/latest.jpg');",
    );
    let doctor = home
        .celaje([
            "doctor",
            "--engine",
            "rten",
            "--db",
            "cielo.db",
            "--url-base",
            "http://127.0.0.1:9/",
        ])
        .output()
        .unwrap();
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.contains("✔ database: 'cielo.db' is the replaced system's, with 2 rows"));
    let server = camera();
    let told = run(&mut home.backfill(&server.base(), "2024-03-01T00:00", "2024-03-01T00:12"));
    assert_eq!(told.status, 0, "{told:?}");
    assert!(told.err.contains("2 rows were taken over (1 as observations, 1 kept"), "{told:?}");
    assert_eq!(told.out, "📊 Backfill → total=2 | nuevos=1 | duplicados=1 | fallidos=0\n");
    let rows = home.record("cielo.db").texts(
        "SELECT filename || ' ' || coalesce(fecha_captura, '-') || ' ' || created_at \
         FROM registro_historico WHERE url_imagen LIKE 'http://h/%' ORDER BY created_at",
    );
    assert_eq!(
        rows,
        [
            "2024-03010002.jpg 2024-03-01T00:02 2024-03-01T00:04:09-03:00",
            "latest.jpg 2024-03-01T00:05 2024-03-01T00:05:00-03:00"
        ]
    );
}
