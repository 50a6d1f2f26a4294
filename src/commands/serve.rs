//! `celaje serve`: watches the cameras, fills the record, and shows it over HTTP.

mod reach;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use clap::Args;
use clap::builder::FalseyValueParser;
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::commands::serve::reach::Reach;
use crate::commands::signals::{Reloads, Signals};
use crate::commands::{output, readable};
use crate::daemon::operator::Operator;
use crate::daemon::watcher::RecordWatcher;
use crate::daemon::{Daemon, alerts, boltwood, mqtt, notify};
use crate::service::notices;
use crate::settings::layer::SpanishHelp;
use crate::settings::values::whole;
use crate::settings::{Layer, Settings};
use crate::web::alpaca::DISCOVERY_PORT;
use crate::web::base::BasePath;
use crate::web::origins::{Origin, Origins};
use crate::web::token::Token;
use crate::web::{self, Running, WebOptions};
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;
use celaje_sky::text::BadValue;

#[derive(Clone, Debug, Args)]
pub struct ServeArgs {
    /// Only show the record: fetch nothing, write nothing
    #[arg(long, env = "CELAJE_READ_ONLY", value_parser = FalseyValueParser::new())]
    read_only: bool,
    /// Address and port to listen on
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        env = "CELAJE_LISTEN",
        default_value = "127.0.0.1:8080",
        value_parser = socket
    )]
    listen: SocketAddr,
    /// A host name under which the server answers, besides loopback and the address itself; may be
    /// repeated, or take several with commas between them
    #[arg(long, value_name = "NAME", env = "CELAJE_HOST", value_delimiter = ',')]
    host: Vec<String>,
    /// Server whose pages may read /octas, /historial and /imagen (`https://example.org`), or * for
    /// any; may be repeated, or take several with commas between them
    #[arg(
        long,
        value_name = "ORIGIN",
        env = "CELAJE_ALLOW_ORIGIN",
        value_delimiter = ',',
        value_parser = origin
    )]
    allow_origin: Vec<Origin>,
    /// Also serves the replaced system's clients as they are: /octas, /historial and /imagen, to
    /// pages of any server, on a port of their own [default: 8000, on the address of --listen]
    #[arg(
        long,
        value_name = "PORT or ADDRESS:PORT",
        env = "CELAJE_COMPAT",
        num_args = 0..=1,
        default_missing_value = "8000",
        value_parser = compat
    )]
    compat: Option<CompatAddress>,
    /// Also shows each station to ASCOM Alpaca's clients (NINA, ASCOM) as a SafetyMonitor and
    /// ObservingConditions, on a port of their own, 11111 by custom
    #[arg(long, value_name = "ADDRESS:PORT", env = "CELAJE_ALPACA", value_parser = socket)]
    alpaca: Option<SocketAddr>,
    /// UDP port on which Alpaca's clients look for devices; 0 for none
    #[arg(
        long,
        value_name = "PORT",
        env = "CELAJE_ALPACA_DISCOVERY",
        default_value_t = DISCOVERY_PORT,
        value_parser = whole(0..=u16::MAX)
    )]
    alpaca_discovery: u16,
    /// File that gets Boltwood's one line of the sky every ten seconds; `{station}` in its name
    /// stands for the station's id
    #[arg(long, value_name = "FILE", env = "CELAJE_BOLTWOOD")]
    boltwood: Option<PathBuf>,
    /// Path under which a proxy shows the server, where it passes the path on (`/celaje`)
    #[arg(
        long,
        value_name = "PATH",
        env = "CELAJE_BASE_PATH",
        default_value = "",
        value_parser = base
    )]
    base_path: BasePath,
    /// File with the token for orders through API and dashboard: backfills, labels, calibrations
    /// [default: CELAJE_TOKEN; without a token nobody can give any]
    #[arg(long, value_name = "FILE", env = "CELAJE_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    settings: Layer,
    /// For tests: the time at the start and how fast it goes (2024-03-01T15:02:30Z@60)
    #[cfg(feature = "testing")]
    #[arg(long, value_name = "TIME", hide = true)]
    clock: Option<Clock>,
}

pub(super) const SPANISH: SpanishHelp = &[
    (
        "serve",
        "Vigila las cámaras, completa el registro a medida que llegan imágenes y lo muestra por \
         HTTP",
    ),
    ("read_only", "Solo muestra el registro: no descarga ni escribe nada"),
    ("listen", "Dirección y puerto en que escucha"),
    (
        "host",
        "Un nombre con el que responde el servidor, además de los de la propia máquina y la \
         dirección; se puede repetir, o llevar varios separados por comas",
    ),
    (
        "allow_origin",
        "Servidor cuyas páginas pueden leer /octas, /historial e /imagen (`https://example.org`), \
         o * para cualquiera; se puede repetir, o llevar varios separados por comas",
    ),
    (
        "compat",
        "Atiende además a los clientes del sistema anterior tal como son: /octas, /historial e \
         /imagen, para páginas de cualquier servidor, en un puerto propio [por omisión: 8000, en \
         la dirección de --listen]",
    ),
    (
        "alpaca",
        "Muestra además cada estación a los clientes de ASCOM Alpaca (NINA, ASCOM) como \
         SafetyMonitor y ObservingConditions, en un puerto propio; por costumbre, el 11111",
    ),
    (
        "alpaca_discovery",
        "Puerto UDP en que los clientes de Alpaca buscan dispositivos; 0 para ninguno",
    ),
    (
        "boltwood",
        "Archivo que recibe cada diez segundos la línea de Boltwood con el estado del cielo; \
         `{station}` en su nombre es el id de la estación",
    ),
    (
        "base_path",
        "Ruta bajo la que un proxy muestra el servidor, si la deja en los pedidos (`/celaje`)",
    ),
    (
        "token_file",
        "Archivo con el token para dar órdenes por la API y el tablero: backfills, etiquetas, \
         calibraciones [por omisión: CELAJE_TOKEN; sin token, nadie puede darlas]",
    ),
];

impl ServeArgs {
    /// Serves until Ctrl-C or SIGTERM; the base URL is the first line on the standard output.
    pub(super) async fn run(self, config: Option<&Path>) -> Result<u8> {
        if self.read_only { show(self, config).await } else { watch(self, config).await }
    }

    #[cfg(feature = "testing")]
    fn clock(&self) -> Clock {
        self.clock.unwrap_or(Clock::SYSTEM)
    }

    #[cfg(not(feature = "testing"))]
    const fn clock(&self) -> Clock {
        Clock::SYSTEM
    }
}

pub(super) fn socket(text: &str) -> Result<SocketAddr, BadValue> {
    text.trim().parse().map_err(|_| {
        BadValue(say!(
            "write an IP address and a port such as 127.0.0.1:8080",
            "escriba una dirección IP y un puerto como 127.0.0.1:8080"
        ))
    })
}

/// Where `--compat` listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CompatAddress {
    /// Nowhere.
    Off,
    /// On this port of the address of `--listen`.
    Port(u16),
    At(SocketAddr),
}

fn compat(text: &str) -> Result<CompatAddress, BadValue> {
    let text = text.trim();
    // As the other switches are set in the environment.
    match text {
        "0" | "false" | "no" | "off" => Ok(CompatAddress::Off),
        "1" | "true" | "yes" | "on" => Ok(CompatAddress::Port(8000)),
        text => {
            let port = text.parse().map(CompatAddress::Port);
            port.or_else(|_| text.parse().map(CompatAddress::At)).map_err(|_| {
                BadValue(say!(
                    "write a port from 1 to 65535 such as 8000, or an IP address and a port such \
                     as 0.0.0.0:8000",
                    "escriba un puerto de 1 a 65535, como 8000, o una dirección IP y un puerto, \
                     como 0.0.0.0:8000"
                ))
            })
        }
    }
}

fn base(text: &str) -> Result<BasePath, BadValue> {
    text.trim().parse().map_err(|_| {
        BadValue(say!("write a path such as /celaje", "escriba una ruta como /celaje"))
    })
}

fn origin(text: &str) -> Result<Origin, BadValue> {
    text.trim().parse().map_err(|_| {
        BadValue(say!(
            "write scheme and name of the pages' server, as https://example.org:8443, or * for any",
            "escriba el esquema y el nombre del servidor de las páginas, como \
             https://example.org:8443, o * para cualquiera"
        ))
    })
}

/// Shows a record that others write.
async fn show(args: ServeArgs, config: Option<&Path>) -> Result<u8> {
    let mut settings = Settings::read(args.settings.clone(), config)?;
    let record = readable(&settings)?;
    record.path().clone_into(&mut settings.db);
    let operator = Arc::new(RecordWatcher::start(&settings.db, args.clock())?);
    let mut signals = Signals::listen();
    let mut reloads = Reloads::listen();
    let flags = args.settings.clone();
    let options = WebOptions { clock: args.clock(), ..web_options(args.clone(), &settings)? };
    let running = web::start(options, operator)?;
    let reach = Reach::start(args.boltwood, &settings.reach, &running, None);
    tell_address(&running)?;
    notify::ready();
    let mut beat = Beat::new();
    loop {
        tokio::select! {
            _ = signals.next() => break,
            () = beat.next() => notify::alive(),
            () = reloads.next() => {
                notify::reloading();
                let renewed = read_settings(flags.clone(), config.map(Path::to_owned)).await;
                tell_renewed(renewed.map(|settings| {
                    running.renew(&settings);
                    reach.renew(&settings.reach);
                }));
                notify::ready();
            }
        }
    }
    notify::stopping();
    tokio::join!(running.stop(), reach.end());
    Ok(0)
}

/// Watches the cameras, and shows the record that comes of it.
async fn watch(args: ServeArgs, config: Option<&Path>) -> Result<u8> {
    let mut signals = Signals::listen();
    let mut reloads = Reloads::listen();
    let flags = args.settings.clone();
    let settings = Settings::read(flags.clone(), config)?;
    let options = web_options(args.clone(), &settings)?;
    alerts::check(&settings.reach.senders)?;
    let (clock, reach, db) = (args.clock(), settings.reach.clone(), settings.db.clone());
    notices::whose_camera(&settings).iter().for_each(output::note);
    let asked = settings.clone();
    let daemon = Daemon::start(settings, clock, |notice| output::note(notice)).await?;
    let options = WebOptions { clock: daemon.clock(), ..options };
    let running = match web::start(options, daemon.state()) {
        Ok(running) => running,
        Err(failure) => {
            daemon.stop().await;
            return Err(failure);
        }
    };
    let record = Some((db, daemon.database(), daemon.clock()));
    let reach = Rc::new(Reach::start(args.boltwood, &reach, &running, record));
    tell_address(&running)?;
    let state = daemon.state().state();
    let (model, engine) = (state.model.unwrap_or_default(), state.engine.unwrap_or_default());
    let now = daemon.clock().now();
    notices::at_work(&asked, &model, &engine, now).iter().for_each(output::note);
    notify::ready();
    let quit = CancellationToken::new();
    let watched = keep_watch(daemon, (running, reach), flags, config, &mut reloads, quit.clone());
    let (ended, _) = signals.draining(watched, || quit.cancel()).await;
    ended.map(|()| 0)
}

/// When systemd is to be told that the program lives; never where it does not ask for it.
struct Beat(Option<Interval>);

impl Beat {
    fn new() -> Self {
        Self(notify::watchdog().map(|period| {
            let mut beat = tokio::time::interval(period);
            beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
            beat
        }))
    }

    async fn next(&mut self) {
        match &mut self.0 {
            Some(beat) => drop(beat.tick().await),
            None => std::future::pending().await,
        }
    }
}

/// Works until it is to quit; then finishes what is in flight and ends everything.
async fn keep_watch(
    daemon: Daemon,
    (running, reach): (Running, Rc<Reach>),
    flags: Layer,
    config: Option<&Path>,
    reloads: &mut Reloads,
    quit: CancellationToken,
) -> Result<()> {
    let daemon = Rc::new(daemon);
    let mut beat = Beat::new();
    // A task of its own: opening a model takes seconds, in which systemd is to hear of life.
    let mut reload = Renewal::default();
    let ended = loop {
        tokio::select! {
            () = quit.cancelled() => break Ok(()),
            () = daemon.fallen() => break Err(Failure::environment(say!(
                "a station's worker ended after an error of this program; see the log",
                "el trabajo de una estación terminó por un error de este programa; vea el registro"
            ))),
            () = beat.next() => {
                if daemon.is_alive() {
                    notify::alive();
                } else {
                    tracing::error!("a station's worker or scheduler gives no sign of life");
                }
            }
            () = reloads.next() => reload.wanted = true,
            () = reload.done() => notify::ready(),
        }
        if reload.is_due() {
            notify::reloading();
            let config = config.map(Path::to_owned);
            let shown = (running.clone(), Rc::clone(&reach));
            let renewal = renew(Rc::clone(&daemon), shown, flags.clone(), config);
            reload.begin(renewal);
        }
    };
    notify::stopping();
    daemon.state().stop();
    tokio::join!(running.stop(), daemon.end(), reload.done_if_any(), reach.end());
    // It holds the record.
    drop(reach);
    if let Ok(daemon) = Rc::try_unwrap(daemon) {
        daemon.stop().await;
    }
    ended
}

/// Reads the settings anew, once at a time; a request that comes meanwhile causes one more reading.
#[derive(Default)]
struct Renewal {
    wanted: bool,
    task: Option<JoinHandle<()>>,
}

impl Renewal {
    fn is_due(&mut self) -> bool {
        self.task.is_none() && std::mem::take(&mut self.wanted)
    }

    fn begin(&mut self, work: impl Future<Output = ()> + 'static) {
        self.task = Some(actix::spawn(work));
    }

    /// Until it is done; for ever where there is none.
    async fn done(&mut self) {
        let Some(task) = &mut self.task else {
            return std::future::pending().await;
        };
        if task.await.is_err() {
            tracing::error!("reading the settings anew failed");
        }
        self.task = None;
    }

    async fn done_if_any(&mut self) {
        if self.task.is_some() {
            self.done().await;
        }
    }
}

/// Reads the settings anew; what runs stays when they do not hold.
async fn renew(
    daemon: Rc<Daemon>,
    (running, reach): (Running, Rc<Reach>),
    flags: Layer,
    config: Option<PathBuf>,
) {
    let renewed = match read_settings(flags, config).await {
        Ok(settings) => {
            let shown = settings.clone();
            let changed = daemon.reload(settings, |notice| output::note(notice)).await;
            changed.map(|()| {
                running.renew(&shown);
                reach.renew(&shown.reach);
            })
        }
        Err(failure) => {
            daemon.keep_settings(&failure);
            Err(failure)
        }
    };
    tell_renewed(renewed);
}

/// Reads the settings on a thread that may wait for the disk.
async fn read_settings(flags: Layer, config: Option<PathBuf>) -> Result<Settings> {
    let read = tokio::task::spawn_blocking(move || Settings::read(flags, config.as_deref()));
    read.await.unwrap_or_else(|_| {
        Err(Failure::environment(say!(
            "the settings could not be read after an error of this program; see the log",
            "no se pudieron leer los ajustes por un error de este programa; vea el registro"
        )))
    })
}

fn tell_renewed(renewed: Result<()>) {
    match renewed {
        Ok(()) => output::note(say!("settings read anew", "ajustes leídos de nuevo")),
        Err(failure) => output::note(say!(
            "the settings stay as they were: {failure}",
            "los ajustes quedan como estaban: {failure}"
        )),
    }
}

fn web_options(args: ServeArgs, settings: &Settings) -> Result<WebOptions> {
    if let Some(pattern) = &args.boltwood {
        boltwood::check(pattern, settings.stations.len())?;
    }
    if let Some(mqtt) = &settings.reach.mqtt {
        mqtt::check(mqtt)?;
    }
    Ok(WebOptions {
        hosts: args.host,
        origins: Origins::new(args.allow_origin),
        base: args.base_path,
        compat: args.compat.and_then(|address| match address {
            CompatAddress::Off => None,
            CompatAddress::Port(port) => Some(SocketAddr::new(args.listen.ip(), port)),
            CompatAddress::At(address) => Some(address),
        }),
        token: token(args.token_file.as_deref())?,
        alpaca: args.alpaca,
        alpaca_discovery: args.alpaca_discovery,
        ..WebOptions::new(args.listen, settings)
    })
}

fn tell_address(running: &Running) -> Result<()> {
    let addr = running.addr;
    output::line(say!(
        "Celaje on http://{addr}/ (Ctrl-C ends it)",
        "Celaje en http://{addr}/ (se termina con Ctrl-C)"
    ))?;
    if let Some(compat) = running.compat {
        output::line(say!(
            "For the replaced system's clients: http://{compat}/",
            "Para los clientes del sistema anterior: http://{compat}/"
        ))?;
    }
    let Some(alpaca) = running.alpaca else {
        return Ok(());
    };
    output::line(say!(
        "For ASCOM Alpaca's clients: {alpaca}",
        "Para los clientes de ASCOM Alpaca: {alpaca}"
    ))
}

/// The token in the file, or that of `CELAJE_TOKEN`: no flag, since others can see a command line.
///
/// # Errors
/// When it is none.
pub fn token(file: Option<&Path>) -> Result<Option<Token>> {
    if let Some(path) = file {
        return Token::read(path).map(Some);
    }
    match std::env::var("CELAJE_TOKEN") {
        Ok(text) if !text.is_empty() => Token::new(&text, "CELAJE_TOKEN").map(Some),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_clients_port_is_a_switch_a_port_or_an_address() {
        for (text, address) in [
            ("1", CompatAddress::Port(8000)),
            ("true", CompatAddress::Port(8000)),
            ("false", CompatAddress::Off),
            ("0", CompatAddress::Off),
            ("8001", CompatAddress::Port(8001)),
            ("0.0.0.0:8000", CompatAddress::At("0.0.0.0:8000".parse().unwrap())),
        ] {
            assert_eq!(compat(text).unwrap(), address, "{text}");
        }
        for bad in ["", "maybe", "70000", "localhost:8000"] {
            assert!(compat(bad).is_err(), "{bad}");
        }
    }
}
