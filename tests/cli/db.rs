//! `celaje db`: backups beside a writer, the check of a record, packing, the misses as a list.

use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::server::{Reply, Server};
use crate::support::station;
use crate::{Home, Told, camera_with, picture, program, run};

/// A home with the record of a night in which some pictures are missing.
fn home() -> Home {
    let home = Home::new();
    let server = camera_with(|index| match index % 5 {
        3 => Some(Reply::not_found()),
        4 => Some(Reply::status(403)),
        _ => None,
    });
    let mut command = home.backfill(&server.base(), "2024-03-01T00:00", "2024-03-01T04:59");
    assert_eq!(run(command.args(["--layout", "root"])).status, 0);
    home
}

fn db(home: &Home, args: &[&str]) -> Told {
    let mut command = home.celaje(["db"]);
    run(command.args(args).args(["--db", "cielo.db"]))
}

/// The files beside the record.
fn others(home: &Home) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(home.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("red.") && !name.starts_with("cielo.db"))
        .collect();
    names.sort();
    names
}

#[test]
fn a_copy_is_whole_and_takes_no_other_files_place() {
    let home = home();
    #[cfg(unix)]
    let mode = |name: &str, set: Option<u32>| {
        use std::os::unix::fs::PermissionsExt;
        let path = home.path(name);
        if let Some(mode) = set {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777
    };
    #[cfg(unix)]
    mode("cielo.db", Some(0o640));
    let told = db(&home, &["backup", "copy.db"]);
    assert_eq!(told.status, 0, "{told:?}");
    // Who may not read the record may not read its copy.
    #[cfg(unix)]
    assert_eq!(mode("copy.db", None), 0o640);
    assert!(told.out.contains("18 observations, 12 misses"), "{told:?}");
    assert_eq!(others(&home), ["copy.db"]);
    let (mut record, mut copy) = (home.record("cielo.db"), home.record("copy.db"));
    assert_eq!(copy.rows(), record.rows());
    assert_eq!(copy.misses(), record.misses());
    assert_eq!(copy.runs(), record.runs());
    drop((record, copy));

    home.write("other.db", "precious");
    db(&home, &["backup", "other.db"]).refused(3, &["'other.db'", "--force"]);
    assert_eq!(std::fs::read(home.path("other.db")).unwrap(), b"precious");
    let told = db(&home, &["backup", "other.db", "--force"]);
    assert_eq!(told.status, 0, "{told:?}");
    assert_eq!(home.record("other.db").count("observations"), 18);
    for to in ["cielo.db", "no/copy.db"] {
        db(&home, &["backup", to, "--force"]).refused(3, &["'cielo.db'", to]);
    }
    assert_eq!(others(&home), ["copy.db", "other.db"]);
    // The copy is a record: it can be checked, and written to.
    let mut command = home.celaje(["db", "check", "--db", "copy.db"]);
    assert_eq!(run(&mut command).status, 0);
}

/// A slow run of five days into `cielo.db` that has begun to store.
fn writer(home: &Home, server: &Server) -> Child {
    let child = Command::new(program())
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
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child
}

#[test]
fn a_copy_is_made_while_a_run_writes() {
    let home = home();
    // It does not end before it is killed, however long the copies take.
    let server = camera_with(|index| {
        let late = if index < 300 { 10 } else { 600_000 };
        Some(Reply::Body(picture(index)).late(late))
    });
    let mut child = writer(&home, &server);
    let (mut sizes, mut seen) = (Vec::new(), 0);
    for n in 0..3 {
        let name = format!("copy{n}.db");
        let told = db(&home, &["backup", &name]);
        assert_eq!(told.status, 0, "{told:?}");
        let told = db(&home, &["check"]);
        assert_eq!(told.status, 0, "{told:?}");
        // Each goes on from the one before.
        while server.requests().len() < 60 + seen {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        seen += 30;
        sizes.push(home.record(&name).count("observations"));
    }
    // Packing waits for nobody, and takes nothing from a writer.
    db(&home, &["vacuum"]).refused(3, &["'cielo.db'", "already writing"]);
    let still = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(still, "it ended before the copies were made");
    assert!(sizes.is_sorted() && sizes[0] >= 18, "{sizes:?}");
    // What the copies hold is what the record holds.
    let all = home.record("cielo.db").rows();
    for n in 0..3 {
        for (slot, row) in home.record(&format!("copy{n}.db")).rows() {
            assert_eq!(all[&slot], row);
        }
    }
    // The run that was killed looks alive until the next one.
    let told = db(&home, &["check"]);
    assert_eq!(told.status, 1, "{told:?}");
    assert!(told.out.contains("✘ runs that died"), "{told:?}");
}

#[test]
fn what_must_hold_is_checked() {
    let home = home();
    let told = db(&home, &["check"]);
    assert_eq!(told.status, 0, "{told:?}");
    assert_eq!(told.out.matches("✔").count(), 8, "{told:?}");
    let spoilt = [
        ("ledger", "UPDATE runs SET new = new + 1"),
        ("ledger", "UPDATE runs SET total = total + 1"),
        ("ends", "UPDATE runs SET finished_at = NULL"),
        ("running", "UPDATE runs SET status = 'running', finished_at = NULL"),
        ("rows", "UPDATE runs SET new = new - 1, duplicates = 0, missed = missed + 1"),
        (
            "both",
            "DROP TRIGGER stored_slot_is_no_miss; \
             INSERT INTO misses SELECT station, slot_local, slot_utc, 'not_found', 404, 1, '', \
             created_at, run_id, 'x', 'root', NULL FROM observations LIMIT 1",
        ),
        ("home", "UPDATE stations SET is_home = 0"),
        ("references", "PRAGMA foreign_keys = OFF; DELETE FROM runs"),
    ];
    let whole = std::fs::read(home.path("cielo.db")).unwrap();
    for (name, statements) in spoilt {
        home.write("cielo.db", &whole);
        home.record("cielo.db").execute(statements);
        let told = db(&home, &["check", "--json"]);
        assert_eq!(told.status, 1, "{statements}: {told:?}");
        let report = told.json();
        assert_eq!(report["ok"], false);
        let failed: Vec<&Value> = report["checks"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|check| check["ok"] == false)
            .map(|check| &check["name"])
            .collect();
        assert!(failed.contains(&&Value::from(name)), "{name}: {report}");
    }
}

#[test]
fn damage_is_found_and_never_copied() {
    let home = home();
    // A page of the observations is overwritten.
    let at = home.record("cielo.db").number(
        "SELECT (rootpage - 1) * (SELECT page_size FROM pragma_page_size) FROM \
            sqlite_schema WHERE name = 'observations'",
    );
    let mut bytes = std::fs::read(home.path("cielo.db")).unwrap();
    bytes[at as usize..at as usize + 4096].fill(0xa5);
    home.write("cielo.db", &bytes);
    let told = db(&home, &["check"]);
    assert_eq!(told.status, 1, "{told:?}");
    assert!(told.out.contains("damaged"), "{told:?}");
    db(&home, &["backup", "copy.db"]).refused(3, &["'cielo.db'"]);
    assert_eq!(others(&home), Vec::<String>::new());
    for action in ["check", "vacuum", "export-misses"] {
        let mut command = home.celaje(["db", action, "--db", "none.db"]);
        run(&mut command).refused(3, &["'none.db'", "does not exist"]);
    }
}

#[test]
fn packing_gives_room_back() {
    let home = home();
    home.record("cielo.db").execute(
        "CREATE TABLE filler (x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
         WHERE i < 500) INSERT INTO filler SELECT zeroblob(2000) FROM n; DROP TABLE filler",
    );
    let before = std::fs::metadata(home.path("cielo.db")).unwrap().len();
    let rows = home.record("cielo.db").rows();
    let told = db(&home, &["vacuum"]);
    assert_eq!(told.status, 0, "{told:?}");
    let after = std::fs::metadata(home.path("cielo.db")).unwrap().len();
    assert!(after + 500_000 < before, "{before} {after}");
    assert!(told.out.contains(&after.to_string()), "{told:?}");
    assert_eq!(home.record("cielo.db").rows(), rows);
    assert_eq!(db(&home, &["check"]).status, 0);
}

#[test]
fn misses_are_listed_as_a_table_and_as_objects() {
    let home = home();
    let told = db(&home, &["export-misses"]);
    assert_eq!(told.status, 0, "{told:?}");
    let lines: Vec<&str> = told.out.lines().collect();
    assert_eq!(lines.len(), 13, "{told:?}");
    assert!(lines[0].starts_with("station,slot_local,slot_utc,reason,http_status,attempts"));
    assert!(lines[1].contains("2024-03-01T00:32,2024-03-01T03:32:00Z,not_found,404,1"));
    assert_eq!(db(&home, &["export-misses", "--csv", "-"]).out, told.out);

    let range = ["--from", "2024-03-01T01:00", "--to", "2024-03-01T01:59"];
    let told = db(&home, &[&["export-misses", "--jsonl", "m.jsonl"], &range[..]].concat());
    assert_eq!((told.status, &*told.out), (0, ""), "{told:?}");
    let text = std::fs::read_to_string(home.path("m.jsonl")).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let slots: Vec<_> = rows.iter().map(|row| row["slot_local"].clone()).collect();
    assert_eq!(slots, ["2024-03-01T01:22", "2024-03-01T01:32"]);
    assert_eq!(rows[1]["http_status"], 403);
    assert_eq!(rows[1]["unasked"], Value::Null);

    let id = &station("http://127.0.0.1:9/").id;
    let told = db(&home, &["export-misses", "--station", id]);
    assert_eq!(told.out.lines().count(), 13);
    db(&home, &["export-misses", "--station", "nobody"]).refused(2, &["nobody", id]);
    db(&home, &["export-misses", "--csv", "no/m.csv"]).refused(3, &["no/m.csv"]);
    db(&home, &["export-misses", "--from", "2024-03-02", "--to", "2024-03-01"])
        .refused(2, &["--from", "--to"]);
}
