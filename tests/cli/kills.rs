//! SIGKILL at any moment: what was committed stays, and nothing of it is asked for again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::pictures;
use crate::support::record::Record;
use crate::support::server::{Reply, Server};
use crate::{Home, camera_with, picture, program, run};

/// Ends of the run before it is let through.
const KILLS: usize = 25;

/// A camera of which some pictures are damaged or missing, and some fail once.
fn spoilt() -> Server {
    camera_with(|index| {
        let whole = picture(index);
        Some(match index % 23 {
            7 => Reply::Body(whole[..whole.len() / 2].to_vec()),
            11 => Reply::Body(pictures::bomb()),
            _ => Reply::Body(whole).late(4),
        })
    })
}

fn spawn(home: &Home, server: &Server, db: &str) -> Child {
    Command::new(program())
        .env_clear()
        .env("HOME", home.path("."))
        .env("LANG", "C")
        .current_dir(home.path("."))
        .args(["backfill", "--desde", "2024-03-01", "--hasta", "2024-03-03"])
        .args(["--url-base", &server.base(), "--db", db, "--layout", "root"])
        .args(["--engine", "rten", "--model", "red.onnx", "--threads", "1"])
        .args(["--concurrency", "3", "--batch", "2", "--quiet"])
        .stdout(Stdio::null())
        .stderr(File::create(home.path("err.txt")).unwrap())
        .spawn()
        .unwrap()
}

/// What is known of the slots: rows and misses.
fn known(record: &mut Record) -> BTreeMap<String, String> {
    let misses = record.misses().into_iter();
    let misses = misses.map(|(slot, missed)| (slot, format!("{missed:?}")));
    let mut known = record.rows();
    known.extend(misses);
    known
}

/// The slot that a request asks for, as it is stored.
fn slot(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap();
    let local = celaje_sky::slot::Slot::parse_file_name(name).unwrap();
    local.format("%Y-%m-%dT%H:%M").to_string()
}

#[test]
fn whenever_a_run_is_killed_the_record_ends_as_that_of_an_undisturbed_one() {
    let home = Home::new();
    let server = spoilt();
    let undisturbed = spawn(&home, &server, "whole.db").wait().unwrap();
    assert!(undisturbed.success());
    let whole = known(&mut home.record("whole.db"));
    assert_eq!(whole.len(), 3 * 144);

    let mut random = StdRng::seed_from_u64(5);
    let mut before: BTreeMap<String, String> = BTreeMap::new();
    for kill in 0..KILLS {
        server.forget_requests();
        let mut child = spawn(&home, &server, "cielo.db");
        let begun = Instant::now();
        if kill % 4 == 3 {
            // At its start, before and after the first request.
            std::thread::sleep(Duration::from_millis(random.random_range(0..250)));
        } else {
            // In its midst, some way beyond a number of requests.
            let enough = random.random_range(1..28);
            while server.requests().len() < enough {
                assert!(begun.elapsed() < Duration::from_secs(60), "it hangs");
                if child.try_wait().unwrap().is_some() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_micros(random.random_range(0..30_000)));
        }
        let ended = child.try_wait().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let told = || std::fs::read_to_string(home.path("err.txt")).unwrap();
        if ended.is_some() && told().contains("celaje db forget-log") {
            // The kill before was one at the start, in the moment in which the file asks for a log
            // that has nothing yet, and the look below, by another program, took that away. What to
            // do is told, and loses nothing.
            assert!(kill % 4 == 0 && server.requests().is_empty(), "kill {kill}: {}", told());
            let told = run(&mut home.celaje(["db", "forget-log", "--db", "cielo.db"]));
            assert_eq!(told.status, 0, "{told:?}");
            continue;
        }
        assert!(ended.is_none(), "kill {kill} came too late: {ended:?}, {}", told());

        let asked: BTreeSet<String> = server.requests().iter().map(|path| slot(path)).collect();
        let again: Vec<_> = asked.iter().filter(|slot| before.contains_key(*slot)).collect();
        assert!(again.is_empty(), "kill {kill}: asked again for {again:?}");
        if !home.has("cielo.db") {
            continue;
        }
        let mut record = home.record("cielo.db");
        if record.count("sqlite_schema") == 0 {
            continue;
        }
        assert_eq!(record.texts("PRAGMA integrity_check"), ["ok"]);
        let both = "observations JOIN misses USING (station, slot_local)";
        assert_eq!(record.count(both), 0);
        let now = known(&mut record);
        for (slot, row) in &before {
            assert_eq!(now.get(slot), Some(row), "kill {kill} changed {slot}");
        }
        for (slot, row) in &now {
            assert_eq!(whole.get(slot), Some(row), "kill {kill} stored {slot}");
        }
        before = now;
    }
    assert!(
        (50..430).contains(&before.len()),
        "the kills were not spread over the run: {}",
        before.len()
    );

    server.forget_requests();
    let ended = spawn(&home, &server, "cielo.db").wait().unwrap();
    assert!(ended.success(), "{}", std::fs::read_to_string(home.path("err.txt")).unwrap());
    assert_eq!(server.requests().len(), whole.len() - before.len());
    let mut record = home.record("cielo.db");
    assert_eq!(known(&mut record), whole);
    let runs = record.runs();
    let (last, killed) = runs.split_last().unwrap();
    assert!(last.starts_with("finished 432 "), "{last}");
    assert!(killed.iter().all(|run| run.starts_with("interrupted ")));
}
