//! The registry of work: what each actor of a pipeline is doing now.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::actors::health::Part;
use celaje_sky::error::Failure;
use celaje_sky::say;
use celaje_sky::slot::Slot;

/// A piece of work that an actor is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// The actor.
    pub part: Part,
    /// The slots that the work is about; none for other work.
    pub slots: Vec<Slot>,
    /// Whether the work is only a thread's answer to the watchdog.
    pub is_probe: bool,
}

impl Work {
    /// Work of `part` that is about no slot.
    pub const fn of(part: Part) -> Self {
        Self { part, slots: Vec::new(), is_probe: false }
    }
}

/// The failure of a run in which `work` has gone on for `limit`.
pub fn hang_failure(work: &Work, limit: Duration) -> Failure {
    let (name, seconds) = (work.part.as_str(), limit.as_secs());
    let slots: Vec<String> = work.slots.iter().map(Slot::to_string).collect();
    let slots = slots.join(" ");
    let (of, de) = match slots.as_str() {
        "" => (String::new(), String::new()),
        slots => (format!(" (slot {slots})"), format!(" (turno {slots})")),
    };
    Failure::environment(say!(
        "the actor '{name}' hangs: it has been at one message for {seconds} s{of}; the run was \
        ended, what is stored is safe: see the log and run the same command again",
        "el actor '{name}' está colgado: lleva {seconds} s con un mensaje{de}; la corrida se \
        terminó, lo guardado está a salvo: vea el registro y repita la orden"
    ))
}

/// The work under way in one pipeline. Work on a hung thread of an earlier pipeline stays in that
/// pipeline's registry, and so is not found again.
#[derive(Debug, Default)]
pub struct WorkRegistry {
    entries: Mutex<HashMap<u64, Work>>,
    next: AtomicU64,
}

/// An entry of the registry; dropping it ends the work.
pub struct AtWork {
    registry: Arc<WorkRegistry>,
    number: u64,
}

impl AtWork {
    /// The entry's number, unique in its registry.
    pub const fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.registry.entries().remove(&self.number);
    }
}

impl WorkRegistry {
    fn entries(&self) -> MutexGuard<'_, HashMap<u64, Work>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters `work` until the returned entry is dropped.
    pub fn begin(self: &Arc<Self>, work: Work) -> AtWork {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.entries().insert(number, work);
        AtWork { registry: Arc::clone(self), number }
    }

    /// The numbers of all work under way.
    pub fn numbers(&self) -> Vec<u64> {
        self.entries().keys().copied().collect()
    }

    /// The work with this number, while it is under way.
    pub fn get(&self, number: u64) -> Option<Work> {
        self.entries().get(&number).cloned()
    }

    /// How many pieces of work `part` is doing.
    pub fn count(&self, part: Part) -> usize {
        let entries = self.entries();
        let of_part = |work: &&Work| work.part == part && !work.is_probe;
        entries.values().filter(of_part).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_listed_until_it_ends() {
        let registry = Arc::new(WorkRegistry::default());
        let at_work = registry.begin(Work::of(Part::Store));
        assert_eq!(registry.numbers(), [at_work.number()]);
        assert_eq!(registry.count(Part::Store), 1);
        drop(at_work);
        assert!(registry.numbers().is_empty());
    }
}
