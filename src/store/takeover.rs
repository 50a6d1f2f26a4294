//! Taking over a database file of the replaced system.
//!
//! The view `registro_historico` takes the place of its table of that name. A row whose file name
//! names a moment and whose okta is 0 to 8 becomes an observation; any other row is kept as it is
//! in `legacy_rows`. Both show through the view with the texts they had. A row of `legacy_rows` is
//! hidden once there is a reading of its file name.
//!
//! The table itself stays in the file under another name where the record has no place for some of
//! it, or where an object of the user's depends on it. Foreign keys to it then go on referring to
//! the same rows. No row of it is deleted, so no foreign key acts.
//!
//! A copy of the file is made first. Everything after it is one transaction: a takeover that is
//! interrupted leaves the file as it was.

mod address;
mod plan;
mod rehearsal;
mod rows;

use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::store::completion::{self, StationPlace};
use crate::store::connection::{run_migrations, transaction};
use crate::store::copy;
use crate::store::error::Fault;
use crate::store::lock::{companion, with_suffix};
use crate::store::register_station;
use crate::store::takeover::rows::{COLUMNS, SLOT};
use celaje_sky::station::Station;

pub(super) use plan::plan;
pub use plan::{BrokenObject, TakeoverPlan};

/// What was taken over from the replaced system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeoverReport {
    /// Rows that its table had; `placed + kept_verbatim`.
    pub rows: i64,
    /// Rows that are observations now.
    pub placed: i64,
    /// Rows that are none (an odd file name, no okta), kept as they were.
    pub kept_verbatim: i64,
    /// The file as it was before.
    pub copy: PathBuf,
}

/// Takes the file over as planned; the caller holds the writer's lock.
///
/// # Errors
/// When the copy cannot be made, or SQLite fails. The file is then as it was, and no copy is left,
/// unless SQLite could not roll back either.
pub(super) fn take_over(
    connection: &mut SqliteConnection,
    path: &Path,
    station: &Station,
    plan: &TakeoverPlan,
) -> Result<TakeoverReport, Fault> {
    let copy = copy_of(connection, path)?;
    let stays_as = plan.stays_as.as_deref();
    let taken = prepare(connection, stays_as.is_some()).and_then(|()| {
        transaction(connection, |connection| take_over_within(connection, station, stays_as))
    });
    connection.batch_execute("PRAGMA legacy_alter_table = OFF")?;
    match taken {
        Ok((rows, placed, kept_verbatim)) => {
            Ok(TakeoverReport { rows, placed, kept_verbatim, copy })
        }
        Err(fault) => {
            // The file is as it was, unless a journal is left for the next opening to roll back.
            if !companion(path, "-journal").exists() {
                let _ = std::fs::remove_file(&copy);
            }
            Err(fault)
        }
    }
}

/// Sets how SQLite renames and drops a table, which it lets nobody set inside a transaction.
///
/// A table that stays takes the foreign keys to it along under its new name, while views and
/// triggers go on naming `registro_historico`. One that goes is dropped with foreign keys off: else
/// SQLite deletes its rows first, and acts upon what refers to them.
fn prepare(connection: &mut SqliteConnection, stays: bool) -> Result<(), Fault> {
    let keys = if stays { "ON" } else { "OFF" };
    connection
        .batch_execute(&format!("PRAGMA legacy_alter_table = ON; PRAGMA foreign_keys = {keys}"))?;
    Ok(())
}

/// The takeover itself, in the caller's transaction, after [`prepare`]. The old table goes, or
/// stays under another name. Gives the numbers of rows, placed and kept.
pub(super) fn take_over_within(
    connection: &mut SqliteConnection,
    station: &Station,
    stays_as: Option<&str>,
) -> Result<(i64, i64, i64), Fault> {
    completion::register(
        connection,
        StationPlace {
            zone: station.zone,
            latitude: station.latitude,
            longitude: station.longitude,
        },
    )?;
    rows::register(connection)?;
    let source = rows::old_rows(connection)?;
    move_rows(connection, &source, station, stays_as)
}

/// Copies the file, with what its log holds, to a new file beside it, whole and verified or not at
/// all.
fn copy_of(connection: &mut SqliteConnection, path: &Path) -> Result<PathBuf, Fault> {
    let copy = (1..)
        .map(|n| match n {
            1 => companion(path, ".before-celaje.bak"),
            _ => companion(path, &format!(".before-celaje-{n}.bak")),
        })
        .find(|copy| !copy.exists())
        .unwrap_or_default();
    let part = with_suffix(&copy, ".part");
    let rows = |connection: &mut SqliteConnection| {
        sql::<BigInt>("SELECT count(*) FROM registro_historico")
            .get_result::<i64>(connection)
            .map_err(|e| e.to_string())
    };
    let made = rows(connection).and_then(|before| {
        copy::copy((connection, path), (&part, &copy), false, |copied| {
            match rows(copied)? {
                // The replaced system may have written another row meanwhile.
                n if n >= before => Ok(()),
                n => Err(format!("{n} of {before} rows")),
            }
        })
    });
    match made {
        Ok(()) => Ok(copy),
        Err(reason) => Err(Fault::Copy { copy, reason }),
    }
}

/// Makes the tables, moves the rows, puts the view in the table's place.
fn move_rows(
    connection: &mut SqliteConnection,
    source: &str,
    station: &Station,
    stays_as: Option<&str>,
) -> Result<(i64, i64, i64), Fault> {
    let rows = sql::<BigInt>("SELECT count(*) FROM registro_historico").get_result(connection)?;
    // The first migration makes the tables; the next ones need the name registro_historico free.
    run_migrations(connection, 1)?;
    register_station(connection, station)?;
    let placed = diesel::sql_query(format!(
        "{source} INSERT INTO observations (station, slot_local, slot_utc, file_name, url, okta, \
             confidence, category, description, model, solar_elevation, day_phase, created_at, \
             captured_at, origin) \
         SELECT ?, {SLOT}, celaje_slot_utc({SLOT}), filename, url_imagen, octas_predichas, \
             confianza, categoria, descripcion, modelo_version, celaje_solar_elevation({SLOT}), \
             celaje_day_phase({SLOT}), created_at, fecha_captura, 'registro_historico' \
         FROM old WHERE reads AND copy = 0 ORDER BY filename"
    ))
    .bind::<Text, _>(&station.id)
    .execute(connection)?;
    let columns = COLUMNS.join(", ");
    let kept = diesel::sql_query(format!(
        "{source} INSERT INTO legacy_rows (copy, {columns}) \
         SELECT copy, {columns} FROM old WHERE NOT (reads AND copy = 0)"
    ))
    .execute(connection)?;
    let (placed, kept) = (placed as i64, kept as i64);
    if placed + kept != rows {
        return Err(Fault::Lost { rows, taken: placed + kept });
    }
    connection.batch_execute(&match stays_as {
        Some(name) => format!("ALTER TABLE registro_historico RENAME TO {name}"),
        None => "DROP TABLE registro_historico".to_owned(),
    })?;
    run_migrations(connection, usize::MAX)?;
    Ok((rows, placed, kept))
}
