//! A takeover of the replaced system's older form, which has no file name.

use super::*;
use crate::store::reader::{LegacyDays, LegacyRow};

const OLDER: &str = "CREATE TABLE registro_historico (fecha_hora_prediccion TEXT PRIMARY KEY, \
     octas_predichas INTEGER, confianza REAL, categoria TEXT, descripcion TEXT, url_imagen TEXT);
     CREATE UNIQUE INDEX ux_registro_historico_fecha
         ON registro_historico (fecha_hora_prediccion);";

/// All nine columns of every row.
fn rows(connection: &mut SqliteConnection) -> Vec<String> {
    texts(
        connection,
        "SELECT concat_ws('|', ifnull(filename, '-'), ifnull(url_imagen, '-'), \
             ifnull(fecha_captura, '-'), ifnull(octas_predichas, '-'), ifnull(confianza, '-'), \
             ifnull(categoria, '-'), ifnull(descripcion, '-'), ifnull(modelo_version, '-'), \
             created_at) FROM registro_historico ORDER BY created_at",
    )
}

fn take_over(place: &Place) -> (Database, i64, i64) {
    let plan = planned(&place.db);
    assert_eq!((&plan.stays_as, plan.columns.len(), plan.indices.len()), (&None, 0, 0));
    let opened = Database::open(&place.db, &station()).unwrap();
    let adopted = opened.adopted.unwrap();
    assert_eq!(adopted.placed + adopted.kept_verbatim, adopted.rows);
    (opened.database, adopted.placed, adopted.kept_verbatim)
}

#[test]
fn its_slot_is_in_the_address_and_its_moment_is_created_at() {
    let place = Place::new();
    run_sql(&mut place.other(), OLDER);
    run_sql(
        &mut place.other(),
        "INSERT INTO registro_historico VALUES
             ('2025-10-27T13:40:00', 7, 0.8731, 'BKN', 'Muy nublado',
              'http://h/allsky/2025-10271342.jpg'),
             ('2025-10-27 13:50:01', 0, 1, 'SKC', NULL, 'http://h/2025-10271352.jpg?ts=17'),
             ('2025-10-27T14:00:00.25', 8, NULL, NULL, NULL, 'file:///fotos/a b/2025-10271402.JPG'),
             ('2025-10-27T14:10:00-03:00', 3, 0.5, 'SCT', NULL, 'C:\\fotos\\2025-10271412.png'),
             ('2025-10-27T14:20:00', NULL, 0.5, 'SCT', NULL, 'http://h/2025-10271422.jpg'),
             ('2025-10-27T14:30:00', 3, 0.5, 'SCT', NULL, 'http://h/latest.jpg'),
             ('2025-10-27T14:40:00', 3, 0.5, 'SCT', NULL, 'http://h/2025-13991442.jpg'),
             ('2025-10-27T14:50:00', 3, 0.5, 'SCT', NULL, NULL),
             ('2025-10-27T14:55:00', 4, 0.5, 'SCT', NULL, 'http://h/2025-10271342.jpg'),
             ('2025-10-27T14:52:00', 2, 0.5, 'SCT', NULL, 'http://h/get?file=2025-10271452.jpg '),
             ('ayer', 3, 0.5, 'SCT', NULL, 'http://h/'),
             ('hace poco', 3, 0.5, 'SCT', NULL, 'http://h/2025-10271502.jpeg#t')",
    );
    let (mut database, placed, kept) = take_over(&place);
    assert_eq!((placed, kept), (6, 6));
    let rows = rows(&mut database.connection);
    let expected = [
        "2025-10271352.jpg|http://h/2025-10271352.jpg?ts=17|2025-10-27T13:52|0|1.0|SKC|-|-|\
         2025-10-27 13:50:01-03:00",
        "2025-10271402.jpg|file:///fotos/a b/2025-10271402.JPG|2025-10-27T14:02|8|-|-|-|-|\
         2025-10-27T14:00:00.25-03:00",
        "2025-10271412.jpg|C:\\fotos\\2025-10271412.png|2025-10-27T14:12|3|0.5|SCT|-|-|\
         2025-10-27T14:10:00-03:00",
        "2025-10271422.jpg|http://h/2025-10271422.jpg|2025-10-27T14:22|-|0.5|SCT|-|-|\
         2025-10-27T14:20:00-03:00",
        "latest.jpg|http://h/latest.jpg|2025-10-27T14:30|3|0.5|SCT|-|-|2025-10-27T14:30:00-03:00",
        "2025-13991442.jpg|http://h/2025-13991442.jpg|2025-10-27T14:40|3|0.5|SCT|-|-|\
         2025-10-27T14:40:00-03:00",
        "-|-|2025-10-27T14:50|3|0.5|SCT|-|-|2025-10-27T14:50:00-03:00",
        "2025-10271452.jpg|http://h/get?file=2025-10271452.jpg |2025-10-27T14:52|2|0.5|SCT|-|-|\
         2025-10-27T14:52:00-03:00",
        "2025-10271342.jpg|http://h/2025-10271342.jpg|2025-10-27T13:42|4|0.5|SCT|-|-|\
         2025-10-27T14:55:00-03:00",
        "-|http://h/|-|3|0.5|SCT|-|-|ayer",
        "2025-10271502.jpg|http://h/2025-10271502.jpeg#t|2025-10-27T15:02|3|0.5|SCT|-|-|hace poco",
    ];
    assert_eq!(rows, expected);
    // Of two predictions of one picture the newest is the reading, and the other one is kept.
    let newest =
        "SELECT okta || created_at FROM observations WHERE file_name = '2025-10271342.jpg'";
    assert_eq!(texts(&mut database.connection, newest), ["42025-10-27T14:55:00-03:00"]);
    let other = "legacy_rows WHERE filename = '2025-10271342.jpg' AND octas_predichas = 7";
    assert_eq!(count(&mut database.connection, other), 1);
    let names = "SELECT name FROM pragma_table_info('registro_historico')";
    assert_eq!(texts(&mut database.connection, names).len(), 9);
    let utc = texts(&mut database.connection, "SELECT min(slot_utc) FROM observations");
    assert_eq!(utc, ["2025-10-27T16:42:00Z"]);
    // The rows without a usable name are among all, at the minute of the program where there is
    // one.
    let days = LegacyDays::all();
    let (told, more) = place.reader().legacy_rows(&days, days.first(), 99).unwrap();
    assert_eq!((told.len(), more), (11, None));
    let of_day = LegacyDays::between("2025-10-27", "2025-10-28");
    let (told, _) = place.reader().legacy_rows(&of_day, of_day.first(), 99).unwrap();
    assert_eq!(told.len(), 10);
}

/// A file that a former version took over: those rows had no moment.
#[test]
fn rows_that_were_taken_over_without_a_moment_get_one() {
    let place = Place::new();
    drop(place.open());
    let old = &mut place.other();
    run_sql(old, include_str!("../../../migrations/0007_confidences/down.sql"));
    run_sql(
        old,
        "DELETE FROM __diesel_schema_migrations WHERE version = '0007';
         INSERT INTO legacy_rows (filename, url_imagen, octas_predichas, created_at) VALUES
             ('latest.jpg', 'http://h/latest.jpg', 3, '2025-10-27T14:30:00-03:00'),
             ('other.jpg', 'u', 3, '2025-10-27 17:30:00'), ('third.jpg', 'u', 3, 'hace poco');",
    );
    drop(place.open());
    let moments = "SELECT coalesce(fecha_captura, '-') FROM legacy_rows ORDER BY id";
    assert_eq!(texts(old, moments), ["2025-10-27T14:30", "-", "-"]);
}

#[test]
fn the_users_objects_on_it_are_theirs() {
    let place = Place::new();
    let old = &mut place.other();
    run_sql(old, OLDER);
    run_sql(
        old,
        "INSERT INTO registro_historico VALUES
             ('2025-10-27T13:40:00', 7, 0.8, 'BKN', 'x', 'http://h/2025-10271342.jpg');
         CREATE TABLE notas (cuando TEXT REFERENCES registro_historico ON DELETE CASCADE);
         INSERT INTO notas VALUES ('2025-10-27T13:40:00');
         CREATE VIEW horas AS SELECT substr(fecha_hora_prediccion, 12, 2) AS h
             FROM registro_historico;
         CREATE VIEW octas AS SELECT octas_predichas || '' AS o FROM registro_historico;",
    );
    let plan = planned(&place.db);
    assert_eq!(plan.foreign_keys, ["notas"]);
    assert_eq!(plan.broken.len(), 1);
    assert!(plan.broken[0].name == "horas" && plan.broken[0].reason.contains("fecha_hora"));
    let opened = Database::open(&place.db, &station()).unwrap();
    assert_eq!(opened.adopted.unwrap().placed, 1);
    assert_eq!(count(old, "notas"), 1);
    assert_eq!(texts(old, "SELECT o FROM octas"), ["7"]);
    assert_eq!(count(old, "registro_historico_anterior"), 1);
}

#[test]
fn an_empty_one_is_taken_over_too() {
    let place = Place::new();
    run_sql(&mut place.other(), OLDER);
    let (mut database, placed, kept) = take_over(&place);
    assert_eq!((placed, kept), (0, 0));
    assert_eq!(count(&mut database.connection, "registro_historico"), 0);
}

const PREDICTIONS: &str = "INSERT INTO registro_historico VALUES
    ('2025-10-27T13:40:00', 7, 0.5, 'BKN', 'x', 'http://h/2025-10271332.jpg'),
    ('2025-10-27T13:41:00', 6, 0.5, 'BKN', 'x', 'http://h/2025-10271332.jpg'),
    ('hace poco', 5, 0.5, 'BKN', 'x', 'http://h/2025-10271332.jpg'),
    ('2025-10-27T13:42:00', NULL, 0.5, 'BKN', 'x', 'http://h/2025-10271342.jpg'),
    ('2025-10-27T13:43:00', NULL, 0.5, 'BKN', 'x', 'http://h/2025-10271342.jpg'),
    ('2025-10-27T13:44:00', 2, 0.5, 'FEW', 'x', 'http://h/latest.jpg'),
    ('2025-10-27T13:45:00', 3, 0.5, 'SCT', 'x', 'http://h/latest.jpg')";

/// Name and moment of every row, as the view and the reader say alike.
fn shown(place: &Place) -> Vec<String> {
    let view = texts(
        &mut place.other(),
        "SELECT filename || ' ' || substr(created_at, 12, 5) AS line FROM registro_historico \
         ORDER BY line",
    );
    let days = LegacyDays::all();
    let (rows, _) = place.reader().legacy_rows(&days, days.first(), 99).unwrap();
    let line = |row: &LegacyRow| {
        let moment = row.created_at.as_deref().unwrap()[11..16].to_owned();
        format!("{} {moment}", row.filename.as_deref().unwrap())
    };
    let mut read: Vec<String> = rows.iter().map(line).collect();
    read.sort();
    assert_eq!(view, read);
    view
}

/// A picture is one row, that of the newest prediction, whoever replaces or deletes it; an address
/// that names no picture has as many rows as predictions.
#[test]
fn a_picture_that_was_judged_twice_shows_once() {
    let place = Place::new();
    run_sql(&mut place.other(), OLDER);
    run_sql(&mut place.other(), PREDICTIONS);
    let (mut database, placed, kept) = take_over(&place);
    assert_eq!((placed, kept), (1, 6));
    let latest = ["latest.jpg 13:44", "latest.jpg 13:45"];
    let pictures = ["2025-10271332.jpg 13:41", "2025-10271342.jpg 13:43"];
    assert_eq!(shown(&place), [pictures, latest].concat());
    // Readings take their places, and a sky that cannot be seen uncovers none.
    let run = begin(&mut database);
    let outcomes = [seen(at("2025-10-27T13:32"), 9), seen(at("2025-10-27T13:42"), 5)];
    database.commit(run, crate::store::CommitMode::Replace, &outcomes).unwrap();
    let rows = shown(&place);
    assert!(rows[0].starts_with("2025-10271342.jpg ") && rows[1..] == latest, "{rows:?}");
    assert_eq!(count(&mut place.other(), "legacy_rows"), 6);
    // One that is deleted uncovers none either.
    let old = &mut place.other();
    run_sql(old, "DELETE FROM registro_historico WHERE filename = '2025-10271342.jpg'");
    assert_eq!(shown(&place), latest);
    assert_eq!(count(old, "legacy_rows WHERE filename = '2025-10271342.jpg'"), 1);
}

/// A file that a former version took over: both predictions showed.
#[test]
fn predictions_that_were_taken_over_as_further_rows_are_hidden() {
    let place = Place::new();
    drop(place.open());
    let old = &mut place.other();
    run_sql(old, include_str!("../../../migrations/0013_predictions/down.sql"));
    run_sql(
        old,
        "DELETE FROM __diesel_schema_migrations WHERE version = '0013';
         INSERT INTO legacy_rows (copy, filename, octas_predichas, modelo_version, created_at)
         VALUES (1, '2025-10271332.jpg', 7, NULL, '2025-10-27T13:40:00-03:00'),
             (2, '2025-10271332.jpg', 7, NULL, '2025-10-27 13:39:00.25-03:00'),
             (1, '2025-10271342.jpg', 7, 'v1', '2025-10-27T13:40:00-03:00'),
             (1, '2025-10271352.jpg', 7, NULL, '2025-10-27 13:40:00'),
             (1, 'latest.jpg', 7, NULL, '2025-10-27T13:40:00-03:00');",
    );
    assert_eq!(count(old, "registro_historico"), 5);
    drop(place.open());
    assert_eq!(
        shown(&place),
        ["2025-10271342.jpg 13:40", "2025-10271352.jpg 13:40", "latest.jpg 13:40"]
    );
    // And back.
    run_sql(old, include_str!("../../../migrations/0013_predictions/down.sql"));
    assert_eq!(count(old, "registro_historico"), 5);
}
