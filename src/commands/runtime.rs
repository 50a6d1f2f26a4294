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
use celaje_vision::engine::install::{InstalledLibrary, VERSION, install};
use celaje_vision::engine::library::{self, is_incomplete, same_file, version_of};
use celaje_vision::engine::search::Search;

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
        let search = Search::from_environment(named.as_deref());
        match self.action {
            RuntimeAction::Install { source, force } => {
                output::line(installed(source.as_deref(), force)?)?;
            }
            RuntimeAction::Path => output::line(path(&search)?.display())?,
            RuntimeAction::List => {
                for line in list(&search)? {
                    output::line(line)?;
                }
            }
        }
        Ok(0)
    }
}

/// Installs the pinned ONNX Runtime and makes sure that it loads.
fn installed(source: Option<&Path>, force: bool) -> Result<Text> {
    let InstalledLibrary { path, fresh } = install(source, force)?;
    library::load(&Search { explicit: Some(path.clone()), ..Search::default() })?;
    let path = path.display();
    Ok(if fresh {
        say!("ONNX Runtime {VERSION} installed: {path}", "ONNX Runtime {VERSION} instalado: {path}")
    } else {
        say!(
            "ONNX Runtime {VERSION} is installed already: {path}",
            "ONNX Runtime {VERSION} ya está instalado: {path}"
        )
    })
}

fn path(search: &Search) -> Result<PathBuf> {
    library::load(search)?.map(|library| library.path).ok_or_else(|| {
        let Text { en, es } = library::why_none(search);
        Failure::environment(say!(
            "{en}; run `celaje runtime install`",
            "{es}; ejecute `celaje runtime install`"
        ))
    })
}

/// A line for each library, in the order in which they are tried.
fn list(search: &Search) -> Result<Vec<String>> {
    let used = library::load(search)?;
    let line = |path: PathBuf| {
        let is_used = used.as_ref().is_some_and(|library| same_file(&library.path, &path));
        let mark = if is_used { "*" } else { " " };
        let remark = match is_incomplete(&path) {
            true => say!(" (incomplete)", " (incompleta)").to_string(),
            false => String::new(),
        };
        format!("{mark} {} {}{remark}", version_of(&path), path.display())
    };
    Ok(search.candidates().into_iter().map(|candidate| line(candidate.path)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_does_not_load_is_an_error() {
        let explicit = Some("celaje-no-such-folder/libonnxruntime.so".into());
        let search = Search { explicit, ..Search::default() };
        assert!(path(&search).is_err() && list(&search).is_err());
    }
}
