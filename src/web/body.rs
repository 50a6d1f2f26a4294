//! The body of a request that carries JSON.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, web};
use serde::de::DeserializeOwned;

use crate::web::LONGEST_BODY;
use crate::web::problem::{Problem, ProblemCode, shortened};
use celaje_sky::say;

/// Time for a body to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads the body; `example` is shown to who sends another one.
pub(crate) async fn json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: web::Payload,
    example: &str,
) -> Result<T, Problem> {
    let is_json = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        return Err(Problem::new(
            ProblemCode::UnsupportedMediaType,
            say!("send the order as application/json", "envíe la orden como application/json"),
        )
        .of("Content-Type"));
    }
    let bad = |why: &str| {
        let why = shortened(why);
        Problem::new(
            ProblemCode::BadParameter,
            say!(
                "the order cannot be read ({why}); write {example}",
                "no se puede leer la orden ({why}); escriba {example}"
            ),
        )
        .of("body")
    };
    let body = tokio::time::timeout(PATIENCE, payload.to_bytes_limited(LONGEST_BODY)).await;
    let body = match body {
        Ok(Ok(Ok(body))) => body,
        Ok(Ok(Err(error))) => return Err(bad(&error.to_string())),
        Ok(Err(_)) => {
            return Err(Problem::new(
                ProblemCode::BodyTooLong,
                say!(
                    "the body has more than {LONGEST_BODY} bytes",
                    "el cuerpo tiene más de {LONGEST_BODY} bytes"
                ),
            ));
        }
        Err(_) => {
            return Err(Problem::new(
                ProblemCode::RequestTimeout,
                say!("the body did not arrive in time", "el cuerpo no llegó a tiempo"),
            ));
        }
    };
    serde_json::from_slice(&body).map_err(|error| bad(&error.to_string()))
}
