//! Keeps a panic inside the message that caused it.
//!
//! A supervisor does not catch panics: an actor that panics dies, and its address with it. So every
//! handler runs its work in a [`Guard`]. After a panic the actor stops itself and is restarted in
//! place, with its mailbox, after a rest. The message is dropped, and its credits return without a
//! fate.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use crate::actors::failpoint::{Failpoints, Point};
use crate::actors::health::{ActorHealth, ActorReport, Part};
use crate::actors::work::{AtWork, Work, WorkRegistry};
use celaje_sky::slot::Slot;

/// The work of a handler panicked; it has been logged and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;

/// The supervision that the actors of one pipeline share.
#[derive(Clone, Default)]
pub struct Oversight {
    /// Restarts, hangs and errors; a station's pipelines share one.
    pub health: Arc<ActorHealth>,
    /// The work under way in this pipeline.
    pub work: Arc<WorkRegistry>,
    /// Where a test makes the actors fail.
    pub failpoints: Failpoints,
}

impl Oversight {
    /// The guard of `part`.
    pub fn guard(&self, part: Part) -> Guard {
        Guard { part, shared: self.clone() }
    }

    /// The health of all actors.
    pub fn report(&self) -> Vec<ActorReport> {
        self.health.report(|part| self.work.count(part))
    }
}

/// One actor's access to the [`Oversight`].
#[derive(Clone)]
pub struct Guard {
    part: Part,
    shared: Oversight,
}

impl Guard {
    /// A guard with an [`Oversight`] of its own.
    pub fn alone(part: Part) -> Self {
        Oversight::default().guard(part)
    }

    /// Does the `work` of a message; a panic in it is logged and counted, and ends here.
    ///
    /// # Errors
    /// [`Panicked`], after which the actor must discard its state.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> Result<T, Panicked> {
        let done = self.run_aside(work)?;
        self.shared.health.worked(self.part);
        Ok(done)
    }

    /// Does work that is not the actor's duty: its success says nothing of the actor's health.
    ///
    /// # Errors
    /// [`Panicked`].
    pub fn run_aside<T>(&self, work: impl FnOnce() -> T) -> Result<T, Panicked> {
        catch_unwind(AssertUnwindSafe(work)).map_err(|payload| self.panicked(payload.as_ref()))
    }

    /// [`run`](Self::run) for a future.
    ///
    /// # Errors
    /// [`Panicked`].
    pub async fn run_async<T>(&self, work: impl Future<Output = T>) -> Result<T, Panicked> {
        let done = AssertUnwindSafe(work).catch_unwind().await;
        let done = done.map_err(|payload| self.panicked(payload.as_ref()))?;
        self.shared.health.worked(self.part);
        Ok(done)
    }

    fn panicked(&self, payload: &(dyn Any + Send)) -> Panicked {
        let (actor, panic) = (self.part.as_str(), message(payload));
        tracing::error!(actor, panic, "an actor panicked and restarts");
        self.shared.health.failed(self.part, panic);
        Panicked
    }

    /// Notes an error that is no reason to restart.
    pub fn erred(&self, what: &str) {
        self.shared.health.erred(self.part, what);
    }

    /// Enters work in the registry that waits for nobody: if it never ends, the actor hangs.
    pub fn at_work(&self, slots: Vec<Slot>) -> AtWork {
        self.shared.work.begin(Work { slots, ..Work::of(self.part) })
    }

    /// The rest that the actor owes before it goes on; zero unless it has failed.
    pub fn take_rest(&self) -> Duration {
        self.shared.health.take_rest(self.part)
    }

    /// Passes a failpoint with a message about `slot`, if it has one.
    pub fn pass(&self, point: Point, slot: impl Into<Option<Slot>>) {
        self.shared.failpoints.pass(point, slot.into());
    }
}

/// An actor whose handlers run in a guard.
pub trait Guarded: actix::Actor<Context = actix::Context<Self>> {
    /// Its guard.
    fn guard(&self) -> &Guard;

    /// Does the work of a message, a timer or an answer; after a panic the actor restarts.
    fn guarded(
        &mut self,
        ctx: &mut actix::Context<Self>,
        work: impl FnOnce(&mut Self, &mut actix::Context<Self>),
    ) {
        use actix::ActorContext;
        let guard = self.guard().clone();
        let at_work = guard.at_work(Vec::new());
        let done = guard.run(|| work(self, ctx));
        drop(at_work);
        if done.is_err() {
            ctx.stop();
        }
    }

    /// Lets the actor rest after a failure, while its messages wait.
    fn rest(&mut self, ctx: &mut actix::Context<Self>) {
        use actix::{AsyncContext, WrapFuture};
        let rest = self.guard().take_rest();
        if !rest.is_zero() {
            ctx.wait(tokio::time::sleep(rest).into_actor(self));
        }
    }
}

/// The text of a panic.
pub(super) fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix::test]
    async fn a_panic_ends_in_the_guard() {
        let oversight = Oversight::default();
        let guard = oversight.guard(Part::Decode);
        assert_eq!(guard.run(|| 3), Ok(3));
        assert_eq!(guard.run(|| panic!("no")), Err::<(), _>(Panicked));
        let later = guard.run_async(async { panic!("later") });
        assert_eq!(later.await, Err::<(), _>(Panicked));
        let report = oversight.report();
        let decode = report.iter().find(|one| one.actor == Part::Decode).unwrap();
        assert_eq!(decode.restarts, 2);
        assert_eq!(decode.last_error.as_deref(), Some("later"));
    }
}
