//! The always-on program with a queue: its past is filled by workers, its slots as they come by
//! itself.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::check_same;
use crate::nats::{self, Nats};
use crate::support::record::Record;
use crate::twice;
use crate::world::{Process, World, until};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// Noon and half a minute on the fifth day; ten minutes take some seconds.
const NOON: &str = "2024-03-05T15:02:30Z@120";
/// Days later.
const LATER: &str = "2024-03-15T15:02:30Z@120";

/// The program, with an address of its own.
struct Daemon<'a> {
    world: &'a World,
    process: Process,
    name: String,
}

impl<'a> Daemon<'a> {
    /// What it says goes to `<name>.err`.
    fn start(world: &'a World, name: &str, nats: &Nats, clock: &str, catch_up: &str) -> Self {
        std::fs::write(world.path("token"), TOKEN).unwrap();
        let url = nats.url();
        let plain = ["serve", "--listen", "127.0.0.1:0", "--db", "sky.db", "--model", "red.onnx"];
        let queue = ["--queue", &url, "--queue-patience", "5"];
        let rest = ["--token-file", "token", "--clock", clock, "--catch-up", catch_up];
        let all = [&plain[..], &queue, &rest].concat();
        let process = world.program(&world.camera.base(), name, &all);
        let daemon = Self { world, process, name: name.to_owned() };
        until("it listens", || daemon.address());
        daemon
    }

    fn said(&self) -> String {
        let read = |name: &str| self.world.read(name);
        format!(
            "daemon:\n{}\nworkers:\n{}",
            read(&format!("{}.err", self.name)),
            read("worker.err")
        )
    }

    fn address(&self) -> Option<String> {
        let out = self.world.read(&format!("{}.out", self.name));
        let address = out.lines().next()?.split("http://").nth(1)?.split('/').next()?;
        Some(address.to_owned())
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let (address, n) = (self.address().unwrap(), body.len());
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Type: application/json\r\nContent-Length: {n}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 ") || head.contains(" 202 "), "{answer}");
        serde_json::from_str(body).unwrap_or(Value::String(body.to_owned()))
    }

    fn state(&self) -> Value {
        self.ask("GET", "/api/v1/state", "")
    }

    /// Asks for the days up to that one.
    fn fill(&self, last: &str) {
        let range = format!(r#"{{"from": "2024-03-01", "to": "{last}"}}"#);
        self.ask("POST", "/api/v1/stations/rio-grande/backfills", &range);
    }

    fn job(&self) -> Value {
        self.state()["jobs"].as_array().unwrap().last().unwrap().clone()
    }

    fn until_filled(&self) -> Value {
        until(&format!("the past is filled\n{}", self.said()), || {
            let job = self.job();
            assert_ne!(job["status"], "failed", "{job}\n{}", self.said());
            (job["status"] == "finished").then_some(job)
        })
    }

    fn record(&self) -> Record {
        let mut record = Record::open(&self.world.path("sky.db"));
        record.execute("PRAGMA busy_timeout = 10000");
        record
    }

    /// Slots that came as they were due.
    fn live(&self) -> i64 {
        self.record().count(
            "(SELECT 1 FROM observations o JOIN runs r ON r.id = o.run_id WHERE r.kind = 'live')",
        )
    }

    fn until_live(&self, more: i64) {
        let before = self.live();
        until(&format!("slots go on\n{}", self.said()), || {
            (self.live() >= before + more).then_some(())
        });
    }

    fn end(mut self) -> String {
        self.process.signal("-TERM");
        assert_eq!(self.process.wait(), 0, "{}", self.said());
        self.said()
    }
}

/// Of each slot of the asked days one entry, and as many in the job.
fn is_accounted_for(job: &Value, slots: usize) {
    let progress = &job["progress"];
    let missed = progress["missed"].as_object().unwrap().values().map(|n| n.as_u64().unwrap());
    let counted = progress["new"].as_u64().unwrap() + progress["duplicates"].as_u64().unwrap();
    assert_eq!(counted + missed.sum::<u64>(), slots as u64, "{job}");
    assert_eq!(progress["planned"], slots as u64, "{job}");
}

fn past(world: &World, db: &str) -> std::collections::BTreeMap<String, String> {
    let last = format!("2024-03-{:02}T24", world.slots() / crate::world::DAY);
    world.known(db).into_iter().filter(|(slot, _)| *slot < last).collect()
}

/// The requests for pictures of the asked days.
fn of_the_past(world: &World) -> std::collections::BTreeMap<String, usize> {
    let days = ["-0301", "-0302", "-0303", "-0304"];
    let is_past = |path: &str| days.iter().any(|day| path.contains(day));
    world.requests().into_iter().filter(|(path, _)| is_past(path)).collect()
}

#[test]
fn workers_fill_the_past_of_a_daemon_whose_slots_come_meanwhile() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(4);
    assert_eq!(world.backfill("alone.db", &[]).wait(), 0, "{}", world.said());
    let (alone, once) = (world.known("alone.db"), of_the_past(&world));
    world.camera.forget_requests();
    let nats = Nats::start(&world.path("."), 1, &[]);
    let daemon = Daemon::start(&world, "daemon", &nats, NOON, "0");
    daemon.fill("2024-03-04");
    // Without a worker the past waits, and nothing else does.
    daemon.until_live(2);
    assert!(past(&world, "sky.db").is_empty(), "{}", daemon.said());
    assert_eq!(daemon.job()["status"], "running");
    let queue = &daemon.state()["queue"];
    assert_eq!((&queue["connected"], &queue["workers"]), (&true.into(), &Value::Array(vec![])));

    let mut worker = world.worker(&nats);
    let seen = until(&format!("a worker\n{}", daemon.said()), || {
        let queue = daemon.state()["queue"].clone();
        let has_job = |worker: &&Value| worker["jobs"].as_u64() > Some(0);
        let seen = queue["workers"].as_array().unwrap().iter().find(has_job).cloned();
        seen.filter(|_| queue["outcomes"]["taken"].as_u64() > Some(0))
    });
    assert!(world.read("worker.err").contains(seen["name"].as_str().unwrap()), "{seen}");
    assert!(seen["version"].as_str().unwrap().starts_with(env!("CARGO_PKG_VERSION")), "{seen}");
    let metrics = daemon.ask("GET", "/metrics", "");
    let metrics = metrics.as_str().unwrap();
    assert!(metrics.contains("\ncelaje_queue_up 1\n"), "{metrics}");
    assert!(metrics.contains("\ncelaje_workers 1\n"), "{metrics}");
    // In the midst of it the program is told to end: what is in hand is written.
    let said = daemon.end();
    let mut record = Record::open(&world.path("sky.db"));
    let ends =
        record.texts("SELECT status FROM runs WHERE kind = 'backfill' AND engine = 'workers'");
    assert_eq!(ends, ["interrupted"], "{said}");
    let written = past(&world, "sky.db");
    assert!(!written.is_empty() && written.len() < world.slots(), "{}", written.len());
    assert_eq!(record.count("runs WHERE status = 'running'"), 0);
    drop(record);

    let daemon = Daemon::start(&world, "again", &nats, LATER, "0");
    daemon.fill("2024-03-04");
    let job = daemon.until_filled();
    is_accounted_for(&job, world.slots());
    assert!(job["progress"]["duplicates"].as_u64() > Some(0), "{job}");
    check_same(&alone, &past(&world, "sky.db"), &world);
    assert_eq!(twice(&once, &of_the_past(&world)), 0, "{}", daemon.said());
    // Again: nothing is left to be asked for but what may be there by now.
    daemon.fill("2024-03-04");
    is_accounted_for(&daemon.until_filled(), world.slots());
    daemon.end();
    worker.signal("-TERM");
    assert_eq!(worker.wait(), 0, "{}", world.read("worker.err"));
}

#[test]
fn what_a_daemon_missed_while_it_was_away_is_filled_by_workers() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(1);
    let nats = Nats::start(&world.path("."), 1, &[]);
    let _worker = world.worker(&nats);
    let daemon = Daemon::start(&world, "daemon", &nats, NOON, "12h");
    until(&format!("what was missed\n{}", daemon.said()), || {
        let mut record = daemon.record();
        let runs = "runs WHERE kind = 'catch-up' AND engine = 'workers' AND status = 'finished'";
        (record.count(runs) > 0).then_some(())
    });
    let mut record = daemon.record();
    let before = "(SELECT slot_local FROM observations UNION SELECT slot_local FROM misses) \
                  WHERE slot_local < '2024-03-05T12'";
    let steps = record.number(&format!(
        "SELECT (strftime('%s', max(slot_local)) - strftime('%s', min(slot_local))) / 600 \
         FROM {before}"
    ));
    assert!(steps > 60, "{steps}\n{}", daemon.said());
    assert_eq!(record.count(before), steps + 1, "{}", daemon.said());
    assert_eq!(record.count("runs WHERE kind = 'catch-up' AND engine <> 'workers'"), 0);
    daemon.end();
}

#[test]
fn a_queue_that_is_away_holds_up_no_slot_and_the_past_goes_on_when_it_is_back() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(3);
    assert_eq!(world.backfill("alone.db", &[]).wait(), 0, "{}", world.said());
    let alone = world.known("alone.db");
    let mut nats = Nats::start_some(&world.path("."), 1, 0, &[]);
    let daemon = Daemon::start(&world, "daemon", &nats, NOON, "0");
    daemon.fill("2024-03-03");
    daemon.until_live(2);
    let queue = until("it says so", || {
        let queue = daemon.state()["queue"].clone();
        queue["trouble"].is_string().then_some(queue)
    });
    assert_eq!(queue["connected"], false, "{queue}");
    assert_eq!(daemon.state()["trouble"], Value::Null, "the sky is watched all the same");
    until("it has tried again", || {
        let tries = daemon.said().matches("is not filled").count();
        assert!(tries <= 1, "{}", daemon.said());
        (daemon.live() > 6).then_some(())
    });
    nats.begin(0);
    let _worker = world.worker(&nats);
    let has = |n: usize| past(&world, "sky.db").len() >= n;
    until(&format!("the past\n{}", daemon.said()), || has(100).then_some(()));
    assert_eq!(daemon.state()["queue"]["trouble"], Value::Null);
    // Away in the midst of it.
    nats.kill(0);
    until("it is known", || (daemon.state()["queue"]["connected"] == false).then_some(()));
    daemon.until_live(2);
    nats.begin(0);
    is_accounted_for(&daemon.until_filled(), world.slots());
    check_same(&alone, &past(&world, "sky.db"), &world);
    // And away for good: the program ends all the same.
    daemon.fill("2024-03-04");
    until("it is at it", || (known_of(&world, "2024-03-04") > 0).then_some(()));
    nats.kill(0);
    let said = daemon.end();
    let mut record = Record::open(&world.path("sky.db"));
    assert_eq!(record.count("runs WHERE status = 'running'"), 0, "{said}");
}

fn known_of(world: &World, day: &str) -> usize {
    world.known("sky.db").keys().filter(|slot| slot.starts_with(day)).count()
}
