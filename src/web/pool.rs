//! Connections that read the record, a few at a time, on threads that may block.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::store::error::StoreError;
use crate::store::reader::Reader;
use crate::web::limiter::Limiter;
use crate::web::problem::Problem;

/// Queries that run at the same time.
pub(crate) const CONNECTIONS: usize = 4;
/// Queries that may wait.
const WAITING: usize = 64;
/// The longest time a query waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// A pool of read-only connections. The writer never waits for them: they read in short
/// transactions, in write-ahead logging.
pub(crate) struct ReaderPool {
    path: PathBuf,
    idle: Mutex<Vec<Reader>>,
    limiter: Limiter,
    /// Tells when the file has changed; a connection of its own, since each counts for itself.
    watch: Mutex<Option<Reader>>,
    /// Differs between processes and between watching connections.
    era: AtomicU64,
}

impl ReaderPool {
    /// A pool for the record at `path`, which is opened once to see that it can be.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let first = Reader::open(path)?;
        Ok(Self {
            path: path.to_owned(),
            idle: Mutex::new(vec![first]),
            limiter: Limiter::new(CONNECTIONS, WAITING, PATIENCE),
            watch: Mutex::new(None),
            era: AtomicU64::new(RandomState::new().hash_one(path)),
        })
    }

    /// Runs a query on another thread. It keeps its permit even if the caller is cancelled.
    pub(crate) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&mut Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        self.ask_with(query).await
    }

    /// The same of a query with errors of its own.
    pub(crate) async fn ask_with<T, E>(
        self: &Arc<Self>,
        query: impl FnOnce(&mut Reader) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        Problem: From<E>,
    {
        let permit = self.limiter.permit().await?;
        let pool = Arc::clone(self);
        let result = permit.run(move || {
            let idle = pool.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut reader = match idle {
                Some(reader) => reader,
                None => Reader::open(&pool.path)?,
            };
            let result = query(&mut reader);
            // A connection whose query failed or panicked may be broken: it is not used again.
            if result.is_ok() {
                let mut idle = pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
                idle.push(reader);
            }
            result
        });
        result.await?.map_err(Problem::from)
    }

    /// Invalidates all ETags: the settings changed.
    pub(crate) fn begin_era(&self) {
        self.era.fetch_add(1, Ordering::Relaxed);
    }

    /// A text that differs whenever the record has changed.
    pub(crate) async fn version(self: &Arc<Self>) -> Result<String, Problem> {
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

    fn pool() -> (tempfile::TempDir, Arc<ReaderPool>) {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("a.db");
        drop(Database::open(&db, &Station::rio_grande()).unwrap());
        let pool = Arc::new(ReaderPool::open(&db).unwrap());
        (folder, pool)
    }

    #[actix::test]
    async fn changed_settings_give_another_version() {
        let (_folder, pool) = pool();
        let before = pool.version().await.unwrap();
        assert_eq!(pool.version().await.unwrap(), before);
        pool.begin_era();
        assert_ne!(pool.version().await.unwrap(), before);
    }
}
