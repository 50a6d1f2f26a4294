//! Ctrl-C and SIGTERM: the first drains, a second Ctrl-C ends at once.

use std::pin::pin;

#[cfg(unix)]
use tokio::signal::unix::{self, SignalKind};

use crate::commands::output;
use celaje_sky::say;

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

/// Receives the signals that ask the program to end.
///
/// Once created, the signals no longer end the process by themselves, even after it is dropped: a
/// command keeps it and polls it to its end.
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

/// Receives SIGHUP, which asks the program to reload its settings.
pub struct Reloads {
    #[cfg(unix)]
    heard: Option<unix::Signal>,
}

impl Reloads {
    /// Listens from now on; the signal then no longer ends the program. To be called inside a tokio
    /// runtime.
    pub fn listen() -> Self {
        Self {
            #[cfg(unix)]
            heard: unix::signal(SignalKind::hangup()).ok(),
        }
    }

    /// Waits for the next one, for ever on systems without SIGHUP.
    pub async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(hangup) = &mut self.heard
            && hangup.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

impl Signals {
    /// Waits for `work`. The first signal calls `drain`, once, and is returned; a later Ctrl-C ends
    /// the program at once.
    pub async fn draining<T>(
        &mut self,
        work: impl Future<Output = T>,
        drain: impl FnOnce(),
    ) -> (T, Option<Signal>) {
        let mut work = pin!(work);
        let first = tokio::select! {
            done = &mut work => return (done, None),
            signal = self.next() => signal,
        };
        output::note(say!(
            "finishing what is in flight; Ctrl-C again ends at once",
            "terminando lo que está en curso; Ctrl-C otra vez corta en el acto"
        ));
        drain();
        loop {
            tokio::select! {
                done = &mut work => return (done, Some(first)),
                signal = self.next() => if signal == Signal::Interrupt {
                    // Committed rows are safe in the write-ahead log.
                    std::process::exit(i32::from(INTERRUPTED));
                },
            }
        }
    }
}
