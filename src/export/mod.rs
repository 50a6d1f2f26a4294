//! The record in files for others: what an export holds, and one writer for each format. Commands
//! and API share them.
//!
//! An export is read and written in parts, so that it needs the memory of one part however long it
//! is, and keeps no transaction open.

pub mod about;
pub mod columns;
pub mod csv;
mod lines;
mod netcdf;
mod parquet;
mod row;
mod wmo;

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, Utc};

use crate::export::about::{ExportAbout, StationAbout};
use crate::export::row::{ExportRow, LabelSpan};
use crate::settings::terms::DataTerms;
use crate::store::error::StoreError;
use crate::store::reader::{ExportSummary, Reader, SlotEdges};
use crate::store::rows::parse_slot;
use celaje_sky::error::Failure;
use celaje_sky::say;
use celaje_sky::slot::{SlotRange, Slots, Zone};
use celaje_sky::station::Station;
use celaje_sky::text::Text;

/// Slots of a part.
const PART: usize = 4096;

/// What an export is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// RFC 4180, with a line of names.
    Csv,
    /// A JSON object a line.
    Lines,
    /// Apache Parquet.
    Parquet,
    /// NetCDF, CF-1.11 and ACDD-1.3.
    NetCdf,
    /// A table for csv2bufr.
    Wmo,
}

impl ExportFormat {
    /// All of them by their names.
    pub const NAMES: &[(&'static str, Self)] = &[
        ("csv", Self::Csv),
        ("jsonl", Self::Lines),
        ("parquet", Self::Parquet),
        ("netcdf", Self::NetCdf),
        ("wmo", Self::Wmo),
    ];

    /// The ending of a file's name.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Lines => "jsonl",
            Self::Parquet => "parquet",
            Self::NetCdf => "nc",
            Self::Wmo => "wmo.csv",
        }
    }

    /// The media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv | Self::Wmo => "text/csv; charset=utf-8; header=present",
            Self::Lines => "application/jsonl; charset=utf-8",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::NetCdf => "application/netcdf",
        }
    }

    /// Whether the file itself says where it comes from; what has no place for it is said beside.
    pub const fn tells_about_itself(self) -> bool {
        matches!(self, Self::Parquet | Self::NetCdf)
    }
}

/// What is wanted of the record.
#[derive(Clone, Debug)]
pub struct ExportWanted {
    pub format: ExportFormat,
    /// Stations of the record, by their ids.
    pub stations: Vec<String>,
    /// Whether the name of the file's folder says the station.
    pub in_folder_of_station: bool,
    /// First minute, station local time; none for the first of all.
    pub from: Option<NaiveDateTime>,
    /// Last minute, included.
    pub to: Option<NaiveDateTime>,
    /// On what terms the record may be used.
    pub terms: DataTerms,
    /// The stations that the settings name: their slots are known.
    pub known: Vec<Arc<Station>>,
    pub now: DateTime<Utc>,
}

impl ExportWanted {
    fn edges(&self) -> SlotEdges {
        let edge = |year, month, day| {
            let date = chrono::NaiveDate::from_ymd_opt(year, month, day);
            date.and_then(|date| date.and_hms_opt(0, 0, 0)).unwrap_or_default()
        };
        let from = self.from.unwrap_or_else(|| edge(1900, 1, 1));
        SlotEdges::new(from, self.to.unwrap_or_else(|| edge(9999, 12, 31)))
    }
}

/// Why an export cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ExportFault {
    /// The record cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Rows came or went while it was read, and the format says their number first.
    #[error("the station '{0}' changed while it was exported")]
    Changed(String),
    /// The slot is at no moment of the station's clock, and the format needs one.
    #[error("the slot {slot} of '{station}' is at no moment")]
    NoMoment { station: String, slot: String },
    /// The format holds one station.
    #[error("one station a file")]
    OneStation,
    /// The library that writes the format failed.
    #[error("{0}")]
    Encoder(String),
}

impl ExportFault {
    fn text(&self) -> Text {
        match self {
            Self::Store(error) => say!("{error}", "{error}"),
            Self::Changed(station) => say!(
                "rows of the station '{station}' came or went while it was exported; run the \
                 export again, or with a --to that lies in the past",
                "la estación '{station}' ganó o perdió filas mientras se exportaba; repita la \
                 exportación, o hágala con un --to que ya haya pasado"
            ),
            Self::NoMoment { station, slot } => say!(
                "the slot {slot} of the station '{station}' is at no moment of its clock, and \
                 NetCDF needs one; leave it out by --from and --to, or export as csv",
                "el turno {slot} de la estación '{station}' no corresponde a ningún momento de su \
                 reloj, y NetCDF lo necesita; déjelo fuera con --from y --to, o exporte como csv"
            ),
            Self::OneStation => say!(
                "a NetCDF file holds one station; name one with --station, or a folder in --out",
                "un archivo NetCDF contiene una sola estación; elija una con --station, o una \
                 carpeta en --out"
            ),
            Self::Encoder(why) => {
                say!("the file cannot be written: {why}", "no se puede escribir el archivo: {why}")
            }
        }
    }
}

impl From<ExportFault> for Failure {
    fn from(fault: ExportFault) -> Self {
        match fault {
            ExportFault::Store(error) => error.into(),
            ExportFault::OneStation => Self::usage(fault.text()),
            _ => Self::environment(fault.text()),
        }
    }
}

/// Writes rows in a format.
trait Encoder: Send {
    /// Writes what comes before the rows.
    fn begin(&mut self, _about: &ExportAbout, _out: &mut Vec<u8>) -> Result<(), ExportFault> {
        Ok(())
    }

    /// Writes rows of one station.
    fn rows(
        &mut self,
        station: &StationAbout,
        rows: &[ExportRow<'_>],
        out: &mut Vec<u8>,
    ) -> Result<(), ExportFault>;

    /// Writes what comes after them.
    fn end(&mut self, _about: &ExportAbout, _out: &mut Vec<u8>) -> Result<(), ExportFault> {
        Ok(())
    }
}

/// A station's share of an export.
struct StationShare {
    /// None where the record has no clock for it.
    zone: Option<Zone>,
    /// What people saw in the pictures, by slot.
    labels: BTreeMap<String, LabelSpan>,
    /// The last slot that was written.
    after: Option<String>,
    /// The slots of the camera that come after it; none where the settings do not name the station.
    slots: Option<Peekable<Slots>>,
}

impl StationShare {
    /// Counts the slots before `local` that have no row, or all that are left.
    fn passed(&mut self, local: Option<NaiveDateTime>) -> u64 {
        let mut without = 0;
        let Some(slots) = &mut self.slots else { return without };
        while let Some(next) = slots.peek() {
            match local {
                Some(local) if next.local() > local => break,
                Some(local) if next.local() == local => {
                    slots.next();
                    break;
                }
                _ => without += 1,
            }
            slots.next();
        }
        without
    }
}

/// An export in progress.
pub struct Export {
    format: ExportFormat,
    about: ExportAbout,
    edges: SlotEdges,
    parts: Vec<StationShare>,
    at: usize,
    encoder: Box<dyn Encoder>,
    has_begun: bool,
    is_over: bool,
}

impl Export {
    /// Looks at what is to be exported.
    pub fn new(reader: &mut Reader, wanted: &ExportWanted) -> Result<Self, ExportFault> {
        let edges = wanted.edges();
        let mut about = ExportAbout::new(wanted, reader.identity()?);
        let (mut parts, mut summaries) = (Vec::new(), Vec::new());
        for item in reader.stations()? {
            if !wanted.stations.contains(&item.id) {
                continue;
            }
            let summary = reader.export_summary(&item.id, &edges)?;
            let skill = reader.skill(&item.id)?.skill;
            let zone = item.time_zone.parse().ok();
            let known = wanted.known.iter().find(|station| station.id == item.id);
            parts.push(StationShare {
                zone,
                labels: LabelSpan::by_slot(&reader.labels(&item.id)?),
                after: None,
                slots: known.and_then(|known| slots(known, wanted, &summary)),
            });
            let is_known = parts.last().is_some_and(|part| part.slots.is_some());
            about.stations.push(StationAbout::new(item, zone, &summary, &skill, is_known, wanted));
            summaries.push(summary);
        }
        about.finish(&wanted.terms);
        let in_folder_of_station = wanted.in_folder_of_station;
        about.columns.drain(..usize::from(in_folder_of_station));
        let encoder: Box<dyn Encoder> = match wanted.format {
            ExportFormat::Csv => Box::new(csv::CsvEncoder),
            ExportFormat::Lines => Box::new(lines::LinesEncoder),
            ExportFormat::Parquet => Box::new(parquet::ParquetEncoder::new(in_folder_of_station)?),
            ExportFormat::Wmo => Box::new(wmo::WmoEncoder),
            ExportFormat::NetCdf => match (&parts[..], summaries.pop()) {
                ([part], Some(summary)) => {
                    let labels = !part.labels.is_empty();
                    Box::new(netcdf::NetCdfEncoder::new(summary, labels))
                }
                _ => return Err(ExportFault::OneStation),
            },
        };
        let format = wanted.format;
        let (at, has_begun, is_over) = (0, false, false);
        Ok(Self { format, about, edges, parts, at, encoder, has_begun, is_over })
    }

    /// What the export is; its counts of slots that were never asked for grow while it is written.
    pub fn about(&self) -> &ExportAbout {
        &self.about
    }

    /// Whether there is no row to be written.
    pub fn is_empty(&self) -> bool {
        self.about.stations.iter().all(|station| station.readings + station.missed() == 0)
    }

    /// See [`ExportFormat::tells_about_itself`].
    pub fn tells_about_itself(&self) -> bool {
        self.format.tells_about_itself()
    }

    /// Whether all is written.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// The next bytes, which are empty only when there are no more.
    pub fn next_bytes(&mut self, reader: &mut Reader) -> Result<Vec<u8>, ExportFault> {
        let mut bytes = Vec::new();
        if !self.has_begun {
            self.encoder.begin(&self.about, &mut bytes)?;
            self.has_begun = true;
        }
        while !self.is_over {
            self.advance(reader, &mut bytes)?;
            if !bytes.is_empty() && !self.is_over {
                break;
            }
        }
        Ok(bytes)
    }

    /// Writes a part; with the last one of the last station, the end too.
    fn advance(&mut self, reader: &mut Reader, out: &mut Vec<u8>) -> Result<(), ExportFault> {
        if let (Some(part), Some(station)) =
            (self.parts.get_mut(self.at), self.about.stations.get_mut(self.at))
        {
            let after = part.after.as_deref();
            let mut slots = reader.export_part(&station.id, &self.edges, after, PART + 1)?;
            let has_more = slots.len() > PART;
            slots.truncate(PART);
            for slot in &slots {
                let without = part.passed(parse_slot(slot.slot()));
                station.never_asked = station.never_asked.map(|n| n + without);
            }
            let rows: Vec<_> = slots
                .iter()
                .map(|slot| ExportRow::new(&station.id, slot, part.zone, &part.labels))
                .collect();
            self.encoder.rows(station, &rows, out)?;
            part.after = slots.last().map(|slot| slot.slot().to_owned());
            if has_more {
                return Ok(());
            }
            let without = part.passed(None);
            station.never_asked = station.never_asked.map(|n| n + without);
            self.at += 1;
        }
        if self.at >= self.parts.len() {
            self.encoder.end(&self.about, out)?;
            self.is_over = true;
        }
        Ok(())
    }
}

/// The slots of a camera between the ends of an export, or the rows there are, as far as they are
/// due.
fn slots(
    station: &Station,
    wanted: &ExportWanted,
    summary: &ExportSummary,
) -> Option<Peekable<Slots>> {
    let told = |slot: &Option<String>| slot.as_deref().and_then(parse_slot);
    let from = wanted.from.or_else(|| told(&summary.first))?;
    let to = wanted.to.or_else(|| told(&summary.last))?;
    let range = SlotRange::new(from, to).ok()?;
    let range = range.until(wanted.now, &station.minutes, station.zone)?;
    Some(range.slots(&station.minutes, station.zone).peekable())
}

#[cfg(test)]
mod tests;
