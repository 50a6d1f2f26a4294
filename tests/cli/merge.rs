//! `celaje db merge`: records that were made in parts become one.

use std::path::Path;
use std::process::Stdio;

use crate::{Home, Told, camera, picture, program, run};

fn merge(home: &Home, args: &[&str]) -> Told {
    run(home.celaje(["db", "merge"]).args(args))
}

fn check(home: &Home, db: &str) {
    let told =
        run(home.celaje(["db", "check", "--db", db]).timeout(std::time::Duration::from_mins(4)));
    assert_eq!(told.status, 0, "{told:?}");
}

/// The blocks of commands of a document.
fn blocks(document: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let text = std::fs::read_to_string(path).unwrap();
    // That about shards by hand is the second.
    let section = text.split("\n## ").nth(2).unwrap();
    let blocks = section.split("```sh\n").skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// Runs commands as a shell does, with the program in its path and the tiny network.
fn shell(home: &Home, script: &str, task: &str) {
    let bin = home.path("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let _ = std::os::unix::fs::symlink(program(), bin.join("celaje"));
    let path = std::env::var("PATH").unwrap();
    let output = std::process::Command::new("sh")
        .args(["-euc", script])
        .env_clear()
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("HOME", home.path("."))
        .env("SLURM_ARRAY_TASK_ID", task)
        .env("CELAJE_MODEL", "red.onnx")
        .env("CELAJE_ENGINE", "rten")
        .current_dir(home.path("."))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {told}");
}

/// Pictures of two years, the last night of one and the first of the other. The camera stands still
/// over midnight, and a picture of each year is broken.
fn pictures(home: &Home) {
    for n in 0..24 {
        let minute = 2 + 10 * (n % 6);
        let (year, day, hour) = match n {
            0..12 => ("2023", "1231", 22 + n / 6),
            _ => ("2024", "0101", (n - 12) / 6),
        };
        let bytes = match n {
            5 | 20 => b"broken".to_vec(),
            9..15 => picture(9),
            n => picture(n),
        };
        home.write(&format!("pictures/{year}/{year}-{day}{hour:02}{minute:02}.jpg"), bytes);
    }
}

#[test]
fn the_commands_of_the_document_make_the_record_of_one_run() {
    let home = Home::new();
    pictures(&home);
    let [array, merging, alone] = <[String; 3]>::try_from(blocks("docs/cluster.md")).unwrap();
    for (english, spanish) in
        [&array, &merging, &alone].into_iter().zip(blocks("docs/es/cluster.md"))
    {
        assert_eq!(*english, spanish);
    }
    shell(&home, "celaje backfill --dir pictures --db whole.db --quiet", "");
    let mut whole = home.record("whole.db");
    let (rows, misses) = (whole.rows(), whole.misses());
    assert_eq!((rows.len(), misses.len()), (22, 2));
    let first = |rows: &std::collections::BTreeMap<String, String>| {
        rows["2024-01-01T00:02"].contains("frozen")
    };
    assert!(first(&rows));
    // What Slurm does with an array, a task after the other.
    for year in ["2023", "2024"] {
        shell(&home, &array, year);
    }
    assert!(!first(&home.record("shard-2024.db").rows()));
    shell(&home, &merging, "");
    let same = |home: &Home| {
        let mut sky = home.record("sky.db");
        assert_eq!((sky.rows(), sky.misses()), (rows.clone(), misses.clone()));
        assert_eq!(sky.runs(), ["finished 12 11 0 1", "finished 12 11 0 1"]);
        drop(sky);
        check(home, "sky.db");
    };
    same(&home);
    // The same by hand, on one machine.
    for name in ["shard-2023.db", "shard-2024.db", "sky.db"] {
        std::fs::remove_file(home.path(name)).unwrap();
    }
    shell(&home, &alone, "");
    same(&home);
}

#[test]
fn what_is_told_is_told_a_file_a_line() {
    let home = Home::new();
    let server = camera();
    for (name, from, to) in [("a.db", "00:00", "01:59"), ("b.db", "01:00", "02:59")] {
        let mut command = home.backfill(
            &server.base(),
            &format!("2024-03-01T{from}"),
            &format!("2024-03-01T{to}"),
        );
        assert_eq!(run(&mut command).status, 0);
        std::fs::rename(home.path("cielo.db"), home.path(name)).unwrap();
    }
    // One second may have passed between the files, or none.
    let set = "UPDATE observations SET created_at = '2024-03-02 00:00:00'";
    home.record("a.db").execute(set);
    let told = merge(&home, &["a.db", "b.db", "--into", "c.db"]);
    assert_eq!(told.status, 0, "{told:?}");
    assert_eq!(
        told.out,
        "'a.db': 12 new, 0 replaced, 0 kept, 0 misses\n\
         'b.db': 6 new, 6 replaced, 0 kept, 0 misses\n\
         'c.db': 18 new, 6 replaced, 0 kept, 0 misses\n"
    );
    check(&home, "c.db");
    let told = merge(&home, &["b.db", "--into", "a.db", "--keep", "--lang", "es"]);
    assert_eq!(
        told.out,
        "'b.db': 6 nuevas, 0 reemplazadas, 6 conservadas, 0 fallidos\n\
         'a.db': 6 nuevas, 0 reemplazadas, 6 conservadas, 0 fallidos\n"
    );
    merge(&home, &["a.db"]).refused(2, &["--into"]);
    merge(&home, &["--into", "c.db"]).refused(2, &["FILE"]);
    merge(&home, &["a.db", "none.db", "--into", "c.db"]).refused(3, &["'none.db'"]);
    merge(&home, &["a.db", "--into", "./a.db"]).refused(3, &["'a.db'", "--into"]);
    home.record("b.db").execute("UPDATE stations SET time_zone = '-04:00'");
    merge(&home, &["a.db", "b.db", "--into", "d.db"])
        .refused(3, &["'b.db'", "time zone", "'a.db'"]);
    assert!(!home.has("d.db"));
}

/// Rows of a source, ten minutes apart; the third transaction of a merge meets the trap.
const MANY: &str = "\
    INSERT INTO runs (station, range_from, range_to, total, new, status, started_at, finished_at, \
        version, engine, model) \
    SELECT id, '2020-01-01T00:00', '2020-12-31T23:59', 25000, 25000, 'finished', \
        '2024-01-01 00:00:00', '2024-01-01 00:00:00', '0', '', '' FROM stations; \
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 24999) \
    INSERT INTO observations (station, slot_local, slot_utc, file_name, url, okta, cloud_fraction, \
        confidence, category, description, quality, model, model_sha256, solar_elevation, \
        day_phase, image_width, image_height, image_sha256, created_at, captured_at, run_id) \
    SELECT id, slot, slot || ':00Z', strftime('%Y-%m%d%H%M.jpg', slot), 'http://camera/', 4, 0.5, \
        0.75, 'SCT', '', 'ok', 'sky 1', '00', 1.0, 'day', 480, 450, hex(i), \
        '2024-01-01 00:00:00', slot, 1 \
    FROM (SELECT i, strftime('%Y-%m-%dT%H:%M', '2020-01-01', (10 * i) || ' minutes') AS slot \
        FROM n), stations";

/// Keeps the writer busy for ever at the row 20,000.
const TRAP: &str = "\
    CREATE TRIGGER trap BEFORE INSERT ON observations WHEN NEW.slot_local = '2020-05-18T21:20' \
    BEGIN SELECT (WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n) \
        SELECT count(*) FROM n); END";

#[test]
fn a_merge_that_is_killed_is_ended_by_the_next_one() {
    let home = Home::new();
    let server = camera();
    let none = |name: &str| {
        let mut command = home.backfill(&server.base(), "2024-03-01T00:00", "2024-03-01T00:09");
        assert_eq!(run(&mut command).status, 0);
        std::fs::rename(home.path("cielo.db"), home.path(name)).unwrap();
        home.record(name).execute("DELETE FROM observations; DELETE FROM runs");
    };
    none("a.db");
    none("c.db");
    home.record("a.db").execute(MANY);
    home.record("c.db").execute(TRAP);
    let mut child = std::process::Command::new(program())
        .args(["db", "merge", "a.db", "--into", "c.db"])
        .env_clear()
        .env("HOME", home.path("."))
        .current_dir(home.path("."))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while home.record("c.db").count("observations") < 20_000 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before the trap");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    check(&home, "c.db");
    let mut record = home.record("c.db");
    assert_eq!(record.count("observations"), 20_000);
    record.execute("DROP TRIGGER trap");
    drop(record);
    let told = merge(&home, &["a.db", "--into", "c.db"]);
    assert!(told.out.starts_with("'a.db': 5000 new, 0 replaced, 20000 kept, 0 misses"), "{told:?}");
    check(&home, "c.db");
    let mut record = home.record("c.db");
    assert_eq!(record.runs(), ["finished 25000 25000 0 0"]);
    assert_eq!(record.count("observations WHERE run_id IN (SELECT id FROM runs)"), 25_000);
}
