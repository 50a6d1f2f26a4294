//! SIGHUP: settings and model anew, between two slots.

use super::*;

fn settings(home: &Home, base: &str, model: &str) {
    home.write(
        "celaje.toml",
        &format!(
            "model = '{model}'\ncatch_up = '2h'\n[station]\nid = 'rio-grande'\nlatitude = -53.79\n\
             longitude = -67.7\ntime_zone = '-03:00'\nurl_base = '{base}'\n"
        ),
    );
}

#[test]
fn a_new_model_takes_over_and_a_broken_one_does_not() {
    let home = Home::new();
    home.model("next", "4");
    home.write("broken.onnx", "no network");
    std::fs::copy(home.path("red.toml"), home.path("broken.toml")).unwrap();
    let server = camera(|_, _| None);
    settings(&home, &server.base(), "red.onnx");
    let running = Running::start(home.serve(&[]).args(["--clock", NOON]));
    until("12:02", || stored(&home, "2024-03-01T12:02"));
    settings(&home, &server.base(), "next.onnx");
    running.signal("HUP");
    until("the new model", || running.state()["model"] == "next 4");
    // Slots as they come, too, and not what is caught up alone.
    until("it judges", || {
        let live = "observations o JOIN runs r ON r.id = o.run_id \
            WHERE o.model = 'next 4' AND r.kind = 'live'";
        home.record().count(live) > 0
    });
    settings(&home, &server.base(), "broken.onnx");
    running.signal("HUP");
    until("it is told", || running.state()["trouble"].is_string());
    let state = running.state();
    assert_eq!(state["model"], "next 4");
    assert!(state["trouble"].as_str().unwrap().contains("broken.onnx"), "{state}");
    let before = home.record().count("observations");
    until("slots go on", || home.record().count("observations") > before);
    settings(&home, &server.base(), "next.onnx");
    running.signal("HUP");
    until("the trouble is over", || running.state()["trouble"].is_null());
    // No slot was lost over all this.
    until("there is no gap", || {
        let mut record = home.record();
        let minutes = record.number(
            "SELECT (strftime('%s', max(slot_local)) - strftime('%s', min(slot_local))) / 600 \
             FROM observations",
        );
        record.count("observations") == minutes + 1
    });
    let (status, told) = running.end("TERM");
    assert_eq!(status, 0);
    let stay = |line: &String| line.contains("settings stay");
    assert!(told.iter().any(stay), "{told:?}");
    let mut record = home.record();
    assert_eq!(record.count("misses"), 0);
    // A run says which model it ran.
    let models = record.texts("SELECT DISTINCT model FROM runs WHERE kind = 'live' ORDER BY model");
    assert_eq!(models, ["next 4", "red 3"]);
}

/// A run is of the slots that it was planned with.
#[test]
fn other_minutes_end_a_backfill_of_the_old_ones_and_say_so() {
    let home = Home::new();
    home.write("token", "0123456789abcdef0123456789abcdef\n");
    let server = camera(|_, _| None);
    settings(&home, &server.base(), "red.onnx");
    let mut command = home.serve(&[]);
    command.args(["--clock", NOON, "--max-rps", "20", "--token-file", "token"]);
    let running = Running::start(&mut command);
    let bearer = "Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n";
    let range = r#"{"from": "2023-01-01", "to": "2023-12-31"}"#;
    let (status, told) = running.ask("POST", "/api/v1/backfills", bearer, range);
    assert_eq!(status, 202, "{told}");
    let old = "observations WHERE slot_local < '2024'";
    until("it goes on", || home.record().count(old) > 20);
    let text = std::fs::read_to_string(home.path("celaje.toml")).unwrap();
    home.write("celaje.toml", &format!("{text}valid_minutes = [2, 32]\n"));
    running.signal("HUP");
    let job = || {
        let state = running.state();
        let jobs = state["jobs"].as_array().unwrap().clone();
        let asked = |job: &serde_json::Value| job["from"] == "2023-01-01T00:00";
        jobs.into_iter().find(asked).unwrap()
    };
    until("it ends", || job()["status"] == "cancelled");
    let why = job()["error"].as_str().unwrap().to_owned();
    assert!(why.contains("minutes") || why.contains("minutos"), "{why}");
    assert_eq!(running.end("TERM").0, 0);
    // It counts what it stored, and is told of as one that did not end.
    let run = "runs r WHERE kind = 'backfill' AND status = 'interrupted' AND new = \
               (SELECT count(*) FROM observations WHERE run_id = r.id)";
    assert_eq!(home.record().count(run), 1);
}
