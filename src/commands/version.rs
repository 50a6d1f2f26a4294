//! `celaje --version`: the program, its commit and the engines.

use std::path::PathBuf;

use celaje_sky::error::Result;
use celaje_sky::say;
use celaje_vision::engine::library;
use celaje_vision::engine::rten::VERSION as RTEN;
use celaje_vision::engine::search::Search;

/// Version and commit, such as `0.1.0 (1a2b3c4d5e6f)`.
pub const fn short() -> &'static str {
    concat!(env!("CARGO_PKG_VERSION"), " (", env!("CELAJE_COMMIT"), ")")
}

/// Version, commit and engines, a line each. `named` is the library that the settings name; settings
/// that cannot be read are told in its place.
pub fn long(named: Result<Option<PathBuf>>) -> String {
    let found = named.and_then(|named| library::load(&Search::from_environment(named.as_deref())));
    let library = match found {
        Ok(Some(found)) => format!("{} ({})", found.version, found.path.display()),
        Ok(None) => say!(
            "not found (celaje runtime install)",
            "no hallado (celaje runtime install)"
        )
        .to_string(),
        Err(failure) => failure.to_string(),
    };
    let (short, cuda) = (
        short(),
        if cfg!(feature = "cuda") {
            "cuda"
        } else {
            "cpu"
        },
    );
    format!("celaje {short}\nONNX Runtime: {library} [{cuda}]\nrten: {RTEN}")
}
