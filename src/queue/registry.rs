//! The workers that a writer has heard of.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::queue::messages::WorkerNote;

/// How often a worker says that it is there.
pub const BEAT: Duration = Duration::from_secs(5);
/// How long a worker may be silent before it is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(60);
/// Workers that are remembered at most.
const MOST: usize = 1000;
/// Notes of a worker by which its rate is known: those of a minute.
const NOTES: usize = 12;

/// See the module.
#[derive(Debug, Default)]
pub struct WorkerRegistry(Mutex<BTreeMap<String, KnownWorker>>);

#[derive(Debug)]
struct KnownWorker {
    note: WorkerNote,
    heard: Instant,
    /// When how many slots were done, the oldest first.
    done: VecDeque<(Instant, u64)>,
}

/// A worker that is there.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenWorker {
    /// What it said last.
    pub note: WorkerNote,
    /// How long ago that was.
    pub silent: Duration,
    /// Slots a second in the last minute; none until that is known.
    pub rate: Option<f64>,
}

impl WorkerRegistry {
    fn known(&self, now: Instant) -> MutexGuard<'_, BTreeMap<String, KnownWorker>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, worker| now.saturating_duration_since(worker.heard) < FORGOTTEN);
        known
    }

    /// Hears what a worker says of itself at `now`.
    pub fn hear(&self, note: WorkerNote, now: Instant) {
        let mut known = self.known(now);
        if known.len() >= MOST && !known.contains_key(&note.name) {
            return;
        }
        let fresh =
            || KnownWorker { note: note.clone(), heard: now, done: VecDeque::with_capacity(NOTES) };
        let worker = known.entry(note.name.clone()).or_insert_with(fresh);
        // Who waits says so to every writer of the queue at once.
        let is_new = |(at, _): &(Instant, u64)| now.saturating_duration_since(*at) > BEAT / 2;
        if worker.done.back().is_none_or(is_new) {
            if worker.done.len() >= NOTES {
                worker.done.pop_front();
            }
            worker.done.push_back((now, note.slots));
        }
        (worker.note, worker.heard) = (note, now);
    }

    /// The workers that are there at `now`, by name.
    pub fn workers(&self, now: Instant) -> Vec<SeenWorker> {
        let known = self.known(now);
        let seen = known.values().map(|worker| SeenWorker {
            note: worker.note.clone(),
            silent: now.saturating_duration_since(worker.heard),
            rate: worker.rate(),
        });
        seen.collect()
    }
}

impl KnownWorker {
    fn rate(&self) -> Option<f64> {
        let ((first, before), (last, after)) = (self.done.front()?, self.done.back()?);
        let seconds = last.saturating_duration_since(*first).as_secs_f64();
        (seconds > 0.0).then(|| after.saturating_sub(*before) as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(name: &str, slots: u64) -> WorkerNote {
        WorkerNote { name: name.to_owned(), version: "1".to_owned(), jobs: 1, slots }
    }

    #[test]
    fn a_worker_is_known_by_its_last_note_and_by_what_it_did_in_a_minute() {
        let (registry, begin) = (WorkerRegistry::default(), Instant::now());
        let at = |n: u32| begin + n * BEAT;
        registry.hear(note("a", 0), at(0));
        assert_eq!(registry.workers(at(0))[0].rate, None);
        for n in 1..=30_u32 {
            // The same note for another station does not count twice.
            registry.hear(note("a", u64::from(n) * 50), at(n));
            registry.hear(note("a", u64::from(n) * 50), at(n));
        }
        let seen = registry.workers(at(31));
        assert_eq!((seen.len(), seen[0].note.slots, seen[0].silent), (1, 1500, BEAT));
        assert_eq!(seen[0].rate, Some(10.0));
        // It says that it did less: another one of its name.
        registry.hear(note("a", 3), at(40));
        assert_eq!(registry.workers(at(40))[0].rate, Some(0.0));
    }

    #[test]
    fn who_is_silent_is_forgotten_and_no_more_are_remembered_than_there_is_room_for() {
        let (registry, begin) = (WorkerRegistry::default(), Instant::now());
        for n in 0..2 * MOST {
            registry.hear(note(&n.to_string(), 0), begin);
        }
        assert_eq!(registry.workers(begin).len(), MOST);
        registry.hear(note("0", 1), begin + FORGOTTEN / 2);
        let late = begin + FORGOTTEN;
        let names = registry.workers(late).into_iter().map(|worker| worker.note.name);
        assert_eq!(names.collect::<Vec<_>>(), ["0"]);
        registry.hear(note("new", 0), late);
        assert_eq!(registry.workers(late).len(), 2);
    }
}
