//! `celaje status`.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::server::{Reply, Server};
use crate::{Home, Told, camera, camera_with, picture, program, run};

fn status(home: &Home, more: &[&str]) -> Told {
    let mut command = home.celaje(["status", "--db", "cielo.db"]);
    command.args(more);
    run(&mut command)
}

#[test]
fn it_shows_the_record_and_its_last_run() {
    let home = Home::new();
    let told = status(&home, &[]);
    assert_eq!(told.status, 0);
    assert!(told.out.contains("there is no record 'cielo.db' yet"));
    assert_eq!(status(&home, &["--json"]).json()["life"], Value::Null);

    let server = camera();
    let base = server.base();
    run(&mut home.backfill(&base, "2024-03-01T00:02", "2024-03-01T01:52"));
    let told = status(&home, &[]);
    assert_eq!((told.status, told.err.as_str()), (0, ""));
    for part in [
        "12 observations, 0 misses, the last of 2024-03-01T01:52",
        "no program is writing it",
        "12 slots, 12 new, 0 duplicates, 0 missed; finished",
    ] {
        assert!(told.out.contains(part), "{part}: {}", told.out);
    }
    let told = status(&home, &["--lang", "es"]);
    assert!(told.out.contains("ningún programa lo está escribiendo"), "{told:?}");
    let json = status(&home, &["--json"]).json();
    assert_eq!(json["life"], "ended");
    assert_eq!(json["observations"], 12);
    assert_eq!(json["last"], "2024-03-01T01:52");
    assert_eq!(json["runs"][0]["new"], 12);

    // A camera that gives no picture any more: which, why, since when.
    let gone = Server::start(|_, _| Reply::not_found());
    run(&mut home.backfill(&gone.base(), "2024-03-01T02:02", "2024-03-01T02:22"));
    let (camera, last) = (gone.base(), "2024-03-01T01:52");
    let told = status(&home, &[]);
    let wanted = format!("its camera {camera} gives no picture since {last}: not_found for");
    assert!(told.out.contains(&wanted), "{wanted}: {}", told.out);
    let told = status(&home, &["--lang", "es"]);
    let wanted = format!("su cámara {camera} no da imágenes desde {last}: not_found para");
    assert!(told.out.contains(&wanted), "{wanted}: {}", told.out);
}

#[test]
fn the_stations_of_the_record_count_whatever_the_settings_name() {
    let home = Home::new();
    let server = camera();
    let base = server.base();
    run(&mut home.backfill(&base, "2024-03-01T00:02", "2024-03-01T01:52"));
    home.write(
        "celaje.toml",
        "[station]\nid = 'cerro'\nlatitude = -33.0\nlongitude = -70.0\ntime_zone = 'UTC'\n\
         url_base = 'http://127.0.0.1:9/'\n",
    );
    let told = status(&home, &[]);
    assert!(told.out.contains("12 observations"), "{told:?}");
    assert_eq!(status(&home, &["--json"]).json()["observations"], 12);

    let told = status(&home, &["--station", "rio-grande"]);
    assert!(told.out.contains("12 observations"), "{told:?}");
    status(&home, &["--station", "cerro"]).refused(2, &["'cerro'", "rio-grande"]);
}

#[test]
fn a_writer_is_named_while_it_lives_and_its_death_is_known_at_once() {
    let home = Home::new();
    // It does not end before it is killed, however long the looks at it take.
    let server = camera_with(|index| {
        let late = if index < 100 { 10 } else { 600_000 };
        Some(Reply::Body(picture(index)).late(late))
    });
    let mut child = Command::new(program())
        .env_clear()
        .env("HOME", home.path("."))
        .current_dir(home.path("."))
        .args(["backfill", "--desde", "2024-03-01", "--hasta", "2024-03-05"])
        .args(["--url-base", &server.base(), "--db", "cielo.db", "--quiet"])
        .args(["--engine", "rten", "--model", "red.onnx", "--threads", "1"])
        .args(["--concurrency", "2"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while server.requests().len() < 60 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let alive = status(&home, &[]);
    let json = status(&home, &["--json"]).json();
    let still = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    let dead = status(&home, &[]);

    assert!(still, "it ended before it was looked at");
    let pid = child.id();
    assert_eq!(alive.status, 0, "{alive:?}");
    for part in [&format!("process {pid} on '"), ": celaje backfill, since "] {
        assert!(alive.out.contains(part), "{part}: {alive:?}");
    }
    assert_eq!(json["command"], "celaje backfill");
    assert!(alive.out.contains("720 slots"), "{alive:?}");
    assert_eq!((&json["life"], &json["pid"]), (&"running".into(), &pid.into()));
    assert_eq!(dead.status, 3, "{dead:?}");
    assert!(dead.out.contains("its process died"), "{dead:?}");
    assert_eq!(status(&home, &["--json"]).json()["life"], "died");
}
