//! Runs, row by row.

use diesel::dsl::count_star;
use diesel::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::error::StoreError;
use crate::store::reader::Reader;
use crate::store::schema::{misses, runs};

/// A row of `runs`, as the API gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, Queryable, Selectable)]
#[diesel(table_name = runs)]
#[schemars(rename = "Run")]
pub struct RunItem {
    /// Its key.
    pub id: i64,
    /// Station, by its id.
    pub station: String,
    /// First minute of its range, station local time.
    #[serde(rename = "from")]
    pub range_from: String,
    /// Last minute.
    #[serde(rename = "to")]
    pub range_to: String,
    /// Slots of the range.
    pub total: i64,
    /// Observations written.
    pub new: i64,
    /// Slots that were stored already.
    pub duplicates: i64,
    /// Slots without an observation.
    pub missed: i64,
    /// `running`, `finished`, `interrupted`, `failed`.
    pub status: String,
    /// UTC, `YYYY-MM-DD HH:MM:SS`.
    pub started_at: String,
    /// None while it runs.
    pub finished_at: Option<String>,
    /// Of the program.
    pub version: String,
    /// Inference engine, its version and device.
    pub engine: String,
    /// Name and version.
    pub model: String,
    /// `backfill`, `live`, `catch-up`.
    pub kind: String,
}

/// Misses of one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, Queryable)]
pub struct ReasonCount {
    /// The reason's stored name.
    pub reason: String,
    /// How many.
    pub n: i64,
}

impl Reader {
    /// The last runs, latest first; of one station or of all.
    pub(crate) fn runs(
        &mut self,
        station: Option<&str>,
        before: Option<i64>,
        most: usize,
    ) -> Result<Vec<RunItem>, StoreError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.ask(|connection| {
            let mut query = runs::table
                .select(RunItem::as_select())
                .order(runs::id.desc())
                .limit(most)
                .into_boxed();
            if let Some(station) = station {
                query = query.filter(runs::station.eq(station));
            }
            if let Some(before) = before {
                query = query.filter(runs::id.lt(before));
            }
            query.load(connection)
        })
    }

    /// A run.
    pub(crate) fn run(&mut self, id: i64) -> Result<Option<RunItem>, StoreError> {
        self.ask(|connection| {
            runs::table.find(id).select(RunItem::as_select()).first(connection).optional()
        })
    }

    /// The misses of which the run was the last to try, by reason.
    pub(crate) fn missed_in(&mut self, run: i64) -> Result<Vec<ReasonCount>, StoreError> {
        self.ask(|connection| {
            misses::table
                .filter(misses::run_id.eq(run))
                .group_by(misses::reason)
                .select((misses::reason, count_star()))
                .order(misses::reason.asc())
                .load(connection)
        })
    }
}
