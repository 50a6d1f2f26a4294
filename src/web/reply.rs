//! Responses: their format, and conditional GET (RFC 9110, 13.1.2).

use actix_web::http::header::{self, EntityTag, IfNoneMatch};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use sha2::{Digest, Sha256};

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
        Self::preferred(accepted(request))
    }

    fn preferred(accepted: &str) -> Self {
        let known = |media: &str| match media {
            "text/csv" => Some(Self::Csv),
            "application/jsonl" | "application/x-ndjson" | "application/jsonlines" => {
                Some(Self::Lines)
            }
            "application/json" | "*/*" => Some(Self::Json),
            _ => None,
        };
        preferred(accepted, known).unwrap_or(Self::Json)
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

/// The value of `Accept`.
pub(crate) fn accepted(request: &HttpRequest) -> &str {
    let value = request.headers().get(header::ACCEPT);
    value.and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The form of the greatest weight (RFC 9110, 12.4.2), the first one of several, of those that
/// `known` finds for a media type; none where none is known.
pub(crate) fn preferred<T>(accepted: &str, known: impl Fn(&str) -> Option<T>) -> Option<T> {
    let mut best = (0.0, None);
    for range in accepted.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let Some(form) = parts.next().and_then(&known) else { continue };
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        let weight = weight.map_or(1.0, |text| text.parse().unwrap_or(0.0));
        if weight > best.0 {
            best = (weight, Some(form));
        }
    }
    best.1
}

/// The version of a response: its ETag, and the request header that chose its form, if any. Always
/// a weak tag: packed or not, it is the same text.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    tag: EntityTag,
    vary: Option<&'static str>,
}

impl Version {
    pub(crate) fn new(tag: String, vary: Option<&'static str>) -> Self {
        let tag = EntityTag::new_weak(tag);
        Self { tag, vary }
    }

    /// The version of a text that never changes while the program runs.
    pub(crate) fn of_text(text: &str) -> Self {
        let hash = Sha256::digest(text.as_bytes());
        let short = hash.iter().take(8).map(|byte| format!("{byte:02x}"));
        Self::new(short.collect(), None)
    }

    /// 304 for a client that has this version.
    pub(crate) fn unchanged(&self, request: &HttpRequest) -> Option<HttpResponse> {
        let same = match request.get_header::<IfNoneMatch>()? {
            IfNoneMatch::Any => true,
            IfNoneMatch::Items(tags) => tags.iter().any(|tag| tag.weak_eq(&self.tag)),
        };
        same.then(|| self.head(HttpResponse::NotModified()).finish())
    }

    /// The head of a whole response.
    pub(crate) fn ok(&self) -> HttpResponseBuilder {
        self.head(HttpResponse::Ok())
    }

    fn head(&self, mut response: HttpResponseBuilder) -> HttpResponseBuilder {
        response
            .insert_header((header::ETAG, self.tag.to_string()))
            .insert_header((header::CACHE_CONTROL, "no-cache"));
        if let Some(vary) = self.vary {
            response.append_header((header::VARY, vary));
        }
        response
    }
}

/// A text that never changes while the program runs.
pub(crate) fn fixed(request: &HttpRequest, media_type: &str, text: String) -> HttpResponse {
    let version = Version::of_text(&text);
    let unchanged = version.unchanged(request);
    unchanged.unwrap_or_else(|| version.ok().content_type(media_type).body(text))
}

/// The version of a list, and its format.
#[derive(Clone, Debug)]
pub struct Tagged {
    version: Version,
    format: Format,
}

impl Tagged {
    /// `version` of the record in this format; the request's address says which part of it.
    pub fn new(version: &str, format: Format) -> Self {
        let tag = format!("{version}-{}", format.letter());
        Self { version: Version::new(tag, Some("Accept")), format }
    }

    /// 304 for a client that has this version.
    pub fn unchanged(&self, request: &HttpRequest) -> Option<HttpResponse> {
        self.version.unchanged(request)
    }

    /// The head of a whole response.
    pub fn ok(&self) -> HttpResponseBuilder {
        let mut response = self.version.ok();
        response.content_type(self.format.media_type());
        response
    }
}

/// A value as JSON that must not be cached: it may change at any moment.
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

    #[test]
    fn the_form_of_the_greatest_weight_is_given() {
        for (accepted, form) in [
            ("", Format::Json),
            ("text/html, */*;q=0.1", Format::Json),
            ("text/csv", Format::Csv),
            ("text/csv;q=0, application/json", Format::Json),
            ("text/csv;q=0", Format::Json),
            ("application/json;q=0.1, text/csv", Format::Csv),
            ("application/json; q=0.5, application/x-ndjson;q=0.7", Format::Lines),
            ("text/csv, application/json", Format::Csv),
            ("text/csv;q=much, application/jsonl", Format::Lines),
        ] {
            assert_eq!(Format::preferred(accepted), form, "{accepted}");
        }
    }
}
