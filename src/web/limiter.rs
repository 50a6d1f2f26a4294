//! Admission: a number of tasks at once, a number that may wait, and for so long.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::web::problem::Problem;

/// Bounds how many tasks of a kind run and how many wait.
pub(crate) struct Limiter {
    running: Arc<Semaphore>,
    /// Those that run and those that wait.
    admitted: Arc<Semaphore>,
    patience: Duration,
}

/// The right to run one task.
#[derive(Debug)]
pub(crate) struct Permit {
    _running: OwnedSemaphorePermit,
    _admitted: OwnedSemaphorePermit,
}

impl Limiter {
    /// Lets `at_once` tasks run while `waiting` others wait, each no longer than `patience`.
    pub(crate) fn new(at_once: usize, waiting: usize, patience: Duration) -> Self {
        Self {
            running: Arc::new(Semaphore::new(at_once)),
            admitted: Arc::new(Semaphore::new(at_once + waiting)),
            patience,
        }
    }

    /// A permit; an error when too many wait already or the wait takes too long.
    pub(crate) async fn permit(&self) -> Result<Permit, Problem> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned();
        let admitted = admitted.map_err(|_| Problem::busy())?;
        let running = Arc::clone(&self.running).acquire_owned();
        match tokio::time::timeout(self.patience, running).await {
            Ok(Ok(running)) => Ok(Permit { _running: running, _admitted: admitted }),
            _ => Err(Problem::busy()),
        }
    }

    /// A permit if one is free now.
    pub(crate) fn try_permit(&self) -> Option<Permit> {
        Some(Permit {
            _admitted: Arc::clone(&self.admitted).try_acquire_owned().ok()?,
            _running: Arc::clone(&self.running).try_acquire_owned().ok()?,
        })
    }
}

impl Permit {
    /// Runs `work` on a thread that may block. The work keeps the permit until it ends, even if the
    /// caller is cancelled.
    pub(crate) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let running = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(self);
            result
        });
        running.await.map_err(|error| {
            tracing::error!(%error, "blocking work failed");
            Problem::internal()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Mutex, mpsc};
    use std::task::Poll;

    const PATIENCE: Duration = Duration::from_secs(25);

    #[tokio::test]
    async fn every_task_runs_and_no_more_than_the_limit_at_once() {
        let limiter = Arc::new(Limiter::new(2, 20, PATIENCE));
        let count = Arc::new(Mutex::new((0_usize, 0_usize)));
        let tasks = (0..20).map(|n| {
            let (limiter, count) = (Arc::clone(&limiter), Arc::clone(&count));
            async move {
                let work = move || {
                    let mut at_work = count.lock().unwrap();
                    at_work.0 += 1;
                    at_work.1 = at_work.1.max(at_work.0);
                    drop(at_work);
                    std::thread::sleep(Duration::from_millis(5));
                    count.lock().unwrap().0 -= 1;
                    n
                };
                limiter.permit().await.unwrap().run(work).await.unwrap()
            }
        });
        let results = futures_util::future::join_all(tasks).await;
        assert_eq!(results, (0..20).collect::<Vec<_>>());
        assert_eq!(*count.lock().unwrap(), (0, 2));
    }

    #[tokio::test]
    async fn a_task_is_refused_when_too_many_wait() {
        let limiter = Arc::new(Limiter::new(2, 8, PATIENCE));
        let running = [limiter.permit().await, limiter.permit().await];
        assert!(limiter.try_permit().is_none());
        let waiting: Vec<_> = (0..8)
            .map(|_| {
                let limiter = Arc::clone(&limiter);
                tokio::spawn(async move { limiter.permit().await.map(drop) })
            })
            .collect();
        while limiter.admitted.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(limiter.permit().await.is_err());
        drop(running);
        for task in waiting {
            assert!(task.await.unwrap().is_ok());
        }
        assert!(limiter.try_permit().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_waits_no_longer_than_its_patience() {
        let limiter = Limiter::new(1, 1, PATIENCE);
        let _running = limiter.permit().await.unwrap();
        let before = tokio::time::Instant::now();
        assert!(limiter.permit().await.is_err());
        assert!(before.elapsed() >= PATIENCE);
    }

    #[tokio::test]
    async fn work_keeps_its_permit_when_the_caller_is_cancelled_and_frees_it_when_it_panics() {
        let limiter = Limiter::new(1, 0, PATIENCE);
        let (begun, seen) = mpsc::channel();
        let (go_on, wait) = mpsc::channel::<()>();
        let work = move || {
            begun.send(()).unwrap();
            wait.recv().unwrap();
        };
        let mut caller = Box::pin(limiter.permit().await.unwrap().run(work));
        let pending = std::future::poll_fn(|cx| Poll::Ready(caller.as_mut().poll(cx).is_pending()));
        assert!(pending.await);
        seen.recv().unwrap();
        drop(caller);
        assert!(limiter.try_permit().is_none());
        go_on.send(()).unwrap();
        while limiter.running.available_permits() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let failed = limiter.permit().await.unwrap();
        assert!(failed.run(|| panic!("a test asked for it")).await.is_err());
        assert!(limiter.try_permit().is_some());
    }
}
