//! `celaje simulate`: a camera server that draws its own sky.

use std::io::Write;

use crate::commands::signals::Signals;
use celaje_simulate::server;
use celaje_sky::error::Result;
use celaje_sky::say;

pub use celaje_simulate::options::{Layout, SimulateOptions};

/// Serves until Ctrl-C or SIGTERM; the base URL is the first line on the standard output. Gives the
/// exit status.
///
/// # Errors
/// When the address cannot be listened on or the options make no picture.
pub async fn run(options: SimulateOptions) -> Result<u8> {
    let running = server::start(options)?;
    // Before anyone can know that it runs.
    let mut signals = Signals::listen();
    let url = &running.base_url;
    let line = say!(
        "Simulated camera on {url} (Ctrl-C ends it)",
        "Cámara simulada en {url} (se termina con Ctrl-C)"
    );
    // Whoever closed the output still gets the pictures.
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    drop(out);
    signals.next().await;
    running.stop().await;
    Ok(0)
}
