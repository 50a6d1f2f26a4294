//! What `contrib/` has for Prometheus and Grafana, against the numbers of a running program and by
//! Prometheus' own tool.

use std::collections::BTreeSet;

use super::*;

/// The text of a file of `contrib/`.
fn contrib(name: &str) -> String {
    let path = format!("{}/contrib/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// Every query of the dashboard: those of the panels, and those of the lists to choose from.
fn queries(dashboard: &Value, found: &mut Vec<String>) {
    match dashboard {
        Value::Object(map) => map.iter().for_each(|(key, value)| match value {
            Value::String(text) if key == "expr" || key == "query" => found.push(text.clone()),
            value => queries(value, found),
        }),
        Value::Array(all) => all.iter().for_each(|value| queries(value, found)),
        _ => {}
    }
}

/// The names of Celaje's metrics in a text.
fn names(text: &str) -> BTreeSet<String> {
    let parts = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    parts.filter(|part| part.starts_with("celaje_")).map(str::to_owned).collect()
}

/// `promtool` with these arguments on an input; what it said, where it was content.
fn promtool(arguments: &[&str], input: &str) -> Result<(), String> {
    let mut child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    if output.status.success() { Ok(()) } else { Err(format!("{arguments:?}: {}", said.concat())) }
}

#[test]
fn rules_and_dashboard_ask_for_what_is_exported() {
    let home = Home::new();
    let server = camera(|_, _| None);
    home.write(
        "celaje.toml",
        &format!(
            "model = 'red.onnx'\n\
             [station]\nid = 'gate'\nlatitude = -53.79\nlongitude = -67.7\ntime_zone = '-03:00'\n\
             url_base = '{}'\n[station.safety]\nwhen = 'always'\n",
            server.base()
        ),
    );
    let mut command = home.serve(&["--catch-up", "1h"]);
    let running = Running::start(command.args(["--clock", NOON]));
    until("a reading", || home.record().count("observations") > 0);
    let metrics = || running.ask("GET", "/metrics", "", "").1;
    until("it is exported", || {
        let metrics = metrics();
        metrics.contains("celaje_last_okta{") && metrics.contains("celaje_pictures_total{")
    });
    let metrics = metrics();
    let samples = metrics.lines().filter(|line| !line.starts_with('#'));
    let exported: BTreeSet<_> =
        samples.filter_map(|line| line.split(['{', ' ']).next()).map(str::to_owned).collect();

    let dashboard: Value = serde_json::from_str(&contrib("grafana-dashboard.json")).unwrap();
    let mut asked = Vec::new();
    queries(&dashboard, &mut asked);
    let rules = contrib("prometheus-rules.yml");
    let wanted = names(&format!("{} {rules}", asked.join(" ")));
    assert!(asked.len() >= 10 && wanted.len() >= 8, "{asked:?}");
    let missing: Vec<_> = wanted.difference(&exported).collect();
    assert!(missing.is_empty(), "not exported: {missing:?}\n{metrics}");

    if Command::new("promtool").arg("--version").output().is_err() {
        // Not `eprintln!`: the harness keeps that back.
        let _ = writeln!(std::io::stderr(), "skipped: there is no promtool");
        return;
    }
    promtool(&["check", "metrics"], &metrics).unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib");
    promtool(&["check", "rules", &format!("{folder}/prometheus-rules.yml")], "").unwrap();
    promtool(&["test", "rules", &format!("{folder}/prometheus-rules.test.yml")], "").unwrap();
    // The queries of the panels are read as if they were rules.
    let is_panel = |query: &&String| query.contains("celaje_") && !query.starts_with("label_");
    let panels = asked.iter().filter(is_panel);
    let records: Vec<Value> = panels
        .enumerate()
        .map(|(n, query)| serde_json::json!({ "record": format!("panel:{n}"), "expr": query }))
        .collect();
    let all = serde_json::json!({ "groups": [{ "name": "panels", "rules": records }] });
    let file = home.path("panels.yml");
    std::fs::write(&file, all.to_string()).unwrap();
    let file = file.to_str().unwrap();
    promtool(&["check", "rules", file], "").unwrap();
    // It would notice one that is broken.
    home.write("panels.yml", &all.to_string().replacen("rate(", "rate((", 1));
    assert!(promtool(&["check", "rules", file], "").is_err());
}
