//! The cores that decoders and sessions share: a bound on the threads that compute at a time.
//!
//! Many more busy threads than cores would evict one another from cores and caches. Sessions go
//! before decoders: a decoded picture is read while it is still in the cache, and no more are
//! decoded than are needed.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Who goes first when several wait for a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Before all that have the other priority.
    High,
    /// Only while nobody with high priority waits.
    Low,
}

#[derive(Debug)]
struct CoreState {
    free: usize,
    /// Cores that callers with high priority wait for.
    wanted_first: usize,
}

/// Gives cores to threads.
#[derive(Debug)]
pub struct Cores {
    all: usize,
    state: Mutex<CoreState>,
    freed: Condvar,
}

/// Cores that are in use until this is dropped.
#[derive(Debug)]
pub struct Held<'a> {
    cores: &'a Cores,
    n: usize,
}

impl Cores {
    /// `n` cores, at least 1.
    pub fn new(n: usize) -> Self {
        let all = n.max(1);
        Self {
            all,
            state: Mutex::new(CoreState { free: all, wanted_first: 0 }),
            freed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, CoreState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks the thread until `n` cores (at most all) are free, and takes them.
    pub fn take(&self, n: usize, priority: Priority) -> Held<'_> {
        let n = n.clamp(1, self.all);
        let mut state = self.state();
        if priority == Priority::High {
            state.wanted_first += n;
        }
        loop {
            let others = if priority == Priority::High { 0 } else { state.wanted_first };
            if state.free >= n && others == 0 {
                break;
            }
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.free -= n;
        if priority == Priority::High {
            state.wanted_first -= n;
            if state.wanted_first == 0 && state.free > 0 {
                // Callers with low priority have waited for this.
                self.freed.notify_all();
            }
        }
        Held { cores: self, n }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.cores.state().free += self.n;
        self.cores.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[test]
    fn no_more_compute_than_there_are_cores_and_all_get_their_turn() {
        let cores = Cores::new(3);
        let (now, most, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for k in 0..8 {
                let (cores, now, most, done) = (&cores, &now, &most, &done);
                scope.spawn(move || {
                    for _ in 0..50 {
                        let n = 1 + k % 2;
                        let priority = if k < 4 { Priority::High } else { Priority::Low };
                        let held = cores.take(n, priority);
                        most.fetch_max(now.fetch_add(n, Ordering::SeqCst) + n, Ordering::SeqCst);
                        std::thread::sleep(Duration::from_micros(20));
                        now.fetch_sub(n, Ordering::SeqCst);
                        drop(held);
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(done.load(Ordering::SeqCst), 400);
        assert!(most.load(Ordering::SeqCst) <= 3);
    }

    #[test]
    fn a_session_goes_before_a_decoder_that_came_earlier() {
        let cores = Cores::new(1);
        let order = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            let held = cores.take(1, Priority::Low);
            for priority in [Priority::Low, Priority::High] {
                let (cores, order) = (&cores, &order);
                scope.spawn(move || {
                    let _held = cores.take(1, priority);
                    order.lock().unwrap().push(priority);
                });
                // Until it waits.
                std::thread::sleep(Duration::from_millis(30));
            }
            drop(held);
        });
        assert_eq!(order.into_inner().unwrap(), [Priority::High, Priority::Low]);
    }
}
