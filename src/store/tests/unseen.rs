//! Files that are opened under another name than their writer's, or without their log.

use super::displaced::{at_work, found, readings};
use super::*;
use crate::store::error::{Fault, StoreError};
use crate::store::{CommitMode, LossKind};
use celaje_sky::error::Failure;

const INSERT: CommitMode = CommitMode::Insert;

/// A folder as a writer leaves it that is killed: two readings, one of them in the log alone.
fn killed() -> Place {
    let (from, to) = (Place::new(), Place::new());
    let (database, _) = at_work(&from);
    for suffix in ["", "-wal"] {
        let name = |place: &Place| {
            let mut name = place.db.clone().into_os_string();
            name.push(suffix);
            name
        };
        std::fs::copy(name(&from), name(&to)).unwrap();
    }
    drop(database);
    to
}

fn is_refused<T>(opened: Result<T, StoreError>) -> String {
    match opened {
        Err(StoreError { path, fault: Fault::LogElsewhere(writer) }) => {
            assert_eq!(writer.pid, std::process::id());
            Failure::from(Fault::LogElsewhere(writer).at(&path)).text.en
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[test]
fn after_a_kill_no_other_name_does_without_the_log() {
    let place = killed();
    let link = place.folder.path().join("link.db");
    std::fs::hard_link(&place.db, &link).unwrap();
    let told = is_refused(Database::open(&link, &station()));
    assert!(told.contains("cielo.db-wal") && told.contains("link.db-wal"), "{told}");
    is_refused(Reader::open(&link));
    is_refused(Database::foresee(&link));
    assert_eq!(place.files(), ["cielo.db", "cielo.db-wal", "link.db"]);
    // By its own name it is whole, and by every name from then on.
    drop(place.open());
    assert_eq!(readings(&link), 2);
    drop(Database::open(&link, &station()).unwrap());
}

#[test]
fn after_a_kill_a_file_is_not_moved_away_from_its_log() {
    let place = killed();
    let name = |name: &str| place.folder.path().join(name);
    std::fs::rename(&place.db, name("moved.db")).unwrap();
    is_refused(Database::open(&name("moved.db"), &station()));
    // With its log it is whole.
    std::fs::rename(name("cielo.db-wal"), name("moved.db-wal")).unwrap();
    drop(Database::open(&name("moved.db"), &station()).unwrap());
    assert_eq!(readings(&name("moved.db")), 2);
}

/// A file says that it needs its log before the first row is in the log. Whoever looks at it first
/// after a kill in between has SQLite fold the log and remove it.
#[test]
fn after_a_kill_before_the_first_row_the_next_run_goes_on() {
    let (from, to) = (Place::new(), Place::new());
    let (database, _) = at_work(&from);
    run_sql(&mut from.other(), "UPDATE celaje_writer SET whole = 0, pid = 4194305");
    for suffix in ["", "-wal"] {
        let name = |place: &Place| format!("{}{suffix}", place.db.display());
        std::fs::copy(name(&from), name(&to)).unwrap();
    }
    drop(database);
    drop(Reader::open(&to.db).unwrap());
    assert_eq!(to.files(), ["cielo.db"]);
    drop(to.open());
    assert_eq!(readings(&to.db), 2);
}

#[test]
fn a_log_that_is_lost_is_done_without_if_the_user_says_so() {
    let place = killed();
    std::fs::remove_file(place.folder.path().join("cielo.db-wal")).unwrap();
    let told = is_refused(Database::open(&place.db, &station()));
    assert!(told.contains("celaje db forget-log --db '"), "{told}");
    assert!(Database::forget_log(&place.db).unwrap());
    assert!(!Database::forget_log(&place.db).unwrap());
    drop(place.open());
    assert_eq!(readings(&place.db), 1);
}

#[test]
fn after_a_kill_another_program_may_have_folded_the_log() {
    let place = killed();
    assert_eq!(readings(&place.db), 2);
    assert_eq!(place.files(), ["cielo.db"]);
    let moved = place.folder.path().join("moved.db");
    std::fs::rename(&place.db, &moved).unwrap();
    drop(Database::open(&moved, &station()).unwrap());
}

#[test]
fn a_reader_goes_on_with_a_file_that_takes_the_place_of_its_own() {
    let record = |place: &Place, name: &str, slots: u32| {
        let path = place.folder.path().join(name);
        let mut database = Database::open(&path, &station()).unwrap().database;
        let run = begin(&mut database);
        let outcomes: Vec<_> = (0..slots).map(|n| seen(nth(n), 3)).collect();
        database.commit(run, INSERT, &outcomes).unwrap();
        path
    };
    let stored = |reader: &mut Reader| reader.stations().map(|all| all[0].observations);
    let place = Place::new();
    record(&place, "cielo.db", 1);
    let mut reader = place.reader();
    assert_eq!(stored(&mut reader).unwrap(), 1);
    let aside = place.folder.path().join("aside.db");
    std::fs::hard_link(&place.db, &aside).unwrap();
    std::fs::rename(record(&place, "new.db", 2), &place.db).unwrap();
    assert_eq!(stored(&mut reader).unwrap(), 2);
    // A log stays where a writer ended while the reader had the file open.
    record(&place, "cielo.db", 3);
    assert_eq!(stored(&mut reader).unwrap(), 3);
    std::fs::rename(&place.db, &aside).unwrap();
    std::fs::rename(record(&place, "new.db", 4), &place.db).unwrap();
    assert_eq!(stored(&mut reader).unwrap(), 4);
    assert_eq!(readings(&aside), 3);
    // Copied into it.
    std::fs::copy(record(&place, "new.db", 5), &place.db).unwrap();
    assert_eq!(stored(&mut reader).unwrap(), 5);
}

#[test]
fn a_record_that_lacks_the_writers_row_alone_is_read_as_it_is() {
    let place = Place::new();
    drop(place.open());
    run_sql(
        &mut place.other(),
        "DROP TABLE celaje_writer; \
         DELETE FROM __diesel_schema_migrations WHERE version IN ('0005', '0006')",
    );
    assert_eq!(Database::foresee(&place.db).unwrap(), FileState::Outdated);
    assert_eq!(place.reader().stations().unwrap().len(), 1);
    drop(place.open());
    assert_eq!(Database::foresee(&place.db).unwrap(), FileState::Current);
}

/// A file of the version before, whose writer was killed.
#[test]
fn a_row_of_the_version_before_is_taken_as_whole() {
    let place = Place::new();
    drop(place.open());
    run_sql(
        &mut place.other(),
        "ALTER TABLE celaje_writer DROP COLUMN mark; ALTER TABLE celaje_writer DROP COLUMN whole; \
         ALTER TABLE celaje_writer DROP COLUMN path; \
         INSERT INTO celaje_writer VALUES (1, 7, 'h', 'c', 'o', 't', 'b', 'm', 'p', 'i', 1); \
         DELETE FROM __diesel_schema_migrations WHERE version = '0006'",
    );
    assert_eq!(place.reader().stations().unwrap().len(), 1);
    drop(place.open());
    assert_eq!(count(&mut place.other(), "celaje_writer"), 0);
}

fn exchange(place: &Place, by: &[u8]) {
    let copy = place.folder.path().join("copy.db");
    std::fs::write(&copy, by).unwrap();
    std::fs::rename(&copy, &place.db).unwrap();
}

/// Stores a reading in a database that was opened anew.
fn goes_on(database: &mut Database, nth_slot: u32) -> RunId {
    let run = begin(database);
    database.commit(run, INSERT, &[seen(nth(nth_slot), 3)]).unwrap();
    run
}

#[test]
fn a_writer_does_without_its_own_log_in_a_copy_of_the_file_that_it_lost() {
    let place = Place::new();
    let (mut database, mut run) = at_work(&place);
    let first = std::fs::read(&place.db).unwrap();
    // The file as it is now, and as it was before it was opened anew.
    for nth in 3..6 {
        let now = std::fs::read(&place.db).unwrap();
        exchange(&place, if nth < 5 { &now } else { &first });
        assert_eq!(found(&mut database, run).kind, LossKind::Replaced);
        database.renew(&station()).unwrap();
        run = goes_on(&mut database, nth);
    }
    drop(database);
    assert_eq!(readings(&place.db), 2);
    let kept = |name: &str| readings(&place.folder.path().join(name));
    assert_eq!(kept("cielo.db.rescued.bak"), 2);
    assert_eq!(kept("cielo.db.rescued-2.bak"), 2);
}

/// The same where the file itself is written, or its log cut.
#[test]
fn a_writer_does_without_its_own_log_that_is_no_more() {
    for is_cut in [false, true] {
        let place = Place::new();
        let (mut database, run) = at_work(&place);
        let older = std::fs::read(&place.db).unwrap();
        database.checkpoint().unwrap();
        database.commit(run, INSERT, &[seen(nth(2), 3)]).unwrap();
        let rows = match is_cut {
            true => {
                let log = place.folder.path().join("cielo.db-wal");
                std::fs::File::options().write(true).open(log).unwrap().set_len(0).unwrap();
                2
            }
            false => {
                std::fs::write(&place.db, older).unwrap();
                1
            }
        };
        let kind = if is_cut { LossKind::LogCut } else { LossKind::Overwritten };
        assert_eq!(found(&mut database, run).kind, kind);
        // The first waits for whoever writes into the file.
        assert!(database.renew(&station()).is_err());
        database.renew(&station()).unwrap();
        goes_on(&mut database, 5);
        drop(database);
        assert_eq!(readings(&place.db), rows + 1);
    }
}

#[test]
fn a_writer_does_not_do_without_the_log_of_another() {
    let (place, from) = (Place::new(), Place::new());
    let (mut database, run) = at_work(&place);
    // One that lives, somewhere else.
    let (other, _) = at_work(&from);
    let copy = std::fs::read(&from.db).unwrap();
    exchange(&place, &copy);
    assert_eq!(found(&mut database, run).kind, LossKind::Replaced);
    is_refused(database.renew(&station()));
    assert_eq!(std::fs::read(&place.db).unwrap(), copy);
    // With its log beside it, all rows are there.
    std::fs::copy(
        from.folder.path().join("cielo.db-wal"),
        place.folder.path().join("cielo.db-wal"),
    )
    .unwrap();
    database.renew(&station()).unwrap();
    drop((database, other));
    assert_eq!(readings(&place.db), 2);
}

/// Where locks are not seen, the row alone says who writes.
#[test]
fn a_writer_does_not_wait_for_itself() {
    use std::os::unix::fs::MetadataExt;
    let place = Place::new();
    let (mut database, run) = at_work(&place);
    let copy = place.folder.path().join("copy.db");
    std::fs::copy(&place.db, &copy).unwrap();
    let inode = std::fs::metadata(&copy).unwrap().ino();
    let row = format!("UPDATE celaje_writer SET whole = 1, locks = 0, inode = '{inode}'");
    run_sql(&mut other(&copy), &row);
    std::fs::rename(&copy, &place.db).unwrap();
    assert_eq!(found(&mut database, run).kind, LossKind::Replaced);
    database.renew(&station()).unwrap();
    drop(database);
    assert_eq!(readings(&place.db), 1);
}

/// Nothing is taken from a log that is beside the file again.
#[test]
fn a_log_that_comes_with_the_copy_is_read() {
    let place = Place::new();
    let (mut database, run) = at_work(&place);
    let log = place.folder.path().join("cielo.db-wal");
    let (copy, rows) = (std::fs::read(&place.db).unwrap(), std::fs::read(&log).unwrap());
    exchange(&place, &copy);
    assert_eq!(found(&mut database, run).kind, LossKind::Replaced);
    std::fs::write(&log, rows).unwrap();
    database.renew(&station()).unwrap();
    drop(database);
    assert_eq!(readings(&place.db), 2);
}
