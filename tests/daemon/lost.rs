//! A database that is moved, deleted or replaced under the program.

use celaje::store::Database;
use celaje_sky::station::Station;

use super::*;

/// Ten minutes take a second.
const CLOCK: &str = "2024-03-01T15:02:30Z@600";

fn has(running: &Running, line: &str) -> bool {
    running.ask("GET", "/metrics", "", "").1.lines().any(|told| told == line)
}

#[test]
fn a_file_that_goes_is_waited_for_put_back_or_begun_anew() {
    let home = Home::new();
    let server = camera(|_, _| None);
    let args = ["--url-base", &server.base(), "--model", "red.onnx"];
    let running = Running::start(home.serve(&args).args(["--catch-up", "1h", "--clock", CLOCK]));
    let ready = || running.ask("GET", "/readyz", "", "").0 == 200;
    let lost = |times: u32| has(&running, &format!("celaje_record_losses_total {times}"));
    until("12:02 is stored", || stored(&home, "2024-03-01T12:02"));

    // Moved, and back.
    let (db, aside) = (home.path("cielo.db"), home.path("aside.db"));
    std::fs::rename(&db, &aside).unwrap();
    until("the loss is noticed", || lost(1));
    assert!(has(&running, "celaje_record_up 0"));
    assert!(!ready() && !db.exists());
    let trouble = running.state()["trouble"].to_string();
    assert!(trouble.contains("was moved") && trouble.contains("aside.db"), "{trouble}");
    let (_, ready_text) = running.ask("GET", "/readyz", "", "");
    assert!(ready_text.contains("was moved") && ready_text.contains("aside.db"), "{ready_text}");
    // It is looked for a few times meanwhile.
    std::thread::sleep(std::time::Duration::from_millis(3500));
    std::fs::rename(&aside, &db).unwrap();
    until("it is ready again", || ready() && has(&running, "celaje_record_up 1"));

    // Deleted: what is still open is put back.
    for suffix in ["-wal", "-shm", ""] {
        let _ = std::fs::remove_file(home.path(&format!("cielo.db{suffix}")));
    }
    until("the loss is noticed", || lost(2));
    until("it is ready again", || ready() && db.exists());
    assert!(stored(&home, "2024-03-01T12:02"));

    // Replaced by a record without rows: what the other had is kept, and asked for again.
    let other = home.path("other.db");
    drop(Database::open(&other, &Station::rio_grande()).unwrap());
    server.forget_requests();
    std::fs::rename(&other, &db).unwrap();
    until("the loss is noticed", || lost(3));
    until("it is ready again", ready);
    let kept = home.path("cielo.db.rescued.bak");
    assert!(Record::open(&kept).count("observations") > 0);
    until("slots of the last hour are stored again", || {
        home.record().count(
            "observations WHERE run_id IN (SELECT id FROM runs WHERE kind = \
                             'catch-up')",
        ) > 0
    });
    let (status, told) = running.end("TERM");
    assert_eq!(status, 0);
    let count = |what: &str| told.iter().filter(|line| line.contains(what)).count();
    assert_eq!(count("was moved"), 1, "{told:#?}");
    assert!(count("the record is in its place again") >= 1, "{told:#?}");
    let mut record = home.record();
    assert_eq!(record.texts("PRAGMA integrity_check"), ["ok"]);
    assert_eq!(record.count("runs WHERE status = 'running'"), 0);
    assert_eq!(record.count("celaje_writer"), 0);
}

/// Copied into the file as `cp` does, restored as `.restore` of sqlite3 does, and emptied.
#[test]
fn a_file_that_is_overwritten_is_said_to_be_and_filled_again() {
    let home = Home::new();
    let server = camera(|_, _| None);
    let args = ["--url-base", &server.base(), "--model", "red.onnx"];
    let db = home.path("cielo.db");
    let other = home.path("other.db");
    drop(Database::open(&other, &Station::rio_grande()).unwrap());
    let running = Running::start(home.serve(&args).args(["--catch-up", "1h", "--clock", CLOCK]));
    let ready = || running.ask("GET", "/readyz", "", "").0 == 200;
    until("12:02 is stored", || stored(&home, "2024-03-01T12:02"));

    let overwrite: [&dyn Fn(); 3] = [
        &|| assert!(std::fs::copy(&other, &db).unwrap() > 0),
        &|| {
            let rows = "DELETE FROM observations; DELETE FROM misses; DELETE FROM runs";
            home.record().execute(&format!("BEGIN; {rows}; DELETE FROM celaje_writer; COMMIT"));
        },
        &|| std::fs::write(&db, "").unwrap(),
    ];
    for (times, overwrite) in (1..).zip(overwrite) {
        overwrite();
        let losses = format!("celaje_record_losses_total {times}");
        until("the loss is noticed", || has(&running, &losses));
        until("it is ready again", || ready() && has(&running, "celaje_record_up 1"));
        until("slots of the last hour are stored again", || {
            home.record().count("runs WHERE kind = 'catch-up' AND new > 0") > 0
        });
    }
    let (status, _) = running.end("TERM");
    assert_eq!(status, 0);
    let mut record = home.record();
    assert_eq!(record.texts("PRAGMA integrity_check"), ["ok"]);
    assert_eq!(record.count("celaje_writer"), 0);
}

/// As by a program that syncs folders: a copy of the file alone, without the rows in its log.
#[test]
fn a_copy_of_the_file_without_its_log_is_opened_and_filled_again() {
    let home = Home::new();
    let server = camera(|_, _| None);
    let args = ["--url-base", &server.base(), "--model", "red.onnx"];
    let (db, copy) = (home.path("cielo.db"), home.path("copy.db"));
    let running = Running::start(home.serve(&args).args(["--catch-up", "1d", "--clock", CLOCK]));
    let ready = || running.ask("GET", "/readyz", "", "").0 == 200;
    let oldest = home.path("oldest.db");
    until("12:02 is stored", || stored(&home, "2024-03-01T12:02"));
    std::fs::copy(&db, &oldest).unwrap();

    // What is there now, and then what was there before that was opened.
    for (times, from) in [(1, &db), (2, &oldest)] {
        std::fs::copy(from, &copy).unwrap();
        std::fs::rename(&copy, &db).unwrap();
        let losses = format!("celaje_record_losses_total {times}");
        until("the loss is noticed", || has(&running, &losses));
        until("it is ready again", || ready() && has(&running, "celaje_record_up 1"));
        until("what the log had is stored again", || stored(&home, "2024-03-01T12:02"));
    }
    for kept in ["cielo.db.rescued.bak", "cielo.db.rescued-2.bak"] {
        assert!(Record::open(&home.path(kept)).count("observations") > 0);
    }
    let (status, told) = running.end("TERM");
    assert_eq!(status, 0);
    let mut at_the_end = told.iter().skip_while(|line| !line.contains("finishing"));
    assert!(at_the_end.next().is_some());
    assert!(!at_the_end.any(|line| line.contains("could not be closed")), "{told:?}");
    let mut record = home.record();
    assert_eq!(record.texts("PRAGMA integrity_check"), ["ok"]);
    assert_eq!(record.count("runs WHERE status = 'running'"), 0);
    assert_eq!(record.count("celaje_writer"), 0);
}
