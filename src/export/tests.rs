//! Exports of a record that is written to meanwhile.

use super::*;
use crate::store::Database;
use celaje_sky::station::Station;

fn record() -> (tempfile::TempDir, Reader) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(Database::open(&path, &Station::rio_grande()).unwrap());
    execute(
        &path,
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
         INSERT INTO misses (station, slot_local, slot_utc, reason, attempts, detail, last_tried, \
             source, layout)
         SELECT 'rio-grande', strftime('%Y-%m-%dT%H:%M', 1704067200 + 600 * i, 'unixepoch'), \
             strftime('%Y-%m-%dT%H:%M:%SZ', 1704078000 + 600 * i, 'unixepoch'), 'not_found', 1, \
             '', '2024-01-01 00:00:00', 'http://h/', 'auto' FROM n",
    );
    let reader = Reader::open(&path).unwrap();
    (folder, reader)
}

fn execute(path: &std::path::Path, statements: &str) {
    use diesel::connection::SimpleConnection;
    use diesel::{Connection, SqliteConnection};

    let mut other = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    other.batch_execute(statements).unwrap();
}

fn wanted(format: ExportFormat) -> ExportWanted {
    ExportWanted {
        in_folder_of_station: false,
        format,
        stations: vec!["rio-grande".to_owned()],
        from: None,
        to: None,
        terms: DataTerms::default(),
        known: vec![Arc::new(Station::rio_grande())],
        now: "2025-01-01T00:00:00Z".parse().unwrap(),
    }
}

#[test]
fn a_file_that_says_its_length_breaks_off_when_rows_come_or_go() {
    for change in [
        "DELETE FROM misses WHERE slot_local > '2024-03-01'",
        "INSERT INTO misses (station, slot_local, slot_utc, reason, attempts, detail, last_tried, \
         source, layout) VALUES ('rio-grande', '2024-03-01T00:05', '2024-03-01T03:05:00Z', \
         'stale', 1, '', '2024-01-01 00:00:00', 'http://h/', 'auto')",
    ] {
        let (folder, mut reader) = record();
        let mut export = Export::new(&mut reader, &wanted(ExportFormat::NetCdf)).unwrap();
        export.next_bytes(&mut reader).unwrap();
        execute(&folder.path().join("a.db"), change);
        let mut ended = Ok(());
        while ended.is_ok() && !export.is_over() {
            ended = export.next_bytes(&mut reader).map(drop);
        }
        assert!(matches!(ended, Err(ExportFault::Changed(_))), "{change}: {ended:?}");
    }
}

#[test]
fn parts_are_never_empty_and_gaps_are_counted() {
    let (folder, mut reader) = record();
    // The grid of this record is its own: the camera's slots are at minutes 2, 12 and so on.
    for format in ExportFormat::NAMES.iter().map(|(_, format)| *format) {
        let mut export = Export::new(&mut reader, &wanted(format)).unwrap();
        let mut parts = 0;
        while !export.is_over() {
            let bytes = export.next_bytes(&mut reader).unwrap();
            assert!(!bytes.is_empty(), "{format:?}");
            parts += 1;
        }
        assert!(parts >= 1, "{format:?}");
        let station = &export.about().stations[0];
        assert_eq!((station.readings, station.missed()), (0, 10_000));
        // From 00:00 of the first day to 10:30 of the last one, one slot each ten minutes.
        assert_eq!(station.never_asked, Some(9_999), "{format:?}");
    }
    drop(folder);
}
