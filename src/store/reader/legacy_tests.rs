use super::*;
use crate::store::Database;
use celaje_sky::station::Station;

fn insert(writer: &mut SqliteConnection, name: &str, captured: Option<&str>, okta: i32) {
    diesel::sql_query(
        "INSERT INTO registro_historico (filename, fecha_captura, octas_predichas) \
         VALUES (?, ?, ?)",
    )
    .bind::<Text, _>(name)
    .bind::<Nullable<Text>, _>(captured)
    .bind::<Integer, _>(okta)
    .execute(writer)
    .unwrap();
}

fn parted(reader: &mut Reader, days: &LegacyDays, most: usize) -> Vec<LegacyRow> {
    let (mut told, mut place) = (Vec::new(), Some(days.first()));
    while let Some(from) = place {
        let (rows, next) = reader.legacy_rows(days, from, most).unwrap();
        told.extend(rows);
        place = next;
    }
    told
}

#[test]
fn the_last_row_is_one_with_an_okta() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("a.db");
    drop(Database::open(&db, &Station::rio_grande()).unwrap());
    let mut writer = SqliteConnection::establish(db.to_str().unwrap()).unwrap();
    let mut reader = Reader::open(&db).unwrap();
    let mut last = || reader.legacy_latest().unwrap().map(|row| row.filename.unwrap());
    assert_eq!(last(), None);
    insert(&mut writer, "odd.jpg", None, 9);
    assert_eq!(last().as_deref(), Some("odd.jpg"));
    insert(&mut writer, "2024-01010002.jpg", Some("2024-01-01T00:02"), 3);
    insert(&mut writer, "later.jpg", Some("2024-01-01T00:22"), 9);
    insert(&mut writer, "nunca.jpg", Some("nunca"), 4);
    for okta in ["NULL", "'3 or so'", "3.5", "'x'"] {
        let row = format!(
            "INSERT INTO registro_historico (filename, fecha_captura, octas_predichas) \
             VALUES ('of {}.jpg', '2024-01-02T00:02', {okta})",
            okta.replace('\'', "")
        );
        diesel::sql_query(row).execute(&mut writer).unwrap();
    }
    assert_eq!(last().as_deref(), Some("2024-01010002.jpg"));
    // What is no whole number is told as none.
    let days = LegacyDays::between("2024-01-02", "2024-01-03");
    let rows = reader.legacy_rows(&days, days.first(), 9).unwrap().0;
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| row.octas_predichas.is_none()));
}

#[test]
fn the_newest_address_is_one_of_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("a.db");
    let station = Station::rio_grande();
    drop(Database::open(&db, &station).unwrap());
    let mut writer = SqliteConnection::establish(db.to_str().unwrap()).unwrap();
    let mut reader = Reader::open(&db).unwrap();
    let mut newest = || reader.newest_address(&station.id).unwrap();
    let set = |writer: &mut SqliteConnection, name: &str, url: &str| {
        diesel::sql_query("UPDATE registro_historico SET url_imagen = ? WHERE filename = ?")
            .bind::<Text, _>(url)
            .bind::<Text, _>(name)
            .execute(writer)
            .unwrap();
    };
    insert(&mut writer, "odd.jpg", None, 9);
    assert_eq!(newest(), None);
    set(&mut writer, "odd.jpg", "http://h/latest.jpg");
    assert_eq!(newest().as_deref(), Some("http://h/latest.jpg"));
    insert(&mut writer, "2024-01010002.jpg", Some("2024-01-01T00:02"), 3);
    insert(&mut writer, "2024-01010012.jpg", Some("2024-01-01T00:12"), 3);
    set(&mut writer, "2024-01010002.jpg", "https://h/a.jpg");
    set(&mut writer, "2024-01010012.jpg", "file:///b.jpg");
    assert_eq!(newest().as_deref(), Some("https://h/a.jpg"));
}

#[test]
fn however_it_is_parted_each_row_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("a.db");
    drop(Database::open(&db, &Station::rio_grande()).unwrap());
    let mut writer = SqliteConnection::establish(db.to_str().unwrap()).unwrap();
    // Readings, and rows of any name: many of the same moment, some of none.
    let rows = [
        ("2024-01010002.jpg", Some("2024-01-01 00:02:00"), 3),
        ("2024-01010012.jpg", Some("2024-01-01 00:12:00"), 4),
        ("2024-01010022.jpg", Some("2024-01-01T00:22"), 5),
        ("2024-01020002.jpg", Some("2024-01-02 00:02:00"), 5),
    ];
    let odd = |n: usize| match n % 4 {
        0 => None,
        1 => Some("2024-01-01 00:12:00"),
        2 => Some("2024-01-01 00:12:30"),
        _ => Some("2024-01-01T00:12:00"),
    };
    let names: Vec<String> = (0..24).map(|n| format!("odd-{n:02}.jpg")).collect();
    let others = names.iter().enumerate();
    let others = others.map(|(n, name)| (name.as_str(), odd(n), 9));
    for (name, captured, okta) in rows.into_iter().chain(others) {
        insert(&mut writer, name, captured, okta);
    }
    let mut reader = Reader::open(&db).unwrap();
    let days = LegacyDays::between("2024-01-01", "2024-01-03");
    let (all, none) = reader.legacy_rows(&days, days.first(), 100).unwrap();
    assert_eq!((all.len(), none), (4 + 18, None));
    let key = |row: &LegacyRow| (minute(row.fecha_captura.as_ref().unwrap()), row.filename.clone());
    assert!(all.is_sorted_by_key(key));
    for most in 1..=all.len() {
        assert_eq!(parted(&mut reader, &days, most), all, "{most} at a time");
    }
    // Without bounds, those of no moment are there too, first.
    let everything = parted(&mut reader, &LegacyDays::all(), 100);
    assert_eq!(everything.len(), 4 + 24);
    assert!(everything[..6].iter().all(|row| row.fecha_captura.is_none()));
    for most in 1..=everything.len() {
        let told = parted(&mut reader, &LegacyDays::all(), most);
        assert_eq!(told, everything, "{most} at a time");
    }
    // No part of a day.
    let (rows, next) = reader.legacy_rows(&days, days.first(), 21).unwrap();
    assert_eq!((rows.len(), next), (21, Some(LegacyPlace::Day("2024-01-02".into()))));
    // The last row by its moment: as a text it comes before those with a T.
    insert(&mut writer, "2024-01020000.jpg", Some("2024-01-02T00:00"), 2);
    let last = reader.legacy_latest().unwrap().unwrap();
    assert_eq!(last.filename.as_deref(), Some("2024-01020002.jpg"));
}

#[test]
fn a_row_is_shown_as_it_was() {
    let zone: Zone = "America/Argentina/Ushuaia".parse().unwrap();
    let shown = |captured: &str, created: &str, confidence, is_own| {
        let row = LegacyRow {
            filename: None,
            url_imagen: None,
            fecha_captura: Some(captured.to_owned()),
            octas_predichas: None,
            confianza: Some(confidence),
            categoria: None,
            descripcion: None,
            modelo_version: None,
            created_at: Some(created.to_owned()),
            is_own,
            day: None,
        };
        let row = row.shown(zone);
        (row.fecha_captura.unwrap(), row.created_at.unwrap(), row.confianza)
    };
    let (minute, created) = ("2025-10-27T13:42", "2025-10-27T13:45:12-03:00");
    for (captured, written, is_own) in [
        ("2025-10-27T13:42", "2025-10-27 16:45:12", true),
        ("2025-10-27 13:42:00.000000", "2025-10-27 13:45:12.123456", false),
        ("2025-10-27T13:42:00", "2025-10-27T13:45:12", false),
        ("2025-10-27T13:42:00-03:00", "2025-10-27T13:45:12-03:00", false),
        ("2025-10-27 13:42", "2025-10-27 16:45:12+00:00", false),
    ] {
        let expected = (minute.to_owned(), created.to_owned(), Some(0.8765));
        assert_eq!(shown(captured, written, 0.876_543_2, is_own), expected, "{captured}");
    }
    // What is no moment stays as it is.
    let expected = ("ayer".to_owned(), String::new(), Some(0.5));
    assert_eq!(shown("ayer", "", 0.5, false), expected);
}

#[test]
fn another_moment_stands_for_one_that_is_missing() {
    let zone: Zone = "-03:00".parse().unwrap();
    let shown = |name: &str, created: Option<&str>| {
        let row = LegacyRow {
            filename: Some(name.to_owned()),
            url_imagen: None,
            fecha_captura: None,
            octas_predichas: None,
            confianza: None,
            categoria: None,
            descripcion: None,
            modelo_version: None,
            created_at: created.map(str::to_owned),
            is_own: false,
            day: None,
        };
        row.shown(zone).fecha_captura.unwrap()
    };
    let created = Some("2025-10-27 13:45:12-03:00");
    assert_eq!(shown("2025-10271342.jpg", created), "2025-10-27T13:42");
    assert_eq!(shown("latest.jpg", created), "2025-10-27T13:45");
    assert_eq!(shown("latest.jpg", Some("hace poco")), "");
    assert_eq!(shown("latest.jpg", None), "");
}
