//! The flag `frozen`: a picture has the same bytes as the one before.
//!
//! A camera that has stopped goes on serving its last picture. A row has the flag when the row
//! before it in time, of the same station, has the same SHA-256, however far apart they are: two
//! pictures of a sky never agree to the last bit. Rows come in any order, and a new row can come
//! between two others, so whoever writes rows sets the flag of these and of the row after each. The
//! flags then depend on the rows alone, not on the order in which they came.

use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Bool, Text};
use diesel::sqlite::Sqlite;

use crate::store::schema::observations;
use celaje_sky::quality::with_frozen;

/// Rows whose flag is wrong, among some slots of a station and the slot after each: slot, quality,
/// what the flag should be. A row of another tool has no SHA-256, and no flag.
///
/// A type of its own, so that its statement is prepared once.
struct WrongFlags<'a> {
    station: &'a str,
    /// A JSON array.
    slots: &'a str,
}

impl QueryId for WrongFlags<'_> {
    type QueryId = WrongFlags<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for WrongFlags<'_> {
    type SqlType = (Text, Text, Bool);
}

impl RunQueryDsl<SqliteConnection> for WrongFlags<'_> {}

impl QueryFragment<Sqlite> for WrongFlags<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("WITH written (station, slot) AS MATERIALIZED (SELECT ");
        out.push_bind_param::<Text, _>(self.station)?;
        out.push_sql(", value FROM json_each(");
        out.push_bind_param::<Text, _>(self.slots)?;
        out.push_sql(
            ")), concerned (station, slot) AS (\
                 SELECT station, slot FROM written UNION SELECT station, (\
                     SELECT slot_local FROM observations AS later \
                     WHERE later.station = written.station AND later.slot_local > written.slot \
                     ORDER BY slot_local LIMIT 1) FROM written), \
             judged (slot, quality, has, repeats) AS (\
                 SELECT slot_local, quality, instr(',' || quality || ',', ',frozen,') > 0, \
                     image_sha256 IS (\
                         SELECT image_sha256 FROM observations AS earlier \
                         WHERE earlier.station = concerned.station \
                             AND earlier.slot_local < concerned.slot \
                         ORDER BY slot_local DESC LIMIT 1) \
                 FROM concerned CROSS JOIN observations AS row \
                     ON row.station = concerned.station AND row.slot_local = concerned.slot \
                 WHERE quality IS NOT NULL AND image_sha256 IS NOT NULL) \
             SELECT slot, quality, repeats FROM judged WHERE has <> repeats",
        );
        Ok(())
    }
}

/// Sets the flag of the rows at `slots`, a JSON array, and of the row after each.
pub(super) fn settle(
    connection: &mut SqliteConnection,
    station: &str,
    slots: &str,
) -> QueryResult<()> {
    let wrong: Vec<(String, String, bool)> = WrongFlags { station, slots }.load(connection)?;
    for (slot, quality, repeats) in wrong {
        diesel::update(observations::table.find((station, &slot)))
            .set(observations::quality.eq(with_frozen(&quality, repeats)))
            .execute(connection)?;
    }
    Ok(())
}
