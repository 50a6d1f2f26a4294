//! The confidence of a model at a station: fitted to the labels, stored, and applied to rows.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::Bool;
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::Database;
use crate::store::error::{Fault, StoreError};
use crate::store::labels::{self, LabelItem, ModelKey, first_of_each, range_of};
use crate::store::schema::{calibrations, observations};
use celaje_sky::okta::OktaRange;
use celaje_sky::outcome::Outcome;
use celaje_sky::quality::with_confidence;
use celaje_sky::station_calibration::StationCalibration;

/// A row of `celaje_calibrations`, as the API gives it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema, Queryable, Selectable)]
#[diesel(table_name = calibrations)]
#[schemars(rename = "Calibration")]
pub struct CalibrationItem {
    /// Its number, which the rows that it made have in `calibration_id`.
    pub id: i64,
    /// Name and version of the model.
    pub model: String,
    /// SHA-256 of the model's file.
    pub model_sha256: String,
    /// Added to the log odds of the model's confidence.
    pub intercept: f64,
    /// Multiplies the log odds of the model's confidence.
    pub slope: f64,
    /// Oktas by which ranges are widened at either end.
    pub widening: i32,
    /// Labels that it was fitted to; 0: the model's own confidence again.
    pub labels: i64,
    /// UTC, `YYYY-MM-DD HH:MM:SS`.
    pub created_at: String,
}

impl CalibrationItem {
    /// What it does to a confidence.
    pub fn rule(&self) -> StationCalibration {
        StationCalibration {
            intercept: self.intercept,
            slope: self.slope,
            widening: u8::try_from(self.widening).unwrap_or(0),
            labels: usize::try_from(self.labels).unwrap_or(0),
        }
    }
}

/// What came of giving old rows the station's confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RecalibrationReport {
    /// Rows of the model that have a confidence.
    pub rows: u64,
    /// Of these, those that were changed.
    pub changed: u64,
    /// Their mean confidence before.
    pub before: f64,
    /// And after.
    pub after: f64,
}

/// Confidence, range and flags of a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ModelConfidence {
    pub(super) confidence: Option<f64>,
    pub(super) range: Option<OktaRange>,
    pub(super) quality: String,
}

/// A calibration that new rows get.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct StoredCalibration {
    pub(super) id: i64,
    rule: StationCalibration,
}

impl StoredCalibration {
    /// What the row has of the station where the model gives it `own`.
    pub(super) fn apply(&self, own: &ModelConfidence) -> ModelConfidence {
        let Some(confidence) = own.confidence.map(|own| self.rule.confidence(own)) else {
            return own.clone();
        };
        ModelConfidence {
            confidence: Some(confidence),
            range: own.range.map(|range| self.rule.range(range, confidence)),
            quality: with_confidence(&own.quality, confidence),
        }
    }
}

/// The calibrations by station and model. The file has one writer, this process: what was looked up
/// holds until it stores another.
#[derive(Debug, Default)]
pub(super) struct CalibrationCache(BTreeMap<(String, String), Option<StoredCalibration>>);

impl CalibrationCache {
    /// Looks up those of the models of `outcomes`.
    pub(super) fn look_up(
        &mut self,
        connection: &mut SqliteConnection,
        station: &str,
        outcomes: &[Outcome],
    ) -> QueryResult<()> {
        for outcome in outcomes {
            let Outcome::Observed(observation) = outcome else { continue };
            let sha256 = &observation.model_sha256;
            if self.find(station, sha256).is_none() {
                let stored = newest(connection, station, sha256)?.and_then(|item| stored(&item));
                self.0.insert((station.to_owned(), sha256.clone()), stored);
            }
        }
        Ok(())
    }

    pub(super) fn of(&self, station: &str, sha256: &str) -> Option<&StoredCalibration> {
        self.find(station, sha256)?.as_ref()
    }

    /// Few stations and models: quicker than making a key of two owned texts.
    fn find(&self, station: &str, sha256: &str) -> Option<&Option<StoredCalibration>> {
        let mut all = self.0.iter();
        all.find(|((a, b), _)| a == station && b == sha256).map(|(_, stored)| stored)
    }
}

/// The calibration for new rows; none where the model's own confidence holds.
fn stored(item: &CalibrationItem) -> Option<StoredCalibration> {
    (item.labels > 0).then(|| StoredCalibration { id: item.id, rule: item.rule() })
}

/// The calibration that holds for a model at a station.
pub(super) fn newest(
    connection: &mut SqliteConnection,
    station: &str,
    sha256: &str,
) -> QueryResult<Option<CalibrationItem>> {
    calibrations::table
        .select(CalibrationItem::as_select())
        .filter(calibrations::station.eq(station))
        .filter(calibrations::model_sha256.eq(sha256))
        // In a file that others were merged into, the order of ids is not that of time.
        .order((calibrations::created_at.desc(), calibrations::id.desc()))
        .first(connection)
        .optional()
}

/// What the labels of a station say of a model: the first label of each slot counts.
pub(super) fn fitted(labels: &[LabelItem], key: &ModelKey) -> StationCalibration {
    let of_model = first_of_each(labels).filter(|label| label.is_of(key));
    let samples: Vec<_> = of_model.filter_map(LabelItem::calibration_sample).collect();
    StationCalibration::of(&samples)
}

/// The columns of a row that a calibration changes, and what the model said.
#[derive(Queryable, Selectable)]
#[diesel(table_name = observations)]
struct CalibratedRow {
    slot_local: String,
    confidence: Option<f64>,
    okta_low: Option<i32>,
    okta_high: Option<i32>,
    quality: Option<String>,
    calibration_id: Option<i64>,
    model_confidence: Option<f64>,
    model_okta_low: Option<i32>,
    model_okta_high: Option<i32>,
}

impl CalibratedRow {
    /// What the model said.
    fn own(&self) -> ModelConfidence {
        let quality = self.quality.clone().unwrap_or_default();
        match self.calibration_id {
            None => ModelConfidence {
                confidence: self.confidence,
                range: range_of(self.okta_low, self.okta_high),
                quality,
            },
            Some(_) => ModelConfidence {
                confidence: self.model_confidence,
                range: range_of(self.model_okta_low, self.model_okta_high),
                quality: match self.model_confidence {
                    Some(confidence) => with_confidence(&quality, confidence),
                    None => quality,
                },
            },
        }
    }
}

impl Database {
    /// Fits the confidence of the station's model (that of its newest reading) to the labels and
    /// stores it for the readings to come. None where no reading names its model.
    ///
    /// Without labels of that model, the model's own confidence holds again.
    pub fn calibrate(&mut self) -> Result<Option<CalibrationItem>, StoreError> {
        self.store_calibration(false)
    }

    /// Has the model's own confidence hold again for the readings to come.
    pub fn end_calibration(&mut self) -> Result<Option<CalibrationItem>, StoreError> {
        self.store_calibration(true)
    }

    fn store_calibration(&mut self, none: bool) -> Result<Option<CalibrationItem>, StoreError> {
        let now = self.dated();
        let station = self.station.as_str();
        let written = self.ownership.transaction(&mut self.connection, |connection| {
            let key = labels::newest_model(connection, station)?;
            let Some((key, model, sha256)) = key.and_then(|key| {
                let (model, sha256) = (key.model.clone()?, key.model_sha256.clone()?);
                Some((key, model, sha256))
            }) else {
                return Ok(None);
            };
            let rule = match none {
                true => StationCalibration::NONE,
                false => fitted(&labels::all(connection, station)?, &key),
            };
            diesel::insert_into(calibrations::table)
                .values((
                    calibrations::station.eq(station),
                    calibrations::model.eq(model),
                    calibrations::model_sha256.eq(&sha256),
                    calibrations::intercept.eq(rule.intercept),
                    calibrations::slope.eq(rule.slope),
                    calibrations::widening.eq(i32::from(rule.widening)),
                    calibrations::labels.eq(i64::try_from(rule.labels).unwrap_or(i64::MAX)),
                    calibrations::created_at.eq(&now),
                ))
                .execute(connection)?;
            Ok(newest(connection, station, &sha256)?)
        });
        self.calibrations = CalibrationCache::default();
        written.map_err(|fault: Fault| fault.at(&self.path))
    }

    /// Gives the stored rows of a calibration's model the confidence, the range and the flag
    /// `low_confidence` that follow from it; all or none. Rows of other models and other tools stay
    /// as they are.
    pub fn recalibrate(
        &mut self,
        item: &CalibrationItem,
    ) -> Result<RecalibrationReport, StoreError> {
        let station = self.station.as_str();
        let stored = stored(item);
        self.ownership
            .transaction(&mut self.connection, |connection| {
                let rows: Vec<CalibratedRow> = observations::table
                    .select(CalibratedRow::as_select())
                    .filter(observations::station.eq(station))
                    .filter(observations::model_sha256.eq(&item.model_sha256))
                    .filter(observations::origin.eq("celaje"))
                    .filter(observations::confidence.is_not_null())
                    .filter(observations::okta.ne(9).into_sql::<Bool>())
                    .load(connection)?;
                let mut report = RecalibrationReport::default();
                for row in &rows {
                    let own = row.own();
                    let shown = stored.map_or_else(|| own.clone(), |stored| stored.apply(&own));
                    report.rows += 1;
                    report.before += row.confidence.unwrap_or_default();
                    report.after += shown.confidence.unwrap_or_default();
                    report.changed +=
                        u64::from(rewrite(connection, station, row, &own, &shown, stored)?);
                }
                let n = report.rows.max(1) as f64;
                Ok(RecalibrationReport {
                    before: report.before / n,
                    after: report.after / n,
                    ..report
                })
            })
            .map_err(|fault: Fault| fault.at(&self.path))
    }
}

/// Writes what the row has from now on; whether that differs from before.
fn rewrite(
    connection: &mut SqliteConnection,
    station: &str,
    row: &CalibratedRow,
    own: &ModelConfidence,
    shown: &ModelConfidence,
    stored: Option<StoredCalibration>,
) -> QueryResult<bool> {
    let id = stored.map(|stored| stored.id);
    let low = |range: Option<OktaRange>| range.map(|range| i32::from(range.low().eighths()));
    let high = |range: Option<OktaRange>| range.map(|range| i32::from(range.high().eighths()));
    let before = stored.and(own.range);
    let same = row.confidence == shown.confidence
        && row.calibration_id == id
        && (row.okta_low, row.okta_high) == (low(shown.range), high(shown.range))
        && row.quality.as_deref() == Some(shown.quality.as_str());
    if same {
        return Ok(false);
    }
    diesel::update(observations::table.find((station, &row.slot_local)))
        .set((
            observations::confidence.eq(shown.confidence),
            observations::okta_low.eq(low(shown.range)),
            observations::okta_high.eq(high(shown.range)),
            observations::quality.eq(&shown.quality),
            observations::calibration_id.eq(id),
            observations::model_confidence.eq(stored.and(own.confidence)),
            observations::model_okta_low.eq(low(before)),
            observations::model_okta_high.eq(high(before)),
        ))
        .execute(connection)?;
    Ok(true)
}
