//! Collects a worker's outcomes, in place of the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use actix::prelude::*;

use crate::actors::store::{Commit, StoreTask};
use celaje_sky::credit::Fate;
use celaje_sky::outcome::Outcome;
use celaje_sky::slot::Slot;

/// The outcomes of the slots that are worked at; clones share them.
#[derive(Clone, Default)]
pub struct Collected(Arc<Mutex<HashMap<Slot, Outcome>>>);

impl Collected {
    /// Takes out all of them.
    pub fn take(&self) -> HashMap<Slot, Outcome> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// See the module.
pub struct Collect(pub Collected);

impl Actor for Collect {
    type Context = Context<Self>;
}

impl Handler<Commit> for Collect {
    type Result = ();

    fn handle(&mut self, Commit(finished): Commit, _: &mut Context<Self>) {
        let mut collected = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        for finished in finished {
            let fate = match &finished.outcome {
                Outcome::Observed(_) => Fate::New,
                Outcome::Missed(miss) => Fate::Missed(miss.reason),
            };
            // A slot that was fetched again has a newer outcome.
            collected.insert(finished.outcome.slot(), finished.outcome);
            finished.credit.settle(fate);
        }
    }
}

impl Handler<StoreTask> for Collect {
    type Result = ();

    /// What is told beside outcomes is for a record.
    fn handle(&mut self, _: StoreTask, _: &mut Context<Self>) {}
}
