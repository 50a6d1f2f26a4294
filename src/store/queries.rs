//! Reading the record.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::connection::DefaultLoadingMode;
use diesel::dsl::auto_type;
use diesel::prelude::*;

use crate::store::Database;
use crate::store::error::{Fault, StoreError};
use crate::store::rows::{parse_slot, parse_timestamp, slot_text, timestamp};
use crate::store::runs::Asked;
use crate::store::schema::{misses, observations, year_layouts};
use celaje_sky::cover::Cover;
use celaje_sky::layout::Layout;
use celaje_sky::outcome::MissReason;
use celaje_sky::slot::SlotRange;
use celaje_sky::sun::DayPhase;

/// An observation as plots need it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StoredReading {
    /// Station local time.
    pub slot: NaiveDateTime,
    /// Cloud amount, or that the sky could not be seen.
    pub cover: Cover,
    /// Cloud fraction, 0 to 1; none when the model only classified.
    pub cloud_fraction: Option<f64>,
    /// Probability that the amount is right, 0 to 1; none when another tool did not say, and where
    /// the sky could not be seen.
    pub confidence: Option<f64>,
    /// None until a row that another tool wrote has been completed.
    pub day_phase: Option<DayPhase>,
}

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

/// The slots of a range that are stored: answered by the key's index alone.
#[auto_type(no_type_alias)]
pub(super) fn stored_in<'a>(station: &'a str, from: &'a str, to: &'a str) -> _ {
    observations::table
        .select(observations::slot_local)
        .filter(observations::station.eq(station))
        .filter(observations::slot_local.between(from, to))
        .order(observations::slot_local.asc())
}

impl Database {
    /// The slots of the range that have an observation, ascending; one query.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn stored_slots(&mut self, range: SlotRange) -> Result<Vec<NaiveDateTime>, StoreError> {
        let (from, to) = (slot_text(range.from()), slot_text(range.to()));
        let station = self.station.clone();
        self.ask(|connection| {
            stored_in(&station, &from, &to)
                .load_iter::<String, DefaultLoadingMode>(connection)?
                .filter_map(|slot| slot.map(|slot| parse_slot(&slot)).transpose())
                .collect()
        })
    }

    /// The slots of the range that have a miss, whatever was asked, ascending; one query.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn missed_slots(&mut self, range: SlotRange) -> Result<Vec<NaiveDateTime>, StoreError> {
        let (from, to) = (slot_text(range.from()), slot_text(range.to()));
        let station = self.station.clone();
        self.ask(|connection| {
            misses::table
                .select(misses::slot_local)
                .filter(misses::station.eq(&station))
                .filter(misses::slot_local.between(&from, &to))
                .order(misses::slot_local.asc())
                .load_iter::<String, DefaultLoadingMode>(connection)?
                .filter_map(|slot| slot.map(|slot| parse_slot(&slot)).transpose())
                .collect()
        })
    }

    /// The slots of the range that have a miss of what is `asked` now, ascending; one query.
    ///
    /// A reason or a place that this program does not know is left out: the slot is then asked for
    /// again.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn known_misses(
        &mut self,
        range: SlotRange,
        asked: &Asked,
    ) -> Result<Vec<KnownMiss>, StoreError> {
        type Row = (String, String, String, Option<String>);
        let (from, to) = (slot_text(range.from()), slot_text(range.to()));
        let station = self.station.clone();
        let known = |(slot, reason, last_tried, unasked): Row| {
            Some(KnownMiss {
                slot: parse_slot(&slot)?,
                reason: MissReason::parse(&reason)?,
                last_tried: parse_timestamp(&last_tried)?,
                unasked: match unasked {
                    Some(name) => Some(Layout::parse(&name)?),
                    None => None,
                },
            })
        };
        self.ask(|connection| {
            misses::table
                .select((misses::slot_local, misses::reason, misses::last_tried, misses::unasked))
                .filter(misses::station.eq(&station))
                .filter(misses::slot_local.between(&from, &to))
                .filter(misses::source.eq(&asked.source))
                .filter(misses::layout.eq(asked.layout.as_str()))
                .order(misses::slot_local.asc())
                .load_iter::<Row, DefaultLoadingMode>(connection)?
                .filter_map(|row| row.map(known).transpose())
                .collect()
        })
    }

    /// The observations of the range, ascending.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn day_readings(&mut self, range: SlotRange) -> Result<Vec<StoredReading>, StoreError> {
        type Row = (String, i32, Option<f64>, Option<f64>, Option<String>);
        let (from, to) = (slot_text(range.from()), slot_text(range.to()));
        let station = self.station.clone();
        self.ask(|connection| {
            let reading = |(slot, okta, cloud_fraction, confidence, phase): Row| {
                Some(StoredReading {
                    slot: parse_slot(&slot)?,
                    cover: u8::try_from(okta).ok().and_then(Cover::from_code)?,
                    cloud_fraction,
                    confidence,
                    day_phase: phase.and_then(|name| {
                        [DayPhase::Day, DayPhase::Twilight, DayPhase::Night]
                            .into_iter()
                            .find(|phase| phase.as_str() == name)
                    }),
                })
            };
            observations::table
                .select((
                    observations::slot_local,
                    observations::okta,
                    observations::cloud_fraction,
                    observations::confidence,
                    observations::day_phase,
                ))
                .filter(observations::station.eq(&station))
                .filter(observations::slot_local.between(&from, &to))
                .order(observations::slot_local.asc())
                .load_iter::<Row, DefaultLoadingMode>(connection)?
                .filter_map(|row| row.map(reading).transpose())
                .collect()
        })
    }

    /// Where the server kept each year's pictures when last looked, by year.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn remembered_layouts(&mut self) -> Result<Vec<(i32, Layout)>, StoreError> {
        let station = self.station.clone();
        let rows: Vec<(i32, String)> = self.ask(|connection| {
            year_layouts::table
                .select((year_layouts::year, year_layouts::layout))
                .filter(year_layouts::station.eq(&station))
                .order(year_layouts::year.asc())
                .load(connection)
        })?;
        Ok(rows
            .into_iter()
            .filter_map(|(year, name)| Some((year, Layout::parse(&name)?)))
            .collect())
    }

    /// Remembers where the server keeps a year's pictures.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn remember_layout(&mut self, year: i32, layout: Layout) -> Result<(), StoreError> {
        let station = self.station.clone();
        self.ask(|connection| {
            diesel::replace_into(year_layouts::table)
                .values((
                    year_layouts::station.eq(&station),
                    year_layouts::year.eq(year),
                    year_layouts::layout.eq(layout.as_str()),
                    year_layouts::seen_at.eq(timestamp(Utc::now())),
                ))
                .execute(connection)
        })
        .map(drop)
    }

    /// Runs `question`, and pairs its error with the database's path.
    fn ask<T>(
        &mut self,
        question: impl FnOnce(&mut SqliteConnection) -> QueryResult<T>,
    ) -> Result<T, StoreError> {
        question(&mut self.connection).map_err(|error| Fault::from(error).at(&self.path))
    }
}
