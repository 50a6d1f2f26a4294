//! Watches a pass of the pipeline: drains it at a stop, pauses it when a slot is due, and publishes
//! its progress and its failure.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::clock::Clock;
use crate::daemon::operator::{JobId, Operator};
use crate::daemon::worker::StationWorker;
use crate::service::notices;
use crate::service::supervision::Supervision;
use crate::service::{Pass, Pipeline, RunReport};
use celaje_sky::error::Result;

/// When a pass that still runs is paused.
#[derive(Clone, Copy, Debug)]
pub(super) enum PassEnd {
    /// At this time of the daemon's clock.
    Due(DateTime<Utc>),
    /// At this instant.
    At(Instant),
    Never,
}

/// The bounds of a pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct PassBounds {
    pub(super) end: PassEnd,
    /// The job that it is a part of: it ends when that is cancelled.
    pub(super) job: Option<JobId>,
}

/// How often the bounds are checked, and the progress of the job is published.
const LOOKS_EVERY: Duration = Duration::from_millis(250);

/// Faults of a camera that are kept as told.
const MOST_TOLD: usize = 64;

impl StationWorker {
    /// Does a pass within its bounds. None when the pipeline failed: it is ended then.
    pub(super) async fn pass(&mut self, pass: Pass, bounds: PassBounds) -> Option<RunReport> {
        let pipeline = self.pipeline.as_ref()?;
        let report = self.watched(pipeline, pass, bounds).await;
        let found = pipeline.gate().take_faults();
        self.faults =
            report.as_ref().map_or_else(|_| Vec::new(), |report| notices::faults(&found, report));
        let failure = match report {
            Ok(report) => match &report.end.failure {
                None => {
                    self.failures = 0;
                    self.untroubled();
                    return Some(report);
                }
                Some(failure) => failure.clone(),
            },
            Err(failure) => failure,
        };
        self.troubled(&failure.to_string());
        if self.pipeline.as_ref().is_some_and(Pipeline::store_hangs) {
            // It holds the record: no other pipeline could write, and this one cannot end.
            (Supervision::of_program().last_resort)();
        }
        self.end_pipeline().await;
        None
    }

    /// Tells what the last pass found wrong, each once; of a camera that is known to be gone only
    /// what is wrong with its clock.
    pub(super) fn tell_faults(&mut self) {
        let station = self.factory.station.id.as_str();
        let is_gone = self.common.state.camera_is_gone(station);
        for fault in std::mem::take(&mut self.faults) {
            let is_known = is_gone && !fault.is_of_clock();
            let fault = fault.text();
            if is_known {
                tracing::debug!(station, "{fault}");
                continue;
            }
            if self.told.len() >= MOST_TOLD {
                self.told.clear();
            }
            if self.told.insert(fault.en.clone()) {
                tracing::warn!(station, "{fault}");
            }
        }
    }

    async fn watched(
        &self,
        pipeline: &Pipeline,
        pass: Pass,
        bounds: PassBounds,
    ) -> Result<RunReport> {
        let (told, began) = (bounds.job.map(|id| (id, pipeline.progress())), Clock::instant());
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
                    self.liveness.beat(Duration::ZERO);
                    if !draining && self.is_over(bounds) {
                        // Repeated: a pass that has not begun yet ignores it.
                        pause();
                    }
                    if let (Some((id, progress)), Some(job)) = (&told, &self.job) {
                        let now = job.progress(&progress.borrow(), Clock::since(began));
                        self.common.state.jobs(|jobs| {
                            if let Some(job) = jobs.find(*id) {
                                job.state.progress = now;
                            }
                        });
                    }
                }
            }
        }
    }

    /// Whether a pass with these bounds is to be paused.
    fn is_over(&self, bounds: PassBounds) -> bool {
        let late = match bounds.end {
            PassEnd::Due(time) => time <= self.common.clock.now(),
            PassEnd::At(time) => time <= Clock::instant(),
            PassEnd::Never => false,
        };
        let cancelled = bounds.job.is_some_and(|job| self.common.state.is_cancelled(job));
        late || cancelled || !self.renewals.is_empty() || self.makes_room()
    }
}
