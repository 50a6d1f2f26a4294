//! `celaje serve`: the record and the API over HTTP.

use std::path::Path;
use std::sync::Arc;

use crate::cli::Serve;
use crate::commands::signals::Signals;
use crate::commands::{output, settle};
use crate::error::{Failure, Result};
use crate::say;
use crate::web::bystander::Bystander;
use crate::web::token::Token;
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
    let options = WebOptions {
        hosts: args.host,
        token: token(args.token_file.as_deref())?,
        ..WebOptions::new(args.listen, &settings)
    };
    let operator = Arc::new(Bystander::start(&settings.db)?);
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

/// The token in the file, or that of `CELAJE_TOKEN`, which is no flag: a command line can be seen by
/// others.
///
/// # Errors
/// When it is none.
pub fn token(file: Option<&Path>) -> Result<Option<Token>> {
    if let Some(path) = file {
        return Token::read(path).map(Some);
    }
    match std::env::var("CELAJE_TOKEN") {
        Ok(text) if !text.is_empty() => Token::new(&text).map(Some),
        _ => Ok(None),
    }
}
