//! CORS for the paths of the replaced system, whose dashboard was a page of another server.
//!
//! By default, and always on other paths, no other origin may read. The data is public and never
//! depends on who asks, so that credentials, which no path of it looks at, may be let through.

use std::str::FromStr;

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use url::Url;

/// Seconds that a browser may cache a preflight's response.
const REMEMBERED: &str = "86400";

/// An allowed origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Any origin.
    Any,
    /// As browsers send it: scheme, name, and the port unless it is the default one.
    One(String),
}

/// The text is not an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write scheme and name of the page's server, as https://example.org:8443, or * for any")]
pub struct BadOrigin;

impl FromStr for Origin {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<Self, BadOrigin> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let url = Url::parse(text).map_err(|_| BadOrigin)?;
        if text.contains('*') {
            return Err(BadOrigin);
        }
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !bare || !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(BadOrigin);
        }
        Ok(Self::One(url.origin().ascii_serialization()))
    }
}

/// The allowed origins.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    named: Vec<Origin>,
    /// Whether their pages may send cookies, and any method and header.
    credentials: bool,
}

impl Origins {
    /// Pages of these may read.
    pub const fn new(named: Vec<Origin>) -> Self {
        Self { named, credentials: false }
    }

    /// Pages of any origin may read, with credentials, as the replaced system let them.
    pub fn everybody() -> Self {
        Self { named: vec![Origin::Any], credentials: true }
    }

    fn is_any(&self) -> bool {
        self.named.contains(&Origin::Any)
    }

    /// The value of `Access-Control-Allow-Origin` for `origin`; none if it is not allowed.
    fn allowed(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        match origin {
            // To credentials a browser wants its own name.
            Some(origin) if self.is_any() && self.credentials => Some(origin.clone()),
            _ if self.is_any() => Some(HeaderValue::from_static("*")),
            Some(origin) => {
                let text = origin.to_str().ok()?;
                let known = |known: &Origin| matches!(known, Origin::One(known) if known == text);
                self.named.iter().any(known).then(|| origin.clone())
            }
            None => None,
        }
    }

    /// Whether the request is a preflight from an allowed origin.
    pub fn answers(&self, method: &Method, headers: &HeaderMap) -> bool {
        method == Method::OPTIONS
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
            && self.allowed(headers.get(header::ORIGIN)).is_some()
    }

    /// Sets the CORS headers of a response.
    pub fn open(&self, asked: Option<&HeaderValue>, told: &mut HeaderMap) {
        if self.named.is_empty() {
            return;
        }
        // An image request carries no Origin header.
        told.insert(
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("cross-origin"),
        );
        if self.credentials || !self.is_any() {
            told.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        let Some(allowed) = self.allowed(asked) else {
            return;
        };
        told.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if self.credentials && asked.is_some() {
            let yes = HeaderValue::from_static("true");
            told.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
    }

    /// Sets the headers that only a preflight's response has.
    pub fn permit(&self, asked: &HeaderMap, told: &mut HeaderMap) {
        // To credentials `*` would be a name.
        let headers = match asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            Some(wanted) if self.credentials => wanted.clone(),
            _ => HeaderValue::from_static("*"),
        };
        let methods = match self.credentials {
            true => "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT",
            false => "GET, HEAD",
        };
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods)),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, headers),
            (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(REMEMBERED)),
        ] {
            told.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_written_as_browsers_send_them() {
        let origin = |text: &str| text.parse::<Origin>();
        assert_eq!(origin("*"), Ok(Origin::Any));
        for (text, sent) in [
            ("https://Cielo.example", "https://cielo.example"),
            ("https://cielo.example:443/", "https://cielo.example"),
            ("http://127.0.0.1:5500", "http://127.0.0.1:5500"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(origin(text), Ok(Origin::One(sent.to_owned())), "{text}");
        }
        for bad in [
            "",
            "null",
            "cielo.example",
            "https://cielo.example/page",
            "https://a@cielo.example",
            "https://cielo.example?x",
            "file:///home",
            "https://*.example",
        ] {
            assert_eq!(origin(bad), Err(BadOrigin), "{bad}");
        }
    }

    #[test]
    fn only_named_origins_are_allowed() {
        let told = |allowed: &[&str], asked: Option<&'static str>| {
            let named = allowed.iter().map(|text| text.parse().unwrap()).collect();
            let origins = Origins::new(named);
            let mut told = HeaderMap::new();
            let asked = asked.map(HeaderValue::from_static);
            origins.open(asked.as_ref(), &mut told);
            let named = |name: &str| told.get(name).map(|value| value.to_str().unwrap().to_owned());
            (named("access-control-allow-origin"), named("vary"))
        };
        let (here, there) = ("https://a.example", "https://b.example");
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(told(&[], Some(here)), (None, None));
        assert_eq!(told(&["*"], None), (text("*"), None));
        assert_eq!(told(&["*"], Some(there)), (text("*"), None));
        assert_eq!(told(&[here], Some(here)), (text(here), text("Origin")));
        assert_eq!(told(&[here], Some(there)), (None, text("Origin")));
        assert_eq!(told(&[here], None), (None, text("Origin")));
    }
}
