//! What people saw in the pictures, beside what was read.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double, Integer, Nullable, Text};
use diesel::upsert::excluded;
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::Database;
use crate::store::error::{Fault, StoreError};
use crate::store::rows::{ForeignText, slot_text};
use crate::store::schema::{labels, observations};
use celaje_sky::cover::Cover;
use celaje_sky::labelling::Draw;
use celaje_sky::okta::{Okta, OktaRange};
use celaje_sky::skill::SkillSample;
use celaje_sky::station_calibration::CalibrationSample;
use chrono::NaiveDateTime;

/// What an observer saw in the picture of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelOrder {
    /// Station local time.
    pub slot: NaiveDateTime,
    /// Who looked.
    pub observer: String,
    /// None where the observer could not tell.
    pub cover: Option<Cover>,
    /// How the picture was drawn.
    pub draw: Draw,
}

/// A model, as its rows name it; other tools may not have said.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct ModelKey {
    /// Name and version.
    #[diesel(deserialize_as = ForeignText)]
    pub model: Option<String>,
    /// SHA-256 of its file.
    pub model_sha256: Option<String>,
}

/// A label and the reading of the same slot, as the API and the exports give them.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema, QueryableByName)]
#[schemars(rename = "Label")]
pub struct LabelItem {
    /// Station local time.
    #[diesel(sql_type = Text)]
    pub slot: String,
    /// Who looked.
    #[diesel(sql_type = Text)]
    pub observer: String,
    /// What was seen: 0 to 8, or 9 where the sky cannot be seen; null: the observer could not tell.
    #[diesel(sql_type = Nullable<Integer>)]
    pub okta: Option<i32>,
    /// `random`: drawn by chance, so that it counts for the skill; `unsure`: chosen for its low
    /// confidence.
    #[diesel(sql_type = Text)]
    pub draw: String,
    /// UTC, `YYYY-MM-DD HH:MM:SS`.
    #[diesel(sql_type = Text)]
    pub created_at: String,
    /// What was read; null where the slot has no reading any more. So are the others below.
    #[diesel(sql_type = Nullable<Integer>)]
    pub okta_read: Option<i32>,
    /// 0 to 1.
    #[diesel(sql_type = Nullable<Double>)]
    pub cloud_fraction: Option<f64>,
    /// As it is stored.
    #[diesel(sql_type = Nullable<Double>)]
    pub confidence: Option<f64>,
    /// The range of the reading.
    #[diesel(sql_type = Nullable<Integer>)]
    pub okta_low: Option<i32>,
    /// Its upper end.
    #[diesel(sql_type = Nullable<Integer>)]
    pub okta_high: Option<i32>,
    /// Name and version.
    #[diesel(sql_type = Nullable<Text>, deserialize_as = ForeignText)]
    pub model: Option<String>,
    /// Where the picture was.
    #[diesel(sql_type = Nullable<Text>, deserialize_as = ForeignText)]
    pub url: Option<String>,
    /// Of the picture that was looked at.
    #[serde(skip)]
    #[diesel(sql_type = Nullable<Text>)]
    pub image_sha256: Option<String>,
    #[serde(skip)]
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) model_sha256: Option<String>,
    #[serde(skip)]
    #[diesel(sql_type = Nullable<Double>)]
    model_confidence: Option<f64>,
    #[serde(skip)]
    #[diesel(sql_type = Nullable<Integer>)]
    model_okta_low: Option<i32>,
    #[serde(skip)]
    #[diesel(sql_type = Nullable<Integer>)]
    model_okta_high: Option<i32>,
    #[serde(skip)]
    #[diesel(sql_type = Nullable<BigInt>)]
    calibration_id: Option<i64>,
}

/// The range between two stored oktas.
pub(super) fn range_of(low: Option<i32>, high: Option<i32>) -> Option<OktaRange> {
    let okta = |code: Option<i32>| Okta::new(u8::try_from(code?).ok()?);
    OktaRange::new(okta(low)?, okta(high)?)
}

fn cover_of(code: Option<i32>) -> Option<Cover> {
    Cover::from_code(u8::try_from(code?).ok()?)
}

impl LabelItem {
    /// Whether the reading is of this model.
    pub fn is_of(&self, key: &ModelKey) -> bool {
        self.model == key.model && self.model_sha256 == key.model_sha256
    }

    /// What was seen; none where the observer could not tell.
    pub fn cover(&self) -> Option<Cover> {
        cover_of(self.okta)
    }

    /// The label with the reading as it is stored.
    pub fn skill_sample(&self) -> Option<SkillSample> {
        Some(SkillSample {
            label: self.cover()?,
            read: cover_of(self.okta_read)?,
            confidence: self.confidence,
            range: range_of(self.okta_low, self.okta_high),
        })
    }

    /// The label with the reading as the model gave it; none without two amounts.
    pub fn calibration_sample(&self) -> Option<CalibrationSample> {
        let (confidence, range) = match self.calibration_id {
            None => (self.confidence, range_of(self.okta_low, self.okta_high)),
            Some(_) => (self.model_confidence, range_of(self.model_okta_low, self.model_okta_high)),
        };
        Some(CalibrationSample {
            label: self.cover()?.okta()?,
            read: cover_of(self.okta_read)?.okta()?,
            confidence: confidence?,
            range,
        })
    }
}

/// The first label of each slot; `labels` are in the order of slots, then of time.
pub fn first_of_each(labels: &[LabelItem]) -> impl Iterator<Item = &LabelItem> {
    let mut last = None;
    labels.iter().filter(move |label| last.replace(&label.slot) != Some(&label.slot))
}

/// The labels of a station, in the order of slots, then of time.
pub(super) fn all(connection: &mut SqliteConnection, station: &str) -> QueryResult<Vec<LabelItem>> {
    diesel::sql_query(
        "SELECT l.slot_local AS slot, l.observer, l.okta, l.draw, l.created_at, \
             l.image_sha256, \
             o.okta AS okta_read, o.cloud_fraction, \
             CASE WHEN o.confidence BETWEEN 0 AND 1 THEN o.confidence END AS confidence, \
             o.okta_low, o.okta_high, o.model, o.url, o.model_sha256, o.model_confidence, \
             o.model_okta_low, o.model_okta_high, o.calibration_id \
         FROM celaje_labels AS l LEFT JOIN observations AS o USING (station, slot_local) \
         WHERE l.station = ? ORDER BY l.slot_local, l.created_at, l.observer",
    )
    .bind::<Text, _>(station)
    .load(connection)
}

/// The model of the station's newest reading.
pub(super) fn newest_model(
    connection: &mut SqliteConnection,
    station: &str,
) -> QueryResult<Option<ModelKey>> {
    observations::table
        .select((observations::model, observations::model_sha256))
        .filter(observations::station.eq(station))
        .order(observations::slot_local.desc())
        .first(connection)
        .optional()
}

impl Database {
    /// Keeps a label of the database's station, in place of an earlier one of the same observer;
    /// false, and nothing is kept, if the slot has no reading.
    pub fn keep_label(&mut self, order: &LabelOrder) -> Result<bool, StoreError> {
        let (now, slot) = (self.dated(), slot_text(order.slot));
        let station = self.station.as_str();
        self.ownership
            .transaction(&mut self.connection, |connection| {
                let bytes: Option<Option<String>> = observations::table
                    .find((station, &slot))
                    .select(observations::image_sha256)
                    .first(connection)
                    .optional()?;
                let Some(bytes) = bytes else {
                    return Ok(false);
                };
                diesel::insert_into(labels::table)
                    .values((
                        labels::station.eq(station),
                        labels::slot_local.eq(&slot),
                        labels::observer.eq(&order.observer),
                        labels::okta.eq(order.cover.map(|cover| i32::from(cover.code()))),
                        labels::draw.eq(order.draw.as_str()),
                        labels::image_sha256.eq(bytes),
                        labels::created_at.eq(&now),
                    ))
                    .on_conflict((labels::station, labels::slot_local, labels::observer))
                    .do_update()
                    .set((
                        labels::okta.eq(excluded(labels::okta)),
                        labels::draw.eq(excluded(labels::draw)),
                        labels::image_sha256.eq(excluded(labels::image_sha256)),
                        labels::created_at.eq(excluded(labels::created_at)),
                    ))
                    .execute(connection)?;
                Ok(true)
            })
            .map_err(|fault: Fault| fault.at(&self.path))
    }

    /// Takes back an observer's label; whether there was one.
    pub fn remove_label(
        &mut self,
        slot: NaiveDateTime,
        observer: &str,
    ) -> Result<bool, StoreError> {
        let row = labels::table.find((&self.station, slot_text(slot), observer));
        let remove =
            |connection: &mut SqliteConnection| Ok(diesel::delete(row).execute(connection)? > 0);
        self.ownership
            .transaction(&mut self.connection, remove)
            .map_err(|fault: Fault| fault.at(&self.path))
    }
}
