//! The replaced system's rows as SQL, in the nine columns of today's form, whichever form its table
//! has.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use crate::store::error::Fault;
use crate::store::rows::ForeignText;
use crate::store::takeover::address::picture_name;

#[diesel::declare_sql_function]
extern "SQL" {
    fn celaje_picture_name(address: Nullable<Text>) -> Nullable<Text>;
}

/// Makes the function known to the connection.
pub(super) fn register(connection: &mut SqliteConnection) -> Result<(), Fault> {
    let name = |address: ForeignText| address.0.as_deref().and_then(picture_name);
    Ok(celaje_picture_name_utils::register_impl(connection, name)?)
}

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
const OLDER_MOMENT: &str = "fecha_hora_prediccion";

/// The local time that a file name stands for, as SQL; the triggers of the view say the same.
pub(super) const SLOT: &str = "substr(filename, 1, 4) || '-' || substr(filename, 6, 2) || '-' \
     || substr(filename, 8, 2) || 'T' || substr(filename, 10, 2) || ':' || substr(filename, 12, 2)";

/// The older form's moment with the station's offset, as today's `created_at` has it; a text that
/// is no moment of the station's clock stays as it is.
const MOMENT_WITH_OFFSET: &str = "CASE WHEN fecha_hora_prediccion GLOB \
         '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][T ][0-9][0-9]:[0-9][0-9]*' \
     AND substr(fecha_hora_prediccion, 17) NOT GLOB '*[^0-9.:]*' \
     THEN coalesce(fecha_hora_prediccion || celaje_offset( \
         replace(substr(fecha_hora_prediccion, 1, 16), ' ', 'T')), fecha_hora_prediccion) \
     ELSE fecha_hora_prediccion END";

/// The file name as the record keeps it: a number as a text. A column without a type has both, as
/// two names.
const FILE_NAME: &str =
    "CASE typeof(filename) WHEN 'blob' THEN filename ELSE CAST(filename AS TEXT) END AS filename";

/// The minute of `created_at` in the older form, as SQL: `2025-10-27T13:40`; NULL where it is no
/// moment.
const MOMENT: &str = "CASE WHEN created_at GLOB \
         '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][T ][0-9][0-9]:[0-9][0-9]*' \
     THEN replace(substr(created_at, 1, 16), ' ', 'T') END";

/// Whether a file name names a moment, as SQL. The column's own collation, which may take `.JPG`
/// for `.jpg`, has no say.
fn names_a_slot() -> String {
    format!(
        "filename COLLATE BINARY >= '1900' AND filename COLLATE BINARY \
         = strftime('%Y-%m%d%H%M.jpg', {SLOT}, '+0 days')"
    )
}

/// Whether a row is a reading of a slot, as SQL.
fn is_reading() -> String {
    let names_a_slot = names_a_slot();
    format!(
        "coalesce({names_a_slot} AND typeof(octas_predichas) <> 'blob' \
         AND CAST(octas_predichas AS TEXT) COLLATE BINARY IN ( \
             '0', '1', '2', '3', '4', '5', '6', '7', '8', \
             '0.0', '1.0', '2.0', '3.0', '4.0', '5.0', '6.0', '7.0', '8.0'), 0)"
    )
}

/// A column of the replaced system's table.
pub(super) struct OldColumn {
    pub(super) name: String,
    /// As declared; may be empty.
    pub(super) declared: String,
}

impl OldColumn {
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Whether the view has it too.
    pub(super) fn is_in_view(&self) -> bool {
        COLUMNS.iter().any(|name| self.is(name))
    }
}

/// The columns that the table has, in its order, and generated ones too.
pub(super) fn present(connection: &mut SqliteConnection) -> Result<Vec<OldColumn>, Fault> {
    let columns: Vec<(String, String)> = sql::<(Text, Text)>(
        "SELECT name, type FROM pragma_table_xinfo('registro_historico') \
         WHERE hidden <> 1 ORDER BY cid",
    )
    .load(connection)?;
    Ok(columns.into_iter().map(|(name, declared)| OldColumn { name, declared }).collect())
}

/// Whether the table has a `rowid`.
pub(super) fn has_rowid(connection: &mut SqliteConnection) -> Result<bool, Fault> {
    let without = sql::<BigInt>("SELECT wr FROM pragma_table_list('registro_historico')");
    Ok(without.get_result::<i64>(connection)? == 0)
}

/// The columns that the record has no place for.
pub(super) fn further_columns(present: &[OldColumn]) -> Vec<String> {
    let has = |name: &str| present.iter().any(|column| column.is(name));
    let is_moment = |column: &OldColumn| column.is(OLDER_MOMENT) && !has("created_at");
    let further = present.iter().filter(|column| !column.is_in_view() && !is_moment(column));
    further.map(|column| column.name.clone()).collect()
}

/// The common table expression `old`: the rows in today's form, with `reads` (is it a reading) and
/// `copy` (0 for one row of a file name, the newest reading where there is one; below 0 for an
/// older prediction of a picture in the older form, which is not shown).
///
/// # Errors
/// [`Fault::OddTable`] when the table has no okta, or neither a file name nor an address.
pub(super) fn old_rows(connection: &mut SqliteConnection) -> Result<String, Fault> {
    let present = present(connection)?;
    let has = |name: &str| present.iter().any(|column| column.is(name));
    if !has("octas_predichas") {
        return Err(Fault::OddTable("octas_predichas"));
    }
    if !has("filename") && !has("url_imagen") {
        return Err(Fault::OddTable("filename"));
    }
    let named = COLUMNS.map(|name| match name {
        "filename" if has(name) => FILE_NAME.to_owned(),
        _ if has(name) => name.to_owned(),
        "filename" => "celaje_picture_name(url_imagen) AS filename".to_owned(),
        "created_at" if has(OLDER_MOMENT) => format!("{MOMENT_WITH_OFFSET} AS created_at"),
        _ => format!("NULL AS {name}"),
    });
    let place = if has_rowid(connection)? { "rowid" } else { "0" };
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
    // An address that names no moment (latest.jpg) was that of many pictures.
    let sign = match has("filename") {
        true => "1".to_owned(),
        false => format!("CASE WHEN {slot} THEN -1 ELSE 1 END"),
    };
    // Moments come with a space or a T; texts such as 'now' are none.
    let copy = match repeated {
        0 => "0".to_owned(),
        _ => format!(
            "(row_number() OVER (PARTITION BY filename COLLATE BINARY ORDER BY {reads} DESC, \
             CASE WHEN created_at GLOB '[0-9]*-*' THEN julianday(created_at) END DESC, \
             place DESC) - 1) * {sign}"
        ),
    };
    let columns = COLUMNS.map(|name| match name {
        "fecha_captura" if !has(name) && !has("filename") => {
            format!("CASE WHEN {slot} THEN {SLOT} ELSE {MOMENT} END AS fecha_captura")
        }
        _ => name.to_owned(),
    });
    let columns = columns.join(", ");
    Ok(format!("{named}, old AS (SELECT {columns}, {reads} AS reads, {copy} AS copy FROM named)"))
}
