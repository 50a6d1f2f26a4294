//! Which pictures are the same bytes as the one before.
//!
//! A camera that has stopped goes on giving its last picture. A row is flagged `frozen` when the
//! row before it in time, of the same station, has the same SHA-256; how far apart they are does
//! not matter, since two pictures of a sky are never the same to the last bit. Rows come in any
//! order, and one that comes between two others separates them or not: so each commit settles the
//! flag of its own row by the row before, and that of the row after by its own, in its own
//! transaction. What the record says is then a function of its rows, whatever their order.

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

/// Settles the flag of the row after `slot`, whose own bytes are `sha256`.
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
    // What another tool wrote says nothing of its bytes.
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
