//! The cores that decoders and sessions share: no more of them compute at a time than they are
//! told.
//!
//! Many more threads than cores would take one another's cores and caches away. What is farther on
//! its way goes first: a picture that was decoded is judged while it is still in the cache, and no
//! more are decoded than are needed.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Who wants a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Before the others.
    First,
    /// When nobody else waits.
    Last,
}

#[derive(Debug)]
struct CoreState {
    free: usize,
    /// Cores that those who go first wait for.
    first: usize,
}

/// Gives cores to threads.
#[derive(Debug)]
pub struct Cores {
    all: usize,
    state: Mutex<CoreState>,
    freed: Condvar,
}

/// Some cores; dropped, others have them.
#[derive(Debug)]
pub struct Held<'a> {
    cores: &'a Cores,
    n: usize,
}

impl Cores {
    /// `n` cores, at least 1.
    pub fn new(n: usize) -> Self {
        let all = n.max(1);
        Self { all, state: Mutex::new(CoreState { free: all, first: 0 }), freed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, CoreState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for `n` cores (of no more than there are). To be called on a thread that may block.
    pub fn take(&self, n: usize, turn: Turn) -> Held<'_> {
        let n = n.clamp(1, self.all);
        let mut state = self.state();
        if turn == Turn::First {
            state.first += n;
        }
        loop {
            let others = if turn == Turn::First { 0 } else { state.first };
            if state.free >= n && others == 0 {
                break;
            }
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.free -= n;
        if turn == Turn::First {
            state.first -= n;
            if state.first == 0 && state.free > 0 {
                // Those who go last have waited for this.
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
                        let turn = if k < 4 { Turn::First } else { Turn::Last };
                        let held = cores.take(n, turn);
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
            let held = cores.take(1, Turn::Last);
            for turn in [Turn::Last, Turn::First] {
                let (cores, order) = (&cores, &order);
                scope.spawn(move || {
                    let _held = cores.take(1, turn);
                    order.lock().unwrap().push(turn);
                });
                // Until it waits.
                std::thread::sleep(Duration::from_millis(30));
            }
            drop(held);
        });
        assert_eq!(order.into_inner().unwrap(), [Turn::First, Turn::Last]);
    }
}
