//! Slots without a reading, row by row.

use chrono::NaiveDateTime;
use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;
use diesel::sqlite::Sqlite;
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::error::StoreError;
use crate::store::reader::Reader;
use crate::store::rows::{last_text, slot_text};
use crate::store::schema::misses;
use celaje_sky::outcome::MissReason;

/// A row of `misses`, as the API gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, Queryable, Selectable)]
#[diesel(table_name = misses)]
#[schemars(rename = "Miss")]
pub struct MissItem {
    /// Station local time.
    #[diesel(column_name = slot_local)]
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
    #[diesel(column_name = run_id)]
    pub run: Option<i64>,
}

/// A row of `misses` with all columns, as the export gives it.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Serialize)]
#[diesel(table_name = misses)]
pub struct MissedSlot {
    /// Station.
    pub station: String,
    /// Station local time, `YYYY-MM-DDTHH:MM`.
    pub slot_local: String,
    /// The same in UTC.
    pub slot_utc: String,
    /// Why there is no reading.
    pub reason: String,
    /// The server's last status.
    pub http_status: Option<i32>,
    /// Requests of all runs together.
    pub attempts: i64,
    /// For a person.
    pub detail: String,
    /// When it was last asked for, UTC.
    pub last_tried: String,
    /// The run that asked last.
    pub run_id: Option<i64>,
    /// Base address or folder.
    pub source: String,
    /// Layout that the run was told to look in.
    pub layout: String,
    /// The place that was not looked in.
    pub unasked: Option<String>,
}

type Edges = (NaiveDateTime, NaiveDateTime);

/// The misses of `station`, or of all, from one minute to another, or all, ascending.
fn between<'a>(station: Option<&str>, edges: Option<Edges>) -> misses::BoxedQuery<'a, Sqlite> {
    let mut query =
        misses::table.order((misses::station.asc(), misses::slot_local.asc())).into_boxed();
    if let Some(station) = station {
        query = query.filter(misses::station.eq(station.to_owned()));
    }
    if let Some((from, to)) = edges {
        query = query.filter(misses::slot_local.between(slot_text(from), last_text(to)));
    }
    query
}

impl Reader {
    /// The miss of the newest slot that has one.
    pub(crate) fn newest_miss(&mut self, station: &str) -> Result<Option<MissedSlot>, StoreError> {
        let of_station = misses::table.filter(misses::station.eq(station));
        let newest = of_station.order(misses::slot_local.desc()).select(MissedSlot::as_select());
        self.ask(|connection| newest.first(connection).optional())
    }

    /// Hands the misses of a range to `take`, ascending, `most` of them at most; of one `reason`
    /// where it is given.
    pub(crate) fn misses(
        &mut self,
        station: &str,
        edges: Edges,
        reason: Option<MissReason>,
        most: usize,
        mut take: impl FnMut(MissItem),
    ) -> Result<(), StoreError> {
        let mut query = between(Some(station), Some(edges));
        if let Some(reason) = reason {
            query = query.filter(misses::reason.eq(reason.as_str()));
        }
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.ask(|connection| {
            query
                .limit(most)
                .select(MissItem::as_select())
                .load_iter::<MissItem, DefaultLoadingMode>(connection)?
                .try_for_each(|row| row.map(&mut take))
        })
    }

    /// Hands the misses of `station`, or of all, to `take`, whose error ends it.
    pub(crate) fn export_misses<E>(
        &mut self,
        station: Option<&str>,
        edges: Option<Edges>,
        mut take: impl FnMut(MissedSlot) -> Result<(), E>,
    ) -> Result<Result<(), E>, StoreError> {
        self.ask(|connection| {
            let query = between(station, edges).select(MissedSlot::as_select());
            for row in query.load_iter::<MissedSlot, DefaultLoadingMode>(connection)? {
                if let Err(error) = take(row?) {
                    return Ok(Err(error));
                }
            }
            Ok(Ok(()))
        })
    }

    /// The misses of all stations that were tried at `since` (UTC, as they are stored) or later,
    /// with their stations, in the order in which they were tried.
    pub(crate) fn missed_since(
        &mut self,
        since: &str,
        most: usize,
    ) -> Result<Vec<(String, MissItem)>, StoreError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.ask(|connection| {
            misses::table
                .select((misses::station, MissItem::as_select()))
                .filter(misses::last_tried.ge(since))
                .order((misses::last_tried.asc(), misses::slot_local.asc()))
                .limit(most)
                .load(connection)
        })
    }
}
