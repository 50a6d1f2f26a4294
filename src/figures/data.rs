//! What was read for a chart, and the chart that is drawn from it. Pure: no record, no camera.

use std::collections::BTreeMap;

use chrono::{Months, NaiveDate, NaiveDateTime, TimeDelta, Timelike};

use super::order::{Order, saturated};
use crate::store::reader::{Climatology, DarkMonth, ObservationItem, ZoneCount};
use crate::store::rows::parse_slot;
use celaje_chart::bucket::{Bucket, Unit};
use celaje_chart::dark_hours::{DarkAmount, DarkColumn, DarkHoursChart};
use celaje_chart::dark_years::DarkYears;
use celaje_chart::distribution::Distribution;
use celaje_chart::heat::{Calendar, ClimatologyChart, HeatCell};
use celaje_chart::means::Means;
use celaje_chart::nights::{ClearNights, NightCount};
use celaje_chart::raster::Raster;
use celaje_chart::sun;
use celaje_chart::timeline::strip::NightStrip;
use celaje_chart::timeline::{Reading, Timeline};
use celaje_chart::words;
use celaje_sky::cover::Cover;
use celaje_sky::night::Night;
use celaje_sky::say;
use celaje_sky::slot::{Slot, SlotGrid, SlotRange};
use celaje_sky::sun::{DayPhase, position};

/// Which chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Okta readings slot by slot.
    Timeline,
    /// Mean amount and trend.
    History,
    /// How often each amount was read.
    Distribution,
    /// Mean confidence.
    Confidence,
    /// A year day by day.
    Calendar,
    /// The months by the hour.
    Climatology,
    /// The share of clear nights.
    Nights,
    /// A day of pictures.
    Keogram,
    /// The night from sunset to sunrise.
    Tonight,
    /// A row a day.
    Raster,
    /// The usable hours of darkness.
    DarkHours,
    /// The same, a row a year.
    DarkYears,
    /// Cloud by direction.
    Dome,
}

/// The charts' names in their addresses.
pub const KINDS: [(&str, Kind); 13] = [
    ("timeline", Kind::Timeline),
    ("history", Kind::History),
    ("distribution", Kind::Distribution),
    ("confidence", Kind::Confidence),
    ("calendar", Kind::Calendar),
    ("climatology", Kind::Climatology),
    ("nights", Kind::Nights),
    ("keogram", Kind::Keogram),
    ("tonight", Kind::Tonight),
    ("raster", Kind::Raster),
    ("dark-hours", Kind::DarkHours),
    ("dark-years", Kind::DarkYears),
    ("dome", Kind::Dome),
];

/// The slots that have a row, and where their pictures were.
pub type Stored = BTreeMap<NaiveDateTime, Option<String>>;

/// What a chart is drawn from.
#[derive(Debug)]
pub enum ChartData {
    /// Nothing: the range is none.
    Blank,
    /// A night, with what a timeline of it is drawn from.
    Tonight(Night, Box<ChartData>),
    /// Rows and misses of a timeline.
    Timeline {
        /// What is drawn of the range that was asked for.
        range: SlotRange,
        /// Its rows.
        items: Vec<ObservationItem>,
        /// Slots without one that were asked for.
        misses: Vec<NaiveDateTime>,
        /// The last slot of which the replaced system made the reading, if any.
        replaced_until: Option<NaiveDateTime>,
    },
    /// Means of a range, every bucket of it.
    Means {
        /// How long one is.
        unit: Unit,
        /// In order, empty ones too.
        buckets: Vec<Bucket>,
        /// Whether the mean confidence is drawn, not the amount.
        confidence: bool,
        /// As of a timeline.
        replaced_until: Option<NaiveDateTime>,
    },
    /// The hours of darkness of months and years.
    DarkHours(Vec<DarkMonth>),
    /// The same to be compared.
    DarkYears(Vec<DarkMonth>),
    /// The amounts of days.
    Raster(Vec<(NaiveDateTime, Cover)>),
    /// All readings of a range.
    Distribution(Bucket),
    /// The days of a year that have readings.
    Calendar {
        /// Which year.
        year: i32,
        /// In any order.
        days: Vec<Bucket>,
    },
    /// What the sky is usually like, for the months by the hour.
    Climatology(Climatology),
    /// The same for the share of clear nights.
    Nights(Climatology),
    /// The slots of a day that had a picture.
    Keogram {
        /// Its first moment; it goes on for 24 hours.
        from: NaiveDateTime,
        /// The slots, and where their pictures were.
        stored: Stored,
    },
    /// A slot's reading, where it has one, and how often parts of the sky were clear lately.
    Dome(Option<Box<ObservationItem>>, Vec<ZoneCount>),
}

impl ChartData {
    /// The chart as SVG; none of a keogram and a dome, whose pictures come from elsewhere.
    pub fn svg(&self, order: &Order) -> Option<String> {
        let (look, station) = (order.look, order.place.name.as_str());
        Some(match self {
            Self::Blank => String::new(),
            Self::Timeline { range, items, misses, replaced_until } => {
                timeline(order, *range, items, misses, *replaced_until)
            }
            Self::Means { unit, buckets, confidence, replaced_until } => {
                let (range, unit, replaced_until) = (order.range, *unit, *replaced_until);
                let first = order.first;
                let means = Means { look, station, range, unit, buckets, first, replaced_until };
                if *confidence { means.confidence() } else { means.history() }
            }
            Self::Distribution(readings) => {
                let begun = order.first.is_some();
                Distribution { look, place: &place_and_time(order), readings, begun }.svg()
            }
            Self::Calendar { year, days } => {
                let first = order.first.map(|first| first.date());
                let today = order.now.date();
                Calendar { look, station, year: *year, today, first, days }.svg()
            }
            Self::Climatology(found) => climatology(order, found),
            Self::Nights(found) => nights(order, found),
            Self::DarkHours(periods) => dark_hours(order, periods),
            Self::DarkYears(periods) => dark_years(order, periods),
            Self::Raster(readings) => raster(order, readings),
            Self::Tonight(night, shown) => strip(order, night, shown)?,
            Self::Keogram { .. } | Self::Dome(..) => return None,
        })
    }
}

/// A timeline's input as a chart takes it.
struct TimelineInput {
    readings: Vec<Reading>,
    slots: Vec<NaiveDateTime>,
}

impl TimelineInput {
    fn of(
        order: &Order,
        range: SlotRange,
        items: &[ObservationItem],
        misses: &[NaiveDateTime],
    ) -> Self {
        let readings = items.iter().filter_map(|item| reading(order, item)).collect();
        // Where the settings do not know the station, the record tells when it looks.
        let slots = match &order.place.minutes {
            Some(_) => order.slots(range),
            None => {
                let stored = items.iter().filter_map(|item| parse_slot(&item.slot));
                seen_slots(order, range, stored.chain(misses.iter().copied()))
            }
        };
        Self { readings, slots }
    }
}

fn timeline(
    order: &Order,
    range: SlotRange,
    items: &[ObservationItem],
    misses: &[NaiveDateTime],
    replaced_until: Option<NaiveDateTime>,
) -> String {
    let (place, look) = (&order.place, order.look);
    let TimelineInput { readings, slots } = TimelineInput::of(order, range, items, misses);
    let title = say!("Cloud amount", "Nubosidad").get(look.lang).to_owned();
    let end = range.to() + TimeDelta::minutes(1);
    let (latitude, longitude) = (place.latitude, place.longitude);
    let sun = sun::track(range.from(), end, place.zone, latitude, longitude);
    Timeline {
        look,
        title: &title,
        station: &place.name,
        range,
        slots: &slots,
        first: order.first,
        readings: &readings,
        misses,
        sun: &sun,
        replaced_until,
    }
    .svg()
}

fn dark_amount(period: &DarkMonth) -> DarkAmount {
    DarkAmount {
        dark: period.dark,
        coverage: period.coverage,
        usable: period.usable,
        interval: period.low.zip(period.high),
    }
}

/// The months of `periods`; those at the ends of the range may be in it only in part.
fn dark_months(order: &Order, periods: &[DarkMonth]) -> Vec<DarkColumn> {
    let from = order.first.map_or(order.range.0, |first| first.max(order.range.0)).date();
    let to = order.range.1.min(order.due()).date();
    let column = |period: &DarkMonth| {
        let (year, month) = period.period.split_once('-')?;
        let (year, month) = (year.parse().ok()?, month.parse().ok()?);
        let begins = NaiveDate::from_ymd_opt(year, month, 1)?;
        let ends = begins.checked_add_months(Months::new(1))?.pred_opt()?;
        let is_whole = from <= begins && ends <= to;
        Some(DarkColumn { year, month, is_whole, hours: dark_amount(period) })
    };
    periods.iter().filter_map(column).collect()
}

fn dark_years(order: &Order, periods: &[DarkMonth]) -> String {
    let year = |period: &DarkMonth| Some((period.period.parse().ok()?, dark_amount(period)));
    let years: Vec<(i32, DarkAmount)> = periods.iter().filter_map(year).collect();
    let names: Vec<i32> = years.iter().map(|(year, _)| *year).collect();
    let place = place_and_years(order, &names);
    let (look, months, begun) = (order.look, dark_months(order, periods), order.first.is_some());
    DarkYears { look, place: &place, months: &months, years: &years, begun }.svg()
}

fn dark_hours(order: &Order, periods: &[DarkMonth]) -> String {
    let months = dark_months(order, periods);
    let years: Vec<i32> = periods.iter().filter_map(|period| period.period.parse().ok()).collect();
    let whole_years = periods.iter().filter(|period| period.period.parse::<i32>().is_ok());
    let usable = whole_years.filter_map(|year| Some((year.dark, year.usable?)));
    let whole = usable.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let place = place_and_years(order, &years);
    let (look, whole, begun) = (order.look, Some(whole), order.first.is_some());
    DarkHoursChart { look, place: &place, months: &months, whole, begun }.svg()
}

fn raster(order: &Order, readings: &[(NaiveDateTime, Cover)]) -> String {
    let place = &order.place;
    let minutes = place.minutes.clone().unwrap_or_default();
    Raster {
        look: order.look,
        station: &place.name,
        days: (order.range.0.date(), order.range.1.date()),
        now: order.due(),
        first: order.first,
        spacing: u32::try_from(minutes.longest_gap().num_minutes()).unwrap_or(1),
        readings,
        zone: place.zone,
        latitude: place.latitude,
        longitude: place.longitude,
    }
    .svg()
}

/// The strip of a night; `shown` is a timeline.
fn strip(order: &Order, night: &Night, shown: &ChartData) -> Option<String> {
    let ChartData::Timeline { range, items, misses, .. } = shown else {
        return None;
    };
    let (place, look) = (&order.place, order.look);
    let TimelineInput { readings, slots } = TimelineInput::of(order, *range, items, misses);
    let title = say!("The night", "La noche").get(look.lang).to_owned();
    let timeline = Timeline {
        look,
        title: &title,
        station: &place.name,
        range: *range,
        slots: &slots,
        first: order.first,
        readings: &readings,
        misses,
        sun: &[],
        replaced_until: None,
    };
    let (latitude, longitude, zone) = (place.latitude, place.longitude, place.zone);
    Some(NightStrip { timeline, night, zone, latitude, longitude, now: order.now }.svg())
}

/// The slots of the minutes of the hour at which the record has any.
fn seen_slots(
    order: &Order,
    range: SlotRange,
    known: impl Iterator<Item = NaiveDateTime>,
) -> Vec<NaiveDateTime> {
    let mut minutes: Vec<u32> = known.map(|slot| slot.minute()).collect();
    minutes.sort_unstable();
    minutes.dedup();
    let Ok(minutes) = SlotGrid::new(minutes) else {
        return Vec::new();
    };
    let slots = range.slots(&minutes, order.place.zone).map(Slot::local);
    let due = order.due();
    slots.take_while(|slot| *slot <= due).collect()
}

/// None where the row is no reading that can be drawn.
fn reading(order: &Order, item: &ObservationItem) -> Option<Reading> {
    let local = item.time()?;
    let place = &order.place;
    let computed = || {
        let instant = place.zone.instant(local)?;
        let elevation = position(instant, place.latitude, place.longitude).elevation;
        Some(DayPhase::from_elevation(elevation))
    };
    Some(Reading {
        local,
        cover: item.cover()?,
        cloud_fraction: item.cloud_fraction,
        confidence: item.confidence,
        phase: item.phase().or_else(computed)?,
    })
}

fn place_and_time(order: &Order) -> String {
    let (from, to) = order.range;
    format!("{} · {}", order.place.name, words::range(order.look.lang, from, to))
}

fn climatology(order: &Order, found: &Climatology) -> String {
    let mut cells = [[HeatCell::default(); 24]; 12];
    for hour in &found.hours {
        let row = cells.get_mut((hour.month as usize).wrapping_sub(1));
        if let Some(cell) = row.and_then(|row| row.get_mut(hour.hour as usize)) {
            *cell = HeatCell {
                read: saturated(hour.n),
                mean: hour.mean_okta,
                obscured: saturated(hour.obscured),
            };
        }
    }
    let place = place_and_years(order, &found.years);
    let (due, begun) = (order.months_due(), order.first.is_some());
    ClimatologyChart { look: order.look, place: &place, cells: &cells, due, begun }.svg()
}

fn nights(order: &Order, found: &Climatology) -> String {
    let mut months = [NightCount::default(); 12];
    for month in &found.months {
        if let Some(nights) = months.get_mut((month.month as usize).wrapping_sub(1)) {
            let (judged, clear) = (saturated(month.nights), saturated(month.clear_nights));
            *nights = NightCount { judged, clear };
        }
    }
    let (place, due) = (place_and_years(order, &found.years), order.months_due());
    ClearNights { look: order.look, place: &place, months: &months, due }.svg()
}

fn place_and_years(order: &Order, years: &[i32]) -> String {
    let name = &order.place.name;
    match years {
        [] => name.clone(),
        [year] => format!("{name} · {year}"),
        [first, .., last] => format!("{name} · {first}–{last}"),
    }
}
