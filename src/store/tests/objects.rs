//! A takeover among the user's own tables, views and triggers.

use super::*;
use crate::store::error::Fault;

/// A table with columns of the user's own and two rows.
const WITH_ID: &str = "CREATE TABLE Registro_Historico (id INTEGER PRIMARY KEY AUTOINCREMENT, \
     filename TEXT UNIQUE, url_imagen TEXT, fecha_captura TEXT, octas_predichas INTEGER, \
     confianza REAL, categoria TEXT, descripcion TEXT, modelo_version TEXT, created_at TEXT, \
     nota TEXT); \
     INSERT INTO registro_historico (filename, octas_predichas, nota) VALUES \
     ('2024-01010802.jpg', 3, 'luna'), ('2024-01010812.jpg', 4, 'niebla');";

/// Every row of every table but the record's and SQLite's own, in the names that they had.
fn rows_of(connection: &mut SqliteConnection, tables: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for table in tables {
        let columns = texts(connection, &format!("SELECT name FROM pragma_table_info('{table}')"));
        let columns: Vec<_> = columns.iter().map(|name| format!("quote({name})")).collect();
        let columns = columns.join(" || ' ' || ");
        all.extend(texts(connection, &format!("SELECT {columns} AS line FROM {table} ORDER BY 1")));
    }
    all
}

/// Takes over, and sees that what was planned is told before anything is changed.
fn taken(place: &Place) -> (Database, TakeoverPlan) {
    let (planned, before) = (planned(&place.db), std::fs::read(&place.db).unwrap());
    let mut told = None;
    let opened = Database::open_telling(&place.db, &station(), |plan| {
        assert_eq!(std::fs::read(&place.db).unwrap(), before);
        told = Some(plan.clone());
    });
    assert_eq!(told.as_ref(), Some(&planned));
    let opened = opened.unwrap();
    assert_eq!(opened.adopted.unwrap().rows, planned.rows);
    (opened.database, planned)
}

/// The file is sound to `db check`, and `db backup` copies it.
fn is_looked_after(place: &Place) {
    let findings = Reader::open(&place.db).unwrap().check().unwrap();
    assert!(findings.iter().all(|finding| finding.result.is_ok()), "{findings:?}");
    let mut reader = Reader::open(&place.db).unwrap();
    reader.backup(&place.folder.path().join("copy.db"), true).unwrap();
}

fn broken(plan: &TakeoverPlan) -> Vec<&str> {
    plan.broken.iter().map(|it| it.name.as_str()).collect()
}

#[test]
fn what_the_record_has_no_place_for_stays() {
    let place = Place::new();
    run_sql(&mut place.other(), REPLACED);
    // Its own index has a successor.
    let plain = TakeoverPlan { rows: 0, ..TakeoverPlan::default() };
    assert_eq!(taken(&place).1, plain);
    assert_eq!(count(&mut place.other(), "sqlite_schema WHERE name LIKE '%_anterior%'"), 0);
    let place = Place::new();
    let old = &mut place.other();
    run_sql(old, REPLACED);
    run_sql(
        old,
        "CREATE INDEX by_okta ON registro_historico (octas_predichas, filename);
         CREATE INDEX by_year ON registro_historico (substr(filename, 1, 4));
         CREATE UNIQUE INDEX by_name ON registro_historico (filename);
         CREATE TRIGGER count_up AFTER INSERT ON registro_historico BEGIN SELECT 1; END;",
    );
    // Indices and triggers alone are no reason to keep the rows twice.
    assert_eq!(planned(&place.db).stays_as, None);
    run_sql(
        old,
        "ALTER TABLE registro_historico ADD COLUMN Nota TEXT;
         CREATE TABLE registro_historico_anterior (x);",
    );
    let (_, plan) = taken(&place);
    assert_eq!(plan.columns, ["Nota"]);
    assert_eq!(plan.indices, ["by_okta", "by_year"]);
    assert_eq!(plan.rules, [""; 0]);
    assert_eq!(plan.triggers, ["count_up"]);
    assert_eq!(plan.stays_as.as_deref(), Some("registro_historico_anterior_2"));
    assert_eq!(count(&mut place.other(), "registro_historico_anterior_2 WHERE Nota IS NULL"), 0);
    is_looked_after(&place);
}

#[test]
fn no_foreign_key_acts() {
    let actions = ["NO ACTION", "CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT"];
    let keys = [
        ("id", "1", "2"),
        ("filename", "'2024-01010802.jpg'", "'2024-01010812.jpg'"),
        // No key of its table: SQLite checks nothing while foreign keys are off.
        ("fecha_captura", "NULL", "NULL"),
    ];
    for (n, (action, (key, one, two))) in
        actions.into_iter().flat_map(|a| keys.map(|k| (a, k))).enumerate()
    {
        let place = Place::new();
        let old = &mut place.other();
        run_sql(old, WITH_ID);
        run_sql(old, "PRAGMA foreign_keys = OFF");
        let deferred = if n % 2 == 0 { "DEFERRABLE INITIALLY DEFERRED" } else { "" };
        let rowid = if n % 3 == 0 { "WITHOUT ROWID" } else { "" };
        run_sql(
            old,
            &format!(
                "CREATE TABLE notas (n INTEGER PRIMARY KEY, txt TEXT, reg DEFAULT 'x' \
                     REFERENCES REGISTRO_HISTORICO ({key}) ON DELETE {action} ON UPDATE {action} \
                     {deferred}) {rowid};
                 INSERT INTO notas VALUES (1, 'luna', {one}), (2, 'niebla', {two}), (3, 'x', NULL);"
            ),
        );
        let before = rows_of(old, &["notas", "registro_historico"]);
        let (_, plan) = taken(&place);
        assert_eq!(plan.foreign_keys, ["notas"]);
        let after = rows_of(old, &["notas", "registro_historico_anterior"]);
        assert_eq!(after, before, "{action} {key}");
        is_looked_after(&place);
        // The table can be used as it could before, with foreign keys on too.
        run_sql(old, "INSERT INTO notas VALUES (4, 'new', NULL); DELETE FROM notas WHERE n = 3;");
        if key == "fecha_captura" {
            continue;
        }
        run_sql(old, "PRAGMA foreign_keys = ON");
        run_sql(old, &format!("INSERT INTO notas VALUES (5, 'again', {one})"));
        run_sql(old, "DELETE FROM notas WHERE n = 5; UPDATE notas SET txt = 'x' WHERE n = 1;");
        let lost = old.batch_execute("INSERT INTO notas VALUES (6, 'none', 'no such')");
        assert!(lost.unwrap_err().to_string().contains("FOREIGN KEY constraint failed"));
    }
}

#[test]
fn keys_of_several_columns_both_ways_and_to_itself_hold() {
    let place = Place::new();
    let old = &mut place.other();
    run_sql(
        old,
        "CREATE TABLE fotos (name TEXT PRIMARY KEY, reg TEXT REFERENCES registro_historico
             ON DELETE CASCADE);
         CREATE TABLE registro_historico (filename TEXT PRIMARY KEY
                 REFERENCES fotos ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
             octas_predichas INTEGER NOT NULL CHECK (octas_predichas BETWEEN 0 AND 8),
             antes TEXT REFERENCES registro_historico (filename) ON DELETE CASCADE,
             categoria TEXT GENERATED ALWAYS AS
                 (CASE octas_predichas WHEN 0 THEN 'SKC' ELSE 'BKN' END) VIRTUAL,
             UNIQUE (filename, octas_predichas)) WITHOUT ROWID;
         CREATE TABLE pares (a TEXT, b INTEGER, FOREIGN KEY (a, b)
             REFERENCES registro_historico (filename, octas_predichas) ON UPDATE CASCADE);
         BEGIN;
         INSERT INTO registro_historico VALUES ('2024-01010802.jpg', 3, NULL),
             ('2024-01010812.jpg', 0, '2024-01010802.jpg');
         INSERT INTO fotos VALUES ('2024-01010802.jpg', '2024-01010802.jpg'),
             ('2024-01010812.jpg', '2024-01010802.jpg');
         INSERT INTO pares VALUES ('2024-01010802.jpg', 3);
         COMMIT;",
    );
    let before = rows_of(old, &["fotos", "pares", "registro_historico"]);
    let (_, plan) = taken(&place);
    assert_eq!(plan.foreign_keys, ["fotos", "pares", "registro_historico"]);
    assert_eq!(rows_of(old, &["fotos", "pares", "registro_historico_anterior"]), before);
    // What is generated is a text like another.
    let kinds = texts(old, "SELECT categoria FROM registro_historico ORDER BY filename");
    assert_eq!(kinds, ["BKN", "SKC"]);
    is_looked_after(&place);
    let pointed = texts(
        old,
        "SELECT DISTINCT key.\"table\" FROM sqlite_schema AS it, \
         pragma_foreign_key_list(it.name) AS key WHERE it.name IN ('fotos', 'pares', \
         'registro_historico_anterior') ORDER BY 1",
    );
    assert_eq!(pointed, ["fotos", "registro_historico_anterior"]);
}

#[test]
fn views_go_on_or_are_named() {
    let place = Place::new();
    let old = &mut place.other();
    run_sql(old, WITH_ID);
    run_sql(
        old,
        "CREATE TABLE notas (fn TEXT, txt TEXT);
         INSERT INTO notas VALUES ('2024-01010802.jpg', 'luna');
         CREATE VIEW \"by day\" AS SELECT substr(filename, 1, 9) AS d, avg(octas_predichas) AS o
             FROM registro_historico GROUP BY d;
         CREATE VIEW noted AS SELECT txt, octas_predichas AS o
             FROM notas JOIN registro_historico ON fn = filename;
         CREATE VIEW over_noted AS SELECT o FROM noted;
         CREATE VIEW last AS SELECT max(id), filename FROM registro_historico;
         CREATE VIEW over_last AS SELECT filename FROM last;
         CREATE VIEW \"it's\"\"x\" AS SELECT Nota FROM Registro_Historico;
         CREATE VIEW by_row AS SELECT rowid AS r FROM registro_historico;
         CREATE VIEW by_index AS SELECT filename FROM registro_historico
             INDEXED BY sqlite_autoindex_registro_historico_1;
         CREATE VIEW broken_before AS SELECT nada FROM registro_historico;
         CREATE VIEW elsewhere AS SELECT txt FROM notas;",
    );
    let (_, plan) = taken(&place);
    assert_eq!(broken(&plan), ["last", "over_last", "it's\"x", "by_row", "by_index"]);
    assert!(plan.broken[0].reason.contains("no such column: id"), "{:?}", plan.broken);
    for view in ["\"by day\"", "noted", "over_noted"] {
        assert_eq!(texts(old, &format!("SELECT CAST(o AS TEXT) FROM {view}")).len(), 1, "{view}");
    }
    // What the message says helps.
    run_sql(
        old,
        "DROP VIEW last; CREATE VIEW last AS SELECT max(id) AS i, filename
             FROM registro_historico_anterior;",
    );
    assert_eq!(texts(old, "SELECT filename || i FROM last"), ["2024-01010812.jpg2"]);
    is_looked_after(&place);
}

/// SQLite takes an unknown name in double quotes for a text, and looks for others in the query
/// around: such a view does not fail, it reads something else.
#[test]
fn views_that_would_read_something_else_are_named() {
    let place = Place::new();
    let old = &mut place.other();
    run_sql(old, WITH_ID);
    run_sql(
        old,
        "CREATE TABLE notas (fn TEXT, nota TEXT);
         INSERT INTO notas VALUES ('2024-01010802.jpg', 'luna');
         CREATE VIEW quoted AS SELECT \"nota\" AS n FROM registro_historico;
         CREATE VIEW over_quoted AS SELECT upper(n) AS n FROM quoted;
         CREATE VIEW ordered AS SELECT filename FROM registro_historico ORDER BY \"ID\";
         CREATE VIEW filtered AS SELECT filename FROM registro_historico WHERE \"nota\" <> 'luna';
         CREATE VIEW by_number AS SELECT \"rowid\" AS r FROM registro_historico;
         CREATE VIEW outer_name AS SELECT fn FROM notas
             WHERE EXISTS (SELECT 1 FROM registro_historico WHERE nota = 'niebla');
         CREATE VIEW naturally AS SELECT fn FROM notas NATURAL JOIN registro_historico;
         CREATE VIEW whole AS SELECT * FROM registro_historico;
         CREATE VIEW over_whole AS SELECT nota FROM whole;
         CREATE VIEW plain AS SELECT \"octas_predichas\" AS o, \"SKC\" AS text, [filename]
             FROM \"registro_historico\" WHERE \"filename\" > \"2024\" ORDER BY \"confianza\";
         CREATE VIEW elsewhere AS SELECT \"nota\" AS \"id\" FROM notas;
         CREATE TABLE sensores (fn TEXT, nota TEXT, n INTEGER);
         CREATE TRIGGER copies AFTER INSERT ON sensores BEGIN
             INSERT INTO notas SELECT filename, \"nota\" FROM registro_historico; END;
         CREATE TRIGGER counts AFTER UPDATE ON sensores WHEN NEW.\"nota\" <> \"x\" BEGIN
             UPDATE notas SET nota = (SELECT max(octas_predichas) FROM registro_historico)
             WHERE fn = \"NEW\".fn; END;",
    );
    let plain = texts(old, "SELECT concat(o, text, filename) FROM plain");
    let (_, plan) = taken(&place);
    assert_eq!(
        broken(&plan),
        [
            "quoted",
            "over_quoted",
            "ordered",
            "filtered",
            "by_number",
            "outer_name",
            "naturally",
            "whole",
            "over_whole",
            "copies"
        ]
    );
    let reason = |name: &str| {
        let found = plan.broken.iter().find(|it| it.name == name);
        found.unwrap().reason.to_lowercase()
    };
    for (name, column) in [
        ("quoted", "nota"),
        ("over_quoted", "nota"),
        ("ordered", "id"),
        ("by_number", "rowid"),
        ("outer_name", "nota"),
        ("copies", "nota"),
    ] {
        assert_eq!(reason(name), format!("no such column: {column}"), "{name}");
    }
    assert_eq!(texts(old, "SELECT concat(o, text, filename) FROM plain"), plain);
    is_looked_after(&place);
}

#[test]
fn what_counts_columns_is_named_where_they_are_in_another_order() {
    let place = Place::new();
    let old = &mut place.other();
    run_sql(
        old,
        "CREATE TABLE registro_historico (filename TEXT PRIMARY KEY, octas_predichas INTEGER, \
             url_imagen TEXT, fecha_captura TEXT, confianza REAL, categoria TEXT, \
             descripcion TEXT, modelo_version TEXT, created_at TEXT);
         CREATE TABLE sensores (x);
         CREATE VIEW renamed (a, b, c, d, e, f, g, h, i) AS SELECT * FROM registro_historico;
         CREATE VIEW counted AS SELECT count(*) AS n, max(filename) FROM registro_historico;
         CREATE TRIGGER in_order AFTER INSERT ON sensores BEGIN
             INSERT INTO registro_historico VALUES (NEW.x, 1, 2, 3, 4, 5, 6, 7, 8); END;
         CREATE TRIGGER by_name AFTER UPDATE ON sensores BEGIN
             INSERT INTO registro_historico (filename, octas_predichas) VALUES (NEW.x, 1); END;",
    );
    let (_, plan) = taken(&place);
    assert_eq!(broken(&plan), ["renamed", "in_order"]);
    assert_eq!(plan.stays_as.as_deref(), Some("registro_historico_anterior"));
}

/// A full-text index without a copy of the texts asks the table for them by its row numbers.
#[test]
fn virtual_tables_over_the_old_table_are_named() {
    let place = Place::new();
    let old = &mut place.other();
    run_sql(old, REPLACED);
    run_sql(
        old,
        "INSERT INTO registro_historico VALUES ('2024-01010802.jpg', 'u', 'f', 3, 0.5, 'SCT', \
             'algunas nubes', 'v', 't');
         CREATE VIRTUAL TABLE own USING fts5(texto);
         INSERT INTO own VALUES ('algunas nubes');
         CREATE VIRTUAL TABLE busca USING fts5(descripcion, content='registro_historico');
         INSERT INTO busca(busca) VALUES ('rebuild');
         CREATE VIRTUAL TABLE busca4 USING fts4(content='registro_historico', descripcion);
         INSERT INTO busca4(busca4) VALUES ('rebuild');
         CREATE VIRTUAL TABLE broken_before USING fts5(x, content='nowhere');
         VACUUM;",
    );
    let found = "SELECT descripcion FROM busca WHERE busca MATCH 'nubes'";
    assert_eq!(texts(old, found), ["algunas nubes"]);
    let (_, plan) = taken(&place);
    assert_eq!(broken(&plan), ["busca", "busca4"]);
    assert_eq!(texts(old, "SELECT texto FROM own WHERE own MATCH 'nubes'"), ["algunas nubes"]);
    is_looked_after(&place);
    // What the message says helps.
    run_sql(
        old,
        "DROP TABLE busca;
         CREATE VIRTUAL TABLE busca USING fts5(descripcion, content='registro_historico_anterior');
         INSERT INTO busca(busca) VALUES ('rebuild');",
    );
    assert_eq!(texts(old, found), ["algunas nubes"]);
    is_looked_after(&place);
}

#[test]
fn what_was_unique_and_is_no_more_is_named() {
    let place = Place::new();
    let old = &mut place.other();
    run_sql(
        old,
        "CREATE TABLE registro_historico (filename TEXT PRIMARY KEY, url_imagen TEXT UNIQUE, \
             fecha_captura TEXT, octas_predichas INTEGER CHECK (octas_predichas < 9), \
             confianza REAL, categoria TEXT, descripcion TEXT, modelo_version TEXT, \
             created_at TEXT, UNIQUE (filename, url_imagen));
         CREATE UNIQUE INDEX one_a_moment ON registro_historico (fecha_captura);
         CREATE INDEX ix_historial_fecha ON registro_historico (fecha_captura);
         CREATE INDEX in_any_case ON registro_historico (filename COLLATE NOCASE);
         CREATE INDEX of_clouds ON registro_historico (fecha_captura) WHERE octas_predichas > 4;",
    );
    let (_, plan) = taken(&place);
    assert_eq!(plan.indices, ["in_any_case", "of_clouds", "one_a_moment"]);
    assert_eq!(plan.rules, ["UNIQUE (url_imagen)", "CHECK"]);
    assert_eq!((plan.stays_as, plan.broken.len()), (None, 0));
}

/// A migration that makes the view anew leaves what hangs on it.
#[test]
fn triggers_of_the_view_survive_an_update() {
    use crate::store::connection::migrate;
    let place = Place::new();
    drop(place.open());
    let old = &mut place.other();
    let version = "0007";
    let down = include_str!("../../../migrations/0007_confidences/down.sql");
    run_sql(old, down);
    run_sql(old, &format!("DELETE FROM __diesel_schema_migrations WHERE version = '{version}'"));
    run_sql(
        old,
        "CREATE TABLE seen (name TEXT);
         CREATE VIEW mine AS SELECT avg(confianza) AS c FROM registro_historico;
         CREATE TRIGGER told INSTEAD OF INSERT ON registro_historico BEGIN
             INSERT INTO seen VALUES (NEW.filename); END;",
    );
    migrate(old).unwrap();
    assert_eq!(count(old, "__diesel_schema_migrations WHERE version = '0007'"), 1);
    run_sql(old, "INSERT INTO registro_historico (filename) VALUES ('odd.jpg')");
    assert_eq!(count(old, "seen"), 1);
    assert_eq!(count(old, "mine WHERE c IS NULL"), 1);
}

#[test]
fn triggers_elsewhere_go_on_or_are_named() {
    let place = Place::new();
    let old = &mut place.other();
    run_sql(old, REPLACED);
    run_sql(
        old,
        "CREATE TABLE sensores (fn TEXT PRIMARY KEY, okta INTEGER, doble INTEGER AS (2 * okta));
         CREATE TRIGGER writes AFTER INSERT ON sensores BEGIN
             INSERT OR IGNORE INTO registro_historico (filename, url_imagen, fecha_captura, \
                 octas_predichas, confianza, categoria)
             VALUES (NEW.fn, 'u', 'f', NEW.okta, 0.5, 'SCT'); END;
         CREATE TRIGGER changes AFTER UPDATE OF okta ON sensores BEGIN
             UPDATE registro_historico SET octas_predichas = NEW.okta WHERE filename = NEW.fn; END;
         CREATE TRIGGER upserts AFTER UPDATE ON sensores WHEN NEW.okta > 8 BEGIN
             INSERT INTO registro_historico (filename) VALUES (NEW.fn)
             ON CONFLICT DO NOTHING; END;
         CREATE VIEW puerta AS SELECT fn, okta FROM sensores;
         CREATE TRIGGER through INSTEAD OF DELETE ON puerta BEGIN
             DELETE FROM registro_historico WHERE rowid = 1; END;
         CREATE TRIGGER own AFTER INSERT ON registro_historico BEGIN
             INSERT INTO nowhere VALUES (1); END;",
    );
    let (_, plan) = taken(&place);
    assert_eq!(broken(&plan), ["upserts", "through"]);
    assert_eq!(plan.triggers, ["own"]);
    // A trigger that failed before takes nothing with it now.
    run_sql(old, "DROP TRIGGER upserts; INSERT INTO sensores VALUES ('2024-01010002.jpg', 3);");
    run_sql(old, "UPDATE sensores SET okta = 7");
    assert_eq!(texts(old, "SELECT octas_predichas || '' FROM registro_historico"), ["7"]);
    is_looked_after(&place);
}

#[test]
fn what_stands_in_the_way_is_named_beforehand() {
    for (statement, name) in [
        ("CREATE TABLE Runs (x)", "Runs"),
        ("CREATE TABLE t (x); CREATE INDEX misses ON t (x)", "misses"),
        ("CREATE TABLE t (x); CREATE INDEX observations_by_capture ON t (x)", "observations_by_"),
        (
            "CREATE TABLE t (x); CREATE TRIGGER observation_ends_miss DELETE ON t \
             BEGIN SELECT 1; END",
            "observation_ends_miss",
        ),
    ] {
        let place = Place::new();
        run_sql(&mut place.other(), REPLACED);
        run_sql(&mut place.other(), statement);
        let examined = Database::foresee(&place.db).map(drop).unwrap_err().fault;
        assert!(matches!(&examined, Fault::Clash(found) if found.starts_with(name)), "{examined}");
        let opened = Database::open(&place.db, &station()).map(drop).unwrap_err().fault;
        assert_eq!(opened.to_string(), examined.to_string());
        assert_eq!(count(&mut place.other(), "registro_historico"), 0);
    }
    // A trigger may have the name of one of our tables.
    let place = Place::new();
    run_sql(&mut place.other(), REPLACED);
    run_sql(
        &mut place.other(),
        "CREATE TABLE t (x); CREATE TRIGGER runs DELETE ON t BEGIN SELECT 1; END",
    );
    taken(&place);
}

#[test]
fn what_sqlite_here_does_not_know_is_no_riddle() {
    let place = Place::new();
    let old = &mut place.other();
    run_sql(old, REPLACED);
    // As a file looks whose owner has functions and modules that this program has not.
    run_sql(
        old,
        "CREATE VIEW v AS SELECT regexp_replace(filename, 'x', 'y') FROM registro_historico;
         PRAGMA writable_schema = ON;
         INSERT INTO sqlite_schema VALUES ('table', 'places', 'places', 0,
             'CREATE VIRTUAL TABLE places USING spellfix1');
         PRAGMA writable_schema = OFF;",
    );
    taken(&place);
    is_looked_after(&place);
    // Of a table with such a function no copy can be made: the check says so, too.
    let place = Place::new();
    let old = &mut place.other();
    run_sql(old, REPLACED);
    run_sql(
        old,
        "CREATE TABLE limits (x TEXT);
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE TABLE limits (x TEXT CHECK (x REGEXP ''a''))'
             WHERE name = 'limits';",
    );
    let examined = Database::foresee(&place.db).map(drop).unwrap_err().fault;
    let Fault::Obstacle { name, reason } = &examined else { panic!("{examined}") };
    assert_eq!((name.as_str(), reason.as_str()), ("table limits", "no such function: REGEXP"));
    let opened = Database::open(&place.db, &station()).map(drop).unwrap_err().fault;
    assert_eq!(opened.to_string(), examined.to_string());
}

#[test]
fn rows_that_break_the_users_own_rules_are_theirs() {
    let place = Place::new();
    let old = &mut place.other();
    run_sql(old, REPLACED);
    run_sql(
        old,
        "CREATE TABLE notas (reg TEXT REFERENCES otra (x), n INTEGER CHECK (n > 0));
         CREATE TABLE otra (x TEXT PRIMARY KEY);
         PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;
         INSERT INTO notas VALUES ('none', -1);",
    );
    taken(&place);
    is_looked_after(&place);
    assert_eq!(count(&mut place.other(), "notas"), 1);
}
