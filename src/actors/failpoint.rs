//! Named places where a test makes the pipeline fail.
//!
//! Every message passes the failpoints on its way. Only builds with the feature `testing` can put a
//! hook there; in all others passing one does nothing.

#[cfg(feature = "testing")]
use std::sync::Arc;

use celaje_sky::slot::Slot;

/// A place on a slot's way through the actors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// Before the scheduler asks its run what is next.
    Schedule,
    /// Before a returned credit is booked.
    Returned,
    /// Before a request is made.
    Fetch,
    /// Before a picture is decoded.
    Decode,
    /// Before a decoded picture is queued for its batch.
    Queue,
    /// Before a batch runs.
    Session,
    /// After a batch ran, before its results are sent on.
    Judged,
    /// Before outcomes are gathered for their transaction.
    Gather,
    /// Before a transaction begins.
    BeforeCommit,
    /// After a commit, before its credits are returned.
    AfterCommit,
    /// Before other work on the database.
    Database,
}

#[cfg(feature = "testing")]
impl Point {
    /// All places, in the order in which a slot passes them.
    pub const ALL: [Self; 11] = [
        Self::Schedule,
        Self::Fetch,
        Self::Decode,
        Self::Queue,
        Self::Session,
        Self::Judged,
        Self::Gather,
        Self::BeforeCommit,
        Self::AfterCommit,
        Self::Returned,
        Self::Database,
    ];
}

/// Runs at a place, with the message's slot if it has one. It may panic, as the code there could.
#[cfg(feature = "testing")]
type Hook = dyn Fn(Point, Option<Slot>) + Send + Sync;

/// The hook of a pipeline's failpoints, if a test set one.
#[derive(Clone, Default)]
pub struct Failpoints {
    #[cfg(feature = "testing")]
    hook: Option<Arc<Hook>>,
}

impl Failpoints {
    /// Calls `hook` at every place.
    #[cfg(feature = "testing")]
    pub fn calling(hook: impl Fn(Point, Option<Slot>) + Send + Sync + 'static) -> Self {
        Self { hook: Some(Arc::new(hook)) }
    }

    /// Tells the hook that a message about `slot` has come to `point`.
    #[cfg(feature = "testing")]
    pub(crate) fn pass(&self, point: Point, slot: Option<Slot>) {
        if let Some(hook) = &self.hook {
            hook(point, slot);
        }
    }

    /// Does nothing: only tests have hooks.
    #[cfg(not(feature = "testing"))]
    pub(crate) fn pass(&self, _: Point, _: Option<Slot>) {}
}
