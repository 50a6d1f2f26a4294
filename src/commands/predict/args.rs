//! Flags of `celaje predict`.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::FalseyValueParser;

use crate::commands::output;
use crate::commands::predict::{PredictOptions, run};
use crate::service::inference::open_model;
use crate::settings::layer::{Flags, InferenceGroup, SpanishHelp};
use crate::settings::{Layer, Settings};
use celaje_sky::error::Result;
use celaje_sky::station::region::Region;

#[derive(Clone, Debug, Args)]
pub struct PredictArgs {
    /// Picture files, or folders of them
    #[arg(value_name = "FILE|DIR", required = true)]
    paths: Vec<PathBuf>,
    /// One JSON object a picture
    #[arg(long, env = "CELAJE_JSON", value_parser = FalseyValueParser::new())]
    json: bool,
    /// Write pictures with the cloud mask laid over them into this folder
    #[arg(long, value_name = "DIR", env = "CELAJE_OVERLAY")]
    overlay: Option<PathBuf>,
    /// Write what the network is fed, cut and resized, into this folder as PNG
    #[arg(long, value_name = "DIR", env = "CELAJE_FRAMES")]
    frames: Option<PathBuf>,
    /// Read this station's region of interest instead of the whole picture
    #[arg(long, value_name = "ID", env = "CELAJE_STATION")]
    station: Option<String>,
    #[command(flatten)]
    inference: Flags<InferenceGroup>,
}

pub(crate) const SPANISH: SpanishHelp = &[
    ("predict", "Clasifica archivos de imagen; no toca ninguna base de datos"),
    ("paths", "Archivos de imagen, o carpetas con ellos"),
    ("json", "Escribe un objeto JSON por imagen"),
    ("overlay", "Escribe en esta carpeta las imágenes con la máscara de nubes encima"),
    ("frames", "Escribe en esta carpeta, como PNG, lo que recibe la red: recortado y reducido"),
    ("station", "Lee la región de interés de esta estación en vez de la imagen entera"),
];

impl PredictArgs {
    pub(crate) fn run(self, config: Option<&Path>) -> Result<u8> {
        let of_station = self.station.is_some();
        let flags = Layer { station: self.station, ..self.inference.0 };
        let settings = Settings::read(flags, config)?;
        let (model, engine) = open_model(&settings, |notice| output::note(notice))?;
        output::tell_engine(&model.label(), &engine.describe());
        let options = PredictOptions {
            inputs: self.paths,
            json: self.json,
            overlay: self.overlay,
            frames: self.frames,
            region: match of_station {
                true => settings.station.region,
                false => Region::whole(),
            },
            threads: settings.tuning.threads,
            limits: settings.tuning.picture,
        };
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        let summary = run(&options, &model.manifest, &engine, &mut out)?;
        Ok(summary.exit_status())
    }
}
