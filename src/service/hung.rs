//! What happens when an actor hangs: the run ends without it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{oneshot, watch};

use crate::actors::guard::Oversight;
use crate::actors::health::Part;
use crate::actors::scheduler::RunEnd;
use crate::actors::store::StoreTask;
use crate::actors::watchdog::{HangHandler, Watchdog};
use crate::actors::work::{Work, hang_failure};
use crate::clock::Clock;
use crate::service::report::RunReport;
use crate::service::supervision::Supervision;
use crate::service::wiring::PipelineActors;
use crate::service::{Pipeline, store_is_gone};
use crate::store::{CommitEffect, CommitMode, Database, RunId};
use celaje_sky::credit::Fate;
use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::outcome::{Miss, MissReason, Outcome};
use celaje_sky::say;

impl Pipeline {
    /// Until an actor hangs, and what does not hang has had time to end.
    pub(super) async fn given_up(&self) -> Vec<Work> {
        let mut found = self.hung.clone();
        if found.wait_for(|all| !all.is_empty()).await.is_err() {
            // Nobody watches.
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(self.patience.grace).await;
        self.hung.borrow().clone()
    }

    /// Ends a run in which something hangs: what it hangs at is a miss, so that no later run hangs
    /// at it again.
    pub(super) async fn end_hung(&self, run: RunId, hung: &[Work], started: Instant) -> RunReport {
        let progress = self.progress.borrow().clone();
        let mut end = RunEnd {
            ledger: progress.ledger,
            planned: progress.planned,
            skipped: BTreeMap::new(),
            failure: hung.first().map(|work| hang_failure(work, self.patience.limit)),
        };
        let misses: Vec<Outcome> = hung
            .iter()
            .flat_map(|work| work.slots.iter().map(move |slot| (work.part, *slot)))
            .map(|(part, slot)| {
                Outcome::Missed(Miss {
                    slot,
                    reason: MissReason::Poison,
                    http_status: None,
                    attempts: 0,
                    detail: format!("the actor '{}' hung at it", part.as_str()),
                    unasked: None,
                })
            })
            .collect();
        let mut ledger = end.ledger.clone();
        let shared = Arc::downgrade(&self.actors.store_shared);
        let written = self.with_database(move |database| {
            // Behind the commits that the store was sent in time, before those of what wakes late.
            if let Some(shared) = shared.upgrade() {
                shared.book_to(None);
            }
            for committed in database.commit(run, CommitMode::Insert, &misses)? {
                if committed == CommitEffect::Missed {
                    ledger.book(Fate::Missed(MissReason::Poison));
                }
            }
            Ok::<_, Failure>(ledger)
        });
        // The store may be what hangs.
        if let Ok(Ok(Ok(ledger))) = tokio::time::timeout(self.patience.grace, written).await {
            end.ledger = ledger;
        }
        let elapsed = Clock::since(started);
        RunReport { end, elapsed, not_due: 0 }
    }

    /// Does `work` on the store's thread.
    ///
    /// # Errors
    /// When the store has ended.
    pub async fn with_database<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Database) -> T + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let other = StoreTask::Other(Box::new(move |database| {
            let _ = answer.send(work(database));
        }));
        self.actors.store.do_send(other);
        tokio::select! {
            biased;
            answer = answered => answer.map_err(|_| store_is_gone()),
            failure = self.store_hung() => Err(failure),
        }
    }

    /// Until the store hangs.
    async fn store_hung(&self) -> Failure {
        let mut found = self.hung.clone();
        let of_store = |all: &Vec<Work>| all.iter().any(|work| work.part == Part::Store);
        if found.wait_for(of_store).await.is_err() {
            // Nobody watches.
            std::future::pending::<()>().await;
        }
        let work = Work::of(Part::Store);
        hang_failure(&work, self.patience.limit)
    }

    /// Whether the store has been found to hang.
    pub fn store_hangs(&self) -> bool {
        self.hung.borrow().iter().any(|work| work.part == Part::Store)
    }
}

/// Starts the watchdog, which puts what hangs into `hangs`.
pub(super) fn watch_over(
    oversight: &Oversight,
    actors: &PipelineActors,
    hangs: watch::Sender<Vec<Work>>,
    supervision: &Supervision,
) -> Result<Watchdog> {
    let last_resort = Arc::clone(&supervision.last_resort);
    let (shadow, limit) = (actors.shadow.clone(), supervision.patience.limit);
    let handler = HangHandler {
        hung: Box::new(move |work| match &shadow {
            Some(shadow) if work.part == Part::Shadow => shadow.hangs(&work.slots, limit),
            _ => hangs.send_modify(|all| all.push(work)),
        }),
        last_resort: Box::new(move || last_resort()),
    };
    let watched = actors.arbiters_watched.clone();
    let patience = supervision.patience;
    Watchdog::start(oversight.clone(), watched, patience, handler).map_err(|error| {
        Failure::environment(say!(
            "the system gives no thread: {error}; see its limits (ulimit -u)",
            "el sistema no da un hilo: {error}; revise sus límites (ulimit -u)",
            error = io_text(&error),
        ))
    })
}
