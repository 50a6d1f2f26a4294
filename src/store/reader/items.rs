//! Observations and misses, row by row.

use chrono::NaiveDateTime;
use diesel::connection::DefaultLoadingMode;
use diesel::dsl::{auto_type, sql};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable};
use diesel::sqlite::Sqlite;
use serde::{Serialize, Serializer};

use crate::store::error::StoreError;
use crate::store::reader::Reader;
use crate::store::rows::slot_text;
use crate::store::schema::{misses, observations};
use celaje_sky::outcome::MissReason;
use celaje_sky::quality::Flag;
use celaje_sky::sun::DayPhase;

/// A condition on the quality of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantedQuality {
    /// Nothing speaks against it, by day or by night.
    Faultless,
    /// It has this flag.
    With(Flag),
}

/// Which readings are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Station, by its id.
    pub station: String,
    /// First minute, station local time.
    pub from: NaiveDateTime,
    /// Last minute, included.
    pub to: NaiveDateTime,
    /// Any of these; all readings where there is none.
    pub quality: Vec<WantedQuality>,
    /// Only of this phase of the day.
    pub phase: Option<DayPhase>,
}

/// A row of `observations`, as it is told.
#[derive(Clone, Debug, PartialEq, Serialize, Queryable)]
pub struct ObservationItem {
    /// Station local time.
    pub slot: String,
    /// The same instant.
    pub slot_utc: Option<String>,
    /// 0 to 8, or 9 where the sky cannot be seen.
    pub okta: i32,
    /// 0 to 1.
    pub cloud_fraction: Option<f64>,
    /// 0 to 1.
    pub confidence: Option<f64>,
    /// `SKC` to `OVC`, `OBSC`.
    pub category: Option<String>,
    /// The same in Spanish words.
    pub description: Option<String>,
    /// Flags with commas between them, told as a list; `ok` is the empty list.
    #[serde(serialize_with = "as_list")]
    pub quality: Option<String>,
    /// Name and version.
    pub model: Option<String>,
    /// Degrees.
    pub solar_elevation: Option<f64>,
    /// `day`, `twilight`, `night`.
    pub day_phase: Option<String>,
    /// Where the picture was.
    pub url: Option<String>,
}

fn as_list<S: Serializer>(quality: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
    match quality.as_deref() {
        None => to.serialize_none(),
        Some(names) => to.collect_seq(names.split(',').filter(|name| !matches!(*name, "" | "ok"))),
    }
}

/// A row of `misses`, as it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Queryable)]
pub struct MissItem {
    /// Station local time.
    pub slot: String,
    /// The same instant.
    pub slot_utc: String,
    /// Why there is no observation.
    pub reason: String,
    /// The server's last status.
    pub http_status: Option<i32>,
    /// Requests of all runs together.
    pub attempts: i64,
    /// For a person.
    pub detail: String,
    /// UTC, `YYYY-MM-DD HH:MM:SS`.
    pub last_tried: String,
    /// The last run that tried.
    pub run: Option<i64>,
}

/// A reading that has come since one last looked.
#[derive(Clone, Debug, PartialEq, Queryable)]
pub struct NewObservation {
    /// Grows with each row written.
    pub rowid: i64,
    /// Station, by its id.
    pub station: String,
    /// The row.
    pub item: ObservationItem,
}

type Condition = Box<dyn BoxableExpression<observations::table, Sqlite, SqlType = Nullable<Bool>>>;

impl Wanted {
    pub(super) fn condition(&self) -> Condition {
        let mut all: Condition = Box::new(
            observations::station
                .eq(self.station.clone())
                .and(observations::slot_local.between(slot_text(self.from), slot_text(self.to)))
                .nullable(),
        );
        if let Some(phase) = self.phase {
            all = Box::new(all.and(observations::day_phase.eq(phase.as_str())));
        }
        let mut any: Option<Condition> = None;
        for quality in &self.quality {
            let one: Condition = match quality {
                WantedQuality::Faultless => {
                    Box::new(observations::quality.eq_any(["ok", "twilight", "night"]))
                }
                // No flag's name is a part of another's.
                WantedQuality::With(flag) => {
                    Box::new(observations::quality.like(format!("%{}%", flag.as_str())))
                }
            };
            any = Some(match any {
                None => one,
                Some(before) => Box::new(before.or(one)),
            });
        }
        match any {
            None => all,
            Some(any) => Box::new(all.and(any)),
        }
    }
}

/// The columns of an [`ObservationItem`], in its order.
#[auto_type(no_type_alias)]
fn told() -> _ {
    (
        observations::slot_local,
        observations::slot_utc,
        observations::okta,
        observations::cloud_fraction,
        observations::confidence,
        observations::category,
        observations::description,
        observations::quality,
        observations::model,
        observations::solar_elevation,
        observations::day_phase,
        observations::url,
    )
}

impl Reader {
    /// Hands the readings to `take`, ascending, `most` of them at most.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn observations(
        &mut self,
        wanted: &Wanted,
        most: usize,
        mut take: impl FnMut(ObservationItem),
    ) -> Result<(), StoreError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.ask(|connection| {
            observations::table
                .select(told())
                .filter(wanted.condition())
                .order(observations::slot_local.asc())
                .limit(most)
                .load_iter::<ObservationItem, DefaultLoadingMode>(connection)?
                .try_for_each(|row| row.map(&mut take))
        })
    }

    /// The last reading of a station.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn latest(&mut self, station: &str) -> Result<Option<ObservationItem>, StoreError> {
        self.ask(|connection| {
            observations::table
                .select(told())
                .filter(observations::station.eq(station))
                .order(observations::slot_local.desc())
                .first(connection)
                .optional()
        })
    }

    /// The reading of a slot.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn observation(
        &mut self,
        station: &str,
        slot: NaiveDateTime,
    ) -> Result<Option<ObservationItem>, StoreError> {
        self.ask(|connection| {
            observations::table
                .select(told())
                .filter(observations::station.eq(station))
                .filter(observations::slot_local.eq(slot_text(slot)))
                .first(connection)
                .optional()
        })
    }

    /// The rows written after `rowid`, of all stations, in the order in which they were written.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn written_after(
        &mut self,
        rowid: i64,
        most: usize,
    ) -> Result<Vec<NewObservation>, StoreError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.ask(|connection| {
            observations::table
                .select((sql::<BigInt>("rowid"), observations::station, told()))
                .filter(sql::<Bool>("rowid > ").bind::<BigInt, _>(rowid))
                .order(sql::<BigInt>("rowid"))
                .limit(most)
                .load(connection)
        })
    }

    /// The greatest `rowid` of the readings; 0 when there is none.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn last_rowid(&mut self) -> Result<i64, StoreError> {
        self.ask(|connection| {
            sql::<BigInt>("SELECT coalesce(max(rowid), 0) FROM observations").get_result(connection)
        })
    }

    /// The misses of a range, ascending, `most` of them at most; of one `reason` where it is given.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn misses(
        &mut self,
        station: &str,
        (from, to): (NaiveDateTime, NaiveDateTime),
        reason: Option<MissReason>,
        most: usize,
        mut take: impl FnMut(MissItem),
    ) -> Result<(), StoreError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.ask(|connection| {
            let mut query = misses::table
                .select(MISS)
                .filter(misses::station.eq(station))
                .filter(misses::slot_local.between(slot_text(from), slot_text(to)))
                .order(misses::slot_local.asc())
                .limit(most)
                .into_boxed();
            if let Some(reason) = reason {
                query = query.filter(misses::reason.eq(reason.as_str()));
            }
            query
                .load_iter::<MissItem, DefaultLoadingMode>(connection)?
                .try_for_each(|row| row.map(&mut take))
        })
    }

    /// The misses of all stations that were tried at `since` (UTC, as they are stored) or later,
    /// with their stations, in the order in which they were tried.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn missed_since(
        &mut self,
        since: &str,
        most: usize,
    ) -> Result<Vec<(String, MissItem)>, StoreError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.ask(|connection| {
            misses::table
                .select((misses::station, MISS))
                .filter(misses::last_tried.ge(since))
                .order((misses::last_tried.asc(), misses::slot_local.asc()))
                .limit(most)
                .load(connection)
        })
    }
}

type MissColumns = (
    misses::slot_local,
    misses::slot_utc,
    misses::reason,
    misses::http_status,
    misses::attempts,
    misses::detail,
    misses::last_tried,
    misses::run_id,
);

/// The columns of a [`MissItem`], in its order.
const MISS: MissColumns = (
    misses::slot_local,
    misses::slot_utc,
    misses::reason,
    misses::http_status,
    misses::attempts,
    misses::detail,
    misses::last_tried,
    misses::run_id,
);
