//! Loads the shared library of ONNX Runtime.
//!
//! A process holds one ONNX Runtime for its whole life, the first that was loaded.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;

use crate::engine::search::{Candidate, Origin, Search, sorted};
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;

/// The library that this process uses.
#[derive(Clone, Debug)]
pub struct Library {
    /// The file.
    pub path: PathBuf,
    /// Version such as `1.23.2`, or `unknown`.
    pub version: String,
    pub(super) environment: Environment,
}

static LOADED: Mutex<Option<Library>> = Mutex::new(None);

/// Loads ONNX Runtime, or finds that there is none (`None`).
///
/// # Errors
/// When the path that the user gave does not load, or another library is loaded already.
pub fn load(search: &Search) -> Result<Option<Library>> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(library) = loaded.as_ref() {
        return match &search.explicit {
            Some(path) if !same_file(path, &library.path) => {
                let (path, present) = (path.display(), library.path.display());
                Err(Failure::environment(say!(
                    "{path} cannot be loaded: this process uses {present} already; start the \
                    program again",
                    "no se puede cargar {path}: este proceso ya usa {present}; vuelva a iniciar el \
                    programa"
                )))
            }
            _ => Ok(Some(library.clone())),
        };
    }
    for Candidate { path, origin } in search.candidates() {
        match try_load(&path) {
            Ok(library) => {
                let (path, version) = (library.path.display(), &library.version);
                tracing::debug!(%path, version, ?origin, "ONNX Runtime loaded");
                *loaded = Some(library.clone());
                return Ok(Some(library));
            }
            Err(error) if origin == Origin::Explicit => {
                let path = path.display();
                return Err(Failure::environment(say!(
                    "{path} cannot be loaded as ONNX Runtime: {error}; correct --ort-lib \
                    (CELAJE_ORT_LIB, ORT_DYLIB_PATH) or leave it out",
                    "no se puede cargar {path} como ONNX Runtime: {error}; corrija --ort-lib \
                    (CELAJE_ORT_LIB, ORT_DYLIB_PATH) u omítalo"
                )));
            }
            Err(error) => {
                tracing::debug!(path = %path.display(), error, "not loadable as ONNX Runtime")
            }
        }
    }
    Ok(None)
}

/// Whether two paths lead to the same file.
pub fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

fn try_load(path: &Path) -> Result<Library, String> {
    // A bare name that is no file here is left to the system's loader; all else is made absolute,
    // because `ort` would look for relative paths beside the program.
    let bare = path.components().count() == 1 && !path.exists();
    let path = if bare {
        path.to_owned()
    } else {
        std::path::absolute(path).map_err(|e| e.to_string())?
    };
    if !bare && !path.is_file() {
        return Err(if path.is_dir() {
            "it is a folder".into()
        } else {
            "there is no such file".into()
        });
    }
    let environment = ort::init_from(&path)
        .map_err(|error| first_line(&error.to_string()))?
        .with_name("celaje")
        .with_telemetry(false)
        .with_logger(Arc::new(log))
        .build()
        .map_err(|error| first_line(&error.to_string()))?;
    environment.set_log_level(LogLevel::Warning);
    let version = version_of(&path);
    Ok(Library { path, version, environment })
}

/// What matters of ONNX Runtime's log comes back as errors: the rest is for those who debug.
fn log(level: LogLevel, _category: &str, _id: &str, location: &str, message: &str) {
    match level {
        LogLevel::Fatal => tracing::error!(location, "onnxruntime: {message}"),
        LogLevel::Error | LogLevel::Warning => tracing::debug!(location, "onnxruntime: {message}"),
        LogLevel::Info | LogLevel::Verbose => tracing::trace!(location, "onnxruntime: {message}"),
    }
}

/// The first line of a message of a foreign library, of bounded length and without a full stop.
pub(super) fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default().trim_end_matches(['.', ' ']);
    line.chars().take(300).collect()
}

/// The version of a library file, from its name, the names around it, or its symbol versions.
pub fn version_of(path: &Path) -> String {
    let file = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = file.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let around = file.ancestors().nth(3).map(sorted).unwrap_or_default();
    let folder = file.parent().and_then(Path::file_name).and_then(OsStr::to_str);
    version_in(name.trim_end_matches(".dylib"))
        .or_else(|| folder.and_then(|folder| version_in(folder.strip_prefix("onnxruntime-")?)))
        .or_else(|| {
            around.iter().filter_map(|path| path.file_name()?.to_str()).find_map(|name| {
                version_in(name.strip_prefix("onnxruntime")?.strip_suffix(".dist-info")?)
            })
        })
        .or_else(|| symbol_version(&fs::read(&file).ok()?))
        .unwrap_or_else(|| "unknown".to_owned())
}

/// The trailing `1.23.2` of a name.
fn version_in(name: &str) -> Option<String> {
    let start = name.rfind(|c: char| c != '.' && !c.is_ascii_digit()).map_or(0, |at| at + 1);
    let version = name.get(start..)?.trim_matches('.');
    (version.split('.').count() == 3).then(|| version.to_owned())
}

/// The version in the name of an ELF library's symbols (`VERS_1.23.2`).
fn symbol_version(bytes: &[u8]) -> Option<String> {
    let mark = b"VERS_";
    let at = bytes.windows(mark.len()).position(|window| window == mark)? + mark.len();
    let end = bytes[at..].iter().position(|byte| *byte == 0)?;
    version_in(std::str::from_utf8(&bytes[at..at + end.min(20)]).ok()?)
}

#[cfg(test)]
#[path = "library_tests.rs"]
mod tests;
