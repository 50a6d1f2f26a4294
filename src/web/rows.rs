//! Rows as they are written: straight from the record into the bytes of the answer.

use std::marker::PhantomData;

use serde::Serialize;

use crate::export::columns::{READING, READING_NAMES};
use crate::export::csv;
use crate::store::reader::{
    Bucket, DarkMonth, HourOfMonth, LabelItem, LegacyRow, MissItem, MonthOfYear, ObservationItem,
    RunItem,
};
use crate::web::reply::Format;

/// A row that can be told as JSON and as CSV.
pub trait Row: Serialize {
    /// The names of its columns in CSV.
    const COLUMNS: &'static [&'static str];

    /// Hands its fields to `field`, in their order; empty where there is none.
    fn fields(&self, field: &mut dyn FnMut(&str));
}

fn float(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn whole(value: Option<i32>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn text(value: Option<&String>) -> &str {
    value.map_or("", String::as_str)
}

impl Row for ObservationItem {
    const COLUMNS: &'static [&'static str] = &READING_NAMES;

    fn fields(&self, field: &mut dyn FnMut(&str)) {
        READING.iter().for_each(|reading| field(&(reading.of)(self).into_text()));
    }
}

impl Row for Bucket {
    const COLUMNS: &'static [&'static str] = &[
        "from",
        "n",
        "slots",
        "mean_okta",
        "mean_fraction",
        "mean_confidence",
        "obscured",
        "okta_0",
        "okta_1",
        "okta_2",
        "okta_3",
        "okta_4",
        "okta_5",
        "okta_6",
        "okta_7",
        "okta_8",
        "clear",
        "cloudy",
        "frozen",
    ];

    fn fields(&self, field: &mut dyn FnMut(&str)) {
        field(&self.from);
        field(&self.n.to_string());
        field(&self.slots.map(|n| n.to_string()).unwrap_or_default());
        field(&float(self.mean_okta));
        field(&float(self.mean_fraction));
        field(&float(self.mean_confidence));
        field(&self.obscured.to_string());
        for n in self.distribution {
            field(&n.to_string());
        }
        field(&self.clear.to_string());
        field(&self.cloudy.to_string());
        field(&self.frozen.to_string());
    }
}

impl Row for HourOfMonth {
    const COLUMNS: &'static [&'static str] = &["month", "hour", "n", "mean_okta", "obscured"];

    fn fields(&self, field: &mut dyn FnMut(&str)) {
        field(&self.month.to_string());
        field(&self.hour.to_string());
        field(&self.n.to_string());
        field(&float(self.mean_okta));
        field(&self.obscured.to_string());
    }
}

impl Row for MonthOfYear {
    const COLUMNS: &'static [&'static str] = &[
        "month",
        "n",
        "mean_okta",
        "obscured",
        "nights",
        "clear_nights",
        "clear_share",
        "SKC",
        "FEW",
        "SCT",
        "BKN",
        "OVC",
    ];

    fn fields(&self, field: &mut dyn FnMut(&str)) {
        field(&self.month.to_string());
        field(&self.n.to_string());
        field(&float(self.mean_okta));
        field(&self.obscured.to_string());
        field(&self.nights.to_string());
        field(&self.clear_nights.to_string());
        field(&float(self.clear_share));
        for category in ["SKC", "FEW", "SCT", "BKN", "OVC"] {
            field(&self.categories.get(category).copied().unwrap_or_default().to_string());
        }
    }
}

impl Row for DarkMonth {
    const COLUMNS: &'static [&'static str] =
        &["period", "dark", "read", "coverage", "usable", "low", "high"];

    fn fields(&self, field: &mut dyn FnMut(&str)) {
        field(&self.period);
        field(&self.dark.to_string());
        field(&self.read.to_string());
        field(&float(self.coverage));
        field(&float(self.usable));
        field(&float(self.low));
        field(&float(self.high));
    }
}

impl Row for MissItem {
    const COLUMNS: &'static [&'static str] =
        &["slot", "slot_utc", "reason", "http_status", "attempts", "detail", "last_tried", "run"];

    fn fields(&self, field: &mut dyn FnMut(&str)) {
        field(&self.slot);
        field(&self.slot_utc);
        field(&self.reason);
        field(&self.http_status.map(|n| n.to_string()).unwrap_or_default());
        field(&self.attempts.to_string());
        field(&self.detail);
        field(&self.last_tried);
        field(&self.run.map(|n| n.to_string()).unwrap_or_default());
    }
}

impl Row for RunItem {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "station",
        "from",
        "to",
        "total",
        "new",
        "duplicates",
        "missed",
        "status",
        "started_at",
        "finished_at",
        "version",
        "engine",
        "model",
        "kind",
    ];

    fn fields(&self, field: &mut dyn FnMut(&str)) {
        field(&self.id.to_string());
        field(&self.station);
        field(&self.range_from);
        field(&self.range_to);
        field(&self.total.to_string());
        field(&self.new.to_string());
        field(&self.duplicates.to_string());
        field(&self.missed.to_string());
        field(&self.status);
        field(&self.started_at);
        field(text(self.finished_at.as_ref()));
        field(&self.version);
        field(&self.engine);
        field(&self.model);
        field(&self.kind);
    }
}

impl Row for LabelItem {
    const COLUMNS: &'static [&'static str] = &[
        "slot",
        "observer",
        "okta",
        "draw",
        "created_at",
        "okta_read",
        "cloud_fraction",
        "confidence",
        "okta_low",
        "okta_high",
        "model",
        "url",
    ];

    fn fields(&self, field: &mut dyn FnMut(&str)) {
        field(&self.slot);
        field(&self.observer);
        field(&whole(self.okta));
        field(&self.draw);
        field(&self.created_at);
        field(&whole(self.okta_read));
        field(&float(self.cloud_fraction));
        field(&float(self.confidence));
        field(&whole(self.okta_low));
        field(&whole(self.okta_high));
        field(text(self.model.as_ref()));
        field(text(self.url.as_ref()));
    }
}

impl Row for LegacyRow {
    const COLUMNS: &'static [&'static str] = &[];

    fn fields(&self, _: &mut dyn FnMut(&str)) {}
}

/// Rows as they are written, one after the other, straight into the bytes of the answer.
pub struct Rows<T> {
    format: Format,
    bytes: Vec<u8>,
    first: bool,
    of: PhantomData<fn(&T)>,
}

impl<T: Row> Rows<T> {
    /// Begins with what stands before the first row: `head` in JSON (up to the `[`), the names of
    /// the columns in CSV.
    pub fn begin(format: Format, head: &str) -> Self {
        let mut bytes = Vec::with_capacity(64 * 1024);
        match format {
            Format::Json => bytes.extend_from_slice(head.as_bytes()),
            Format::Csv => csv::line(&mut bytes, T::COLUMNS),
            Format::Lines => {}
        }
        Self { format, bytes, first: true, of: PhantomData }
    }

    /// Goes on where others have written rows already.
    pub fn go_on(format: Format) -> Self {
        Self { format, bytes: Vec::with_capacity(64 * 1024), first: false, of: PhantomData }
    }

    /// Writes a row.
    pub fn push(&mut self, row: &T) {
        match self.format {
            Format::Json => {
                if !self.first {
                    self.bytes.push(b',');
                }
                // Into memory, of a type that has nothing JSON lacks: it cannot fail.
                let _ = serde_json::to_writer(&mut self.bytes, row);
            }
            Format::Lines => {
                let _ = serde_json::to_writer(&mut self.bytes, row);
                self.bytes.push(b'\n');
            }
            Format::Csv => {
                let mut first = true;
                row.fields(&mut |field| {
                    if !first {
                        self.bytes.push(b',');
                    }
                    first = false;
                    csv::field(&mut self.bytes, field);
                });
                self.bytes.extend_from_slice(b"\r\n");
            }
        }
        self.first = false;
    }

    /// The bytes so far.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The bytes, with `tail` behind them in JSON.
    pub fn end(mut self, tail: &str) -> Vec<u8> {
        if self.format == Format::Json {
            self.bytes.extend_from_slice(tail.as_bytes());
        }
        self.bytes
    }
}
