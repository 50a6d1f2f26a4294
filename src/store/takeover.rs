//! Taking over a database file of the replaced system.
//!
//! Its table `registro_historico` makes way for the view of the same name. A row whose file name
//! names a moment and whose okta is 0 to 8 becomes an observation; any other row is kept as it is
//! in `legacy_rows`. Both show through the view with the texts they had, until a reading of the
//! same file name hides the latter. What else the table had (columns, indices, triggers) stays in
//! the copy alone. A copy of the file is made first, and everything after it is one transaction:
//! whatever interrupts it leaves the file as it was.

use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel_migrations::MigrationHarness;

use crate::store::completion::{self, StationPlace};
use crate::store::connection::{MIGRATIONS, objects};
use crate::store::copy;
use crate::store::error::Fault;
use crate::store::lock::with_suffix;
use crate::store::register_station;
use celaje_sky::station::Station;

/// What was taken over from the replaced system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// Rows that its table had; `placed + kept_verbatim`.
    pub rows: i64,
    /// Rows that are observations now.
    pub placed: i64,
    /// Rows that are none (an odd file name, no okta), kept as they were.
    pub kept_verbatim: i64,
    /// What of the table only the copy has.
    pub left: LeftBehind,
    /// The file as it was before.
    pub copy: PathBuf,
}

/// What the replaced system's table had and the view has not, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftBehind {
    /// Columns beyond the nine.
    pub columns: Vec<String>,
    /// Indices, but for those by file name or capture: the record has these.
    pub indices: Vec<String>,
    /// Triggers.
    pub triggers: Vec<String>,
}

impl LeftBehind {
    /// Whether all of the table came along.
    pub const fn is_empty(&self) -> bool {
        self.columns.is_empty() && self.indices.is_empty() && self.triggers.is_empty()
    }
}

/// The table's columns, in its order; all but the first and the fourth may be missing.
const COLUMNS: [&str; 9] = [
    "filename",
    "url_imagen",
    "fecha_captura",
    "octas_predichas",
    "confianza",
    "categoria",
    "descripcion",
    "modelo_version",
    "created_at",
];

/// Names that the record needs for itself.
const OURS: [&str; 7] = [
    "stations",
    "runs",
    "observations",
    "misses",
    "year_layouts",
    "legacy_rows",
    "__diesel_schema_migrations",
];

/// The local time that a file name stands for, as SQL; the triggers of the view say the same.
const SLOT: &str = "substr(filename, 1, 4) || '-' || substr(filename, 6, 2) || '-' \
     || substr(filename, 8, 2) || 'T' || substr(filename, 10, 2) || ':' || substr(filename, 12, 2)";

/// Whether a row is a reading of a slot, as SQL over [`SLOT`].
fn is_reading() -> String {
    format!(
        "coalesce(filename >= '1900' \
         AND filename = strftime('%Y-%m%d%H%M.jpg', {SLOT}, '+0 days') \
         AND CAST(octas_predichas AS TEXT) IN ('0', '1', '2', '3', '4', '5', '6', '7', '8', \
             '0.0', '1.0', '2.0', '3.0', '4.0', '5.0', '6.0', '7.0', '8.0'), 0)"
    )
}

/// Takes the file over; the caller holds the writer's lock and found the replaced system's table.
///
/// # Errors
/// When a column or a name stands in the way, the copy cannot be made, or SQLite fails: the file
/// is then as it was, and no copy is left.
pub(super) fn take_over(
    connection: &mut SqliteConnection,
    path: &Path,
    station: &Station,
) -> Result<Adopted, Fault> {
    let names = objects(connection)?;
    if let Some((_, name)) = names.iter().find(|(_, name)| OURS.contains(&name.as_str())) {
        return Err(Fault::Clash(name.clone()));
    }
    source(connection)?;
    let left = left_behind(connection)?;
    let copy = copy_of(connection, path)?;
    match connection.immediate_transaction(|connection| take_over_within(connection, station)) {
        Ok((rows, placed, kept_verbatim)) => {
            Ok(Adopted { rows, placed, kept_verbatim, left, copy })
        }
        Err(fault) => {
            // Just made, of a file that has not changed since.
            let _ = std::fs::remove_file(&copy);
            Err(fault)
        }
    }
}

/// The takeover proper, in the caller's transaction. Gives the numbers of rows, placed and kept.
pub(super) fn take_over_within(
    connection: &mut SqliteConnection,
    station: &Station,
) -> Result<(i64, i64, i64), Fault> {
    let source = source(connection)?;
    completion::register(
        connection,
        StationPlace {
            zone: station.zone,
            latitude: station.latitude,
            longitude: station.longitude,
        },
    )?;
    move_rows(connection, &source, station)
}

fn left_behind(connection: &mut SqliteConnection) -> Result<LeftBehind, Fault> {
    let ours = COLUMNS.map(|name| format!("'{name}'")).join(", ");
    let mut names = |query: &str| sql::<Text>(query).load::<String>(connection);
    Ok(LeftBehind {
        columns: names(&format!(
            "SELECT name FROM pragma_table_xinfo('registro_historico') \
             WHERE lower(name) NOT IN ({ours}) AND hidden <> 1 ORDER BY cid"
        ))?,
        // Those without a text belong to a key.
        indices: names(
            "SELECT name FROM sqlite_schema AS it \
             WHERE type = 'index' AND lower(tbl_name) = 'registro_historico' AND sql IS NOT NULL \
                 AND (SELECT group_concat(coalesce(lower(name), '')) \
                     FROM pragma_index_info(it.name)) NOT IN ('filename', 'fecha_captura') \
             ORDER BY name",
        )?,
        triggers: names(
            "SELECT name FROM sqlite_schema \
             WHERE type = 'trigger' AND lower(tbl_name) = 'registro_historico' ORDER BY name",
        )?,
    })
}

/// The common table expression `old`: the replaced system's rows with `reads` (is it a reading)
/// and `copy` (0 for the first of a file name, a reading where there is one).
fn source(connection: &mut SqliteConnection) -> Result<String, Fault> {
    let present: Vec<String> =
        sql::<Text>("SELECT lower(name) FROM pragma_table_info('registro_historico')")
            .load(connection)?;
    for needed in ["filename", "octas_predichas"] {
        if !present.iter().any(|name| name == needed) {
            return Err(Fault::OddTable(needed));
        }
    }
    let columns = COLUMNS
        .map(|name| match present.iter().any(|p| p == name) {
            true => name.to_owned(),
            false => format!("NULL AS {name}"),
        })
        .join(", ");
    // A table without a key can hold a file name twice, and SQLite's TEXT PRIMARY KEY many NULLs.
    let repeated =
        sql::<BigInt>("SELECT count(*) - count(DISTINCT filename) FROM registro_historico")
            .get_result::<i64>(connection)?;
    let has_rowid = sql::<BigInt>("SELECT wr FROM pragma_table_list('registro_historico')")
        .get_result::<i64>(connection)?
        == 0;
    let reads = is_reading();
    let copy = if repeated == 0 {
        "0".to_owned()
    } else {
        let order = if has_rowid { ", rowid" } else { "" };
        format!(
            "row_number() OVER (PARTITION BY filename COLLATE BINARY ORDER BY {reads} DESC{order}) \
            - 1"
        )
    };
    Ok(format!(
        "WITH old AS (SELECT {columns}, {reads} AS reads, {copy} AS copy FROM registro_historico)"
    ))
}

/// Copies the file, with what its log holds, to a new file beside it, whole and verified or not at
/// all.
fn copy_of(connection: &mut SqliteConnection, path: &Path) -> Result<PathBuf, Fault> {
    let copy = (1..)
        .map(|n| match n {
            1 => with_suffix(path, ".before-celaje.bak"),
            _ => with_suffix(path, &format!(".before-celaje-{n}.bak")),
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
) -> Result<(i64, i64, i64), Fault> {
    let migration =
        |error: Box<dyn std::error::Error + Send + Sync>| Fault::Migration(error.to_string());
    let rows = sql::<BigInt>("SELECT count(*) FROM registro_historico").get_result(connection)?;
    // The first migration makes the tables; the next ones need the name registro_historico free.
    connection.run_next_migration(MIGRATIONS).map_err(migration)?;
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
    connection.batch_execute("DROP TABLE registro_historico")?;
    connection.run_pending_migrations(MIGRATIONS).map_err(migration)?;
    Ok((rows, placed, kept))
}
