//! A camera that a simulation puts in the network's place.

use std::time::Duration;

use bytes::Bytes;
use url::Url;

use crate::camera::http::failure::FailedRequest;
use crate::camera::http::transport::FetchedBody;
use crate::camera::validators::Validators;
use celaje_sky::outcome::MissReason;

/// What a scripted camera says to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptedAnswer {
    /// 200, with these bytes.
    Body(Bytes),
    /// Another status.
    Status(u16),
    /// No answer, or no whole one.
    Broken(MissReason),
}

/// A camera that answers as a script says.
pub trait ScriptedCamera: Send + Sync {
    /// What comes of a request for `url`, and after how long.
    fn ask(&self, url: &Url) -> (Duration, ScriptedAnswer);

    /// Where in its range a wait before another try lies, 0 to 1.
    fn jitter(&self) -> f64;
}

/// What comes of a request for `url`, as the transport would say it.
pub(super) async fn get(
    camera: &dyn ScriptedCamera,
    url: &Url,
) -> Result<FetchedBody, FailedRequest> {
    let (latency, said) = camera.ask(url);
    tokio::time::sleep(latency).await;
    match said {
        ScriptedAnswer::Body(bytes) => {
            let validators = Validators::default();
            Ok(FetchedBody { bytes, latency, was_packed: false, validators })
        }
        ScriptedAnswer::Status(status) => Err(FailedRequest::of_status(status)),
        ScriptedAnswer::Broken(reason) => Err(FailedRequest::broken(reason, "scripted".to_owned())),
    }
}
