//! What keeps a panic inside one message.
//!
//! A supervisor does not catch panics: an actor that panics dies, and its address with it. So every
//! handler runs its work here; after a panic the actor stops itself and is restarted in place, with
//! its mailbox, after a rest. What the message carried is dropped, and its credits go home without a
//! fate.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use crate::actors::failpoint::Point;
use crate::actors::vitals::{Part, Vitals, Work};
use celaje_sky::slot::Slot;

/// The work of a handler panicked; it has been logged and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;

/// An actor's own part of what is known of all of them.
#[derive(Clone)]
pub struct Guard {
    part: Part,
    vitals: Arc<Vitals>,
}

/// A piece of work that is being done; ends when it is dropped.
pub struct AtWork<'a> {
    vitals: &'a Vitals,
    number: u64,
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.vitals.end(self.number);
    }
}

impl Guard {
    /// The guard of `part`.
    pub const fn new(part: Part, vitals: Arc<Vitals>) -> Self {
        Self { part, vitals }
    }

    /// The guard of an actor that has no others beside it.
    pub fn alone(part: Part) -> Self {
        Self::new(part, Arc::default())
    }

    /// What is known of all actors.
    pub const fn vitals(&self) -> &Arc<Vitals> {
        &self.vitals
    }

    /// Runs `work`, which is that of a message; a panic is logged and counted, and ends here.
    ///
    /// # Errors
    /// [`Panicked`], after which the actor's own state must be taken for spoilt.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> Result<T, Panicked> {
        let done = self.run_aside(work)?;
        self.vitals.worked(self.part);
        Ok(done)
    }

    /// The same for what is no message's, or beside what the actor is for: that it goes well says
    /// nothing of the actor.
    ///
    /// # Errors
    /// [`Panicked`].
    pub fn run_aside<T>(&self, work: impl FnOnce() -> T) -> Result<T, Panicked> {
        catch_unwind(AssertUnwindSafe(work)).map_err(|payload| self.panicked(payload.as_ref()))
    }

    /// [`run`](Self::run) for what takes its time.
    ///
    /// # Errors
    /// [`Panicked`].
    pub async fn run_async<T>(&self, work: impl Future<Output = T>) -> Result<T, Panicked> {
        let done = AssertUnwindSafe(work).catch_unwind().await;
        let done = done.map_err(|payload| self.panicked(payload.as_ref()))?;
        self.vitals.worked(self.part);
        Ok(done)
    }

    fn panicked(&self, payload: &(dyn Any + Send)) -> Panicked {
        let (actor, panic) = (self.part.as_str(), message(payload));
        tracing::error!(actor, panic, "an actor panicked and restarts");
        self.vitals.failed(self.part, panic);
        Panicked
    }

    /// Something went wrong that is no reason to restart.
    pub fn erred(&self, what: &str) {
        self.vitals.erred(self.part, what);
    }

    /// Work begins that computes or writes and waits for nobody: should it never end, the actor
    /// hangs.
    pub fn at_work(&self, slots: impl IntoIterator<Item = Slot>) -> AtWork<'_> {
        let work = Work {
            part: self.part,
            slots: slots.into_iter().collect(),
            ping: false,
        };
        AtWork {
            number: self.vitals.begin(work),
            vitals: &self.vitals,
        }
    }

    /// How long the actor rests before it goes on; nothing unless it has failed.
    pub fn take_rest(&self) -> Duration {
        self.vitals.take_rest(self.part)
    }

    /// Rests on the actor's own thread.
    pub fn rest_here(&self) {
        let rest = self.take_rest();
        if !rest.is_zero() {
            std::thread::sleep(rest);
        }
    }

    /// A message has come to `point`.
    pub fn pass(&self, point: Point) {
        self.vitals.failpoints().pass(point, None);
    }

    /// A message about `slot` has come to `point`.
    pub fn pass_with(&self, point: Point, slot: Slot) {
        self.vitals.failpoints().pass(point, Some(slot));
    }
}

/// Lets an actor rest after a failure, with its messages waiting.
pub fn rest<A>(guard: &Guard, actor: &mut A, ctx: &mut A::Context)
where
    A: actix::Actor,
    A::Context: actix::AsyncContext<A>,
{
    use actix::{AsyncContext, WrapFuture};
    let rest = guard.take_rest();
    if !rest.is_zero() {
        ctx.wait(tokio::time::sleep(rest).into_actor(actor));
    }
}

/// What a panic said.
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
        let guard = Guard::alone(Part::Decode);
        assert_eq!(guard.run(|| 3), Ok(3));
        assert_eq!(guard.run(|| panic!("no")), Err::<(), _>(Panicked));
        let later = guard.run_async(async { panic!("later") });
        assert_eq!(later.await, Err::<(), _>(Panicked));
        let report = guard.vitals().report();
        let decode = report.iter().find(|one| one.actor == Part::Decode).unwrap();
        assert_eq!(decode.restarts, 2);
        assert_eq!(decode.last_error.as_deref(), Some("later"));
    }

    #[test]
    fn work_is_known_while_it_lasts() {
        let guard = Guard::alone(Part::Store);
        let at_work = guard.at_work([]);
        let numbers = guard.vitals().at_work();
        assert_eq!(numbers.len(), 1);
        let work = guard.vitals().work(numbers[0]).unwrap();
        assert_eq!(work.part, Part::Store);
        drop(at_work);
        assert!(guard.vitals().at_work().is_empty());
    }
}
