//! `celaje runtime install|path|list`: the ONNX Runtime of this machine.

use std::path::{Path, PathBuf};

use celaje_sky::error::{Failure, Result};
use celaje_sky::say;
use celaje_sky::text::Text;
use celaje_vision::engine::install::{self, Install, Installed};
use celaje_vision::engine::library::{self, Library, version_of};
use celaje_vision::engine::search::{Candidate, Search};

/// Installs the pinned ONNX Runtime and makes sure that it loads. Blocks for minutes at worst:
/// call it outside an async runtime.
///
/// # Errors
/// As [`install::install`], and when the library that was installed does not load here.
pub fn install(options: &Install) -> Result<Text> {
    let Installed {
        path,
        version,
        fresh,
    } = install::install(options)?;
    let search = Search {
        explicit: Some(path.clone()),
        ..Search::default()
    };
    library::load(&search)?;
    let path = path.display();
    Ok(if fresh {
        say!(
            "ONNX Runtime {version} installed: {path}",
            "ONNX Runtime {version} instalado: {path}"
        )
    } else {
        say!(
            "ONNX Runtime {version} is installed already: {path}",
            "ONNX Runtime {version} ya está instalado: {path}"
        )
    })
}

/// The library that inference uses; `explicit` is `--ort-lib`.
///
/// # Errors
/// When there is none, or the explicit one does not load.
pub fn path(explicit: Option<&Path>) -> Result<PathBuf> {
    library::load(&Search::from_environment(explicit))?
        .map(|library| library.path)
        .ok_or_else(|| {
            Failure::environment(say!(
                "ONNX Runtime was not found; run `celaje runtime install`",
                "no se encontró ONNX Runtime; ejecute `celaje runtime install`"
            ))
        })
}

/// One library of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The file and where it was found.
    pub candidate: Candidate,
    /// Its version as far as file names tell.
    pub version: String,
    /// Whether it is the one that inference uses.
    pub used: bool,
}

/// All libraries of this machine, in the order in which they are tried.
///
/// # Errors
/// When the explicit one does not load.
pub fn list(explicit: Option<&Path>) -> Result<Vec<Found>> {
    let search = Search::from_environment(explicit);
    let used = library::load(&search)?;
    Ok(found(&search, used.as_ref()))
}

fn found(search: &Search, used: Option<&Library>) -> Vec<Found> {
    let mut rows = Vec::new();
    for candidate in search.candidates() {
        let version = version_of(&candidate.path);
        let used = used.is_some_and(|library| library::same_file(&library.path, &candidate.path));
        rows.push(Found {
            candidate,
            version,
            used,
        });
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_machine_lists_nothing() {
        assert!(found(&Search::default(), None).is_empty());
    }

    #[test]
    fn an_explicit_path_that_does_not_load_is_an_error() {
        let missing = Path::new("celaje-no-such-folder/libonnxruntime.so");
        assert!(path(Some(missing)).is_err());
        assert!(list(Some(missing)).is_err());
    }
}
