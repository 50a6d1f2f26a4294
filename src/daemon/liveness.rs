//! Whether a station's worker still lives.
//!
//! The workers, the schedulers of their pipelines and the code that asks all run on the main
//! thread: when one of them blocks it, nobody answers systemd's watchdog any more.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Clock;

/// How long a worker may be silent: it looks at the clock every twenty seconds. Whatever may keep
/// it longer (ending a pipeline, a query) has bounds of its own.
const SILENCE: Duration = Duration::from_secs(90);

/// The last sign of life of a worker.
#[derive(Debug)]
pub struct Liveness(Mutex<Instant>);

impl Default for Liveness {
    fn default() -> Self {
        Self(Mutex::new(Clock::instant()))
    }
}

impl Liveness {
    fn expected(&self) -> MutexGuard<'_, Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the worker lives, and may be silent for `rest` from now on.
    pub fn beat(&self, rest: Duration) {
        *self.expected() = Clock::instant() + rest;
    }

    /// Whether the worker gave a sign of life in time.
    pub fn is_alive(&self) -> bool {
        Clock::instant().saturating_duration_since(*self.expected()) <= SILENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_worker_is_dead_unless_it_announced_its_rest() {
        let paused = || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build()
                .unwrap()
        };
        actix::System::with_tokio_rt(paused).block_on(async {
            let liveness = Liveness::default();
            assert!(liveness.is_alive());
            tokio::time::sleep(SILENCE - Duration::from_secs(1)).await;
            assert!(liveness.is_alive());
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert!(!liveness.is_alive());
            liveness.beat(Duration::from_secs(300));
            tokio::time::sleep(Duration::from_secs(301)).await;
            assert!(liveness.is_alive());
            tokio::time::sleep(SILENCE).await;
            assert!(!liveness.is_alive());
        });
    }
}
