//! Flags of `celaje bench`, and of its camera.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;

use crate::commands::bench::server::{Line, serve};
use crate::commands::bench::{BenchOptions, run};
use crate::commands::simulate::size;
use crate::settings::layer::{
    BATCH, CONCURRENCY, Flags, InferenceGroup, MAX_CONCURRENCY, SpanishHelp,
};
use crate::settings::values::{number, whole};
use crate::settings::{Layer, Settings};
use celaje_simulate::Scene;
use celaje_sky::error::Result;

#[derive(Clone, Debug, Args)]
pub struct BenchArgs {
    /// Folder of pictures to measure with; at most 400 are used [default: drawn ones]
    #[arg(long, value_name = "FOLDER", env = "CELAJE_DIR")]
    dir: Option<PathBuf>,
    /// Size of drawn pictures
    #[arg(
        long,
        value_name = "WxH",
        env = "CELAJE_SIZE",
        default_value = "480x450",
        value_parser = size
    )]
    size: (u32, u32),
    /// What the camera of drawn pictures looks at
    #[arg(long, value_name = "SCENE", env = "CELAJE_SCENE", default_value = "fisheye")]
    scene: Scene,
    /// Pictures in a round
    #[arg(
        long,
        value_name = "N",
        env = "CELAJE_COUNT",
        default_value_t = 1000,
        value_parser = whole(16..=100_000_usize)
    )]
    count: usize,
    /// Rounds; the median one counts
    #[arg(
        long,
        value_name = "N",
        env = "CELAJE_ROUNDS",
        default_value_t = 3,
        value_parser = whole(1..=99_usize)
    )]
    rounds: usize,
    /// Milliseconds before each answer of the camera
    #[arg(
        long,
        value_name = "MS",
        env = "CELAJE_LATENCY",
        default_value_t = 0.0,
        value_parser = number(0.0..=60_000.0)
    )]
    latency: f64,
    /// Bandwidth to the camera in megabits a second [default: no limit]
    #[arg(
        long,
        value_name = "MBIT",
        env = "CELAJE_BANDWIDTH",
        value_parser = number(0.01..=100_000.0)
    )]
    bandwidth: Option<f64>,
    /// Fixed number of requests in flight to the camera [default: it adapts]
    #[arg(long, value_name = "N", env = "CELAJE_CONCURRENCY", value_parser = whole(CONCURRENCY))]
    concurrency: Option<usize>,
    /// Pictures in a full batch [default: what a measurement finds]
    #[arg(long, value_name = "N", env = "CELAJE_BATCH", value_parser = whole(BATCH))]
    batch: Option<usize>,
    #[command(flatten)]
    inference: Flags<InferenceGroup>,
    /// One JSON object instead of text
    #[arg(long, env = "CELAJE_JSON", value_parser = FalseyValueParser::new())]
    json: bool,
    /// Draw the figures into this PNG file
    #[arg(long, value_name = "FILE", env = "CELAJE_PLOT")]
    plot: Option<PathBuf>,
}

pub(crate) const SPANISH: SpanishHelp = &[
    ("bench", "Mide cada etapa y toda la cadena, y las compara con lo que la máquina puede dar"),
    ("dir", "Carpeta de imágenes con que medir; se usan hasta 400 [por omisión: dibujadas]"),
    ("size", "Tamaño de las imágenes dibujadas"),
    ("scene", "Qué mira la cámara de las imágenes dibujadas"),
    ("count", "Imágenes de una ronda"),
    ("rounds", "Rondas; cuenta la mediana"),
    ("latency", "Milisegundos antes de cada respuesta de la cámara"),
    (
        "bandwidth",
        "Ancho de banda hasta la cámara, en megabits por segundo [por omisión: sin límite]",
    ),
    ("concurrency", "Número fijo de pedidos simultáneos a la cámara [por omisión: se adapta]"),
    ("batch", "Imágenes de un lote completo [por omisión: lo que halla una medición]"),
    ("json", "Escribe un objeto JSON en vez de texto"),
    ("plot", "Dibuja las cifras en este archivo PNG"),
];

impl BenchArgs {
    pub(crate) async fn run(self, config: Option<&Path>) -> Result<u8> {
        let flags = Layer { concurrency: self.concurrency, batch: self.batch, ..self.inference.0 };
        let mut settings = Settings::read(flags, config)?;
        // The limits for a station's camera do not apply to the benchmark's own.
        settings.tuning.max_rps = None;
        settings.tuning.adaptive = self.concurrency.is_none();
        if settings.tuning.adaptive {
            settings.tuning.concurrency = MAX_CONCURRENCY;
            settings.tuning.http.keep_alive = MAX_CONCURRENCY;
        }
        run(BenchOptions {
            settings,
            dir: self.dir,
            size: self.size,
            scene: self.scene,
            count: self.count,
            rounds: self.rounds,
            line: line(self.latency, self.bandwidth),
            json: self.json,
            plot: self.plot,
        })
        .await
    }
}

#[derive(Clone, Debug, Args)]
pub struct BenchCameraArgs {
    /// Folder of the pictures
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Milliseconds before each answer
    #[arg(
        long,
        value_name = "MS",
        default_value_t = 0.0,
        value_parser = number(0.0..=60_000.0)
    )]
    latency: f64,
    /// Megabits a second
    #[arg(long, value_name = "MBIT", value_parser = number(0.01..=100_000.0))]
    bandwidth: Option<f64>,
}

impl BenchCameraArgs {
    pub(crate) async fn run(self) -> Result<u8> {
        serve(self.folder, line(self.latency, self.bandwidth)).await
    }
}

/// The line to the camera, from milliseconds and megabits a second.
fn line(latency: f64, bandwidth: Option<f64>) -> Line {
    Line {
        latency: Duration::from_secs_f64(latency / 1000.0),
        bytes_per_s: bandwidth.map(|rate| rate * 1e6 / 8.0),
    }
}
