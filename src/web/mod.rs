//! The record and the running program over HTTP: the API, the replaced system's paths, the
//! dashboard.
//!
//! | path | content |
//! | --- | --- |
//! | `/api/v1/…` | the API ([`v1`]), `/api/openapi.json` its description |
//! | `/octas`, `/historial`, `/imagen` | the paths of the replaced system's clients |
//! | `/livez`, `/readyz`, `/metrics` | monitoring |
//! | `/` | the [`dashboard`] |
//!
//! A `pool` of connections reads the record; an [`Operator`] tells what the program does and
//! takes orders. Every request goes through the [`guard`]; a `limiter` bounds what costs more
//! than a moment.

pub mod alpaca;
pub mod badge;
pub mod base;
mod body;
pub mod camera;
pub mod dashboard;
pub mod events;
pub mod guard;
pub mod health;
pub mod legacy;
mod limiter;
mod made_file;
pub mod metrics;
pub mod openapi;
pub mod origins;
pub mod overlays;
mod pool;
pub mod problem;
pub mod query;
pub mod reply;
mod routes;
pub mod rows;
mod stream;
pub mod token;
pub mod v1;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App, HttpServer, web};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::camera::http::HttpLimits;
use crate::camera::kept::KeepPolicy;
use crate::camera::picture_folder::PictureFolder;
use crate::clock::Clock;
use crate::daemon::operator::Operator;
use crate::daemon::recent::RecentReadings;
use crate::settings::Settings;
use crate::settings::alerts::AlertSettings;
use crate::settings::terms::DataTerms;
use crate::store::reader::Reader;
use crate::web::alpaca::AlpacaClients;
use crate::web::base::BasePath;
use crate::web::camera::Cameras;
use crate::web::dashboard::keogram::KeogramCache;
use crate::web::events::Hub;
use crate::web::guard::{AccessRules, Hosts};
use crate::web::limiter::Limiter;
use crate::web::origins::Origins;
use crate::web::overlays::OverlayRenderer;
use crate::web::pool::ReaderPool;
use crate::web::problem::Problem;
use crate::web::routes::Routes;
use crate::web::token::Token;
use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::say;
use celaje_sky::slot::Slot;
use celaje_sky::station::Station;

/// Most bytes of a request's body.
pub const LONGEST_BODY: usize = 64 * 1024;
/// Open connections of each of the two workers.
const CONNECTIONS: usize = 256;
/// Time for a request's head to arrive.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// Time that a connection may be idle.
const IDLE: Duration = Duration::from_secs(30);

/// The options of the server.
#[derive(Clone)]
pub struct WebOptions {
    /// The address to listen on; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Host names that the server accepts beside loopback and its own address.
    pub hosts: Vec<String>,
    /// The record.
    pub db: PathBuf,
    /// The stations that the settings name.
    pub stations: Vec<Arc<Station>>,
    /// Limits of requests to their cameras.
    pub http: HttpLimits,
    /// The alerts that the settings name.
    pub alerts: Vec<AlertSettings>,
    /// A folder to take pictures from instead of the cameras.
    pub folder: Option<PictureFolder>,
    /// Copies of their pictures.
    pub keep: KeepPolicy,
    /// Draws the overlays.
    pub overlays: Arc<OverlayRenderer>,
    /// The token that orders need; without one nobody can give any.
    pub token: Option<Token>,
    /// Origins that may read the paths of the replaced system.
    pub origins: Origins,
    /// The path under which a proxy shows the server.
    pub base: BasePath,
    /// A further address, on which anybody may read the paths of the replaced system, and nothing
    /// else is.
    pub compat: Option<SocketAddr>,
    /// A further address, on which the stations are devices of ASCOM Alpaca, and nothing else is.
    pub alpaca: Option<SocketAddr>,
    /// The UDP port on which Alpaca's clients look for devices; 0 for none.
    pub alpaca_discovery: u16,
    /// On what terms the record may be used.
    pub terms: DataTerms,
    /// What pages and pictures take for now.
    pub clock: Clock,
}

impl WebOptions {
    /// Serves the record and the stations of `settings` on `listen`, without further names or
    /// token.
    pub fn new(listen: SocketAddr, settings: &Settings) -> Self {
        Self {
            listen,
            hosts: Vec::new(),
            db: settings.db.clone(),
            keep: settings.keep.clone(),
            stations: settings.stations.iter().cloned().map(Arc::new).collect(),
            http: settings.tuning.http.clone(),
            alerts: settings.reach.alerts.clone(),
            folder: None,
            overlays: OverlayRenderer::new(settings.clone()),
            token: None,
            origins: Origins::default(),
            base: BasePath::default(),
            compat: None,
            alpaca: None,
            alpaca_discovery: alpaca::DISCOVERY_PORT,
            terms: settings.terms.clone(),
            clock: Clock::SYSTEM,
        }
    }
}

/// Shared by all handlers.
pub struct WebState {
    /// The record.
    pub(crate) pool: Arc<ReaderPool>,
    /// Stations and models; replaced when the settings are read anew.
    from_settings: RwLock<StationSettings>,
    /// The running program.
    pub operator: Arc<dyn Operator>,
    /// The stream of events.
    pub hub: Arc<Hub>,
    /// The readings of the last day.
    pub recent: Arc<RecentReadings>,
    /// The sources of pictures.
    pub cameras: Arc<Cameras>,
    /// The token that orders need.
    pub token: Option<Token>,
    /// Strips of the keograms that were looked at lately.
    pub(crate) keograms: Arc<KeogramCache>,
    /// What the record is known by.
    pub(crate) identity: String,
    /// The clients of the Alpaca devices.
    pub(crate) alpaca: AlpacaClients,
    /// Bounds the charts that are gathered and drawn at once.
    pub(crate) charts: Limiter,
    /// Bounds the pictures that are made smaller at once.
    pub(crate) pictures: Limiter,
    /// Makes films of the kept pictures.
    pub(crate) films: v1::FilmMaker,
    pub(crate) clock: Clock,
}

impl WebState {
    /// The station of the settings with this id.
    pub fn station(&self, id: &str) -> Option<Arc<Station>> {
        let from_settings = self.from_settings.read().unwrap_or_else(PoisonError::into_inner);
        let mut stations = from_settings.stations.iter();
        stations.find(|station| station.id == id).cloned()
    }

    /// The alerts of the settings.
    pub(crate) fn alerts(&self) -> Vec<AlertSettings> {
        let from_settings = self.from_settings.read().unwrap_or_else(PoisonError::into_inner);
        from_settings.alerts.clone()
    }

    /// The stations of the settings, and on what terms the record may be used.
    pub(crate) fn for_export(&self) -> (Vec<Arc<Station>>, DataTerms) {
        let from_settings = self.from_settings.read().unwrap_or_else(PoisonError::into_inner);
        (from_settings.stations.clone(), from_settings.terms.clone())
    }

    /// Draws the overlays.
    pub fn overlays(&self) -> Arc<OverlayRenderer> {
        let from_settings = self.from_settings.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&from_settings.overlays)
    }
}

/// The part of the settings that may change while the server runs.
struct StationSettings {
    stations: Vec<Arc<Station>>,
    alerts: Vec<AlertSettings>,
    overlays: Arc<OverlayRenderer>,
    terms: DataTerms,
}

/// A running server; dropping this does not stop it.
#[derive(Clone)]
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Where the replaced system's clients find their paths.
    pub compat: Option<SocketAddr>,
    /// Where Alpaca's clients find the devices.
    pub alpaca: Option<SocketAddr>,
    handles: Vec<ServerHandle>,
    /// Ends what answers beside the servers.
    ends: CancellationToken,
    state: web::Data<WebState>,
}

impl Running {
    /// What the record is known by.
    pub fn identity(&self) -> &str {
        &self.state.identity
    }

    /// The picture of a station that was taken at a moment, from its camera or the cache.
    pub async fn picture(&self, station: &Arc<Station>, at: DateTime<Utc>) -> Option<Bytes> {
        let slot = Slot::at(station.zone.local(at), station.zone)?;
        let shot = self.state.cameras.shot(station, slot, None).await.ok()?;
        Some(shot.bytes.clone())
    }

    /// The readings of the last day.
    pub fn recent(&self) -> Arc<RecentReadings> {
        Arc::clone(&self.state.recent)
    }

    /// Takes over the stations and the model of other settings. The address, the names, the token
    /// and the record stay. To be called on the thread that started the server.
    pub fn renew(&self, settings: &Settings) {
        let stations: Vec<_> = settings.stations.iter().cloned().map(Arc::new).collect();
        let limits = settings.tuning.http.clone();
        self.state.cameras.renew(&stations, limits);
        self.state.recent.renew(&stations);
        self.state.cameras.look_for_copies(&settings.keep);
        let overlays = OverlayRenderer::new(settings.clone());
        let mut from_settings =
            self.state.from_settings.write().unwrap_or_else(PoisonError::into_inner);
        let (alerts, terms) = (settings.reach.alerts.clone(), settings.terms.clone());
        *from_settings = StationSettings { stations, alerts, overlays, terms };
        drop(from_settings);
        self.state.pool.begin_era();
    }

    /// Closes the event streams, lets the other requests finish, then stops the server.
    pub async fn stop(&self) {
        self.state.hub.close();
        self.ends.cancel();
        for handle in &self.handles {
            handle.stop(true).await;
        }
    }
}

/// Starts the server. To be called inside an actix system; returns as soon as it listens.
///
/// # Errors
/// When the address cannot be listened on, or the record cannot be read.
pub fn start(options: WebOptions, operator: Arc<dyn Operator>) -> Result<Running> {
    let hub = Hub::start(operator.events());
    let stations = &options.stations;
    let recent =
        RecentReadings::start(&options.db, stations, Arc::clone(&operator), options.clock)?;
    let ends = CancellationToken::new();
    let state = web::Data::new(WebState {
        pool: Arc::new(ReaderPool::open(&options.db)?),
        cameras: Cameras::or_folder(options.folder, &options.stations, options.http, options.clock),
        from_settings: RwLock::new(StationSettings {
            stations: options.stations,
            alerts: options.alerts,
            overlays: options.overlays,
            terms: options.terms,
        }),
        operator,
        hub,
        recent,
        token: options.token,
        keograms: Arc::default(),
        identity: Reader::open(&options.db)?.identity()?,
        alpaca: AlpacaClients::default(),
        charts: dashboard::chart_limiter(),
        pictures: v1::picture_limiter(),
        films: v1::FilmMaker::new(),
        clock: options.clock,
    });
    state.cameras.look_for_copies(&options.keep);
    let access = AccessRules {
        hosts: Some(Hosts::new(options.listen, &options.hosts)),
        origins: options.origins,
        base: options.base,
    };
    let (addr, server) = listen(&state, access, options.listen, "--listen", configure)?;
    let mut servers = vec![server];
    let mut compat = None;
    if let Some(wanted) = options.compat {
        // What is for everybody is for whatever name it is asked by.
        let access =
            AccessRules { hosts: None, origins: Origins::everybody(), base: BasePath::default() };
        let (addr, server) = listen(&state, access, wanted, "--compat", legacy::configure_alone)?;
        servers.push(server);
        compat = Some(addr);
    }
    let mut alpaca = None;
    if let Some(wanted) = options.alpaca {
        let access = AccessRules {
            hosts: Some(Hosts::new(wanted, &options.hosts)),
            origins: Origins::default(),
            base: BasePath::default(),
        };
        let (addr, server) = listen(&state, access, wanted, "--alpaca", alpaca::configure)?;
        servers.push(server);
        if options.alpaca_discovery != 0 {
            alpaca::discovery::answer(addr, options.alpaca_discovery, ends.clone());
        }
        alpaca = Some(addr);
    }
    let handles = servers.iter().map(Server::handle).collect();
    servers.into_iter().for_each(|server| drop(tokio::spawn(server)));
    Ok(Running { addr, compat, alpaca, handles, ends, state })
}

/// A server that listens on the address that `flag` names, and answers once it is polled.
fn listen(
    state: &web::Data<WebState>,
    access: AccessRules,
    wanted: SocketAddr,
    flag: &'static str,
    configure: fn(&mut web::ServiceConfig),
) -> Result<(SocketAddr, Server)> {
    let cannot_listen = |e: std::io::Error| {
        Failure::environment(match e.kind() {
            std::io::ErrorKind::AddrInUse => {
                let (port, ip) = (wanted.port(), wanted.ip());
                say!(
                    "another program uses port {port} of {ip}; end it, or choose another port with \
                     {flag}",
                    "otro programa usa el puerto {port} de {ip}; ciérrelo, o elija otro puerto con \
                     {flag}"
                )
            }
            _ => say!(
                "the server cannot listen on {wanted} ({e}); choose another address with {flag}",
                "el servidor no puede escuchar en {wanted} ({e}); elija otra dirección con {flag}",
                e = io_text(&e),
            ),
        })
    };
    let (state, access) = (state.clone(), web::Data::new(access));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .app_data(access.clone())
            .app_data(web::PayloadConfig::new(LONGEST_BODY))
            .wrap(from_fn(guard::guard))
            .wrap(Compress::default())
            .wrap(from_fn(guard::without_chunks))
            .configure(configure)
    })
    .workers(2)
    .worker_max_blocking_threads(2 * pool::CONNECTIONS + 2)
    .max_connections(CONNECTIONS)
    .client_request_timeout(HEAD_PATIENCE)
    .client_disconnect_timeout(Duration::from_secs(5))
    .keep_alive(IDLE)
    .disable_signals()
    .shutdown_timeout(5)
    .bind(wanted)
    .map_err(cannot_listen)?;
    let addr = server.addrs().first().copied().unwrap_or(wanted);
    Ok((addr, server.run()))
}

/// Adds all routes.
fn add_routes(routes: &mut Routes<'_>) {
    v1::configure(routes);
    openapi::configure(routes);
    legacy::configure(routes);
    health::configure(routes);
    metrics::configure(routes);
    badge::configure(routes);
    dashboard::configure(routes);
}

fn configure(config: &mut web::ServiceConfig) {
    add_routes(&mut Routes::of_server(config));
    config.default_service(web::to(async || Err::<&'static str, _>(Problem::no_such_path())));
}
