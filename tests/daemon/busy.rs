//! A host that hangs, and what goes on meanwhile.

use super::*;

/// Whether all slots from the first row on have a row.
fn is_whole(home: &Home) -> bool {
    let mut record = home.record();
    let steps = record.number(
        "SELECT (strftime('%s', max(slot_local)) - strftime('%s', min(slot_local))) / 600 \
         FROM observations",
    );
    record.count("observations") == steps + 1
}

#[test]
fn a_host_that_hangs_at_a_range_holds_no_slot_up() {
    let home = Home::new();
    home.write("token", "0123456789abcdef0123456789abcdef\n");
    let server = camera(|asked, _| time(asked).starts_with("2024-02").then_some(Reply::Hang));
    let args = ["--url-base", &server.base(), "--model", "red.onnx"];
    let running = Running::start(
        home.serve(&args)
            .args(["--catch-up", "0", "--clock", NOON, "--concurrency", "2"])
            .args(["--token-file", "token"]),
    );
    until("a slot", || home.record().count("observations") > 0);
    let bearer = "Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n";
    let path = "/api/v1/stations/rio-grande/backfills";
    let range = r#"{"from": "2024-02-01", "to": "2024-02-01"}"#;
    let (status, told) = running.ask("POST", path, bearer, range);
    assert_eq!(status, 202, "{told}");
    let asked = || {
        let requests = server.requests();
        requests.iter().filter(|path| path.contains("0201")).count()
    };
    until("the range is asked for", || asked() > 0);
    let before = home.record().count("observations");
    until("slots go on", || home.record().count("observations") > before + 3);
    assert!(is_whole(&home), "a slot was passed over");
    assert_eq!(home.record().count("misses"), 0);
    let job = || running.state()["jobs"][0].clone();
    assert_eq!(job()["status"], "running");
    // It ends without having been asked for in full, over and over.
    let (status, told) = running.ask("DELETE", "/api/v1/backfills/1", bearer, "");
    assert!((200..300).contains(&status), "{status} {told}");
    let so_far = asked();
    until("it is cancelled", || job()["status"] == "cancelled");
    assert!(asked() <= so_far + 2, "it goes on");
    assert_eq!(running.end("TERM").0, 0);
}

#[test]
fn a_slot_that_hangs_makes_room_for_the_next_one() {
    let home = Home::new();
    let server =
        camera(|asked, nth| (time(asked) == "2024-03-01T12:02" && nth < 2).then_some(Reply::Hang));
    let args = ["--url-base", &server.base(), "--model", "red.onnx"];
    // A slot every twenty seconds.
    let clock = "2024-03-01T15:01:30Z@30";
    let running = Running::start(home.serve(&args).args(["--catch-up", "1h", "--clock", clock]));
    until("12:12", || stored(&home, "2024-03-01T12:12"));
    until("12:02", || stored(&home, "2024-03-01T12:02"));
    let mut record = home.record();
    let kind = record.texts(
        "SELECT r.kind FROM observations o JOIN runs r ON r.id = o.run_id \
         WHERE slot_local = '2024-03-01T12:12'",
    );
    assert_eq!(kind, ["live"], "it came in its turn");
    until("nothing is missed", || home.record().count("misses") == 0);
    assert_eq!(running.end("TERM").0, 0);
}
