//! Pictures over HTTP.
//!
//! One client an arbiter (a client shared across runtimes can hang), keep-alive, redirects within
//! the same host only, a limit on the body that is enforced while reading, and retries by
//! [`RetryPolicy`].

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, ClientBuilder, Response, StatusCode, header};
use url::{Host, Url};

use crate::camera::gate::Gate;
use crate::camera::growing::Growing;
use crate::camera::health::HostHold;
use crate::camera::{Body, Refusal, Source};
use crate::clock::Clock;
use crate::draining::Draining;
use celaje_sky::layout::Layout;
use celaje_sky::outcome::MissReason;
use celaje_sky::retry::{RetryPolicy, is_retried, parse_date, parse_retry_after};
use celaje_sky::slot::Slot;
use celaje_sky::window::Answer;

/// What a request in flight may still take when the run drains.
const DRAIN_GRACE: Duration = Duration::from_secs(5);
/// Lines of a response's head.
const MAX_HEADERS: usize = 1000;
/// How long the head of an answer is waited for that is asked for its date alone.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// Redirects followed for one picture.
const REDIRECTS: usize = 4;

/// Bounds of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpLimits {
    /// For name, connection and TLS together.
    pub connect_timeout: Duration,
    /// Longest silence of the server.
    pub read_timeout: Duration,
    /// Longest time for a whole picture.
    pub total_timeout: Duration,
    /// Bytes of a picture.
    pub body_limit: usize,
    /// Idle connections kept open.
    pub keep_alive: usize,
    /// What is tried again.
    pub retry: RetryPolicy,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(15),
            total_timeout: Duration::from_secs(60),
            body_limit: 20_000_000,
            keep_alive: 64,
            retry: RetryPolicy::default(),
        }
    }
}

/// What a scripted camera says to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// 200, with these bytes.
    Body(Bytes),
    /// Another status.
    Status(u16),
    /// No answer, or no whole one.
    Broken(MissReason),
}

/// A camera that answers as a script says, in place of a network: a simulation asks it.
pub trait Scripted: Send + Sync {
    /// What comes of a request for `url`, and after how long.
    fn ask(&self, url: &Url) -> (Duration, Said);

    /// Where in its range a wait before another try lies, 0 to 1.
    fn jitter(&self) -> f64;
}

/// An HTTP client of one arbiter.
#[derive(Clone)]
pub struct HttpClient {
    client: Client,
    script: Option<Arc<dyn Scripted>>,
    limits: HttpLimits,
    hold: Arc<HostHold>,
    gate: Option<Arc<Gate>>,
    drain: Draining,
}

/// A client that could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client could be set up: {0}")]
pub struct NoClient(#[from] reqwest::Error);

impl HttpClient {
    /// A client for pictures of `source` (a folder needs none of its powers); when `drain` begins,
    /// no retry is waited for.
    ///
    /// # Errors
    /// When the system's TLS settings cannot be read.
    pub fn new(
        source: &Source,
        limits: HttpLimits,
        drain: impl Into<Draining>,
    ) -> Result<Self, NoClient> {
        // Fails only when one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let plain = match source {
            Source::Http(base) => base.scheme() == "http",
            Source::Folder(_) => true,
        };
        let client = match builder(source, &limits).build() {
            // A machine without certificates can still ask a plain server.
            Err(_) if plain => builder(source, &limits).tls_certs_only([]).build(),
            built => built,
        }?;
        Ok(Self {
            client,
            script: None,
            limits,
            hold: Arc::default(),
            gate: None,
            drain: drain.into(),
        })
    }

    /// Leaves the host alone together with the other clients that have this `hold`.
    #[must_use]
    pub fn sharing(mut self, hold: Arc<HostHold>) -> Self {
        self.hold = hold;
        self
    }

    /// A client that asks `script` instead of the network.
    ///
    /// # Errors
    /// When no client can be set up.
    pub fn scripted(
        script: Arc<dyn Scripted>,
        limits: HttpLimits,
        drain: impl Into<Draining>,
    ) -> Result<Self, NoClient> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        // It is never used, and so needs no certificates, which take their time to read.
        let client = Client::builder().tls_certs_only([]).no_proxy().build()?;
        Ok(Self {
            client,
            script: Some(script),
            limits,
            hold: Arc::default(),
            gate: None,
            drain: drain.into(),
        })
    }

    /// Keeps the pace of `gate`, and tells it how its requests went.
    #[must_use]
    pub fn through(mut self, gate: Arc<Gate>) -> Self {
        self.gate = Some(gate);
        self
    }

    /// Bounds of a request.
    pub const fn limits(&self) -> &HttpLimits {
        &self.limits
    }

    /// Gets the body at `url`, with retries; waits while the host is held.
    ///
    /// # Errors
    /// The last refusal; none when the run drains and another try would have been due.
    pub async fn get(&self, url: Url) -> Result<Body, Option<Refusal>> {
        let mut attempts = 0;
        loop {
            self.out_of_hold().await?;
            self.wait_for_turn().await?;
            if self.hold.left(Clock::instant()).is_some() {
                // It was asked for while this request waited for its turn.
                continue;
            }
            attempts += 1;
            let asking = self.gate.as_deref().map(Gate::asks);
            let answer = tokio::select! {
                answer = self.get_once(url.clone()) => answer,
                () = self.out_of_grace() => return Err(None),
            };
            if let Some(asking) = asking {
                asking.answered(match &answer {
                    Ok((_, latency)) => Answer::Good(*latency),
                    Err(failed) if failed.is_trouble() => Answer::Bad,
                    Err(_) => Answer::Other,
                });
            }
            let failed = match answer {
                Ok((bytes, _)) => return Ok(Body { bytes, attempts }),
                Err(failed) => failed,
            };
            let asked =
                failed.status.and_then(|status| self.limits.retry.hold(status, failed.retry_after));
            if let Some(asked) = asked {
                tracing::debug!(?asked, detail = failed.detail, "the host is left alone");
                self.hold.hold(Clock::instant() + asked);
            }
            let wait = failed
                .again
                .then(|| self.limits.retry.wait(attempts, self.jitter(), failed.retry_after))
                .flatten();
            let Some(wait) = wait else {
                return Err(Some(failed.refusal(attempts)));
            };
            tracing::debug!(
                reason = failed.reason.as_str(),
                detail = failed.detail,
                ?wait,
                "retry"
            );
            tokio::select! {
                () = self.drain.begun() => return Err(None),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// What the host's clock shows, from the head of whatever it answers at `url`; none when it
    /// says nothing of it.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn host_time(&self, url: Url) -> Result<Option<DateTime<Utc>>, reqwest::Error> {
        let response = self.client.get(url).timeout(HEAD_PATIENCE).send().await?;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        Ok(header(header::DATE).and_then(|date| parse_date(date, header(header::AGE))))
    }

    /// Until no client is asked to leave the host alone any more.
    ///
    /// # Errors
    /// When the run drains before.
    async fn out_of_hold(&self) -> Result<(), Option<Refusal>> {
        while let Some(left) = self.hold.left(Clock::instant()) {
            tokio::select! {
                () = self.drain.begun() => return Err(None),
                () = tokio::time::sleep(left) => {}
            }
        }
        Ok(())
    }

    /// Until as few requests have begun lately as were asked for.
    ///
    /// # Errors
    /// When the run drains before.
    async fn wait_for_turn(&self) -> Result<(), Option<Refusal>> {
        let Some(gate) = &self.gate else {
            return Ok(());
        };
        tokio::select! {
            () = self.drain.begun() => Err(None),
            () = gate.turn() => Ok(()),
        }
    }

    /// Until the run drains, and a little longer.
    async fn out_of_grace(&self) {
        self.drain.begun().await;
        tokio::time::sleep(DRAIN_GRACE).await;
    }

    fn jitter(&self) -> f64 {
        match &self.script {
            Some(script) => script.jitter(),
            None => rand::random(),
        }
    }

    /// The body, and how long it was until it began.
    async fn get_once(&self, url: Url) -> Result<(Bytes, Duration), Failed> {
        if let Some(script) = &self.script {
            let (after, said) = script.ask(&url);
            tokio::time::sleep(after).await;
            return match said {
                Said::Body(bytes) => Ok((bytes, after)),
                Said::Status(status) => Err(Failed::of_status(status)),
                Said::Broken(reason) => Err(Failed::broken(reason, "scripted".to_owned())),
            };
        }
        let begun = Clock::instant();
        let response = self.client.get(url).send().await.map_err(Failed::from_error)?;
        if response.status() != StatusCode::OK {
            return Err(Failed::from_status(&response));
        }
        let latency = begun.elapsed();
        let limit = self.limits.body_limit;
        let too_large = || Failed::new(MissReason::TooLarge, format!("more than {limit} bytes"));
        let announced = response.content_length().unwrap_or(0);
        if announced > limit as u64 {
            return Err(too_large());
        }
        let mut response = response;
        let mut body = Growing::of(usize::try_from(announced).unwrap_or(0));
        while let Some(chunk) = response.chunk().await.map_err(Failed::from_error)? {
            if body.received() + chunk.len() > limit {
                return Err(too_large());
            }
            body.push(&chunk);
        }
        Ok((body.whole(), latency))
    }
}

fn builder(source: &Source, limits: &HttpLimits) -> ClientBuilder {
    let builder = Client::builder()
        .user_agent(concat!("celaje/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(limits.connect_timeout)
        .read_timeout(limits.read_timeout)
        .timeout(limits.total_timeout)
        .pool_max_idle_per_host(limits.keep_alive)
        .redirect(Policy::custom(follow_within_host))
        // What curl, browsers and Python take of the small servers in cameras.
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
        .http1_max_headers(MAX_HEADERS);
    match source {
        Source::Http(base) if is_loopback(base) => builder.no_proxy(),
        _ => builder,
    }
}

/// One failed request.
#[derive(Debug)]
struct Failed {
    reason: MissReason,
    status: Option<u16>,
    detail: String,
    again: bool,
    retry_after: Option<Duration>,
}

impl Failed {
    const fn new(reason: MissReason, detail: String) -> Self {
        Self { reason, status: None, detail, again: false, retry_after: None }
    }

    fn from_status(response: &Response) -> Self {
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        // A date is one of the host's clock, whatever this machine's shows.
        let now = header(header::DATE).and_then(|date| parse_date(date, None));
        let now = now.unwrap_or_else(|| Clock::SYSTEM.now());
        let retry_after =
            header(header::RETRY_AFTER).and_then(|value| parse_retry_after(value, now));
        Self {
            retry_after,
            detail: format!("HTTP {}", response.status()),
            ..Self::of_status(response.status().as_u16())
        }
    }

    fn of_status(status: u16) -> Self {
        Self {
            reason: match status {
                404 | 410 => MissReason::NotFound,
                _ => MissReason::HttpStatus,
            },
            status: Some(status),
            detail: format!("HTTP {status}"),
            again: is_retried(status),
            retry_after: None,
        }
    }

    fn broken(reason: MissReason, detail: String) -> Self {
        Self { again: reason != MissReason::RedirectRefused, ..Self::new(reason, detail) }
    }

    /// Whether it speaks of a host that has enough to do: it did not answer, or it said so.
    const fn is_trouble(&self) -> bool {
        self.again
    }

    fn from_error(error: reqwest::Error) -> Self {
        let reason = if error.is_redirect() {
            MissReason::RedirectRefused
        } else if error.is_connect() {
            MissReason::Unreachable
        } else if error.is_timeout() {
            MissReason::Timeout
        } else {
            MissReason::Reset
        };
        Self::broken(reason, chain(&error.without_url()))
    }

    fn refusal(self, attempts: u32) -> Refusal {
        Refusal { reason: self.reason, http_status: self.status, attempts, detail: self.detail }
    }
}

/// An error with what caused it, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn follow_within_host(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let Some(start) = attempt.previous().first() else {
        return attempt.stop();
    };
    if attempt.previous().len() > REDIRECTS {
        return attempt.error("too many redirects");
    }
    if stays_with_host(start, attempt.url()) {
        attempt.follow()
    } else {
        attempt.error("redirect to another host")
    }
}

/// Whether a redirect from `start` to `next` stays with the host that was asked for.
pub fn stays_with_host(start: &Url, next: &Url) -> bool {
    // Another port may be another service; only the step from http to https may change it.
    let upgrade = start.scheme() == "http"
        && next.scheme() == "https"
        && start.port().is_none()
        && next.port().is_none();
    start.host_str() == next.host_str()
        && (upgrade
            || (start.scheme() == next.scheme()
                && start.port_or_known_default() == next.port_or_known_default()))
}

/// The address of a slot's picture below `base`.
pub fn picture_url(base: &Url, layout: Layout, slot: Slot) -> Url {
    let mut url = base.clone();
    let path = base.path().trim_end_matches('/');
    url.set_path(&format!("{path}/{}", layout.path(slot)));
    url
}

/// A URL as text without what may be a secret: user name, password, query and fragment.
pub fn without_secrets(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use celaje_sky::slot::Zone;

    #[test]
    fn addresses_join_whatever_the_base_ends_in() {
        let local = Slot::parse_file_name("2024-01010002.jpg").unwrap();
        let slot = Slot::at(local, "-03:00".parse::<Zone>().unwrap()).unwrap();
        for base in ["http://host/a/b", "http://host/a/b/"] {
            let url = picture_url(&base.parse().unwrap(), Layout::Year, slot);
            assert_eq!(url.as_str(), "http://host/a/b/2024/2024-01010002.jpg");
        }
        let url = picture_url(&"http://host:81?key=1".parse().unwrap(), Layout::Root, slot);
        assert_eq!(url.as_str(), "http://host:81/2024-01010002.jpg?key=1");
    }

    #[test]
    fn secrets_are_left_out() {
        let url: Url = "http://user:secret@host/x.jpg?token=secret#secret".parse().unwrap();
        assert_eq!(without_secrets(&url), "http://host/x.jpg");
    }

    #[test]
    fn loopback_needs_no_proxy() {
        for (base, loopback) in [
            ("http://127.0.0.1:80/", true),
            ("http://[::1]/", true),
            ("http://localhost/", true),
            ("http://example.org/", false),
            ("http://10.0.0.1/", false),
        ] {
            assert_eq!(is_loopback(&base.parse().unwrap()), loopback, "{base}");
        }
    }
}
