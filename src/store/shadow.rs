//! Readings of a second model of the same pictures, kept for comparison.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double, Nullable, Text};

use crate::store::Database;
use crate::store::error::{Fault, StoreError};
use crate::store::rows::slot_text;
use crate::store::schema::shadow_observations;
use celaje_sky::cover::Cover;
use celaje_sky::slot::Slot;

/// A shadow model's reading of a slot's picture.
#[derive(Clone, Debug, PartialEq)]
pub struct ShadowReading {
    /// The picture's moment.
    pub slot: Slot,
    /// Name and version of the model.
    pub model: String,
    /// SHA-256 of the model file, lower-case hexadecimal.
    pub model_sha256: String,
    /// Cloud amount, or that the sky cannot be seen.
    pub cover: Cover,
    /// Cloud fraction, 0 to 1; none when the model only classifies.
    pub cloud_fraction: Option<f64>,
    /// Probability that the amount is right, 0 to 1.
    pub confidence: Option<f64>,
}

/// How a shadow model's amounts compare with those of the record, where both see the sky.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Agreement {
    /// Slots in which both models see the sky.
    pub compared: u64,
    /// Of these, those with the same okta.
    pub exact: u64,
    /// Of these, those at most one okta apart.
    pub within_one: u64,
    /// Mean of shadow less record, oktas; 0 when nothing was compared.
    pub bias: f64,
}

#[derive(QueryableByName)]
struct ShadowRow {
    #[diesel(sql_type = BigInt)]
    compared: i64,
    #[diesel(sql_type = BigInt)]
    exact: i64,
    #[diesel(sql_type = BigInt)]
    within_one: i64,
    #[diesel(sql_type = Nullable<Double>)]
    bias: Option<f64>,
}

impl Database {
    /// Writes a shadow model's reading of the database's station, in place of an earlier one of the
    /// same model.
    pub fn keep_shadow(&mut self, reading: &ShadowReading) -> Result<(), StoreError> {
        let row = diesel::replace_into(shadow_observations::table).values((
            shadow_observations::station.eq(&self.station),
            shadow_observations::slot_local.eq(slot_text(reading.slot.local())),
            shadow_observations::model.eq(&reading.model),
            shadow_observations::model_sha256.eq(&reading.model_sha256),
            shadow_observations::okta.eq(i32::from(reading.cover.code())),
            shadow_observations::cloud_fraction.eq(reading.cloud_fraction),
            shadow_observations::confidence.eq(reading.confidence),
            shadow_observations::created_at.eq(self.dated()),
        ));
        let keep = |connection: &mut SqliteConnection| Ok(row.execute(connection).map(drop)?);
        self.ownership.transaction(&mut self.connection, keep).map_err(|fault| fault.at(&self.path))
    }

    /// How the readings of a shadow `model` (name and version) compare with the record.
    pub fn shadow_agreement(&mut self, model: &str) -> Result<Agreement, StoreError> {
        let row: ShadowRow = diesel::sql_query(
            "SELECT count(*) AS compared, \
                 coalesce(sum(s.okta = o.okta), 0) AS exact, \
                 coalesce(sum(abs(s.okta - o.okta) <= 1), 0) AS within_one, \
                 avg(s.okta - o.okta) AS bias \
             FROM shadow_observations AS s JOIN observations AS o USING (station, slot_local) \
             WHERE s.station = ? AND s.model = ? AND s.okta <> 9 AND o.okta <> 9",
        )
        .bind::<Text, _>(&self.station)
        .bind::<Text, _>(model)
        .get_result(&mut self.connection)
        .map_err(|error| Fault::from(error).at(&self.path))?;
        let count = |n: i64| u64::try_from(n).unwrap_or(0);
        Ok(Agreement {
            compared: count(row.compared),
            exact: count(row.exact),
            within_one: count(row.within_one),
            bias: row.bias.unwrap_or(0.0),
        })
    }
}
