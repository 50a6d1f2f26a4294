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
    assert!(
        state["trouble"].as_str().unwrap().contains("broken.onnx"),
        "{state}"
    );
    let before = home.record().count("observations");
    until("slots go on", || {
        home.record().count("observations") > before
    });
    settings(&home, &server.base(), "next.onnx");
    running.signal("HUP");
    until("the trouble is over", || {
        running.state()["trouble"].is_null()
    });
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
