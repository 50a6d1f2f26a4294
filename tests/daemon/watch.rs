//! Slots as they come, and what was missed before.

use super::*;

use crate::support::server::closed;

#[test]
fn a_late_picture_arrives_on_a_retry_and_is_no_miss_until_then() {
    let home = Home::new();
    // Three times it is not there yet, in neither place.
    let server =
        camera(|asked, nth| (time(asked) == "2024-03-01T12:02" && nth < 3).then(Reply::not_found));
    let args = ["--url-base", &server.base(), "--model", "red.onnx"];
    let running = Running::start(home.serve(&args).args(["--catch-up", "0", "--clock", NOON]));
    let asked_late = || {
        let requests = server.requests();
        requests.iter().filter(|path| path.contains("03011202")).count()
    };
    until("it is asked for", || asked_late() > 0);
    while !stored(&home, "2024-03-01T12:02") {
        assert_eq!(home.record().count("misses"), 0, "a late picture is no miss");
        assert!(asked_late() < 30);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(asked_late() > 3);
    // The next one comes in its turn.
    until("12:12", || stored(&home, "2024-03-01T12:12"));
    let (status, _) = running.end("TERM");
    assert_eq!(status, 0);
    let mut record = home.record();
    let kinds = record.texts("SELECT kind || ' ' || status FROM runs");
    assert_eq!(kinds, ["live finished"]);
    // Nothing older is asked for but what was due at the start: 11:52, or 12:02 on a busy machine.
    assert_eq!(record.count("observations WHERE slot_local < '2024-03-01T11:52'"), 0);
    let counted = record.number("SELECT new FROM runs");
    assert_eq!(counted, record.count("observations"));
    assert_eq!(record.number("SELECT total FROM runs"), counted);
}

#[test]
fn a_picture_that_never_comes_is_a_miss_when_the_next_is_due() {
    let home = Home::new();
    let server = camera(|asked, _| (time(asked) == "2024-03-01T12:02").then(Reply::not_found));
    let args = ["--url-base", &server.base(), "--model", "red.onnx"];
    let running = Running::start(home.serve(&args).args(["--catch-up", "0", "--clock", NOON]));
    until("12:12", || stored(&home, "2024-03-01T12:12"));
    let misses = home.record().texts("SELECT slot_local || ' ' || reason FROM misses");
    assert_eq!(misses, ["2024-03-01T12:02 not_found"]);
    let (status, _) = running.end("TERM");
    assert_eq!(status, 0);
    assert_eq!(home.record().number("SELECT missed FROM runs WHERE kind = 'live'"), 1);
}

#[test]
fn what_is_missing_at_the_start_is_filled_holes_included() {
    let home = Home::new();
    let server = camera(|_, _| None);
    // An earlier process stored the newest slots first and was cut off.
    let stored_before = home
        .celaje()
        .args(["backfill", "--desde", "2024-03-01T11:30", "--hasta", "2024-03-01T11:45"])
        .args(["--url-base", &server.base(), "--model", "red.onnx"])
        .args(["--db", "cielo.db", "--engine", "rten", "--threads", "1"])
        .output()
        .unwrap();
    assert!(stored_before.status.success(), "{stored_before:?}");
    server.forget_requests();
    // Seven minutes, seconds here, until another slot leaves the two hours, and eight until 12:02.
    let clock = "2024-03-01T14:55:00Z@60";
    let args = ["--url-base", &server.base(), "--model", "red.onnx"];
    let running = Running::start(home.serve(&args).args(["--catch-up", "2h", "--clock", clock]));
    until("the gap is filled", || {
        let done = "runs WHERE kind = 'catch-up' AND status = 'finished'";
        home.record().count(done) == 1
    });
    until("12:02", || stored(&home, "2024-03-01T12:02"));
    let mut record = home.record();
    let first = record.texts("SELECT min(slot_local) FROM observations");
    assert_eq!(first, ["2024-03-01T10:02"], "two hours, and no more");
    let slots = "observations WHERE slot_local BETWEEN '2024-03-01T10:02' AND '2024-03-01T12:02'";
    assert_eq!(record.count(slots), 13);
    assert_eq!(record.count("misses"), 0);
    until("it is told", || running.state()["jobs"][0]["status"] == "finished");
    let state = running.state();
    assert_eq!(state["mode"], "daemon");
    assert_eq!(state["model"], "red 3");
    assert_eq!(state["jobs"][0]["status"], "finished");
    assert_eq!(state["jobs"][0]["progress"]["duplicates"], 2);
    assert_eq!(state["stations"][0]["id"], "rio-grande");
    assert!(state["stations"][0]["next_slot"].is_string());
    // Nothing that was stored is asked for again.
    assert!(!server.requests().iter().any(|path| path.contains("03011132")));
    let (status, _) = running.end("TERM");
    assert_eq!(status, 0);
}

/// Pictures of an outage often come all at once.
#[test]
fn after_an_outage_what_came_late_is_filled() {
    let home = Home::new();
    // 12:02 and 12:12 are not there until 12:22 is.
    let back = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = std::sync::Arc::clone(&back);
    let server = camera(move |asked, _| {
        let slot = time(asked);
        if slot == "2024-03-01T12:22" {
            seen.store(true, std::sync::atomic::Ordering::SeqCst);
        }
        let late = ["2024-03-01T12:02", "2024-03-01T12:12"].contains(&slot.as_str());
        (late && !seen.load(std::sync::atomic::Ordering::SeqCst)).then(Reply::not_found)
    });
    let args = ["--url-base", &server.base(), "--model", "red.onnx"];
    let running = Running::start(home.serve(&args).args(["--catch-up", "2h", "--clock", NOON]));
    until("12:22", || stored(&home, "2024-03-01T12:22"));
    until("what came late", || {
        stored(&home, "2024-03-01T12:02") && stored(&home, "2024-03-01T12:12")
    });
    assert!(back.load(std::sync::atomic::Ordering::SeqCst));
    until("nothing is missed", || home.record().count("misses") == 0);
    assert_eq!(running.end("TERM").0, 0);
}

/// A camera that refuses one slot until it is well.
fn ill_at_11_12() -> (std::sync::Arc<std::sync::atomic::AtomicBool>, Server) {
    let well = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = std::sync::Arc::clone(&well);
    let server = camera(move |asked, _| {
        let ill = time(asked) == "2024-03-01T11:12";
        (ill && !seen.load(std::sync::atomic::Ordering::SeqCst)).then(|| Reply::Status(403, vec![]))
    });
    (well, server)
}

/// A server's trouble passes: what it cost is asked for again without a restart.
#[test]
fn what_was_missed_for_a_passing_reason_is_asked_for_again() {
    let home = Home::new();
    let (well, server) = ill_at_11_12();
    // An hour takes ten seconds.
    let clock = "2024-03-01T15:02:30Z@360";
    let args = ["--url-base", &server.base(), "--model", "red.onnx"];
    let running = Running::start(home.serve(&args).args(["--catch-up", "12h", "--clock", clock]));
    let missed = "misses WHERE slot_local = '2024-03-01T11:12'";
    until("it is a miss", || home.record().count(missed) == 1);
    until("catching up ends", || {
        let done = "runs WHERE kind = 'catch-up' AND status = 'finished'";
        home.record().count(done) == 1
    });
    assert!(!stored(&home, "2024-03-01T11:12"));
    well.store(true, std::sync::atomic::Ordering::SeqCst);
    until("it is asked for again", || stored(&home, "2024-03-01T11:12"));
    assert_eq!(home.record().count(missed), 0);
    assert_eq!(running.end("TERM").0, 0);
}

/// What somebody asked for may take days; what the program owes does not wait for its end.
#[test]
fn what_is_owed_goes_before_the_rest_of_a_backfill() {
    let home = Home::new();
    home.write("token", "0123456789abcdef0123456789abcdef\n");
    let (well, server) = ill_at_11_12();
    let clock = "2024-03-01T15:02:30Z@360";
    let args = ["--url-base", &server.base(), "--model", "red.onnx"];
    let mut command = home.serve(&args);
    command
        .args(["--catch-up", "12h", "--clock", clock, "--max-rps", "20"])
        .args(["--token-file", "token"]);
    let running = Running::start(&mut command);
    let missed = "misses WHERE slot_local = '2024-03-01T11:12'";
    until("it is a miss", || home.record().count(missed) == 1);
    until("catching up ends", || {
        let done = "runs WHERE kind = 'catch-up' AND status = 'finished'";
        home.record().count(done) == 1
    });
    let bearer = "Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n";
    let range = r#"{"from": "2023-01-01", "to": "2023-12-31"}"#;
    let (status, told) = running.ask("POST", "/api/v1/backfills", bearer, range);
    assert_eq!(status, 202, "{told}");
    let backfill = |state: &str| format!("runs WHERE kind = 'backfill' AND status = '{state}'");
    until("the backfill has begun", || home.record().count(&backfill("running")) == 1);
    well.store(true, std::sync::atomic::Ordering::SeqCst);
    until("it is asked for again", || stored(&home, "2024-03-01T11:12"));
    assert_eq!(home.record().count(&backfill("running")), 1);
    let old = "observations WHERE slot_local < '2024'";
    let so_far = home.record().count(old);
    until("the backfill goes on", || home.record().count(old) > so_far);
    assert_eq!(running.end("TERM").0, 0);
    assert_eq!(home.record().count(&backfill("interrupted")), 1);
}

#[test]
fn sigterm_drains_what_is_in_flight() {
    let home = Home::new();
    let server = camera(|asked, _| Some(Reply::Body(picture(asked)).late(400)));
    let args = ["--url-base", &server.base(), "--model", "red.onnx"];
    let running = Running::start(home.serve(&args).args([
        "--catch-up",
        "3d",
        "--clock",
        NOON,
        "--concurrency",
        "2",
    ]));
    until("it is at work", || home.record().count("observations") > 5);
    let (status, told) = running.end("TERM");
    assert_eq!(status, 0, "{told:?}");
    let mut record = home.record();
    let runs = record.texts("SELECT kind || ' ' || status FROM runs ORDER BY kind");
    assert_eq!(runs, ["catch-up interrupted", "live finished"]);
    assert_eq!(record.count("misses"), 0);
    // Counted as they were stored.
    let counted = record.number("SELECT sum(new) FROM runs");
    assert_eq!(counted, record.count("observations"));
}

#[test]
fn a_shadow_judges_the_same_pictures() {
    let home = Home::new();
    home.model("next", "4");
    let server = camera(|_, _| None);
    let args = ["--url-base", &server.base(), "--model", "red.onnx"];
    let running = Running::start(
        home.serve(&args)
            .args(["--catch-up", "0", "--clock", NOON])
            .args(["--shadow-model", "next.onnx"]),
    );
    until("both are compared", || running.state()["shadow"]["compared"].as_u64() >= Some(2));
    let state = running.state();
    assert_eq!(state["shadow_model"], "next 4");
    assert_eq!(state["shadow"]["exact"], 1.0);
    assert_eq!(state["shadow"]["failed"], 0);
    let mut record = home.record();
    let apart = "observations o LEFT JOIN shadow_observations s USING (station, slot_local) \
        WHERE s.okta IS NOT o.okta AND o.slot_local < (SELECT max(slot_local) FROM observations)";
    assert_eq!(record.count(apart), 0);
    let models = record.texts("SELECT DISTINCT model FROM observations");
    assert_eq!(models, ["red 3"]);
    drop(running);
    // One that does not hold is refused before anything begins.
    home.write("next.toml", "name = 'no manifest'\n");
    let refused = home.serve(&args).args(["--shadow-model", "next.onnx"]).output().unwrap();
    assert_ne!(refused.status.code(), Some(0));
    assert!(refused.stdout.is_empty());
}

/// What is no HTTP is a fault of who sends it, of which the log of errors says nothing.
#[test]
fn a_client_that_sends_garbage_is_no_error_of_the_program() {
    use std::io::{Read as _, Write as _};
    let home = Home::new();
    let args = ["--url-base", &format!("http://{}/", closed()), "--model", "red.onnx"];
    let running = Running::start(&mut home.serve(&args));
    for garbage in
        [&b"\x16\x03\x01\x02\0\x01\0\x01\xfc"[..], b"GET / HTTP/9.9\r\n\r\n", b"HELO x\r\n\r\n"]
    {
        let mut stream = std::net::TcpStream::connect(&running.address).unwrap();
        stream.write_all(garbage).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let (status, told) = running.end("TERM");
    assert_eq!(status, 0);
    assert!(!told.iter().any(|line| line.contains("ERROR")), "{told:?}");
}
