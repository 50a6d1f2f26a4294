//! `celaje --version`: the program, its commit and the engines.

use std::path::PathBuf;

use crate::version::VERSION;
use celaje_sky::error::Result;
use celaje_sky::say;
use celaje_vision::engine::library;
use celaje_vision::engine::rten::VERSION as RTEN;
use celaje_vision::engine::search::Search;

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
        VERSION,
        if cfg!(feature = "cuda") {
            "cuda"
        } else {
            "cpu"
        },
    );
    format!("celaje {short}\nONNX Runtime: {library} [{cuda}]\nrten: {RTEN}")
}
