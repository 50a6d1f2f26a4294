//! The watchdog: finds an actor that hangs.
//!
//! A thread of its own, since the actors' threads are what may hang. At each look it notes which
//! messages are being worked on, and asks every actor that has no thread of its own for a sign of
//! life. Waiting is not hanging: for a core, for a free session, for a place in the window, for the
//! host, a slot waits in a queue or a timer, and no actor is at it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use actix::WeakRecipient;
use actix::prelude::*;

use crate::actors::vitals::{Part, Vitals, Work};
use celaje_sky::hangs::Hangs;

/// Asks an actor for a sign of life, which is that it drops this.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Ping {
    vitals: Arc<Vitals>,
    number: u64,
}

impl Drop for Ping {
    fn drop(&mut self) {
        self.vitals.end(self.number);
    }
}

/// How patient the watchdog is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// From one look to the next.
    pub every: Duration,
    /// How long a message may be worked on.
    pub limit: Duration,
    /// How long what does not hang may take to end its work once something does, and the store to write
    /// that down.
    pub grace: Duration,
    /// How long the program may take to end once something hangs.
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

/// What it does about what it finds.
pub struct Bites {
    /// Told of everything that hangs.
    pub hung: Box<dyn Fn(Work) + Send>,
    /// Called when the program has not ended in time after that: nobody else can.
    pub last_resort: Box<dyn Fn() + Send>,
}

/// A running watchdog; it ends when this is dropped.
pub struct Watchdog {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Watches what `vitals` knows of, and the actors behind `pulses`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        vitals: Arc<Vitals>,
        pulses: Vec<(Part, WeakRecipient<Ping>)>,
        patience: Patience,
        bites: Bites,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let looks = patience.limit.as_millis() / patience.every.as_millis().max(1);
        let mut rounds = Rounds {
            hangs: Hangs::new(u32::try_from(looks).unwrap_or(u32::MAX)),
            hung: Vec::new(),
            asked: BTreeMap::new(),
            vitals,
            pulses,
            patience,
            bites,
        };
        let thread = std::thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(move || {
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
                            return (rounds.bites.last_resort)();
                        }
                        *left -= 1;
                    }
                }
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
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
    /// The numbers of what was found to hang.
    hung: Vec<u64>,
    /// The last question to each pulse.
    asked: BTreeMap<usize, u64>,
    vitals: Arc<Vitals>,
    pulses: Vec<(Part, WeakRecipient<Ping>)>,
    patience: Patience,
    bites: Bites,
}

impl Rounds {
    /// Whether what was found to hang still does.
    fn something_hangs(&mut self) -> bool {
        let at_work = self.vitals.at_work();
        self.hung.retain(|number| at_work.contains(number));
        !self.hung.is_empty()
    }

    /// One look.
    fn look(&mut self) {
        let at_work = self.vitals.at_work();
        let found = self.hangs.look(&at_work);
        self.hung.extend(&found);
        let hung: Vec<Work> = found
            .into_iter()
            .filter_map(|number| self.vitals.work(number))
            .collect();
        for (index, (part, pulse)) in self.pulses.iter().enumerate() {
            let unanswered = self.asked.get(&index).is_some_and(|n| at_work.contains(n));
            let Some(pulse) = pulse.upgrade().filter(|_| !unanswered) else {
                continue;
            };
            let number = self.vitals.begin(Work {
                ping: true,
                ..Work::of(*part)
            });
            self.asked.insert(index, number);
            pulse.do_send(Ping {
                vitals: Arc::clone(&self.vitals),
                number,
            });
        }
        for work in hung {
            self.vitals.hangs(&work, self.patience.limit);
            (self.bites.hung)(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::guard::Guard;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const HURRIED: Patience = Patience {
        every: Duration::from_millis(5),
        limit: Duration::from_millis(30),
        grace: Duration::ZERO,
        end: Duration::from_millis(60),
    };

    /// A watchdog of `vitals`, and how often it found something and called for its last resort.
    fn watch(vitals: &Arc<Vitals>) -> (Watchdog, [Arc<AtomicUsize>; 2]) {
        let counts: [Arc<AtomicUsize>; 2] = Default::default();
        let (hung, last) = (Arc::clone(&counts[0]), Arc::clone(&counts[1]));
        let bites = Bites {
            hung: Box::new(move |_| {
                let _ = hung.fetch_add(1, Ordering::SeqCst);
            }),
            last_resort: Box::new(move || {
                let _ = last.fetch_add(1, Ordering::SeqCst);
            }),
        };
        let dog = Watchdog::start(Arc::clone(vitals), Vec::new(), HURRIED, bites).unwrap();
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
    fn what_hangs_to_the_end_calls_for_the_last_resort() {
        let vitals = Arc::new(Vitals::default());
        let guard = Guard::new(Part::Decode, Arc::clone(&vitals));
        let (_dog, [hung, last]) = watch(&vitals);
        let _at_work = guard.at_work([]);
        until(&last);
        assert_eq!(hung.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn what_hung_and_goes_on_is_forgiven() {
        let vitals = Arc::new(Vitals::default());
        let guard = Guard::new(Part::Store, Arc::clone(&vitals));
        let (dog, [hung, last]) = watch(&vitals);
        let at_work = guard.at_work([]);
        until(&hung);
        drop(at_work);
        std::thread::sleep(4 * HURRIED.end);
        drop(dog);
        assert_eq!(last.load(Ordering::SeqCst), 0);
    }
}
