//! `celaje label`: the labelling page of the dashboard for a folder of pictures.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use crate::clock::Clock;
use crate::commands::backfill::{self, BackfillOptions};
use crate::commands::{output, serve};
use crate::daemon::watcher::{LabelDesk, RecordWatcher};
use crate::service::RunPolicy;
use crate::service::request::{check_range, picture_folder, range_of};
use crate::settings::Settings;
use crate::settings::layer::{Flags, FolderGroup, SpanishHelp};
use crate::web::token::Token;
use crate::web::{self, WebOptions};
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;

/// The record that is made in the folder.
const RECORD: &str = "celaje-labels.db";

#[derive(Clone, Debug, Args)]
pub(super) struct LabelArgs {
    /// The folder, with pictures named like 2024-01310802.jpg at any depth
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Address and port to listen on [default: a free port of 127.0.0.1]
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        env = "CELAJE_LISTEN",
        value_parser = serve::socket
    )]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    settings: Flags<FolderGroup>,
}

pub(super) const SPANISH: SpanishHelp = &[
    ("label", "Muestra las imágenes de una carpeta para etiquetarlas en el navegador"),
    (
        "folder",
        "La carpeta, con imágenes de nombres como 2024-01310802.jpg a cualquier profundidad",
    ),
    ("listen", "Dirección y puerto en que escucha [por omisión: un puerto libre de 127.0.0.1]"),
];

impl LabelArgs {
    /// Reads the pictures into a record of their own, then serves the page until Ctrl-C or SIGTERM.
    pub(super) async fn run(self, config: Option<&Path>) -> Result<u8> {
        let mut layer = self.settings.0;
        layer.db.get_or_insert_with(|| self.folder.join(RECORD));
        let mut settings = Settings::read(layer, config)?;
        // Pictures are looked for in the folder by their names, whatever the camera's are.
        settings.station.source = None;
        let folder = picture_folder(&self.folder)?;
        let range = range_of(&folder, &settings.station)?;
        check_range(range, &settings.station)?;
        let mut recorded = backfill::record(BackfillOptions {
            settings: settings.clone(),
            range,
            folder: Some(folder.clone()),
            policy: RunPolicy::default(),
            stats: false,
            json: false,
            quiet: false,
        })
        .await?;
        if let Some(failure) = recorded.report.end.failure {
            return Err(failure);
        }
        if let Some(signal) = recorded.signal {
            return Ok(signal.exit_status());
        }
        let Some(database) = recorded.database else {
            return Err(Failure::environment(say!(
                "the record could not be kept open; see the log",
                "no se pudo mantener abierto el registro; vea el log"
            )));
        };
        // For this process and who started it.
        let secret = || RandomState::new().hash_one(0);
        let secret = format!("{:016x}{:016x}", secret(), secret());
        let desk = LabelDesk {
            watcher: RecordWatcher::start(&settings.db, Clock::SYSTEM)?,
            database: database.into(),
        };
        settings.stations = vec![settings.station.clone()];
        let free = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let options = WebOptions {
            token: Some(Token::new(&secret, "this run")?),
            folder: Some(folder),
            ..WebOptions::new(self.listen.unwrap_or(free), &settings)
        };
        let running = web::start(options, Arc::new(desk))?;
        let addr = running.addr;
        output::line(say!(
            "Label at http://{addr}/#/label?token={secret} (Ctrl-C ends it)",
            "Etiquete en http://{addr}/#/label?token={secret} (se termina con Ctrl-C)"
        ))?;
        recorded.signals.next().await;
        running.stop().await;
        Ok(0)
    }
}
