//! `celaje doctor`.

use serde_json::Value;

use crate::support::server::{Reply, Server, closed};
use crate::{Home, Told, camera, picture, run};

fn doctor(home: &Home, base: &str, args: &[&str]) -> Told {
    let mut command = home.celaje(["doctor", "--engine", "rten", "--db", "cielo.db"]);
    run(command.args(["--url-base", base]).args(args))
}

/// The check of this name.
fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap()
}

#[test]
fn all_is_well() {
    let home = Home::new();
    let server = Server::start(|_, _| Reply::Body(picture(0)));
    run(&mut home.backfill(&camera().base(), "2024-03-01T00:00", "2024-03-01T00:59"));
    let told = doctor(&home, &server.base(), &["--json"]);
    assert_eq!((told.status, told.err.as_str()), (0, ""), "{told:?}");
    let report = told.json();
    assert_eq!(report["ok"], true);
    assert_eq!(report["station"], "rio-grande");
    for (name, part) in [
        ("model", "celaje-4 4, sha256 "),
        ("engine", "rten "),
        ("database", "sound, 6 rows, 0 misses"),
        ("camera", "127.0.0.1 gave the picture of "),
    ] {
        let found = check(&report, name);
        assert_eq!(found["ok"], true, "{found}");
        assert!(found["detail"].as_str().unwrap().contains(part), "{found}");
    }
    assert_eq!(server.requests().len(), 1);
    let told = doctor(&home, &server.base(), &[]);
    assert_eq!(told.out.matches('✔').count(), 4, "{}", told.out);
    assert!(told.out.starts_with("celaje "));
}

#[test]
fn each_thing_that_is_wrong_says_what_to_do() {
    let home = Home::new();
    home.write("cielo.db", "no database at all".repeat(99));
    let base = format!("http://{}/", closed());
    let told = doctor(&home, &base, &["--json"]);
    assert_eq!(told.status, 3);
    let report = told.json();
    assert_eq!(report["ok"], false);
    for (name, part) in
        [("database", "not an SQLite database"), ("camera", "check the network and --url-base")]
    {
        let found = check(&report, name);
        assert_eq!(found["ok"], false, "{found}");
        assert!(found["detail"].as_str().unwrap().contains(part), "{found}");
    }
    let told = doctor(&home, &base, &["--model", "none.onnx", "--lang", "es"]);
    assert_eq!(told.status, 3);
    assert!(told.out.contains("✘ modelo: no existe el modelo none.onnx"), "{}", told.out);
    assert!(told.out.contains("✘ cámara: 127.0.0.1 no dio nada"), "{}", told.out);
}

/// What it passes is what a backfill takes.
#[test]
fn a_database_that_cannot_be_made_is_told() {
    let home = Home::new();
    let base = format!("http://{}/", closed());
    let mut refused = vec![("none/a.db", "none/a.db' does not exist; create it")];
    if cfg!(target_os = "linux") {
        // Nobody makes a file there.
        refused.push(("/proc/a.db", "/proc/a.db' cannot be opened"));
    }
    for (db, part) in refused {
        let args = ["doctor", "--engine", "rten", "--url-base", &base, "--json"];
        let told = run(home.celaje(args).args(["--db", db]));
        let found = check(&told.json(), "database").clone();
        assert_eq!(found["ok"], false, "{found}");
        let sentence = found["detail"].as_str().unwrap();
        assert!(sentence.contains(part), "{found}");
        let args = ["backfill", "--engine", "rten", "--url-base", &base, "--db", db];
        let mut backfill = home.celaje(args);
        backfill.args(["--desde", "2024-03-01", "--hasta", "2024-03-01"]);
        run(&mut backfill).refused(3, &[part]);
    }
}

#[test]
fn it_changes_nothing() {
    let home = Home::new();
    let server = Server::start(|_, _| Reply::not_found());
    let told = doctor(&home, &server.base(), &[]);
    assert_eq!(told.status, 3);
    assert!(told.out.contains("answers but has no picture"), "{}", told.out);
    assert!(told.out.contains("✔ database: 'cielo.db' does not exist yet"));
    assert!(!home.has("cielo.db"));
    assert_eq!(server.requests().len(), 2);
}
