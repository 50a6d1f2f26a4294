//! Each setting once: its flag, its environment twin, its key in `celaje.toml` and its help in both
//! languages.

use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::builder::{FalseyValueParser, Resettable};
use clap::{ArgAction, ArgMatches, Args, Command, FromArgMatches};
use serde::de::{Deserialize, Deserializer, IgnoredAny};

use crate::camera::kept::KeptSize;
use crate::settings::span::Span;
use crate::settings::values::{name_of, number, whole};
use celaje_sky::station::LayoutChoice;
use celaje_vision::engine::backend::Device;
use celaje_vision::engine::choose::EngineChoice;

/// Requests in flight that can be asked for.
pub const CONCURRENCY: RangeInclusive<usize> = 1..=1024;
/// Default bound of requests in flight: what two fast cores need with a server 300 ms away.
pub const MAX_CONCURRENCY: usize = 256;
/// Requests that may begin in a second.
pub const MAX_RPS: RangeInclusive<f64> = 0.01..=1_000_000.0;
/// Pictures in a batch.
pub const BATCH: RangeInclusive<usize> = 1..=1024;
/// Session threads.
pub const THREADS: RangeInclusive<usize> = 1..=256;
/// Seconds that a picture may take.
pub const TIMEOUT: RangeInclusive<f64> = 0.1..=3600.0;
/// Bytes of a picture at most.
pub const MAX_BYTES: RangeInclusive<usize> = 1..=1_000_000_000;

/// Million bytes of copies of a station.
pub const KEEP_MB: RangeInclusive<u64> = 1..=1_000_000_000;
/// Million pixels of a picture at most.
pub const MAX_MEGAPIXELS: RangeInclusive<usize> = 1..=200;

/// Seconds that a worker may be silent.
pub const QUEUE_PATIENCE: RangeInclusive<f64> = 1.0..=3600.0;

/// Help texts in Spanish: the name of a command or the id of a flag, and its text.
pub type SpanishHelp = &'static [(&'static str, &'static str)];

/// Declares [`Layer`] and what has to be done for each of its fields.
macro_rules! layer {
    ($($(#[$attribute:meta])* $name:ident: $type:ty,)*) => {
        // No doc comment: clap would print it as help.
        #[derive(Clone, Debug, Default, Args, serde::Deserialize)]
        #[group(skip)]
        #[serde(deny_unknown_fields, default)]
        pub struct Layer {
            $($(#[$attribute])* pub $name: Option<$type>,)*
            #[arg(skip)]
            #[doc(hidden)]
            pub mqtt: IgnoredAny,
            #[arg(skip)]
            #[doc(hidden)]
            pub alert: IgnoredAny,
            #[arg(skip)]
            #[doc(hidden)]
            pub sender: IgnoredAny,
            #[arg(skip)]
            #[doc(hidden)]
            pub data: IgnoredAny,
        }

        impl Layer {
            /// This layer, and `below` for what it leaves open.
            pub fn over(self, below: Self) -> Self {
                Self { $($name: self.$name.or(below.$name),)* ..Self::default() }
            }

            /// The flags of `G` in `matches`.
            fn take<G: FlagGroup>(matches: &mut ArgMatches) -> Self {
                Self {
                    $($name: match G::has(stringify!($name)) {
                        true => matches.remove_one(stringify!($name)),
                        false => None,
                    },)*
                    ..Self::default()
                }
            }
        }
    };
}

layer! {
    /// Station to work for, by its id in celaje.toml [default: the first one there, else
    /// rio-grande]
    #[arg(long, value_name = "ID", env = "CELAJE_STATION")]
    #[serde(deserialize_with = "elsewhere")]
    station: String,
    /// Base address of the pictures: http, https, file, or s3 for a bucket [default: the station's]
    #[arg(long, visible_alias = "source", value_name = "URL", env = "CELAJE_URL_BASE")]
    #[arg(hide_env_values = true)]
    #[serde(skip)]
    url_base: String,
    /// File with the certificate of the camera, or of the authority that signed it [default: the
    /// system's authorities]
    #[arg(long, value_name = "FILE", env = "CELAJE_CA_FILE")]
    #[serde(skip)]
    ca_file: PathBuf,
    /// Take any certificate from the camera: whoever is on the way can then give false pictures
    #[arg(long, env = "CELAJE_INSECURE", action = ArgAction::SetTrue,
        value_parser = FalseyValueParser::new())]
    #[serde(skip)]
    insecure: bool,
    /// This machine's clock is right, whatever the camera's host says of the time
    #[arg(long, env = "CELAJE_TRUST_CLOCK", action = ArgAction::SetTrue,
        value_parser = FalseyValueParser::new())]
    trust_clock: bool,
    /// Where a year's pictures are below the base [default: auto]
    #[arg(long, value_name = "LAYOUT", env = "CELAJE_LAYOUT",
        value_parser = name_of(LayoutChoice::NAMES))]
    #[serde(skip)]
    layout: LayoutChoice,
    /// Database file [default: registros-octas.db]
    #[arg(long, value_name = "FILE", env = "CELAJE_DB")]
    db: PathBuf,
    /// ONNX model, with its manifest FILE.toml beside it, or a bundled one: celaje-6 (the default),
    /// celaje-4 (quicker) or celaje-4-fp32
    #[arg(long, value_name = "FILE", env = "CELAJE_MODEL")]
    model: PathBuf,
    /// ONNX Runtime's shared library [default: searched for]
    #[arg(long, value_name = "FILE", env = "CELAJE_ORT_LIB")]
    ort_lib: PathBuf,
    /// Inference engine [default: auto]
    #[arg(long, value_name = "ENGINE", env = "CELAJE_ENGINE",
        value_parser = name_of(EngineChoice::NAMES))]
    engine: EngineChoice,
    /// Where the engine runs [default: auto]
    #[arg(long, value_name = "DEVICE", env = "CELAJE_DEVICE",
        value_parser = name_of(Device::NAMES))]
    device: Device,
    /// Inference sessions, and threads that decode [default: the number of cores]
    #[arg(long, value_name = "N", env = "CELAJE_THREADS", value_parser = whole(THREADS))]
    threads: usize,
    /// Threads that each session computes with [default: 1]
    #[arg(long, value_name = "N", env = "CELAJE_SESSION_THREADS", value_parser = whole(THREADS))]
    session_threads: usize,
    /// Fixed number of requests in flight to the host [default: adapts to what the host takes]
    #[arg(long, value_name = "N", env = "CELAJE_CONCURRENCY", value_parser = whole(CONCURRENCY))]
    concurrency: usize,
    /// Most requests in flight to the host while their number adapts [default: 256]
    #[arg(long, value_name = "N", env = "CELAJE_MAX_CONCURRENCY",
        value_parser = whole(CONCURRENCY))]
    max_concurrency: usize,
    /// Requests that may begin in a second [default: no limit]
    #[arg(long, value_name = "N", env = "CELAJE_MAX_RPS", value_parser = number(MAX_RPS))]
    max_rps: f64,
    /// Pictures in a full batch [default: what suits the engine]
    #[arg(long, value_name = "N", env = "CELAJE_BATCH", value_parser = whole(BATCH))]
    batch: usize,
    /// Seconds that a whole picture may take [default: 60]
    #[arg(long, value_name = "SECONDS", env = "CELAJE_TIMEOUT", value_parser = number(TIMEOUT))]
    timeout: f64,
    /// Largest picture accepted, in bytes [default: 20000000]
    #[arg(long, value_name = "BYTES", env = "CELAJE_MAX_BYTES", value_parser = whole(MAX_BYTES))]
    max_bytes: usize,
    /// Largest picture accepted, in million pixels, 1 to 200; a JPEG needs 3 to 11 MB of memory for
    /// each [default: 64]
    #[arg(long, value_name = "N", env = "CELAJE_MAX_MEGAPIXELS",
        value_parser = whole(MAX_MEGAPIXELS))]
    max_megapixels: usize,
    /// A second model that reads the same pictures, only to compare
    #[arg(long, value_name = "FILE", env = "CELAJE_SHADOW_MODEL")]
    shadow_model: PathBuf,
    /// How long copies of pictures are kept: 30d, 36h; 0 for the last one of each station alone
    /// [default: 0]
    #[arg(long, value_name = "SPAN", env = "CELAJE_KEEP", value_parser = str::parse::<Span>)]
    keep: Span,
    /// Million bytes that the copies of a station may take; the oldest go first [default: 2000]
    #[arg(long, value_name = "N", env = "CELAJE_KEEP_MB", value_parser = whole(KEEP_MB))]
    keep_mb: u64,
    /// How large copies are: 640 pixels wide at most, or the original [default: 640]
    #[arg(long, value_name = "SIZE", env = "CELAJE_KEEP_SIZE",
        value_parser = name_of(KeptSize::NAMES))]
    keep_size: KeptSize,
    /// Folder of the copies [default: beside the database]
    #[arg(long, value_name = "FOLDER", env = "CELAJE_KEEP_DIR")]
    keep_dir: PathBuf,
    /// How far back gaps are filled: 7d, 36h, 90m; 0 for not at all [default: 7d]
    #[arg(long, value_name = "SPAN", env = "CELAJE_CATCH_UP", value_parser = str::parse::<Span>)]
    catch_up: Span,
    /// Queue between a writer and its workers, a NATS server with JetStream: nats://HOST:PORT, or
    /// tls://; several of one cluster separated by commas
    #[arg(long, value_name = "URL", env = "CELAJE_QUEUE", hide_env_values = true)]
    queue: String,
    /// File with the certificate of the authority that signed the queue's [default: the system's
    /// authorities]
    #[arg(long, value_name = "FILE", env = "CELAJE_QUEUE_CA_FILE")]
    queue_ca_file: PathBuf,
    /// File with the credentials that the queue asks for (NATS .creds)
    #[arg(long, value_name = "FILE", env = "CELAJE_QUEUE_CREDENTIALS")]
    queue_credentials: PathBuf,
    /// Seconds that a worker may be silent before its job is given to another one; the writer
    /// says it for all [default: 60]
    #[arg(long, value_name = "SECONDS", env = "CELAJE_QUEUE_PATIENCE",
        value_parser = number(QUEUE_PATIENCE))]
    queue_patience: f64,
}

/// The Spanish help of the flags above.
pub const SPANISH: SpanishHelp = &[
    (
        "station",
        "Estación, por su id en celaje.toml [por omisión: la primera que nombra, o rio-grande]",
    ),
    (
        "url_base",
        "Dirección base de las imágenes: http, https, file, o s3 para un depósito [por omisión: la \
         de la estación]",
    ),
    (
        "ca_file",
        "Archivo con el certificado de la cámara, o de la autoridad que lo firmó [por omisión: las \
         autoridades del sistema]",
    ),
    (
        "insecure",
        "Acepta cualquier certificado de la cámara: quien esté en el camino podrá dar imágenes \
         falsas",
    ),
    (
        "trust_clock",
        "El reloj de esta máquina está bien, diga lo que diga de la hora el servidor de la cámara",
    ),
    (
        "layout",
        "Dónde están las imágenes de un año bajo la base: auto lo averigua por año, year en \
         BASE/AAAA/, root en BASE/ [por omisión: auto]",
    ),
    ("db", "Archivo de la base de datos [por omisión: registros-octas.db]"),
    (
        "model",
        "Modelo ONNX, con su manifiesto ARCHIVO.toml al lado, o uno incluido: celaje-6 (por \
         omisión), celaje-4 (más rápido) o celaje-4-fp32",
    ),
    ("ort_lib", "Biblioteca compartida de ONNX Runtime [por omisión: se busca]"),
    (
        "engine",
        "Motor de inferencia: auto usa ONNX Runtime si encuentra su biblioteca y acepta el modelo; \
         si no, rten, que viene incluido [por omisión: auto]",
    ),
    (
        "device",
        "Dónde corre el motor: auto usa CUDA si está compilado y funciona; si no, el procesador \
         [por omisión: auto]",
    ),
    (
        "threads",
        "Sesiones de inferencia, e hilos que decodifican [por omisión: el número de núcleos]",
    ),
    ("session_threads", "Hilos con los que calcula cada sesión [por omisión: 1]"),
    (
        "concurrency",
        "Número fijo de pedidos simultáneos al servidor [por omisión: se adapta a lo que el \
         servidor acepta]",
    ),
    (
        "max_concurrency",
        "Máximo de pedidos simultáneos al servidor mientras su número se adapta [por omisión: 256]",
    ),
    ("max_rps", "Pedidos que pueden empezar por segundo [por omisión: sin límite]"),
    ("batch", "Imágenes de un lote completo [por omisión: lo que conviene al motor]"),
    ("timeout", "Segundos que puede tardar una imagen entera [por omisión: 60]"),
    ("max_bytes", "Tamaño máximo de una imagen, en bytes [por omisión: 20000000]"),
    (
        "max_megapixels",
        "Tamaño máximo de una imagen, en millones de píxeles, de 1 a 200; un JPEG necesita de 3 a \
         11 MB de memoria por cada millón [por omisión: 64]",
    ),
    (
        "keep",
        "Cuánto tiempo se guardan copias de las imágenes: 30d, 36h; 0 para solo la última de cada \
         estación [por omisión: 0]",
    ),
    (
        "keep_mb",
        "Millones de bytes que pueden ocupar las copias de una estación; se van las más viejas \
         [por omisión: 2000]",
    ),
    (
        "keep_size",
        "Tamaño de las copias: hasta 640 píxeles de ancho, o el original [por omisión: 640]",
    ),
    ("keep_dir", "Carpeta de las copias [por omisión: junto a la base de datos]"),
    ("shadow_model", "Un segundo modelo que lee las mismas imágenes, solo para comparar"),
    (
        "queue",
        "Cola entre un escritor y sus trabajadores, un servidor NATS con JetStream: \
         nats://SERVIDOR:PUERTO, o tls://; varios de un mismo cluster separados por comas",
    ),
    (
        "queue_ca_file",
        "Archivo con el certificado de la autoridad que firmó el de la cola [por omisión: las \
         autoridades del sistema]",
    ),
    ("queue_credentials", "Archivo con las credenciales que pide la cola (.creds de NATS)"),
    (
        "queue_patience",
        "Segundos que un trabajador puede callar antes de que su tarea pase a otro; lo fija el \
         escritor para todos [por omisión: 60]",
    ),
    (
        "catch_up",
        "Hasta cuánto tiempo atrás se completa lo que falta: 7d, 36h, 90m; 0 para nada [por \
         omisión: 7d]",
    ),
];

/// `station` is a table of its own in the file.
fn elsewhere<'de, D: Deserializer<'de>, T>(value: D) -> Result<Option<T>, D::Error> {
    IgnoredAny::deserialize(value).map(|_| None)
}

/// The settings that a command has as flags.
pub trait FlagGroup {
    /// Whether the setting `id` is one of them.
    fn has(id: &str) -> bool;
}

/// Where pictures come from, where the record goes, and how the work is done.
#[derive(Clone, Debug)]
pub struct WorkGroup;

impl FlagGroup for WorkGroup {
    fn has(id: &str) -> bool {
        !["shadow_model", "catch_up", "keep", "keep_mb", "keep_size", "keep_dir"].contains(&id)
            && !QueueGroup::has(id)
    }
}

/// The queue of many machines.
#[derive(Clone, Debug)]
pub struct QueueGroup;

impl FlagGroup for QueueGroup {
    fn has(id: &str) -> bool {
        ["queue", "queue_ca_file", "queue_credentials", "queue_patience"].contains(&id)
    }
}

/// All of a range that is filled, by this machine or by workers.
#[derive(Clone, Debug)]
pub struct BackfillGroup;

impl FlagGroup for BackfillGroup {
    fn has(id: &str) -> bool {
        WorkGroup::has(id) || QueueGroup::has(id)
    }
}

/// A worker's: all but the record, which it has not.
#[derive(Clone, Debug)]
pub struct WorkerGroup;

impl FlagGroup for WorkerGroup {
    fn has(id: &str) -> bool {
        BackfillGroup::has(id) && !["db", "trust_clock", "queue_patience"].contains(&id)
    }
}

/// The model, what runs it, and the bounds of a picture.
#[derive(Clone, Debug)]
pub struct InferenceGroup;

impl FlagGroup for InferenceGroup {
    fn has(id: &str) -> bool {
        [
            "model",
            "ort_lib",
            "engine",
            "device",
            "threads",
            "session_threads",
            "max_bytes",
            "max_megapixels",
        ]
        .contains(&id)
    }
}

/// The database alone.
#[derive(Clone, Debug)]
pub struct DatabaseGroup;

impl FlagGroup for DatabaseGroup {
    fn has(id: &str) -> bool {
        id == "db"
    }
}

/// The database and one of its stations.
#[derive(Clone, Debug)]
pub struct StationGroup;

impl FlagGroup for StationGroup {
    fn has(id: &str) -> bool {
        ["db", "station"].contains(&id)
    }
}

/// The same, and the model.
#[derive(Clone, Debug)]
pub struct FolderGroup;

impl FlagGroup for FolderGroup {
    fn has(id: &str) -> bool {
        StationGroup::has(id) || InferenceGroup::has(id)
    }
}

/// The same, and where the station's pictures are.
#[derive(Clone, Debug)]
pub struct CameraGroup;

impl FlagGroup for CameraGroup {
    fn has(id: &str) -> bool {
        StationGroup::has(id)
            || ["url_base", "ca_file", "insecure", "layout", "timeout", "max_bytes"].contains(&id)
    }
}

/// The flags of `G`: a command does not know those of the other settings.
#[derive(Clone, Debug)]
pub struct Flags<G>(pub Layer, PhantomData<G>);

impl<G: FlagGroup> Args for Flags<G> {
    fn augment_args(command: Command) -> Command {
        let all = Layer::augment_args(Command::new(""));
        let known = all
            .get_arguments()
            .filter(|arg| G::has(arg.get_id().as_str()))
            // They follow the command's own flags in the help.
            .map(|arg| arg.clone().display_order(Resettable::Reset));
        command.args(known)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<G: FlagGroup> FromArgMatches for Flags<G> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Self::from_arg_matches_mut(&mut matches.clone())
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(Layer::take::<G>(matches), PhantomData))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
