//! Files that are moved, deleted or replaced while they are written, and writers that do not see
//! each other's locks.

use std::time::Duration;

use super::*;
use crate::store::error::{Fault, StoreError};
use crate::store::{CommitMode, Loss, LossKind, WriterProcess};

const INSERT: CommitMode = CommitMode::Insert;

/// A database with a run that has stored two readings, in its file and in its log.
pub(super) fn at_work(place: &Place) -> (Database, RunId) {
    let mut database = place.open();
    let run = begin(&mut database);
    database.commit(run, INSERT, &[seen(nth(0), 3)]).unwrap();
    database.checkpoint().unwrap();
    database.commit(run, INSERT, &[seen(nth(1), 3)]).unwrap();
    (database, run)
}

fn remove(path: &Path, suffixes: &[&str]) {
    for suffix in suffixes {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        std::fs::remove_file(name).unwrap();
    }
}

pub(super) fn loss(error: &StoreError) -> Loss {
    match &error.fault {
        Fault::Displaced(loss) => (**loss).clone(),
        other => panic!("{other:?}"),
    }
}

/// What the commit after the loss says of it.
pub(super) fn found(database: &mut Database, run: RunId) -> Loss {
    loss(&database.commit(run, INSERT, &[seen(nth(2), 3)]).unwrap_err())
}

pub(super) fn readings(path: &Path) -> i64 {
    let mut connection = other(path);
    assert_eq!(texts(&mut connection, "PRAGMA integrity_check"), ["ok"]);
    count(&mut connection, "observations")
}

fn second_writer(path: &Path) -> Option<WriterProcess> {
    match Database::open(path, &station()).map(drop) {
        Err(StoreError { fault: Fault::SecondWriter(writer), .. }) => writer.map(|writer| *writer),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_deleted_file_is_put_back_and_goes_on() {
    for suffixes in [&["", "-wal", "-shm"][..], &[""]] {
        let place = Place::new();
        let (mut database, run) = at_work(&place);
        remove(&place.db, suffixes);
        let expected = Loss { kind: LossKind::Deleted, at: Some(place.db.clone()), stored: 2 };
        assert_eq!(found(&mut database, run), expected);
        // No success is told of it, whatever is asked.
        let counts = crate::store::RunCounts::default();
        let finished = database.finish_run(run, &counts, crate::store::RunStatus::Finished);
        assert_eq!(loss(&finished.unwrap_err()), expected);
        assert_eq!(loss(&database.checkpoint().unwrap_err()), expected);
        assert_eq!(readings(&place.db), 2);
        database.renew(&station()).unwrap();
        assert!(!database.is_lost() && !database.knows(run));
        let refused = database.commit(run, INSERT, &[seen(nth(2), 3)]).unwrap_err();
        assert!(matches!(refused.fault, Fault::Renewed), "{refused}");
        let run = begin(&mut database);
        database.commit(run, INSERT, &[seen(nth(2), 3)]).unwrap();
        drop(database);
        assert_eq!(readings(&place.db), 3);
        assert_eq!(place.files(), ["cielo.db"]);
    }
}

/// The log still belongs to the writer that has the deleted file open.
#[test]
fn no_new_file_is_made_beside_the_log_of_a_deleted_one() {
    let place = Place::new();
    let (mut database, run) = at_work(&place);
    for empty in [false, true] {
        let _ = std::fs::remove_file(&place.db);
        if empty {
            std::fs::write(&place.db, "").unwrap();
        }
        let refused = Database::open(&place.db, &station()).err().unwrap();
        assert!(matches!(refused.fault, Fault::StrayLog), "{refused}");
        let examined = Database::foresee(&place.db).unwrap_err();
        assert!(matches!(examined.fault, Fault::StrayLog), "{examined}");
        assert_eq!(place.db.exists(), empty);
    }
    std::fs::remove_file(&place.db).unwrap();
    assert_eq!(found(&mut database, run).kind, LossKind::Deleted);
    assert_eq!(readings(&place.db), 2);
}

#[test]
fn a_moved_file_has_all_rows_and_is_waited_for() {
    let place = Place::new();
    let (mut database, run) = at_work(&place);
    let aside = place.folder.path().join("aside.db");
    std::fs::rename(&place.db, &aside).unwrap();
    let expected = Loss { kind: LossKind::Moved, at: Some(aside.clone()), stored: 2 };
    assert_eq!(found(&mut database, run), expected);
    assert_eq!(readings(&aside), 2);
    // None is made meanwhile.
    assert_eq!(loss(&database.renew(&station()).unwrap_err()), expected);
    assert!(!place.db.exists());
    std::fs::rename(&aside, &place.db).unwrap();
    database.renew(&station()).unwrap();
    database.commit(run, INSERT, &[seen(nth(2), 3)]).unwrap();
    drop(database);
    assert_eq!(readings(&place.db), 3);
}

#[test]
fn a_replaced_file_is_kept_beside_the_other_which_is_left_alone() {
    let place = Place::new();
    let older = place.folder.path().join("older.db");
    drop(Database::open(&older, &station()).unwrap());
    let (mut database, run) = at_work(&place);
    std::fs::rename(&older, &place.db).unwrap();
    let rescued = place.folder.path().join("cielo.db.rescued.bak");
    let expected = Loss { kind: LossKind::Replaced, at: Some(rescued.clone()), stored: 2 };
    assert_eq!(found(&mut database, run), expected);
    assert_eq!((readings(&rescued), readings(&place.db)), (2, 0));
    database.renew(&station()).unwrap();
    let run = begin(&mut database);
    database.commit(run, INSERT, &[seen(nth(5), 3)]).unwrap();
    drop(database);
    assert_eq!(readings(&place.db), 1);
}

#[test]
fn a_connection_to_a_file_that_is_no_more_does_not_take_away_anothers_log() {
    let place = Place::new();
    let (mut database, run) = at_work(&place);
    remove(&place.db, &["", "-wal", "-shm"]);
    let (mut next, other_run) = at_work(&place);
    assert_eq!(found(&mut database, run).kind, LossKind::Replaced);
    drop(database);
    next.commit(other_run, INSERT, &[seen(nth(3), 3)]).unwrap();
    drop(next);
    assert_eq!(readings(&place.db), 3);
}

#[test]
fn a_log_that_is_deleted_loses_no_row() {
    let place = Place::new();
    let (mut database, run) = at_work(&place);
    remove(&place.db, &["-wal"]);
    let told = found(&mut database, run);
    assert_eq!((told.kind, told.stored), (LossKind::LogDeleted, 2));
    assert_eq!(readings(&place.db), 2);
    database.renew(&station()).unwrap();
    let run = begin(&mut database);
    database.commit(run, INSERT, &[seen(nth(2), 3)]).unwrap();
    drop(database);
    assert_eq!(readings(&place.db), 3);
}

#[test]
fn every_name_of_the_file_says_who_writes() {
    let place = Place::new();
    let folder = tempfile::tempdir().unwrap();
    let (database, _) = at_work(&place);
    let hard = folder.path().join("link.db");
    std::fs::hard_link(&place.db, &hard).unwrap();
    let writer = second_writer(&hard).unwrap();
    assert_eq!(writer.pid, std::process::id());
    assert!(!writer.host.is_empty() && !writer.command.is_empty(), "{writer:?}");
    assert!(!folder.path().join("link.db-wal").exists(), "a second log");
    drop(database);
    drop(Database::open(&hard, &station()).unwrap());
}

/// Makes the row that of a writer which no lock tells of.
fn elsewhere(place: &Place, changes: &str) {
    let mut database = place.open();
    let keep = "CREATE TEMP TRIGGER keep BEFORE DELETE ON celaje_writer \
                BEGIN SELECT raise(IGNORE); END";
    run_sql(&mut database.connection, keep);
    drop(database);
    run_sql(&mut place.other(), &format!("UPDATE celaje_writer SET locks = 0, {changes}"));
}

fn open_within(place: &Place, patience: Duration) -> Result<Database, Fault> {
    crate::store::open(&place.db, &station(), None, patience, |_| ()).map(|opened| opened.database)
}

#[test]
fn without_locks_a_living_process_is_seen_and_a_dead_one_is_not() {
    let place = Place::new();
    elsewhere(&place, "host = 'here'");
    assert_eq!(second_writer(&place.db).unwrap().host, "here");
    elsewhere_is_free(&place, "process = process || '0'");
    elsewhere_is_free(&place, "pid = 4194305");
}

fn elsewhere_is_free(place: &Place, changes: &str) {
    run_sql(&mut place.other(), &format!("UPDATE celaje_writer SET {changes}"));
    let mut database = open_within(place, Duration::from_millis(150)).unwrap();
    let rows = texts(&mut database.connection, "SELECT pid || '' FROM celaje_writer");
    assert_eq!(rows, [std::process::id().to_string()]);
    drop(database);
    elsewhere(place, "host = 'here'");
}

#[test]
fn a_writer_on_another_machine_lives_as_long_as_its_file_is_touched() {
    let place = Place::new();
    // A clone of this machine, with its name and the id of its installation.
    elsewhere(&place, "boot = 'other', command = 'far'");
    let file = std::fs::OpenOptions::new().append(true).open(&place.db).unwrap();
    let touching = std::thread::spawn(move || {
        for _ in 0..100 {
            crate::store::lock::touch(&file).unwrap();
            std::thread::sleep(Duration::from_millis(20));
        }
        file
    });
    match open_within(&place, Duration::from_secs(30)).map(drop) {
        Err(Fault::SecondWriter(Some(writer))) => assert_eq!(writer.command, "far"),
        other => panic!("{other:?}"),
    }
    drop(touching.join().unwrap());
    drop(open_within(&place, Duration::from_millis(150)).unwrap());
    // A lock on a file system of this machine alone: no wait, whatever else the row says.
    elsewhere(&place, "boot = 'before', locks = 1");
    drop(open_within(&place, Duration::from_secs(3600)).unwrap());
}

#[test]
fn a_file_that_another_writer_took_is_not_written_any_more() {
    let place = Place::new();
    let (mut database, run) = at_work(&place);
    run_sql(&mut place.other(), "UPDATE celaje_writer SET token = 'theirs', pid = 7");
    assert_eq!(found(&mut database, run).kind, LossKind::Taken);
    assert_eq!(count(&mut place.other(), "observations"), 2);
    drop(database);
    // The other's row stays.
    assert_eq!(count(&mut place.other(), "celaje_writer WHERE pid = 7"), 1);
}

/// Versions before this one had a lock file beside the database.
#[test]
fn a_lock_file_that_somebody_removes_is_no_lock() {
    let place = Place::new();
    let (database, _) = at_work(&place);
    let lock = place.folder.path().join("cielo.db.lock");
    std::fs::write(&lock, "7").unwrap();
    std::fs::remove_file(&lock).unwrap();
    assert_eq!(second_writer(&place.db).unwrap().pid, std::process::id());
    drop(database);
    drop(place.open());
}

#[test]
fn a_deleted_folder_loses_no_row() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("sub/data");
    std::fs::create_dir_all(&inner).unwrap();
    let place = Place { db: inner.join("cielo.db"), folder };
    let (mut database, run) = at_work(&place);
    std::fs::remove_dir_all(&inner).unwrap();
    let at = place.folder.path().join("sub/cielo.db.rescued.bak");
    let expected = Loss { kind: LossKind::Deleted, at: Some(at.clone()), stored: 2 };
    assert_eq!(found(&mut database, run), expected);
    assert_eq!(readings(&at), 2);
    assert!(database.renew(&station()).is_err());
    // The folder is back, and the file with it.
    std::fs::create_dir(&inner).unwrap();
    database.renew(&station()).unwrap();
    let run = begin(&mut database);
    database.commit(run, INSERT, &[seen(nth(2), 3)]).unwrap();
    drop(database);
    assert_eq!(readings(&place.db), 3);
}

#[test]
fn a_backup_has_no_writer() {
    let place = Place::new();
    let (database, _) = at_work(&place);
    let to = place.folder.path().join("copy.db");
    crate::store::reader::Reader::open(&place.db).unwrap().backup(&to, false).unwrap();
    assert_eq!(count(&mut place.other(), "celaje_writer"), 1);
    assert_eq!(count(&mut other(&to), "celaje_writer"), 0);
    drop(database);
}
