//! `celaje report`: a station's record of a range as a PDF that can be cited.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use crate::clock::Clock;
use crate::commands::range::RangeArgs;
use crate::commands::readable;
use crate::commands::replacement::replace_file;
use crate::figures::report::{ReportWanted, StationReport};
use crate::settings::Settings;
use crate::settings::layer::{DatabaseGroup, Flags, SpanishHelp};
use crate::store::reader::Reader;
use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::moment::Moment;
use celaje_sky::say;
use celaje_sky::text::Lang;

#[derive(Clone, Debug, Args)]
pub(super) struct ReportArgs {
    /// The PDF; - is the standard output
    #[arg(long, value_name = "FILE", env = "CELAJE_REPORT_OUT")]
    out: PathBuf,
    #[command(flatten)]
    range: RangeArgs,
    /// The station [default: the record's own]
    #[arg(long, value_name = "ID", env = "CELAJE_STATION")]
    station: Option<String>,
    #[command(flatten)]
    db: Flags<DatabaseGroup>,
}

pub(super) const SPANISH: SpanishHelp = &[
    ("report", "Escribe un informe citable de una estación, en PDF"),
    ("out", "El PDF; - es la salida estándar"),
    (
        "from",
        "Primer minuto, hora local de la estación: AAAA-MM-DDTHH:MM, o una fecha [por omisión: el \
         primero de todos]",
    ),
    ("to", "Último minuto, incluido [por omisión: el último de todos]"),
    ("station", "La estación [por omisión: la propia del registro]"),
];

impl ReportArgs {
    pub(super) fn run(self, config: Option<&Path>) -> Result<u8> {
        let settings = Settings::read(self.db.0.clone(), config)?;
        let record = readable(&settings)?;
        let mut reader = Reader::open(record.path())?;
        self.range.range()?;
        let station = match self.station {
            Some(id) => id,
            None => reader.home_station()?.unwrap_or_default(),
        };
        let wanted = ReportWanted {
            station,
            from: self.range.from.map(Moment::first),
            to: self.range.to.map(Moment::last),
            terms: settings.terms.clone(),
            known: settings.stations.iter().cloned().map(Arc::new).collect(),
            now: Clock::SYSTEM.now(),
            lang: Lang::current(),
        };
        let pdf = StationReport::read(&mut reader, &wanted)?.pdf()?;
        let shown = self.out.display();
        write(&self.out, &pdf).map_err(|error| {
            Failure::environment(say!(
                "the report cannot be written to '{shown}': {error}",
                "no se puede escribir el informe en '{shown}': {error}",
                error = io_text(&error),
            ))
        })?;
        Ok(0)
    }
}

fn write(out: &Path, pdf: &[u8]) -> std::io::Result<()> {
    if out != Path::new("-") {
        return replace_file(out, pdf);
    }
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(pdf).and_then(|()| stdout.flush()) {
        // A reader that closed the pipe is no error.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
