//! What the commands say: results on stdout, the rest on stderr. A closed pipe is no error.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};

use crate::error::{Failure, Result};
use crate::say;

/// Prints a line of results. Whoever closed the pipe has seen enough: that is no error.
///
/// # Errors
/// When stdout cannot be written (a full disk).
pub fn line(text: impl Display) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Failure::environment(say!(
            "the output cannot be written: {e}",
            "no se puede escribir la salida: {e}"
        ))),
        _ => Ok(()),
    }
}

/// Says on a terminal, on stderr, what runs: `auto` leaves the engine open.
pub fn tell_engine(model: &str, engine: &str) {
    if std::io::stderr().is_terminal() {
        note(say!(
            "model {model} on {engine}",
            "modelo {model} en {engine}"
        ));
    }
}

/// Prints a line on stderr; one that nobody can read is lost.
pub fn note(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
