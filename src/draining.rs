//! A cancellation token that can be renewed: after a run that was drained another one may follow.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// Whether the present run drains; clones share the state.
#[derive(Clone, Debug, Default)]
pub struct Draining(Arc<Mutex<CancellationToken>>);

impl From<CancellationToken> for Draining {
    /// Starts when the token is cancelled.
    fn from(token: CancellationToken) -> Self {
        Self(Arc::new(Mutex::new(token)))
    }
}

impl Draining {
    fn token(&self) -> MutexGuard<'_, CancellationToken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn begin(&self) {
        self.token().cancel();
    }

    /// Resets the state for the next run.
    pub fn renew(&self) {
        *self.token() = CancellationToken::new();
    }

    /// Whether the run drains.
    pub fn is_on(&self) -> bool {
        self.token().is_cancelled()
    }

    /// Waits until the present run drains.
    pub async fn begun(&self) {
        let token = self.token().clone();
        token.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix::test]
    async fn what_waits_hears_of_its_own_run_alone() {
        let draining = Draining::default();
        let waits = {
            let draining = draining.clone();
            actix::spawn(async move { draining.begun().await })
        };
        tokio::task::yield_now().await;
        draining.begin();
        assert!(draining.is_on());
        draining.renew();
        waits.await.unwrap();
        assert!(!draining.is_on());
        let waits_on = tokio::time::timeout(std::time::Duration::from_millis(20), draining.begun());
        assert!(waits_on.await.is_err());
    }
}
