//! A report of a station: what its record says of a range, how it was made, how far it can be
//! trusted, and how to cite it.

mod pages;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use crate::export::about::{ExportAbout, StationAbout};
use crate::export::{Export, ExportFormat, ExportWanted};
use crate::figures::data::{ChartData, Kind};
use crate::figures::gather::add;
use crate::figures::order::{Order, Place};
use crate::settings::terms::DataTerms;
use crate::store::error::StoreError;
use crate::store::reader::{DarkMonth, Reader, SkillReport, StationItem};
use crate::store::rows::parse_slot;
use celaje_chart::bucket::{Bucket, Unit, regular};
use celaje_chart::look::Look;
use celaje_chart::paper::COLUMN;
use celaje_chart::pdf::{self, PdfAbout};
use celaje_sky::error::Failure;
use celaje_sky::say;
use celaje_sky::slot::{SlotRange, Zone};
use celaje_sky::station::Station;
use celaje_sky::text::Lang;

/// What is to be reported.
#[derive(Clone, Debug)]
pub struct ReportWanted {
    pub station: String,
    /// First minute, station local time; none for the first of the record.
    pub from: Option<NaiveDateTime>,
    /// Last minute, included; none for the last of the record.
    pub to: Option<NaiveDateTime>,
    /// On what terms the record may be used.
    pub terms: DataTerms,
    /// The stations that the settings name: their slots are known.
    pub known: Vec<Arc<Station>>,
    pub now: DateTime<Utc>,
    pub lang: Lang,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportFault {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The record does not have the station.
    #[error("no station '{0}'")]
    Station(String),
    /// The range has neither a reading nor a miss.
    #[error("nothing from {0} to {1}")]
    Nothing(NaiveDate, NaiveDate),
    #[error("{0} days are too many")]
    TooLong(i64),
    /// The report cannot be written.
    #[error("{0}")]
    Unwritten(String),
}

impl From<ReportFault> for Failure {
    fn from(fault: ReportFault) -> Self {
        Self::usage(match fault {
            ReportFault::Store(error) => return error.into(),
            ReportFault::Unwritten(why) => {
                return Self::environment(say!(
                    "the report cannot be written: {why}",
                    "no se puede escribir el informe: {why}"
                ));
            }
            ReportFault::Station(id) => {
                say!("the record has no station '{id}'", "el registro no tiene la estación '{id}'")
            }
            ReportFault::Nothing(from, to) => say!(
                "the record has nothing from {from} to {to}; choose a range that it has",
                "el registro no tiene nada del {from} al {to}; elija un intervalo que tenga"
            ),
            ReportFault::TooLong(days) => say!(
                "{days} days are too many for a report; ten years are the most",
                "{days} días son demasiados para un informe; diez años son el máximo"
            ),
        })
    }
}

/// A month, or all of them.
#[derive(Clone, Debug)]
struct ReportMonth {
    readings: Bucket,
    /// None where the settings do not know the station, or other slots than the record has.
    due: Option<u64>,
    /// None where the dark hours are not known.
    dark: Option<DarkMonth>,
}

/// A chart of the report, not drawn yet.
struct ReportFigure {
    order: Order,
    data: ChartData,
}

/// What is reported.
pub struct StationReport {
    lang: Lang,
    now: DateTime<Utc>,
    about: ExportAbout,
    terms: DataTerms,
    station: StationAbout,
    skill: SkillReport,
    order: Order,
    /// Whether places of the sky count by the angle that they fill.
    has_lens: bool,
    months: Vec<ReportMonth>,
    /// The dark hours of the years.
    years: Vec<DarkMonth>,
    figures: Vec<ReportFigure>,
}

/// The charts of a report beside the rasters, in their order.
const CHARTS: [Kind; 7] = [
    Kind::History,
    Kind::Distribution,
    Kind::Confidence,
    Kind::DarkHours,
    Kind::DarkYears,
    Kind::Climatology,
    Kind::Nights,
];
const LONGEST: i64 = 3653;

impl StationReport {
    /// Reads what is to be reported. Drawing comes later, without a connection.
    pub fn read(reader: &mut Reader, wanted: &ReportWanted) -> Result<Self, ReportFault> {
        let mut stations = reader.stations()?.into_iter();
        let item = stations.find(|station| station.id == wanted.station);
        let item = item.ok_or_else(|| ReportFault::Station(wanted.station.clone()))?;
        let order = order(&item, wanted)?;
        let (from, to) = order.range;
        let (about, station) = about(reader, wanted, order.range)?;
        if station.readings + station.missed() == 0 {
            return Err(ReportFault::Nothing(from.date(), to.date()));
        }
        let skill = reader.skill(&item.id)?;
        let dark = order.dark_hours(reader)?;
        let months = months(&order, &dark, reader)?;
        let years = dark.iter().filter(|dark| !dark.period.contains('-')).cloned().collect();
        let figures = figures(&order, dark, reader)?;
        let (lang, now, terms) = (wanted.lang, wanted.now, wanted.terms.clone());
        let known = wanted.known.iter().find(|station| station.id == item.id);
        let has_lens = known.is_some_and(|station| station.region.lens.is_some());
        Ok(Self {
            lang,
            now,
            about,
            terms,
            station,
            skill,
            order,
            has_lens,
            months,
            years,
            figures,
        })
    }

    /// The name of its file, which any system takes.
    pub fn file_name(&self) -> String {
        let (from, to) = self.order.range;
        let id = self.order.place.id.chars().map(|c| match c {
            c if c.is_ascii_alphanumeric() || "._-".contains(c) => c,
            _ => '_',
        });
        format!("celaje-{}-{}-{}.pdf", id.collect::<String>(), from.date(), to.date())
    }

    /// The report as a PDF.
    pub fn pdf(&self) -> Result<Vec<u8>, ReportFault> {
        let about = PdfAbout {
            title: self.title(),
            author: self.about.institution.clone(),
            program: self.about.program.clone(),
            lang: self.lang,
            made: self.now,
        };
        pdf::write(&self.pages(), &about).map_err(|error| ReportFault::Unwritten(error.to_string()))
    }

    /// Months put together.
    fn sum<'a>(&self, months: impl Iterator<Item = &'a ReportMonth> + Clone) -> ReportMonth {
        let mut readings = Bucket::empty(self.order.range.0);
        for month in months.clone() {
            add(&mut readings, &month.readings);
        }
        ReportMonth { readings, due: months.map(|month| month.due).sum(), dark: None }
    }
}

fn order(item: &StationItem, wanted: &ReportWanted) -> Result<Order, ReportFault> {
    let known = wanted.known.iter().find(|station| station.id == item.id);
    let zone = match known {
        Some(station) => station.zone,
        None => item.time_zone.parse::<Zone>().map_err(|_| {
            ReportFault::Unwritten(format!("the time zone '{}' is not known", item.time_zone))
        })?,
    };
    let now = zone.local(wanted.now);
    let ends = [&item.first, &item.last].map(|end| end.as_deref().and_then(parse_slot));
    // A report begins with the record: earlier slots were not due.
    let from = wanted.from.max(ends[0]).unwrap_or(now);
    let to = wanted.to.or(ends[1]).unwrap_or(now).min(now);
    if to < from {
        let begins = wanted.from.unwrap_or(from);
        return Err(ReportFault::Nothing(begins.date(), to.date()));
    }
    let days = (to.date() - from.date()).num_days() + 1;
    if days > LONGEST {
        return Err(ReportFault::TooLong(days));
    }
    let place = Place {
        id: item.id.clone(),
        name: item.name.clone(),
        latitude: item.latitude,
        longitude: item.longitude,
        zone,
        minutes: known.map(|station| station.minutes.clone()),
    };
    let look = Look { lang: wanted.lang, width: COLUMN, bare: true };
    Ok(Order { place, range: (from, to), now, first: ends[0], look })
}

/// What an export of the same range says of itself.
fn about(
    reader: &mut Reader,
    wanted: &ReportWanted,
    range: (NaiveDateTime, NaiveDateTime),
) -> Result<(ExportAbout, StationAbout), ReportFault> {
    let export = ExportWanted {
        in_folder_of_station: false,
        format: ExportFormat::Csv,
        stations: vec![wanted.station.clone()],
        from: Some(range.0),
        to: Some(range.1),
        terms: wanted.terms.clone(),
        known: wanted.known.clone(),
        now: wanted.now,
    };
    let export = Export::new(reader, &export);
    let export = export.map_err(|fault| ReportFault::Unwritten(fault.to_string()))?;
    let about = export.about().clone();
    let station = about.stations.first().cloned();
    let station = station.ok_or_else(|| ReportFault::Station(wanted.station.clone()))?;
    Ok((about, station))
}

/// The months of the range.
fn months(
    order: &Order,
    dark: &[DarkMonth],
    reader: &mut Reader,
) -> Result<Vec<ReportMonth>, StoreError> {
    let (from, to) = order.range;
    let readings = order.by_month(reader)?;
    let is_known = order.place.minutes.is_some();
    let mut due: BTreeMap<NaiveDateTime, u64> = BTreeMap::new();
    if let (true, Ok(range)) = (is_known, SlotRange::new(from, to)) {
        for slot in order.slots(range) {
            *due.entry(Unit::Month.floor(slot)).or_default() += 1;
        }
    }
    let month = |readings: Bucket| {
        let period = readings.from.format("%Y-%m").to_string();
        let stored = u64::from(readings.read()) + u64::from(readings.obscured);
        let due = due.get(&readings.from).copied().unwrap_or_default();
        ReportMonth {
            due: (is_known && due >= stored).then_some(due),
            dark: dark.iter().find(|month| month.period == period).cloned(),
            readings,
        }
    };
    Ok(regular(Unit::Month, from, to, readings).into_iter().map(month).collect())
}

/// The charts, and a raster for each year.
fn figures(
    order: &Order,
    dark: Vec<DarkMonth>,
    reader: &mut Reader,
) -> Result<Vec<ReportFigure>, StoreError> {
    let mut figures = Vec::new();
    // A year is compared with those before it, reported or not.
    let begins = order.first.unwrap_or(order.range.0);
    for kind in CHARTS {
        let mut order = order.clone();
        let data = match kind {
            // Counting them takes the longest: they are counted once.
            Kind::DarkHours => ChartData::DarkHours(dark.clone()),
            Kind::DarkYears if begins == order.range.0 => ChartData::DarkYears(dark.clone()),
            Kind::DarkYears => {
                order.range.0 = begins;
                order.gather(kind, reader)?
            }
            kind => order.gather(kind, reader)?,
        };
        figures.push(ReportFigure { order, data });
    }
    let (from, to) = order.range;
    let mut first = from;
    while first <= to {
        // A year at most, as a rule from the first of January on.
        let whole = (to.date() - first.date()).num_days() < celaje_chart::raster::MAX_DAYS;
        let next = next_year(first);
        let last = if whole { to } else { to.min(next - TimeDelta::minutes(1)) };
        let order = Order { range: (first, last), ..order.clone() };
        let data = order.gather(Kind::Raster, reader)?;
        figures.push(ReportFigure { order, data });
        if whole {
            break;
        }
        first = next;
    }
    Ok(figures)
}

fn next_year(time: NaiveDateTime) -> NaiveDateTime {
    let next = NaiveDate::from_ymd_opt(time.year() + 1, 1, 1);
    next.unwrap_or(NaiveDate::MAX).and_time(NaiveTime::MIN)
}
