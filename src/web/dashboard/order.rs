//! Which chart is to be drawn: of what station, of what range, how.

use chrono::NaiveDateTime;

use celaje_chart::look::Look;
use celaje_sky::slot::{Minutes, Slot, SlotRange, Zone};

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
    pub minutes: Option<Minutes>,
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
    /// How.
    pub look: Look,
}

impl Order {
    /// The slots of a range that are past.
    pub(super) fn slots(&self, range: SlotRange) -> Vec<NaiveDateTime> {
        let minutes = self.place.minutes.clone().unwrap_or_default();
        let slots = range.slots(&minutes, self.place.zone).map(Slot::local);
        slots.take_while(|slot| *slot <= self.now).collect()
    }
}

/// A count of the record as a chart's.
pub(super) fn saturated(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
