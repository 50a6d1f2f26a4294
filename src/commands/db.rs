//! `celaje db`: backups, a check of the record, packing, merging, the misses as a list.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::commands::merge::MergeArgs;
use crate::commands::range::RangeArgs;
use crate::commands::replacement::replace_file;
use crate::commands::{output, readable, status};
use crate::settings::Settings;
use crate::settings::layer::{DatabaseGroup, Flags, SpanishHelp};
use crate::store::reader::Reader;
use crate::store::{Backup, Database, VacuumSizes};
use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::say;
use celaje_sky::slot::SlotRange;

/// Columns of the list of misses, in the order of the table.
const COLUMNS: [&str; 12] = [
    "station",
    "slot_local",
    "slot_utc",
    "reason",
    "http_status",
    "attempts",
    "detail",
    "last_tried",
    "run_id",
    "source",
    "layout",
    "unasked",
];

#[derive(Clone, Debug, Args)]
pub(super) struct DbArgs {
    #[command(subcommand)]
    action: DbAction,
}

#[derive(Clone, Debug, Subcommand)]
enum DbAction {
    /// Copy the database into a file, also while a run writes to it, and verify the copy
    Backup {
        /// The copy
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Replace the file where it is there already
        #[arg(long, env = "CELAJE_FORCE", value_parser = FalseyValueParser::new())]
        force: bool,
        #[command(flatten)]
        db: Flags<DatabaseGroup>,
    },
    /// Check the file and all that must hold of its rows; status 1 when something does not
    Check {
        /// One JSON object instead of text
        #[arg(long, env = "CELAJE_JSON", value_parser = FalseyValueParser::new())]
        json: bool,
        #[command(flatten)]
        db: Flags<DatabaseGroup>,
    },
    /// Pack the file; no run may write to it meanwhile
    Vacuum {
        #[command(flatten)]
        db: Flags<DatabaseGroup>,
    },
    /// Do without a log (FILE-wal) that is lost, which held the last rows of a run that died
    ForgetLog {
        #[command(flatten)]
        db: Flags<DatabaseGroup>,
    },
    /// Take the rows of other files into one: of two readings of a slot the newer one stays. Where
    /// alerts stand, and the identity of a file, are not taken
    Merge(MergeArgs),
    /// List the slots without a reading, and why
    ExportMisses(ExportArgs),
}

#[derive(Clone, Debug, Args)]
struct ExportArgs {
    #[command(flatten)]
    range: RangeArgs,
    /// Only this station's [default: all of the database]
    #[arg(long, value_name = "ID", env = "CELAJE_STATION")]
    station: Option<String>,
    /// Write a table into this CSV file; - is the standard output, and the default
    #[arg(long, value_name = "FILE", env = "CELAJE_CSV", conflicts_with = "jsonl")]
    csv: Option<PathBuf>,
    /// Write a JSON object a line into this file; - is the standard output
    #[arg(long, value_name = "FILE", env = "CELAJE_JSONL")]
    jsonl: Option<PathBuf>,
    #[command(flatten)]
    db: Flags<DatabaseGroup>,
}

pub(super) const SPANISH: SpanishHelp = &[
    (
        "db",
        "Cuida la base de datos: la copia, la revisa, la compacta, une varias, lista lo que falta",
    ),
    (
        "backup",
        "Copia la base en un archivo, también mientras una corrida escribe en ella, y verifica la \
         copia",
    ),
    ("file", "La copia"),
    ("force", "Reemplaza el archivo si ya existe"),
    (
        "check",
        "Revisa el archivo y todo lo que debe cumplirse en sus filas; estado 1 si algo no se \
         cumple",
    ),
    ("json", "Escribe un objeto JSON en vez de texto"),
    ("vacuum", "Compacta el archivo; mientras tanto ninguna corrida puede escribir en él"),
    (
        "forget-log",
        "Prescinde de un diario (ARCHIVO-wal) perdido, que tenía las últimas filas de una corrida \
         que murió",
    ),
    (
        "merge",
        "Lleva las filas de otros archivos a uno: de dos lecturas de un turno queda la más nueva. \
         No se llevan el estado de las alertas ni la identidad de un archivo",
    ),
    ("sources", "Los archivos de los que se toman las filas; solo se leen"),
    ("into", "El archivo que las recibe; se crea si no existe"),
    (
        "keep",
        "Lo que hay en ese archivo queda, aunque otro tenga una lectura más nueva del mismo turno",
    ),
    ("export-misses", "Lista los turnos sin lectura, y por qué"),
    (
        "from",
        "Primer minuto, hora local de la estación: AAAA-MM-DDTHH:MM, o una fecha [por omisión: el \
         primero de todos]",
    ),
    ("to", "Último minuto, incluido [por omisión: el último de todos]"),
    ("station", "Solo los de esta estación [por omisión: todos los de la base]"),
    (
        "csv",
        "Escribe una tabla en este archivo CSV; - es la salida estándar, y el valor por omisión",
    ),
    ("jsonl", "Escribe en este archivo un objeto JSON por línea; - es la salida estándar"),
];

impl DbArgs {
    pub(super) fn run(self, config: Option<&Path>) -> Result<u8> {
        let settings = |db: Flags<DatabaseGroup>| Settings::read(db.0, config);
        match self.action {
            DbAction::Backup { file, force, db } => backup(&settings(db)?, &file, force),
            DbAction::Check { json, db } => check(&settings(db)?, json),
            DbAction::Vacuum { db } => vacuum(&settings(db)?.db),
            DbAction::ForgetLog { db } => forget_log(&settings(db)?.db),
            DbAction::Merge(args) => args.run(),
            DbAction::ExportMisses(args) => export(&settings(args.db.clone())?, &args),
        }
    }
}

fn backup(settings: &Settings, file: &Path, force: bool) -> Result<u8> {
    let record = readable(settings)?;
    let Backup { observations, misses, bytes } =
        Reader::open(record.path())?.backup(file, force)?;
    let shown = file.display();
    output::line(say!(
        "'{shown}': sound, {observations}, {misses}, {bytes} bytes",
        "'{shown}': sana, {observations}, {misses}, {bytes} bytes",
        observations = status::observations_of(observations),
        misses = status::misses_of(misses),
    ))?;
    Ok(0)
}

fn check(settings: &Settings, json: bool) -> Result<u8> {
    let record = readable(settings)?;
    let findings = Reader::open(record.path())?.check()?;
    let ok = findings.iter().all(|finding| finding.result.is_ok());
    if json {
        let checks: Vec<_> = findings
            .iter()
            .map(|finding| {
                let (ok, detail) = match &finding.result {
                    Ok(holds) => (true, holds),
                    Err(fails) => (false, fails),
                };
                json!({"name": finding.name, "ok": ok, "detail": detail.to_string()})
            })
            .collect();
        let db = settings.db.display().to_string();
        output::line(json!({"db": db, "ok": ok, "checks": checks}))?;
    } else {
        for finding in &findings {
            output::line(match &finding.result {
                Ok(holds) => format!("✔ {holds}"),
                Err(fails) => format!("✘ {fails}"),
            })?;
        }
    }
    Ok(if ok { 0 } else { 1 })
}

fn vacuum(db: &Path) -> Result<u8> {
    let VacuumSizes { before, after } = Database::vacuum(db)?;
    let shown = db.display();
    output::line(say!(
        "'{shown}': {before} bytes before, {after} now",
        "'{shown}': {before} bytes antes, {after} ahora"
    ))?;
    Ok(0)
}

fn forget_log(db: &Path) -> Result<u8> {
    let shown = db.display();
    output::line(match Database::forget_log(db)? {
        true => say!("'{shown}': used without its log", "'{shown}': se usa sin su diario"),
        false => say!("'{shown}': it lacks no log", "'{shown}': no le falta ningún diario"),
    })?;
    Ok(0)
}

fn export(settings: &Settings, args: &ExportArgs) -> Result<u8> {
    let range = args.range.range()?;
    let record = readable(settings)?;
    let mut reader = Reader::open(record.path())?;
    if let Some(id) = &args.station {
        let known = reader.station_ids()?;
        if !known.contains(id) {
            let (db, known) = (settings.db.display(), known.join(", "));
            return Err(Failure::usage(say!(
                "the database '{db}' has no station '{id}'; it has: {known}",
                "la base de datos '{db}' no tiene la estación '{id}'; tiene: {known}"
            )));
        }
    }
    let station = args.station.as_deref();
    let lines = args.jsonl.is_some();
    let file = args.jsonl.as_deref().or(args.csv.as_deref());
    let file = file.filter(|file| *file != Path::new("-"));
    let written = match file {
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            write(&mut reader, station, range, lines, &mut out)?
        }
        Some(file) => {
            // Collected in memory, so that the file is replaced atomically; a miss is a short line.
            let mut bytes = Vec::new();
            write(&mut reader, station, range, lines, &mut bytes)?
                .and_then(|n| replace_file(file, &bytes).map(|()| n))
        }
    };
    match written {
        Ok(n) if file.is_some() => {
            let n = n.to_string();
            output::note(say!("{n} misses were written", "se escribieron {n} fallidos"));
            Ok(0)
        }
        Ok(_) => Ok(0),
        // A reader that closed the pipe is no error.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        Err(error) => {
            let shown = file.unwrap_or(Path::new("-")).display();
            Err(Failure::environment(say!(
                "the misses cannot be written to '{shown}': {error}",
                "no se pueden escribir los fallidos en '{shown}': {error}",
                error = io_text(&error),
            )))
        }
    }
}

/// Writes the misses as a table, or as JSON `lines`; gives their number.
fn write(
    reader: &mut Reader,
    station: Option<&str>,
    range: Option<SlotRange>,
    lines: bool,
    out: &mut impl Write,
) -> Result<io::Result<u64>> {
    let mut n = 0;
    let edges = range.map(|range| (range.from(), range.to()));
    if lines {
        let written = reader.export_misses(station, edges, |row| {
            n += 1;
            serde_json::to_writer(&mut *out, &row)?;
            out.write_all(b"\n")
        })?;
        return Ok(written.and_then(|()| out.flush()).map(|()| n));
    }
    let mut table = csv::WriterBuilder::new().has_headers(false).from_writer(out);
    let written = reader.export_misses(station, edges, |row| {
        // The heading is written with the first row: none when the record cannot be read.
        if n == 0 {
            table.write_record(COLUMNS)?;
        }
        n += 1;
        table.serialize(row).map_err(io::Error::from)
    })?;
    let whole = written.and_then(|()| {
        if n == 0 {
            table.write_record(COLUMNS)?;
        }
        table.flush()
    });
    Ok(whole.map(|()| n))
}
