//! How often parts of the sky are clear.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use crate::store::error::StoreError;
use crate::store::reader::Reader;
use crate::store::rows::{last_text, slot_text};

/// Readings of a part of the sky.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct ZoneCount {
    /// Its name; none for the cap around the zenith.
    #[diesel(sql_type = Nullable<Text>)]
    pub name: Option<String>,
    /// Readings that tell its cloud.
    #[diesel(sql_type = BigInt)]
    pub n: i64,
    /// Of these, those of 0 or 1 okta there.
    #[diesel(sql_type = BigInt)]
    pub clear: i64,
}

/// A cloud fraction below 3/16 is 0 or 1 okta. Pictures of a camera that stands still do not count.
const ZONES: &str = "WITH seen AS (SELECT zones, zenith_fraction FROM observations \
     WHERE station = ? AND slot_local BETWEEN ? AND ? \
     AND (quality IS NULL OR quality NOT LIKE '%frozen%')) \
     SELECT NULL AS name, count(zenith_fraction) AS n, \
     coalesce(sum(zenith_fraction < 0.1875), 0) AS clear FROM seen \
     UNION ALL SELECT * FROM (SELECT each.key AS name, count(*) AS n, \
     sum(each.value < 0.1875) AS clear \
     FROM seen, json_each(CASE WHEN json_valid(zones) THEN zones END) AS each \
     WHERE each.type IN ('real', 'integer') GROUP BY each.key ORDER BY each.key)";

impl Reader {
    /// The cap around the zenith, then the zones by name.
    pub(crate) fn zone_counts(
        &mut self,
        station: &str,
        (from, to): (NaiveDateTime, NaiveDateTime),
    ) -> Result<Vec<ZoneCount>, StoreError> {
        self.ask(|connection| {
            diesel::sql_query(ZONES)
                .bind::<Text, _>(station)
                .bind::<Text, _>(slot_text(from))
                .bind::<Text, _>(last_text(to))
                .load(connection)
        })
    }
}
