//! Loads the shared library of ONNX Runtime.
//!
//! A process holds one ONNX Runtime for its whole life, the first that was loaded.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;

use crate::engine::search::{Candidate, Origin, Search, sorted};
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;
use celaje_sky::text::Text;

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

/// Loads ONNX Runtime; `None` if there is none.
///
/// # Errors
/// If the path that the user named does not load, or another library is loaded already.
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

/// Why no library is used, as the beginning of a sentence.
pub fn why_none(search: &Search) -> Text {
    let mut paths = search.candidates().into_iter().map(|candidate| candidate.path);
    paths.find(|path| is_incomplete(path)).map_or_else(
        || say!("ONNX Runtime was not found", "no se encontró ONNX Runtime"),
        |path| {
            let path = path.display();
            say!("ONNX Runtime is incomplete ({path})", "ONNX Runtime está incompleto ({path})")
        },
    )
}

/// Whether a library is shorter than its ELF headers, or than they say, or ends in zeros instead of
/// its section headers. The loader would map such a file, read beyond its end or run the zeros, and
/// so end the process by a signal. Loaders of other formats refuse it.
pub fn is_incomplete(path: &Path) -> bool {
    let ends = || {
        let mut file = fs::File::open(path)?;
        let (length, is_file) = file.metadata().map(|file| (file.len(), file.is_file()))?;
        let is_short = is_file && length < 64;
        let wanted = if is_short { Some(64) } else { elf_length(&mut file)? };
        Ok::<_, io::Error>((length, wanted))
    };
    ends().is_ok_and(|(length, wanted)| wanted.is_some_and(|wanted| length < wanted))
}

/// Bytes that a 64-bit little-endian ELF file needs for its segments and its two header tables,
/// `u64::MAX` if a table is not there; none of any other file. Source:
/// System V ABI, chapter 4, "ELF Header" and "Program Header".
fn elf_length(file: &mut (impl Read + Seek)) -> io::Result<Option<u64>> {
    let mut header = [0; 64];
    file.read_exact(&mut header)?;
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok(None);
    }
    let [segments_at, sections_at] = [32, 40].map(|at| number(&header, at, 8));
    let [segment_size, segments, section_size, sections] =
        [54, 56, 58, 60].map(|at| number(&header, at, 2));
    let mut wanted = sections_at.saturating_add(section_size * sections);
    if let Some(last) = sections.checked_sub(1) {
        let mut entry = [0; 64];
        file.seek(SeekFrom::Start(sections_at.saturating_add(last * section_size)))?;
        if file.read_exact(&mut entry).is_err() || entry == [0; 64] {
            return Ok(Some(u64::MAX));
        }
    }
    for segment in 0..segments {
        let mut entry = [0; 56];
        file.seek(SeekFrom::Start(segments_at.saturating_add(segment * segment_size)))?;
        if file.read_exact(&mut entry).is_err() {
            return Ok(Some(u64::MAX));
        }
        let end = number(&entry, 8, 8).saturating_add(number(&entry, 32, 8));
        wanted = wanted.max(end);
    }
    Ok(Some(wanted))
}

/// The little-endian number of `size` bytes at `at`.
fn number(bytes: &[u8], at: usize, size: usize) -> u64 {
    bytes[at..at + size].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Whether two paths lead to the same file.
pub fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

fn try_load(path: &Path) -> Result<Library, String> {
    // A bare name that is not a file is left to the system's loader. Other paths are made absolute,
    // because `ort` looks for relative ones beside the program.
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
    if is_incomplete(&path) {
        return Err("it is incomplete; fetch it again".into());
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

/// ONNX Runtime's log goes to the debug level: its errors also come back as results.
fn log(level: LogLevel, _category: &str, _id: &str, location: &str, message: &str) {
    match level {
        LogLevel::Fatal => tracing::error!(location, "onnxruntime: {message}"),
        LogLevel::Error | LogLevel::Warning => tracing::debug!(location, "onnxruntime: {message}"),
        LogLevel::Info | LogLevel::Verbose => tracing::trace!(location, "onnxruntime: {message}"),
    }
}

/// The first line of a library's message, at most 300 characters, without a full stop.
pub(super) fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default().trim_end_matches(['.', ' ']);
    line.chars().take(300).collect()
}

/// The version of a library file, from its name, its folder, the Python package around it, or its
/// symbol versions; `unknown` if none of them has it.
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
