//! What keeps a panic inside one message.
//!
//! A supervisor does not catch panics: an actor that panics dies, and its address with it. So every
//! handler runs its work here; after a panic the actor stops itself and is restarted in place, with
//! its mailbox. What the message carried is dropped, and its credits go home without a fate.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The work of a handler panicked; it has been logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;

/// Runs `work` of the actor called `actor`; a panic is logged and ends here.
///
/// # Errors
/// [`Panicked`], after which the actor's own state must be taken for spoilt.
pub fn guarded<T>(actor: &'static str, work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        tracing::error!(
            actor,
            panic = message(payload.as_ref()),
            "an actor panicked and restarts"
        );
        Panicked
    })
}

/// What a panic said.
fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_in_the_guard() {
        assert_eq!(guarded("test", || 3), Ok(3));
        assert_eq!(guarded("test", || panic!("no")), Err::<(), _>(Panicked));
    }
}
