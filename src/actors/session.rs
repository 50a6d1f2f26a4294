//! The session stage: one model session a thread; frames → readings → observations.

use std::sync::Arc;

use actix::WeakRecipient;
use actix::prelude::*;

use crate::actors::failpoint::Point;
use crate::actors::guard::Guard;
use crate::actors::inference::Infer;
use crate::actors::pool::Stage;
use crate::actors::scheduler::Fail;
use crate::actors::store::{Commit, Finished};
use celaje_sky::credit::Credit;
use celaje_sky::error::Failure;
use celaje_sky::outcome::{Miss, MissReason, Observation, Outcome};
use celaje_sky::say;
use celaje_sky::slot::Slot;
use celaje_sky::station::Station;
use celaje_sky::sun::{self, DayPhase};
use celaje_vision::engine::backend::{Backend, BackendError, Engine};
use celaje_vision::model::source::Model;
use celaje_vision::picture::prepare::Frame;
use celaje_vision::reading::{Reading, ReadingError, if_sky, run_batch};
use celaje_vision::verdict::Verdict;

/// Runs frames in one batch; answered when their outcomes are on the way to the store.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RunBatch(pub Vec<Infer>);

/// What the sessions of a pipeline share.
pub struct SessionShared {
    /// Opens sessions.
    pub engine: Arc<dyn Engine>,
    /// The model that the engine runs.
    pub model: Arc<Model>,
    /// Whose pictures they are.
    pub station: Arc<Station>,
    /// Threads that a session computes with.
    pub threads: usize,
    /// Takes outcomes.
    pub store: Recipient<Commit>,
    /// Told when no session can be opened; weak, since the scheduler is upstream.
    pub scheduler: WeakRecipient<Fail>,
    /// Keeps panics inside their messages.
    pub guard: Guard,
}

pub struct SessionStage {
    shared: Arc<SessionShared>,
    /// Opened by the first batch, on the thread that uses it.
    backend: Option<Box<dyn Backend>>,
    tensor: Vec<f32>,
}

impl SessionStage {
    /// A session that is opened when it is first needed.
    pub const fn new(shared: Arc<SessionShared>) -> Self {
        Self { shared, backend: None, tensor: Vec::new() }
    }

    fn run(&mut self, mut batch: Vec<Infer>) {
        let shared = Arc::clone(&self.shared);
        let n = batch.len();
        for infer in &mut batch {
            infer.credit.taken_up_with(n);
        }
        shared.guard.pass(Point::Session, None);
        let readings = self.read(&batch);
        shared.guard.pass(Point::Judged, None);
        let readings = match readings {
            Ok(readings) => readings,
            Err(error @ BackendError::Load(_)) => {
                let model = self.shared.model.label();
                let failure = Failure::environment(say!(
                    "model '{model}': {error}; check it with `celaje doctor`",
                    "modelo '{model}': {error}; revíselo con `celaje doctor`"
                ));
                shared.guard.erred(&failure.text.en);
                if let Some(scheduler) = self.shared.scheduler.upgrade() {
                    scheduler.do_send(Fail(failure));
                }
                return;
            }
            Err(error @ BackendError::Run(_)) => {
                // Dropped credits return: each frame is tried once more, alone.
                let (again, failed): (Vec<_>, Vec<_>) =
                    batch.into_iter().partition(|infer| infer.credit.attempt() == 1);
                tracing::warn!(%error, frames = again.len() + failed.len(), "a batch failed");
                shared.guard.erred(&error.to_string());
                drop(again);
                let failed = failed.into_iter().map(|Infer { credit, .. }| {
                    missed(credit, MissReason::Model, error.to_string())
                });
                return self.shared.store.do_send(Commit(failed.collect()));
            }
        };
        let finished =
            batch.into_iter().zip(readings).map(|(infer, reading)| match if_sky(reading) {
                Ok(reading) => self.observed(infer, reading.as_ref()),
                Err(what) => missed(infer.credit, MissReason::Model, what),
            });
        self.shared.store.do_send(Commit(finished.collect()));
    }

    fn read(
        &mut self,
        batch: &[Infer],
    ) -> Result<Vec<Result<Reading, ReadingError>>, BackendError> {
        let backend = match &mut self.backend {
            Some(backend) => backend,
            none => none.insert(self.shared.engine.open(self.shared.threads)?),
        };
        let frames: Vec<&Frame> = batch.iter().map(|infer| &infer.frame).collect();
        let Self { shared, tensor, .. } = self;
        run_batch(backend.as_mut(), &shared.model.manifest, &frames, &shared.station.region, tensor)
    }

    fn observed(&self, infer: Infer, reading: Option<&Reading>) -> Finished {
        let Infer { frame, url, taken_at, credit } = infer;
        let SessionShared { station, model, .. } = self.shared.as_ref();
        let of_slot = observation(station, model, credit.slot(), url, &frame, reading);
        let outcome = Outcome::Observed(Box::new(Observation { taken_at, ..of_slot }));
        Finished::new(outcome, credit)
    }
}

/// The row of a picture; `reading` is none where the network finds no sky in it.
pub fn observation(
    station: &Station,
    model: &Model,
    slot: Slot,
    url: String,
    frame: &Frame,
    reading: Option<&Reading>,
) -> Observation {
    let sun = sun::position(slot.utc(), station.latitude, station.longitude);
    let day_phase = DayPhase::from_elevation(sun.elevation);
    let Verdict { cover, cloud_fraction, parts, confidence, range, quality } =
        Verdict::of(&frame.stats, reading, Some(day_phase));
    Observation {
        slot,
        url,
        cover,
        cloud_fraction,
        parts,
        confidence,
        range,
        quality,
        model: model.label(),
        model_sha256: model.sha256.clone(),
        taken_at: None,
        solar_elevation: sun.elevation,
        day_phase,
        width: frame.width,
        height: frame.height,
        image_sha256: frame.sha256.clone(),
    }
}

fn missed(credit: Credit, reason: MissReason, detail: String) -> Finished {
    let outcome = Outcome::Missed(Miss {
        slot: credit.slot(),
        reason,
        http_status: None,
        attempts: credit.attempt(),
        detail,
        unasked: None,
    });
    Finished::new(outcome, credit)
}

impl Stage for SessionStage {
    type In = RunBatch;

    fn slots(RunBatch(batch): &RunBatch) -> Vec<Slot> {
        batch.iter().map(|infer| infer.credit.slot()).collect()
    }

    fn work(&mut self, RunBatch(batch): RunBatch) {
        self.run(batch);
    }
}
