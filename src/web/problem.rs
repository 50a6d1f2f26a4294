//! Errors of the API: one table of them, sent as `application/problem+json` (RFC 9457).

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use schemars::JsonSchema;
use serde::Serialize;

use crate::export::ExportFault;
use crate::store::error::{Fault, StoreError};
use celaje_sky::say;
use celaje_sky::text::{Lang, Text};

/// The media type of problems.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The table of errors: a variant, its status, its code and what it means.
macro_rules! error_table {
    ($($variant:ident $status:ident $code:literal, $en:literal, $es:literal;)+) => {
        /// What can be wrong with a request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
        pub enum ProblemCode {
            $(#[serde(rename = $code)] $variant,)+
        }

        impl ProblemCode {
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its status, its code and what it means.
            pub fn row(self) -> (StatusCode, &'static str, Text) {
                match self {
                    $(Self::$variant => (StatusCode::$status, $code, say!($en, $es)),)+
                }
            }
        }
    };
}

error_table! {
    BadParameter BAD_REQUEST "bad_parameter",
        "a parameter, a part of the path or a part of the body is wrong; `parameter` names it",
        "un parámetro, una parte de la ruta o una parte del cuerpo está mal; `parameter` la nombra";
    BadRequest BAD_REQUEST "bad_request",
        "the request is no valid HTTP",
        "el pedido no es HTTP válido";
    Unauthorized UNAUTHORIZED "unauthorized",
        "the token is missing or wrong",
        "el token falta o no es correcto";
    Forbidden FORBIDDEN "forbidden",
        "the server takes no orders: it has no token, or only shows a record",
        "el servidor no recibe órdenes: no tiene token, o solo muestra un registro";
    NotFound NOT_FOUND "not_found",
        "there is no such address, station, slot, run, backfill or picture",
        "no existe esa dirección, estación, turno, ejecución, backfill o imagen";
    MethodNotAllowed METHOD_NOT_ALLOWED "method_not_allowed",
        "the address has other methods; `Allow` lists them",
        "la dirección admite otros métodos; `Allow` los enumera";
    RequestTimeout REQUEST_TIMEOUT "request_timeout",
        "the body did not arrive within ten seconds",
        "el cuerpo no llegó en diez segundos";
    BodyTooLong PAYLOAD_TOO_LARGE "body_too_long",
        "the body is longer than 64 KiB",
        "el cuerpo supera los 64 KiB";
    AddressTooLong URI_TOO_LONG "address_too_long",
        "the address is longer than 8 KiB",
        "la dirección supera los 8 KiB";
    UnsupportedMediaType UNSUPPORTED_MEDIA_TYPE "unsupported_media_type",
        "the body is not `application/json`",
        "el cuerpo no es `application/json`";
    NoSuchRange RANGE_NOT_SATISFIABLE "no_such_range",
        "the file has no such bytes; `Content-Range` says how many it has",
        "el archivo no tiene esos bytes; `Content-Range` dice cuántos tiene";
    WrongHost MISDIRECTED_REQUEST "wrong_host",
        "the server has no such name; `--host` adds one",
        "el servidor no tiene ese nombre; `--host` agrega uno";
    Internal INTERNAL_SERVER_ERROR "internal",
        "the program failed; its log says why",
        "el programa falló; su log dice por qué";
    CameraFailed BAD_GATEWAY "camera_failed",
        "the camera gave no picture, or one that cannot be read",
        "la cámara no dio una imagen, o dio una ilegible";
    Busy SERVICE_UNAVAILABLE "busy",
        "too many requests wait; `Retry-After` says when to try again",
        "hay demasiados pedidos en espera; `Retry-After` dice cuándo reintentar";
    Unavailable SERVICE_UNAVAILABLE "unavailable",
        "the record or the model cannot be opened now, or the program is stopping",
        "ahora no se puede abrir el registro o el modelo, o el programa se está deteniendo";
    CameraTimeout GATEWAY_TIMEOUT "camera_timeout",
        "the camera does not answer in time",
        "la cámara no responde a tiempo";
}

impl ProblemCode {
    /// The code of an error of the web framework.
    fn of(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::REQUEST_TIMEOUT => Self::RequestTimeout,
            StatusCode::PAYLOAD_TOO_LARGE => Self::BodyTooLong,
            StatusCode::URI_TOO_LONG => Self::AddressTooLong,
            status if status.is_server_error() => Self::Internal,
            _ => Self::BadRequest,
        }
    }
}

/// A request that is not answered as asked.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{code:?} {}", detail.en)]
pub struct Problem {
    code: ProblemCode,
    parameter: Option<String>,
    detail: Text,
    retry_after: Option<u32>,
    /// The value of the header that the code demands: of `Allow`, or of `Content-Range`.
    header: Option<String>,
}

/// A problem as it is sent.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct ProblemBody<'a> {
    r#type: &'static str,
    /// The name of the status.
    title: &'a str,
    status: u16,
    code: ProblemCode,
    /// The part of the request that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
    /// What is wrong, in a sentence.
    detail: &'a str,
}

impl Problem {
    /// `detail` is one sentence.
    pub const fn new(code: ProblemCode, detail: Text) -> Self {
        Self { code, parameter: None, detail, retry_after: None, header: None }
    }

    /// The answer's status.
    pub fn status(&self) -> StatusCode {
        self.code.row().0
    }

    /// What is asked for does not exist.
    pub fn not_found(detail: Text) -> Self {
        Self::new(ProblemCode::NotFound, detail)
    }

    pub fn no_such_path() -> Self {
        Self::not_found(say!(
            "there is nothing at this address; /api/ describes what there is",
            "no hay nada en esta dirección; /api/ describe lo que hay"
        ))
    }

    pub fn no_such_station(id: &str) -> Self {
        let id = shortened(id);
        Self::not_found(say!(
            "the record has no station '{id}'; /api/v1/stations lists them",
            "el registro no tiene una estación '{id}'; /api/v1/stations las enumera"
        ))
        .of("station")
    }

    /// The address answers the methods in `allow` only.
    pub fn not_allowed(allow: &str) -> Self {
        let detail =
            say!("this address answers {allow} only", "esta dirección solo responde a {allow}");
        Self { header: Some(allow.to_owned()), ..Self::new(ProblemCode::MethodNotAllowed, detail) }
    }

    /// A range that a file of so many bytes does not have.
    pub fn no_such_range(bytes: u64) -> Self {
        let detail = say!(
            "the file has {bytes} bytes, and none in this range",
            "el archivo tiene {bytes} bytes, y ninguno en este intervalo"
        );
        let header = Some(format!("bytes */{bytes}"));
        Self { header, ..Self::new(ProblemCode::NoSuchRange, detail) }.of("Range")
    }

    /// Too many requests at once.
    pub fn busy() -> Self {
        Self::new(
            ProblemCode::Busy,
            say!(
                "too many requests wait; try again in a moment",
                "hay demasiados pedidos en espera; vuelva a intentarlo en un momento"
            ),
        )
        .after(1)
    }

    /// A bug.
    pub fn internal() -> Self {
        Self::new(
            ProblemCode::Internal,
            say!(
                "the program failed to answer this request; its log says why",
                "el programa falló al responder este pedido; su log dice por qué"
            ),
        )
    }

    /// An error of the web framework; `reason` is its own.
    pub fn of_framework(status: StatusCode, reason: &str) -> Self {
        let code = ProblemCode::of(status);
        if code == ProblemCode::Internal {
            tracing::error!(%status, reason, "a request failed");
            return Self::internal();
        }
        let reason = match reason {
            "" => status.canonical_reason().unwrap_or("?").to_owned(),
            reason => shortened(reason),
        };
        Self::new(
            code,
            say!("the request cannot be read: {reason}", "no se puede leer el pedido: {reason}"),
        )
    }

    /// Names the parameter, or the part of the path, that is wrong.
    #[must_use]
    pub fn of(self, parameter: &str) -> Self {
        Self { parameter: Some(shortened(parameter)), ..self }
    }

    /// Another try may succeed after so many seconds.
    #[must_use]
    pub fn after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The answer in `lang`.
    pub fn render(&self, lang: Lang) -> HttpResponse {
        let status = self.status();
        let body = ProblemBody {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code: self.code,
            parameter: self.parameter.as_deref(),
            detail: self.detail.get(lang),
        };
        self.response(lang)
            .content_type(MEDIA_TYPE)
            .body(serde_json::to_vec(&body).unwrap_or_default())
    }

    /// The answer to a client of the replaced system, which knows one member and one language.
    pub fn render_detail(&self) -> HttpResponse {
        let lang = Lang::Es;
        self.response(lang).json(serde_json::json!({ "detail": self.detail.get(lang) }))
    }

    fn response(&self, lang: Lang) -> HttpResponseBuilder {
        let mut response = HttpResponseBuilder::new(self.status());
        response
            .insert_header((header::CONTENT_LANGUAGE, code(lang)))
            .insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        match (&self.header, self.code) {
            (Some(range), ProblemCode::NoSuchRange) => response
                .insert_header((header::CONTENT_RANGE, range.as_str()))
                .insert_header((header::ACCEPT_RANGES, "bytes")),
            (Some(allow), _) => response.insert_header((header::ALLOW, allow.as_str())),
            (None, _) => &mut response,
        };
        if self.code == ProblemCode::Unauthorized {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"celaje\""));
        }
        response
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse {
        self.render(Lang::current())
    }
}

/// A query that cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadQuery {
    /// The parameter that is wrong.
    pub parameter: String,
    /// What is wrong with it, in a sentence.
    pub reason: Text,
}

impl BadQuery {
    /// `reason` is wrong with `parameter`.
    pub fn new(parameter: &str, reason: Text) -> Self {
        Self { parameter: shortened(parameter), reason }
    }
}

impl From<BadQuery> for Problem {
    fn from(bad: BadQuery) -> Self {
        Self::new(ProblemCode::BadParameter, bad.reason).of(&bad.parameter)
    }
}

impl From<ExportFault> for Problem {
    fn from(fault: ExportFault) -> Self {
        match fault {
            ExportFault::Store(error) => error.into(),
            ExportFault::OneStation => BadQuery::new(
                "stations",
                say!(
                    "a NetCDF file holds one station; name one in 'stations'",
                    "un archivo NetCDF contiene una sola estación; indique una en 'stations'"
                ),
            )
            .into(),
            fault => {
                tracing::error!(%fault, "an export broke off");
                Self::internal()
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the record could not be read");
        match error.fault {
            Fault::Busy => Self::busy(),
            Fault::Missing
            | Fault::NoFolder
            | Fault::CannotOpen(_)
            | Fault::Outdated
            | Fault::Empty
            | Fault::LogElsewhere(_)
            | Fault::CopyFirst(_) => Self::new(
                ProblemCode::Unavailable,
                say!(
                    "the record cannot be read now; the program's log says why",
                    "el registro no se puede leer ahora; el log del programa dice por qué"
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

/// What a client sent, made fit for a sentence: at most 80 characters, on one line.
pub fn shortened(text: &str) -> String {
    const MOST: usize = 80;
    let mut short: String =
        text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(MOST).collect();
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short
}

/// The language that `Accept-Language` prefers; that of the process when it names neither.
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
    fn the_known_language_of_the_greatest_weight_is_chosen() {
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
    fn what_a_client_sent_is_shortened_to_one_line() {
        assert_eq!(shortened("a\nb"), "a\u{fffd}b");
        assert_eq!(shortened(&"x".repeat(500)).chars().count(), 81);
    }
}
