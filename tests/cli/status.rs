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

/// On a terminal of 80 columns no line is longer, and each ends between two words.
#[cfg(unix)]
#[test]
fn a_narrow_terminal_is_not_overrun() {
    if std::process::Command::new("script").arg("--version").output().is_err() {
        eprintln!("skipped: there is no script (of bsdutils)");
        return;
    }
    let home = Home::new();
    let server = camera();
    let told = run(&mut home.backfill(&server.base(), "2024-03-01", "2024-03-01T00:12"));
    assert_eq!(told.status, 0, "{told:?}");
    let db = home.path("cielo.db").display().to_string();
    let far = "a-folder-with-a-long-name/".repeat(2);
    home.write(&format!("{far}latest.jpg"), picture(3));
    let own = "--engine rten --model red.onnx";
    let place = "--latitude 1 --longitude 2 --time-zone UTC";
    for lang in ["en", "es"] {
        for command in [
            format!("status --db {db}"),
            format!("doctor --db {db} --url-base http://127.0.0.1:9/ {own}"),
            format!("init --dir {far}latest.jpg --config {lang}.toml {place} {own}"),
            "--version".to_owned(),
            format!(
                "backfill --desde 2024-03-01 --hasta 2024-03-01T23:59 --db {lang}.db \
                 --url-base {} {own} --concurrency 2",
                server.base()
            ),
        ] {
            let line = format!(
                "stty rows 24 cols 80; exec {} {command} --lang {lang}",
                program().display()
            );
            let mut script = assert_cmd::Command::new("script");
            script.args(["-qec", &line, "/dev/null"]).env_clear().env("TERM", "xterm");
            script.env("PATH", "/usr/bin:/bin").env("HOME", home.path("."));
            let told = run(script.current_dir(home.path(".")));
            for line in told.out.split(['\r', '\n']) {
                let shown = without_escapes(line);
                // What has no blank cannot be broken, nor is the summary.
                let is_fixed = shown.contains("Backfill →");
                let has_blank = shown.trim().contains(' ');
                let width = shown.chars().count();
                assert!(width <= 80 || is_fixed || !has_blank, "{command}: {width}: {shown}");
                let nothing = shown.contains(" 0s left") || shown.contains("faltan 0s");
                assert!(!nothing, "{command}: {shown}");
            }
            assert!(!told.out.trim().is_empty(), "{command}: {told:?}");
        }
    }
    let told = run(&mut home.celaje(["status", "--db", &db, "--lang", "es"]));
    assert!(told.out.contains("2 turnos, 2 nuevos, 0 duplicados, 0 fallidos"), "{told:?}");
}

/// The line without what moves the cursor and colours.
#[cfg(unix)]
fn without_escapes(line: &str) -> String {
    let mut shown = String::new();
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            letters.by_ref().skip(1).find(char::is_ascii_alphabetic);
        } else {
            shown.push(letter);
        }
    }
    shown
}
