//! A station whose actors fail for good is begun anew, and what was due meanwhile is filled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

#[test]
fn a_record_that_is_locked_for_long_is_told_of_and_no_slot_is_lost() {
    let home = Home::new();
    let locked = Arc::new(AtomicBool::new(false));
    let (waits, reached) = (Arc::clone(&locked), Arc::new(AtomicBool::new(false)));
    let seen = Arc::clone(&reached);
    // The picture of 12:02 comes once the record is locked.
    let server = camera(move |asked, _| {
        if time(asked) == "2024-03-01T12:02" {
            seen.store(true, Ordering::SeqCst);
            let begun = Instant::now();
            while !waits.load(Ordering::SeqCst) && begun.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        None
    });
    // A minute takes six seconds: the next slot is due long after the lock is given up.
    let clock = "2024-03-01T15:02:30Z@10";
    let args = ["--url-base", &server.base(), "--model", "red.onnx"];
    let running = Running::start(home.serve(&args).args(["--catch-up", "1h", "--clock", clock]));
    until("12:02 is asked for", || reached.load(Ordering::SeqCst));
    let mut other = home.record();
    other.execute("BEGIN IMMEDIATE");
    locked.store(true, Ordering::SeqCst);
    let readyz = || running.ask("GET", "/readyz", "", "");
    until("the station is in trouble", || {
        let (status, body) = readyz();
        status == 503 && body.contains("locked")
    });
    assert_eq!(running.ask("GET", "/livez", "", "").0, 200);
    other.execute("ROLLBACK");
    drop(other);
    until("12:02 is stored", || stored(&home, "2024-03-01T12:02"));
    until("it is ready again", || readyz().0 == 200);
    let (status, _) = running.end("TERM");
    assert_eq!(status, 0);
    let mut record = home.record();
    let rows = record.count("observations");
    assert_eq!(record.number("SELECT sum(new) FROM runs"), rows);
    let both = "observations JOIN misses USING (station, slot_local)";
    assert_eq!(record.count(both), 0);
}
