//! The rows of the replaced system's table, as it showed them.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double, Integer, Nullable, Text};
use serde::Serialize;

use crate::store::error::StoreError;
use crate::store::reader::Reader;

/// A row of `registro_historico`.
#[derive(Clone, Debug, PartialEq, Serialize, Queryable)]
pub struct LegacyRow {
    /// The picture's file name.
    pub filename: Option<String>,
    /// Where it was.
    pub url_imagen: Option<String>,
    /// Station local time.
    pub fecha_captura: Option<String>,
    /// Cloud amount, 0 to 8.
    pub octas_predichas: Option<i32>,
    /// 0 to 1.
    pub confianza: Option<f64>,
    /// `SKC` to `OVC`.
    pub categoria: Option<String>,
    /// The same in words.
    pub descripcion: Option<String>,
    /// Name and version.
    pub modelo_version: Option<String>,
    /// UTC.
    pub created_at: Option<String>,
}

type Columns = (
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Integer>,
    Nullable<Double>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
);

const COLUMNS: &str = "SELECT filename, url_imagen, fecha_captura, octas_predichas, confianza, \
     categoria, descripcion, modelo_version, created_at FROM registro_historico ";

impl Reader {
    /// The row with the last `fecha_captura`.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn legacy_latest(&mut self) -> Result<Option<LegacyRow>, StoreError> {
        self.ask(|connection| {
            sql::<Columns>(&format!(
                "{COLUMNS} WHERE fecha_captura IS NOT NULL ORDER BY fecha_captura DESC LIMIT 1"
            ))
            .get_result(connection)
            .optional()
        })
    }

    /// The rows whose `fecha_captura` begins with a text from `from` up to, not including,
    /// `before`; ascending, from the `skip`th on, `most` of them at most.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn legacy_rows(
        &mut self,
        from: &str,
        before: &str,
        skip: usize,
        most: usize,
    ) -> Result<Vec<LegacyRow>, StoreError> {
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.ask(|connection| {
            sql::<Columns>(COLUMNS)
                .sql("WHERE fecha_captura >= ")
                .bind::<Text, _>(from)
                .sql(" AND fecha_captura < ")
                .bind::<Text, _>(before)
                .sql(" ORDER BY fecha_captura LIMIT ")
                .bind::<BigInt, _>(number(most))
                .sql(" OFFSET ")
                .bind::<BigInt, _>(number(skip))
                .load(connection)
        })
    }
}
