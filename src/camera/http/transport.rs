//! One request for a picture: login, redirects within the host, a bounded body, unpacked.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::header::{
    AGE, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE,
    HeaderMap, HeaderName, LOCATION, TRANSFER_ENCODING,
};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response, StatusCode};
use rustls::ClientConfig;
use rustls::crypto::ring;
use url::Url;

use crate::camera::body_buffer::BodyBuffer;
use crate::camera::fault::AccessFault;
use crate::camera::http::address::{
    is_loopback, redirected, stays_with_host, without_secrets, without_user,
};
use crate::camera::http::failure::{FailedRequest, is_about_the_chunks, is_about_the_head};
use crate::camera::http::lenient;
use crate::camera::http::limits::HttpLimits;
use crate::camera::http::login::{self, Login};
use crate::camera::http::stream::StreamWatch;
use crate::camera::http::unpack::unpack;
use crate::camera::http::whole::{is_whole_picture, only_part};
use crate::camera::trust::tls_of;
use crate::camera::validators::Validators;
use crate::clock::Clock;
use celaje_sky::outcome::MissReason;
use celaje_sky::retry::parse_date;
use celaje_sky::station::Trust;

/// How long the head of an answer is waited for that is asked for its date alone.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// Redirects followed for one picture.
const REDIRECTS: usize = 4;
/// What servers announce that write a length of -1: no picture has that many bytes.
const NO_LENGTH: u64 = u32::MAX as u64;
/// Lines of an answer's head.
const MAX_HEADERS: usize = 1000;

/// A client that could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// By the HTTP library.
    #[error("no HTTP client could be set up: {0}")]
    Http(#[from] reqwest::Error),
    /// With the certificates that were named.
    #[error("TLS could not be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// What a request brought.
#[derive(Debug)]
pub(super) struct FetchedBody {
    pub(super) bytes: Bytes,
    /// How long it was until the answer began.
    pub(super) latency: Duration,
    /// Whether it came packed.
    pub(super) was_packed: bool,
    /// What the server says of its state.
    pub(super) validators: Validators,
}

pub(super) struct Transport {
    client: Client,
    login: Option<Login>,
    /// The address below which pictures are; no secrets.
    place: String,
    limits: HttpLimits,
    trust: Trust,
    /// How the lenient reader sets TLS up, once it was needed.
    tls: OnceLock<Arc<ClientConfig>>,
    /// The proxies of the environment; none for this machine itself.
    proxies: Option<Matcher>,
    /// Whether the server's answers are such that only the lenient reader takes them.
    is_odd: AtomicBool,
}

impl Transport {
    /// For pictures below `base`; a folder, which has none, needs none of its powers.
    ///
    /// # Errors
    /// When the system's TLS settings cannot be read.
    pub(super) fn new(
        base: Option<&Url>,
        trust: &Trust,
        limits: HttpLimits,
    ) -> Result<Self, ClientError> {
        // Fails only when one is installed already.
        let _ = ring::default_provider().install_default();
        let plain = base.is_some_and(|base| base.scheme() == "http");
        let builder = || builder(base, trust, &limits);
        let client = match builder()?.build() {
            // A machine without certificates can still ask a plain server.
            Err(_) if plain => builder()?.tls_certs_only([]).build(),
            built => built,
        }?;
        Ok(Self {
            client,
            login: base.and_then(|base| Login::of(base, trust.only_digest)),
            place: base.map(without_secrets).unwrap_or_default(),
            proxies: base.filter(|base| !is_loopback(base)).map(|_| Matcher::from_system()),
            limits,
            trust: trust.clone(),
            tls: OnceLock::new(),
            is_odd: AtomicBool::new(false),
        })
    }

    pub(super) const fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Gets the body at `url`, or at the address on the same host to which it is redirected; status
    /// 304 when it is still the `known` one.
    pub(super) async fn get(
        &self,
        url: &Url,
        known: &Validators,
    ) -> Result<FetchedBody, FailedRequest> {
        let time = self.limits.total_timeout;
        let late = || format!("no whole answer within {} s", time.as_secs_f32());
        tokio::time::timeout(time, self.follow(without_user(url), known))
            .await
            .unwrap_or_else(|_| Err(FailedRequest::broken(MissReason::Timeout, late())))
    }

    /// What the host's clock shows, from the head of whatever it answers at `url`.
    pub(super) async fn host_time(
        &self,
        url: &Url,
    ) -> Result<Option<DateTime<Utc>>, FailedRequest> {
        let late = |_| FailedRequest::broken(MissReason::Timeout, "no head".to_owned());
        let url = without_user(url);
        let known = Validators::default();
        let answer = self.send(&url, &known);
        let response = tokio::time::timeout(HEAD_PATIENCE, answer).await.map_err(late)??;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        Ok(header(DATE).and_then(|date| parse_date(date, header(AGE))))
    }

    async fn follow(&self, start: Url, known: &Validators) -> Result<FetchedBody, FailedRequest> {
        let refused = |why: &str| FailedRequest::new(MissReason::RedirectRefused, why.to_owned());
        let (mut url, mut redirects, mut challenged) = (start.clone(), 0, false);
        loop {
            let begun = Clock::instant();
            let (was_odd, proxied) = (self.is_odd.load(Ordering::Relaxed), self.is_proxied(&url));
            let response = self.send(&url, known).await?;
            let latency = begun.elapsed();
            let (status, headers) = (response.status(), response.headers());
            let location = headers.get(LOCATION).filter(|_| is_redirect(status));
            if let Some(location) = location {
                redirects += 1;
                if redirects > REDIRECTS {
                    return Err(refused("too many redirects"));
                }
                url = redirected(&url, location).ok_or_else(|| refused("redirect to nowhere"))?;
                if !stays_with_host(&start, &url) {
                    let host = url.host_str().unwrap_or_default();
                    let failed = refused(&format!("redirect to another host, {host}"));
                    return Err(FailedRequest { fault: Some(AccessFault::Elsewhere), ..failed });
                }
                continue;
            }
            if status == StatusCode::UNAUTHORIZED {
                let takes_up = |login: &Login| login.takes_up(headers);
                if !challenged && self.login.as_ref().is_some_and(takes_up) {
                    challenged = true;
                    continue;
                }
                let place = self.place.clone();
                let fault = match &self.login {
                    _ if !login::is_known(headers) => AccessFault::LoginUnknown(place),
                    Some(_) => AccessFault::PasswordWrong(place),
                    None => AccessFault::PasswordMissing(place),
                };
                let failed = FailedRequest::from_status(&self.place, status, headers);
                return Err(FailedRequest { fault: Some(fault), ..failed });
            }
            let odd = (!is_whole(status, headers)).then(|| {
                let failed = FailedRequest::from_status(&self.place, status, headers);
                if proxied { failed.by_proxy(headers) } else { failed }
            });
            let odd = match odd {
                Some(failed) if !may_be_whole(status, headers) => return Err(failed),
                odd => odd,
            };
            match self.body(response, latency).await {
                // Once more by the lenient reader.
                Err(BodyFailure::Form(_)) if !was_odd && !proxied => {
                    self.is_odd.store(true, Ordering::Relaxed);
                }
                Err(BodyFailure::Form(failed) | BodyFailure::Other(failed)) => return Err(failed),
                // As curl and Python take a picture of any 2xx.
                Ok(body) => match odd {
                    Some(failed) if !is_whole_picture(&body.bytes) => return Err(failed),
                    _ => return Ok(body),
                },
            }
        }
    }

    fn is_proxied(&self, url: &Url) -> bool {
        let uri = url.as_str().parse::<http::Uri>().ok();
        let by_proxy = |proxies: &Matcher| uri.is_some_and(|uri| proxies.intercept(&uri).is_some());
        self.proxies.as_ref().is_some_and(by_proxy)
    }

    /// How the lenient reader sets TLS up; none where none is asked for.
    fn tls(&self, url: &Url) -> Result<Option<Arc<ClientConfig>>, rustls::Error> {
        if url.scheme() != "https" {
            return Ok(None);
        }
        if let Some(tls) = self.tls.get() {
            return Ok(Some(Arc::clone(tls)));
        }
        let tls = Arc::new(tls_of(&self.trust, Arc::new(ring::default_provider()))?);
        Ok(Some(Arc::clone(self.tls.get_or_init(|| tls))))
    }

    /// One request, by the lenient reader where the server's head needs it.
    async fn send(&self, url: &Url, known: &Validators) -> Result<Response, FailedRequest> {
        let proxied = self.is_proxied(url);
        let authorization = self.login.as_ref().and_then(|login| login.authorization(url));
        if proxied || !self.is_odd.load(Ordering::Relaxed) {
            let mut request = self.client.get(url.clone());
            if let Some(value) = &authorization {
                request = request.header(AUTHORIZATION, value.clone());
            }
            for (name, value) in known.conditions() {
                request = request.header(name, value);
            }
            match request.send().await {
                Err(error) if !proxied && is_about_the_head(&error) => {
                    let error = error.without_url();
                    tracing::debug!(%error, "the head is read leniently");
                }
                sent => return sent.map_err(|e| FailedRequest::from_error(e, proxied)),
            }
        }
        let broken = |error: String| FailedRequest::broken(MissReason::Reset, error);
        let tls = self.tls(url).map_err(|error| broken(error.to_string()))?;
        let response = lenient::get(url, authorization.as_ref(), &self.limits, tls).await;
        self.is_odd.store(response.is_ok(), Ordering::Relaxed);
        response.map_err(|error| broken(error.to_string()))
    }

    async fn body(
        &self,
        mut response: Response,
        latency: Duration,
    ) -> Result<FetchedBody, BodyFailure> {
        let limit = self.limits.body_limit;
        let too_large =
            || FailedRequest::new(MissReason::TooLarge, format!("more than {limit} bytes"));
        let head = |name: HeaderName| text(response.headers(), &name);
        let kind = head(CONTENT_TYPE);
        let stream = || {
            let kind = if kind.is_empty() { String::new() } else { format!(" ({kind})") };
            let failed =
                FailedRequest::new(MissReason::NotAnImage, format!("a video stream{kind}"));
            let fault = Some(AccessFault::Stream(kind));
            BodyFailure::Other(FailedRequest { fault, ..failed })
        };
        if kind.starts_with("multipart/x-mixed-replace") || kind.starts_with("video/") {
            return Err(stream());
        }
        let encoding = head(CONTENT_ENCODING);
        // A length beside another coding than chunks, which is none.
        let coded = response.headers().contains_key(TRANSFER_ENCODING);
        let ends_at = coded && !head(TRANSFER_ENCODING).contains("chunked");
        let ends_at = head(CONTENT_LENGTH).parse::<usize>().ok().filter(|_| ends_at);
        let validators = Validators::of(response.headers());
        let announced = response.content_length().filter(|n| *n < NO_LENGTH).unwrap_or(0);
        if announced > limit as u64 {
            return Err(too_large().into());
        }
        let mut watch = StreamWatch::default();
        let mut body = BodyBuffer::of(usize::try_from(announced).unwrap_or(0));
        while ends_at.is_none_or(|end| body.received() < end) {
            match response.chunk().await {
                Ok(Some(chunk)) if watch.sees_stream(&chunk) => return Err(stream()),
                Ok(Some(chunk)) if body.received() + chunk.len() > limit => {
                    return Err(if watch.is_in_parts() { stream() } else { too_large().into() });
                }
                Ok(Some(chunk)) => body.push(&chunk),
                Ok(None) => break,
                Err(error) => {
                    // Some servers announce more than they have, or leave out the last chunk.
                    if let Ok((bytes, was_packed)) = unpack(body.whole(), &encoding, limit)
                        && is_whole_picture(&bytes)
                    {
                        return Ok(FetchedBody { bytes, latency, was_packed, validators });
                    }
                    return Err(match is_about_the_chunks(&error) {
                        _ if watch.is_in_parts() => stream(),
                        true => BodyFailure::Form(FailedRequest::from_error(error, false)),
                        false => FailedRequest::from_error(error, false).into(),
                    });
                }
            }
        }
        let (bytes, was_packed) = unpack(body.whole(), &encoding, limit)?;
        match only_part(&bytes).map(|part| bytes.slice_ref(part)) {
            Some(bytes) => Ok(FetchedBody { bytes, latency, was_packed: true, validators }),
            None => Ok(FetchedBody { bytes, latency, was_packed, validators }),
        }
    }
}

/// A body that could not be read.
enum BodyFailure {
    /// For its form: the lenient reader may take it.
    Form(FailedRequest),
    Other(FailedRequest),
}

impl From<FailedRequest> for BodyFailure {
    fn from(failed: FailedRequest) -> Self {
        Self::Other(failed)
    }
}

/// The setup of the HTTP library.
fn builder(
    base: Option<&Url>,
    trust: &Trust,
    limits: &HttpLimits,
) -> Result<ClientBuilder, ClientError> {
    let mut builder = Client::builder()
        .user_agent(concat!("celaje/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(limits.connect_timeout)
        .read_timeout(limits.read_timeout)
        .pool_max_idle_per_host(limits.keep_alive)
        .redirect(Policy::none())
        // What curl, browsers and Python take of the small servers in cameras.
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
        .http1_max_headers(MAX_HEADERS);
    match base {
        // Nothing is asked, so nothing of the system need be read.
        None => return Ok(builder.no_proxy().tls_certs_only([])),
        Some(base) if is_loopback(base) => builder = builder.no_proxy(),
        Some(_) => {}
    }
    if !trust.anything && trust.certificates.is_empty() {
        return Ok(builder);
    }
    let provider = Arc::new(ring::default_provider());
    Ok(builder.tls_backend_preconfigured(tls_of(trust, provider)?))
}

/// A header as lower-case text; empty where it is not there.
fn text(headers: &HeaderMap, name: &HeaderName) -> String {
    let value = headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    value.unwrap_or_default().trim().to_lowercase()
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Whether another answer may: its body tells, where the head does not say that it is a part.
fn may_be_whole(status: StatusCode, headers: &HeaderMap) -> bool {
    let range = text(headers, &CONTENT_RANGE);
    let is_open = range.is_empty() || (range.starts_with("bytes 0-") && range.ends_with("/*"));
    status.is_success() && (status != StatusCode::PARTIAL_CONTENT || is_open)
}

/// Whether an answer brings all of what was asked for: 206 does, when the part is the whole.
fn is_whole(status: StatusCode, headers: &HeaderMap) -> bool {
    match status {
        StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION => true,
        StatusCode::PARTIAL_CONTENT => {
            let range = text(headers, &CONTENT_RANGE);
            let ends = range.strip_prefix("bytes 0-").and_then(|ends| ends.split_once('/'));
            ends.is_some_and(|(last, all)| {
                let (last, all) = (last.trim().parse::<u64>(), all.trim().parse::<u64>());
                matches!((last, all), (Ok(last), Ok(all)) if last.checked_add(1) == Some(all))
            })
        }
        _ => false,
    }
}
