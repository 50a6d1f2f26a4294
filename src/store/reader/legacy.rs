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

    /// The rows whose `fecha_captura` is a text from `place` on up to, not including, `before`;
    /// ascending, `most` of them at most, and where the next ones begin when there may be more.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn legacy_rows(
        &mut self,
        place: &LegacyPlace,
        before: &str,
        most: usize,
    ) -> Result<(Vec<LegacyRow>, Option<LegacyPlace>), StoreError> {
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let rows: Vec<LegacyRow> = self.ask(|connection| {
            sql::<Columns>(COLUMNS)
                .sql("WHERE fecha_captura >= ")
                .bind::<Text, _>(&place.from)
                .sql(" AND fecha_captura < ")
                .bind::<Text, _>(before)
                .sql(" ORDER BY fecha_captura, filename LIMIT ")
                .bind::<BigInt, _>(number(most))
                .sql(" OFFSET ")
                .bind::<BigInt, _>(number(place.told))
                .load(connection)
        })?;
        let next = (rows.len() == most).then(|| place.behind(&rows)).flatten();
        Ok((rows, next))
    }
}

/// Where the rest of a list begins: with the rows of a moment, but for those of them that were
/// told.
///
/// Nothing keeps two rows of the replaced system from having the same `fecha_captura`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyPlace {
    from: String,
    told: usize,
}

impl LegacyPlace {
    /// The first row whose `fecha_captura` is not before `from`.
    pub fn at(from: &str) -> Self {
        Self { from: from.to_owned(), told: 0 }
    }

    /// The place behind these rows, which begin at this one.
    fn behind(&self, rows: &[LegacyRow]) -> Option<Self> {
        let from = rows.last()?.fecha_captura.clone()?;
        let same = rows
            .iter()
            .rev()
            .take_while(|row| row.fecha_captura.as_deref() == Some(from.as_str()))
            .count();
        let before = if from == self.from { self.told } else { 0 };
        Some(Self { from, told: before + same })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Database;
    use celaje_sky::station::Station;

    #[test]
    fn however_it_is_parted_each_row_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("a.db");
        drop(Database::open(&db, &Station::rio_grande()).unwrap());
        let mut writer = SqliteConnection::establish(db.to_str().unwrap()).unwrap();
        // Readings, and rows of any name: many of the same moment, some of none.
        let rows = [
            ("2024-01010002.jpg", Some("2024-01-01 00:02:00"), 3),
            ("2024-01010012.jpg", Some("2024-01-01 00:12:00"), 4),
            ("2024-01010022.jpg", Some("2024-01-01 00:22:00"), 5),
        ];
        let odd = |n: usize| match n % 4 {
            0 => None,
            1 => Some("2024-01-01 00:12:00"),
            2 => Some("2024-01-01 00:12:30"),
            _ => Some("2024-01-01 00:22:00"),
        };
        let names: Vec<String> = (0..24).map(|n| format!("odd-{n:02}.jpg")).collect();
        let others = names.iter().enumerate();
        let others = others.map(|(n, name)| (name.as_str(), odd(n), 9));
        for (name, captured, okta) in rows.into_iter().chain(others) {
            diesel::sql_query(
                "INSERT INTO registro_historico (filename, fecha_captura, octas_predichas) \
                 VALUES (?, ?, ?)",
            )
            .bind::<Text, _>(name)
            .bind::<Nullable<Text>, _>(captured)
            .bind::<Integer, _>(okta)
            .execute(&mut writer)
            .unwrap();
        }
        let mut reader = Reader::open(&db).unwrap();
        let begin = LegacyPlace::at("2024-01-01");
        let (all, none) = reader.legacy_rows(&begin, "2024-01-02", 100).unwrap();
        assert_eq!((all.len(), none), (3 + 18, None));
        assert!(all.is_sorted_by_key(|row| (row.fecha_captura.clone(), row.filename.clone())));
        for most in 1..=all.len() {
            let (mut told, mut place) = (Vec::new(), Some(begin.clone()));
            while let Some(from) = place {
                let (rows, next) = reader.legacy_rows(&from, "2024-01-02", most).unwrap();
                assert!(rows.len() <= most);
                told.extend(rows);
                place = next;
            }
            assert_eq!(told, all, "{most} at a time");
        }
        // No row that was told is read again, but for those of the same moment.
        let (rows, next) = reader.legacy_rows(&begin, "2024-01-02", 2).unwrap();
        assert_eq!(rows[1].fecha_captura.as_deref(), Some("2024-01-01 00:12:00"));
        let next = next.unwrap();
        assert_eq!((next.from.as_str(), next.told), ("2024-01-01 00:12:00", 1));
    }
}
