//! Answers: in which form, whether they have changed, and rows as they are written.

use std::marker::PhantomData;

use actix_web::http::header::{self, EntityTag, IfNoneMatch};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder};
use serde::Serialize;

use crate::store::reader::{Bucket, LegacyRow, MissItem, ObservationItem, RunItem};
use crate::web::problem::Problem;

/// What a list is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object with the list in it.
    Json,
    /// RFC 4180, with a line of names.
    Csv,
    /// A JSON object a line.
    Lines,
}

impl Format {
    /// By the ending of the path, else by `Accept`, else JSON.
    pub fn of(request: &HttpRequest) -> Self {
        let path = request.path();
        if path.ends_with(".csv") {
            return Self::Csv;
        }
        if path.ends_with(".jsonl") {
            return Self::Lines;
        }
        if path.ends_with(".json") {
            return Self::Json;
        }
        let accepted = request
            .headers()
            .get(header::ACCEPT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        for range in accepted.split(',') {
            match range.split(';').next().unwrap_or_default().trim() {
                "text/csv" => return Self::Csv,
                "application/jsonl" | "application/x-ndjson" | "application/jsonlines" => {
                    return Self::Lines;
                }
                "application/json" | "*/*" => return Self::Json,
                _ => {}
            }
        }
        Self::Json
    }

    /// The media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Lines => "application/jsonl; charset=utf-8",
        }
    }

    const fn letter(self) -> char {
        match self {
            Self::Json => 'j',
            Self::Csv => 'c',
            Self::Lines => 'l',
        }
    }
}

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

fn text(value: Option<&String>) -> &str {
    value.map_or("", String::as_str)
}

impl Row for ObservationItem {
    const COLUMNS: &'static [&'static str] = &[
        "slot",
        "slot_utc",
        "okta",
        "cloud_fraction",
        "confidence",
        "category",
        "description",
        "quality",
        "model",
        "solar_elevation",
        "day_phase",
        "url",
    ];

    fn fields(&self, field: &mut dyn FnMut(&str)) {
        field(&self.slot);
        field(text(self.slot_utc.as_ref()));
        field(&self.okta.to_string());
        field(&float(self.cloud_fraction));
        field(&float(self.confidence));
        field(text(self.category.as_ref()));
        field(text(self.description.as_ref()));
        field(text(self.quality.as_ref()));
        field(text(self.model.as_ref()));
        field(&float(self.solar_elevation));
        field(text(self.day_phase.as_ref()));
        field(text(self.url.as_ref()));
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
    }
}

impl Row for MissItem {
    const COLUMNS: &'static [&'static str] = &[
        "slot",
        "slot_utc",
        "reason",
        "http_status",
        "attempts",
        "detail",
        "last_tried",
        "run",
    ];

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
    /// Begins with what stands before the first row: `head` in JSON (up to the `[`), the names of the
    /// columns in CSV.
    pub fn begin(format: Format, head: &str) -> Self {
        let mut bytes = Vec::with_capacity(64 * 1024);
        match format {
            Format::Json => bytes.extend_from_slice(head.as_bytes()),
            Format::Csv => {
                bytes.extend_from_slice(T::COLUMNS.join(",").as_bytes());
                bytes.extend_from_slice(b"\r\n");
            }
            Format::Lines => {}
        }
        Self {
            format,
            bytes,
            first: true,
            of: PhantomData,
        }
    }

    /// Goes on where others have written rows already.
    pub fn go_on(format: Format) -> Self {
        Self {
            format,
            bytes: Vec::with_capacity(64 * 1024),
            first: false,
            of: PhantomData,
        }
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
                    csv_field(&mut self.bytes, field);
                });
                self.bytes.extend_from_slice(b"\r\n");
            }
        }
        self.first = false;
    }

    /// Writes a row with what is told beside it under `name`; CSV has no place for that.
    pub fn push_with(&mut self, row: &T, name: &str, beside: &[impl Serialize]) {
        self.push(row);
        if beside.is_empty() || self.format == Format::Csv {
            return;
        }
        // Before the brace (and the line's end) that the row ends with.
        let end = match self.format {
            Format::Lines => "}\n",
            _ => "}",
        };
        self.bytes.truncate(self.bytes.len() - end.len());
        self.bytes.extend_from_slice(b",\"");
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b"\":");
        let _ = serde_json::to_writer(&mut self.bytes, beside);
        self.bytes.extend_from_slice(end.as_bytes());
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

/// Writes a field as RFC 4180 has it. One that a spreadsheet would compute gets an apostrophe: other
/// tools write to the record too.
fn csv_field(bytes: &mut Vec<u8>, field: &str) {
    let computed = field.starts_with(['=', '@', '\t', '\r'])
        || (field.starts_with(['+', '-']) && field.parse::<f64>().is_err());
    if !computed && !field.contains([',', '"', '\r', '\n']) {
        bytes.extend_from_slice(field.as_bytes());
        return;
    }
    bytes.push(b'"');
    if computed {
        bytes.push(b'\'');
    }
    for byte in field.bytes() {
        if byte == b'"' {
            bytes.push(b'"');
        }
        bytes.push(byte);
    }
    bytes.push(b'"');
}

/// The tag of an answer, and the form that it is in.
#[derive(Clone, Debug)]
pub struct Tagged {
    tag: EntityTag,
    format: Format,
}

impl Tagged {
    /// What `version` of the record is told as; the request's address says which part of it.
    pub fn new(version: &str, format: Format) -> Self {
        Self {
            tag: EntityTag::new_weak(format!("{version}-{}", format.letter())),
            format,
        }
    }

    /// The answer to somebody who has it already.
    pub fn unchanged(&self, request: &HttpRequest) -> Option<HttpResponse> {
        let seen = request.get_header::<IfNoneMatch>()?;
        let same = match seen {
            IfNoneMatch::Any => true,
            IfNoneMatch::Items(tags) => tags.iter().any(|tag| tag.weak_eq(&self.tag)),
        };
        same.then(|| self.respond(HttpResponse::NotModified()).finish())
    }

    /// The beginning of a whole answer.
    pub fn ok(&self) -> HttpResponseBuilder {
        let mut response = self.respond(HttpResponse::Ok());
        response.content_type(self.format.media_type());
        response
    }

    fn respond(&self, mut response: HttpResponseBuilder) -> HttpResponseBuilder {
        response
            .insert_header((header::ETAG, self.tag.to_string()))
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .append_header((header::VARY, "Accept"));
        response
    }
}

/// A value as JSON that is not to be kept: it may be another one in a moment.
///
/// # Errors
/// Never with the types of this program.
pub fn live<T: Serialize>(value: &T) -> Result<HttpResponse, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(%error, "an answer could not be written");
        Problem::internal()
    })?;
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(field: &str) -> String {
        let mut bytes = Vec::new();
        csv_field(&mut bytes, field);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn fields_of_csv_are_quoted_where_they_have_to_be() {
        for (field, written) in [
            ("", ""),
            ("2024-01-31T08:02", "2024-01-31T08:02"),
            ("-12.5", "-12.5"),
            ("night,frozen", "\"night,frozen\""),
            ("a \"b\"", "\"a \"\"b\"\"\""),
            ("=1+1", "\"'=1+1\""),
            ("-cmd", "\"'-cmd\""),
            ("@x", "\"'@x\""),
        ] {
            assert_eq!(csv(field), written, "{field}");
        }
    }
}
