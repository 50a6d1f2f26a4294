//! The usable hours of darkness of each month.

use std::collections::{BTreeMap, HashMap};

use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeDelta};
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::error::StoreError;
use crate::store::reader::aggregate::rounded;
use crate::store::reader::{NightRule, Reader};
use celaje_sky::dark_hours::{DarkHours, DarkNight, DarkRule};
use celaje_sky::slot::SlotRange;

/// The dark hours of a month, whose nights begin in it, or of a year.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "DarkMonth")]
pub struct DarkMonth {
    /// `2024-06`, or `2024`.
    pub period: String,
    /// Hours with the sun more than 18° below the horizon and the moon below it.
    pub dark: f64,
    /// Those of which there is a reading of the sky.
    pub read: f64,
    /// Their share; null without dark hours.
    pub coverage: Option<f64>,
    /// All dark hours by the share of the read ones that is 0 or 1 okta; null without readings.
    pub usable: Option<f64>,
    /// The lower end of the 95 % interval of `usable`; null with readings of fewer than two nights.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
}

impl DarkMonth {
    fn new(period: String, nights: &[DarkNight], hours_a_slot: f64) -> Self {
        let hours = DarkHours::of(nights, hours_a_slot);
        Self {
            period,
            dark: rounded(hours.dark),
            read: rounded(hours.read),
            coverage: hours.coverage().map(rounded),
            usable: hours.usable.map(rounded),
            low: hours.interval.map(|(low, _)| rounded(low)),
            high: hours.interval.map(|(_, high)| rounded(high)),
        }
    }
}

impl Reader {
    /// The months of a range, then its years. Slots are those of `place`, one after another. The
    /// night that began in the month before the range is no part of it.
    pub(crate) fn dark_hours(
        &mut self,
        station: &str,
        (from, to): (NaiveDateTime, NaiveDateTime),
        place: &NightRule,
    ) -> Result<Vec<DarkMonth>, StoreError> {
        let Ok(range) = SlotRange::new(from, to) else {
            return Ok(Vec::new());
        };
        let rule = DarkRule::default();
        let minutes = place.minutes.clone().unwrap_or_default();
        let covers: HashMap<_, _> = self.covers(station, (from, to))?.into_iter().collect();
        let mut nights: BTreeMap<NaiveDate, DarkNight> = BTreeMap::new();
        for slot in range.slots(&minutes, place.zone) {
            let evening = slot.local().checked_sub_signed(TimeDelta::hours(12));
            let evening = evening.unwrap_or(slot.local()).date();
            if month(&evening) < month(&from.date()) {
                continue;
            }
            let night = nights.entry(evening).or_default();
            if !rule.is_dark(slot.utc(), place.latitude, place.longitude) {
                continue;
            }
            night.dark += 1;
            if let Some(okta) = covers.get(&slot.local()).and_then(|cover| cover.okta()) {
                night.read += 1;
                night.clear += u32::from(okta.eighths() <= rule.most_oktas);
            }
        }
        let hours = minutes.longest_gap().num_seconds() as f64 / 3600.0;
        let nights: Vec<_> = nights.into_iter().collect();
        let year = |day: &NaiveDate| (day.year(), None);
        let mut all = grouped(&nights, month, hours);
        all.extend(grouped(&nights, year, hours));
        Ok(all)
    }
}

fn month(day: &NaiveDate) -> (i32, Option<u32>) {
    (day.year(), Some(day.month()))
}

/// The nights by month or year, which lie together.
fn grouped(
    nights: &[(NaiveDate, DarkNight)],
    of: impl Fn(&NaiveDate) -> (i32, Option<u32>),
    hours_a_slot: f64,
) -> Vec<DarkMonth> {
    let groups = nights.chunk_by(|(a, _), (b, _)| of(a) == of(b));
    let group = |group: &[(NaiveDate, DarkNight)]| {
        let (year, month) = of(&group.first()?.0);
        let period = month.map_or(year.to_string(), |month| format!("{year}-{month:02}"));
        let nights: Vec<DarkNight> = group.iter().map(|(_, night)| *night).collect();
        Some(DarkMonth::new(period, &nights, hours_a_slot))
    };
    groups.filter_map(group).collect()
}
