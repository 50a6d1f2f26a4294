//! Labels, the pictures to be labelled next, and what follows from labels.

use chrono::NaiveDateTime;
use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::calibration::{self, CalibrationItem};
use crate::store::error::StoreError;
use crate::store::labels::{self, first_of_each};
use crate::store::reader::Reader;
use crate::store::reader::items::{Confidence, confidence};
use crate::store::rows::parse_slot;
use crate::store::schema::observations;
use celaje_sky::cover::Cover;
use celaje_sky::evaluate::figures::Estimate;
use celaje_sky::evaluate::wilson;
use celaje_sky::labelling::{self, Candidate, Draw, LabelledSlots};
use celaje_sky::quality::Flag;
use celaje_sky::skill::Skill;
use celaje_sky::sun::DayPhase;

pub use crate::store::labels::LabelItem;

/// A picture that an observer is asked to label. What was read is not told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct QueueItem {
    /// Station local time.
    pub slot: String,
    /// `random` or `unsure`, to be sent back with the label.
    pub draw: &'static str,
}

/// Labels of an observer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ObserverCount {
    /// Who looked.
    pub observer: String,
    /// Labels, those of who could not tell included.
    pub labels: usize,
}

/// How many labels there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LabelCounts {
    /// Of all observers and models.
    pub all: usize,
    /// Of these, drawn at random.
    pub random: usize,
    /// Of these, chosen for their low confidence.
    pub unsure: usize,
    /// Of these, where the observer could not tell.
    pub cannot_tell: usize,
    /// Who looked, in the order of names.
    pub observers: Vec<ObserverCount>,
}

/// How far observers agree who labelled the same picture with an amount.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ObserverAgreement {
    /// Pairs of labels of one picture.
    pub pairs: usize,
    /// The share of pairs with the same okta (Wilson).
    pub exact: Option<Estimate>,
    /// The share of pairs at most one okta apart (Wilson).
    pub within_one: Option<Estimate>,
}

/// What the labels say of the confidence, before anybody applies it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct OfferedCalibration {
    /// Labels that it is fitted to, of both halves of the queue.
    pub labels: usize,
    /// Added to the log odds of the model's confidence.
    pub intercept: f64,
    /// Multiplies the log odds of the model's confidence.
    pub slope: f64,
    /// Oktas by which ranges are widened at either end.
    pub widening: u8,
    /// Mean confidence of the labelled readings as the model gives it; null without labels.
    pub confidence_before: Option<f64>,
    /// The same with this calibration.
    pub confidence_after: Option<f64>,
}

/// How right the readings of a station are, by its labels.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "SkillReport")]
pub struct SkillReport {
    /// Station, by its id.
    pub station: String,
    /// Name and version of the model that is judged: that of the newest reading.
    pub model: Option<String>,
    /// How many labels there are.
    pub labels: LabelCounts,
    /// The figures, from the pictures that were drawn at random.
    pub skill: Skill,
    /// How far observers agree with each other.
    pub observers_agree: ObserverAgreement,
    /// The calibration that new readings get; null: the model's own confidence.
    pub calibration: Option<CalibrationItem>,
    /// What the labels say now.
    pub offered: OfferedCalibration,
}

/// What the queue needs of a row.
#[derive(Queryable, Selectable)]
#[diesel(table_name = observations)]
struct CandidateRow {
    slot_local: String,
    day_phase: Option<String>,
    #[diesel(select_expression = confidence(), select_expression_type = Confidence)]
    confidence: Option<f64>,
}

impl CandidateRow {
    fn candidate(self) -> Option<Candidate> {
        let name = self.day_phase.unwrap_or_default();
        Some(Candidate {
            slot: parse_slot(&self.slot_local)?,
            phase: DayPhase::ALL.into_iter().find(|phase| phase.as_str() == name),
            confidence: self.confidence,
        })
    }
}

impl Reader {
    /// The labels of a station, in the order of slots, then of time.
    pub fn labels(&mut self, station: &str) -> Result<Vec<LabelItem>, StoreError> {
        self.ask(|connection| labels::all(connection, station))
    }

    /// The next `n` pictures that `observer` is asked to label: of the model of the newest reading,
    /// without those of a camera that stands still. `skip` were passed over.
    pub fn label_queue(
        &mut self,
        station: &str,
        observer: &str,
        skip: usize,
        n: usize,
    ) -> Result<Vec<QueueItem>, StoreError> {
        let labels = self.labels(station)?;
        let candidates = self.candidates(station)?;
        let slot = |label: &LabelItem| parse_slot(&label.slot);
        let is_random = |label: &&LabelItem| label.draw == Draw::Random.as_str();
        let own = || labels.iter().filter(|label| label.observer == observer);
        let others = labels.iter().filter(|label| label.observer != observer);
        let labelled = LabelledSlots {
            own: own().filter_map(slot).collect(),
            own_random: own().filter(is_random).filter_map(slot).collect(),
            others: others.filter(is_random).filter_map(slot).collect(),
        };
        let seed = station
            .bytes()
            .fold(0u64, |seed, byte| celaje_sky::random::mix(seed ^ u64::from(byte)));
        let queue = labelling::queue(&candidates, &labelled, seed, skip, n);
        let item = |(slot, draw): (NaiveDateTime, Draw)| QueueItem {
            slot: crate::store::rows::slot_text(slot),
            draw: draw.as_str(),
        };
        Ok(queue.into_iter().map(item).collect())
    }

    fn candidates(&mut self, station: &str) -> Result<Vec<Candidate>, StoreError> {
        self.ask(|connection| {
            let Some(key) = labels::newest_model(connection, station)? else {
                return Ok(Vec::new());
            };
            observations::table
                .select(CandidateRow::as_select())
                .filter(observations::station.eq(station))
                .filter(observations::model.is(key.model))
                .filter(observations::model_sha256.is(key.model_sha256))
                .filter(
                    observations::quality
                        .not_like(format!("%{}%", Flag::Frozen.as_str()))
                        .or(observations::quality.is_null()),
                )
                .order(observations::slot_local.asc())
                .load_iter::<CandidateRow, DefaultLoadingMode>(connection)?
                .filter_map(|row| row.map(CandidateRow::candidate).transpose())
                .collect()
        })
    }

    /// How right the readings of a station are.
    pub fn skill(&mut self, station: &str) -> Result<SkillReport, StoreError> {
        self.ask(|connection| {
            let labels = labels::all(connection, station)?;
            let key = labels::newest_model(connection, station)?;
            let key = key.unwrap_or(labels::ModelKey { model: None, model_sha256: None });
            let random: Vec<LabelItem> = labels
                .iter()
                .filter(|label| label.draw == Draw::Random.as_str() && label.is_of(&key))
                .filter(|label| label.cover().is_some())
                .cloned()
                .collect();
            let samples: Vec<_> =
                first_of_each(&random).filter_map(LabelItem::skill_sample).collect();
            let held = match &key.model_sha256 {
                Some(sha256) => calibration::newest(connection, station, sha256)?,
                None => None,
            };
            let rule = calibration::fitted(&labels, &key);
            let own: Vec<f64> = first_of_each(&labels)
                .filter(|label| label.is_of(&key))
                .filter_map(|label| Some(label.calibration_sample()?.confidence))
                .collect();
            let mean = |of: &dyn Fn(f64) -> f64| {
                let sum: f64 = own.iter().map(|confidence| of(*confidence)).sum();
                (!own.is_empty()).then(|| sum / own.len() as f64)
            };
            Ok(SkillReport {
                station: station.to_owned(),
                model: key.model,
                labels: counts(&labels),
                skill: Skill::of(&samples),
                observers_agree: agreement(&labels),
                calibration: held.filter(|item| item.labels > 0),
                offered: OfferedCalibration {
                    labels: rule.labels,
                    intercept: rule.intercept,
                    slope: rule.slope,
                    widening: rule.widening,
                    confidence_before: mean(&|own| own),
                    confidence_after: mean(&|own| rule.confidence(own)),
                },
            })
        })
    }
}

fn counts(labels: &[LabelItem]) -> LabelCounts {
    let mut observers = std::collections::BTreeMap::<&str, usize>::new();
    for label in labels {
        *observers.entry(&label.observer).or_default() += 1;
    }
    let drawn = |draw: Draw| labels.iter().filter(|label| label.draw == draw.as_str()).count();
    LabelCounts {
        all: labels.len(),
        random: drawn(Draw::Random),
        unsure: drawn(Draw::Unsure),
        cannot_tell: labels.iter().filter(|label| label.okta.is_none()).count(),
        observers: observers
            .into_iter()
            .map(|(observer, labels)| ObserverCount { observer: observer.to_owned(), labels })
            .collect(),
    }
}

fn agreement(labels: &[LabelItem]) -> ObserverAgreement {
    let okta = |label: &LabelItem| label.cover().and_then(Cover::okta);
    let apart: Vec<u8> = labels
        .chunk_by(|a, b| a.slot == b.slot)
        .flat_map(|same| {
            let (first, others) = same.split_first().unzip();
            let first = first.and_then(okta);
            let others = others.unwrap_or_default().iter().filter_map(okta);
            others.filter_map(move |other| Some(first?.eighths().abs_diff(other.eighths())))
        })
        .collect();
    let within =
        |most: u8| wilson::share(apart.iter().filter(|apart| **apart <= most).count(), apart.len());
    ObserverAgreement { pairs: apart.len(), exact: within(0), within_one: within(1) }
}
