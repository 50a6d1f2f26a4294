//! The program's version.

/// Version and commit, such as `0.1.0 (1a2b3c4d5e6f)`.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("CELAJE_COMMIT"), ")");
