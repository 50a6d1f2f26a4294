//! The program's version.

/// Version and commit, such as `0.1.0 (1a2b3c4d5e6f)`.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("CELAJE_COMMIT"), ")");

/// The year in which this version was made. A constant, so that whoever builds the same source
/// again gets the same program; a release raises it.
pub const RELEASE_YEAR: i32 = 2026;
