//! What is wrong with a request, as `application/problem+json` (RFC 9457).

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;

use crate::store::error::{Fault, StoreError};
use crate::web::query::BadQuery;
use celaje_sky::say;
use celaje_sky::text::{Lang, Text};

/// The media type of problems.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A request that is not answered as asked.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{} {}", status.as_u16(), detail.en)]
pub struct Problem {
    status: StatusCode,
    parameter: Option<String>,
    detail: Text,
    retry_after: Option<u32>,
    allow: Option<&'static str>,
    challenge: bool,
}

#[derive(Serialize)]
struct ProblemBody<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
    detail: &'a str,
}

impl Problem {
    /// The answer's status.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// A problem with this status; `detail` is one sentence.
    pub const fn new(status: StatusCode, detail: Text) -> Self {
        Self { status, parameter: None, detail, retry_after: None, allow: None, challenge: false }
    }

    /// There is nothing at this address.
    pub fn not_found(detail: Text) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// No such path.
    pub fn no_such_path() -> Self {
        Self::not_found(say!(
            "there is nothing at this address; /api/ describes what there is",
            "no hay nada en esta dirección; /api/ describe lo que hay"
        ))
    }

    /// No such station.
    pub fn no_such_station(id: &str) -> Self {
        let id = shortened(id);
        let mut problem = Self::not_found(say!(
            "the record has no station '{id}'; /api/v1/stations lists them",
            "el registro no tiene una estación '{id}'; /api/v1/stations las enumera"
        ));
        problem.parameter = Some("station".to_owned());
        problem
    }

    /// The path is there, but not for this method.
    pub fn not_allowed(allow: &'static str) -> Self {
        let mut problem = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            say!("this address answers {allow} only", "esta dirección solo responde a {allow}"),
        );
        problem.allow = Some(allow);
        problem
    }

    /// Too much is asked at once.
    pub fn busy() -> Self {
        let mut problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            say!(
                "too many requests wait; try again in a moment",
                "esperan demasiadas peticiones; vuelva a intentar en un momento"
            ),
        );
        problem.retry_after = Some(1);
        problem
    }

    /// A bug.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            say!(
                "the program failed at this request; its log says more",
                "el programa falló en esta petición; su registro dice más"
            ),
        )
    }

    /// Names the parameter, or the part of the path, that is wrong.
    #[must_use]
    pub fn of(mut self, parameter: &str) -> Self {
        self.parameter = Some(shortened(parameter));
        self
    }

    /// Says that a token is asked for.
    #[must_use]
    pub const fn challenging(mut self) -> Self {
        self.challenge = true;
        self
    }

    /// Says after how many seconds another try may do.
    #[must_use]
    pub const fn after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The answer in `lang`.
    pub fn render(&self, lang: Lang) -> HttpResponse {
        let body = ProblemBody {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            parameter: self.parameter.as_deref(),
            detail: self.detail.get(lang),
        };
        let mut response = HttpResponseBuilder::new(self.status);
        response
            .content_type(MEDIA_TYPE)
            .insert_header((header::CONTENT_LANGUAGE, code(lang)))
            .insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        if let Some(allow) = self.allow {
            response.insert_header((header::ALLOW, allow));
        }
        if self.challenge {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"celaje\""));
        }
        response.body(serde_json::to_vec(&body).unwrap_or_default())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        self.render(Lang::current())
    }
}

impl From<BadQuery> for Problem {
    fn from(bad: BadQuery) -> Self {
        Self::new(StatusCode::BAD_REQUEST, bad.reason).of(&bad.parameter)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the record could not be read");
        match error.fault {
            Fault::Busy => Self::busy(),
            Fault::Missing | Fault::NoFolder | Fault::CannotOpen(_) | Fault::Outdated => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                say!(
                    "the record cannot be read now; the program's log says why",
                    "el registro no se puede leer ahora; el registro de mensajes del programa dice \
                    por qué"
                ),
            )
            .after(10),
            _ => Self::internal(),
        }
    }
}

/// The language's code.
pub const fn code(lang: Lang) -> &'static str {
    match lang {
        Lang::Es => "es",
        Lang::En => "en",
    }
}

/// What was sent, no longer than a sentence can bear.
pub fn shortened(text: &str) -> String {
    const MOST: usize = 80;
    let mut short: String =
        text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(MOST).collect();
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short
}

/// The language that `Accept-Language` likes best; that of the process when it names neither.
pub fn language(headers: &HeaderMap) -> Lang {
    let wanted = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    preferred(wanted).unwrap_or_else(Lang::current)
}

fn preferred(wanted: &str) -> Option<Lang> {
    let mut best: Option<(f32, Lang)> = None;
    for range in wanted.split(',').take(32) {
        let mut parts = range.split(';').map(str::trim);
        let tag = parts.next().unwrap_or_default().to_ascii_lowercase();
        let lang = match tag.split('-').next() {
            Some("es") => Lang::Es,
            Some("en") => Lang::En,
            _ => continue,
        };
        let weight = parts
            .find_map(|part| part.strip_prefix("q="))
            .map_or(1.0, |q| q.trim().parse::<f32>().unwrap_or(0.0));
        if weight > 0.0 && best.is_none_or(|(most, _)| weight > most) {
            best = Some((weight, lang));
        }
    }
    best.map(|(_, lang)| lang)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weightiest_language_that_is_spoken_wins() {
        for (wanted, lang) in [
            ("es-AR,es;q=0.9,en;q=0.8", Some(Lang::Es)),
            ("en;q=0.3, es;q=0.7", Some(Lang::Es)),
            ("de, en-GB;q=0.5", Some(Lang::En)),
            ("ES", Some(Lang::Es)),
            ("es;q=0, en;q=0.1", Some(Lang::En)),
            ("fr", None),
            ("", None),
            (";;,,q=", None),
        ] {
            assert_eq!(preferred(wanted), lang, "{wanted}");
        }
    }

    #[test]
    fn what_is_told_back_is_short_and_on_one_line() {
        assert_eq!(shortened("a\nb"), "a\u{fffd}b");
        assert_eq!(shortened(&"x".repeat(500)).chars().count(), 81);
    }
}
