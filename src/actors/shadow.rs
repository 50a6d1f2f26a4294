//! The shadow: a second model that judges the same pictures, for comparison alone.
//!
//! It has sessions and threads of its own, and nothing waits for it. It skips pictures that it has
//! no room for; its failures are counted and shown, and harm no reading of the first model.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::prelude::*;
use bytes::Bytes;

use crate::actors::guard::message;
use crate::actors::pool::Stage;
use crate::actors::session::observation;
use crate::actors::store::StoreTask;
use crate::store::ShadowReading;
use celaje_sky::slot::Slot;
use celaje_sky::station::Station;
use celaje_sky::station::region::Region;
use celaje_vision::engine::backend::{Backend, Engine};
use celaje_vision::model::manifest::Manifest;
use celaje_vision::model::source::Model;
use celaje_vision::picture::decode::Limits;
use celaje_vision::picture::prepare::{Frame, judged_region, prepare};
use celaje_vision::reading::{if_sky, run_batch};

/// A picture for the shadow.
#[derive(Clone, Debug)]
pub enum Sight {
    /// The first model's frame, which suits the shadow too.
    Frame(Box<Frame>),
    /// The encoded picture, where the shadow needs another frame.
    Picture(Bytes),
}

/// Judges a picture once more.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct JudgeAgain {
    /// The picture's moment.
    pub slot: Slot,
    /// The picture.
    pub sight: Sight,
}

/// Counts of a shadow, and what went wrong last.
#[derive(Debug, Default)]
pub struct ShadowCounts {
    judged: AtomicU64,
    skipped: AtomicU64,
    failed: AtomicU64,
    last_error: Mutex<Option<String>>,
}

impl ShadowCounts {
    /// Pictures that were judged.
    pub fn judged(&self) -> u64 {
        self.judged.load(Ordering::Relaxed)
    }

    /// Pictures that there was no room for.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// Pictures that it failed on.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// The error of its last failure.
    pub fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that the shadow has worked on `slots` for `limit`.
    pub fn hangs(&self, slots: &[Slot], limit: Duration) {
        let seconds = limit.as_secs();
        for slot in slots {
            self.fail(format!("it hangs: it has worked on slot {slot} for {seconds} s"));
        }
    }

    fn fail(&self, error: String) {
        if self.failed.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(error, "the shadow model fails; the record is not concerned");
        }
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

/// The decoders' address of the shadow.
#[derive(Clone)]
pub struct ToShadow {
    /// The manifest of the shadow's model.
    pub manifest: Arc<Manifest>,
    /// Takes pictures, a few at a time.
    pub shadow: Recipient<JudgeAgain>,
    /// Counts what it has no room for.
    pub counts: Arc<ShadowCounts>,
}

impl ToShadow {
    /// Hands a picture on, if there is room; `frame` was prepared for the manifest `first`.
    pub fn hand_on(
        &self,
        slot: Slot,
        bytes: &Bytes,
        frame: &Frame,
        first: &Manifest,
        region: &Region,
    ) {
        let sight = if fed_alike(first, &self.manifest, region) {
            Sight::Frame(Box::new(frame.clone()))
        } else {
            Sight::Picture(bytes.clone())
        };
        if self.shadow.try_send(JudgeAgain { slot, sight }).is_err() {
            self.counts.skipped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Whether both networks are fed the same frame; each scales the numbers by itself.
fn fed_alike(a: &Manifest, b: &Manifest, region: &Region) -> bool {
    let size = |m: &Manifest| (m.input.width, m.input.height);
    size(a) == size(b)
        && a.input.fit == b.input.fit
        && a.input.filter == b.input.filter
        && judged_region(a, region) == judged_region(b, region)
}

/// What the threads of a shadow share.
pub struct ShadowShared {
    /// Opens sessions.
    pub engine: Arc<dyn Engine>,
    /// The model that the engine runs.
    pub model: Arc<Model>,
    /// Whose pictures they are.
    pub station: Arc<Station>,
    /// Bounds of a picture.
    pub limits: Limits,
    /// Keeps readings.
    pub store: Recipient<StoreTask>,
    /// What came of pictures.
    pub counts: Arc<ShadowCounts>,
}

pub struct ShadowStage {
    shared: Arc<ShadowShared>,
    backend: Option<Box<dyn Backend>>,
    tensor: Vec<f32>,
}

impl ShadowStage {
    /// A session that is opened when it is first needed.
    pub const fn new(shared: Arc<ShadowShared>) -> Self {
        Self { shared, backend: None, tensor: Vec::new() }
    }

    fn judge(&mut self, slot: Slot, sight: Sight) -> Result<ShadowReading, String> {
        let shared = Arc::clone(&self.shared);
        let ShadowShared { station, model, .. } = shared.as_ref();
        let frame = match sight {
            Sight::Frame(frame) => *frame,
            Sight::Picture(bytes) => {
                prepare(&bytes, &model.manifest, &station.region, &shared.limits)
                    .map_err(|e| e.to_string())?
            }
        };
        let backend = match &mut self.backend {
            Some(backend) => backend,
            none => none.insert(shared.engine.open(1).map_err(|e| e.to_string())?),
        };
        let readings = run_batch(
            backend.as_mut(),
            &model.manifest,
            &[&frame],
            &station.region,
            &mut self.tensor,
        );
        let reading = readings.map_err(|e| e.to_string())?.into_iter().next();
        let reading = if_sky(reading.ok_or("no reading of a picture")?)?;
        // The same rules as for the record.
        let judged = observation(station, model, slot, String::new(), &frame, reading.as_ref());
        Ok(ShadowReading {
            slot,
            model: judged.model,
            model_sha256: judged.model_sha256,
            cover: judged.cover,
            cloud_fraction: judged.cloud_fraction,
            confidence: judged.confidence,
        })
    }
}

impl Stage for ShadowStage {
    type In = JudgeAgain;

    fn slots(input: &JudgeAgain) -> Vec<Slot> {
        vec![input.slot]
    }

    /// Contains its own panics: they do not count as failures of the pipeline's actors.
    fn work(&mut self, JudgeAgain { slot, sight }: JudgeAgain) {
        let counts = Arc::clone(&self.shared.counts);
        match catch_unwind(AssertUnwindSafe(|| self.judge(slot, sight))) {
            Ok(Ok(reading)) => {
                counts.judged.fetch_add(1, Ordering::Relaxed);
                let reading = StoreTask::KeepShadow(Box::new(reading));
                self.shared.store.do_send(reading);
            }
            Ok(Err(error)) => counts.fail(error),
            Err(payload) => {
                counts.fail(format!("it panicked: {}", message(payload.as_ref())));
                self.backend = None;
            }
        }
    }
}
