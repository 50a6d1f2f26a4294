//! No room left, met by a limit on the file's pages, which any user can set.

use super::*;
use crate::store::error::{Fault, StoreError};
use crate::store::reader::Reader;
use crate::store::{Backup, CommitMode, RunCounts};

/// Pages that the file may have from now on.
fn allow(database: &mut Database, pages: i64) {
    let connection = &mut database.connection;
    let set = format!("PRAGMA max_page_count = {pages}");
    let got: i64 = sql::<BigInt>(&set).get_result(connection).unwrap();
    assert_eq!(got, pages);
}

fn backup(place: &Place, to: &Path, replace: bool) -> Result<Backup, StoreError> {
    Reader::open(&place.db).unwrap().backup(to, replace)
}

fn pages(database: &mut Database) -> i64 {
    sql::<BigInt>("PRAGMA page_count").get_result(&mut database.connection).unwrap()
}

#[test]
fn a_full_disk_is_told_and_what_was_committed_stays() {
    let place = Place::new();
    let mut database = place.open();
    let run = begin(&mut database);
    let counts = RunCounts { total: 100_000, ..RunCounts::default() };
    database.update_run(run, &counts).unwrap();
    let room = pages(&mut database) + 12;
    allow(&mut database, room);
    let (mut stored, mut next) = (0, 0);
    let error = loop {
        let outcomes: Vec<_> = (next..next + 8).map(|n| seen(nth(n), 3)).collect();
        next += 8;
        match database.commit(run, CommitMode::Insert, &outcomes) {
            Ok(_) => stored += 8,
            Err(error) => break error,
        }
        assert!(next < 10_000, "the limit does not hold");
    };
    assert!(matches!(error.fault, Fault::Full), "{error}");
    assert!(stored > 0, "nothing went in before");
    let rows = |database: &mut Database| count(&mut database.connection, "observations");
    assert_eq!(rows(&mut database), stored);
    let counted = "runs WHERE new = (SELECT count(*) FROM observations)";
    assert_eq!(count(&mut database.connection, counted), 1);

    // With room again the same connection goes on.
    allow(&mut database, room + 1000);
    let outcomes: Vec<_> = (next - 8..next).map(|n| seen(nth(n), 3)).collect();
    database.commit(run, CommitMode::Insert, &outcomes).unwrap();
    assert_eq!(rows(&mut database), stored + 8);
    drop(database);
    let found = Reader::open(&place.db).unwrap().check().unwrap();
    let wrong: Vec<_> = found
        .iter()
        .filter(|finding| finding.result.is_err())
        .map(|finding| finding.name)
        .collect();
    // The run was never ended.
    assert_eq!(wrong, ["running"]);
}

#[test]
fn a_backup_keeps_what_stands_in_its_place_when_it_fails() {
    let place = Place::new();
    drop(place.open());
    let to = place.folder.path().join("copy.db");
    std::fs::write(&to, b"precious").unwrap();
    let taken = backup(&place, &to, false).unwrap_err();
    assert!(matches!(taken.fault, Fault::Taken(_)), "{taken}");
    // A rule that the copy breaks.
    let home = "UPDATE stations SET is_home = 0";
    run_sql(&mut place.other(), home);
    let wrong = backup(&place, &to, true).unwrap_err();
    assert!(matches!(wrong.fault, Fault::Backup { .. }), "{wrong}");
    assert_eq!(std::fs::read(&to).unwrap(), b"precious");
    assert_eq!(place.files(), ["cielo.db", "copy.db"]);
    run_sql(&mut place.other(), "UPDATE stations SET is_home = 1");
    let made = backup(&place, &to, true).unwrap();
    assert_eq!(made.observations, 0);
    assert_eq!(std::fs::metadata(&to).unwrap().len(), made.bytes);
    assert!(Reader::open(&to).is_ok());
}
