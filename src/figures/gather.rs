//! Reads the data of a chart from the record.

use std::collections::HashMap;

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use super::data::{ChartData, Kind, Stored};
use super::order::{Order, saturated};
use crate::store::error::StoreError;
use crate::store::reader::{Climatology, DarkMonth, NightRule, Reader, ReadingFilter, Width};
use crate::store::rows::parse_slot;
use celaje_chart::bucket::{Bucket, Unit, regular};
use celaje_chart::timeline::MAX_DAYS;
use celaje_chart::timeline::strip::around;
use celaje_sky::night::Night;
use celaje_sky::slot::SlotRange;

/// Most rows of a chart: a month of one picture a minute.
const MOST_ROWS: usize = 50_000;
/// Ranges of up to this many days are averaged by the hour,
const BY_HOUR: i64 = 14;
/// of up to this many by the day, longer ones by the month.
const BY_DAY: i64 = 800;
/// Days of which it is told how often parts of the sky were clear.
pub(crate) const LATELY: i64 = 30;
/// Darkness is looked at for so long.
const TEN_YEARS: TimeDelta = TimeDelta::days(3653);

impl Order {
    fn filter(&self, edges: (NaiveDateTime, NaiveDateTime)) -> ReadingFilter {
        ReadingFilter::all(&self.place.id, edges)
    }

    /// Reads the data of a chart of `kind`. Drawing comes later, without a connection.
    pub fn gather(&self, kind: Kind, reader: &mut Reader) -> Result<ChartData, StoreError> {
        Ok(match kind {
            Kind::Timeline => return self.timeline(reader),
            Kind::History | Kind::Confidence => {
                let (unit, buckets) = self.buckets(reader)?;
                let replaced_until = reader.last_replaced(&self.place.id, self.range)?;
                let confidence = kind == Kind::Confidence;
                ChartData::Means { unit, buckets, confidence, replaced_until }
            }
            Kind::Distribution => ChartData::Distribution(self.all_in_one(reader)?),
            Kind::Calendar => {
                let (year, days) = self.days_of_the_year(reader)?;
                ChartData::Calendar { year, days }
            }
            Kind::Climatology => ChartData::Climatology(self.usual(reader)?),
            Kind::Nights => ChartData::Nights(self.usual(reader)?),
            Kind::Raster => ChartData::Raster(reader.covers(&self.place.id, self.range)?),
            Kind::DarkHours => ChartData::DarkHours(self.dark_hours(reader)?),
            Kind::DarkYears => ChartData::DarkYears(self.dark_hours(reader)?),
            Kind::Tonight => return self.tonight(reader),
            Kind::Dome => {
                let (id, slot) = (&self.place.id, self.range.1);
                let item = reader.observation(id, slot)?.map(Box::new);
                let from = slot.checked_sub_signed(TimeDelta::days(LATELY)).unwrap_or(slot);
                ChartData::Dome(item, reader.zone_counts(id, (from, slot))?)
            }
            Kind::Keogram => {
                let (from, to) = self.range;
                // A range over a midnight begins where it says, such as at noon.
                let midnight = to.date().and_time(NaiveTime::MIN);
                let from = if from < midnight { from } else { midnight };
                let stored = stored(reader, &self.place.id, from)?;
                ChartData::Keogram { from, stored }
            }
        })
    }

    fn timeline(&self, reader: &mut Reader) -> Result<ChartData, StoreError> {
        let earliest = self.range.1.date().and_time(NaiveTime::MIN) - TimeDelta::days(MAX_DAYS - 1);
        let (from, to) = (self.range.0.max(earliest), self.range.1);
        let Ok(range) = SlotRange::new(from, to) else {
            return Ok(ChartData::Blank);
        };
        let mut items = Vec::new();
        reader.observations(&self.filter((from, to)), MOST_ROWS, |item| items.push(item))?;
        let mut misses = Vec::new();
        reader.misses(&self.place.id, (from, to), None, MOST_ROWS, |item| {
            misses.extend(parse_slot(&item.slot));
        })?;
        let replaced_until = reader.last_replaced(&self.place.id, (from, to))?;
        Ok(ChartData::Timeline { range, items, misses, replaced_until })
    }

    /// The night that is at the end of the range, or the next one.
    fn tonight(&self, reader: &mut Reader) -> Result<ChartData, StoreError> {
        let (place, at) = (&self.place, self.range.1);
        let at = place.zone.instant(at).unwrap_or_else(|| at.and_utc());
        let night = Night::at(at, place.latitude, place.longitude);
        let (from, to) = night.span;
        let around = around(&night);
        let range = (place.zone.local(from) - around, place.zone.local(to) + around);
        let shown = Self { range, ..self.clone() }.timeline(reader)?;
        Ok(ChartData::Tonight(night, Box::new(shown)))
    }

    /// The buckets of the range: hours, days or months.
    fn unit(&self) -> Unit {
        let days = (self.range.1 - self.range.0).num_days();
        match days {
            ..BY_HOUR => Unit::Hour,
            BY_HOUR..BY_DAY => Unit::Day,
            _ => Unit::Month,
        }
    }

    fn buckets(&self, reader: &mut Reader) -> Result<(Unit, Vec<Bucket>), StoreError> {
        let unit = self.unit();
        let width = if unit == Unit::Hour { Width::Hour } else { Width::Day };
        let rows = reader.buckets(&self.filter(self.range), width, usize::MAX)?;
        let known = rows.iter().filter_map(counted);
        let known = match unit {
            Unit::Month => joined(known),
            Unit::Hour | Unit::Day => known.collect(),
        };
        let to = self.range.1.min(self.now).max(self.range.0);
        Ok((unit, regular(unit, self.range.0, to, known)))
    }

    /// The hours of darkness of the months of the range, then of its years.
    pub(super) fn dark_hours(&self, reader: &mut Reader) -> Result<Vec<DarkMonth>, StoreError> {
        let (from, to) = self.range;
        let Some(first) = self.first else { return Ok(Vec::new()) };
        let from = first.max(from);
        let to = to.min(self.due());
        let earliest = to.checked_sub_signed(TEN_YEARS).unwrap_or(from);
        let (id, rule) = (self.place.id.clone(), self.night_rule());
        reader.dark_hours(&id, (from.max(earliest), to), &rule)
    }

    /// The months that have readings, in any order.
    pub(super) fn by_month(&self, reader: &mut Reader) -> Result<Vec<Bucket>, StoreError> {
        let rows = reader.buckets(&self.filter(self.range), Width::Day, usize::MAX)?;
        Ok(joined(rows.iter().filter_map(counted)))
    }

    fn all_in_one(&self, reader: &mut Reader) -> Result<Bucket, StoreError> {
        let rows = reader.buckets(&self.filter(self.range), Width::Day, usize::MAX)?;
        let mut all = Bucket::empty(self.range.0);
        for bucket in rows.iter().filter_map(counted) {
            add(&mut all, &bucket);
        }
        Ok(all)
    }

    /// The year in which the range ends.
    fn days_of_the_year(&self, reader: &mut Reader) -> Result<(i32, Vec<Bucket>), StoreError> {
        let year = self.range.1.year();
        let edge = |month, day| NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default();
        let from = edge(1, 1).and_time(NaiveTime::MIN);
        let to = edge(12, 31).and_time(NaiveTime::MIN) + TimeDelta::minutes(24 * 60 - 1);
        let rows = reader.buckets(&self.filter((from, to)), Width::Day, usize::MAX)?;
        Ok((year, rows.iter().filter_map(counted).collect()))
    }

    fn usual(&self, reader: &mut Reader) -> Result<Climatology, StoreError> {
        reader.climatology(&self.filter(self.range), &self.night_rule())
    }

    fn night_rule(&self) -> NightRule {
        NightRule {
            latitude: self.place.latitude,
            longitude: self.place.longitude,
            zone: self.place.zone,
            minutes: self.place.minutes.clone(),
        }
    }
}

/// The record's sums as a chart's bucket.
fn counted(row: &crate::store::reader::Bucket) -> Option<Bucket> {
    Some(Bucket {
        from: parse_slot(&row.from)?,
        oktas: row.distribution.map(saturated),
        obscured: saturated(row.obscured),
        confidence: row.mean_confidence,
    })
}

/// Adds `other`'s readings to `bucket`; the confidence by their number.
pub(super) fn add(bucket: &mut Bucket, other: &Bucket) {
    let (before, more) = (f64::from(bucket.read()), f64::from(other.read()));
    bucket.confidence = match (bucket.confidence, other.confidence) {
        (Some(a), Some(b)) if before + more > 0.0 => {
            Some((a * before + b * more) / (before + more))
        }
        (a, b) => a.or(b),
    };
    for (code, n) in (0..9).zip(other.oktas) {
        bucket.count(code, n);
    }
    bucket.obscured = bucket.obscured.saturating_add(other.obscured);
}

/// Pictures of a day at most: one a minute.
const MOST_SLOTS: usize = 1440;

/// The slots of 24 hours that have a row, and so had a picture.
fn stored(reader: &mut Reader, station: &str, from: NaiveDateTime) -> Result<Stored, StoreError> {
    let filter = ReadingFilter::all(station, (from, from + TimeDelta::minutes(24 * 60 - 1)));
    let mut slots = Stored::new();
    reader.observations(&filter, MOST_SLOTS, |item| {
        slots.extend(item.time().map(|slot| (slot, item.url)))
    })?;
    Ok(slots)
}

/// Days put together to months.
fn joined(days: impl Iterator<Item = Bucket>) -> Vec<Bucket> {
    let mut months: HashMap<NaiveDateTime, Bucket> = HashMap::new();
    for day in days {
        let from = Unit::Month.floor(day.from);
        add(months.entry(from).or_insert_with(|| Bucket::empty(from)), &day);
    }
    months.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(month: u32, day: u32, code: u8, n: u32, confidence: f64) -> Bucket {
        let from = NaiveDate::from_ymd_opt(2026, month, day).unwrap().and_time(NaiveTime::MIN);
        let mut bucket = Bucket::empty(from);
        bucket.count(code, n);
        bucket.confidence = Some(confidence);
        bucket
    }

    #[test]
    fn days_are_put_together_by_the_number_of_their_readings() {
        let days = [day(3, 1, 0, 10, 0.5), day(3, 31, 8, 30, 0.9), day(4, 1, 2, 1, 1.0)];
        let mut months = joined(days.into_iter());
        months.sort_by_key(|month| month.from);
        let told: Vec<_> = months.iter().map(|m| (m.from.month(), m.read(), m.mean())).collect();
        assert_eq!(told, [(3, 40, Some(6.0)), (4, 1, Some(2.0))]);
        assert!((months[0].confidence.unwrap() - 0.8).abs() < 1e-9);
    }
}
