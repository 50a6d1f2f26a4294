//! Sizes and bounds of a pipeline.

use std::time::Duration;

use celaje_sky::window::{Pace, Window};
use celaje_vision::picture::decode::Limits;

use crate::camera::gate::Gate;
use crate::camera::http::HttpLimits;

/// Sizes and bounds of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuning {
    /// Requests in flight to the host, at most.
    pub concurrency: usize,
    /// Whether their number adapts to what the host takes; else there are always as many.
    pub adaptive: bool,
    /// Requests that may begin in a second, if that is limited.
    pub max_rps: Option<f64>,
    /// Pictures in a full batch.
    pub batch: usize,
    /// How long a smaller batch waits for more.
    pub batch_deadline: Duration,
    /// Sessions, a thread each that drives it.
    pub threads: usize,
    /// Threads that a session computes with.
    pub session_threads: usize,
    /// Decode threads.
    pub decoders: usize,
    /// Whether sessions run on the cores that decode, so that no batch waits while one is idle.
    pub shares_cores: bool,
    /// When outcomes are committed.
    pub commit: CommitPolicy,
    /// Bounds of a request.
    pub http: HttpLimits,
    /// Bounds of a picture.
    pub picture: Limits,
    /// How long a host that went down in mid-run is waited for.
    pub patience: Duration,
}

impl Tuning {
    /// Slots in flight at most: enough to keep every stage busy, and no more.
    pub fn credits(&self) -> usize {
        self.credits_with(self.concurrency)
    }

    /// The same while `requests` may be in flight.
    pub fn credits_with(&self, requests: usize) -> usize {
        let batches = self.batch * (self.threads + 1);
        requests + 2 * self.decoders + batches + self.commit.rows
    }

    /// The gate that this asks for before the host.
    pub fn gate(&self) -> Gate {
        let window = if self.adaptive {
            Window::adaptive(self.concurrency)
        } else {
            Window::fixed(self.concurrency)
        };
        Gate::new(window, Pace::new(self.max_rps))
    }
}

/// When what was gathered is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitPolicy {
    /// Slots that are enough for a transaction.
    pub rows: usize,
    /// How long the first of them waits for others.
    pub wait: Duration,
}

impl CommitPolicy {
    /// Of outcomes that come from many machines.
    pub const fn of_many() -> Self {
        Self { rows: 1_000, wait: Duration::from_millis(50) }
    }
}

impl Default for CommitPolicy {
    fn default() -> Self {
        Self { rows: 32, wait: Duration::from_millis(20) }
    }
}
