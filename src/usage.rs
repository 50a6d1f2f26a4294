//! CPU time and memory of this process.

use std::time::Duration;

/// Since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time on a processor, of all threads, in the program and in the kernel for it.
    pub cpu: Duration,
    /// The most memory that was resident at once, bytes.
    pub peak_memory: u64,
    /// How often a thread gave its core up to wait for something.
    pub waits: u64,
    /// How often a thread lost its core to another one.
    pub preemptions: u64,
}

impl Usage {
    /// What the kernel has counted; none where it does not (on systems that are no Unix).
    #[cfg(unix)]
    pub fn now() -> Option<Self> {
        use nix::sys::resource::{UsageWho, getrusage};
        use nix::sys::time::TimeVal;
        let used = getrusage(UsageWho::RUSAGE_SELF).ok()?;
        let time = |t: TimeVal| {
            let seconds = u64::try_from(t.tv_sec()).unwrap_or(0);
            Duration::from_secs(seconds)
                + Duration::from_micros(u64::try_from(t.tv_usec()).unwrap_or(0))
        };
        let count = |n: nix::libc::c_long| u64::try_from(n).unwrap_or(0);
        // Apple's kernel counts bytes, the others kibibytes.
        let unit = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
        Some(Self {
            cpu: time(used.user_time()) + time(used.system_time()),
            peak_memory: count(used.max_rss()) * unit,
            waits: count(used.voluntary_context_switches()),
            preemptions: count(used.involuntary_context_switches()),
        })
    }

    /// What the kernel has counted; none where it does not (on systems that are no Unix).
    #[cfg(not(unix))]
    pub fn now() -> Option<Self> {
        None
    }

    /// What was used since `earlier`; the peak of memory stays that of all times.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            peak_memory: self.peak_memory,
            waits: self.waits.saturating_sub(earlier.waits),
            preemptions: self.preemptions.saturating_sub(earlier.preemptions),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn work_is_counted() {
        let before = Usage::now().unwrap();
        let mut sum = 0u64;
        while Usage::now().unwrap().since(before).cpu < Duration::from_millis(20) {
            sum = (0..100_000u64).fold(sum, |a, b| a.wrapping_mul(31).wrapping_add(b));
        }
        std::hint::black_box(sum);
        assert!(Usage::now().unwrap().peak_memory > 1_000_000);
    }
}
