//! `celaje serve`: the record and the API over HTTP.

use std::path::Path;
use std::sync::Arc;

use crate::cli::Serve;
use crate::commands::signals::Signals;
use crate::commands::{output, settle};
use crate::error::{Failure, Result};
use crate::say;
use crate::web::bystander::Bystander;
use crate::web::{self, WebOptions};

/// Serves until Ctrl-C or SIGTERM; the base URL is the first line on the standard output. Gives the
/// exit status.
///
/// # Errors
/// When the record cannot be read, or the address cannot be listened on.
pub async fn run(args: Serve, config: Option<&Path>) -> Result<u8> {
    if !args.read_only {
        return Err(Failure::usage(say!(
            "'celaje serve' cannot fill a record yet; show one with --read-only",
            "'celaje serve' aún no puede llenar un registro; muestre uno con --read-only"
        )));
    }
    let settings = settle(args.work.layer(), config)?;
    let operator = Arc::new(Bystander::start(&settings.db)?);
    let options = WebOptions {
        listen: args.listen,
        hosts: args.host,
        db: settings.db,
        stations: vec![Arc::new(settings.station)],
    };
    let mut signals = Signals::listen();
    let running = web::start(options, operator)?;
    let addr = running.addr;
    output::line(say!(
        "Celaje on http://{addr}/ (Ctrl-C ends it)",
        "Celaje en http://{addr}/ (se termina con Ctrl-C)"
    ))?;
    signals.next().await;
    running.stop().await;
    Ok(0)
}
