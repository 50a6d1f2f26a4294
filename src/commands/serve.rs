//! `celaje serve`: watches the cameras, fills the record, and shows it over HTTP.

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::cli::Serve;
use crate::commands::signals::{Reloads, Signals};
use crate::commands::{output, settle};
use crate::daemon::clock::Clock;
use crate::daemon::{Daemon, notify};
use crate::error::{Failure, Result};
use crate::say;
use crate::settings::{Layer, Settings};
use crate::web::bystander::Bystander;
use crate::web::token::Token;
use crate::web::{self, Running, WebOptions};

/// Serves until Ctrl-C or SIGTERM; the base URL is the first line on the standard output. Gives the
/// exit status.
///
/// # Errors
/// When a model does not hold, the record cannot be read or written, or the address cannot be
/// listened on.
pub async fn run(args: Serve, config: Option<&Path>) -> Result<u8> {
    if args.read_only {
        show(args, config).await
    } else {
        watch(args, config).await
    }
}

/// Shows a record that others write.
async fn show(args: Serve, config: Option<&Path>) -> Result<u8> {
    let settings = settle(args.layer(), config)?;
    let operator = Arc::new(Bystander::start(&settings.db)?);
    let mut signals = Signals::listen();
    let running = web::start(web_options(args, &settings)?, operator)?;
    tell_address(&running)?;
    notify::ready();
    signals.next().await;
    notify::stopping();
    running.stop().await;
    Ok(0)
}

/// Watches the cameras, and shows the record that comes of it.
async fn watch(args: Serve, config: Option<&Path>) -> Result<u8> {
    let mut signals = Signals::listen();
    let mut reloads = Reloads::listen();
    let flags = args.layer();
    let settings = settle(flags.clone(), config)?;
    let options = web_options(args.clone(), &settings)?;
    let clock = args.clock.unwrap_or(Clock::SYSTEM);
    let daemon = Daemon::start(settings, clock, |notice| output::note(notice)).await?;
    let running = match web::start(options, daemon.board()) {
        Ok(running) => running,
        Err(failure) => {
            daemon.stop().await;
            return Err(failure);
        }
    };
    tell_address(&running)?;
    notify::ready();
    let quit = CancellationToken::new();
    let watched = keep_watch(daemon, running, flags, config, &mut reloads, quit.clone());
    let (ended, _) = signals.draining(watched, || quit.cancel()).await;
    ended.map(|()| 0)
}

/// Works until it is to quit; then finishes what is in flight and ends everything.
async fn keep_watch(
    mut daemon: Daemon,
    running: Running,
    flags: Layer,
    config: Option<&Path>,
    reloads: &mut Reloads,
    quit: CancellationToken,
) -> Result<()> {
    let watchdog = notify::watchdog();
    let ended = loop {
        let beat = async {
            match watchdog {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = quit.cancelled() => break Ok(()),
            () = daemon.fallen() => break Err(Failure::environment(say!(
                "a station's worker ended after an error of this program; see the log",
                "el trabajo de una estación terminó por un error de este programa; vea el registro"
            ))),
            () = beat => {
                if daemon.is_alive().await {
                    notify::alive();
                } else {
                    tracing::error!("a station's scheduler does not answer");
                }
            }
            () = reloads.next() => {
                notify::reloading();
                reload(&mut daemon, &flags, config).await;
                notify::ready();
            }
        }
    };
    notify::stopping();
    daemon.board().stop();
    tokio::join!(running.stop(), daemon.stop());
    ended
}

/// Reads the settings anew; what runs stays when they do not hold.
async fn reload(daemon: &mut Daemon, flags: &Layer, config: Option<&Path>) {
    let renewed = match settle(flags.clone(), config) {
        Ok(settings) => daemon.reload(settings, |notice| output::note(notice)).await,
        Err(failure) => {
            daemon.keep_settings(&failure);
            Err(failure)
        }
    };
    match renewed {
        Ok(()) => output::note(say!("settings read anew", "ajustes leídos de nuevo")),
        Err(failure) => output::note(say!(
            "the settings stay as they were: {failure}",
            "los ajustes quedan como estaban: {failure}"
        )),
    }
}

fn web_options(args: Serve, settings: &Settings) -> Result<WebOptions> {
    Ok(WebOptions {
        hosts: args.host,
        token: token(args.token_file.as_deref())?,
        ..WebOptions::new(args.listen, settings)
    })
}

fn tell_address(running: &Running) -> Result<()> {
    let addr = running.addr;
    output::line(say!(
        "Celaje on http://{addr}/ (Ctrl-C ends it)",
        "Celaje en http://{addr}/ (se termina con Ctrl-C)"
    ))
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
