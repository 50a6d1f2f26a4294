//! The rows of the replaced system's table, as it showed them.

use chrono::{DateTime, FixedOffset, NaiveDateTime, SecondsFormat};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Double, Integer, Nullable, Text};
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::error::StoreError;
use crate::store::reader::Reader;
use crate::store::reader::aggregate::rounded;
use crate::store::rows::parse_slot;
use crate::store::schema::stations;
use celaje_sky::slot::Zone;

/// A row of `registro_historico`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema, Queryable)]
pub struct LegacyRow {
    /// The picture's file name.
    pub filename: Option<String>,
    /// Where it was.
    pub url_imagen: Option<String>,
    /// Station local time, as the row has it.
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
    /// UTC where this program wrote it, else as the row has it.
    pub created_at: Option<String>,
    #[serde(skip)]
    is_own: bool,
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
    Bool,
);

/// The rows of the view, without confidences that are no probability, and who wrote each, which the
/// view does not tell.
const ROWS: &str = "SELECT * FROM (
    SELECT file_name AS filename, url, captured_at AS fecha_captura, okta,
        CASE WHEN confidence BETWEEN 0 AND 1 THEN confidence END, category, description, model,
        created_at, origin = 'celaje'
    FROM observations
    WHERE station = (SELECT id FROM stations WHERE is_home = 1) AND okta <> 9
    UNION ALL
    SELECT filename, url_imagen, fecha_captura, octas_predichas,
        CASE WHEN confianza BETWEEN 0 AND 1 THEN confianza END, categoria, descripcion,
        modelo_version, created_at, 0
    FROM legacy_rows
    WHERE copy > 0 OR NOT EXISTS (
        SELECT 1 FROM observations
        WHERE station = (SELECT id FROM stations WHERE is_home = 1)
            AND file_name = legacy_rows.filename AND okta <> 9
    )
) ";

/// No text that begins with a digit is before this one,
pub const FIRST_DAY: &str = "0";
/// and none is after this one.
pub const AFTER_DAYS: &str = ":";

impl LegacyRow {
    /// The row as the replaced system showed it: `fecha_captura` to the minute, `confianza` with
    /// four decimals, `created_at` on the clock of `zone` with its offset.
    #[must_use]
    pub(crate) fn shown(mut self, zone: Zone) -> Self {
        self.fecha_captura = self.fecha_captura.map(|text| minute(&text).unwrap_or(text));
        self.confianza = self.confianza.map(rounded);
        let is_utc = self.is_own;
        self.created_at =
            self.created_at.map(|text| with_offset(&text, is_utc, zone).unwrap_or(text));
        self
    }

    /// The day that `fecha_captura` begins with.
    fn day(&self) -> &str {
        let text = self.fecha_captura.as_deref().unwrap_or_default();
        text.char_indices().nth(10).map_or(text, |(end, _)| &text[..end])
    }
}

/// A moment as `2024-01-31T08:02`, whatever stands behind the minute; none where it is none.
fn minute(text: &str) -> Option<String> {
    let minute = text.get(..16)?.replacen(' ', "T", 1);
    parse_slot(&minute).map(|_| minute)
}

/// A moment on the clock of `zone` with its offset. Without an offset it is UTC where `is_utc`,
/// else local: the replaced system wrote it so.
fn with_offset(text: &str, is_utc: bool, zone: Zone) -> Option<String> {
    let text = text.replacen(' ', "T", 1);
    let utc = match DateTime::parse_from_rfc3339(&text) {
        Ok(moment) => moment.to_utc(),
        Err(_) => {
            let naive = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
            if is_utc { naive.and_utc() } else { zone.instant(naive)? }
        }
    };
    let ahead = zone.local(utc) - utc.naive_utc();
    let offset = FixedOffset::east_opt(i32::try_from(ahead.num_seconds()).ok()?)?;
    Some(utc.with_timezone(&offset).to_rfc3339_opts(SecondsFormat::Secs, false))
}

impl Reader {
    /// The clock of the rows; UTC where there are none.
    pub(crate) fn home_zone(&mut self) -> Result<Zone, StoreError> {
        let zone: Option<String> = self.ask(|connection| {
            stations::table
                .filter(stations::is_home.eq(true))
                .select(stations::time_zone)
                .first(connection)
                .optional()
        })?;
        Ok(zone.and_then(|zone| zone.parse().ok()).unwrap_or(Zone::Named(chrono_tz::UTC)))
    }

    /// The row with the last `fecha_captura`.
    pub(crate) fn legacy_latest(&mut self) -> Result<Option<LegacyRow>, StoreError> {
        let last: Option<LegacyRow> = self.ask(|connection| {
            sql::<Columns>(ROWS)
                .sql("WHERE fecha_captura < ")
                .bind::<Text, _>(AFTER_DAYS)
                .sql(" ORDER BY fecha_captura DESC LIMIT 1")
                .get_result(connection)
                .optional()
        })?;
        let Some(last) = last else {
            return Ok(None);
        };
        // Texts of two forms may name moments of this day.
        let rows = self.legacy_rows(last.day(), AFTER_DAYS, 1)?.0;
        Ok(rows.into_iter().next_back())
    }

    /// The rows whose `fecha_captura` is a text from `from` on up to, not including, `before`, by
    /// their moments; whole days of about `most` rows, and the day where the next ones begin.
    ///
    /// Moments are written with a space or a `T` before the hour, so that texts of one day are not
    /// in the order of time: a day is read whole, and put in order here.
    pub(crate) fn legacy_rows(
        &mut self,
        from: &str,
        before: &str,
        most: usize,
    ) -> Result<(Vec<LegacyRow>, Option<String>), StoreError> {
        let mut asked = most;
        loop {
            // One more, which says whether there are more.
            asked = asked.saturating_add(1);
            let mut rows: Vec<LegacyRow> = self.ask(|connection| {
                sql::<Columns>(ROWS)
                    .sql("WHERE fecha_captura >= ")
                    .bind::<Text, _>(from)
                    .sql(" AND fecha_captura < ")
                    .bind::<Text, _>(before)
                    .sql(" ORDER BY fecha_captura LIMIT ")
                    .bind::<BigInt, _>(i64::try_from(asked).unwrap_or(i64::MAX))
                    .load(connection)
            })?;
            let mut next = None;
            if rows.len() == asked {
                let day = rows.last().map(|row| row.day().to_owned()).unwrap_or_default();
                let whole = rows.partition_point(|row| row.day() < day.as_str());
                if whole == 0 {
                    asked = asked.saturating_mul(2);
                    continue;
                }
                rows.truncate(whole);
                next = Some(day);
            }
            rows.sort_by_cached_key(|row| {
                let text = row.fecha_captura.as_deref().unwrap_or_default();
                (minute(text).unwrap_or_else(|| text.to_owned()), row.filename.clone())
            });
            return Ok((rows, next));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Database;
    use celaje_sky::station::Station;

    fn insert(writer: &mut SqliteConnection, name: &str, captured: Option<&str>, okta: i32) {
        diesel::sql_query(
            "INSERT INTO registro_historico (filename, fecha_captura, octas_predichas) \
             VALUES (?, ?, ?)",
        )
        .bind::<Text, _>(name)
        .bind::<Nullable<Text>, _>(captured)
        .bind::<Integer, _>(okta)
        .execute(writer)
        .unwrap();
    }

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
            ("2024-01010022.jpg", Some("2024-01-01T00:22"), 5),
            ("2024-01020002.jpg", Some("2024-01-02 00:02:00"), 5),
        ];
        let odd = |n: usize| match n % 4 {
            0 => None,
            1 => Some("2024-01-01 00:12:00"),
            2 => Some("2024-01-01 00:12:30"),
            _ => Some("2024-01-01T00:12:00"),
        };
        let names: Vec<String> = (0..24).map(|n| format!("odd-{n:02}.jpg")).collect();
        let others = names.iter().enumerate();
        let others = others.map(|(n, name)| (name.as_str(), odd(n), 9));
        for (name, captured, okta) in rows.into_iter().chain(others) {
            insert(&mut writer, name, captured, okta);
        }
        let mut reader = Reader::open(&db).unwrap();
        let (all, none) = reader.legacy_rows("2024-01-01", "2024-01-03", 100).unwrap();
        assert_eq!((all.len(), none), (4 + 18, None));
        let key =
            |row: &LegacyRow| (minute(row.fecha_captura.as_ref().unwrap()), row.filename.clone());
        assert!(all.is_sorted_by_key(key));
        for most in 1..=all.len() {
            let (mut told, mut place) = (Vec::new(), Some("2024-01-01".to_owned()));
            while let Some(from) = place {
                let (rows, next) = reader.legacy_rows(&from, "2024-01-03", most).unwrap();
                told.extend(rows);
                place = next;
            }
            assert_eq!(told, all, "{most} at a time");
        }
        // No part of a day.
        let (rows, next) = reader.legacy_rows("2024-01-01", "2024-01-03", 21).unwrap();
        assert_eq!((rows.len(), next.as_deref()), (21, Some("2024-01-02")));
        // The last row by its moment: as a text it comes before those with a T.
        insert(&mut writer, "2024-01020000.jpg", Some("2024-01-02T00:00"), 2);
        let last = reader.legacy_latest().unwrap().unwrap();
        assert_eq!(last.filename.as_deref(), Some("2024-01020002.jpg"));
    }

    #[test]
    fn a_row_is_shown_as_it_was() {
        let zone: Zone = "America/Argentina/Ushuaia".parse().unwrap();
        let shown = |captured: &str, created: &str, confidence, is_own| {
            let row = LegacyRow {
                filename: None,
                url_imagen: None,
                fecha_captura: Some(captured.to_owned()),
                octas_predichas: None,
                confianza: Some(confidence),
                categoria: None,
                descripcion: None,
                modelo_version: None,
                created_at: Some(created.to_owned()),
                is_own,
            };
            let row = row.shown(zone);
            (row.fecha_captura.unwrap(), row.created_at.unwrap(), row.confianza)
        };
        let (minute, created) = ("2025-10-27T13:42", "2025-10-27T13:45:12-03:00");
        for (captured, written, is_own) in [
            ("2025-10-27T13:42", "2025-10-27 16:45:12", true),
            ("2025-10-27 13:42:00.000000", "2025-10-27 13:45:12.123456", false),
            ("2025-10-27T13:42:00", "2025-10-27T13:45:12", false),
            ("2025-10-27T13:42:00-03:00", "2025-10-27T13:45:12-03:00", false),
            ("2025-10-27 13:42", "2025-10-27 16:45:12+00:00", false),
        ] {
            let expected = (minute.to_owned(), created.to_owned(), Some(0.8765));
            assert_eq!(shown(captured, written, 0.876_543_2, is_own), expected, "{captured}");
        }
        // What is no moment stays as it is.
        let expected = ("ayer".to_owned(), String::new(), Some(0.5));
        assert_eq!(shown("ayer", "", 0.5, false), expected);
    }
}
