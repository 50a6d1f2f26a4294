//! A request that brought no picture.

use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use rustls::InvalidMessage;

use crate::camera::fault::AccessFault;
use crate::camera::picture::Refusal;
use crate::clock::Clock;
use celaje_sky::outcome::MissReason;
use celaje_sky::retry::{is_retried, parse_date, parse_retry_after};

/// What the HTTP library says of a proxy that takes no request without the right password: one of
/// HTTP, then two of SOCKS.
const PASSWORDS: [&str; 3] = [
    "proxy authorization required",
    "SOCKS error: credentials not accepted",
    "SOCKS error: server does not support user/pass authentication",
];

/// One failed request.
#[derive(Debug)]
pub(super) struct FailedRequest {
    pub(super) reason: MissReason,
    pub(super) status: Option<u16>,
    pub(super) detail: String,
    /// Whether it is worth another try: the host did not answer, or said that it has enough to do.
    pub(super) again: bool,
    pub(super) retry_after: Option<Duration>,
    pub(super) fault: Option<AccessFault>,
}

impl FailedRequest {
    /// One that is not tried again.
    pub(super) const fn new(reason: MissReason, detail: String) -> Self {
        Self { reason, status: None, detail, again: false, retry_after: None, fault: None }
    }

    /// One that is, unless its redirect was refused.
    pub(super) fn broken(reason: MissReason, detail: String) -> Self {
        Self { again: reason != MissReason::RedirectRefused, ..Self::new(reason, detail) }
    }

    pub(super) fn of_status(status: u16) -> Self {
        let reason = match status {
            404 | 410 => MissReason::NotFound,
            _ => MissReason::HttpStatus,
        };
        Self {
            status: Some(status),
            again: is_retried(status),
            ..Self::new(reason, format!("HTTP {status}"))
        }
    }

    /// Of the answer of the server at `place`.
    pub(super) fn from_status(place: &str, status: StatusCode, headers: &HeaderMap) -> Self {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        // A date is one of the host's clock, whatever this machine's shows.
        let now = header(DATE).and_then(|date| parse_date(date, None));
        let now = now.unwrap_or_else(|| Clock::SYSTEM.now());
        Self {
            retry_after: header(RETRY_AFTER).and_then(|value| parse_retry_after(value, now)),
            detail: format!("HTTP {status}"),
            fault: match status {
                StatusCode::FORBIDDEN => Some(AccessFault::Forbidden(place.to_owned())),
                StatusCode::PROXY_AUTHENTICATION_REQUIRED => Some(AccessFault::ProxyPassword),
                StatusCode::NETWORK_AUTHENTICATION_REQUIRED => Some(AccessFault::Elsewhere),
                _ if status.is_server_error() => {
                    Some(AccessFault::ServerFailed(place.to_owned(), status.as_u16()))
                }
                _ => None,
            },
            ..Self::of_status(status.as_u16())
        }
    }

    /// The same of an answer that may be the proxy's own.
    pub(super) fn by_proxy(self, headers: &HeaderMap) -> Self {
        // RFC 9209, and the most common proxy's own.
        let own = ["proxy-status", "x-squid-error"].iter().any(|name| headers.contains_key(*name));
        let fault = match self.status {
            Some(403) if own => Some(AccessFault::Proxy),
            Some(403) => Some(AccessFault::ProxyForbidden),
            Some(502 | 504) => Some(AccessFault::Proxy),
            Some(500..) if own => Some(AccessFault::Proxy),
            _ => self.fault,
        };
        Self { fault, ..self }
    }

    /// `proxied`: whether the request went by a proxy.
    pub(super) fn from_error(error: reqwest::Error, proxied: bool) -> Self {
        let reason = if error.is_connect() {
            MissReason::Unreachable
        } else if error.is_timeout() {
            MissReason::Timeout
        } else {
            MissReason::Reset
        };
        let error = error.without_url();
        let detail = chain(&error);
        let fault = match reason {
            MissReason::Unreachable if causes(&error).any(is_about_a_certificate) => {
                Some(AccessFault::Certificate)
            }
            MissReason::Unreachable if !proxied && causes(&error).any(is_about_no_tls) => {
                Some(AccessFault::NoTls)
            }
            MissReason::Unreachable if PASSWORDS.iter().any(|part| detail.contains(part)) => {
                Some(AccessFault::ProxyPassword)
            }
            MissReason::Unreachable if proxied => Some(AccessFault::Proxy),
            _ => None,
        };
        Self { fault, ..Self::broken(reason, detail) }
    }

    pub(super) fn refusal(self, attempts: u32) -> Refusal {
        Refusal {
            reason: self.reason,
            http_status: self.status,
            attempts,
            detail: self.detail,
            fault: self.fault,
        }
    }
}

type Cause<'a> = &'a (dyn Error + 'static);

/// An error and what caused it, from the outside in.
fn causes<'a>(error: Cause<'a>) -> impl Iterator<Item = Cause<'a>> {
    std::iter::successors(Some(error), |error| {
        let error: Cause<'a> = *error;
        error.source()
    })
}

/// An error with what caused it, on one line.
fn chain(error: Cause<'_>) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn is_about_a_certificate(error: Cause<'_>) -> bool {
    matches!(of_tls(error), Some(rustls::Error::InvalidCertificate(_)))
}

/// Whether what answered speaks another protocol.
fn is_about_no_tls(error: Cause<'_>) -> bool {
    let is_odd = |message: &InvalidMessage| *message == InvalidMessage::InvalidContentType;
    matches!(of_tls(error), Some(rustls::Error::InvalidMessage(message)) if is_odd(message))
}

fn of_tls(error: Cause<'_>) -> Option<&rustls::Error> {
    match error.downcast_ref::<std::io::Error>() {
        // It gives the cause of what it holds as its own.
        Some(outer) => of_tls(outer.get_ref()?),
        None => error.downcast_ref(),
    }
}

/// Whether the answer's head is what the client could not read.
pub(super) fn is_about_the_head(error: &reqwest::Error) -> bool {
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<hyper::Error>())
        .any(hyper::Error::is_parse)
}

/// Whether the lines between a body's chunks are.
pub(super) fn is_about_the_chunks(error: &reqwest::Error) -> bool {
    let io = causes(error).filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.map(std::io::Error::kind).any(|kind| kind == ErrorKind::InvalidInput)
}
