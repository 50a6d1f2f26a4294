//! Pages of other servers that may read what the replaced system's clients call: its dashboard was
//! such a page.
//!
//! Without an origin that is allowed nothing is: that is the rule for all other paths, whatever is
//! allowed here. What is told is public, the same for everybody, and never depends on who asks.

use std::str::FromStr;

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use url::Url;

/// How long a browser may remember what it was allowed, in seconds.
const REMEMBERED: &str = "86400";

/// One that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Every one.
    Any,
    /// As browsers send it: scheme, name, and the port where it is not the usual one.
    One(String),
}

/// What is written for an origin that is none.
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

/// Those that are allowed.
#[derive(Clone, Debug, Default)]
pub struct Origins(pub Vec<Origin>);

impl Origins {
    /// What a page of `origin` is told that it may; none when it may nothing.
    fn allowed(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        if self.0.contains(&Origin::Any) {
            return Some(HeaderValue::from_static("*"));
        }
        let origin = origin?;
        let text = origin.to_str().ok()?;
        let known = |known: &Origin| matches!(known, Origin::One(known) if known == text);
        self.0.iter().any(known).then(|| origin.clone())
    }

    /// Whether a browser asks what it may (a preflight), and is to be told by [`Self::open`].
    pub fn answers(&self, method: &Method, headers: &HeaderMap) -> bool {
        method == Method::OPTIONS
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
            && self.allowed(headers.get(header::ORIGIN)).is_some()
    }

    /// Tells in the headers of an answer who may read it.
    pub fn open(&self, asked: Option<&HeaderValue>, told: &mut HeaderMap) {
        if self.0.is_empty() {
            return;
        }
        // An image in a page says nothing of where the page is from.
        told.insert(
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("cross-origin"),
        );
        if !self.0.contains(&Origin::Any) {
            told.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        let Some(allowed) = self.allowed(asked) else {
            return;
        };
        told.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    }

    /// The rest of the answer to a preflight.
    pub fn permit(told: &mut HeaderMap) {
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "*"),
            (header::ACCESS_CONTROL_MAX_AGE, REMEMBERED),
        ] {
            told.insert(name, HeaderValue::from_static(value));
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
    fn only_those_that_are_named_are_allowed() {
        let told = |allowed: &[&str], asked: Option<&'static str>| {
            let origins = Origins(allowed.iter().map(|text| text.parse().unwrap()).collect());
            let mut told = HeaderMap::new();
            let asked = asked.map(HeaderValue::from_static);
            origins.open(asked.as_ref(), &mut told);
            let named = |name: &str| {
                told.get(name)
                    .map(|value| value.to_str().unwrap().to_owned())
            };
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
