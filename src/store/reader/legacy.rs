//! The rows of the replaced system's table, as it showed them.

use chrono::{DateTime, FixedOffset, NaiveDateTime, SecondsFormat};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Double, Integer, Nullable, Text};
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::error::StoreError;
use crate::store::reader::Reader;
use crate::store::reader::aggregate::rounded;
use crate::store::rows::{ForeignText, parse_slot, slot_text};
use crate::store::schema::stations;
use celaje_sky::slot::{Slot, Zone};

/// A row of `registro_historico`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema, Queryable)]
pub struct LegacyRow {
    /// The picture's file name.
    #[diesel(deserialize_as = ForeignText)]
    pub filename: Option<String>,
    /// Where it was.
    #[diesel(deserialize_as = ForeignText)]
    pub url_imagen: Option<String>,
    /// Station local time, as the row has it.
    #[diesel(deserialize_as = ForeignText)]
    pub fecha_captura: Option<String>,
    /// Cloud amount, 0 to 8.
    pub octas_predichas: Option<i32>,
    /// 0 to 1.
    pub confianza: Option<f64>,
    /// `SKC` to `OVC`.
    #[diesel(deserialize_as = ForeignText)]
    pub categoria: Option<String>,
    /// The same in words.
    #[diesel(deserialize_as = ForeignText)]
    pub descripcion: Option<String>,
    /// Name and version.
    #[diesel(deserialize_as = ForeignText)]
    pub modelo_version: Option<String>,
    /// UTC where this program wrote it, else as the row has it.
    #[diesel(deserialize_as = ForeignText)]
    pub created_at: Option<String>,
    #[serde(skip)]
    is_own: bool,
    /// The bytes of the day that `fecha_captura` begins with.
    #[serde(skip)]
    day: Option<Vec<u8>>,
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
    Nullable<Binary>,
);

/// The rows of the view, without oktas that are no whole number, and who wrote each, which the view
/// does not tell.
const ROWS: &str = "SELECT *, substr(CAST(fecha_captura AS BLOB), 1, 10) FROM (
    SELECT file_name AS filename, url, captured_at AS fecha_captura, okta,
        CASE WHEN confidence BETWEEN 0 AND 1 THEN confidence END, category, description, model,
        created_at, origin = 'celaje'
    FROM observations
    WHERE station = (SELECT id FROM stations WHERE is_home = 1) AND okta <> 9
    UNION ALL
    SELECT filename, url_imagen, fecha_captura,
        CASE WHEN typeof(octas_predichas) = 'integer' THEN octas_predichas END,
        CASE WHEN confianza BETWEEN 0 AND 1 THEN confianza END, categoria, descripcion,
        modelo_version, created_at, 0
    FROM legacy_rows
    WHERE copy > 0 OR copy = 0 AND NOT EXISTS (
        SELECT 1 FROM observations
        WHERE station = (SELECT id FROM stations WHERE is_home = 1)
            AND file_name = legacy_rows.filename AND okta <> 9
    )
) ";

/// No text that begins with a digit is before this one,
pub const FIRST_DAY: &str = "0";
/// and none is after this one.
pub const AFTER_DAYS: &str = ":";

/// Where a part of the rows begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LegacyPlace {
    /// Behind so many of the rows without a `fecha_captura`.
    Undated(usize),
    /// At this day, or the first bytes of `fecha_captura`: not every text is UTF-8.
    Day(Vec<u8>),
}

/// The days whose rows are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LegacyDays {
    first: LegacyPlace,
    /// None: of all texts.
    before: Option<String>,
}

impl LegacyDays {
    /// All rows, those of no moment first.
    pub(crate) fn all() -> Self {
        Self { first: LegacyPlace::Undated(0), before: None }
    }

    /// The rows whose `fecha_captura` is a text from `from` on up to, not including, `before`.
    pub(crate) fn between(from: &str, before: &str) -> Self {
        Self { first: LegacyPlace::Day(from.into()), before: Some(before.to_owned()) }
    }

    pub(crate) fn first(&self) -> LegacyPlace {
        self.first.clone()
    }
}

impl LegacyRow {
    /// The row as the replaced system showed it: `fecha_captura` to the minute, `confianza` with
    /// four decimals, `created_at` on the clock of `zone` with its offset.
    #[must_use]
    pub(crate) fn shown(mut self, zone: Zone) -> Self {
        let captured = self.fecha_captura.take().or_else(|| self.other_moment());
        // Its clients take this one for a text.
        self.fecha_captura =
            Some(captured.map_or_else(String::new, |text| minute(&text).unwrap_or(text)));
        self.confianza = self.confianza.map(rounded);
        let is_utc = self.is_own;
        self.created_at =
            self.created_at.map(|text| with_offset(&text, is_utc, zone).unwrap_or(text));
        self
    }

    /// What stands for a `fecha_captura` that is missing: the moment in the file name, or else
    /// that of `created_at`.
    fn other_moment(&self) -> Option<String> {
        let name = self.filename.as_deref().and_then(Slot::parse_file_name);
        name.map(slot_text).or_else(|| self.created_at.as_deref().and_then(minute))
    }

    fn day(&self) -> &[u8] {
        self.day.as_deref().unwrap_or_default()
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

    /// The row with the last `fecha_captura` of those that have an okta; where none has one, the
    /// last of all.
    pub(crate) fn legacy_latest(&mut self) -> Result<Option<LegacyRow>, StoreError> {
        let has_okta = |row: &LegacyRow| row.octas_predichas.is_some_and(|n| (0..=8).contains(&n));
        let mut last = |which: &str| -> Result<Option<LegacyRow>, StoreError> {
            let query = format!("{which} ORDER BY fecha_captura DESC LIMIT 1");
            self.ask(|connection| {
                sql::<Columns>(ROWS).sql(&query).get_result(connection).optional()
            })
        };
        let dated = format!("WHERE fecha_captura < '{AFTER_DAYS}' AND okta BETWEEN 0 AND 8");
        let Some(row) = last(&dated)? else {
            return last("");
        };
        // Texts of two forms may name moments of this day.
        let first = LegacyPlace::Day(row.day().to_owned());
        let day = LegacyDays { first, before: Some(AFTER_DAYS.to_owned()) };
        let rows = self.legacy_rows(&day, day.first(), 1)?.0;
        Ok(rows.into_iter().rfind(has_okta).or(Some(row)))
    }

    /// The rows of `days` from `place` on, by their moments; whole days of about `most` rows, and
    /// the place where the next ones begin.
    ///
    /// Moments are written with a space or a `T` before the hour, so that texts of one day are not
    /// in the order of time: a day is read whole, and put in order here.
    pub(crate) fn legacy_rows(
        &mut self,
        days: &LegacyDays,
        place: LegacyPlace,
        most: usize,
    ) -> Result<(Vec<LegacyRow>, Option<LegacyPlace>), StoreError> {
        let from = match place {
            LegacyPlace::Day(from) => from,
            LegacyPlace::Undated(behind) => {
                let mut rows = self.undated_rows(behind, most.saturating_add(1))?;
                if rows.len() > most {
                    rows.truncate(most);
                    return Ok((rows, Some(LegacyPlace::Undated(behind + most))));
                }
                let (dated, next) = self.dated_rows(&[], days.before.as_deref(), most)?;
                rows.extend(dated);
                return Ok((rows, next));
            }
        };
        self.dated_rows(&from, days.before.as_deref(), most)
    }

    /// Up to `most` rows whose `fecha_captura` is no text, behind so many of them.
    fn undated_rows(&mut self, behind: usize, most: usize) -> Result<Vec<LegacyRow>, StoreError> {
        let [behind, most] = [behind, most].map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        self.ask(|connection| {
            sql::<Columns>(ROWS)
                .sql(
                    "WHERE fecha_captura IS NULL OR fecha_captura >= x'' \
                     ORDER BY filename, created_at, url LIMIT ",
                )
                .bind::<BigInt, _>(most)
                .sql(" OFFSET ")
                .bind::<BigInt, _>(behind)
                .load(connection)
        })
    }

    fn dated_rows(
        &mut self,
        from: &[u8],
        before: Option<&str>,
        most: usize,
    ) -> Result<(Vec<LegacyRow>, Option<LegacyPlace>), StoreError> {
        let mut asked = most;
        loop {
            // One more, which says whether there are more.
            asked = asked.saturating_add(1);
            let mut rows: Vec<LegacyRow> = self.ask(|connection| {
                let query = sql::<Columns>(ROWS)
                    .sql("WHERE fecha_captura >= CAST(")
                    .bind::<Binary, _>(from)
                    .sql(" AS TEXT) AND fecha_captura < coalesce(")
                    .bind::<Nullable<Text>, _>(before)
                    // Every text is before any bytes.
                    .sql(", x'') ORDER BY fecha_captura LIMIT ")
                    .bind::<BigInt, _>(i64::try_from(asked).unwrap_or(i64::MAX));
                query.load(connection)
            })?;
            let mut next = None;
            if rows.len() == asked {
                let day = rows.last().map(|row| row.day().to_owned()).unwrap_or_default();
                let whole = rows.partition_point(|row| row.day() < day.as_slice());
                if whole == 0 {
                    asked = asked.saturating_mul(2);
                    continue;
                }
                rows.truncate(whole);
                next = Some(LegacyPlace::Day(day));
            }
            rows.sort_by_cached_key(|row| {
                let text = row.fecha_captura.as_deref().unwrap_or_default();
                (minute(text).unwrap_or_else(|| text.to_owned()), row.filename.clone())
            });
            return Ok((rows, next));
        }
    }

    /// The address of the newest picture that is on a server: of a station's readings, or else of
    /// the rows that are none.
    pub(crate) fn newest_address(&mut self, station: &str) -> Result<Option<String>, StoreError> {
        let on_server = |of: &str| format!("{of} LIKE 'http://%' OR {of} LIKE 'https://%'");
        let found: Option<ForeignText> = self.ask(|connection| {
            sql::<Nullable<Text>>(&format!(
                "SELECT url FROM observations WHERE ({}) AND station = ",
                on_server("url")
            ))
            .bind::<Text, _>(station)
            .sql(" ORDER BY slot_local DESC LIMIT 1")
            .get_result(connection)
            .optional()
        })?;
        if let Some(ForeignText(Some(found))) = found {
            return Ok(Some(found));
        }
        let found: Option<ForeignText> = self.ask(|connection| {
            sql::<Nullable<Text>>(&format!(
                "SELECT url_imagen FROM legacy_rows WHERE {} \
                 ORDER BY fecha_captura DESC LIMIT 1",
                on_server("url_imagen")
            ))
            .get_result(connection)
            .optional()
        })?;
        Ok(found.and_then(|found| found.0))
    }
}

#[cfg(test)]
#[path = "legacy_tests.rs"]
mod tests;
