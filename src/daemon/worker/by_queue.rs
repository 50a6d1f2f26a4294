//! Fills the past of a station through a queue, whose workers read the pictures, beside the worker
//! that asks for its due slots.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::daemon::factory::PipelineFactory;
use crate::daemon::worker::StationWorker;
use crate::daemon::worker::filling::JobRun;
use crate::service::Pipeline;
use crate::store::Database;
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;

/// What a worker of a station does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Duty {
    /// All that there is to do.
    All,
    /// Asks for due slots; another one fills the past.
    Live,
    /// Fills the past by a queue.
    Filling,
}

impl Duty {
    /// Those of the workers of a station.
    pub fn of(factory: &PipelineFactory) -> &'static [Self] {
        match factory.queue() {
            None => &[Self::All],
            Some(_) => &[Self::Live, Self::Filling],
        }
    }
}

impl StationWorker {
    /// Fills ranges until `stop`. What it cannot do waits; due slots do not depend on it.
    pub(super) async fn fill(&mut self) {
        if let Err(failure) = self.start().await {
            self.troubled(&failure.to_string());
        }
        while !self.stop.is_cancelled() {
            self.begin_turn().await;
            let now = self.common.clock.now();
            if self.common.state.doubts_the_clock(self.id()) {
                // Whoever asks for the due slots finds out when it is right again.
                self.sleep(now + TimeDelta::seconds(1)).await;
                continue;
            }
            if self.is_ready().await {
                self.rest(now + TimeDelta::seconds(20)).await;
            }
        }
    }

    /// Opens the queue, and starts the actors that write what its workers say.
    pub(super) async fn open_the_queue(&self) -> Result<Pipeline> {
        let Some(address) = self.factory.queue() else {
            return Err(Failure::environment(say!(
                "the settings name no queue any more",
                "los ajustes ya no nombran ninguna cola"
            )));
        };
        let queue = self.common.state.queue();
        let identity = self.with_record(Database::identity).await??;
        let (common, counts) = (self.pipeline_common(), Arc::clone(&queue.counts));
        let opened = async {
            let link = queue.connect(address).await?;
            self.factory.start_filling(common, &identity, link, counts).await
        };
        tokio::select! {
            opened = opened => opened,
            () = self.stop.cancelled() => Err(Failure::environment(say!(
                "the program is about to end",
                "el programa está por terminar"
            ))),
        }
    }

    /// Whether the present pass gives way: to a range that was found missing while a backfill that
    /// may take days goes on, or because the clock looks wrong. Without a queue a part takes
    /// seconds.
    pub(super) fn makes_room(&self) -> bool {
        let state = &self.common.state;
        let is_backfill = self.job.as_ref().is_some_and(|job| !JobRun::is_catching_up(job));
        let owes = || state.jobs(|jobs| jobs.is_owed(self.id()));
        let gives_way = is_backfill && self.aside.is_none() && owes();
        self.duty == Duty::Filling && (gives_way || state.doubts_the_clock(self.id()))
    }

    pub(super) fn set_filling_trouble(&self, why: Option<&str>) -> bool {
        let state = &self.common.state;
        let is_news = state.queue().set_trouble(self.id(), why.map(str::to_owned));
        if is_news {
            state.changed();
        }
        is_news
    }

    pub(super) fn untroubled(&self) {
        match self.duty {
            Duty::Filling => self.set_filling_trouble(None),
            Duty::All | Duty::Live => self.common.state.set_trouble(self.id(), None),
        };
    }
}
