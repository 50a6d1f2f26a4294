//! `celaje alert`: looks after the alerts.

use std::path::Path;

use clap::{Args, Subcommand};

use crate::commands::output;
use crate::daemon::alerts;
use crate::settings::layer::{Layer, SpanishHelp};
use crate::settings::{ReachSettings, Settings};
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;

#[derive(Clone, Debug, Args)]
pub(super) struct AlertArgs {
    #[command(subcommand)]
    command: AlertCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum AlertCommand {
    /// Send a test message
    Test(AlertTestArgs),
}

#[derive(Clone, Debug, Args)]
struct AlertTestArgs {
    /// An alert by its name, for all of its senders, or a sender by its id
    #[arg(value_name = "NAME")]
    name: String,
}

pub(super) const SPANISH: SpanishHelp = &[
    ("alert", "Cuida los avisos"),
    ("test", "Envía un mensaje de prueba"),
    ("name", "Un aviso por su nombre, a todos sus remitentes, o un remitente por su id"),
];

impl AlertArgs {
    pub(super) async fn run(self, config: Option<&Path>) -> Result<u8> {
        let AlertCommand::Test(args) = self.command;
        let settings = Settings::read(Layer::default(), config)?;
        test(&settings.reach, &args.name).await
    }
}

async fn test(reach: &ReachSettings, name: &str) -> Result<u8> {
    let of_alert = reach.alerts.iter().find(|alert| alert.name == name);
    let wanted: Vec<_> = reach
        .senders
        .iter()
        .filter(|sender| match of_alert {
            Some(alert) => alert.to.contains(&sender.id),
            None => sender.id == name,
        })
        .collect();
    if wanted.is_empty() {
        let alerts = reach.alerts.iter().map(|alert| alert.name.as_str());
        let senders = reach.senders.iter().map(|sender| sender.id.as_str());
        let known = alerts.chain(senders).collect::<Vec<_>>().join(", ");
        return Err(Failure::usage(say!(
            "there is no alert or sender '{name}'; celaje.toml names: {known}",
            "no hay ningún aviso ni remitente '{name}'; celaje.toml nombra: {known}"
        )));
    }
    let page = reach.mqtt.as_ref().and_then(|mqtt| mqtt.page.as_deref());
    let mut failed: Option<Failure> = None;
    for sender in wanted {
        let id = &sender.id;
        match alerts::send_test(sender, page).await {
            Ok(()) => output::line(say!("sent to '{id}'", "enviado a '{id}'"))?,
            // The others may work: each is tried, and the last failure is the program's.
            Err(failure) => {
                if let Some(before) = failed.replace(failure) {
                    output::note(before);
                }
            }
        }
    }
    failed.map_or(Ok(0), Err)
}
