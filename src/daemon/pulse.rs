//! Whether a station's worker, and the scheduler of its pipeline, still live.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix::WeakRecipient;

use crate::actors::scheduler::SignOfLife;
use crate::clock;

/// How long a scheduler may take to give a sign of life.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a worker may be silent: it looks at the clock every twenty seconds, and what may keep it
/// longer (a pipeline that is ended, a question to the record) has bounds of its own.
const SILENCE: Duration = Duration::from_secs(90);

/// See the module.
#[derive(Debug)]
pub struct Pulse {
    scheduler: Mutex<Option<WeakRecipient<SignOfLife>>>,
    /// When the worker was last heard of, or is expected to be heard of again.
    heard: Mutex<Instant>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            scheduler: Mutex::new(None),
            heard: Mutex::new(clock::now()),
        }
    }
}

impl Pulse {
    /// The worker lives, and may be silent for `rest` from now on.
    pub fn beat(&self, rest: Duration) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        *heard = clock::now() + rest;
    }

    /// From now on this scheduler is asked; none while there is no pipeline.
    pub fn ask(&self, scheduler: Option<WeakRecipient<SignOfLife>>) {
        let mut asked = self
            .scheduler
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *asked = scheduler;
    }

    /// Whether the worker was heard of, and its scheduler answers.
    pub async fn is_there(&self) -> bool {
        let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if clock::now().saturating_duration_since(heard) > SILENCE {
            return false;
        }
        let scheduler = {
            let asked = self.scheduler.lock();
            asked.unwrap_or_else(PoisonError::into_inner).clone()
        };
        // One that is being mended or exchanged has none: it looks after itself.
        let Some(scheduler) = scheduler.and_then(|scheduler| scheduler.upgrade()) else {
            return true;
        };
        let asked = tokio::time::timeout(PATIENCE, scheduler.send(SignOfLife));
        matches!(asked.await, Ok(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix::prelude::*;

    struct Hangs;

    impl Actor for Hangs {
        type Context = Context<Self>;
    }

    impl Handler<SignOfLife> for Hangs {
        type Result = ResponseFuture<()>;

        fn handle(&mut self, _: SignOfLife, _: &mut Context<Self>) -> Self::Result {
            Box::pin(std::future::pending())
        }
    }

    struct Answers;

    impl Actor for Answers {
        type Context = Context<Self>;
    }

    impl Handler<SignOfLife> for Answers {
        type Result = ();

        fn handle(&mut self, _: SignOfLife, _: &mut Context<Self>) {}
    }

    /// Work on a clock that goes on by itself whenever all wait.
    fn in_no_time(work: impl Future<Output = ()>) {
        let paused = || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build()
                .unwrap()
        };
        System::with_tokio_rt(paused).block_on(work);
    }

    #[test]
    fn a_worker_that_is_not_heard_of_is_not_there() {
        in_no_time(async {
            let pulse = Pulse::default();
            assert!(pulse.is_there().await);
            tokio::time::sleep(SILENCE - Duration::from_secs(1)).await;
            assert!(pulse.is_there().await);
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert!(!pulse.is_there().await);
            // It said how long it would rest.
            pulse.beat(Duration::from_secs(300));
            tokio::time::sleep(Duration::from_secs(301)).await;
            assert!(pulse.is_there().await);
            tokio::time::sleep(SILENCE).await;
            assert!(!pulse.is_there().await);
        });
    }

    #[test]
    fn a_scheduler_that_does_not_answer_is_not_there() {
        in_no_time(async {
            let pulse = Pulse::default();
            let answers = Answers.start();
            pulse.ask(Some(answers.downgrade().recipient()));
            assert!(pulse.is_there().await);
            let hangs = Hangs.start();
            pulse.ask(Some(hangs.downgrade().recipient()));
            assert!(!pulse.is_there().await);
            // One that has ended is about to be replaced.
            drop(answers);
            pulse.ask(None);
            assert!(pulse.is_there().await);
        });
    }
}
