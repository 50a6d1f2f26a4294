//! `celaje db merge`: the rows of several files in one.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;

use crate::commands::output;
use crate::store::{Database, LegacyLeft, MergeReport};
use celaje_sky::error::Result;
use celaje_sky::say;
use celaje_sky::text::Text;

#[derive(Clone, Debug, Args)]
pub(super) struct MergeArgs {
    /// The files whose rows are taken; they are only read
    #[arg(value_name = "FILE", required = true)]
    sources: Vec<PathBuf>,
    /// The file that takes them; it is made where there is none
    #[arg(long, value_name = "FILE", env = "CELAJE_INTO")]
    into: PathBuf,
    /// What is in that file stays, also where a source has a newer reading of the same slot
    #[arg(long, env = "CELAJE_MERGE_KEEP", value_parser = FalseyValueParser::new())]
    keep: bool,
}

impl MergeArgs {
    pub(super) fn run(&self) -> Result<u8> {
        let mut told = Ok(());
        let total = Database::merge(&self.into, &self.sources, self.keep, |source, report| {
            if told.is_ok() {
                told = output::line(line(&source.display().to_string(), report));
            }
            if let Some(left) = &report.left {
                output::note(left_text(&source.display().to_string(), left));
            }
        })?;
        told?;
        output::line(line(&self.into.display().to_string(), &total))?;
        Ok(0)
    }
}

fn line(file: &str, report: &MergeReport) -> Text {
    let MergeReport { new, replaced, kept, misses, .. } = report;
    say!(
        "'{file}': {new} new, {replaced} replaced, {kept} kept, {misses} misses",
        "'{file}': {new} nuevas, {replaced} reemplazadas, {kept} conservadas, {misses} fallidos"
    )
}

fn left_text(file: &str, LegacyLeft { rows, home }: &LegacyLeft) -> Text {
    say!(
        "{rows} rows of registro_historico in '{file}' were left there: they name no slot, and \
         belong to '{home}', which is not the home station of the other file",
        "{rows} filas de registro_historico quedaron en '{file}': no nombran un turno, y son de \
         '{home}', que no es la estación propia del otro archivo"
    )
}
