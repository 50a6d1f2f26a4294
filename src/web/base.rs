//! A server behind a proxy that shows it under a path of its own, as `https://example.org/celaje/`.
//!
//! The page and every `Location` name addresses relative to the request's, so that it does not
//! matter which path that is. A proxy that does not take the path away names it here.

use std::str::FromStr;

use actix_web::HttpResponse;
use actix_web::dev::ServiceRequest;
use actix_web::http::Uri;
use actix_web::http::header::{self, HeaderMap, HeaderValue};

/// The path that every request may begin with: empty, or `/celaje`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BasePath(String);

/// The text is no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a path such as /celaje")]
pub struct BadPath;

impl FromStr for BasePath {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, BadPath> {
        let bare = text.trim_matches('/');
        if bare.is_empty() {
            return Ok(Self::default());
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        let named =
            |part: &str| !part.is_empty() && part != "." && part != ".." && part.chars().all(plain);
        if !bare.split('/').all(named) {
            return Err(BadPath);
        }
        Ok(Self(format!("/{bare}")))
    }
}

impl BasePath {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes the path off a request that begins with it; the answer to one for the path alone,
    /// whose relative addresses would lead beside it.
    pub fn enter(&self, request: &mut ServiceRequest) -> Option<HttpResponse> {
        let rest = request.path().strip_prefix(self.0.as_str())?.to_owned();
        if rest.is_empty() {
            let name = self.0.rsplit('/').next().unwrap_or_default();
            let to = (header::LOCATION, format!("{name}/"));
            return Some(HttpResponse::PermanentRedirect().insert_header(to).finish());
        }
        if !self.0.is_empty() && rest.starts_with('/') {
            rewrite(request, &rest);
        }
        None
    }
}

/// Has the request answered as one for `path`; leaves it alone where that is no path.
fn rewrite(request: &mut ServiceRequest, path: &str) {
    let mut to = path.to_owned();
    if let Some(query) = request.uri().query() {
        to.push('?');
        to.push_str(query);
    }
    if let Ok(uri) = to.parse::<Uri>() {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
}

/// Writes a `Location` of this server relative to `path`, at which it was asked.
pub fn make_relative(path: &str, headers: &mut HeaderMap) {
    let place = headers.get(header::LOCATION).and_then(|place| place.to_str().ok());
    let Some(place) = place.and_then(|place| place.strip_prefix('/')) else {
        return;
    };
    let up = "../".repeat(path.matches('/').count().saturating_sub(1));
    if let Ok(relative) = HeaderValue::try_from(format!("{up}{place}")) {
        headers.insert(header::LOCATION, relative);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_in_any_way() {
        for (text, path) in [
            ("", ""),
            ("/", ""),
            ("celaje", "/celaje"),
            ("/celaje/", "/celaje"),
            ("/sky/hill.1", "/sky/hill.1"),
        ] {
            assert_eq!(text.parse(), Ok(BasePath(path.to_owned())), "{text}");
        }
        for bad in ["/a//b", "/a/../b", "/a?b", "/a b", "https://a.example/b", "/á"] {
            assert_eq!(bad.parse::<BasePath>(), Err(BadPath), "{bad}");
        }
    }

    #[test]
    fn an_address_is_written_from_where_it_was_asked_for() {
        for (path, place, written) in [
            ("/api", "/api/", "api/"),
            ("/octas/", "/octas?x=/1", "../octas?x=/1"),
            (
                "/api/v1/stations/a/backfills",
                "/api/v1/backfills/7",
                "../../../../api/v1/backfills/7",
            ),
            ("/imagen", "http://camera.example/a.jpg", "http://camera.example/a.jpg"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::LOCATION, HeaderValue::from_static(place));
            make_relative(path, &mut headers);
            assert_eq!(headers.get(header::LOCATION).unwrap(), written, "{path}");
        }
    }
}
