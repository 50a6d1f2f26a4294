//! The watchdog: finds an actor that hangs.
//!
//! It has a thread of its own, since the actors' threads are what may hang. At each look it reads
//! the registry of work, and probes every arbiter (a thread that several actors share). Waiting is
//! not hanging: a slot that waits for a core, a session, a place in the window or the host is in a
//! queue or a timer, and in no actor's work.

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use actix::ArbiterHandle;

use crate::actors::guard::Oversight;
use crate::actors::health::Part;
use crate::actors::work::{Work, hang_failure};
use celaje_sky::hangs::Hangs;

/// How patient the watchdog is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Time between two looks.
    pub every: Duration,
    /// How long one message may take.
    pub limit: Duration,
    /// Time that healthy actors get to finish after a hang is detected, and the store to write it
    /// down.
    pub grace: Duration,
    /// Time that the program gets to end after a hang is detected.
    pub end: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(1),
            limit: Duration::from_secs(60),
            grace: Duration::from_secs(10),
            end: Duration::from_secs(40),
        }
    }
}

/// What to do about a hang.
pub struct HangHandler {
    /// Called with every piece of work that hangs.
    pub hung: Box<dyn Fn(Work) + Send>,
    /// Called when a hang has not ended in time after that; it ends the process.
    pub last_resort: Box<dyn Fn() + Send>,
}

/// A running watchdog; it ends when this is dropped.
pub struct Watchdog {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Watches the work of a pipeline, and the threads of `arbiters`, each with the actor that is
    /// named when it hangs.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        oversight: Oversight,
        arbiters: Vec<(Part, ArbiterHandle)>,
        patience: Patience,
        handler: HangHandler,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let looks = patience.limit.as_millis() / patience.every.as_millis().max(1);
        let mut rounds = Rounds {
            hangs: Hangs::new(u32::try_from(looks).unwrap_or(u32::MAX)),
            hung: Vec::new(),
            probes: BTreeMap::new(),
            oversight,
            arbiters,
            patience,
            handler,
        };
        let thread = std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
            let mut left: Option<u32> = None;
            while stopped.recv_timeout(patience.every) == Err(RecvTimeoutError::Timeout) {
                rounds.look();
                if !rounds.something_hangs() {
                    left = None;
                } else if left.is_none() {
                    let looks = patience.end.as_millis() / patience.every.as_millis().max(1);
                    left = Some(u32::try_from(looks).unwrap_or(u32::MAX));
                }
                if let Some(left) = &mut left {
                    if *left == 0 {
                        return (rounds.handler.last_resort)();
                    }
                    *left -= 1;
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Rounds {
    hangs: Hangs,
    /// The numbers of the work that hangs.
    hung: Vec<u64>,
    /// The number of the last probe of each arbiter.
    probes: BTreeMap<usize, u64>,
    oversight: Oversight,
    arbiters: Vec<(Part, ArbiterHandle)>,
    patience: Patience,
    handler: HangHandler,
}

impl Rounds {
    /// Whether any hang still lasts.
    fn something_hangs(&mut self) -> bool {
        let at_work = self.oversight.work.numbers();
        self.hung.retain(|number| at_work.contains(number));
        !self.hung.is_empty()
    }

    /// One look.
    fn look(&mut self) {
        let at_work = self.oversight.work.numbers();
        let found = self.hangs.look(&at_work);
        self.hung.extend(&found);
        let hung: Vec<Work> =
            found.into_iter().filter_map(|number| self.oversight.work.get(number)).collect();
        for (index, (part, arbiter)) in self.arbiters.iter().enumerate() {
            if self.probes.get(&index).is_some_and(|n| at_work.contains(n)) {
                continue;
            }
            let probe = self.oversight.work.begin(Work { is_probe: true, ..Work::of(*part) });
            self.probes.insert(index, probe.number());
            // Ends when the thread comes to it; an arbiter that has ended drops it at once.
            arbiter.spawn_fn(move || drop(probe));
        }
        for work in hung {
            if work.part != Part::Shadow {
                let failure = hang_failure(&work, self.patience.limit);
                self.oversight.health.hangs(work.part, failure);
            }
            (self.handler.hung)(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const HURRIED: Patience = Patience {
        every: Duration::from_millis(5),
        limit: Duration::from_millis(30),
        grace: Duration::ZERO,
        end: Duration::from_millis(60),
    };

    /// A watchdog of `oversight`, and how often it found a hang and called for the last resort.
    fn watch(oversight: &Oversight) -> (Watchdog, [Arc<AtomicUsize>; 2]) {
        let counts: [Arc<AtomicUsize>; 2] = Default::default();
        let (hung, last) = (Arc::clone(&counts[0]), Arc::clone(&counts[1]));
        let handler = HangHandler {
            hung: Box::new(move |_| {
                let _ = hung.fetch_add(1, Ordering::SeqCst);
            }),
            last_resort: Box::new(move || {
                let _ = last.fetch_add(1, Ordering::SeqCst);
            }),
        };
        let dog = Watchdog::start(oversight.clone(), Vec::new(), HURRIED, handler).unwrap();
        (dog, counts)
    }

    fn until(count: &AtomicUsize) {
        let patience = std::time::Instant::now() + Duration::from_secs(20);
        while count.load(Ordering::SeqCst) == 0 {
            assert!(std::time::Instant::now() < patience, "it never came");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn a_hang_that_lasts_calls_for_the_last_resort() {
        let oversight = Oversight::default();
        let (_dog, [hung, last]) = watch(&oversight);
        let _at_work = oversight.guard(Part::Decode).at_work(Vec::new());
        until(&last);
        assert_eq!(hung.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_hang_that_ends_is_forgiven() {
        let oversight = Oversight::default();
        let (dog, [hung, last]) = watch(&oversight);
        let at_work = oversight.guard(Part::Store).at_work(Vec::new());
        until(&hung);
        drop(at_work);
        std::thread::sleep(4 * HURRIED.end);
        drop(dog);
        assert_eq!(last.load(Ordering::SeqCst), 0);
    }

    /// A station's next pipeline shares the health of the one that hung, not its work.
    #[test]
    fn work_that_an_earlier_pipeline_left_behind_is_no_new_hang() {
        let before = Oversight::default();
        let _left_behind = before.guard(Part::Decode).at_work(Vec::new());
        let after = Oversight { health: Arc::clone(&before.health), ..Oversight::default() };
        let (dog, [hung, last]) = watch(&after);
        std::thread::sleep(4 * HURRIED.end);
        drop(dog);
        assert_eq!(hung.load(Ordering::SeqCst), 0);
        assert_eq!(last.load(Ordering::SeqCst), 0);
    }
}
