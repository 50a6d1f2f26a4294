use super::*;
use crate::store::error::{Fault, StoreError};
use crate::store::{FileState, RunCounts, RunStatus};
use celaje_sky::error::Failure;

fn refusal(path: &Path) -> StoreError {
    match Database::open(path, &station()) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

#[test]
fn a_new_file_is_made_and_closed_cleanly() {
    let place = Place::new();
    assert_eq!(Database::foresee(&place.db).unwrap(), FileState::New);
    assert!(place.files().is_empty());
    let opened = Database::open(&place.db, &station()).unwrap();
    assert_eq!(opened.adopted, None);
    let mut database = opened.database;
    let mode = texts(&mut database.connection, "PRAGMA journal_mode");
    assert_eq!(mode, ["wal"]);
    assert_eq!(column::<BigInt, i64>(&mut database.connection, "PRAGMA busy_timeout"), [5000]);
    assert_eq!(column::<BigInt, i64>(&mut database.connection, "PRAGMA synchronous"), [1]);
    assert_eq!(column::<BigInt, i64>(&mut database.connection, "PRAGMA foreign_keys"), [1]);
    let run = begin(&mut database);
    database.commit(run, crate::store::CommitMode::Insert, &[seen(nth(0), 3)]).unwrap();
    assert!(place.files().contains(&"cielo.db-wal".to_owned()));
    assert!(database.checkpoint().unwrap());
    assert_eq!(std::fs::metadata(place.folder.path().join("cielo.db-wal")).unwrap().len(), 0);
    drop(database);
    assert_eq!(place.files(), ["cielo.db"]);
    assert_eq!(Database::foresee(&place.db).unwrap(), FileState::Current);
}

#[test]
fn an_empty_file_is_a_new_database() {
    let place = Place::new();
    std::fs::write(&place.db, b"").unwrap();
    drop(place.open());
    assert_eq!(place.counts().observations, 0);
}

#[test]
fn what_is_no_database_is_refused_and_left_alone() {
    let place = Place::new();
    std::fs::write(&place.db, b"<html>this is a page, and a long one at that</html>".repeat(40))
        .unwrap();
    let before = std::fs::read(&place.db).unwrap();
    let error = refusal(&place.db);
    assert!(matches!(error.fault, Fault::NotADatabase), "{error}");
    assert_eq!(std::fs::read(&place.db).unwrap(), before);
    assert_eq!(place.files(), ["cielo.db"]);

    assert!(matches!(refusal(place.folder.path()).fault, Fault::NotAFile));
    assert!(matches!(refusal(&place.folder.path().join("none/a.db")).fault, Fault::NoFolder));
    assert!(matches!(refusal(&place.db.join("a.db")).fault, Fault::NoFolder));
    let failure = Failure::from(error);
    assert_eq!(failure.class.exit_status(), 3);
    assert!(failure.text.en.contains("cielo.db"), "{}", failure.text.en);
}

#[test]
fn another_programs_database_is_refused_and_left_alone() {
    let place = Place::new();
    run_sql(&mut place.other(), "CREATE TABLE songs (x); CREATE TABLE singers (x);");
    let before = std::fs::read(&place.db).unwrap();
    match refusal(&place.db).fault {
        Fault::Foreign(tables) => assert_eq!(tables, "songs, singers"),
        other => panic!("{other}"),
    }
    assert_eq!(std::fs::read(&place.db).unwrap(), before);
    assert_eq!(place.files(), ["cielo.db"]);
}

#[test]
fn a_newer_schema_is_refused() {
    let place = Place::new();
    drop(place.open());
    run_sql(&mut place.other(), "INSERT INTO __diesel_schema_migrations (version) VALUES ('9999')");
    assert!(matches!(refusal(&place.db).fault, Fault::Newer(version) if version == "9999"));
    assert!(matches!(Reader::open(&place.db).map(drop).unwrap_err().fault, Fault::Newer(_)));
}

#[test]
fn a_second_writer_is_refused_and_readers_are_not() {
    let place = Place::new();
    let mut writer = place.open();
    let own = std::process::id();
    let fault = refusal(&place.db).fault;
    assert!(matches!(fault, Fault::SecondWriter(Some(writer)) if writer.pid == own));
    // What is foreseen is what happens.
    let fault = Database::foresee(&place.db).map(drop).unwrap_err().fault;
    assert!(matches!(fault, Fault::SecondWriter(Some(_))), "{fault}");
    let run = begin(&mut writer);
    let mut reader = place.reader();
    let stored = |reader: &mut Reader| reader.stations().unwrap()[0].observations;
    let say = |reader: &mut Reader, statement: &str| {
        reader.with(|connection| Ok(connection.batch_execute(statement)?))
    };
    // A reader in the middle of a read stops no commit, and sees it afterwards.
    say(&mut reader, "BEGIN").unwrap();
    assert_eq!(stored(&mut reader), 0);
    writer.commit(run, crate::store::CommitMode::Insert, &[seen(nth(0), 3)]).unwrap();
    assert_eq!(stored(&mut reader), 0);
    say(&mut reader, "COMMIT").unwrap();
    assert_eq!(stored(&mut reader), 1);
    // Nor does it write.
    let error = say(&mut reader, "DELETE FROM observations").unwrap_err();
    assert!(matches!(error.fault, Fault::ReadOnly), "{error}");
    drop(writer);
    drop(place.open());
}

#[test]
fn reading_neither_makes_nor_changes_a_file() {
    let place = Place::new();
    let read = || Reader::open(&place.db).map(drop).unwrap_err().fault;
    assert!(matches!(read(), Fault::Missing));
    assert!(place.files().is_empty());
    run_sql(&mut place.other(), REPLACED);
    let before = std::fs::read(&place.db).unwrap();
    assert!(matches!(read(), Fault::Outdated));
    assert_eq!(planned(&place.db).rows, 0);
    assert_eq!(std::fs::read(&place.db).unwrap(), before);
    assert_eq!(place.files(), ["cielo.db"]);
    // A takeover is not promised of a file that has none ahead.
    run_sql(&mut place.other(), "CREATE TABLE runs (x)");
    assert!(matches!(read(), Fault::Clash(name) if name == "runs"));
    run_sql(
        &mut place.other(),
        "DROP TABLE runs; DROP TABLE registro_historico; CREATE TABLE registro_historico (x);",
    );
    assert!(matches!(read(), Fault::OddTable("octas_predichas")));
    std::fs::write(&place.db, b"").unwrap();
    assert!(matches!(read(), Fault::Empty));
}

#[test]
fn what_is_foreseen_changes_nothing() {
    let place = Place::new();
    assert_eq!(Database::foresee(&place.db).unwrap(), FileState::New);
    assert!(place.files().is_empty());
    std::fs::write(&place.db, b"").unwrap();
    assert_eq!(Database::foresee(&place.db).unwrap(), FileState::New);
    assert_eq!(std::fs::read(&place.db).unwrap(), b"");
    for mode in ["DELETE", "WAL"] {
        let old = &mut place.other();
        run_sql(old, &format!("PRAGMA journal_mode = {mode}"));
        run_sql(
            old,
            &REPLACED
                .replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS")
                .replace("CREATE INDEX", "CREATE INDEX IF NOT EXISTS"),
        );
        let before = std::fs::read(&place.db).unwrap();
        assert!(matches!(Database::foresee(&place.db).unwrap(), FileState::Replaced(_)), "{mode}");
        assert_eq!(std::fs::read(&place.db).unwrap(), before, "{mode}");
    }
    assert_eq!(place.files(), ["cielo.db"]);
    run_sql(&mut place.other(), "DROP TABLE registro_historico; CREATE TABLE songs (x)");
    assert!(matches!(Database::foresee(&place.db).map(drop).unwrap_err().fault, Fault::Foreign(_)));
}

#[test]
fn a_file_that_another_program_writes_to_is_busy() {
    let place = Place::new();
    let mut database = place.open();
    let run = begin(&mut database);
    let mut python = place.other();
    run_sql(&mut python, "BEGIN IMMEDIATE");
    run_sql(&mut database.connection, "PRAGMA busy_timeout = 1");
    let error =
        database.commit(run, crate::store::CommitMode::Insert, &[seen(nth(0), 3)]).unwrap_err();
    assert!(matches!(error.fault, Fault::Busy), "{error}");
    // It waits once for a program that keeps its lock, and again after that has given it back.
    let wait = |database: &mut Database| {
        column::<BigInt, i64>(&mut database.connection, "PRAGMA busy_timeout")[0]
    };
    assert_eq!(wait(&mut database), 50);
    run_sql(&mut python, "COMMIT");
    database.commit(run, crate::store::CommitMode::Insert, &[seen(nth(0), 3)]).unwrap();
    assert_eq!(wait(&mut database), 5000);
    assert_eq!(place.counts().observations, 1);
}

#[test]
fn runs_that_died_are_marked_at_the_next_open() {
    let place = Place::new();
    let mut database = place.open();
    let ended = begin(&mut database);
    let counts = RunCounts { total: 3, new: 1, duplicates: 1, missed: 1 };
    database.finish_run(ended, &counts, RunStatus::Finished).unwrap();
    let died = begin(&mut database);
    database
        .update_run(died, &RunCounts { total: 9, duplicates: 4, ..Default::default() })
        .unwrap();
    let outcomes = [seen(nth(0), 3), seen(nth(0), 3), missed(nth(1), MissReason::Empty, 1)];
    database.commit(died, crate::store::CommitMode::Insert, &outcomes).unwrap();
    drop(database);
    let opened = Database::open(&place.db, &station()).unwrap();
    // What is told of the run that died is what it committed.
    let [cut_off] = opened.cut_off.as_slice() else {
        panic!("{:?}", opened.cut_off);
    };
    let RunCounts { total, new, missed, .. } = cut_off.counts;
    assert_eq!((cut_off.run, total, new, missed), (died, 9, 1, 1));
    let mut database = opened.database;
    let rows = texts(
        &mut database.connection,
        "SELECT status || ' ' || total || ' ' || new || ' ' || duplicates || ' ' || missed || ' ' \
         || (finished_at >= started_at) FROM runs ORDER BY id",
    );
    assert_eq!(rows, ["finished 3 0 1 1 1", "interrupted 9 1 4 1 1"]);
}

#[test]
fn what_a_run_wrote_unheard_is_new_and_no_duplicate() {
    let place = Place::new();
    let mut database = place.open();
    let run = begin(&mut database);
    let outcomes = [seen(nth(0), 3), seen(nth(1), 3), missed(nth(2), MissReason::Empty, 1)];
    database.commit(run, crate::store::CommitMode::Insert, &outcomes).unwrap();
    // Its actors failed then; when it went on, it found two slots stored, and a third from before.
    let counts = RunCounts { total: 4, new: 0, duplicates: 3, missed: 1 };
    database.finish_run(run, &counts, RunStatus::Finished).unwrap();
    let rows = texts(
        &mut database.connection,
        "SELECT status || ' ' || total || ' ' || new || ' ' || duplicates || ' ' || missed FROM \
        runs",
    );
    assert_eq!(rows, ["finished 4 2 1 1"]);
}

#[test]
fn a_station_is_described_anew_and_the_first_stays_home() {
    let place = Place::new();
    drop(place.open());
    let second = Station { id: "other".to_owned(), ..station() };
    let mut database = Database::open(&place.db, &second).unwrap().database;
    let run = begin(&mut database);
    database.commit(run, crate::store::CommitMode::Insert, &[seen(nth(0), 3)]).unwrap();
    drop(database);
    let moved = Station { latitude: -53.5, ..station() };
    let mut database = Database::open(&place.db, &moved).unwrap().database;
    let rows = texts(
        &mut database.connection,
        "SELECT id || ' ' || latitude || ' ' || is_home FROM stations ORDER BY is_home",
    );
    assert_eq!(rows, ["other -53.79 0", "rio-grande -53.5 1"]);
    assert_eq!(place.counts().observations, 0);
    assert_eq!(count(&mut database.connection, "registro_historico"), 0);
    assert_eq!(count(&mut database.connection, "observations"), 1);
}

#[cfg(unix)]
#[test]
fn a_read_only_file_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    drop(place.open());
    let allow = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    allow(&place.db, 0o444);
    if std::fs::OpenOptions::new().append(true).open(&place.db).is_ok() {
        println!("skipped: this user writes to any file");
        return;
    }
    let error = refusal(&place.db);
    assert!(matches!(error.fault, Fault::ReadOnly), "{error}");
    // Nor may the folder take a log.
    allow(place.folder.path(), 0o555);
    let error = refusal(&place.db);
    allow(place.folder.path(), 0o755);
    assert!(matches!(error.fault, Fault::ReadOnly), "{error}");
}

#[test]
fn a_database_is_removed_unless_somebody_writes_to_it() {
    let place = Place::new();
    Database::remove(&place.db).unwrap();
    let held = place.open();
    let refused = Database::remove(&place.db).unwrap_err();
    assert!(matches!(refused.fault, Fault::SecondWriter(Some(_))));
    assert!(place.db.is_file());
    drop(held);
    Database::remove(&place.db).unwrap();
    assert!(!place.db.exists());
}
