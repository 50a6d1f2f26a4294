//! Mean cloud amounts of a station by month and hour, and the share of clear nights.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeDelta, Timelike};
use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::error::StoreError;
use crate::store::reader::aggregate::{is_frozen, rounded};
use crate::store::reader::{Reader, ReadingFilter};
use crate::store::rows::parse_slot;
use crate::store::schema::observations;
use celaje_sky::slot::{SlotGrid, SlotRange, Zone};
use celaje_sky::sun::{DayPhase, position};

/// Of a night's slots, the share that must have a reading for the night to be judged.
pub const NIGHT_COVERED: f64 = 0.5;
/// Of a night's readings, the share that must be 0 or 1 okta for the night to be clear.
pub const NIGHT_CLEAR: f64 = 0.8;

/// What the nights of a station are computed from.
#[derive(Clone, Debug)]
pub struct NightRule {
    /// Degrees, north positive.
    pub latitude: f64,
    /// Degrees, east positive.
    pub longitude: f64,
    /// The station's clock.
    pub zone: Zone,
    /// Minutes of an hour at which there is a picture; where they are not known, those of the rows.
    pub minutes: Option<SlotGrid>,
}

/// Readings of one hour of the clock in one month of the year, over all years.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct HourOfMonth {
    /// 1 to 12.
    pub month: u32,
    /// 0 to 23, station local time.
    pub hour: u32,
    /// Readings with an okta from 0 to 8.
    pub n: u64,
    /// Their mean.
    pub mean_okta: Option<f64>,
    /// Pictures in which the sky cannot be seen.
    pub obscured: u64,
}

/// One month of the year, over all years.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct MonthOfYear {
    /// 1 to 12.
    pub month: u32,
    /// Readings with an okta from 0 to 8.
    pub n: u64,
    /// Their mean.
    pub mean_okta: Option<f64>,
    /// Pictures in which the sky cannot be seen.
    pub obscured: u64,
    /// Nights (noon to noon; a night is of the month in which it begins) that have enough readings
    /// to be judged.
    pub nights: u64,
    /// Of those, the clear ones.
    pub clear_nights: u64,
    /// Their share; none without nights.
    pub clear_share: Option<f64>,
    /// Readings by category.
    pub categories: BTreeMap<&'static str, u64>,
}

/// The climatology of a station.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Climatology {
    /// The 288 pairs of month and hour, in this order.
    pub hours: Vec<HourOfMonth>,
    /// The twelve months.
    pub months: Vec<MonthOfYear>,
    /// Years that have readings.
    pub years: Vec<i32>,
}

/// What the tally needs of a row.
#[derive(Queryable, Selectable)]
#[diesel(table_name = observations)]
struct TalliedReading {
    slot_local: String,
    okta: i32,
    day_phase: Option<String>,
    quality: Option<String>,
}

#[derive(Clone, Copy, Default)]
struct Cell {
    n: u64,
    sum: u64,
    obscured: u64,
}

impl Cell {
    fn mean(self) -> Option<f64> {
        (self.n > 0).then(|| rounded(self.sum as f64 / self.n as f64))
    }
}

#[derive(Clone, Copy, Default)]
struct Night {
    readings: u64,
    clear: u64,
}

/// The sums of the rows so far.
struct HourTally {
    hours: [[Cell; 24]; 12],
    oktas: [[u64; 9]; 12],
    nights: BTreeMap<NaiveDate, Night>,
    years: BTreeSet<i32>,
    minutes: BTreeSet<u32>,
}

const CATEGORIES: [&str; 5] = ["SKC", "FEW", "SCT", "BKN", "OVC"];

/// The index in [`CATEGORIES`] of an okta's category.
const fn category_of(okta: usize) -> usize {
    match okta {
        0 => 0,
        1 | 2 => 1,
        3 | 4 => 2,
        5..=7 => 3,
        _ => 4,
    }
}

impl HourTally {
    fn new() -> Self {
        Self {
            hours: [[Cell::default(); 24]; 12],
            oktas: [[0; 9]; 12],
            nights: BTreeMap::new(),
            years: BTreeSet::new(),
            minutes: BTreeSet::new(),
        }
    }

    fn add(&mut self, slot: NaiveDateTime, okta: i32, night: bool) {
        let (month, hour) = (slot.month0() as usize, slot.hour() as usize);
        self.years.insert(slot.year());
        self.minutes.insert(slot.minute());
        let Some(okta) = usize::try_from(okta).ok().filter(|okta| *okta < 9) else {
            self.hours[month][hour].obscured += 1;
            return;
        };
        let cell = &mut self.hours[month][hour];
        cell.n += 1;
        cell.sum += okta as u64;
        self.oktas[month][okta] += 1;
        if night {
            let night = self.nights.entry(evening_of(slot)).or_default();
            night.readings += 1;
            night.clear += u64::from(okta <= 1);
        }
    }

    fn close(self, rule: &NightRule) -> Climatology {
        let minutes = rule
            .minutes
            .clone()
            .or_else(|| SlotGrid::new(self.minutes.iter().copied().collect()).ok());
        let mut judged = [(0_u64, 0_u64); 12];
        for (evening, night) in &self.nights {
            let slots = minutes.as_ref().map_or(0, |minutes| night_slots(*evening, minutes, rule));
            if slots == 0 || (night.readings as f64) < NIGHT_COVERED * slots as f64 {
                continue;
            }
            let of_month = &mut judged[evening.month0() as usize];
            of_month.0 += 1;
            if night.clear as f64 >= NIGHT_CLEAR * night.readings as f64 {
                of_month.1 += 1;
            }
        }
        let number = |index: usize| index as u32 + 1;
        let hours = self.hours.iter().enumerate().flat_map(|(month, hours)| {
            hours.iter().enumerate().map(move |(hour, cell)| HourOfMonth {
                month: number(month),
                hour: hour as u32,
                n: cell.n,
                mean_okta: cell.mean(),
                obscured: cell.obscured,
            })
        });
        let months = (0..12).map(|month| {
            let all = self.hours[month].iter().fold(Cell::default(), |sum, cell| Cell {
                n: sum.n + cell.n,
                sum: sum.sum + cell.sum,
                obscured: sum.obscured + cell.obscured,
            });
            let mut categories: BTreeMap<&'static str, u64> =
                CATEGORIES.iter().map(|name| (*name, 0)).collect();
            for (okta, n) in self.oktas[month].iter().enumerate() {
                *categories.entry(CATEGORIES[category_of(okta)]).or_default() += n;
            }
            let (nights, clear_nights) = judged[month];
            MonthOfYear {
                month: number(month),
                n: all.n,
                mean_okta: all.mean(),
                obscured: all.obscured,
                nights,
                clear_nights,
                clear_share: (nights > 0).then(|| rounded(clear_nights as f64 / nights as f64)),
                categories,
            }
        });
        Climatology {
            hours: hours.collect(),
            months: months.collect(),
            years: self.years.into_iter().collect(),
        }
    }
}

/// The day on which the night of `slot` begins: nights go from noon to noon.
fn evening_of(slot: NaiveDateTime) -> NaiveDate {
    (slot - TimeDelta::hours(12)).date()
}

/// Slots of the night that begins on `evening`, with the sun more than 18° below the horizon.
fn night_slots(evening: NaiveDate, minutes: &SlotGrid, rule: &NightRule) -> u64 {
    let noon = evening.and_time(chrono::NaiveTime::MIN) + TimeDelta::hours(12);
    let Ok(range) = SlotRange::new(noon, noon + TimeDelta::minutes(24 * 60 - 1)) else {
        return 0;
    };
    range
        .slots(minutes, rule.zone)
        .filter(|slot| {
            let sun = position(slot.utc(), rule.latitude, rule.longitude);
            DayPhase::from_elevation(sun.elevation) == DayPhase::Night
        })
        .count() as u64
}

impl Reader {
    /// The climatology of the readings that the filter lets through.
    pub(crate) fn climatology(
        &mut self,
        filter: &ReadingFilter,
        rule: &NightRule,
    ) -> Result<Climatology, StoreError> {
        self.ask(|connection| {
            let rows = observations::table
                .select(TalliedReading::as_select())
                .filter(filter.condition())
                .order(observations::slot_local.asc())
                .load_iter::<TalliedReading, DefaultLoadingMode>(connection)?;
            let mut tally = HourTally::new();
            for row in rows {
                let row = row?;
                // A picture of an earlier slot says nothing of this one.
                if is_frozen(row.quality.as_deref()) {
                    continue;
                }
                if let Some(slot) = parse_slot(&row.slot_local) {
                    tally.add(slot, row.okta, row.day_phase.as_deref() == Some("night"));
                }
            }
            Ok(tally.close(rule))
        })
    }
}
