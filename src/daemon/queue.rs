//! The queue through which workers fill the past: one connection for all stations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;

use crate::actors::dispatch::DispatchCounts;
use crate::clock::Clock;
use crate::daemon::operator::{OutcomeCounts, QueueState, WorkerState};
use crate::queue::Queue;
use crate::queue::address::QueueAddress;
use crate::queue::messages::WorkerNote;
use crate::queue::registry::SeenWorker;
use celaje_sky::error::Result;

/// See the module.
#[derive(Default)]
pub struct DaemonQueue {
    /// Where it is, without secrets; none where there is none.
    address: Mutex<Option<String>>,
    /// One connection is made at a time.
    connecting: tokio::sync::Mutex<()>,
    link: Mutex<Option<(QueueAddress, Queue)>>,
    /// What is counted of workers, of all stations.
    pub counts: Arc<DispatchCounts>,
    troubles: Mutex<BTreeMap<String, String>>,
}

impl DaemonQueue {
    /// The connection to `address`; it is made where there is none.
    pub async fn connect(&self, address: &QueueAddress) -> Result<Queue> {
        let _turn = self.connecting.lock().await;
        let known = locked(&self.link).take();
        let of_it = known.filter(|(known, _)| known == address).map(|(_, queue)| queue);
        let queue = match of_it.filter(|queue| queue.denied().is_none()) {
            Some(queue) => queue,
            None => Queue::connect(address, "celaje writer").await?,
        };
        *locked(&self.link) = Some((address.clone(), queue.clone()));
        Ok(queue)
    }

    /// Sets where the queue is, by the settings.
    pub fn set_address(&self, address: Option<&QueueAddress>) {
        *locked(&self.address) = address.map(ToString::to_string);
    }

    /// What is known of it; none where there is none.
    pub fn state(&self, clock: Clock) -> Option<QueueState> {
        let address = locked(&self.address).clone()?;
        let link = locked(&self.link).as_ref().map(|(_, queue)| queue.clone());
        let ago = |queue: &Queue| TimeDelta::from_std(Clock::since(queue.turned())).ok();
        let since = link.as_ref().and_then(ago).map(|ago| clock.now() - ago);
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let workers = self.counts.seen.workers(Clock::instant()).into_iter();
        Some(QueueState {
            address,
            connected: link.is_some_and(|queue| queue.is_connected()),
            since,
            trouble: self.trouble(),
            workers: workers.map(WorkerState::from).collect(),
            outcomes: OutcomeCounts {
                taken: count(&self.counts.taken),
                repeated: count(&self.counts.repeated),
                refused: count(&self.counts.refused),
                broken: count(&self.counts.broken),
            },
            given_again: count(&self.counts.again),
        })
    }

    fn troubles(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        locked(&self.troubles)
    }

    /// Sets why the past of a station is not filled, none when it is again; whether that is news.
    pub fn set_trouble(&self, station: &str, why: Option<String>) -> bool {
        let mut troubles = self.troubles();
        let before = match &why {
            Some(why) => troubles.insert(station.to_owned(), why.clone()),
            None => troubles.remove(station),
        };
        before != why
    }

    /// Why the past is not filled; stations of one queue have one trouble.
    pub fn trouble(&self) -> Option<String> {
        let whys: BTreeSet<String> = self.troubles().values().cloned().collect();
        let whys: Vec<String> = whys.into_iter().collect();
        (!whys.is_empty()).then(|| whys.join("; "))
    }
}

impl From<SeenWorker> for WorkerState {
    fn from(seen: SeenWorker) -> Self {
        let WorkerNote { name, version, jobs, slots } = seen.note;
        let silent_s = seen.silent.as_secs_f64();
        Self { name, version, jobs, slots, rate: seen.rate, silent_s }
    }
}

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
