//! What must hold of any bytes that come from outside.
//!
//! Each function takes bytes as a stranger might send them, puts them through the code that the
//! program puts them through, and says what did not hold. They are the targets of `fuzz/`, which
//! makes up bytes for hours, and of `tests/fuzzed.rs`, which tries the kept ones again with every
//! `cargo test`.

mod answer;
mod names;
mod picture;
mod query;
mod reading;
mod texts;

pub use answer::answer;
pub use names::names;
pub use picture::picture;
pub use query::query;
pub use reading::reading;
pub use texts::{manifest, settings};

/// A target: what did not hold of the bytes, if anything.
pub type Target = fn(&[u8]) -> Result<(), String>;

/// The targets by name, which is that of their folder of seeds and of their program in `fuzz/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("picture", picture),
    ("names", names),
    ("manifest", manifest),
    ("settings", settings),
    ("reading", reading),
    ("query", query),
    ("answer", answer),
];

/// `Ok` when it `holds`, else `what` did not.
fn expect(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
