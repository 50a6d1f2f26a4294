//! Tells all that wait for the sake of a run that the run drains.
//!
//! A run that was only paused is followed by another one, for which nothing drains any more: unlike
//! a token, this can be begun anew.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// See the module. Clones tell of the same run.
#[derive(Clone, Debug, Default)]
pub struct Draining(Arc<Mutex<CancellationToken>>);

impl From<CancellationToken> for Draining {
    /// Drains when the token is cancelled.
    fn from(token: CancellationToken) -> Self {
        Self(Arc::new(Mutex::new(token)))
    }
}

impl Draining {
    fn token(&self) -> MutexGuard<'_, CancellationToken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run drains from now on.
    pub fn begin(&self) {
        self.token().cancel();
    }

    /// Another run may follow: it does not drain.
    pub fn renew(&self) {
        *self.token() = CancellationToken::new();
    }

    /// Whether the run drains.
    pub fn is_on(&self) -> bool {
        self.token().is_cancelled()
    }

    /// Until the run drains that is in hand now.
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
