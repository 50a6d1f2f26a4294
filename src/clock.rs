//! The clock that waits are measured with.

use std::time::Instant;

/// Now, by the clock of the runtime: what waits with tokio's timers measures with this, so that a
/// test that pauses the runtime moves both.
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
