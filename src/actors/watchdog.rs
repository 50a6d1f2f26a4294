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
use crate::pipeline::hangs::Hangs;

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
                    if rounds.look() && left.is_none() {
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
    /// The last question to each pulse.
    asked: BTreeMap<usize, u64>,
    vitals: Arc<Vitals>,
    pulses: Vec<(Part, WeakRecipient<Ping>)>,
    patience: Patience,
    bites: Bites,
}

impl Rounds {
    /// One look; whether something was found.
    fn look(&mut self) -> bool {
        let at_work = self.vitals.at_work();
        let hung: Vec<Work> = self
            .hangs
            .look(&at_work)
            .into_iter()
            .filter_map(|number| self.vitals.work(number))
            .collect();
        for (index, (part, pulse)) in self.pulses.iter().enumerate() {
            let unanswered = self.asked.get(&index).is_some_and(|n| at_work.contains(n));
            let Some(pulse) = pulse.upgrade().filter(|_| !unanswered) else {
                continue;
            };
            let number = self.vitals.begin(Work {
                part: *part,
                slots: Vec::new(),
            });
            self.asked.insert(index, number);
            pulse.do_send(Ping {
                vitals: Arc::clone(&self.vitals),
                number,
            });
        }
        let found = !hung.is_empty();
        for work in hung {
            self.vitals.hangs(&work, self.patience.limit);
            (self.bites.hung)(work);
        }
        found
    }
}
