//! User and password for a camera: HTTP's Basic scheme, and Digest once the camera asks for it.

use std::sync::{Mutex, PoisonError};

use http_auth::basic::encode_credentials;
use http_auth::{DigestClient, PasswordClient, PasswordParams};
use percent_encoding::percent_decode_str;
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use url::Url;

/// The user of an address, with the state of its digests.
pub(super) struct Login {
    user: String,
    password: String,
    /// What the camera asked for last; it counts the requests made with its nonce.
    digest: Mutex<Option<DigestClient>>,
}

impl Login {
    /// That of `url`, if it names a user.
    pub(super) fn of(url: &Url) -> Option<Self> {
        let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (user, password) = (url.username(), url.password().unwrap_or_default());
        let named = !user.is_empty() || !password.is_empty();
        named.then(|| Self {
            user: plain(user),
            password: plain(password),
            digest: Mutex::default(),
        })
    }

    /// The value of `Authorization` for a GET of `url`.
    pub(super) fn authorization(&self, url: &Url) -> Option<HeaderValue> {
        let mut digest = self.digest.lock().unwrap_or_else(PoisonError::into_inner);
        let text = match digest.as_mut() {
            Some(digest) => {
                let uri = &url[url::Position::BeforePath..url::Position::AfterQuery];
                let params = PasswordParams {
                    username: &self.user,
                    password: &self.password,
                    uri,
                    method: "GET",
                    // Of the two kinds of protection the crate then takes plain `auth`.
                    body: None,
                };
                digest.respond(&params).ok()?
            }
            None => encode_credentials(&self.user, &self.password),
        };
        let mut value = HeaderValue::try_from(text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Takes up the digest that an answer of 401 asks for; false when it asks for none.
    pub(super) fn takes_up(&self, headers: &HeaderMap) -> bool {
        let asked = headers.get_all(WWW_AUTHENTICATE).into_iter();
        let asked = asked.filter_map(|value| value.to_str().ok());
        let client = asked.fold(PasswordClient::builder(), |all, one| all.challenges(one)).build();
        let Ok(PasswordClient::Digest(asked)) = client else { return false };
        *self.digest.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
        true
    }
}

/// Whether an answer of 401 asks for a scheme that is known here; one that names none may.
pub(super) fn is_known(headers: &HeaderMap) -> bool {
    let mut asked = headers.get_all(WWW_AUTHENTICATE).into_iter().peekable();
    asked.peek().is_none()
        || asked.any(|value| {
            let value = String::from_utf8_lossy(value.as_bytes()).to_lowercase();
            value.contains("basic") || value.contains("digest")
        })
}
