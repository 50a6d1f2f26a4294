//! `celaje runtime install|path|list`: the ONNX Runtime of this machine.

use std::path::{Path, PathBuf};

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};

use crate::commands::output;
use crate::settings::layer::SpanishHelp;
use crate::settings::{Layer, Settings};
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;
use celaje_sky::text::Text;
use celaje_vision::engine::install::{self, Install, Installed};
use celaje_vision::engine::library::{self, Library, version_of};
use celaje_vision::engine::search::{Candidate, Search};

#[derive(Clone, Debug, Args)]
pub(super) struct RuntimeArgs {
    #[command(subcommand)]
    action: RuntimeAction,
}

#[derive(Clone, Debug, Subcommand)]
enum RuntimeAction {
    /// Fetch the pinned ONNX Runtime, check it and put it into the user's cache
    Install {
        /// A wheel or a library on this disk, instead of the package index
        #[arg(long = "from", value_name = "FILE", env = "CELAJE_RUNTIME_FROM")]
        source: Option<PathBuf>,
        /// Also when one is installed already
        #[arg(long, env = "CELAJE_FORCE", value_parser = FalseyValueParser::new())]
        force: bool,
    },
    /// Print the path of the library that would be used
    Path,
    /// List the libraries that are found; * marks the one that would be used
    List,
}

pub(super) const SPANISH: SpanishHelp = &[
    ("runtime", "Instala o busca la biblioteca del motor de inferencia"),
    (
        "install",
        "Descarga la versión prevista de ONNX Runtime, la verifica y la guarda en la caché del \
         usuario",
    ),
    ("source", "Un paquete wheel o una biblioteca de este disco, en vez del índice de paquetes"),
    ("force", "También cuando ya hay una instalada"),
    ("path", "Muestra la ruta de la biblioteca que se usaría"),
    ("list", "Enumera las bibliotecas que se encuentran; * señala la que se usaría"),
];

impl RuntimeArgs {
    pub(super) fn run(self, config: Option<&Path>) -> Result<u8> {
        let named = Settings::read(Layer::default(), config)?.ort_lib;
        match self.action {
            RuntimeAction::Install { source, force } => {
                output::line(install(&Install { from: source, force })?)?;
            }
            RuntimeAction::Path => output::line(path(named.as_deref())?.display())?,
            RuntimeAction::List => {
                for found in list(named.as_deref())? {
                    let mark = if found.used { "*" } else { " " };
                    let path = found.candidate.path.display();
                    output::line(format!("{mark} {} {path}", found.version))?;
                }
            }
        }
        Ok(0)
    }
}

/// Installs the pinned ONNX Runtime and makes sure that it loads. Blocks for minutes at worst:
/// call it outside an async runtime.
pub fn install(options: &Install) -> Result<Text> {
    let Installed { path, version, fresh } = install::install(options)?;
    let search = Search { explicit: Some(path.clone()), ..Search::default() };
    library::load(&search)?;
    let path = path.display();
    Ok(if fresh {
        say!("ONNX Runtime {version} installed: {path}", "ONNX Runtime {version} instalado: {path}")
    } else {
        say!(
            "ONNX Runtime {version} is installed already: {path}",
            "ONNX Runtime {version} ya está instalado: {path}"
        )
    })
}

/// The library that inference uses; `explicit` is `--ort-lib`.
pub fn path(explicit: Option<&Path>) -> Result<PathBuf> {
    library::load(&Search::from_environment(explicit))?.map(|library| library.path).ok_or_else(
        || {
            Failure::environment(say!(
                "ONNX Runtime was not found; run `celaje runtime install`",
                "no se encontró ONNX Runtime; ejecute `celaje runtime install`"
            ))
        },
    )
}

/// One library of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLibrary {
    /// The file and where it was found.
    pub candidate: Candidate,
    /// Its version as far as file names tell.
    pub version: String,
    /// Whether it is the one that inference uses.
    pub used: bool,
}

/// All libraries of this machine, in the order in which they are tried.
pub fn list(explicit: Option<&Path>) -> Result<Vec<FoundLibrary>> {
    let search = Search::from_environment(explicit);
    let used = library::load(&search)?;
    Ok(found(&search, used.as_ref()))
}

fn found(search: &Search, used: Option<&Library>) -> Vec<FoundLibrary> {
    let mut rows = Vec::new();
    for candidate in search.candidates() {
        let version = version_of(&candidate.path);
        let used = used.is_some_and(|library| library::same_file(&library.path, &candidate.path));
        rows.push(FoundLibrary { candidate, version, used });
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
