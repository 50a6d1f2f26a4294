//! What goes wrong inside the program: panics at the failpoints, and its death.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::Notify;

use celaje::actors::failpoint::Point;

/// What may go wrong in one life, and how often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Perils {
    /// Panics, at most.
    pub panics: usize,
    /// Probability of one at a failpoint that is passed.
    pub panic: f64,
    /// Probability that the process dies there.
    pub kill: f64,
    /// The longest that a message takes.
    pub slowest: Duration,
}

impl Perils {
    /// Nothing goes wrong.
    pub const NONE: Self =
        Self { panics: 0, panic: 0.0, kill: 0.0, slowest: Duration::from_millis(3) };

    pub fn draw(random: &mut StdRng) -> Self {
        Self {
            panics: random.random_range(0..12),
            panic: [0.0, 0.002, 0.01, 0.05][random.random_range(0..4)],
            kill: [0.0, 0.001, 0.004, 0.02][random.random_range(0..4)],
            slowest: Duration::from_millis([1, 5, 40, 400][random.random_range(0..4)]),
        }
    }
}

struct State {
    random: StdRng,
    panics: usize,
    passed: Vec<Point>,
    thrown: u64,
}

/// The fate of one life.
pub struct Faults {
    perils: Perils,
    state: Mutex<State>,
    dead: AtomicBool,
    death: Notify,
}

impl Faults {
    pub fn new(perils: Perils, seed: u64) -> Self {
        Self {
            perils,
            state: Mutex::new(State {
                random: StdRng::seed_from_u64(seed),
                panics: perils.panics,
                passed: Vec::new(),
                thrown: 0,
            }),
            dead: AtomicBool::new(false),
            death: Notify::new(),
        }
    }

    /// A message comes to `point`. Once the process is dead nothing passes any more, so that
    /// nothing is written.
    pub fn pass(&self, point: Point) {
        assert!(!self.is_dead(), "simulated death");
        let panics = {
            let mut state = self.state.lock().unwrap();
            state.passed.push(point);
            if state.random.random_bool(self.perils.kill) {
                self.dead.store(true, Ordering::SeqCst);
                self.death.notify_one();
            }
            let panics = state.panics > 0 && state.random.random_bool(self.perils.panic);
            state.panics -= usize::from(panics);
            state.thrown += u64::from(panics);
            panics
        };
        assert!(!self.is_dead(), "simulated death at {point:?}");
        assert!(!panics, "simulated panic at {point:?}");
    }

    /// How long the next message takes.
    pub fn delay(&self) -> Duration {
        let longest = self.perils.slowest.as_micros() as u64;
        let mut state = self.state.lock().unwrap();
        // Most are quick.
        let part: f64 = state.random.random::<f64>().powi(3);
        Duration::from_micros((part * longest as f64) as u64)
    }

    /// A number from 0 to 1.
    pub fn chance(&self) -> f64 {
        self.state.lock().unwrap().random.random()
    }

    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// Until the process dies.
    pub async fn death(&self) {
        self.death.notified().await;
    }

    /// Panics so far.
    pub fn thrown(&self) -> u64 {
        self.state.lock().unwrap().thrown
    }

    /// The failpoints that were passed, in their order.
    pub fn passed(&self) -> Vec<Point> {
        self.state.lock().unwrap().passed.clone()
    }
}
