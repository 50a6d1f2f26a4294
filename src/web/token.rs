//! The token that clients send with orders.

use std::fmt;
use std::path::Path;

use actix_web::HttpRequest;
use actix_web::http::header;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::settings::secret::Secret;
use crate::web::problem::{Problem, ProblemCode};
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;

/// Fewest characters of a token.
const SHORTEST: usize = 16;
/// Most characters of a token.
const LONGEST: usize = 1024;

/// A secret. Only its hash is kept, and it is never printed.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// The token `text` of `place`; surrounding blanks are removed.
    ///
    /// # Errors
    /// When it is too short to be one, or cannot be sent in a header.
    pub fn new(text: &str, place: &str) -> Result<Self> {
        let text = text.trim();
        let fits = (SHORTEST..=LONGEST).contains(&text.len());
        if !fits || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::usage(say!(
                "the token of {place} must have {SHORTEST} to {LONGEST} printable ASCII characters \
                 without blanks; make one with 'openssl rand -hex 32'",
                "el token de {place} debe tener de {SHORTEST} a {LONGEST} caracteres ASCII \
                 visibles sin espacios; genere uno con 'openssl rand -hex 32'"
            )));
        }
        Ok(Self(hash(text)))
    }

    /// The token in the file of `--token-file`.
    ///
    /// # Errors
    /// When the file cannot be read, or holds none.
    pub fn read(path: &Path) -> Result<Self> {
        let secret = Secret::of_file(path, "--token-file")?;
        Self::new(secret.expose(), &format!("--token-file '{}'", path.display()))
    }

    /// Whether `text` is this token, in constant time.
    pub fn is(&self, text: &str) -> bool {
        self.0.ct_eq(&hash(text)).into()
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Accepts a request that carries the token.
///
/// # Errors
/// 403 if no token is configured, 401 if the token is missing or wrong.
pub fn demand(token: Option<&Token>, request: &HttpRequest) -> std::result::Result<(), Problem> {
    let Some(token) = token else {
        return Err(Problem::new(
            ProblemCode::Forbidden,
            say!(
                "this server takes no orders: it was started without a token (--token-file)",
                "este servidor no recibe órdenes: se inició sin token (--token-file)"
            ),
        ));
    };
    let borne = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, borne)| borne.trim());
    match borne {
        Some(borne) if token.is(borne) => Ok(()),
        _ => Err(Problem::new(
            ProblemCode::Unauthorized,
            say!(
                "this needs the server's token: Authorization: Bearer TOKEN",
                "esto requiere el token del servidor: Authorization: Bearer TOKEN"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use celaje_sky::text::Text;

    #[test]
    fn a_token_is_its_text_and_shows_nothing() {
        let token = Token::new(" 0123456789abcdef\n", "CELAJE_TOKEN").unwrap();
        assert!(token.is("0123456789abcdef"));
        for other in ["", "0123456789abcde", "0123456789abcdeF", " 0123456789abcdef"] {
            assert!(!token.is(other), "{other}");
        }
        assert_eq!(format!("{token:?}"), "Token(…)");
        for bad in ["", "short", "0123456789 abcdef", "0123456789abcdeñ"] {
            let failure = Token::new(bad, "CELAJE_TOKEN").unwrap_err();
            assert_eq!(failure.class.exit_status(), 2, "{bad}");
            assert!(failure.text.en.contains("CELAJE_TOKEN"), "{failure}");
            assert!(bad.is_empty() || !failure.text.en.contains(bad));
        }
    }

    #[test]
    fn a_file_with_a_byte_order_mark_holds_a_token_and_a_blank_one_none() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |bytes: &[u8]| {
            std::fs::write(file.path(), bytes).unwrap();
            Token::read(file.path())
        };
        assert!(read(b"\xef\xbb\xbf0123456789abcdef\r\n").unwrap().is("0123456789abcdef"));
        for bytes in [&b""[..], b"\xef\xbb\xbf\n", b"0123456789abcdef\n2", b"short", b"\xff\xfe"] {
            let Text { en, es } = read(bytes).unwrap_err().text;
            for text in [en, es] {
                assert!(text.contains("--token-file"), "{text}");
                assert!(text.contains(&file.path().display().to_string()), "{text}");
            }
        }
    }
}
