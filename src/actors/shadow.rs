//! The shadow: a second model that judges the same pictures, for comparison alone.
//!
//! It has sessions of its own on threads of its own, and nothing waits for it: what it has no room
//! for it skips, and what goes wrong in it is counted and told, and harms no reading.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix::prelude::*;
use bytes::Bytes;

use crate::actors::cores::{Cores, Turn};
use crate::actors::guard::message;
use crate::actors::session::observation;
use crate::actors::store::KeepShadow;
use crate::clock;
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

/// Longer than this the shadow is at no picture, or it hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// What the shadow is to judge.
#[derive(Clone, Debug)]
pub enum Sight {
    /// The frame that the first model is fed.
    Frame(Box<Frame>),
    /// The picture, where the shadow is fed otherwise.
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
    /// The pictures that it is at, and since when.
    at_work: Mutex<BTreeMap<Slot, Instant>>,
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

    /// What it failed of last.
    pub fn last_error(&self) -> Option<String> {
        self.last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn at_work(&self) -> MutexGuard<'_, BTreeMap<Slot, Instant>> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells, once of each, of the pictures that it has been at for too long.
    fn look_for_hangs(&self, now: Instant) {
        let hangs = |since: &Instant| now.saturating_duration_since(*since) >= LIMIT;
        let hung: Vec<Slot> = self
            .at_work()
            .extract_if(.., |_, since| hangs(since))
            .map(|(slot, _)| slot)
            .collect();
        for slot in hung {
            let seconds = LIMIT.as_secs();
            self.fail(format!(
                "it hangs: it has been at slot {slot} for {seconds} s"
            ));
        }
    }

    fn fail(&self, error: String) {
        if self.failed.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(error, "the shadow model fails; the record is not concerned");
        }
        *self
            .last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

/// The way to the shadow, as the decoders have it.
#[derive(Clone)]
pub struct ToShadow {
    /// What it is fed.
    pub manifest: Arc<Manifest>,
    /// Takes pictures, a few at a time.
    pub shadow: Recipient<JudgeAgain>,
    /// Counts what it has no room for.
    pub counts: Arc<ShadowCounts>,
}

impl ToShadow {
    /// Hands a picture on, if there is room; `frame` is what the network of `first` is fed.
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
        self.counts.look_for_hangs(clock::now());
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
    /// What it computes on; none to leave that to the system.
    pub cores: Option<Arc<Cores>>,
    /// Keeps readings.
    pub store: Recipient<KeepShadow>,
    /// What came of pictures.
    pub counts: Arc<ShadowCounts>,
}

/// See the module.
pub struct ShadowActor {
    shared: Arc<ShadowShared>,
    backend: Option<Box<dyn Backend>>,
    tensor: Vec<f32>,
}

impl ShadowActor {
    /// A session that is opened when it is first needed.
    pub const fn new(shared: Arc<ShadowShared>) -> Self {
        Self {
            shared,
            backend: None,
            tensor: Vec::new(),
        }
    }

    fn judge(&mut self, slot: Slot, sight: Sight) -> Result<ShadowReading, String> {
        let shared = Arc::clone(&self.shared);
        let ShadowShared { station, model, .. } = shared.as_ref();
        let cores = shared.cores.as_ref();
        let _core = cores.map(|cores| cores.take(1, Turn::Last));
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
        // By the same rules as the record: what the picture shows counts for both.
        let judged = observation(
            station,
            model,
            slot,
            String::new(),
            &frame,
            reading.as_ref(),
        );
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

impl Actor for ShadowActor {
    type Context = SyncContext<Self>;
}

impl Handler<JudgeAgain> for ShadowActor {
    type Result = ();

    fn handle(&mut self, JudgeAgain { slot, sight }: JudgeAgain, ctx: &mut SyncContext<Self>) {
        let counts = Arc::clone(&self.shared.counts);
        // Not under the budget of the actors that fill the record: a failure here is no failure there.
        counts.at_work().insert(slot, clock::now());
        let judged = catch_unwind(AssertUnwindSafe(|| self.judge(slot, sight)));
        counts.at_work().remove(&slot);
        match judged {
            Ok(Ok(reading)) => {
                counts.judged.fetch_add(1, Ordering::Relaxed);
                self.shared.store.do_send(KeepShadow(reading));
            }
            Ok(Err(error)) => counts.fail(error),
            Err(payload) => {
                counts.fail(format!("it panicked: {}", message(payload.as_ref())));
                ctx.stop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_hangs_is_told_of_once_and_one_at_work_is_not() {
        let (counts, now) = (ShadowCounts::default(), Instant::now());
        let slot = |name| {
            let local = Slot::parse_file_name(name).unwrap();
            Slot::at(local, "-03:00".parse().unwrap()).unwrap()
        };
        counts.at_work().insert(slot("2024-03011202.jpg"), now);
        counts.look_for_hangs(now + LIMIT / 2);
        assert_eq!((counts.failed(), counts.last_error()), (0, None));
        counts
            .at_work()
            .insert(slot("2024-03011212.jpg"), now + LIMIT);
        for _ in 0..3 {
            counts.look_for_hangs(now + LIMIT);
        }
        assert_eq!(counts.failed(), 1);
        let told = counts.last_error().unwrap();
        assert!(told.contains("2024-03-01T12:02"), "{told}");
    }
}
