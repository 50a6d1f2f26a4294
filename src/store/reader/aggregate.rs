//! Readings summed up by hour and by day, in one pass over the rows.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};
use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::error::StoreError;
use crate::store::reader::items::{Confidence, confidence};
use crate::store::reader::{Reader, ReadingFilter};
use crate::store::rows::{parse_slot, slot_text};
use crate::store::schema::observations;
use celaje_sky::quality::Flag;

/// The length of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// An hour of the station's clock.
    Hour,
    /// A day of it.
    Day,
}

impl Width {
    /// The first minute of the bucket that holds `time`.
    pub(crate) fn start(self, time: NaiveDateTime) -> NaiveDateTime {
        let hour = match self {
            Self::Hour => time.hour(),
            Self::Day => 0,
        };
        let start = NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or(NaiveTime::MIN);
        time.date().and_time(start)
    }

    /// The last minute of the bucket that begins at `start`.
    pub(crate) fn last_minute(self, start: NaiveDateTime) -> NaiveDateTime {
        let minutes = match self {
            Self::Hour => 59,
            Self::Day => 24 * 60 - 1,
        };
        start
            .checked_add_signed(TimeDelta::minutes(minutes))
            .unwrap_or(NaiveDate::MAX.and_time(NaiveTime::MIN))
    }
}

/// The readings of an hour or a day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Bucket {
    /// Its first minute, station local time.
    pub from: String,
    /// Readings with an okta from 0 to 8.
    pub n: u64,
    /// Slots of the station's camera in the bucket and in the range of the query; none where the
    /// settings do not name the station.
    pub slots: Option<u64>,
    /// Mean of the oktas; none without a reading, like the other means.
    pub mean_okta: Option<f64>,
    /// Mean of the cloud fractions, 0 to 1.
    pub mean_fraction: Option<f64>,
    /// Mean of the confidences, 0 to 1.
    pub mean_confidence: Option<f64>,
    /// Pictures in which the sky cannot be seen (okta 9); not in `n`.
    pub obscured: u64,
    /// Pictures with the same bytes as the one before. They say nothing of their slot; only this
    /// field counts them.
    pub frozen: u64,
    /// Readings of each okta, 0 to 8.
    pub distribution: [u64; 9],
    /// Readings of 0 and 1 okta.
    pub clear: u64,
    /// Readings of 7 and 8 oktas.
    pub cloudy: u64,
}

/// What a sum needs of a row.
#[derive(Queryable, Selectable)]
#[diesel(table_name = observations)]
struct SummedReading {
    slot_local: String,
    okta: i32,
    cloud_fraction: Option<f64>,
    #[diesel(select_expression = confidence(), select_expression_type = Confidence)]
    confidence: Option<f64>,
    quality: Option<String>,
}

#[derive(Default)]
struct Sum {
    bucket: Bucket,
    fraction: Mean,
    confidence: Mean,
}

#[derive(Default)]
struct Mean {
    n: u64,
    sum: f64,
}

impl Mean {
    fn add(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.n += 1;
            self.sum += value;
        }
    }

    /// Rounded to four places; none without a value.
    fn get(&self) -> Option<f64> {
        (self.n > 0).then(|| rounded(self.sum / self.n as f64))
    }
}

/// Whether the `quality` of a row has the flag `frozen`.
pub(super) fn is_frozen(quality: Option<&str>) -> bool {
    let mut flags = quality.unwrap_or_default().split(',');
    flags.any(|flag| flag == Flag::Frozen.as_str())
}

/// To four places.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

impl Sum {
    fn add(&mut self, row: &SummedReading) {
        if is_frozen(row.quality.as_deref()) {
            self.bucket.frozen += 1;
            return;
        }
        let place = usize::try_from(row.okta).ok();
        match place.and_then(|okta| self.bucket.distribution.get_mut(okta)) {
            Some(count) => {
                *count += 1;
                self.fraction.add(row.cloud_fraction);
                self.confidence.add(row.confidence);
            }
            None => self.bucket.obscured += 1,
        }
    }

    fn close(mut self) -> Bucket {
        let counts = self.bucket.distribution;
        let n: u64 = counts.iter().sum();
        let oktas: u64 = (0..).zip(counts).map(|(okta, count)| okta * count).sum();
        self.bucket.n = n;
        self.bucket.mean_okta = (n > 0).then(|| rounded(oktas as f64 / n as f64));
        self.bucket.mean_fraction = self.fraction.get();
        self.bucket.mean_confidence = self.confidence.get();
        self.bucket.clear = counts[0] + counts[1];
        self.bucket.cloudy = counts[7] + counts[8];
        self.bucket
    }
}

impl Reader {
    /// The readings summed up by `width`, ascending, at most `most` buckets. Buckets without a row
    /// are left out. The caller fills in `slots`.
    pub(crate) fn buckets(
        &mut self,
        filter: &ReadingFilter,
        width: Width,
        most: usize,
    ) -> Result<Vec<Bucket>, StoreError> {
        self.ask(|connection| {
            let rows = observations::table
                .select(SummedReading::as_select())
                .filter(filter.condition())
                .order(observations::slot_local.asc())
                .load_iter::<SummedReading, DefaultLoadingMode>(connection)?;
            let mut buckets = Vec::new();
            let mut open: Option<(NaiveDateTime, Sum)> = None;
            for row in rows {
                let row = row?;
                let Some(time) = parse_slot(&row.slot_local) else {
                    continue;
                };
                let start = width.start(time);
                if open.as_ref().is_none_or(|(at, _)| *at != start) {
                    buckets.extend(open.take().map(|(_, sum)| sum.close()));
                    if buckets.len() >= most {
                        return Ok(buckets);
                    }
                    let mut sum = Sum::default();
                    sum.bucket.from = slot_text(start);
                    open = Some((start, sum));
                }
                if let Some((_, sum)) = &mut open {
                    sum.add(&row);
                }
            }
            buckets.extend(open.map(|(_, sum)| sum.close()));
            Ok(buckets)
        })
    }
}
