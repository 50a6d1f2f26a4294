//! Settings: flags > environment > `celaje.toml` > defaults, read once and frozen at start.
//!
//! clap reads the environment twins of flags (`CELAJE_…`), so a [`Layer`] of flags holds both. The
//! variables of the replaced system (`IMG_URL_BASE`, `DB_FILE`, `OCTAS_MODEL_PATH`) and of ONNX
//! Runtime (`ORT_DYLIB_PATH`) come next. `CELAJE_ORT_LIB` is read with them for the commands that
//! have no `--ort-lib`.

pub mod alerts;
pub mod file;
pub mod layer;
pub mod mqtt;
pub mod reach;
mod safety;
pub mod secret;
pub(crate) mod source;
pub mod span;
pub mod terms;
pub mod tuning;
pub mod values;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::TimeDelta;
use url::Url;

use crate::camera::http::HttpLimits;
use crate::camera::kept::KeepPolicy;
use crate::queue::address::QueueAddress;
use crate::settings::file::{FileSettings, certificates};
pub use crate::settings::layer::{
    BATCH, CONCURRENCY, KEEP_MB, Layer, MAX_BYTES, MAX_CONCURRENCY, MAX_MEGAPIXELS, MAX_RPS,
    QUEUE_PATIENCE, THREADS, TIMEOUT,
};
pub use crate::settings::reach::ReachSettings;
use crate::settings::span::Span;
use crate::settings::terms::DataTerms;
use crate::settings::tuning::{CommitPolicy, Tuning};
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;
use celaje_sky::station::{PicturePlace, Station};
use celaje_vision::engine::backend::{Device, USUAL_BATCH};
use celaje_vision::engine::choose::EngineChoice;
use celaje_vision::picture::decode::Limits;

/// Million bytes of copies of a station where nothing is said of it.
const USUAL_KEEP_MB: u64 = 2000;
/// The file name that the replaced system used.
pub const DEFAULT_DB: &str = "registros-octas.db";

impl Layer {
    /// The variables of the replaced system, which its users still set.
    pub fn of_replaced_system(variable: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name| variable(name).filter(|value| !value.is_empty());
        Self {
            url_base: variable("IMG_URL_BASE"),
            db: variable("DB_FILE").map(PathBuf::from),
            model: variable("OCTAS_MODEL_PATH").map(PathBuf::from),
            ort_lib: variable("CELAJE_ORT_LIB")
                .or_else(|| variable("ORT_DYLIB_PATH"))
                .map(PathBuf::from),
            ..Self::default()
        }
    }
}

/// The settings of a process, read once at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The station to work for.
    pub station: Station,
    /// The stations that `celaje serve` works for: the one asked for, or all of the
    /// file; never empty.
    pub stations: Vec<Station>,
    /// Database file.
    pub db: PathBuf,
    /// ONNX file; none for the bundled model.
    pub model: Option<PathBuf>,
    /// A second model that reads the same pictures, only to compare.
    pub shadow_model: Option<PathBuf>,
    /// How far back `celaje serve` fills gaps.
    pub catch_up: Span,
    /// Whether no other clock is held against this machine's.
    pub trust_clock: bool,
    /// Which copies of pictures `celaje serve` keeps.
    pub keep: KeepPolicy,
    /// Whether nothing says whose camera it is: neither a file, a flag nor the environment.
    pub is_nobodys: bool,
    /// ONNX Runtime's shared library; none to search for it.
    pub ort_lib: Option<PathBuf>,
    /// Inference engine.
    pub engine: EngineChoice,
    /// Where it runs.
    pub device: Device,
    /// The queue of many machines.
    pub queue: Option<QueueAddress>,
    /// Who is told of the sky.
    pub reach: ReachSettings,
    /// On what terms the record may be used.
    pub terms: DataTerms,
    /// Whether an address, a layout or a certificate was given for one station.
    pub place_given: bool,
    /// Sizes and bounds; those of inference give way to what suits the engine unless asked for.
    pub tuning: Tuning,
    /// Whether the size of a batch was asked for.
    pub batch_given: bool,
    /// Whether the number of sessions or of their threads was asked for.
    pub sessions_given: bool,
}

impl Settings {
    /// Combines `flags`, the environment of this process and the file.
    pub fn read(flags: Layer, config: Option<&Path>) -> Result<Self> {
        Self::resolve(flags, config, |name| std::env::var(name).ok())
    }

    /// Combines `flags`, the environment and the file (`config`, or the one that is found).
    pub fn resolve(
        flags: Layer,
        config: Option<&Path>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let file = FileSettings::load(config)?;
        Self::settle(flags.over(Layer::of_replaced_system(variable)), file)
    }

    /// Combines `flags`, which hold the environment too, and `file`.
    pub fn settle(flags: Layer, mut file: FileSettings) -> Result<Self> {
        let reach = file.take_reach();
        let terms = file.take_terms();
        let (file_layer, stations) = file.into_parts();
        let layer = flags.over(file_layer);
        let is_nobodys = stations.is_empty() && layer.station.is_none() && layer.url_base.is_none();
        let all = match layer.station {
            None => stations.clone(),
            Some(_) => Vec::new(),
        };
        let mut station = pick_station(stations, layer.station.as_deref())?;
        let insecure = layer.insecure == Some(true);
        let place_given = layer.url_base.is_some()
            || layer.layout.is_some()
            || layer.ca_file.is_some()
            || insecure;
        if let Some(path) = layer.ca_file {
            station.trust.certificates = certificates(&path).map_err(Failure::usage)?;
        }
        station.trust.anything |= insecure;
        if let Some(base) = layer.url_base {
            if let Some(source) = &mut station.source {
                let folder = Url::parse(&base).ok().filter(|url| url.scheme() == "file");
                source.place = match folder.and_then(|url| url.to_file_path().ok()) {
                    Some(folder) => PicturePlace::Folder(folder),
                    None => PicturePlace::Address(base.clone()),
                };
            }
            station.url_base = base;
        }
        if let Some(layout) = layer.layout {
            station.layout = layout;
        }
        // What a flag says of an address is for the one station.
        let stations = match all.len() {
            0 | 1 => vec![station.clone()],
            _ => all,
        };
        let device = layer.device.unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut http = HttpLimits::default();
        if let Some(bytes) = layer.max_bytes {
            http.body_limit = within("max-bytes", bytes, &MAX_BYTES)?;
        }
        let mut picture = Limits { max_bytes: http.body_limit, ..Limits::default() };
        if let Some(megapixels) = layer.max_megapixels {
            picture =
                picture.with_megapixels(within("max-megapixels", megapixels, &MAX_MEGAPIXELS)?);
        }
        if let Some(seconds) = layer.timeout {
            let seconds = within("timeout", seconds, &TIMEOUT)?;
            http.total_timeout = Duration::from_secs_f64(seconds);
            http.read_timeout = http.read_timeout.min(http.total_timeout);
            http.connect_timeout = http.connect_timeout.min(http.total_timeout);
        }
        let most = layer.max_concurrency.unwrap_or(MAX_CONCURRENCY);
        let most = within("max-concurrency", most, &CONCURRENCY)?;
        let concurrency = match layer.concurrency {
            Some(n) => within("concurrency", n, &CONCURRENCY)?,
            None => most,
        };
        http.keep_alive = concurrency;
        let threads = within("threads", layer.threads.unwrap_or(cores), &THREADS)?;
        let session_threads = layer.session_threads.unwrap_or(1);
        let tuning = Tuning {
            concurrency,
            adaptive: layer.concurrency.is_none(),
            max_rps: match layer.max_rps {
                Some(rate) => Some(within("max-rps", rate, &MAX_RPS)?),
                None => None,
            },
            batch: within("batch", layer.batch.unwrap_or(USUAL_BATCH), &BATCH)?,
            batch_deadline: Duration::from_millis(5),
            threads,
            session_threads: within("session-threads", session_threads, &THREADS)?,
            decoders: threads,
            shares_cores: true,
            commit: CommitPolicy::default(),
            http,
            picture,
            patience: Duration::from_secs(60),
        };
        let queue = match &layer.queue {
            None => None,
            Some(text) => {
                let mut address = QueueAddress::parse(text).map_err(Failure::usage)?;
                address.ca_file = layer.queue_ca_file;
                address.credentials = layer.queue_credentials;
                if let Some(seconds) = layer.queue_patience {
                    let seconds = within("queue-patience", seconds, &QUEUE_PATIENCE)?;
                    address.patience = Duration::from_secs_f64(seconds);
                }
                Some(address)
            }
        };
        let db = layer.db.unwrap_or_else(|| PathBuf::from(DEFAULT_DB));
        let megabytes = within("keep-mb", layer.keep_mb.unwrap_or(USUAL_KEEP_MB), &KEEP_MB)?;
        let keep = KeepPolicy {
            folder: layer.keep_dir.unwrap_or_else(|| beside(&db)),
            keep: layer.keep.map_or(TimeDelta::zero(), Span::length),
            most: megabytes * 1_000_000,
            size: layer.keep_size.unwrap_or_default(),
        };
        Ok(Self {
            station,
            stations,
            db,
            model: layer.model,
            shadow_model: layer.shadow_model,
            catch_up: layer.catch_up.unwrap_or_default(),
            trust_clock: layer.trust_clock == Some(true),
            keep,
            is_nobodys,
            ort_lib: layer.ort_lib,
            engine: layer.engine.unwrap_or_default(),
            device,
            queue,
            reach,
            terms,
            place_given,
            tuning,
            batch_given: layer.batch.is_some(),
            sessions_given: layer.threads.is_some() || layer.session_threads.is_some(),
        })
    }
}

/// The folder of copies of the pictures of a database.
fn beside(db: &Path) -> PathBuf {
    let mut name = db.file_stem().unwrap_or_default().to_owned();
    name.push("-pictures");
    db.with_file_name(name)
}

fn pick_station(mut stations: Vec<Station>, wanted: Option<&str>) -> Result<Station> {
    if stations.is_empty() {
        stations.push(Station::rio_grande());
    }
    let Some(id) = wanted else {
        return Ok(stations.swap_remove(0));
    };
    match stations.iter().position(|station| station.id == id) {
        Some(place) => Ok(stations.swap_remove(place)),
        None if id == Station::rio_grande().id => Ok(Station::rio_grande()),
        None => {
            let known: Vec<_> = stations.iter().map(|station| station.id.as_str()).collect();
            let known = known.join(", ");
            Err(Failure::usage(say!(
                "station '{id}' is not known; celaje.toml names: {known}",
                "la estación '{id}' no se conoce; celaje.toml nombra: {known}"
            )))
        }
    }
}

fn within<T: PartialOrd + std::fmt::Display>(
    name: &str,
    value: T,
    range: &RangeInclusive<T>,
) -> Result<T> {
    if range.contains(&value) {
        return Ok(value);
    }
    let (least, most) = (range.start(), range.end());
    Err(Failure::usage(say!(
        "{name} must lie between {least} and {most}, not {value}",
        "{name} debe estar entre {least} y {most}, no {value}"
    )))
}

#[cfg(test)]
mod tests;
