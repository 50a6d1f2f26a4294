//! The flag `frozen`: a picture has the same bytes as the one before.
//!
//! A camera that has stopped goes on serving its last picture. A row has the flag when the row
//! before it in time, of the same station, has the same SHA-256, however far apart they are: two
//! pictures of a sky never agree to the last bit. Rows come in any order, and a new row can come
//! between two others, so each commit sets the flag of its own row and of the row after it. The
//! flags then depend on the rows alone, not on the order in which they came.

use diesel::prelude::*;

use crate::store::schema::observations;
use celaje_sky::quality::with_frozen;

/// Whether the row before `slot` has the bytes `sha256`.
pub(super) fn repeats_the_one_before(
    connection: &mut SqliteConnection,
    station: &str,
    slot: &str,
    sha256: &str,
) -> QueryResult<bool> {
    let before: Option<Option<String>> = observations::table
        .select(observations::image_sha256)
        .filter(observations::station.eq(station))
        .filter(observations::slot_local.lt(slot))
        .order(observations::slot_local.desc())
        .first(connection)
        .optional()?;
    Ok(before.flatten().as_deref() == Some(sha256))
}

/// Sets the flag of the row after `slot`; `sha256` is that of the row at `slot`.
pub(super) fn settle_the_one_after(
    connection: &mut SqliteConnection,
    station: &str,
    slot: &str,
    sha256: &str,
) -> QueryResult<()> {
    type Row = (String, Option<String>, Option<String>);
    let after: Option<Row> = observations::table
        .select((observations::slot_local, observations::quality, observations::image_sha256))
        .filter(observations::station.eq(station))
        .filter(observations::slot_local.gt(slot))
        .order(observations::slot_local.asc())
        .first(connection)
        .optional()?;
    // A row of another tool has no SHA-256.
    let Some((next, Some(quality), Some(bytes))) = after else {
        return Ok(());
    };
    let settled = with_frozen(&quality, bytes == sha256);
    if settled != quality {
        diesel::update(observations::table.find((station, &next)))
            .set(observations::quality.eq(settled))
            .execute(connection)?;
    }
    Ok(())
}
