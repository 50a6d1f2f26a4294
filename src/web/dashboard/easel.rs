//! Turns at drawing: a few charts at a time, so that they take neither the cores nor the readers'
//! connections from those who only ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::web::problem::Problem;

/// Charts that are gathered and drawn at the same time: fewer than the pool has connections, so that
/// however many charts are asked for, there is one left for other questions.
pub const AT_ONCE: usize = 2;
/// Charts that may wait: each of a hundred dashboards shows one or two that follow the record.
const WAITING: usize = 256;
/// How long one waits at most; a page gives up after as much.
const PATIENCE: Duration = Duration::from_secs(25);

/// See the module.
pub struct Easel {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// The right to gather and draw one chart. It goes to the thread that draws, since that one goes on
/// when whoever asked has gone.
#[derive(Debug)]
pub struct Turn(OwnedSemaphorePermit);

impl Default for Easel {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: AtomicUsize::new(0),
        }
    }
}

/// Counts a chart as waiting until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Easel {
    /// The next turn.
    ///
    /// # Errors
    /// When too many wait already, or it takes too long.
    pub async fn turn(&self) -> Result<Turn, Problem> {
        let _waiting = Waiting(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::AcqRel) >= WAITING {
            return Err(Problem::busy());
        }
        let turn = Arc::clone(&self.turns).acquire_owned();
        match tokio::time::timeout(PATIENCE, turn).await {
            Ok(Ok(permit)) => Ok(Turn(permit)),
            _ => Err(Problem::busy()),
        }
    }
}

impl Turn {
    /// Draws on another thread, and gives the turn back.
    ///
    /// # Errors
    /// When it panics.
    pub async fn draw<T: Send + 'static>(
        self,
        act: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let drawing = actix_web::web::block(move || {
            let drawn = act();
            drop(self.0);
            drawn
        });
        drawing.await.map_err(|error| {
            tracing::error!(%error, "a chart could not be drawn");
            Problem::internal()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::mpsc;
    use std::task::Poll;

    #[tokio::test]
    async fn no_more_than_so_many_draw_at_once_and_all_get_their_turn() {
        let easel = Arc::new(Easel::default());
        let most = Arc::new(Mutex::new((0_usize, 0_usize)));
        let drawn = (0..20).map(|n| {
            let (easel, most) = (Arc::clone(&easel), Arc::clone(&most));
            async move {
                let turn = easel.turn().await.unwrap();
                let count = move || {
                    let mut at_work = most.lock().unwrap();
                    at_work.0 += 1;
                    at_work.1 = at_work.1.max(at_work.0);
                    drop(at_work);
                    std::thread::sleep(Duration::from_millis(5));
                    most.lock().unwrap().0 -= 1;
                    n
                };
                turn.draw(count).await.unwrap()
            }
        });
        let drawn = futures_util::future::join_all(drawn).await;
        assert_eq!(drawn, (0..20).collect::<Vec<_>>());
        assert_eq!(*most.lock().unwrap(), (0, AT_ONCE));
    }

    #[tokio::test]
    async fn a_queue_has_an_end() {
        let easel = Arc::new(Easel::default());
        let mut turns = Vec::new();
        for _ in 0..AT_ONCE {
            turns.push(easel.turn().await.unwrap());
        }
        let waiting: Vec<_> = (0..WAITING)
            .map(|_| {
                let easel = Arc::clone(&easel);
                tokio::spawn(async move { easel.turn().await.map(drop) })
            })
            .collect();
        while easel.waiting.load(Ordering::Acquire) < WAITING {
            tokio::task::yield_now().await;
        }
        assert!(easel.turn().await.is_err());
        drop(turns);
        for one in waiting {
            assert!(one.await.unwrap().is_ok());
        }
        assert!(easel.turn().await.is_ok());
    }

    #[tokio::test]
    async fn a_turn_is_held_until_the_drawing_ends_whoever_has_gone() {
        let easel = Easel::default();
        let other = easel.turn().await.unwrap();
        let (begun, seen) = mpsc::channel();
        let (go_on, wait) = mpsc::channel::<()>();
        let act = move || {
            begun.send(()).unwrap();
            wait.recv().unwrap();
        };
        let mut drawing = Box::pin(easel.turn().await.unwrap().draw(act));
        // It begins, and then nobody waits for it any more.
        let pending =
            std::future::poll_fn(|cx| Poll::Ready(drawing.as_mut().poll(cx).is_pending()));
        assert!(pending.await);
        seen.recv().unwrap();
        drop(drawing);
        assert_eq!(easel.turns.available_permits(), 0);
        go_on.send(()).unwrap();
        while easel.turns.available_permits() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // A drawing that panics gives its turn back, too.
        let failed = easel.turn().await.unwrap();
        assert!(failed.draw(|| panic!("a test asked for it")).await.is_err());
        drop(other);
        assert_eq!(easel.turns.available_permits(), AT_ONCE);
    }
}
