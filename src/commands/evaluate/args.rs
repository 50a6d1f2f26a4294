//! Flags of `celaje evaluate`.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::FalseyValueParser;

use crate::commands::evaluate::{EvaluateOptions, run};
use crate::commands::output;
use crate::service::inference::open_model;
use crate::settings::layer::{Flags, InferenceGroup, SpanishHelp};
use crate::settings::{Layer, Settings};
use celaje_sky::error::Result;

#[derive(Clone, Debug, Args)]
pub struct EvaluateArgs {
    /// Table of labels (columns image, okta or cloud_fraction, mask, group, camera), or a folder of
    /// folders …octa_0 to …octa_8
    #[arg(value_name = "LABELS.csv|DIR")]
    labels: PathBuf,
    /// One JSON object instead of text
    #[arg(long, env = "CELAJE_JSON", value_parser = FalseyValueParser::new())]
    json: bool,
    /// Only this group of pictures; may be repeated, or take several with commas between them
    #[arg(long, value_name = "NAME", env = "CELAJE_GROUP", value_delimiter = ',')]
    group: Vec<String>,
    /// Write a row for each picture into this CSV file
    #[arg(long, value_name = "FILE", env = "CELAJE_EVALUATE_OUT")]
    out: Option<PathBuf>,
    /// Draw the confusion matrix and the reliability diagram into this folder
    #[arg(long, value_name = "DIR", env = "CELAJE_PLOT")]
    plot: Option<PathBuf>,
    /// Compare with the readings in this CSV file, picture by picture; status 1 when they differ
    #[arg(long, value_name = "FILE", env = "CELAJE_AGAINST")]
    against: Option<PathBuf>,
    /// Read this station's region of interest instead of the whole picture
    #[arg(long, value_name = "ID", env = "CELAJE_STATION")]
    station: Option<String>,
    #[command(flatten)]
    inference: Flags<InferenceGroup>,
    /// No progress and no notices
    #[arg(long, env = "CELAJE_QUIET", value_parser = FalseyValueParser::new())]
    quiet: bool,
}

pub(crate) const SPANISH: SpanishHelp = &[
    ("evaluate", "Mide un modelo sobre imágenes etiquetadas"),
    (
        "labels",
        "Tabla de etiquetas (columnas image, okta o cloud_fraction, mask, group, camera), o una \
         carpeta con carpetas …octa_0 a …octa_8",
    ),
    ("json", "Escribe un objeto JSON en vez de texto"),
    ("group", "Solo este grupo de imágenes; se puede repetir, o llevar varios separados por comas"),
    ("out", "Escribe en este archivo CSV una fila por imagen"),
    ("plot", "Dibuja en esta carpeta la matriz de confusión y el diagrama de confiabilidad"),
    (
        "against",
        "Compara con las lecturas de este archivo CSV, imagen por imagen; estado 1 si difieren",
    ),
    ("station", "Lee la región de interés de esta estación en vez de la imagen entera"),
    ("quiet", "Sin progreso ni avisos"),
];

impl EvaluateArgs {
    pub(crate) fn run(self, config: Option<&Path>) -> Result<u8> {
        let of_station = self.station.is_some();
        let flags = Layer { station: self.station, ..self.inference.0 };
        let settings = Settings::read(flags, config)?;
        let (model, engine) = open_model(&settings, |notice| {
            if !self.quiet {
                output::note(notice);
            }
        })?;
        let station = settings.station;
        let options = EvaluateOptions {
            labels: self.labels,
            groups: self.group,
            json: self.json,
            out: self.out,
            plot: self.plot,
            against: self.against,
            region: of_station.then_some((station.id, station.region)),
            threads: settings.tuning.threads,
            limits: settings.tuning.picture,
            quiet: self.quiet,
        };
        run(&options, &model.manifest, &engine)
    }
}
