//! Pictures over HTTP.
//!
//! One client an arbiter (a client shared across runtimes can hang), keep-alive, redirects within
//! the same host only, a limit on the body that is enforced while reading, and retries by
//! [`RetryPolicy`](celaje_sky::retry::RetryPolicy).

pub(super) mod address;
mod bucket;
mod failure;
mod lenient;
mod limits;
mod login;
mod proxy;
#[cfg(feature = "testing")]
pub mod scripted;
mod stream;
mod transport;
mod unpack;
mod whole;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use url::Url;

pub use self::address::{
    is_of_this_machine, picture_url, public_part, stays_with_host, without_secrets,
};
use self::bucket::PictureBucket;
use self::failure::FailedRequest;
#[cfg(feature = "testing")]
pub use self::lenient::read_answer;
pub use self::limits::HttpLimits;
pub use self::proxy::{IgnoredProxy, ignored_proxies};
#[cfg(feature = "testing")]
use self::scripted::ScriptedCamera;
pub use self::transport::ClientError;
use self::transport::{FetchedBody, Transport};
pub(crate) use self::whole::is_whole_picture;
use crate::camera::fault::AccessFault;
use crate::camera::gate::Gate;
use crate::camera::health::HostHold;
use crate::camera::picture::{Body, Refusal};
use crate::camera::validators::Validators;
use crate::clock::Clock;
use crate::draining::Draining;
use celaje_sky::outcome::MissReason;
use celaje_sky::station::Trust;
use celaje_sky::window::Answer;

/// What a request in flight may still take when the run drains.
const DRAIN_GRACE: Duration = Duration::from_secs(5);

/// An HTTP client of one arbiter.
#[derive(Clone)]
pub struct HttpClient {
    transport: Arc<Transport>,
    #[cfg(feature = "testing")]
    script: Option<Arc<dyn ScriptedCamera>>,
    limits: HttpLimits,
    hold: Arc<HostHold>,
    gate: Option<Arc<Gate>>,
    drain: Draining,
    /// The bucket that it was asked for first.
    bucket: Arc<OnceLock<Result<PictureBucket, String>>>,
}

impl HttpClient {
    /// A client for pictures below `base` (a folder has none and needs none of its powers); when
    /// `drain` begins, no retry is waited for.
    ///
    /// # Errors
    /// When the system's TLS settings cannot be read.
    pub fn new(
        base: Option<&Url>,
        trust: &Trust,
        limits: HttpLimits,
        drain: impl Into<Draining>,
    ) -> Result<Self, ClientError> {
        Ok(Self {
            transport: Arc::new(Transport::new(base, trust, limits.clone())?),
            #[cfg(feature = "testing")]
            script: None,
            limits,
            hold: Arc::default(),
            gate: None,
            drain: drain.into(),
            bucket: Arc::default(),
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
    #[cfg(feature = "testing")]
    pub fn scripted(
        script: Arc<dyn ScriptedCamera>,
        limits: HttpLimits,
        drain: impl Into<Draining>,
    ) -> Result<Self, ClientError> {
        let client = Self::new(None, &Trust::default(), limits, drain)?;
        Ok(Self { script: Some(script), ..client })
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
        self.get_changed(url, &Validators::default()).await
    }

    /// The same; a refusal with status 304 when the body is still the `known` one.
    ///
    /// # Errors
    /// See [`Self::get`].
    pub async fn get_changed(&self, url: Url, known: &Validators) -> Result<Body, Option<Refusal>> {
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
                answer = self.get_once(&url, known) => answer,
                () = self.out_of_grace() => return Err(None),
            };
            if let Some(asking) = asking {
                asking.answered(match &answer {
                    Ok(body) => Answer::Good(body.latency),
                    Err(failed) if failed.again => Answer::Bad,
                    Err(_) => Answer::Other,
                });
            }
            let failed = match answer {
                Ok(FetchedBody { bytes, was_packed, validators, .. }) => {
                    return Ok(Body { bytes, attempts, was_packed, validators });
                }
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
                if let Some(fault) = &failed.fault {
                    self.report(fault);
                }
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

    /// The bucket at `address`; a client is of one place.
    ///
    /// # Errors
    /// When its address or the environment's keys are wrong.
    pub(super) fn bucket(&self, address: &Url) -> Result<&PictureBucket, Refusal> {
        let open = || PictureBucket::open(address, self.transport.trust(), &self.limits);
        let wrong = |detail: &String| Refusal::new(MissReason::Unreadable, 0, detail.clone());
        self.bucket.get_or_init(open).as_ref().map_err(wrong)
    }

    /// What comes of `work`.
    ///
    /// # Errors
    /// When the run drains before, and a little longer.
    pub(super) async fn in_grace<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, Option<Refusal>> {
        tokio::select! {
            done = work => Ok(done),
            () = self.out_of_grace() => Err(None),
        }
    }

    /// Takes note of what a person has to mend.
    pub(crate) fn report(&self, fault: &AccessFault) {
        if let Some(gate) = &self.gate {
            gate.report(fault.clone());
        }
    }

    /// What the host's clock shows, from the head of whatever it answers at `url`; none when it
    /// says nothing of it.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn host_time(&self, url: &Url) -> Result<Option<DateTime<Utc>>, Refusal> {
        self.transport.host_time(url).await.map_err(|failed| failed.refusal(1))
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
        #[cfg(feature = "testing")]
        if let Some(script) = &self.script {
            return script.jitter();
        }
        rand::random()
    }

    /// Waits before the same is asked for once more.
    ///
    /// # Errors
    /// When the run drains before.
    pub(crate) async fn rest(&self, time: Duration) -> Result<(), Option<Refusal>> {
        tokio::select! {
            () = self.drain.begun() => Err(None),
            () = tokio::time::sleep(time) => Ok(()),
        }
    }

    async fn get_once(&self, url: &Url, known: &Validators) -> Result<FetchedBody, FailedRequest> {
        #[cfg(feature = "testing")]
        if let Some(script) = &self.script {
            return scripted::get(script.as_ref(), url).await;
        }
        self.transport.get(url, known).await
    }
}
