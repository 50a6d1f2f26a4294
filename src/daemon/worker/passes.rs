//! A pass of the pipeline, watched: drained at a stop, its job told of, its failures told.

use std::time::Duration;

use crate::app::{Pass, Pipeline, RunReport};
use crate::commands::backfill::supervision;
use crate::daemon::worker::{PAUSE, Worker};
use crate::error::Result;
use crate::web::operator::JobId;

/// How often a job's progress is told while a part of it runs.
const TOLD_EVERY: Duration = Duration::from_millis(250);

impl Worker {
    /// Does a pass; a stop drains it. None when the pipeline failed: it is ended then.
    pub(super) async fn pass(&mut self, pass: Pass, job: Option<JobId>) -> Option<RunReport> {
        let report = self.watched(self.pipeline.as_ref()?, pass, job).await;
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
            (supervision().last_resort)();
        }
        self.end_pipeline().await;
        None
    }

    /// Waits for a pass, drains it at a stop, and tells how far its job is.
    async fn watched(
        &self,
        pipeline: &Pipeline,
        pass: Pass,
        job: Option<JobId>,
    ) -> Result<RunReport> {
        let told = job.map(|id| (id, pipeline.progress()));
        let work = pipeline.pass(pass);
        tokio::pin!(work);
        let drain = pipeline.drainer();
        let mut draining = false;
        loop {
            tokio::select! {
                report = &mut work => return report,
                () = self.stop.cancelled(), if !draining => {
                    draining = true;
                    drain();
                }
                () = tokio::time::sleep(TOLD_EVERY), if told.is_some() => {
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
}
