//! `celaje recalibrate`: the confidence of a station, fitted to its labels, for new readings and
//! for those that are stored.

use std::path::Path;

use clap::Args;
use clap::builder::FalseyValueParser;

use crate::commands::output;
use crate::settings::Settings;
use crate::settings::layer::{Flags, SpanishHelp, StationGroup};
use crate::store::reader::{Reader, SkillReport};
use crate::store::{Database, RecalibrationReport};
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;

#[derive(Clone, Debug, Args)]
pub(super) struct RecalibrateArgs {
    /// Say what the labels would change, and change nothing
    #[arg(long, env = "CELAJE_DRY_RUN", value_parser = FalseyValueParser::new())]
    dry_run: bool,
    /// Give new and stored readings the model's own confidence again
    #[arg(long, env = "CELAJE_RESET", value_parser = FalseyValueParser::new())]
    reset: bool,
    #[command(flatten)]
    settings: Flags<StationGroup>,
}

pub(super) const SPANISH: SpanishHelp = &[
    (
        "recalibrate",
        "Ajusta la confianza a las etiquetas de una estación, también en las lecturas guardadas",
    ),
    ("dry_run", "Dice qué cambiarían las etiquetas, y no cambia nada"),
    ("reset", "Devuelve a las lecturas nuevas y guardadas la confianza propia del modelo"),
];

impl RecalibrateArgs {
    pub(super) fn run(self, config: Option<&Path>) -> Result<u8> {
        let Settings { db, station, .. } = Settings::read(self.settings.0, config)?;
        // Also refuses a file that is none before one would be made.
        let report = Reader::open(&db)?.skill(&station.id)?;
        if !self.reset && report.offered.labels == 0 {
            let id = &station.id;
            return Err(Failure::usage(say!(
                "the station '{id}' has no label of a reading of its present model; label some \
                 pictures in the dashboard of `celaje serve` first",
                "la estación '{id}' no tiene etiquetas de lecturas de su modelo actual; etiquete \
                 antes algunas imágenes en el tablero de `celaje serve`"
            )));
        }
        if !self.reset {
            tell_offer(&report)?;
        }
        if self.dry_run {
            return Ok(0);
        }
        let mut database = Database::open(&db, &station)?.database;
        let item = match self.reset {
            true => database.end_calibration()?,
            false => database.calibrate()?,
        };
        let Some(item) = item else {
            let id = &station.id;
            return Err(Failure::usage(say!(
                "no reading of the station '{id}' names its model; there is nothing to recalibrate",
                "ninguna lectura de la estación '{id}' nombra su modelo; no hay qué recalibrar"
            )));
        };
        let RecalibrationReport { rows, changed, before, after } = database.recalibrate(&item)?;
        let (rows, changed) = (rows.to_string(), changed.to_string());
        let model = &item.model;
        output::line(say!(
            "{changed} of {rows} stored readings of {model} changed: their mean confidence was \
             {before:.3} and is {after:.3}",
            "cambiaron {changed} de {rows} lecturas guardadas de {model}: su confianza media era \
             {before:.3} y es {after:.3}"
        ))?;
        Ok(0)
    }
}

fn tell_offer(report: &SkillReport) -> Result<()> {
    let offered = &report.offered;
    let model = report.model.as_deref().unwrap_or("–");
    let (labels, widening) = (offered.labels, offered.widening);
    let before = offered.confidence_before.unwrap_or_default();
    let after = offered.confidence_after.unwrap_or_default();
    output::line(say!(
        "{labels} labels of readings of {model}: mean confidence {before:.3} by the model, \
         {after:.3} here; ranges are wider by {widening}",
        "{labels} etiquetas de lecturas de {model}: confianza media {before:.3} según el modelo, \
         {after:.3} aquí; los rangos se amplían en {widening}"
    ))
}
