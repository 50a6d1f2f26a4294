//! The rows of an export and what they have in its columns.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::export::columns::{Column, ColumnKind, READING, ReadingColumn, SHARE, Value, rounded};
use crate::store::reader::{ExportReading, ExportSlot, LabelItem};
use crate::store::rows::{parse_slot, utc_text};
use celaje_sky::slot::Zone;

/// The oktas that people saw in the picture of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LabelSpan {
    /// Of the label that was given first; 9: the sky cannot be seen.
    pub(super) first: i32,
    pub(super) low: i32,
    pub(super) high: i32,
}

impl LabelSpan {
    /// By slot; without those who could not tell.
    pub(super) fn by_slot(labels: &[LabelItem]) -> BTreeMap<String, Self> {
        let mut spans = BTreeMap::<String, Self>::new();
        for label in labels {
            let Some(okta) = label.okta else { continue };
            let own = Self { first: okta, low: okta, high: okta };
            let span = spans.entry(label.slot.clone()).or_insert(own);
            (span.low, span.high) = (span.low.min(okta), span.high.max(okta));
        }
        spans
    }
}

/// A slot as it is written.
pub(super) struct ExportRow<'a> {
    pub(super) station: &'a str,
    pub(super) slot: &'a ExportSlot,
    /// None where the station's clock has no such moment.
    pub(super) instant: Option<DateTime<Utc>>,
    pub(super) label: Option<LabelSpan>,
}

const STATION: Column = Column::new("station", ColumnKind::Text, "", "id of the station");

/// What an export tells of a slot beside its reading.
static BESIDE: [Column; 7] = [
    Column::new("model_sha256", ColumnKind::Text, "", "SHA-256 of the model's ONNX file"),
    Column::new("image_sha256", ColumnKind::Text, "", "SHA-256 of the picture"),
    Column::new(
        "origin",
        ColumnKind::Text,
        "",
        "celaje, or registro_historico: written by the replaced system or another tool",
    ),
    Column::new("miss", ColumnKind::Text, "", "why the slot has no reading"),
    Column::new(
        "label_okta",
        ColumnKind::Code,
        "0.125",
        "okta that a person saw in the picture first",
    ),
    Column::new("label_low", ColumnKind::Code, "0.125", "least okta that a person saw in it"),
    Column::new("label_high", ColumnKind::Code, "0.125", "greatest okta that a person saw in it"),
];

/// The columns of an export, in their order.
pub(super) fn columns() -> impl Iterator<Item = &'static Column> {
    let readings = READING.iter().map(|reading| &reading.column);
    std::iter::once(&STATION).chain(readings).chain(&BESIDE)
}

impl<'a> ExportRow<'a> {
    pub(super) fn new(
        station: &'a str,
        slot: &'a ExportSlot,
        zone: Option<Zone>,
        labels: &BTreeMap<String, LabelSpan>,
    ) -> Self {
        let stored = slot.slot_utc().and_then(|text| text.parse::<DateTime<Utc>>().ok());
        let instant = stored.or_else(|| zone?.instant(parse_slot(slot.slot())?));
        Self { station, slot, instant, label: labels.get(slot.slot()).copied() }
    }

    pub(super) fn reading(&self) -> Option<&'a ExportReading> {
        match self.slot {
            ExportSlot::Reading(reading) => Some(reading),
            ExportSlot::Miss(_) => None,
        }
    }

    /// Why there is none.
    pub(super) fn reason(&self) -> Option<&'a str> {
        match self.slot {
            ExportSlot::Reading(_) => None,
            ExportSlot::Miss(miss) => Some(&miss.reason),
        }
    }

    /// Hands over what it has in each column, in their order.
    pub(super) fn values(&self, take: &mut dyn FnMut(&'static Column, Value<'a>)) {
        take(&STATION, Value::Text(Cow::Borrowed(self.station)));
        for ReadingColumn { column, of } in &READING {
            let value = match (self.slot, column.name) {
                // A row of another tool does not say it; the station's clock does.
                (ExportSlot::Reading(_), "slot_utc") => {
                    self.instant.map_or(Value::Nothing, |at| Value::Text(utc_text(at).into()))
                }
                (ExportSlot::Reading(reading), _) => deserved(column, of(&reading.item)),
                (ExportSlot::Miss(miss), "slot") => Value::text(Some(&miss.slot_local)),
                (ExportSlot::Miss(miss), "slot_utc") => Value::text(Some(&miss.slot_utc)),
                (ExportSlot::Miss(_), _) => Value::Nothing,
            };
            take(column, value);
        }
        let reading = self.reading();
        let values = [
            Value::text(reading.and_then(|reading| reading.model_sha256.as_deref())),
            Value::text(reading.and_then(|reading| reading.image_sha256.as_deref())),
            Value::text(reading.map(|reading| reading.origin.as_str())),
            Value::text(self.reason()),
            Value::whole(self.label.map(|label| label.first)),
            Value::whole(self.label.map(|label| label.low)),
            Value::whole(self.label.map(|label| label.high)),
        ];
        BESIDE.iter().zip(values).for_each(|(column, value)| take(column, value));
    }
}

/// The value with the digits that it deserves.
fn deserved<'a>(column: &Column, value: Value<'a>) -> Value<'a> {
    match value {
        Value::Number(number, decimals) => Value::Number(rounded(number, decimals), decimals),
        Value::Text(text) if column.kind == ColumnKind::Object => {
            let read = zones(&text);
            let written = read.and_then(|read| serde_json::to_string(&read).ok());
            Value::Text(written.map_or(text, Cow::Owned))
        }
        value => value,
    }
}

/// The cloud fractions of zones by their names.
pub(super) fn zones(text: &str) -> Option<BTreeMap<String, Option<f64>>> {
    let mut zones: BTreeMap<String, Option<f64>> = serde_json::from_str(text).ok()?;
    for share in zones.values_mut().flatten() {
        *share = rounded(*share, SHARE);
    }
    Some(zones)
}
