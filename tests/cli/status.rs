//! `celaje status`.

use serde_json::Value;

use crate::{Home, camera, run};

fn status(home: &Home, more: &[&str]) -> crate::Told {
    let mut command = home.celaje(["status", "--db", "cielo.db"]);
    command.args(more);
    run(&mut command)
}

#[test]
fn it_tells_of_the_last_run_and_of_every_actor() {
    let home = Home::new();
    let told = status(&home, &[]);
    assert_eq!(told.status, 0);
    assert!(told.out.contains("there is no record 'cielo.db' yet"));
    assert!(told.out.contains("no program has been writing it"));

    let server = camera();
    let base = server.base();
    run(&mut home.backfill(&base, "2024-03-01T00:02", "2024-03-01T01:52"));
    let told = status(&home, &[]);
    assert_eq!((told.status, told.err.as_str()), (0, ""));
    for part in [
        "12 observations, the last of 2024-03-01T01:52; 0 misses",
        "ended at",
        "12 slots, 12 new, 0 duplicates, 0 missed, 0 in flight",
        "  scheduler: 0 restarts, 0 hangs, 0 messages at work",
        "  store: 0 restarts",
    ] {
        assert!(told.out.contains(part), "{part}: {}", told.out);
    }
    let told = status(&home, &["--lang", "es"]);
    assert!(told.out.contains("  almacén: 0 reinicios"), "{}", told.out);
    let json: Value = serde_json::from_str(&status(&home, &["--json"]).out).unwrap();
    assert_eq!(json["life"], "ended");
    assert_eq!(json["observations"], 12);
    assert_eq!(
        json["status"]["stations"][0]["actors"]
            .as_array()
            .unwrap()
            .len(),
        7
    );
}

#[test]
fn a_program_that_fell_silent_is_said_to_have() {
    let home = Home::new();
    let server = camera();
    let base = server.base();
    run(&mut home.backfill(&base, "2024-03-01T00:02", "2024-03-01T00:12"));
    // As a program leaves it that was killed in the middle of its work.
    let file = home.path("cielo.db.status.json");
    let mut left: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    left["running"] = true.into();
    left["updated_at"] = "2024-01-01T00:00:00Z".into();
    std::fs::write(&file, left.to_string()).unwrap();
    let told = status(&home, &[]);
    assert_eq!(told.status, 3);
    assert!(
        told.out.contains("has not been heard of since 2024-01-01"),
        "{}",
        told.out
    );

    std::fs::write(&file, b"{").unwrap();
    let told = status(&home, &[]);
    assert_eq!(told.status, 3);
    assert!(
        told.err.contains("cielo.db.status.json' cannot be read"),
        "{}",
        told.err
    );
}
