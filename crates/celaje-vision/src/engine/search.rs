//! Where the shared library of ONNX Runtime may lie.
//!
//! Order: the path that the user names, the program's folder, the user's cache folder (where
//! `celaje runtime install` puts it), the `site-packages` folders of Python, the system's library
//! folders. The working folder is not searched. A program that pip or pipx installed is found with
//! the packages of its own environment, active or not.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::engine::install::{VERSION, cache_folder};

/// Where a library was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The user named it.
    Explicit,
    /// Beside the program.
    Program,
    /// In the user's cache folder.
    Cache,
    /// Inside a Python installation.
    Python,
    /// In a library folder of the system.
    System,
}

/// A file that may be the library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The file.
    pub path: PathBuf,
    /// Where it was found.
    pub origin: Origin,
}

/// Folders in which the library is looked for; see [`Search::from_environment`].
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// The path that the user names.
    pub explicit: Option<PathBuf>,
    /// The program's folder.
    pub program: Option<PathBuf>,
    /// Celaje's folder inside the user's cache folder.
    pub cache: Option<PathBuf>,
    /// `site-packages` folders.
    pub python: Vec<PathBuf>,
    /// Library folders of the system.
    pub system: Vec<PathBuf>,
    /// Whether libraries with CUDA beside them are tried before the others.
    pub prefer_cuda: bool,
}

impl Search {
    /// The folders of this machine. `explicit` is the path that the user names.
    pub fn from_environment(explicit: Option<&Path>) -> Self {
        let variable = |name: &str| {
            std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
        };
        let program = std::env::current_exe().ok();
        let called = std::env::args_os().next().map(PathBuf::from);
        let programs: Vec<&Path> = program.iter().chain(&called).map(PathBuf::as_path).collect();
        Self {
            explicit: explicit.map(Path::to_owned),
            program: program.as_deref().and_then(Path::parent).map(Path::to_owned),
            cache: cache_folder(),
            python: python_folders(&programs, &variable),
            system: system_folders(),
            prefer_cuda: false,
        }
    }

    /// The files to try, in order; only `explicit` if there is one.
    pub fn candidates(&self) -> Vec<Candidate> {
        if let Some(path) = &self.explicit {
            return vec![Candidate { path: path.clone(), origin: Origin::Explicit }];
        }
        let mut found = Vec::new();
        let mut look = |folder: &Path, origin| {
            let path = libraries_in(folder).into_iter().next();
            found.extend(path.map(|path| Candidate { path, origin }));
        };
        if let Some(folder) = &self.program {
            look(folder, Origin::Program);
        }
        for folder in self.cache.iter().flat_map(|cache| cached_versions(cache)) {
            look(&folder, Origin::Cache);
        }
        for folder in &self.python {
            look(&folder.join("onnxruntime").join("capi"), Origin::Python);
        }
        for folder in &self.system {
            look(folder, Origin::System);
        }
        if self.prefer_cuda {
            found.sort_by_key(|candidate| !has_cuda(&candidate.path));
        }
        found
    }
}

/// Whether ONNX Runtime's CUDA provider lies beside a library.
fn has_cuda(library: &Path) -> bool {
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    library.with_file_name(format!("{prefix}onnxruntime_providers_cuda{suffix}")).is_file()
}

/// Files in `folder` whose name is that of ONNX Runtime's library, the plain name first.
fn libraries_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(is_library_name))
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    files.sort_by_key(|path| path.as_os_str().len());
    files
}

/// `libonnxruntime.so`, `libonnxruntime.so.1.23.2`, `libonnxruntime.1.23.2.dylib`,
/// `onnxruntime.dll`, as this system names them.
fn is_library_name(name: &str) -> bool {
    let numbers = |text: &str| text.chars().all(|c| c == '.' || c.is_ascii_digit());
    if cfg!(windows) {
        name.eq_ignore_ascii_case("onnxruntime.dll")
    } else if cfg!(target_os = "macos") {
        name.strip_prefix("libonnxruntime")
            .and_then(|rest| rest.strip_suffix(".dylib"))
            .is_some_and(numbers)
    } else {
        name.strip_prefix("libonnxruntime.so").is_some_and(numbers)
    }
}

/// `onnxruntime-*` folders of the cache: the pinned version first, then the newest.
fn cached_versions(cache: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(cache).into_iter().flatten().flatten();
    let mut folders: Vec<(bool, Vec<u32>, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix("onnxruntime-")?;
            let numbers = version.split('.').map(|part| part.parse().unwrap_or(0)).collect();
            Some((version == VERSION, numbers, entry.path()))
        })
        .collect();
    folders.sort();
    folders.into_iter().rev().map(|(_, _, path)| path).collect()
}

/// `site-packages` folders: those of the environments that hold `programs` (`PREFIX/bin/celaje`),
/// the active virtual environment, the user's, the system's.
fn python_folders(programs: &[&Path], variable: &dyn Fn(&str) -> Option<PathBuf>) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    let own = programs.iter().filter_map(|program| program.parent()?.parent());
    let active = ["VIRTUAL_ENV", "CONDA_PREFIX"].iter().filter_map(|name| variable(name));
    for prefix in own.map(Path::to_owned).chain(active) {
        folders.push(prefix.join("Lib").join("site-packages"));
        folders.extend(versions_of_python(&prefix.join("lib")));
    }
    if let Ok(home) = etcetera::home_dir() {
        folders.extend(versions_of_python(&home.join(".local/lib")));
        if cfg!(target_os = "macos") {
            for version in sorted(&home.join("Library/Python")) {
                folders.push(version.join("lib/python/site-packages"));
            }
        }
    }
    if cfg!(windows) {
        let roaming = variable("APPDATA").map(|folder| folder.join("Python"));
        let local = variable("LOCALAPPDATA").map(|folder| folder.join("Programs").join("Python"));
        for version in roaming.iter().chain(&local).flat_map(|folder| sorted(folder)) {
            folders.push(version.join("site-packages"));
            folders.push(version.join("Lib").join("site-packages"));
        }
    } else {
        for prefix in ["/usr/local/lib", "/opt/homebrew/lib", "/usr/lib", "/usr/lib64"] {
            folders.extend(versions_of_python(Path::new(prefix)));
        }
    }
    folders.retain(|folder| folder.is_dir());
    folders
}

/// `python3.*/site-packages` and `dist-packages` in `lib`, the newest Python first.
pub fn versions_of_python(lib: &Path) -> Vec<PathBuf> {
    let is_python = |path: &PathBuf| {
        path.file_name().and_then(OsStr::to_str).is_some_and(|n| n.starts_with("python3"))
    };
    sorted(lib)
        .into_iter()
        .filter(is_python)
        .flat_map(|python| [python.join("site-packages"), python.join("dist-packages")])
        .collect()
}

/// The entries of a folder, the longest and last name first (`python3.12` before `python3.9`).
pub(super) fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    paths.reverse();
    paths
}

fn system_folders() -> Vec<PathBuf> {
    if cfg!(windows) {
        return Vec::new();
    }
    let multiarch = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    ["/usr/local/lib", "/opt/homebrew/lib", &multiarch, "/usr/lib64", "/usr/lib"]
        .into_iter()
        .map(PathBuf::from)
        .filter(|folder| folder.is_dir())
        .collect()
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
