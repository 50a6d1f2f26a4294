//! The rows of an export: each slot with its reading, or with why there is none.

use diesel::dsl::{count_star, max, min};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use crate::store::error::StoreError;
use crate::store::reader::{ObservationItem, Reader, ReasonCount};
use crate::store::rows::{last_text, slot_text};
use crate::store::schema::{misses, observations};
use chrono::NaiveDateTime;

/// A reading with what only exports tell of it.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = observations)]
pub struct ExportReading {
    /// What the API tells of it.
    #[diesel(embed)]
    pub item: ObservationItem,
    /// SHA-256 of the model's file.
    pub model_sha256: Option<String>,
    /// SHA-256 of the picture.
    pub image_sha256: Option<String>,
    /// `celaje`, or `registro_historico`.
    pub origin: String,
}

/// A slot without a reading.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = misses)]
pub struct ExportMiss {
    /// Station local time.
    pub slot_local: String,
    /// The same instant.
    pub slot_utc: String,
    /// Why there is none.
    pub reason: String,
}

/// A slot of the record.
#[derive(Clone, Debug, PartialEq)]
pub enum ExportSlot {
    /// It has a reading.
    Reading(Box<ExportReading>),
    /// It has none.
    Miss(ExportMiss),
}

impl ExportSlot {
    /// Station local time, as it is stored.
    pub fn slot(&self) -> &str {
        match self {
            Self::Reading(reading) => &reading.item.slot,
            Self::Miss(miss) => &miss.slot_local,
        }
    }

    /// The same instant, where it is stored.
    pub fn slot_utc(&self) -> Option<&str> {
        match self {
            Self::Reading(reading) => reading.item.slot_utc.as_deref(),
            Self::Miss(miss) => Some(&miss.slot_utc),
        }
    }
}

/// The readings of a model.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct ModelUse {
    /// Its name and version; none where another tool did not say.
    pub model: Option<String>,
    /// SHA-256 of its file.
    pub model_sha256: Option<String>,
    /// How many.
    pub readings: i64,
}

/// What a range of a station holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExportSummary {
    /// First slot with a reading or a miss, station local time.
    pub first: Option<String>,
    /// The last one.
    pub last: Option<String>,
    /// Readings.
    pub readings: i64,
    /// Misses by reason.
    pub misses: Vec<ReasonCount>,
    /// The models that read, the most used first.
    pub models: Vec<ModelUse>,
    /// The names of the zones that readings tell apart.
    pub zones: Vec<String>,
    /// Length of the longest name of a picture, bytes; 0 where none is told.
    pub picture_name_bytes: usize,
    /// Readings that tell when their picture was taken.
    pub taken: i64,
    /// Readings that tell the zenith's cloud fraction.
    pub zenith: i64,
}

#[derive(QueryableByName)]
struct SpanRow {
    #[diesel(sql_type = Nullable<Text>)]
    first: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    last: Option<String>,
    #[diesel(sql_type = BigInt)]
    readings: i64,
    #[diesel(sql_type = BigInt)]
    name_bytes: i64,
    #[diesel(sql_type = BigInt)]
    taken: i64,
    #[diesel(sql_type = BigInt)]
    zenith: i64,
}

#[derive(QueryableByName)]
struct ZoneRow {
    #[diesel(sql_type = Text)]
    key: String,
}

const SPAN: &str = "SELECT min(slot_local) AS first, max(slot_local) AS last, \
     count(*) AS readings, count(taken_at) AS taken, count(zenith_fraction) AS zenith, \
     coalesce(max(length(CAST(picture_name AS BLOB))), 0) AS name_bytes \
     FROM observations WHERE station = ? AND slot_local BETWEEN ? AND ?";

const ZONES: &str = "SELECT DISTINCT each.key AS key FROM observations, \
     json_each(CASE WHEN json_valid(zones) THEN zones END) AS each \
     WHERE station = ? AND slot_local BETWEEN ? AND ? AND zones IS NOT NULL ORDER BY each.key";

/// A range of slots as they are stored, both ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotEdges {
    /// The first slot's text.
    pub from: String,
    /// The last one's.
    pub to: String,
}

impl SlotEdges {
    /// From one minute to another.
    pub fn new(from: NaiveDateTime, to: NaiveDateTime) -> Self {
        Self { from: slot_text(from), to: last_text(to) }
    }
}

impl Reader {
    /// What a range of a station holds, all of one moment.
    pub fn export_summary(
        &mut self,
        station: &str,
        SlotEdges { from, to }: &SlotEdges,
    ) -> Result<ExportSummary, StoreError> {
        self.ask(|connection| {
            connection.transaction(|connection| {
                let asked = |query| {
                    diesel::sql_query(query)
                        .bind::<Text, _>(station)
                        .bind::<Text, _>(from)
                        .bind::<Text, _>(to)
                };
                let span: SpanRow = asked(SPAN).get_result(connection)?;
                let zones: Vec<ZoneRow> = asked(ZONES).load(connection)?;
                let missed = misses::table
                    .filter(misses::station.eq(station))
                    .filter(misses::slot_local.between(from, to));
                let (first, last): (Option<String>, Option<String>) = missed
                    .select((min(misses::slot_local), max(misses::slot_local)))
                    .first(connection)?;
                Ok(ExportSummary {
                    first: [span.first, first].into_iter().flatten().min(),
                    last: [span.last, last].into_iter().flatten().max(),
                    readings: span.readings,
                    misses: missed
                        .group_by(misses::reason)
                        .select((misses::reason, count_star()))
                        .order(misses::reason.asc())
                        .load(connection)?,
                    models: observations::table
                        .filter(observations::station.eq(station))
                        .filter(observations::slot_local.between(from, to))
                        .group_by((observations::model, observations::model_sha256))
                        .select((observations::model, observations::model_sha256, count_star()))
                        .order((count_star().desc(), observations::model.asc()))
                        .load(connection)?,
                    zones: zones.into_iter().map(|zone| zone.key).collect(),
                    picture_name_bytes: usize::try_from(span.name_bytes).unwrap_or(0),
                    taken: span.taken,
                    zenith: span.zenith,
                })
            })
        })
    }

    /// The first `most` slots of a range that come after `after`, ascending.
    pub fn export_part(
        &mut self,
        station: &str,
        SlotEdges { from, to }: &SlotEdges,
        after: Option<&str>,
        most: usize,
    ) -> Result<Vec<ExportSlot>, StoreError> {
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        // Nothing sorts before the empty text.
        let after = after.unwrap_or_default();
        self.ask(|connection| {
            // In one transaction: a slot that gets its reading meanwhile is told once.
            connection.transaction(|connection| {
                let read = observations::table
                    .select(ExportReading::as_select())
                    .filter(observations::station.eq(station))
                    .filter(observations::slot_local.between(from, to))
                    .filter(observations::slot_local.gt(after))
                    .order(observations::slot_local.asc())
                    .limit(limit)
                    .load(connection)?;
                let missed = misses::table
                    .select(ExportMiss::as_select())
                    .filter(misses::station.eq(station))
                    .filter(misses::slot_local.between(from, to))
                    .filter(misses::slot_local.gt(after))
                    .order(misses::slot_local.asc())
                    .limit(limit)
                    .load(connection)?;
                Ok(merged(read, missed, most))
            })
        })
    }
}

/// The first `most` of both, which are ascending each.
fn merged(read: Vec<ExportReading>, missed: Vec<ExportMiss>, most: usize) -> Vec<ExportSlot> {
    let mut read = read.into_iter().peekable();
    let mut missed = missed.into_iter().peekable();
    let mut slots = Vec::with_capacity(most.min(read.len() + missed.len()));
    while slots.len() < most {
        let is_reading = match (read.peek(), missed.peek()) {
            (Some(reading), Some(miss)) => reading.item.slot <= miss.slot_local,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => break,
        };
        if is_reading {
            slots.extend(read.next().map(|reading| ExportSlot::Reading(Box::new(reading))));
        } else {
            slots.extend(missed.next().map(ExportSlot::Miss));
        }
    }
    slots
}
