//! Ctrl-C and SIGTERM: the first drains, a second Ctrl-C ends at once.

use std::cell::Cell;
use std::rc::Rc;

#[cfg(unix)]
use tokio::signal::unix::{self, SignalKind};
use tokio::task::JoinHandle;

use crate::commands::output;
use crate::say;

/// Exit status after Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// A signal that asks the program to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Signal {
    /// The exit status of a program that drained and ended because of it.
    pub const fn exit_status(self) -> u8 {
        match self {
            Self::Interrupt => INTERRUPTED,
            Self::Terminate => 0,
        }
    }
}

/// Hears of the signals that ask the program to end, from when it is made.
pub struct Signals {
    #[cfg(unix)]
    heard: Option<(unix::Signal, unix::Signal)>,
}

impl Signals {
    /// Listens from now on. To be called inside a tokio runtime.
    pub fn listen() -> Self {
        Self {
            #[cfg(unix)]
            heard: unix::signal(SignalKind::interrupt())
                .and_then(|interrupt| Ok((interrupt, unix::signal(SignalKind::terminate())?)))
                .ok(),
        }
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Signal {
        #[cfg(unix)]
        if let Some((interrupt, terminate)) = &mut self.heard {
            return tokio::select! {
                _ = interrupt.recv() => Signal::Interrupt,
                _ = terminate.recv() => Signal::Terminate,
            };
        }
        let _ = tokio::signal::ctrl_c().await;
        Signal::Interrupt
    }
}

/// Drains on the first signal and exits on a later Ctrl-C, for as long as it lives.
pub struct DrainOnSignal {
    seen: Rc<Cell<Option<Signal>>>,
    task: JoinHandle<()>,
}

impl DrainOnSignal {
    /// Calls `drain` once, at the first signal.
    pub fn watch(drain: impl Fn() + 'static) -> Self {
        let seen = Rc::new(Cell::new(None));
        let noted = Rc::clone(&seen);
        let mut signals = Signals::listen();
        let task = actix::spawn(async move {
            noted.set(Some(signals.next().await));
            output::note(say!(
                "finishing what is in flight; Ctrl-C again ends at once",
                "terminando lo que está en curso; Ctrl-C otra vez corta en el acto"
            ));
            drain();
            while signals.next().await != Signal::Interrupt {}
            // Committed rows are safe in the write-ahead log.
            std::process::exit(i32::from(INTERRUPTED));
        });
        Self { seen, task }
    }

    /// The signal that came, if one did.
    pub fn seen(&self) -> Option<Signal> {
        self.seen.get()
    }
}

impl Drop for DrainOnSignal {
    fn drop(&mut self) {
        self.task.abort();
    }
}
