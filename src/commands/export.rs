//! `celaje export`: the record in files for others.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{Datelike, NaiveDate, NaiveDateTime};
use clap::Args;

use crate::clock::Clock;
use crate::commands::output;
use crate::commands::range::RangeArgs;
use crate::commands::readable;
use crate::commands::replacement::{Replacement, replace_file};
use crate::commands::signals::{INTERRUPTED, Signals};
use crate::export::about::ExportAbout;
use crate::export::{Export, ExportFormat, ExportWanted};
use crate::settings::Settings;
use crate::settings::layer::{DatabaseGroup, Flags, SpanishHelp};
use crate::settings::values::name_of;
use crate::store::reader::Reader;
use crate::store::rows::parse_slot;
use celaje_sky::error::{Failure, Result};
use celaje_sky::moment::Moment;
use celaje_sky::say;

#[derive(Clone, Debug, Args)]
pub(super) struct RecordExportArgs {
    /// What to write: csv, jsonl, parquet, netcdf, or wmo, a table for csv2bufr
    #[arg(
        long,
        value_name = "FORMAT",
        env = "CELAJE_FORMAT",
        default_value = "csv",
        value_parser = name_of(ExportFormat::NAMES)
    )]
    format: ExportFormat,
    /// The file; - is the standard output. For parquet and netcdf, where its name has no ending,
    /// a folder: then there is a file for each station and year, or for each station
    #[arg(long, value_name = "FILE", env = "CELAJE_EXPORT_OUT", default_value = "-")]
    out: PathBuf,
    #[command(flatten)]
    range: RangeArgs,
    /// Only these stations; several times, or with commas [default: all of the database]
    #[arg(long, value_name = "ID", env = "CELAJE_STATION", value_delimiter = ',')]
    station: Vec<String>,
    #[command(flatten)]
    db: Flags<DatabaseGroup>,
}

pub(super) const SPANISH: SpanishHelp = &[
    ("export", "Escribe el registro en archivos: CSV, JSON por línea, Parquet, NetCDF, tabla OMM"),
    ("format", "Qué se escribe: csv, jsonl, parquet, netcdf, o wmo, una tabla para csv2bufr"),
    (
        "out",
        "El archivo; - es la salida estándar. Con parquet y netcdf, si el nombre no tiene \
         extensión, una carpeta: entonces hay un archivo por estación y año, o por estación",
    ),
    (
        "from",
        "Primer minuto, hora local de la estación: AAAA-MM-DDTHH:MM, o una fecha [por omisión: el \
         primero de todos]",
    ),
    ("to", "Último minuto, incluido [por omisión: el último de todos]"),
    (
        "station",
        "Solo estas estaciones; se puede repetir, o llevar varias separadas por comas [por \
         omisión: todas las de la base]",
    ),
];

/// What was written.
#[derive(Default)]
struct Written {
    /// Whether the program was told to end; none where it ends by itself then.
    ended: Option<Arc<AtomicBool>>,
    /// Files in the folder that this export did not write.
    others: usize,
    readings: i64,
    misses: BTreeMap<String, i64>,
    /// None while no station's slots are known.
    never_asked: Option<u64>,
}

impl Written {
    fn add(&mut self, about: &ExportAbout) {
        for station in &about.stations {
            self.readings += station.readings;
            for (reason, n) in &station.misses {
                *self.misses.entry(reason.clone()).or_default() += n;
            }
            if let Some(n) = station.never_asked {
                *self.never_asked.get_or_insert(0) += n;
            }
        }
    }

    /// `place`: the file or folder; none for the standard output.
    fn tell(&self, place: Option<&Path>) {
        let readings = self.readings;
        let missed: i64 = self.misses.values().sum();
        let reasons: Vec<_> =
            self.misses.iter().map(|(reason, n)| format!("{reason} {n}")).collect();
        let reasons = match reasons.is_empty() {
            true => String::new(),
            false => format!(" ({})", reasons.join(", ")),
        };
        let shown = place.map(|place| place.display().to_string());
        let at = shown.map_or(say!("", ""), |shown| say!(" to {shown}", " en {shown}"));
        let (en, es) = (at.en, at.es);
        output::note(say!(
            "{readings} readings and {missed} slots without one{reasons} were written{en}",
            "se escribieron {readings} lecturas y {missed} turnos sin lectura{reasons}{es}"
        ));
        if self.others > 0 {
            let n = self.others;
            output::note(say!(
                "{n} files of an earlier export still lie in the folder, of years that this one \
                 does not have: delete them if they are not wanted",
                "en la carpeta quedan {n} archivos de una exportación anterior, de años que esta \
                 no tiene: bórrelos si no los quiere"
            ));
        }
        match self.never_asked {
            Some(n) if n > 0 => output::note(say!(
                "{n} further slots of the camera were never asked for: `celaje backfill` gets them",
                "otros {n} turnos de la cámara nunca se pidieron: `celaje backfill` los obtiene"
            )),
            _ => {}
        }
    }
}

impl RecordExportArgs {
    pub(super) fn run(self, config: Option<&Path>) -> Result<u8> {
        let settings = Settings::read(self.db.0.clone(), config)?;
        let record = readable(&settings)?;
        let mut reader = Reader::open(record.path())?;
        let wanted = self.wanted(&settings, &mut reader)?;
        let place = (self.out != Path::new("-")).then_some(self.out.as_path());
        let mut written = Written { ended: place.map(|_| ended_by_signal()), ..Written::default() };
        let finished = match (place, self.folder()) {
            (None, _) => {
                let mut out = io::BufWriter::new(io::stdout().lock());
                let export = Export::new(&mut reader, &wanted)?;
                written.whole(&mut reader, export, &mut out).and_then(|_| Ok(out.flush()?))
            }
            (Some(path), None) => {
                let export = Export::new(&mut reader, &wanted)?;
                written.file(&mut reader, export, path)
            }
            (_, Some(folder)) => written.folders(&mut reader, &wanted, folder),
        };
        match finished {
            Ok(()) => {}
            // A reader that closed the pipe is no error.
            Err(Unwritten::File(error)) if error.kind() == ErrorKind::BrokenPipe => return Ok(0),
            Err(Unwritten::File(error)) => {
                let shown = self.out.display();
                return Err(Failure::environment(say!(
                    "the export cannot be written to '{shown}': {error}",
                    "no se puede escribir la exportación en '{shown}': {error}"
                )));
            }
            Err(Unwritten::Export(failure)) => return Err(failure),
            Err(Unwritten::Ended) => return Ok(INTERRUPTED),
        }
        written.tell(place);
        hints(&wanted);
        Ok(0)
    }

    fn wanted(&self, settings: &Settings, reader: &mut Reader) -> Result<ExportWanted> {
        let known = reader.station_ids()?;
        for id in &self.station {
            if !known.contains(id) {
                let (db, known) = (settings.db.display(), known.join(", "));
                return Err(Failure::usage(say!(
                    "the database '{db}' has no station '{id}'; it has: {known}",
                    "la base de datos '{db}' no tiene la estación '{id}'; tiene: {known}"
                )));
            }
        }
        self.range.range()?;
        Ok(ExportWanted {
            format: self.format,
            stations: if self.station.is_empty() { known } else { self.station.clone() },
            in_folder_of_station: false,
            from: self.range.from.map(Moment::first),
            to: self.range.to.map(Moment::last),
            terms: settings.terms.clone(),
            known: settings.stations.iter().cloned().map(Arc::new).collect(),
            now: Clock::SYSTEM.now(),
        })
    }

    /// The folder that gets the files; none where there is one file.
    fn folder(&self) -> Option<&Path> {
        let is_folder = self.out.extension().is_none() || self.out.is_dir();
        (self.format.tells_about_itself() && is_folder).then_some(&self.out)
    }
}

/// Why an export did not come to its end.
enum Unwritten {
    File(io::Error),
    Export(Failure),
    /// By a signal.
    Ended,
}

impl From<io::Error> for Unwritten {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl From<Failure> for Unwritten {
    fn from(failure: Failure) -> Self {
        Self::Export(failure)
    }
}

/// Becomes true when the program is told to end: what is half-written is removed then. Told twice,
/// it ends at once.
fn ended_by_signal() -> Arc<AtomicBool> {
    let ended = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&ended);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            let mut signals = Signals::listen();
            signals.next().await;
            told.store(true, Ordering::Relaxed);
            // A pipe that nobody reads keeps the export waiting.
            signals.next().await;
        });
        std::process::exit(i32::from(INTERRUPTED));
    });
    ended
}

impl Written {
    /// Writes all of an export.
    fn whole(
        &mut self,
        reader: &mut Reader,
        mut export: Export,
        out: &mut impl Write,
    ) -> std::result::Result<ExportAbout, Unwritten> {
        while !export.is_over() {
            if self.ended.as_ref().is_some_and(|ended| ended.load(Ordering::Relaxed)) {
                return Err(Unwritten::Ended);
            }
            let bytes = export.next_bytes(reader).map_err(Failure::from)?;
            out.write_all(&bytes)?;
        }
        self.add(export.about());
        Ok(export.about().clone())
    }

    /// Replaces a file when all of it is written, and tells beside it what it has no place for.
    fn file(
        &mut self,
        reader: &mut Reader,
        export: Export,
        path: &Path,
    ) -> std::result::Result<(), Unwritten> {
        let mut replacement = Replacement::of(path)?;
        let tells = export.tells_about_itself();
        let about = self.whole(reader, export, &mut replacement)?;
        replacement.finish()?;
        if !tells {
            let mut name = path.as_os_str().to_owned();
            name.push(".meta.json");
            let mut told = serde_json::to_vec_pretty(&about).unwrap_or_default();
            told.push(b'\n');
            replace_file(Path::new(&name), &told)?;
        }
        Ok(())
    }

    /// A file for each station: `ID.nc`, or `station=ID/year=YYYY/readings.parquet`.
    fn folders(
        &mut self,
        reader: &mut Reader,
        wanted: &ExportWanted,
        folder: &Path,
    ) -> std::result::Result<(), Unwritten> {
        for id in &wanted.stations {
            let wanted = ExportWanted { stations: vec![id.clone()], ..wanted.clone() };
            if wanted.format == ExportFormat::NetCdf {
                let export = Export::new(reader, &wanted).map_err(Failure::from)?;
                std::fs::create_dir_all(folder)?;
                self.file(reader, export, &folder.join(format!("{id}.nc")))?;
            } else {
                self.years(reader, &wanted, &folder.join(format!("station={id}")))?;
            }
        }
        Ok(())
    }

    /// A station's folder with one for each year.
    fn years(
        &mut self,
        reader: &mut Reader,
        wanted: &ExportWanted,
        folder: &Path,
    ) -> std::result::Result<(), Unwritten> {
        let wanted = ExportWanted { in_folder_of_station: true, ..wanted.clone() };
        let export = Export::new(reader, &wanted).map_err(Failure::from)?;
        let mut written = BTreeSet::new();
        for (year, (from, to)) in years(&export, &wanted) {
            let wanted = ExportWanted { from: Some(from), to: Some(to), ..wanted.clone() };
            let export = Export::new(reader, &wanted).map_err(Failure::from)?;
            if export.is_empty() {
                self.whole(reader, export, &mut io::sink())?;
                continue;
            }
            let part = folder.join(format!("year={year}"));
            std::fs::create_dir_all(&part)?;
            let file = part.join("readings.parquet");
            self.file(reader, export, &file)?;
            written.insert(file);
        }
        let years = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let files = years.map(|year| year.path().join("readings.parquet"));
        self.others += files.filter(|file| file.exists() && !written.contains(file)).count();
        Ok(())
    }
}

/// The parts of an export that lie in one year of the station's clock.
fn years(export: &Export, wanted: &ExportWanted) -> Vec<(i32, (NaiveDateTime, NaiveDateTime))> {
    let station = export.about().stations.first();
    let told = |slot: Option<&String>| slot.and_then(|slot| parse_slot(slot));
    let first = station.and_then(|station| told(station.first.as_ref()));
    let last = station.and_then(|station| told(station.last.as_ref()));
    let ends = wanted.from.or(first).zip(wanted.to.or(last));
    let Some((from, to)) = ends else { return Vec::new() };
    // Beyond the rows there are only gaps: one part has those before, one those after.
    let rows =
        first.zip(last).map_or(from.year()..=to.year(), |(first, last)| first.year()..=last.year());
    let (earliest, latest) = (*rows.start(), *rows.end());
    rows.filter_map(|year| {
        let begins = NaiveDate::from_ymd_opt(year, 1, 1)?.and_hms_opt(0, 0, 0)?;
        let ends = NaiveDate::from_ymd_opt(year, 12, 31)?.and_hms_opt(23, 59, 0)?;
        let from = if year == earliest { from } else { begins };
        let to = if year == latest { to } else { ends };
        Some((year, (from, to)))
    })
    .collect()
}

/// What would make the files of more use.
fn hints(wanted: &ExportWanted) {
    if wanted.terms.licence.is_none() {
        output::note(say!(
            "no licence of the data is named; `[data] licence` in celaje.toml names one",
            "no se indica la licencia de los datos; `[data] licence` en celaje.toml la indica"
        ));
    }
    let without = wanted.stations.iter().find(|id| !wanted.terms.wigos.contains_key(*id));
    if let (ExportFormat::Wmo, Some(id)) = (wanted.format, without) {
        output::note(say!(
            "the station '{id}' has no WIGOS identifier, which csv2bufr needs; `[data.wigos] {id}` \
             in celaje.toml gives it",
            "la estación '{id}' no tiene identificador WIGOS, que csv2bufr necesita; \
             `[data.wigos] {id}` en celaje.toml lo indica"
        ));
    }
}
