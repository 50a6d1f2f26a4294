//! What a run reads of the record before it begins, and what it remembers for the next one.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::connection::DefaultLoadingMode;
use diesel::dsl::{auto_type, max, min};
use diesel::prelude::*;

use crate::store::Database;
use crate::store::error::{Fault, StoreError};
use crate::store::rows::{parse_slot, parse_timestamp, slot_text};
use crate::store::runs::PictureSource;
use crate::store::schema::{celaje_identity, misses, observations, year_layouts};
use celaje_sky::layout::Layout;
use celaje_sky::outcome::MissReason;
use celaje_sky::slot::SlotRange;

/// A miss, as the plan of a run needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownMiss {
    /// Station local time.
    pub slot: NaiveDateTime,
    /// Why there is no observation.
    pub reason: MissReason,
    /// When it was last asked for.
    pub last_tried: DateTime<Utc>,
    /// In doubt as long as it was not looked for in this place too.
    pub unasked: Option<Layout>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = misses)]
struct KnownMissRow {
    slot_local: String,
    reason: String,
    last_tried: String,
    unasked: Option<String>,
}

impl KnownMissRow {
    /// None where this program does not know the reason or the place.
    fn known(self) -> Option<KnownMiss> {
        Some(KnownMiss {
            slot: parse_slot(&self.slot_local)?,
            reason: MissReason::parse(&self.reason)?,
            last_tried: parse_timestamp(&self.last_tried)?,
            unasked: match self.unasked {
                Some(name) => Some(Layout::parse(&name)?),
                None => None,
            },
        })
    }
}

/// The slots of a range that are stored: answered by the key's index alone.
#[auto_type(no_type_alias)]
pub(super) fn stored_in<'a>(station: &'a str, from: &'a str, to: &'a str) -> _ {
    observations::table
        .select(observations::slot_local)
        .filter(observations::station.eq(station))
        .filter(observations::slot_local.between(from, to))
        .order(observations::slot_local.asc())
}

/// Those that have a miss.
#[auto_type(no_type_alias)]
fn missed_in<'a>(station: &'a str, from: &'a str, to: &'a str) -> _ {
    misses::table
        .filter(misses::station.eq(station))
        .filter(misses::slot_local.between(from, to))
        .order(misses::slot_local.asc())
}

/// The slots of the range that have an observation, ascending; one query.
pub(super) fn stored_slots(
    connection: &mut SqliteConnection,
    station: &str,
    range: SlotRange,
) -> QueryResult<Vec<NaiveDateTime>> {
    let (from, to) = (slot_text(range.from()), slot_text(range.end()));
    stored_in(station, &from, &to)
        .load_iter::<String, DefaultLoadingMode>(connection)?
        .filter_map(|slot| slot.map(|slot| parse_slot(&slot)).transpose())
        .collect()
}

/// The slots of the range that have a miss, whatever was asked, ascending; one query.
pub(super) fn missed_slots(
    connection: &mut SqliteConnection,
    station: &str,
    range: SlotRange,
) -> QueryResult<Vec<NaiveDateTime>> {
    let (from, to) = (slot_text(range.from()), slot_text(range.end()));
    missed_in(station, &from, &to)
        .select(misses::slot_local)
        .load_iter::<String, DefaultLoadingMode>(connection)?
        .filter_map(|slot| slot.map(|slot| parse_slot(&slot)).transpose())
        .collect()
}

impl Database {
    /// The slots of the range that have an observation, ascending; one query.
    pub fn stored_slots(&mut self, range: SlotRange) -> Result<Vec<NaiveDateTime>, StoreError> {
        self.ask(|connection, station| stored_slots(connection, station, range))
    }

    /// The misses of `source` in the range, ascending; one query.
    ///
    /// A reason or a place that this program does not know is left out: the slot is then asked for
    /// again.
    pub(crate) fn known_misses(
        &mut self,
        range: SlotRange,
        source: &PictureSource,
    ) -> Result<Vec<KnownMiss>, StoreError> {
        self.ask(|connection, station| {
            let (from, to) = (slot_text(range.from()), slot_text(range.end()));
            missed_in(station, &from, &to)
                .filter(misses::source.eq(&source.address))
                .filter(misses::layout.eq(source.layout.as_str()))
                .select(KnownMissRow::as_select())
                .load_iter::<KnownMissRow, DefaultLoadingMode>(connection)?
                .filter_map(|row| row.map(KnownMissRow::known).transpose())
                .collect()
        })
    }

    /// The newest slot of the database's station that has a reading.
    pub(crate) fn newest_slot(&mut self) -> Result<Option<NaiveDateTime>, StoreError> {
        let newest: Option<String> = self.ask(|connection, station| {
            let own = observations::table.filter(observations::station.eq(station));
            own.select(max(observations::slot_local)).first(connection)
        })?;
        Ok(newest.as_deref().and_then(parse_slot))
    }

    /// The SHA-256 of the pictures of the newest slots that have a reading, `most` at most.
    pub(crate) fn newest_pictures(&mut self, most: usize) -> Result<Vec<String>, StoreError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let newest: Vec<Option<String>> = self.ask(|connection, station| {
            let own = observations::table.filter(observations::station.eq(station));
            let newest = own.order(observations::slot_local.desc()).limit(most);
            newest.select(observations::image_sha256).load(connection)
        })?;
        Ok(newest.into_iter().flatten().collect())
    }

    /// What others know this record by: a random number of its own.
    pub(crate) fn identity(&mut self) -> Result<String, StoreError> {
        self.ask(|connection, _| {
            celaje_identity::table.select(celaje_identity::id).first(connection)
        })
    }

    /// The first slot of the database's station that has a reading or a miss.
    pub(crate) fn first_entry(&mut self) -> Result<Option<NaiveDateTime>, StoreError> {
        let first: [Option<String>; 2] = self.ask(|connection, station| {
            let read = observations::table.filter(observations::station.eq(station));
            let missed = misses::table.filter(misses::station.eq(station));
            Ok([
                read.select(min(observations::slot_local)).first(connection)?,
                missed.select(min(misses::slot_local)).first(connection)?,
            ])
        })?;
        Ok(first.iter().flatten().filter_map(|slot| parse_slot(slot)).min())
    }

    /// The last slot up to `until` of the database's station that has a reading or a miss.
    pub(crate) fn last_entry(
        &mut self,
        until: NaiveDateTime,
    ) -> Result<Option<NaiveDateTime>, StoreError> {
        let until = slot_text(until);
        let last: [Option<String>; 2] = self.ask(|connection, station| {
            let read = observations::table.filter(observations::station.eq(station));
            let read = read.filter(observations::slot_local.le(&until));
            let missed = misses::table.filter(misses::station.eq(station));
            let missed = missed.filter(misses::slot_local.le(&until));
            Ok([
                read.select(max(observations::slot_local)).first(connection)?,
                missed.select(max(misses::slot_local)).first(connection)?,
            ])
        })?;
        Ok(last.iter().flatten().filter_map(|slot| parse_slot(slot)).max())
    }

    /// Where the server kept each year's pictures when last looked, by year.
    pub fn remembered_layouts(&mut self) -> Result<Vec<(i32, Layout)>, StoreError> {
        let rows: Vec<(i32, String)> = self.ask(|connection, station| {
            year_layouts::table
                .select((year_layouts::year, year_layouts::layout))
                .filter(year_layouts::station.eq(station))
                .order(year_layouts::year.asc())
                .load(connection)
        })?;
        let known = |(year, name): (i32, String)| Some((year, Layout::parse(&name)?));
        Ok(rows.into_iter().filter_map(known).collect())
    }

    /// Remembers where the server keeps a year's pictures.
    pub fn remember_layout(&mut self, year: i32, layout: Layout) -> Result<(), StoreError> {
        let now = self.dated();
        self.ask(|connection, station| {
            diesel::replace_into(year_layouts::table)
                .values((
                    year_layouts::station.eq(station),
                    year_layouts::year.eq(year),
                    year_layouts::layout.eq(layout.as_str()),
                    year_layouts::seen_at.eq(&now),
                ))
                .execute(connection)
                .map(drop)
        })
    }

    /// Runs `question` about the database's station, and pairs its error with the path.
    pub(super) fn ask<T>(
        &mut self,
        question: impl FnOnce(&mut SqliteConnection, &str) -> QueryResult<T>,
    ) -> Result<T, StoreError> {
        question(&mut self.connection, &self.station)
            .map_err(|error| Fault::from(error).at(&self.path))
    }
}
