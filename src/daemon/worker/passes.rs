//! A pass of the pipeline, watched: drained at a stop and paused for what is more urgent, its job told of, its failures told.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::clock;
use crate::daemon::operator::JobId;
use crate::daemon::worker::{PAUSE, Worker};
use crate::service::supervision::Supervision;
use crate::service::{Pass, Pipeline, RunReport};
use celaje_sky::error::Result;

/// When a pass is to make room for something else, should it still run.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// Something is due then, by the daemon's clock.
    Due(DateTime<Utc>),
    /// It has had its time then.
    At(Instant),
    /// It is let finish.
    Never,
}

/// What bounds a pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// When.
    pub(super) end: End,
    /// The job that it is a part of: it ends when that is cancelled.
    pub(super) job: Option<JobId>,
}

/// How often it is seen whether a pass is to end, and its job's progress is told.
const LOOKS_EVERY: Duration = Duration::from_millis(250);

impl Worker {
    /// Does a pass, within its bounds; a stop drains it. None when the pipeline failed: it is ended then.
    pub(super) async fn pass(&mut self, pass: Pass, bounds: Bounds) -> Option<RunReport> {
        let report = self.watched(self.pipeline.as_ref()?, pass, bounds).await;
        let failure = match report {
            Ok(report) => match &report.end.failure {
                None => {
                    self.pause = PAUSE;
                    self.common
                        .board
                        .set_trouble(self.kit.station.id.as_str(), None);
                    return Some(report);
                }
                Some(failure) => failure.clone(),
            },
            Err(failure) => failure,
        };
        self.troubled(&failure.to_string());
        if self.pipeline.as_ref().is_some_and(Pipeline::store_hangs) {
            // It holds the record: no other pipeline could write, nor this one end.
            (Supervision::of_program().last_resort)();
        }
        self.end_pipeline().await;
        None
    }

    /// Waits for a pass; drains it at a stop, pauses it for what is more urgent, and tells how far its
    /// job is.
    async fn watched(&self, pipeline: &Pipeline, pass: Pass, bounds: Bounds) -> Result<RunReport> {
        let told = bounds.job.map(|id| (id, pipeline.progress()));
        let work = pipeline.pass(pass);
        tokio::pin!(work);
        let (drain, pause) = (pipeline.drainer(), pipeline.pauser());
        let mut draining = false;
        loop {
            tokio::select! {
                report = &mut work => return report,
                () = self.stop.cancelled(), if !draining => {
                    draining = true;
                    drain();
                }
                () = tokio::time::sleep(LOOKS_EVERY) => {
                    self.pulse.beat(Duration::ZERO);
                    if !draining && self.is_over(bounds) {
                        // Again and again: until it has begun, it cannot be paused.
                        pause();
                    }
                    if let (Some((id, progress)), Some(job)) = (&told, &self.job) {
                        let now = {
                            let progress = progress.borrow();
                            job.progress(&progress.ledger, progress.in_flight)
                        };
                        self.common.board.jobs(|jobs| {
                            if let Some(job) = jobs.find(*id) {
                                job.state.progress = now;
                            }
                        });
                    }
                }
            }
        }
    }

    /// Whether something else is to be done than the pass with these bounds.
    fn is_over(&self, bounds: Bounds) -> bool {
        let late = match bounds.end {
            End::Due(time) => time <= self.common.clock.now(),
            End::At(time) => time <= clock::now(),
            End::Never => false,
        };
        let cancelled = bounds
            .job
            .is_some_and(|job| self.common.board.is_cancelled(job));
        late || cancelled || !self.renewals.is_empty()
    }
}
