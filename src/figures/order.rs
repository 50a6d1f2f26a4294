//! Which chart is to be drawn: of what station, of what range, how.

use chrono::{Datelike, NaiveDateTime, TimeDelta};

use celaje_chart::look::Look;
use celaje_sky::slot::{Slot, SlotGrid, SlotRange, Zone};

/// The station of a chart.
#[derive(Clone, Debug)]
pub struct Place {
    /// The key of its rows.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Degrees, north positive.
    pub latitude: f64,
    /// Degrees, east positive.
    pub longitude: f64,
    /// Its clock.
    pub zone: Zone,
    /// Minutes of an hour at which there is a picture, where the settings say them.
    pub minutes: Option<SlotGrid>,
}

/// The chart that is to be drawn.
#[derive(Clone, Debug)]
pub struct Order {
    /// Of which station.
    pub place: Place,
    /// First and last minute, station local time.
    pub range: (NaiveDateTime, NaiveDateTime),
    /// The moment now on the station's clock: slots after it are not expected yet.
    pub now: NaiveDateTime,
    /// The first slot that has a reading, if any has: before it nothing is expected.
    pub first: Option<NaiveDateTime>,
    /// How.
    pub look: Look,
}

/// From a slot's minute until it has had its time: the picture is asked for after a minute.
const DUE_AFTER: TimeDelta = TimeDelta::minutes(2);

impl Order {
    /// The last minute whose slot is due.
    pub(crate) fn due(&self) -> NaiveDateTime {
        self.now.checked_sub_signed(DUE_AFTER).unwrap_or(self.now)
    }

    /// The slots of a range that are due.
    pub(crate) fn slots(&self, range: SlotRange) -> Vec<NaiveDateTime> {
        let minutes = self.place.minutes.clone().unwrap_or_default();
        let slots = range.slots(&minutes, self.place.zone).map(Slot::local);
        let due = self.due();
        slots.take_while(|slot| *slot <= due).collect()
    }
}

impl Order {
    /// The months of the year, January first, that the range has had since the record began.
    pub(crate) fn months_due(&self) -> [bool; 12] {
        let Some(first) = self.first else { return [false; 12] };
        let (from, to) = (self.range.0.max(first), self.range.1.min(self.due()));
        let month = |time: NaiveDateTime| i64::from(time.year()) * 12 + i64::from(time.month0());
        let (begin, end) = (month(from), month(to));
        std::array::from_fn(|n| {
            (begin..=end).take(12).any(|month| month.rem_euclid(12) == n as i64)
        })
    }
}

/// A count of the record as a chart's.
pub(crate) fn saturated(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
