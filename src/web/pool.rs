//! Connections that read the record, a few at a time, on threads that may wait.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::store::error::StoreError;
use crate::store::reader::Reader;
use crate::web::problem::Problem;

/// Questions that are answered at the same time.
pub const CONNECTIONS: usize = 4;
/// Questions that may wait for their turn.
const WAITING: usize = 64;
/// How long one waits at most.
const PATIENCE: Duration = Duration::from_secs(10);

/// A pool of read-only connections. The writer never waits for them: they read in short
/// transactions, in write-ahead logging.
pub struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Reader>>,
    turns: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// Tells when the file has changed; a connection of its own, since each counts for itself.
    watch: Mutex<Option<Reader>>,
    /// Another one in every process and for every watching connection.
    era: AtomicU64,
}

/// Counts a question as waiting until it is dropped.
struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Pool {
    /// A pool for the record at `path`, which is opened once to see that it can be.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let first = Reader::open(path)?;
        Ok(Self {
            path: path.to_owned(),
            idle: Mutex::new(vec![first]),
            turns: Arc::new(Semaphore::new(CONNECTIONS)),
            waiting: Arc::default(),
            watch: Mutex::new(None),
            era: AtomicU64::new(RandomState::new().hash_one(path)),
        })
    }

    /// Asks the record on another thread. Who asks may go: the question keeps its place until it is
    /// answered, so that no more than a few are ever put at the same time.
    ///
    /// # Errors
    /// When too many wait already, or the record cannot be read.
    pub async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl FnOnce(&mut Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let waiting = Waiting(Arc::clone(&self.waiting));
        if self.waiting.fetch_add(1, Ordering::AcqRel) >= WAITING + CONNECTIONS {
            return Err(Problem::busy());
        }
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Problem::busy());
        };
        let pool = Arc::clone(self);
        let answer = tokio::task::spawn_blocking(move || {
            let _place = (turn, waiting);
            let idle = pool
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop();
            let mut reader = match idle {
                Some(reader) => reader,
                None => Reader::open(&pool.path)?,
            };
            let answer = question(&mut reader);
            // One that failed may be of no use any more, and neither is one whose question panics.
            if answer.is_ok() {
                let mut idle = pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
                idle.push(reader);
            }
            answer
        })
        .await;
        match answer {
            Ok(answer) => answer.map_err(Problem::from),
            Err(error) => {
                tracing::error!(%error, "a question to the record failed");
                Err(Problem::internal())
            }
        }
    }

    /// What is told of the record is told otherwise from now on, though the record is the same: the
    /// settings have changed.
    pub fn begin_era(&self) {
        self.era.fetch_add(1, Ordering::Relaxed);
    }

    /// A text that is another one when the record has changed since.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub async fn version(self: &Arc<Self>) -> Result<String, Problem> {
        let pool = Arc::clone(self);
        let version = tokio::task::spawn_blocking(move || pool.version_now()).await;
        match version {
            Ok(version) => version.map_err(Problem::from),
            Err(_) => Err(Problem::internal()),
        }
    }

    fn version_now(&self) -> Result<String, StoreError> {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = match &mut *watch {
            Some(reader) => reader,
            empty => {
                self.era.fetch_add(1, Ordering::Relaxed);
                empty.insert(Reader::open(&self.path)?)
            }
        };
        let version = reader.data_version();
        if version.is_err() {
            *watch = None;
        }
        let era = self.era.load(Ordering::Relaxed);
        version.map(|version| format!("{era:x}-{version:x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Database;
    use celaje_sky::station::Station;

    fn pool() -> (tempfile::TempDir, Arc<Pool>) {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("a.db");
        drop(Database::open(&db, &Station::rio_grande()).unwrap());
        let pool = Arc::new(Pool::open(&db).unwrap());
        (folder, pool)
    }

    /// Waits, on a busy machine too.
    async fn until(what: &str, holds: impl Fn() -> bool) {
        for _ in 0..3000 {
            if holds() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never: {what}");
    }

    #[actix::test]
    async fn who_goes_leaves_the_question_its_place() {
        let (_folder, pool) = pool();
        let (let_go, held) = std::sync::mpsc::channel::<()>();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let asking = {
            let pool = Arc::clone(&pool);
            actix::spawn(async move {
                let question = move |_: &mut Reader| {
                    let _ = begun.send(());
                    let _ = held.recv();
                    Ok(())
                };
                pool.ask(question).await
            })
        };
        begins.await.unwrap();
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
        let counts = || {
            let waiting = pool.waiting.load(Ordering::Acquire);
            (pool.turns.available_permits(), waiting)
        };
        assert_eq!(counts(), (CONNECTIONS - 1, 1), "its query still runs");
        let_go.send(()).unwrap();
        until("its place is free", || counts() == (CONNECTIONS, 0)).await;
        let ids = pool.ask(|reader| reader.station_ids()).await;
        assert_eq!(ids.unwrap(), ["rio-grande"]);
    }

    #[actix::test]
    async fn another_era_is_another_version() {
        let (_folder, pool) = pool();
        let before = pool.version().await.unwrap();
        assert_eq!(pool.version().await.unwrap(), before);
        pool.begin_era();
        assert_ne!(pool.version().await.unwrap(), before);
    }
}
