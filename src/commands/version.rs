//! `celaje --version`: the program, its commit and the engines.

use std::path::{Path, PathBuf};

use crate::commands::output;
use crate::settings::{Layer, Settings};
use crate::version::VERSION;
use celaje_sky::error::Result;
use celaje_sky::say;
use celaje_vision::engine::library;
use celaje_vision::engine::rten::VERSION as RTEN;
use celaje_vision::engine::search::Search;

pub(super) fn run(config: Option<&Path>) -> Result<u8> {
    let named = Settings::read(Layer::default(), config).map(|settings| settings.ort_lib);
    output::line(long(named))?;
    Ok(0)
}

/// Version, commit and engines, a line each. `named` is the library that the settings name, or why
/// they cannot be read.
fn long(named: Result<Option<PathBuf>>) -> String {
    let found = named.and_then(|named| library::load(&Search::from_environment(named.as_deref())));
    let library = match found {
        Ok(Some(found)) => format!("{} ({})", found.version, found.path.display()),
        Ok(None) => {
            say!("not found (celaje runtime install)", "no hallado (celaje runtime install)")
                .to_string()
        }
        Err(failure) => failure.to_string(),
    };
    let (short, cuda) = (VERSION, if cfg!(feature = "cuda") { "cuda" } else { "cpu" });
    format!("celaje {short}\nONNX Runtime: {library} [{cuda}]\nrten: {RTEN}")
}
