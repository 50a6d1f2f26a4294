//! One writing connection for all stations of a file.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::store::Database;
use crate::store::error::StoreError;

/// A database that the stores of several stations write to in turn. Clones share it.
///
/// A process has one writing connection to a file: two would wait for each other's locks.
#[derive(Clone)]
pub struct SharedDatabase(Arc<Mutex<Database>>);

/// The same, held by somebody who does not keep the database open.
#[derive(Clone)]
pub struct WeakDatabase(Weak<Mutex<Database>>);

impl WeakDatabase {
    /// The database; none once it is closed.
    pub fn upgrade(&self) -> Option<SharedDatabase> {
        self.0.upgrade().map(SharedDatabase)
    }
}

impl From<Database> for SharedDatabase {
    fn from(database: Database) -> Self {
        Self(Arc::new(Mutex::new(database)))
    }
}

impl SharedDatabase {
    /// Does `work` on the database, seen from `station`. Blocks during another station's work.
    ///
    /// # Errors
    /// When earlier work panicked and the file cannot be opened again.
    pub fn seen_from<T>(
        &self,
        station: &str,
        work: impl FnOnce(&mut Database) -> T,
    ) -> Result<T, StoreError> {
        let mut database = match self.0.lock() {
            Ok(database) => database,
            Err(poisoned) => {
                // It may still be inside a transaction.
                let mut database = poisoned.into_inner();
                database.recover()?;
                self.0.clear_poison();
                database
            }
        };
        database.look_from(station);
        Ok(work(&mut database))
    }

    /// A handle that does not keep the database open.
    pub fn downgrade(&self) -> WeakDatabase {
        WeakDatabase(Arc::downgrade(&self.0))
    }

    /// The database, when this is the last of its clones.
    pub fn into_inner(self) -> Option<Database> {
        let mutex = Arc::into_inner(self.0)?;
        Some(mutex.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}
