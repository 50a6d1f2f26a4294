//! Named places where a test makes the pipeline fail.
//!
//! Each is passed by every message that comes there. Without a hook, which is how the program runs,
//! passing one is a comparison with nothing.

use std::fmt;
use std::sync::Arc;

use celaje_sky::slot::Slot;

/// A place on a slot's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// The scheduler is about to ask its run what is next.
    Schedule,
    /// A credit has come home and is not booked yet.
    Returned,
    /// A request is about to be made.
    Fetch,
    /// A picture is about to be decoded.
    Decode,
    /// A frame is about to be queued for its batch.
    Queue,
    /// A batch is about to run.
    Session,
    /// A batch has run; nothing of it is sent on yet.
    Judged,
    /// Outcomes are about to be gathered for their transaction.
    Gather,
    /// A transaction is about to begin.
    BeforeCommit,
    /// It is committed; no credit has gone home yet.
    AfterCommit,
    /// Other work on the database is about to be done.
    Database,
}

impl Point {
    /// All of them, in the order in which a slot passes them.
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

/// What happens at a place, to a message about a slot where it is about one; it may panic, as what
/// it stands for would.
type Hook = dyn Fn(Point, Option<Slot>) + Send + Sync;

/// What happens at the places of a pipeline.
#[derive(Clone, Default)]
pub struct Failpoints(Option<Arc<Hook>>);

impl Failpoints {
    /// Calls `hook` at every place.
    pub fn calling(hook: impl Fn(Point, Option<Slot>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }

    /// A message has come to `point`; `slot` is the one that it is about, if it is about one.
    pub fn pass(&self, point: Point, slot: Option<Slot>) {
        if let Some(hook) = &self.0 {
            hook(point, slot);
        }
    }
}

impl fmt::Debug for Failpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Failpoints").field(&self.0.is_some()).finish()
    }
}
