//! Many machines, one record: whatever happens to a writer, its workers and the queue between them,
//! the record ends as that of an undisturbed run on one machine.
//!
//! `CELAJE_CLUSTER_SEEDS=N` tells N schedules of faults instead of a few.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod document;
mod liars;
mod nats;
mod outages;
mod serve;
mod ways;
mod world;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use nats::Nats;
use world::{DAY, Process, World, until};

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// SIGKILL of a worker; another one comes.
    WorkerKilled,
    /// SIGKILL of the writer; it is started again.
    WriterKilled,
    /// SIGKILL of a node of the queue; it comes again.
    NodeKilled,
    /// A worker stands still for longer than the writer's patience.
    WorkerStopped,
    /// The writer stands still as long.
    WriterStopped,
    /// All nodes of the queue but one stand still as long; of one node, that one.
    QuorumLost,
    /// The queue loses all that it has.
    QueueLost,
}

const FAULTS: [Fault; 7] = [
    Fault::WorkerKilled,
    Fault::WriterKilled,
    Fault::NodeKilled,
    Fault::WorkerStopped,
    Fault::WriterStopped,
    Fault::QuorumLost,
    Fault::QueueLost,
];

/// How long what is stopped stands still: more than the writer's patience.
const STOPPED: Duration = Duration::from_millis(3_000);

impl Fault {
    /// Slots that the camera is asked for once more because of it, at most: one worker at a time
    /// has a job of a camera, of a day. What lies in the queue is lost with it.
    const fn twice(self) -> usize {
        match self {
            // What it gave out comes in, before anything is given out again.
            Self::WriterKilled | Self::WriterStopped => 0,
            Self::WorkerKilled | Self::WorkerStopped | Self::NodeKilled | Self::QuorumLost => DAY,
            Self::QueueLost => 3 * DAY,
        }
    }
}

/// Lets `faults` happen, each after some more requests, and checks the record; gives the number of
/// slots that were asked for twice.
fn story(world: &World, nodes: usize, faults: &[(Fault, usize)]) -> usize {
    assert_eq!(world.backfill("alone.db", &[]).wait(), 0, "{}", world.said());
    let (alone, asked) = (world.known("alone.db"), world.requests());
    assert_eq!(alone.len(), world.slots());
    world.camera.forget_requests();

    let mut nats = Nats::start(world.path(".").as_path(), nodes, &[]);
    let mut workers: Vec<Process> = (0..2).map(|_| world.worker(&nats)).collect();
    let mut writer = world.writer("sky.db", &nats);
    let mut ended = None;
    for (fault, after) in faults {
        let enough = world.camera.requests().len() + after;
        until(&format!("{fault:?} of {faults:?}\n{}", world.said()), || {
            ended = writer.has_ended();
            (ended.is_some() || world.camera.requests().len() >= enough).then_some(())
        });
        if ended.is_some() {
            break;
        }
        match fault {
            Fault::WorkerKilled => {
                workers.remove(0);
                workers.push(world.worker(&nats));
            }
            Fault::WriterKilled => {
                drop(writer);
                writer = world.writer("sky.db", &nats);
            }
            Fault::NodeKilled => nats.crash(after % nats.size()),
            Fault::WorkerStopped => {
                workers[0].signal("-STOP");
                std::thread::sleep(STOPPED);
                workers[0].signal("-CONT");
            }
            Fault::WriterStopped => {
                writer.signal("-STOP");
                std::thread::sleep(STOPPED);
                writer.signal("-CONT");
            }
            Fault::QuorumLost => {
                nats.signal("-STOP");
                std::thread::sleep(STOPPED);
                nats.signal("-CONT");
            }
            Fault::QueueLost => nats.lose_all(),
        }
    }
    let status =
        ended.unwrap_or_else(|| until(&format!("the end after {faults:?}"), || writer.has_ended()));
    assert_eq!(status, 0, "{faults:?}\n{}", world.said());
    let total = format!("total={}", world.slots());
    assert!(world.summary("sky.db").contains(&total), "{}", world.summary("sky.db"));
    check_same(&alone, &world.known("sky.db"), world);

    for worker in &mut workers {
        worker.signal("-INT");
        // One that has just been started may not listen yet: the signal itself ends it.
        let status = worker.wait();
        assert!([130, -1].contains(&status), "{status}, {faults:?}\n{}", world.said());
    }
    twice(&asked, &world.requests())
}

fn check_same(alone: &BTreeMap<String, String>, known: &BTreeMap<String, String>, world: &World) {
    let differ = alone.iter().find(|(slot, text)| known.get(*slot) != Some(text));
    if let Some((slot, text)) = differ {
        panic!("{text}\nis not\n{:?}\n{}", known.get(slot), world.said());
    }
    assert_eq!(known.len(), alone.len());
}

fn twice(asked: &BTreeMap<String, usize>, again: &BTreeMap<String, usize>) -> usize {
    assert!(asked.keys().eq(again.keys()), "not the same pictures were asked for");
    let more = again.iter().map(|(path, n)| n.saturating_sub(asked[path]));
    more.sum()
}

fn check(nodes: usize, faults: &[(Fault, usize)]) {
    if nats::program().is_none() {
        return;
    }
    let twice = story(&World::new(2), nodes, faults);
    let most: usize = faults.iter().map(|(fault, _)| fault.twice()).sum();
    let _ = writeln!(std::io::stderr(), "{nodes} nodes, {faults:?}: {twice} asked for twice");
    assert!(twice <= most, "{twice} slots were asked for twice after {faults:?}");
}

#[test]
fn without_faults_nothing_is_asked_for_twice() {
    check(1, &[]);
}

#[test]
fn a_killed_writer_asks_for_nothing_twice() {
    check(1, &[(Fault::WriterKilled, 60), (Fault::WriterKilled, 150)]);
}

#[test]
fn what_a_killed_worker_had_is_done_by_another_one() {
    check(1, &[(Fault::WorkerKilled, 60), (Fault::WorkerKilled, 100)]);
}

#[test]
fn a_queue_that_loses_everything_loses_nothing() {
    check(1, &[(Fault::QueueLost, 180)]);
}

#[test]
fn a_cluster_that_loses_everything_loses_nothing() {
    check(3, &[(Fault::QueueLost, 60), (Fault::QueueLost, 60)]);
}

#[test]
fn a_cluster_loses_a_node_and_its_quorum_and_goes_on() {
    check(3, &[(Fault::NodeKilled, 60), (Fault::QuorumLost, 60)]);
}

#[test]
fn whatever_happens_the_record_is_that_of_an_undisturbed_run() {
    let asked = std::env::var("CELAJE_CLUSTER_SEEDS").ok();
    let seeds: u64 = asked.and_then(|n| n.parse().ok()).unwrap_or(2);
    for seed in 0..seeds {
        let mut random = StdRng::seed_from_u64(seed);
        let n = random.random_range(1..=3);
        let faults: Vec<_> = (0..n)
            .map(|_| (FAULTS[random.random_range(0..FAULTS.len())], random.random_range(1..150)))
            .collect();
        let nodes = if random.random_bool(0.25) { 3 } else { 1 };
        let _ = writeln!(std::io::stderr(), "seed {seed}");
        check(nodes, &faults);
    }
}
