//! The replaced system's rows as SQL, in the nine columns of today's form, whichever form its table
//! has.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::store::error::Fault;

/// The columns of today's form; of a table that is taken over, most may be missing.
pub(super) const COLUMNS: [&str; 9] = [
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

/// The moment of the older form, which stands for `created_at` there.
pub(super) const OLDER_MOMENT: &str = "fecha_hora_prediccion";

/// The local time that a file name stands for, as SQL; the triggers of the view say the same.
pub(super) const SLOT: &str = "substr(filename, 1, 4) || '-' || substr(filename, 6, 2) || '-' \
     || substr(filename, 8, 2) || 'T' || substr(filename, 10, 2) || ':' || substr(filename, 12, 2)";

/// The name of the picture at `url_imagen`: of a slot where its last part names one, whatever the
/// extension, else that last part; NULL where there is none.
const NAME_IN_URL: &str = "(SELECT CASE WHEN lower(last) GLOB \
         '[0-9][0-9][0-9][0-9]-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9].jp*g' \
     AND lower(substr(last, 14)) IN ('.jpg', '.jpeg') \
     OR lower(last) GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9].png' \
     THEN substr(last, 1, 13) || '.jpg' ELSE nullif(last, '') END \
     FROM (SELECT replace(path, rtrim(path, replace(path, '/', '')), '') AS last \
     FROM (SELECT substr(whole, 1, instr(whole || '?', '?') - 1) AS path \
     FROM (SELECT replace(url_imagen, '\\', '/') AS whole))))";

/// The older form's moment with the station's offset, as today's `created_at` has it; a text that
/// is no moment of the station's clock stays as it is.
const MOMENT_WITH_OFFSET: &str = "CASE WHEN fecha_hora_prediccion GLOB \
         '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][T ][0-9][0-9]:[0-9][0-9]*' \
     AND substr(fecha_hora_prediccion, 17) NOT GLOB '*[^0-9.:]*' \
     THEN coalesce(fecha_hora_prediccion || celaje_offset( \
         replace(substr(fecha_hora_prediccion, 1, 16), ' ', 'T')), fecha_hora_prediccion) \
     ELSE fecha_hora_prediccion END";

/// Whether a file name names a moment, as SQL.
fn names_a_slot() -> String {
    format!("filename >= '1900' AND filename = strftime('%Y-%m%d%H%M.jpg', {SLOT}, '+0 days')")
}

/// Whether a row is a reading of a slot, as SQL.
fn is_reading() -> String {
    let names_a_slot = names_a_slot();
    format!(
        "coalesce({names_a_slot} \
         AND CAST(octas_predichas AS TEXT) IN ('0', '1', '2', '3', '4', '5', '6', '7', '8', \
             '0.0', '1.0', '2.0', '3.0', '4.0', '5.0', '6.0', '7.0', '8.0'), 0)"
    )
}

/// The columns that the table has, in its order, and generated ones too: name as written and in
/// lower case.
fn present(connection: &mut SqliteConnection) -> Result<Vec<(String, String)>, Fault> {
    Ok(sql::<(Text, Text)>(
        "SELECT name, lower(name) FROM pragma_table_xinfo('registro_historico') \
         WHERE hidden <> 1 ORDER BY cid",
    )
    .load(connection)?)
}

/// The columns that the record has no place for.
pub(super) fn further_columns(connection: &mut SqliteConnection) -> Result<Vec<String>, Fault> {
    let present = present(connection)?;
    let has = |name: &str| present.iter().any(|(_, lower)| lower == name);
    let is_moment = |lower: &str| lower == OLDER_MOMENT && !has("created_at");
    let further = present
        .iter()
        .filter(|(_, lower)| !COLUMNS.contains(&lower.as_str()) && !is_moment(lower))
        .map(|(name, _)| name.clone());
    Ok(further.collect())
}

/// The common table expression `old`: the rows in today's form, with `reads` (is it a reading) and
/// `copy` (0 for the first of a file name, a reading where there is one).
///
/// # Errors
/// [`Fault::OddTable`] when the table has no okta, or neither a file name nor an address.
pub(super) fn old_rows(connection: &mut SqliteConnection) -> Result<String, Fault> {
    let present = present(connection)?;
    let has = |name: &str| present.iter().any(|(_, lower)| lower == name);
    if !has("octas_predichas") {
        return Err(Fault::OddTable("octas_predichas"));
    }
    if !has("filename") && !has("url_imagen") {
        return Err(Fault::OddTable("filename"));
    }
    let named = COLUMNS.map(|name| match name {
        _ if has(name) => name.to_owned(),
        "filename" => format!("{NAME_IN_URL} AS filename"),
        "created_at" if has(OLDER_MOMENT) => format!("{MOMENT_WITH_OFFSET} AS created_at"),
        _ => format!("NULL AS {name}"),
    });
    let has_rowid = sql::<BigInt>("SELECT wr FROM pragma_table_list('registro_historico')")
        .get_result::<i64>(connection)?
        == 0;
    let place = if has_rowid { "rowid" } else { "0" };
    // A table without a key can hold a file name twice, and SQLite's TEXT PRIMARY KEY many NULLs.
    let repeated = sql::<BigInt>(&format!(
        "SELECT count(*) - count(DISTINCT filename) FROM (SELECT {} FROM registro_historico)",
        named[0]
    ))
    .get_result::<i64>(connection)?;
    let named = format!(
        "WITH named AS MATERIALIZED (SELECT {}, {place} AS place FROM registro_historico)",
        named.join(", ")
    );
    let (reads, slot) = (is_reading(), names_a_slot());
    let copy = match repeated {
        0 => "0".to_owned(),
        _ => format!(
            "row_number() OVER (PARTITION BY filename COLLATE BINARY ORDER BY {reads} DESC, place) \
             - 1"
        ),
    };
    let columns = COLUMNS.map(|name| match name {
        "fecha_captura" if !has(name) && !has("filename") => {
            format!("CASE WHEN {slot} THEN {SLOT} END AS fecha_captura")
        }
        _ => name.to_owned(),
    });
    let columns = columns.join(", ");
    Ok(format!("{named}, old AS (SELECT {columns}, {reads} AS reads, {copy} AS copy FROM named)"))
}
