//! The whole pipeline under thousands of schedules of faults, restarts and kills, each a function
//! of its seed.
//!
//! The actors are the program's own, on one thread whose clock stands still unless all of them
//! wait. A seed says how long each message takes, what the camera answers, where an actor panics
//! and when the process dies; the next life goes on with the database that it left. What must hold
//! after every life is in `check.rs`.
//!
//! ```sh
//! CELAJE_SCHEDULES=10000 cargo test --test simulation
//! CELAJE_SEED=42 cargo test --test simulation replay -- --nocapture
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod check;
mod faults;
mod life;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::check::Story;

/// Schedules of an ordinary test run.
const SCHEDULES: u64 = 300;

/// Panics that a schedule asked for are no news.
fn quiet() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let text = info.payload().downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| info.payload().downcast_ref::<&str>().copied());
            let expected = ["simulated", "a test asked for it"];
            if !text.is_some_and(|text| expected.iter().any(|start| text.contains(start))) {
                usual(info);
            }
        }));
    });
}

#[test]
fn every_schedule_leaves_the_record_of_a_run_without_faults() {
    quiet();
    let asked = std::env::var("CELAJE_SCHEDULES").ok();
    let schedules: u64 =
        asked.map_or(SCHEDULES, |n| n.parse().expect("CELAJE_SCHEDULES is a number"));
    let next = AtomicU64::new(0);
    let failed = Mutex::new(Vec::new());
    let told = Mutex::new(check::Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= schedules {
                        break;
                    }
                    match catch_unwind(AssertUnwindSafe(|| Story::of(seed).tell())) {
                        Ok(tally) => told.lock().unwrap().add(&tally),
                        Err(_) => failed.lock().unwrap().push(seed),
                    }
                }
            });
        }
    });
    let told = told.into_inner().unwrap();
    println!("{schedules} schedules: {told:?}");
    let failed = failed.into_inner().unwrap();
    assert!(
        failed.is_empty(),
        "{} schedules failed: {failed:?}; replay one with\n\
         CELAJE_SEED={} cargo test --test simulation replay -- --nocapture",
        failed.len(),
        failed[0],
    );
    // A simulation that never gets into trouble shows nothing.
    if schedules >= 100 {
        assert!(told.kills > schedules / 10, "{told:?}");
        assert!(told.restarts > schedules / 2, "{told:?}");
        assert!(told.given_up > 0 && told.poisoned > 0 && told.fetched > schedules, "{told:?}");
    }
}

#[test]
fn a_seed_is_a_schedule() {
    quiet();
    for seed in 0..20 {
        let told = || {
            let story = Story::of(seed);
            story.tell();
            story.trace()
        };
        assert_eq!(told(), told(), "seed {seed}");
    }
}

#[test]
fn replay() {
    let Ok(seed) = std::env::var("CELAJE_SEED") else {
        return;
    };
    let story = Story::of(seed.parse().expect("CELAJE_SEED is a number"));
    println!("{story:#?}");
    let told = catch_unwind(AssertUnwindSafe(|| story.tell()));
    for line in story.trace() {
        println!("{line}");
    }
    println!("{:?}", told.expect("the schedule fails"));
}
