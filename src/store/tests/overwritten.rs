//! Files into which another program writes something else while they are open.

use super::displaced::{at_work, found, loss, readings};
use super::*;
use crate::store::error::Fault;
use crate::store::{CommitMode, Loss, LossKind};

const INSERT: CommitMode = CommitMode::Insert;

/// A sound record with one reading, which nobody has open.
fn other_record(place: &Place) -> PathBuf {
    let path = place.folder.path().join("other.db");
    let mut database = Database::open(&path, &station()).unwrap().database;
    let run = begin(&mut database);
    database.commit(run, INSERT, &[seen(nth(70), 3)]).unwrap();
    path
}

fn overwritten(stored: u64, at: Option<PathBuf>) -> Loss {
    Loss { kind: LossKind::Overwritten, at, stored }
}

/// What a lost database stores once it was opened anew.
fn goes_on(mut database: Database) {
    while let Err(error) = database.renew(&station()) {
        // It is waited for whoever writes into the file.
        assert_eq!(loss(&error).kind, LossKind::Overwritten, "{error}");
    }
    let run = begin(&mut database);
    database.commit(run, INSERT, &[seen(nth(5), 3)]).unwrap();
}

#[test]
fn a_file_that_another_is_copied_into_is_left_sound() {
    for renews in [true, false] {
        let place = Place::new();
        let other = other_record(&place);
        let (mut database, run) = at_work(&place);
        std::fs::copy(&other, &place.db).unwrap();
        assert_eq!(found(&mut database, run), overwritten(2, None));
        assert!(database.is_lost());
        assert_eq!(std::fs::read(&place.db).unwrap(), std::fs::read(&other).unwrap());
        if renews {
            goes_on(database);
            assert_eq!(readings(&place.db), 2);
        } else {
            drop(database);
            assert_eq!(std::fs::read(&place.db).unwrap(), std::fs::read(&other).unwrap());
        }
        assert_eq!(place.files(), ["cielo.db", "other.db"]);
    }
}

#[test]
fn a_file_that_is_emptied_is_begun_anew() {
    let place = Place::new();
    let (mut database, run) = at_work(&place);
    std::fs::write(&place.db, "").unwrap();
    // Whoever reads it first removes the log, but for its -shm.
    assert!(Reader::open(&place.db).is_err());
    assert_eq!(place.files(), ["cielo.db", "cielo.db-shm"]);
    assert_eq!(found(&mut database, run), overwritten(2, None));
    goes_on(database);
    assert_eq!(readings(&place.db), 1);
}

#[test]
fn an_older_copy_of_the_file_itself_is_recognised() {
    let place = Place::new();
    let (mut database, run) = at_work(&place);
    let older = std::fs::read(&place.db).unwrap();
    database.checkpoint().unwrap();
    database.commit(run, INSERT, &[seen(nth(2), 3)]).unwrap();
    std::fs::write(&place.db, older).unwrap();
    let told = loss(&database.commit(run, INSERT, &[seen(nth(3), 3)]).unwrap_err());
    assert_eq!(told, overwritten(3, None));
}

/// As `.restore` of the program sqlite3 does.
#[test]
fn a_file_that_is_restored_by_way_of_sqlite_is_opened_anew() {
    for (rows, at_its_place) in [("DELETE FROM observations; DELETE FROM runs;", false), ("", true)]
    {
        let place = Place::new();
        let (mut database, run) = at_work(&place);
        run_sql(&mut place.other(), &format!("BEGIN; {rows} DELETE FROM celaje_writer; COMMIT"));
        let at = at_its_place.then(|| place.db.clone());
        assert_eq!(found(&mut database, run), overwritten(2, at));
        // It has the lock of the file that it opens.
        goes_on(database);
        assert_eq!(readings(&place.db), if at_its_place { 3 } else { 1 });
    }
}

#[test]
fn other_programs_may_write_to_the_file_and_pack_it() {
    let place = Place::new();
    let (mut database, run) = at_work(&place);
    let mut python = place.other();
    for (n, statement) in ["UPDATE misses SET detail = 'x'", "VACUUM", "PRAGMA wal_checkpoint"]
        .into_iter()
        .cycle()
        .take(9)
        .enumerate()
    {
        run_sql(&mut python, statement);
        database.commit(run, INSERT, &[seen(nth(2 + n as u32), 3)]).unwrap();
    }
    drop((database, python));
    assert_eq!(readings(&place.db), 11);
}

/// As by whoever finds it long and empties it. What is in the file itself stays sound.
#[test]
fn a_log_that_is_emptied_spoils_no_file() {
    for at_the_end in [false, true] {
        let place = Place::new();
        let (mut database, run) = at_work(&place);
        let log = std::fs::OpenOptions::new()
            .write(true)
            .open(place.folder.path().join("cielo.db-wal"))
            .unwrap();
        log.set_len(0).unwrap();
        if !at_the_end {
            let told = found(&mut database, run);
            assert_eq!(told, Loss { kind: LossKind::LogCut, at: None, stored: 2 });
            assert!(database.renew(&station()).is_err() && database.is_lost());
        }
        drop(database);
        // This process still has the file open, with its log: as another one sees it.
        let seen = place.folder.path().join("seen.db");
        std::fs::copy(&place.db, &seen).unwrap();
        std::fs::rename(&seen, &place.db).unwrap();
        let refused = Database::open(&place.db, &station()).err().unwrap();
        assert!(matches!(refused.fault, Fault::LogElsewhere(_)), "{refused}");
        run_sql(&mut place.other(), "DELETE FROM celaje_writer");
        drop(place.open());
        assert_eq!(readings(&place.db), 1);
    }
}

/// SQLite shortens the log once all of it is in the file.
#[test]
fn a_log_that_another_program_folds_and_empties_is_not_missed() {
    let place = Place::new();
    let (mut database, run) = at_work(&place);
    for n in 2..8 {
        run_sql(&mut place.other(), "PRAGMA wal_checkpoint(TRUNCATE); DELETE FROM year_layouts");
        database.commit(run, INSERT, &[seen(nth(n), 3)]).unwrap();
    }
    drop(database);
    assert_eq!(readings(&place.db), 8);
}
