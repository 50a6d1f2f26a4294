//! A file that is damaged, other names of it, other programs at it, a clock that was wrong.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::server::{Reply, Server};
use crate::{Home, Told, camera, camera_with, picture, program, run};

/// The first bytes of the journal of a transaction that was cut off: how it begins, and one page.
pub const JOURNAL: [u8; 12] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7, 0, 0, 0, 1];

/// The arguments of a run of five days.
pub fn days(server: &Server, db: &str) -> Vec<String> {
    let base = server.base();
    [
        "backfill",
        "--desde",
        "2024-03-01",
        "--hasta",
        "2024-03-05",
        "--layout",
        "root",
        "--url-base",
        &base,
        "--db",
        db,
        "--engine",
        "rten",
        "--model",
        "red.onnx",
        "--threads",
        "1",
        "--concurrency",
        "4",
        "--quiet",
    ]
    .map(str::to_owned)
    .into()
}

/// The run of five days, begun, with some rows stored.
fn begun(home: &Home, server: &Server) -> Child {
    let child = Command::new(program())
        .env_clear()
        .env("HOME", home.path("."))
        .env("LANG", "C")
        .current_dir(home.path("."))
        .args(days(server, "cielo.db"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while server.requests().len() < 100 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it hangs");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

fn ended(child: Child) -> Told {
    let output = child.wait_with_output().unwrap();
    Told {
        status: output.status.code().expect("ended by itself"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A camera that takes some seconds for five days.
fn slow() -> Server {
    camera_with(|index| Some(Reply::Body(picture(index)).late(15)))
}

/// That the next run ends what this one began, as if nothing had been.
fn goes_on(home: &Home) {
    let server = camera();
    let stored = home.record("cielo.db").count("observations");
    let told = run(&mut home.celaje(days(&server, "cielo.db")));
    assert_eq!(told.status, 0, "{told:?}");
    assert_eq!(server.requests().len() as i64, 720 - stored);
    let oktas: Vec<i64> = (0..720).map(|i| i64::from(crate::okta(i))).collect();
    let mut record = home.record("cielo.db");
    assert_eq!(record.oktas(), oktas);
    assert_eq!(record.count("misses"), 0);
    let told = run(&mut home.celaje(["db", "check", "--db", "cielo.db"]));
    assert_eq!(told.status, 0, "{told:?}");
}

#[test]
fn a_record_that_another_program_locks_for_long_ends_the_run() {
    let home = Home::new();
    let server = slow();
    let child = begun(&home, &server);
    let mut other = home.record("cielo.db");
    other.execute("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE");
    let before = Instant::now();
    let told = ended(child);
    assert_eq!(told.status, 3, "{told:?}");
    assert!(told.err.contains("'cielo.db' is locked by another program"), "{told:?}");
    assert!(before.elapsed() > Duration::from_secs(4), "it did not wait");
    let stored = other.count("observations");
    assert!((1..720).contains(&stored), "{stored}");
    other.execute("ROLLBACK");
    drop((other, server));
    goes_on(&home);
}

#[test]
fn a_record_that_another_program_locks_for_a_while_costs_nothing() {
    let home = Home::new();
    let server = slow();
    let child = begun(&home, &server);
    let mut other = home.record("cielo.db");
    other.execute("PRAGMA busy_timeout = 5000");
    for _ in 0..3 {
        other.execute("BEGIN IMMEDIATE");
        std::thread::sleep(Duration::from_millis(600));
        other.execute("ROLLBACK");
        std::thread::sleep(Duration::from_millis(50));
    }
    let told = ended(child);
    assert_eq!(told.status, 0, "{told:?}");
    assert_eq!(other.count("observations"), 720);
    assert_eq!(other.runs(), ["finished 720 720 0 0"]);
    assert_eq!(server.requests().len(), 720);
}

#[test]
fn a_second_run_on_the_same_record_is_refused_and_the_first_goes_on() {
    let home = Home::new();
    let server = slow();
    let child = begun(&home, &server);
    let process = format!("process {}", child.id());
    let asked_for = days(&server, "cielo.db");
    run(&mut home.celaje(&asked_for)).refused(3, &["'cielo.db'", "another celaje", &process]);
    let told = ended(child);
    assert_eq!(told.status, 0, "{told:?}");
    assert_eq!(home.record("cielo.db").runs(), ["finished 720 720 0 0"]);
    // Nothing was asked for twice.
    assert_eq!(server.requests().len(), 720);
}

#[test]
fn a_record_that_was_cut_is_refused_and_left_alone() {
    let home = Home::new();
    let server = camera();
    let told = run(&mut home.celaje(days(&server, "whole.db")));
    assert_eq!(told.status, 0, "{told:?}");
    let whole = std::fs::read(home.path("whole.db")).unwrap();
    server.forget_requests();
    for length in [whole.len() / 2, whole.len() / 10, 4096, 1000, 50] {
        home.write("cielo.db", &whole[..length]);
        let told = run(&mut home.celaje(days(&server, "cielo.db")));
        assert_eq!(told.status, 3, "{length}: {told:?}");
        let sentence = "the database 'cielo.db' is damaged; restore a backup";
        assert!(told.err.contains(sentence), "{length}: {told:?}");
        assert!(!told.err.contains("panicked"), "{length}: {told:?}");
    }
    assert_eq!(server.requests(), Vec::<String>::new());
}

#[test]
fn a_record_that_another_is_copied_into_ends_the_run_and_is_left_sound() {
    let home = Home::new();
    let server = camera();
    let told = run(&mut home.backfill(&server.base(), "2024-03-01T00:02", "2024-03-01T01:52"));
    assert_eq!(told.status, 0, "{told:?}");
    std::fs::rename(home.path("cielo.db"), home.path("other.db")).unwrap();
    let server = slow();
    let child = begun(&home, &server);
    std::fs::copy(home.path("other.db"), home.path("cielo.db")).unwrap();
    let told = ended(child);
    assert_eq!(told.status, 3, "{told:?}");
    let sentence = "the database 'cielo.db' was overwritten by another program";
    assert!(told.err.contains(sentence) && told.err.contains("readings that it had"), "{told:?}");
    // Nor a line for each picture that was under way.
    assert!(!told.err.contains("a slot was lost"), "{told:?}");
    let mut record = home.record("cielo.db");
    assert_eq!(record.texts("PRAGMA integrity_check"), ["ok"]);
    assert_eq!(record.count("observations"), 12);
    drop((record, server));
    goes_on(&home);
}

#[cfg(unix)]
#[test]
fn another_name_of_a_record_that_is_written_or_was_is_told_where_its_log_is() {
    let home = Home::new();
    let server = camera_with(|index| Some(Reply::Body(picture(index)).late(200)));
    let mut child = begun(&home, &server);
    std::fs::hard_link(home.path("cielo.db"), home.path("link.db")).unwrap();
    let process = format!("process {}", child.id());
    let parts = ["'link.db'", process.as_str()];
    let read = [&["status"][..], &["db", "check"], &["db", "backup", "copy.db"]];
    let refused = |parts: &[&str]| {
        for command in read {
            let args = command.iter().chain(&["--db", "link.db"]);
            run(&mut home.celaje(args)).refused(3, parts);
        }
        run(&mut home.celaje(days(&server, "link.db"))).refused(3, parts);
        assert!(!home.has("copy.db") && !home.has("link.db-wal"));
    };
    refused(&parts);
    assert!(child.try_wait().unwrap().is_none(), "it ended too early");
    child.kill().unwrap();
    child.wait().unwrap();
    refused(&["'link.db'", "cielo.db-wal'", "link.db-wal'", process.as_str()]);
    drop(server);
    goes_on(&home);
    assert_eq!(home.record("link.db").count("observations"), 720);
}

/// A run is killed, its log is lost: the command that the refusal names, as a shell takes it, is
/// all that it needs.
#[cfg(unix)]
#[test]
fn a_record_whose_log_is_lost_goes_on_by_the_command_that_is_named() {
    let home = Home::new();
    let server = camera_with(|index| Some(Reply::Body(picture(index)).late(200)));
    let mut child = begun(&home, &server);
    let forget = |db: &str| run(&mut home.celaje(["db", "forget-log", "--db", db]));
    forget("cielo.db").refused(3, &["'cielo.db'", "already"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(forget("cielo.db").out.contains("it lacks no log"));
    let odd = "it's mine.db";
    std::fs::rename(home.path("cielo.db"), home.path(odd)).unwrap();
    std::fs::remove_file(home.path("cielo.db-wal")).unwrap();
    let told = run(&mut home.celaje(days(&server, odd)));
    told.refused(3, &["cielo.db-wal'", "forget-log"]);
    let command = told.err.split('"').find(|part| part.starts_with("celaje db ")).unwrap();
    let command = command.replacen("celaje", program().to_str().unwrap(), 1);
    let mut shell = Command::new("sh");
    let done = shell.args(["-c", &command]).current_dir(home.path(".")).output().unwrap();
    assert!(done.status.success(), "{command}: {done:?}");
    std::fs::rename(home.path(odd), home.path("cielo.db")).unwrap();
    drop(server);
    goes_on(&home);
}

/// SQLite keeps the log beside the file itself.
#[cfg(unix)]
#[test]
fn a_record_behind_a_link_is_written_and_read_as_any_other() {
    let home = Home::new();
    std::fs::create_dir(home.path("disk")).unwrap();
    std::os::unix::fs::symlink("disk/r.db", home.path("cielo.db")).unwrap();
    let server = slow();
    let mut child = begun(&home, &server);
    let told = run(&mut home.celaje(["status", "--db", "cielo.db"]));
    assert_eq!(told.status, 0, "{told:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    drop(server);
    goes_on(&home);
    assert!(std::fs::symlink_metadata(home.path("cielo.db")).unwrap().is_symlink());
    assert_eq!(home.record("disk/r.db").count("observations"), 720);
}

/// What was written when the clock was wrong is neither believed nor in the way.
#[test]
fn a_clock_that_jumped_loses_nothing() {
    let home = Home::new();
    let back = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&back);
    let server = camera_with(move |index| {
        (index % 10 == 3 && !now.load(Ordering::SeqCst)).then(Reply::not_found)
    });
    let told = run(&mut home.celaje(days(&server, "cielo.db")));
    assert_eq!(told.status, 0, "{told:?}");
    let mut record = home.record("cielo.db");
    assert_eq!(record.count("misses"), 72);
    // A clock that stood before the slots says nothing about whether they had a picture, and one
    // that stands in the future neither; on the third day it was right.
    record.execute(
        "UPDATE misses SET last_tried = '1970-01-01 00:00:07' WHERE slot_local < '2024-03-03'; \
         UPDATE misses SET last_tried = '2999-01-01 00:00:00' WHERE slot_local >= '2024-03-04'; \
         UPDATE runs SET started_at = '2999-01-01 00:00:00', finished_at = '1970-01-01 00:00:00'",
    );
    let believed = "misses WHERE slot_local BETWEEN '2024-03-03' AND '2024-03-04'";
    let believed = record.count(believed);
    assert!((14..=15).contains(&believed));
    drop(record);
    server.forget_requests();
    back.store(true, Ordering::SeqCst);
    let told = run(&mut home.celaje(days(&server, "cielo.db")));
    assert_eq!(told.status, 0, "{told:?}");
    assert_eq!(server.requests().len() as i64, 72 - believed);
    let mut record = home.record("cielo.db");
    assert_eq!(record.count("misses"), believed);
    let told = run(&mut home.celaje(["db", "check", "--db", "cielo.db"]));
    assert_eq!(told.status, 0, "{told:?}");
}
