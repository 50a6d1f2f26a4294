//! The batch queue: which pictures run together, and when. It has neither clock nor thread.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Bounds of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchPolicy {
    /// Pictures in a full batch, at least 1.
    pub size: usize,
    /// How long the oldest picture may wait for others while a session is idle.
    pub deadline: Duration,
}

#[derive(Debug)]
struct Waiting<T> {
    item: T,
    since: Instant,
    alone: bool,
}

/// Pictures that wait for a session.
#[derive(Debug)]
pub struct BatchQueue<T> {
    policy: BatchPolicy,
    queue: VecDeque<Waiting<T>>,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision<T> {
    /// Run these together.
    Run(Vec<T>),
    /// Decide again after this time, or when a picture comes or a session is free.
    Wait(Duration),
    /// Nothing to do until a picture comes or a session is free.
    Rest,
}

impl<T> BatchQueue<T> {
    /// An empty queue.
    pub fn new(policy: BatchPolicy) -> Self {
        let policy = BatchPolicy { size: policy.size.max(1), ..policy };
        Self { policy, queue: VecDeque::new() }
    }

    /// Pictures waiting.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether none is waiting.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Adds a picture. One whose batch failed before runs `alone`, so that it spoils no other.
    pub fn push(&mut self, item: T, now: Instant, alone: bool) {
        self.queue.push_back(Waiting { item, since: now, alone });
    }

    /// What to do with `idle` sessions at `now`: a full batch runs at once, a smaller one when its
    /// oldest picture has waited until the deadline, or at once while a core is idle (`spare`).
    /// Pictures keep their order.
    pub fn decide(&mut self, now: Instant, idle: usize, spare: bool) -> Decision<T> {
        let Some(oldest) = self.queue.front() else {
            return Decision::Rest;
        };
        if idle == 0 {
            return Decision::Rest;
        }
        let waited = now.saturating_duration_since(oldest.since);
        let (together, complete) = self.next();
        if complete || spare || waited >= self.policy.deadline {
            return Decision::Run(self.take(together));
        }
        Decision::Wait(self.policy.deadline - waited)
    }

    /// Takes the next batch if no picture can join it any more, to lie ready for a session that
    /// is still busy.
    pub fn take_full(&mut self) -> Option<Vec<T>> {
        let (together, complete) = self.next();
        complete.then(|| self.take(together))
    }

    /// The number of pictures in the next batch, and whether no other can join it.
    fn next(&self) -> (usize, bool) {
        if self.queue.front().is_some_and(|oldest| oldest.alone) {
            return (1, true);
        }
        let together =
            self.queue.iter().take(self.policy.size).take_while(|waiting| !waiting.alone).count();
        // A picture that must run alone ends the batch.
        let ended = together > 0 && together < self.queue.len();
        (together, together == self.policy.size || ended)
    }

    fn take(&mut self, n: usize) -> Vec<T> {
        self.queue.drain(..n).map(|waiting| waiting.item).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DEADLINE: Duration = Duration::from_millis(5);

    fn queue(size: usize) -> BatchQueue<u32> {
        BatchQueue::new(BatchPolicy { size, deadline: DEADLINE })
    }

    #[test]
    fn a_full_batch_runs_at_once_and_a_small_one_at_its_deadline() {
        let now = Instant::now();
        let mut queue = queue(3);
        assert_eq!(queue.decide(now, 1, false), Decision::Rest);
        queue.push(1, now, false);
        queue.push(2, now + Duration::from_millis(1), false);
        assert_eq!(
            queue.decide(now + Duration::from_millis(2), 1, false),
            Decision::Wait(Duration::from_millis(3))
        );
        queue.push(3, now + Duration::from_millis(2), false);
        queue.push(4, now + Duration::from_millis(2), false);
        assert_eq!(queue.decide(now + Duration::from_millis(2), 0, false), Decision::Rest);
        assert_eq!(
            queue.decide(now + Duration::from_millis(2), 1, false),
            Decision::Run(vec![1, 2, 3])
        );
        assert_eq!(queue.decide(now + Duration::from_millis(7), 1, false), Decision::Run(vec![4]));
        assert!(queue.is_empty());
    }

    #[test]
    fn nothing_waits_while_a_core_is_idle() {
        let now = Instant::now();
        let mut queue = queue(3);
        queue.push(1, now, false);
        queue.push(2, now, false);
        assert_eq!(queue.decide(now, 0, true), Decision::Rest);
        assert_eq!(queue.decide(now, 1, false), Decision::Wait(DEADLINE));
        assert_eq!(queue.decide(now, 1, true), Decision::Run(vec![1, 2]));
    }

    #[test]
    fn only_what_is_complete_lies_ready() {
        let now = Instant::now();
        let mut queue = queue(2);
        assert_eq!(queue.take_full(), None);
        queue.push(1, now, false);
        assert_eq!(queue.take_full(), None);
        queue.push(2, now, true);
        assert_eq!(queue.take_full(), Some(vec![1]));
        assert_eq!(queue.take_full(), Some(vec![2]));
        queue.push(3, now, false);
        queue.push(4, now, false);
        queue.push(5, now, false);
        assert_eq!(queue.take_full(), Some(vec![3, 4]));
        assert_eq!((queue.take_full(), queue.len()), (None, 1));
    }

    #[test]
    fn a_suspect_runs_alone() {
        let now = Instant::now();
        let mut queue = queue(4);
        queue.push(1, now, false);
        queue.push(2, now, true);
        queue.push(3, now, false);
        assert_eq!(queue.decide(now, 1, false), Decision::Run(vec![1]));
        assert_eq!(queue.decide(now, 1, false), Decision::Run(vec![2]));
        assert_eq!(queue.decide(now, 1, false), Decision::Wait(DEADLINE));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_doubled_or_reordered(
            events in proptest::collection::vec((0u64..8, any::<bool>(), 0usize..3), 1..200),
            size in 1usize..9,
        ) {
            let start = Instant::now();
            let mut now = start;
            let mut queue = queue(size);
            let mut out = Vec::new();
            for (i, (step, alone, idle)) in events.iter().enumerate() {
                now += Duration::from_millis(*step);
                queue.push(i as u32, now, *alone);
                if let Decision::Run(batch) = queue.decide(now, *idle, false) {
                    prop_assert!(!batch.is_empty() && batch.len() <= size);
                    let suspects = batch.iter().filter(|n| events[**n as usize].1).count();
                    prop_assert!(suspects == 0 || batch.len() == 1);
                    out.extend(batch);
                }
            }
            now += DEADLINE;
            while let Decision::Run(batch) = queue.decide(now, 1, false) {
                out.extend(batch);
            }
            prop_assert_eq!(out, (0..events.len() as u32).collect::<Vec<_>>());
        }
    }
}
