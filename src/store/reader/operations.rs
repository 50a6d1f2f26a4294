//! The file itself, and counts of misses and models.

use std::path::Path;

use diesel::dsl::{count_star, max, min, sql};
use diesel::prelude::*;
use diesel::sql_types::Text;
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::connection::damage;
use crate::store::error::StoreError;
use crate::store::reader::{Reader, ReasonCount};
use crate::store::rows::ForeignText;
use crate::store::schema::{misses, observations};

/// The readings of one model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, Queryable)]
pub struct ModelCount {
    /// Its name and version; none where another tool did not say.
    #[diesel(deserialize_as = ForeignText)]
    pub model: Option<String>,
    /// How many.
    pub n: i64,
    /// The first slot, station local time.
    pub first: Option<String>,
    /// The last one.
    pub last: Option<String>,
}

impl Reader {
    /// Where the record is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Version of the schema.
    pub(crate) fn schema_version(&mut self) -> Result<String, StoreError> {
        self.ask(|connection| {
            sql::<Text>("SELECT max(version) FROM __diesel_schema_migrations")
                .get_result(connection)
        })
    }

    /// What SQLite's `quick_check` finds wrong with the file; empty when it is sound.
    pub(crate) fn quick_check(&mut self) -> Result<Vec<String>, StoreError> {
        self.ask(|connection| damage(connection, true))
    }

    /// Misses by reason, the most usual first; of one station where it is given.
    pub(crate) fn missed_by_reason(
        &mut self,
        station: Option<&str>,
    ) -> Result<Vec<ReasonCount>, StoreError> {
        self.ask(|connection| {
            let counted = misses::table
                .group_by(misses::reason)
                .select((misses::reason, count_star()))
                .order((count_star().desc(), misses::reason.asc()));
            match station {
                Some(station) => counted.filter(misses::station.eq(station)).load(connection),
                None => counted.load(connection),
            }
        })
    }

    /// Readings by model, the latest first; of one station where it is given.
    pub(crate) fn models(&mut self, station: Option<&str>) -> Result<Vec<ModelCount>, StoreError> {
        self.ask(|connection| {
            let counted = observations::table
                .group_by(observations::model)
                .select((
                    observations::model,
                    count_star(),
                    min(observations::slot_local),
                    max(observations::slot_local),
                ))
                .order(max(observations::slot_local).desc());
            match station {
                Some(station) => counted.filter(observations::station.eq(station)).load(connection),
                None => counted.load(connection),
            }
        })
    }
}
