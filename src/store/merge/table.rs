//! The tables whose rows are merged, and the SQL that does it: `main` is the file that is written,
//! `source` the one that is read; a row of the former is `o`, one of the latter `s`.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::store::merge::execute;

/// Rows that a transaction takes: memory stays flat, and a kill loses little.
const ROWS_AT_ONCE: u32 = if cfg!(test) { 7 } else { 10_000 };

/// A table whose rows are merged by their key.
pub(super) struct Table {
    pub(super) name: &'static str,
    key: &'static [&'static str],
    /// The key that its rows are read by.
    page: &'static [&'static str],
    /// When a row was written.
    written: &'static str,
    /// Columns that are taken as they are, and say which of two rows of one moment stays.
    columns: &'static [&'static str],
    /// The same as SQL of a row `{row}` of the file `{file}`.
    further: &'static str,
    /// Columns that have no say, and what is taken of a row `s`.
    derived: &'static [(&'static str, &'static str)],
    /// Which rows are taken.
    only: &'static str,
}

/// The run of a row `s`, by its number here.
const RUN: (&str, &str) = (
    "run_id",
    "(SELECT o.id FROM source.runs AS r JOIN main.runs AS o ON o.uid = r.uid \
     WHERE r.id = s.run_id)",
);

pub(super) const OBSERVATIONS: Table = Table {
    name: "observations",
    key: &["station", "slot_local"],
    page: &["rowid"],
    written: "created_at",
    columns: &[
        "created_at",
        "file_name",
        "url",
        "okta",
        "cloud_fraction",
        "confidence",
        "category",
        "description",
        "model",
        "model_sha256",
        "image_width",
        "image_height",
        "image_sha256",
        "captured_at",
        "origin",
        "taken_at",
        "picture_name",
        "okta_low",
        "okta_high",
        "model_confidence",
        "model_okta_low",
        "model_okta_high",
        "zenith_fraction",
        "zones",
    ],
    // Without the flag that depends on other rows.
    further: "quote(replace(replace(',' || {row}.quality || ',', ',frozen,', ','), ',ok,', ',')) \
              || quote((SELECT uid FROM {file}.runs WHERE id = {row}.run_id))",
    derived: &[
        ("quality", "s.quality"),
        // Of the slot and its station; NULL in another tool's row, until it is completed.
        ("slot_utc", "s.slot_utc"),
        ("solar_elevation", "s.solar_elevation"),
        ("day_phase", "s.day_phase"),
        RUN,
        (
            "calibration_id",
            "(SELECT o.id FROM source.celaje_calibrations AS c \
              JOIN main.celaje_calibrations AS o USING (station, model, model_sha256, intercept, \
                  slope, widening, labels, created_at) \
              WHERE c.id = s.calibration_id)",
        ),
    ],
    only: "true",
};

pub(super) const MISSES: Table = Table {
    name: "misses",
    key: &["station", "slot_local"],
    page: &["station", "slot_local"],
    written: "last_tried",
    columns: &[
        "last_tried",
        "slot_utc",
        "reason",
        "http_status",
        "attempts",
        "detail",
        "source",
        "layout",
        "unasked",
    ],
    further: "quote((SELECT uid FROM {file}.runs WHERE id = {row}.run_id))",
    derived: &[RUN],
    only: "true",
};

pub(super) const OTHERS: [Table; 3] = [
    Table {
        name: "shadow_observations",
        key: &["station", "slot_local", "model"],
        page: &["station", "slot_local"],
        written: "created_at",
        columns: &["created_at", "model_sha256", "okta", "cloud_fraction", "confidence"],
        further: "''",
        derived: &[],
        only: "true",
    },
    Table {
        name: "celaje_labels",
        key: &["station", "slot_local", "observer"],
        page: &["station", "slot_local"],
        written: "created_at",
        columns: &["created_at", "okta", "draw", "image_sha256"],
        further: "''",
        derived: &[],
        only: "true",
    },
    Table {
        name: "year_layouts",
        key: &["station", "year"],
        page: &["station", "year"],
        written: "seen_at",
        columns: &["seen_at", "layout"],
        further: "''",
        derived: &[],
        only: "true",
    },
];

/// Rows of the replaced system that are no reading, those with a file name.
pub(super) const LEGACY: Table = Table {
    name: "legacy_rows",
    key: &["filename", "copy"],
    page: &["id"],
    written: "created_at",
    columns: &[
        "created_at",
        "url_imagen",
        "fecha_captura",
        "octas_predichas",
        "confianza",
        "categoria",
        "descripcion",
        "modelo_version",
    ],
    further: "''",
    derived: &[],
    only: "s.filename IS NOT NULL",
};

impl Table {
    /// Whether the row `s` is newer than the row `o`, as SQL.
    fn is_newer(&self) -> String {
        // Moments come with a space or a T, and an offset; texts such as 'now' are none.
        let moment = |row: &str| {
            let written = self.written;
            format!(
                "CASE WHEN {row}.{written} GLOB '[0-9]*-*' \
                 THEN ifnull(julianday({row}.{written}), 0) ELSE 0 END"
            )
        };
        let contents = |file: &str, row: &str| {
            let columns = self.columns.iter().map(|column| format!("quote({row}.{column})"));
            let further = self.further.replace("{file}", file).replace("{row}", row);
            columns.chain(std::iter::once(further)).collect::<Vec<_>>().join(" || ',' || ")
        };
        let (ours, theirs) = (moment("o"), moment("s"));
        let (our, their) = (contents("main", "o"), contents("source", "s"));
        format!("({theirs} > {ours} OR ({theirs} = {ours} AND {their} > {our}))")
    }

    fn page(&self, row: &str) -> String {
        let page = self.page.iter().map(|column| format!("{row}.{column}"));
        page.collect::<Vec<_>>().join(", ")
    }

    /// The rows `s` behind `after` up to `end`, as a condition.
    pub(super) fn part(&self, after: Option<&str>, end: Option<&str>) -> String {
        let page = self.page("s");
        let mut part = vec![self.only.to_owned()];
        part.extend(after.map(|after| format!("({page}) > ({after})")));
        part.extend(end.map(|end| format!("({page}) <= ({end})")));
        part.join(" AND ")
    }

    /// The row at which the transaction ends that begins behind `after`, as SQL; none where it
    /// takes all that are left.
    pub(super) fn end(
        &self,
        connection: &mut SqliteConnection,
        after: Option<&str>,
    ) -> QueryResult<Option<String>> {
        let (name, page, part) = (self.name, self.page("s"), self.part(after, None));
        let row = self.page.iter().map(|column| format!("quote(s.{column})"));
        let row = row.collect::<Vec<_>>().join(" || ',' || ");
        sql::<Text>(&format!(
            "SELECT {row} FROM source.{name} AS s WHERE {part} ORDER BY {page} \
             LIMIT 1 OFFSET {}",
            ROWS_AT_ONCE - 1
        ))
        .get_result(connection)
        .optional()
    }

    /// Removes the rows here that are older than those of `part`, a condition on rows `s`.
    pub(super) fn remove_older(
        &self,
        connection: &mut SqliteConnection,
        part: &str,
    ) -> QueryResult<u64> {
        let Self { name, key, .. } = self;
        let (names, newer) = (key.join(", "), self.is_newer());
        let of =
            |row: &str| key.iter().map(|k| format!("{row}.{k}")).collect::<Vec<_>>().join(", ");
        let (ours, theirs) = (of("o"), of("s"));
        execute(
            connection,
            &format!(
                "DELETE FROM main.{name} WHERE ({names}) IN (\
                     SELECT {theirs} FROM source.{name} AS s CROSS JOIN main.{name} AS o \
                     WHERE ({ours}) = ({theirs}) AND {part} AND {newer})"
            ),
        )
    }

    /// Writes the rows of `part` whose key is not here.
    pub(super) fn add(&self, connection: &mut SqliteConnection, part: &str) -> QueryResult<u64> {
        let Self { name, key, columns, derived, .. } = self;
        let names = key.iter().chain(*columns).copied();
        let names: Vec<&str> = names.chain(derived.iter().map(|(column, _)| *column)).collect();
        let values = key.iter().chain(*columns).map(|column| format!("s.{column}"));
        let values = values.chain(derived.iter().map(|(_, value)| (*value).to_owned()));
        let (names, values) = (names.join(", "), values.collect::<Vec<_>>().join(", "));
        let key = key.join(", ");
        execute(
            connection,
            &format!(
                "INSERT INTO main.{name} ({names}) SELECT {values} FROM source.{name} AS s \
                 WHERE {part} ON CONFLICT ({key}) DO NOTHING"
            ),
        )
    }
}

/// What must be there before any row: stations, runs, calibrations.
pub(super) const PARENTS: [&str; 5] = [
    // The file of the newer run says what a station is called.
    "UPDATE main.stations AS o SET name = s.name FROM source.stations AS s \
     WHERE s.id = o.id AND s.name <> o.name AND \
         (ifnull((SELECT max(started_at) FROM source.runs WHERE station = s.id), ''), s.name) > \
         (ifnull((SELECT max(started_at) FROM main.runs WHERE station = o.id), ''), o.name)",
    "INSERT INTO main.stations (id, name, latitude, longitude, time_zone) \
     SELECT id, name, latitude, longitude, time_zone FROM source.stations WHERE true \
     ON CONFLICT (id) DO NOTHING",
    // A run that goes on there, or whose process died, ended here with its newest row.
    "INSERT INTO main.runs (uid, station, kind, range_from, range_to, total, new, duplicates, \
         missed, status, started_at, finished_at, version, engine, model) \
     SELECT uid, station, kind, range_from, range_to, total, new, duplicates, missed, \
         CASE status WHEN 'running' THEN 'interrupted' ELSE status END, started_at, \
         CASE status WHEN 'running' THEN max(started_at, ifnull((\
             SELECT created_at FROM source.observations WHERE run_id = s.id \
             ORDER BY rowid DESC LIMIT 1), '')) ELSE finished_at END, \
         version, engine, model \
     FROM source.runs AS s WHERE uid NOT IN (SELECT uid FROM main.runs WHERE uid IS NOT NULL) \
     ORDER BY started_at, uid",
    // What went on since the file was merged before: its later state.
    "UPDATE main.runs AS o SET range_to = s.range_to, total = s.total, new = s.new, \
         duplicates = s.duplicates, missed = s.missed, \
         status = CASE s.status WHEN 'running' THEN 'interrupted' ELSE s.status END, \
         finished_at = ifnull(s.finished_at, o.finished_at) \
     FROM source.runs AS s WHERE s.uid = o.uid AND \
         (s.status = 'finished', s.total, s.new, s.duplicates, s.missed, s.range_to, \
          ifnull(s.finished_at, ''), s.status) > \
         (o.status = 'finished', o.total, o.new, o.duplicates, o.missed, o.range_to, \
          ifnull(o.finished_at, ''), o.status)",
    "INSERT INTO main.celaje_calibrations (station, model, model_sha256, intercept, slope, \
         widening, labels, created_at) \
     SELECT station, model, model_sha256, intercept, slope, widening, labels, created_at \
     FROM source.celaje_calibrations AS s WHERE NOT EXISTS (\
         SELECT 1 FROM main.celaje_calibrations AS o \
         WHERE (o.station, o.model, o.model_sha256, o.intercept, o.slope, o.widening, o.labels, \
             o.created_at) = (s.station, s.model, s.model_sha256, s.intercept, s.slope, \
             s.widening, s.labels, s.created_at)) \
     GROUP BY station, model, model_sha256, intercept, slope, widening, labels, created_at \
     ORDER BY min(id)",
];

/// Rows of the replaced system without a file name: as many of the same contents as the file has
/// that has most of them.
pub(super) const NAMELESS: &str = "INSERT INTO main.legacy_rows (copy, url_imagen, fecha_captura, \
         octas_predichas, confianza, categoria, descripcion, modelo_version, created_at) \
     SELECT copy, url_imagen, fecha_captura, octas_predichas, confianza, categoria, descripcion, \
         modelo_version, created_at \
     FROM (SELECT *, row_number() OVER (PARTITION BY copy, url_imagen, fecha_captura, \
             octas_predichas, confianza, categoria, descripcion, modelo_version, created_at) \
             AS nth \
         FROM source.legacy_rows WHERE filename IS NULL) AS s \
     WHERE nth > (SELECT count(*) FROM main.legacy_rows AS o \
         WHERE o.filename IS NULL AND o.copy = s.copy AND o.url_imagen IS s.url_imagen \
             AND o.fecha_captura IS s.fecha_captura AND o.octas_predichas IS s.octas_predichas \
             AND o.confianza IS s.confianza AND o.categoria IS s.categoria \
             AND o.descripcion IS s.descripcion AND o.modelo_version IS s.modelo_version \
             AND o.created_at IS s.created_at)";
