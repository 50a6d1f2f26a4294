//! Columns of a slot that SQL alone cannot compute: the instant in UTC and the sun's elevation.
//!
//! Rows of the replaced system, and rows that other tools write through `registro_historico`, have
//! the local time only. This program's connection has SQL functions that compute the rest.

use chrono::{DateTime, FixedOffset, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};

use crate::store::error::Fault;
use crate::store::rows::{parse_slot, utc_text};
use crate::store::schema::stations;
use celaje_sky::slot::Zone;
use celaje_sky::sun::{self, DayPhase};

#[diesel::declare_sql_function]
extern "SQL" {
    fn celaje_slot_utc(slot_local: Text) -> Nullable<Text>;
    fn celaje_solar_elevation(slot_local: Text) -> Nullable<Double>;
    fn celaje_day_phase(slot_local: Text) -> Nullable<Text>;
    fn celaje_offset(slot_local: Text) -> Nullable<Text>;
}

/// A station's place on earth and its clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct StationPlace {
    pub(super) zone: Zone,
    pub(super) latitude: f64,
    pub(super) longitude: f64,
}

impl StationPlace {
    /// The instant of a `slot_local`; none when the station's clock never showed it.
    fn instant(self, slot_local: &str) -> Option<DateTime<Utc>> {
        self.zone.instant(parse_slot(slot_local)?)
    }

    /// `-03:00`: what the station's clock is ahead of UTC at a `slot_local`.
    fn offset(self, slot_local: &str) -> Option<String> {
        let ahead = parse_slot(slot_local)? - self.instant(slot_local)?.naive_utc();
        let seconds = i32::try_from(ahead.num_seconds()).ok()?;
        Some(FixedOffset::east_opt(seconds)?.to_string())
    }

    fn elevation(self, slot_local: &str) -> Option<f64> {
        let instant = self.instant(slot_local)?;
        Some(sun::position(instant, self.latitude, self.longitude).elevation)
    }
}

/// Makes the functions known to the connection; each gives NULL for a time that never was.
pub(super) fn register(
    connection: &mut SqliteConnection,
    place: StationPlace,
) -> Result<(), Fault> {
    celaje_slot_utc_utils::register_impl(connection, move |slot: String| {
        place.instant(&slot).map(utc_text)
    })?;
    celaje_solar_elevation_utils::register_impl(connection, move |slot: String| {
        place.elevation(&slot)
    })?;
    celaje_day_phase_utils::register_impl(connection, move |slot: String| {
        place.elevation(&slot).map(|degrees| DayPhase::from_elevation(degrees).as_str())
    })?;
    celaje_offset_utils::register_impl(connection, move |slot: String| place.offset(&slot))?;
    Ok(())
}

/// Completes the rows that wait for it; gives their number.
pub(super) fn complete(connection: &mut SqliteConnection) -> Result<usize, Fault> {
    let waiting: Vec<(String, f64, f64, String)> = stations::table
        .filter(sql::<Bool>("id IN (SELECT station FROM observations WHERE slot_utc IS NULL)"))
        .select((stations::id, stations::latitude, stations::longitude, stations::time_zone))
        .load(connection)?;
    let mut completed = 0;
    for (id, latitude, longitude, zone) in waiting {
        // A name that only a newer time zone database knows: the rows wait.
        let Ok(zone) = zone.parse::<Zone>() else { continue };
        register(connection, StationPlace { zone, latitude, longitude })?;
        completed += diesel::sql_query(
            "UPDATE observations SET \
                 slot_utc = celaje_slot_utc(slot_local), \
                 solar_elevation = celaje_solar_elevation(slot_local), \
                 day_phase = celaje_day_phase(slot_local) \
             WHERE station = ? AND slot_utc IS NULL AND celaje_slot_utc(slot_local) IS NOT NULL",
        )
        .bind::<Text, _>(id)
        .execute(connection)?;
    }
    Ok(completed)
}
