//! `celaje init`: looks at a camera, finds how its pictures are named, reads one, and writes
//! `celaje.toml`.

mod answers;
mod proposals;

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;
use futures_util::{StreamExt, stream};
use tokio_util::sync::CancellationToken;

use self::answers::Answers;
use self::proposals::{Proposal, proposals};
use crate::actors::session::observation;
use crate::camera::fault::AccessFault;
use crate::camera::http::HttpClient;
use crate::camera::{Picture, Refusal, SearchResult, Source, look_for};
use crate::clock::Clock;
use crate::commands::output;
use crate::commands::replacement::replace_file;
use crate::service::inference::open_model;
use crate::service::request::station_source;
use crate::settings::file::{FILE_NAME, FileSettings};
use crate::settings::layer::{Flags, InferenceGroup, SpanishHelp};
use crate::settings::span::Span;
use crate::settings::{Layer, Settings};
use celaje_sky::error::{Failure, Result, io_text, request_text};
use celaje_sky::layout::LayoutBook;
use celaje_sky::outcome::{MissReason, Observation};
use celaje_sky::retry::RetryPolicy;
use celaje_sky::say;
use celaje_sky::slot::{Slot, SlotRange};
use celaje_sky::station::{LayoutChoice, Station};
use celaje_sky::text::Text;
use celaje_vision::picture::decode::is_picture;
use celaje_vision::picture::prepare::prepare;
use celaje_vision::reading::{if_sky, run_one};

/// Longest time for one picture while ways are tried.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest time for all of them.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// Ways that are tried at the same time: a camera's server takes no more.
const AT_ONCE: usize = 4;

#[derive(Clone, Debug, Args)]
pub(super) struct InitArgs {
    /// Address of the camera, of its picture, or of a server's folder of pictures
    #[arg(long, value_name = "URL", conflicts_with = "dir", env = "CELAJE_URL")]
    url: Option<String>,
    /// Folder with pictures, or the file that a program replaces with each new one
    #[arg(long, value_name = "FOLDER", env = "CELAJE_DIR")]
    dir: Option<PathBuf>,
    /// Short name of the station [default: sky]
    #[arg(long, value_name = "ID", env = "CELAJE_ID")]
    id: Option<String>,
    /// Degrees, north positive
    #[arg(long, value_name = "DEGREES", allow_negative_numbers = true, env = "CELAJE_LATITUDE")]
    latitude: Option<f64>,
    /// Degrees, east positive
    #[arg(long, value_name = "DEGREES", allow_negative_numbers = true, env = "CELAJE_LONGITUDE")]
    longitude: Option<f64>,
    /// Time zone of the camera's names: an IANA name or an offset [default: this machine's]
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true, env = "CELAJE_TIME_ZONE")]
    time_zone: Option<String>,
    /// Time between two readings: 15s to 1h [default: 10m]
    #[arg(long, value_name = "SPAN", value_parser = str::parse::<Span>, env = "CELAJE_EVERY")]
    every: Option<Span>,
    /// User of the camera
    #[arg(long, value_name = "NAME", requires = "password_file", env = "CELAJE_USER")]
    user: Option<String>,
    /// File with that user's password
    #[arg(long, value_name = "FILE", requires = "user", env = "CELAJE_PASSWORD_FILE")]
    password_file: Option<PathBuf>,
    /// File with the certificate of the camera, or of the authority that signed it
    #[arg(long, value_name = "FILE", env = "CELAJE_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// Take any certificate from the camera: whoever is on the way can then give false pictures
    #[arg(long, env = "CELAJE_INSECURE", value_parser = FalseyValueParser::new())]
    insecure: bool,
    #[command(flatten)]
    inference: Flags<InferenceGroup>,
}

pub(super) const SPANISH: SpanishHelp = &[
    ("init", "Mira una cámara, encuentra cómo se llaman sus imágenes y escribe celaje.toml"),
    ("url", "Dirección de la cámara, de su imagen o de la carpeta de imágenes de un servidor"),
    ("dir", "Carpeta con imágenes, o el archivo que un programa reemplaza con cada una nueva"),
    ("id", "Nombre corto de la estación [por omisión: sky]"),
    ("latitude", "Grados, norte positivo"),
    ("longitude", "Grados, este positivo"),
    (
        "time_zone",
        "Huso de los nombres de la cámara: un nombre IANA o un desfase [por omisión: el de esta \
         máquina]",
    ),
    ("every", "Tiempo entre dos lecturas: de 15s a 1h [por omisión: 10m]"),
    ("user", "Usuario de la cámara"),
    ("password_file", "Archivo con la contraseña de ese usuario"),
    ("ca_file", "Archivo con el certificado de la cámara, o de la autoridad que lo firmó"),
    (
        "insecure",
        "Acepta cualquier certificado de la cámara: quien esté en el camino podrá dar imágenes \
         falsas",
    ),
];

impl InitArgs {
    pub(super) async fn run(self, config: Option<&Path>) -> Result<u8> {
        let target = config.map_or_else(|| PathBuf::from(FILE_NAME), Path::to_owned);
        let shown = target.display();
        let before = without_station(&target)?;
        let flags = self.inference.0.clone();
        let answers = Answers::gather(self).await?;
        let found = find(&answers, &flags).await?;
        let Found { proposal, settings, picture, text } = found;
        let (what, url) = (proposal.what, &picture.url);
        output::prose(say!("Found: {what}", "Hallado: {what}"))?;
        output::prose(say!("Picture: {url}", "Imagen: {url}"))?;
        output::prose(reading(&settings, &picture)?)?;
        replace_file(&target, format!("{before}{text}").as_bytes()).map_err(|error| {
            Failure::environment(say!(
                "'{shown}' cannot be written: {error}; name another file with --config",
                "no se puede escribir '{shown}': {error}; nombre otro archivo con --config",
                error = io_text(&error),
            ))
        })?;
        output::prose(say!(
            "Written: {shown}. `celaje serve` reads each picture from now on and shows the record.",
            "Escrito: {shown}. `celaje serve` lee cada imagen desde ahora y muestra el registro."
        ))?;
        Ok(0)
    }
}

/// What the settings file says, which may name no station yet; nothing where there is no file. It
/// stays in front of the station that is added.
fn without_station(target: &Path) -> Result<String> {
    if !target.exists() {
        return Ok(String::new());
    }
    let (_, stations) = FileSettings::load(Some(target))?.into_parts();
    let shown = target.display();
    if !stations.is_empty() {
        return Err(Failure::usage(say!(
            "'{shown}' names a station already; move it away, or name another file with --config",
            "'{shown}' ya nombra una estación; muévalo, o nombre otro archivo con --config"
        )));
    }
    let text = std::fs::read_to_string(target).map_err(|error| {
        Failure::usage(say!(
            "the settings file '{shown}' cannot be read: {error}",
            "no se puede leer el archivo de ajustes '{shown}': {error}",
            error = io_text(&error),
        ))
    })?;
    let lines = text.trim_end();
    Ok(if lines.is_empty() { String::new() } else { format!("{lines}\n\n") })
}

/// A proposal that gives a picture.
struct Found {
    proposal: Proposal,
    settings: Settings,
    picture: Picture,
    /// Of `celaje.toml`.
    text: String,
}

/// The first proposal that gives a picture; a few are tried at the same time.
async fn find(answers: &Answers, flags: &Layer) -> Result<Found> {
    let all = proposals(answers);
    let (place, ways) = (answers.place(), all.len());
    output::note(say!(
        "looking for pictures at {place}: {ways} ways are known",
        "buscando imágenes en {place}: se conocen {ways} maneras"
    ));
    let tried = stream::iter(all).map(|proposal| try_way(answers, flags, proposal));
    let at_once = if answers.has_login() { 1 } else { AT_ONCE };
    let mut tried = pin!(tried.buffered(at_once));
    let mut refusals = Vec::new();
    let begun = Clock::instant();
    let left = || TIME_LIMIT.saturating_sub(Clock::since(begun));
    while let Ok(Some(way)) = tokio::time::timeout(left(), tried.next()).await {
        match way? {
            Ok(found) => return Ok(found),
            Err(refusal) => {
                // A camera shuts out who tries a wrong password a few times.
                let is_over = refusal.reason == MissReason::Unreachable
                    || (answers.has_login() && refusal.http_status == Some(401));
                refusals.push(refusal);
                if is_over {
                    break;
                }
            }
        }
    }
    Err(in_vain(&place, answers.dir.is_some(), refusals))
}

/// What comes of one proposal.
async fn try_way(
    answers: &Answers,
    flags: &Layer,
    proposal: Proposal,
) -> Result<std::result::Result<Found, Refusal>> {
    let text = answers.settings(proposal.source.as_deref());
    let file = FileSettings::parse(&text, Path::new(".")).map_err(Failure::usage)?;
    let settings = Settings::settle(flags.clone(), file)?;
    Ok(match newest(&settings, proposal.is_named).await? {
        Ok(picture) if is_picture(&picture.bytes) => {
            Ok(Found { proposal, settings, picture, text })
        }
        Ok(_) => Err(nothing()),
        Err(refusal) => Err(refusal),
    })
}

/// Why no way gave a picture: what a person has to mend, else what is there, else what the first
/// way says, since the others only guess. A server need not list its folders.
fn in_vain(place: &str, is_folder: bool, refusals: Vec<Refusal>) -> Failure {
    let faults = || refusals.iter().filter_map(|refusal| refusal.fault.as_ref());
    let wants = |fault: &&AccessFault| {
        matches!(fault, AccessFault::PasswordMissing(_) | AccessFault::PasswordWrong(_))
    };
    if let Some(fault) = faults().find(wants) {
        let fault = fault.text();
        return Failure::environment(say!(
            "the camera at {place} wants a login: {fault}; write --user and --password-file",
            "la cámara en {place} pide usuario y contraseña: {fault}; escriba --user y \
             --password-file"
        ));
    }
    // Its name is of a known way.
    if let Some(closed) = refusals.iter().find(|refusal| refusal.is_closed())
        && let Some(fault) = &closed.fault
    {
        return Failure::environment(fault.text());
    }
    let other = |is_file: bool| {
        faults().find_map(|fault| match fault {
            AccessFault::OtherNames(name, _) if name.ends_with('/') != is_file => Some(name),
            _ => None,
        })
    };
    if let Some(name) = other(true).or_else(|| other(false).filter(|_| is_folder)) {
        return Failure::environment(say!(
            "no known way of naming fits what is at {place}, such as '{name}'; write path in \
             [station.source] in that form, with %Y%m%d%H%M%S for date and time, as \
             docs/settings.md shows",
            "ninguna manera conocida de nombrar sirve para lo que hay en {place}, como '{name}'; \
             escriba path en [station.source] de esa forma, con %Y%m%d%H%M%S por la fecha y la \
             hora, como muestra docs/es/ajustes.md"
        ));
    }
    if let Some(fault) = faults().find(|fault| is_folder || !fault.hides_all()) {
        return Failure::environment(fault.text());
    }
    let detail = refusals.into_iter().next().unwrap_or_else(nothing).detail;
    Failure::environment(say!(
        "no picture was found at {place} in any known way ({detail}); check the address, or write \
         [station.source] by hand as docs/settings.md shows",
        "no se halló ninguna imagen en {place} de ninguna manera conocida ({detail}); revise la \
         dirección, o escriba [station.source] a mano como muestra docs/es/ajustes.md",
        detail = request_text(&detail),
    ))
}

/// The newest picture of the station that may be read, or why there is none.
async fn newest(
    settings: &Settings,
    is_named: bool,
) -> Result<std::result::Result<Picture, Refusal>> {
    let station = Arc::new(settings.station.clone());
    let source = station_source(&station)?;
    let mut limits = settings.tuning.http.clone();
    limits.total_timeout = limits.total_timeout.min(PATIENCE);
    limits.retry = RetryPolicy { retries: 0, ..limits.retry };
    let stop = CancellationToken::new();
    let client = HttpClient::new(source.base(), &station.trust, limits, stop);
    let client = client.map_err(|error| Failure::environment(say!("{error}", "{error}")))?;
    let found = match &source {
        Source::Scheme(scheme) => match scheme.newest(&client, Clock::SYSTEM, is_named).await {
            Err(Some(refusal)) if refusal.is_closed() => {
                let older = scheme.newest_open(&client).await;
                older.and_then(|older| older.ok_or(Some(refusal)))
            }
            found => found,
        },
        _ => of_slots(&source, &client, &station).await,
    };
    Ok(found.map_err(|refusal| refusal.unwrap_or_else(nothing)))
}

/// The picture of one of the last slots, by Celaje's own names.
async fn of_slots(
    source: &Source,
    client: &HttpClient,
    station: &Station,
) -> std::result::Result<Picture, Option<Refusal>> {
    let book = Mutex::new(LayoutBook::new(LayoutChoice::Auto, 0, []).always_ask_both());
    let now = station.zone.local(Clock::SYSTEM.now());
    let lately = SlotRange::exact(now - chrono::TimeDelta::hours(2), now).map_err(|_| None)?;
    let slots: Vec<Slot> = lately.slots(&station.minutes, station.zone).collect();
    let mut last = None;
    for slot in slots.into_iter().rev().take(3) {
        match look_for(source, client, &book, slot, Clock::SYSTEM).await {
            SearchResult::Picture(picture, _) => {
                return Ok(Picture { taken_at: Some(slot.utc()), ..picture });
            }
            SearchResult::Miss(miss) => {
                let is_refused = miss.http_status == Some(401);
                last = Some(Refusal {
                    reason: miss.reason,
                    http_status: miss.http_status,
                    attempts: miss.attempts,
                    detail: miss.detail,
                    fault: None,
                });
                if is_refused {
                    break;
                }
            }
            SearchResult::Cancelled => return Err(None),
        }
    }
    Err(last)
}

fn nothing() -> Refusal {
    Refusal {
        reason: MissReason::NotFound,
        http_status: None,
        attempts: 0,
        detail: "nothing was found".to_owned(),
        fault: None,
    }
}

/// What the model reads in the picture, in words.
fn reading(settings: &Settings, picture: &Picture) -> Result<Text> {
    let station = &settings.station;
    let (model, engine) = open_model(settings, |notice| output::note(notice))?;
    let broken = |what: String| {
        Failure::environment(say!(
            "the picture could not be read: {what}",
            "no se pudo leer la imagen: {what}"
        ))
    };
    let limits = &settings.tuning.picture;
    let frame = prepare(&picture.bytes, &model.manifest, &station.region, limits)
        .map_err(|error| broken(error.to_string()))?;
    let mut backend = engine.open(1).map_err(|error| broken(error.to_string()))?;
    let read = run_one(backend.as_mut(), &model.manifest, &frame, &station.region, &mut Vec::new());
    let read = if_sky(read.map_err(|error| broken(error.to_string()))?).map_err(broken)?;
    let taken = picture.taken_at.unwrap_or_else(|| Clock::SYSTEM.now());
    let local = station.zone.local(taken);
    let Some(slot) = Slot::at(local, station.zone) else {
        return Err(broken(format!("{local} is no time of the station's clock")));
    };
    let url = picture.url.clone();
    let Observation { cover, confidence, quality, width, height, .. } =
        observation(station, &model, slot, url, &frame, read.as_ref());
    let (code, category) = (cover.code(), cover.category());
    let sure = confidence.map(|confidence| format!(", {:.0} %", confidence * 100.0));
    let sure = sure.unwrap_or_default();
    let shown = local.format("%Y-%m-%d %H:%M:%S");
    Ok(say!(
        "Reading: okta {code} ({category}{sure}), {quality}; {width}×{height}, taken {shown}",
        "Lectura: {code} octas ({category}{sure}), {quality}; {width}×{height}, tomada {shown}"
    ))
}
