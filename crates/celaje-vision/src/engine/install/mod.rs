//! `celaje runtime install`: puts a pinned ONNX Runtime into the user's cache folder.
//!
//! The library is taken out of the wheel that ONNX Runtime's makers publish for Python. `pip`
//! fetches it, so that the user's own index, proxy and certificates are used; a file that is on
//! disk already will do as well. Nothing is unpacked whose SHA-256 is not the pinned one, and
//! nothing but this module ever downloads.

mod pinned;
mod pip;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::engine::search::cache_folder;
use crate::model::source::hex;
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;

pub use pinned::{PinnedLibrary, VERSION, pinned};
pub use pip::Pip;

/// What `celaje runtime install` is asked.
#[derive(Clone, Debug, Default)]
pub struct Install {
    /// A wheel or a library on disk to take instead of a download.
    pub from: Option<PathBuf>,
    /// Install anew even if the library is there and whole.
    pub force: bool,
}

/// What `celaje runtime install` did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// The library.
    pub path: PathBuf,
    /// Its version.
    pub version: &'static str,
    /// Whether it was installed just now; otherwise it was there already, whole.
    pub fresh: bool,
}

/// Where the pinned library is or will be; `None` when there is none for this system or the user
/// has no home.
pub fn installed_path() -> Option<PathBuf> {
    Some(target(&cache_folder()?, pinned()?))
}

fn target(cache: &Path, pinned: &PinnedLibrary) -> PathBuf {
    cache.join(format!("onnxruntime-{}", pinned.version)).join(pinned.library)
}

/// Installs the pinned ONNX Runtime. Blocks for as long as the download takes.
///
/// # Errors
/// When there is none for this system, when it cannot be fetched, when the file is not the pinned
/// one, or when the cache folder cannot be written.
pub fn install(options: &Install) -> Result<Installed> {
    let pinned = pinned().ok_or_else(|| {
        let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
        Failure::environment(say!(
            "no ONNX Runtime is pinned for {system} on {machine}; install one yourself and name it \
            with --ort-lib, or use --engine rten",
            "no hay un ONNX Runtime fijado para {system} en {machine}; instale uno e indíquelo con \
            --ort-lib, o use --engine rten"
        ))
    })?;
    let cache = cache_folder().ok_or_else(|| {
        Failure::environment(say!(
            "the user has no home folder to keep ONNX Runtime in; set XDG_CACHE_HOME",
            "el usuario no tiene carpeta personal donde guardar ONNX Runtime; defina XDG_CACHE_HOME"
        ))
    })?;
    install_into(&cache, pinned, options, &Pip::default())
}

/// As [`install`], with the folder, the pin and the way to download given.
///
/// # Errors
/// As [`install`].
pub fn install_into(
    cache: &Path,
    pinned: &PinnedLibrary,
    options: &Install,
    pip: &Pip,
) -> Result<Installed> {
    let path = target(cache, pinned);
    let version = pinned.version;
    if !options.force && is_whole(&path, pinned) {
        return Ok(Installed { path, version, fresh: false });
    }
    match &options.from {
        Some(file) => from_file(file, pinned, &path)?,
        None => {
            let folder =
                tempfile::tempdir().map_err(|error| unwritable(&std::env::temp_dir(), &error))?;
            let wheel = pip.download(pinned, folder.path())?;
            from_file(&wheel, pinned, &path)?;
        }
    }
    Ok(Installed { path, version, fresh: true })
}

/// Whether the library is there and is the pinned one.
fn is_whole(path: &Path, pinned: &PinnedLibrary) -> bool {
    File::open(path)
        .and_then(|mut file| hash_of(&mut file))
        .is_ok_and(|hash| hash == pinned.library_sha256)
}

/// SHA-256 of all that `source` still holds, read in pieces.
fn hash_of(source: &mut dyn Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match source.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// Installs from a wheel or a bare library, whichever `file` turns out to be by its hash.
fn from_file(file: &Path, pinned: &PinnedLibrary, target: &Path) -> Result<()> {
    let shown = file.display();
    let unreadable = |error: io::Error| {
        Failure::environment(say!(
            "{shown} cannot be read: {error}",
            "no se puede leer {shown}: {error}"
        ))
    };
    // One open file is hashed and then read, so that nobody can exchange it in between.
    let mut source = File::open(file).map_err(unreadable)?;
    let hash = hash_of(&mut source).map_err(unreadable)?;
    io::Seek::rewind(&mut source).map_err(unreadable)?;
    if hash == pinned.library_sha256 {
        return place(&mut source, pinned, target);
    }
    if hash != pinned.wheel_sha256 {
        let (wheel, version) = (pinned.wheel, pinned.version);
        return Err(Failure::environment(say!(
            "{shown} is not the pinned ONNX Runtime {version} (its SHA-256 is {hash}): nothing was \
            installed; the file wanted is {wheel}, and any other library can be named with \
            --ort-lib",
            "{shown} no es el ONNX Runtime {version} fijado (su SHA-256 es {hash}): no se instaló \
            nada; el archivo esperado es {wheel}, y cualquier otra biblioteca se puede indicar con \
            --ort-lib"
        )));
    }
    let broken = |error: zip::result::ZipError| {
        Failure::environment(say!(
            "{shown} cannot be unpacked: {error}; fetch it again",
            "no se puede descomprimir {shown}: {error}; vuelva a obtenerlo"
        ))
    };
    let mut archive = zip::ZipArchive::new(source).map_err(broken)?;
    let mut member = archive.by_name(pinned.member).map_err(broken)?;
    place(&mut member, pinned, target)
}

/// Writes the library beside its place, checks it, and moves it there in one step, so that two
/// installations at once or a power cut leave either the whole library or none.
fn place(library: &mut dyn Read, pinned: &PinnedLibrary, target: &Path) -> Result<()> {
    let folder = target.parent().unwrap_or(target);
    let failed = |error: io::Error| unwritable(folder, &error);
    fs::create_dir_all(folder).map_err(failed)?;
    let mut file =
        tempfile::Builder::new().prefix(".install-").tempfile_in(folder).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut left = pinned.library_bytes;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = library.read(&mut buffer).map_err(failed)?;
        if n == 0 {
            break;
        }
        left = left.checked_sub(n as u64).ok_or_else(|| not_the_library(pinned))?;
        hash.update(&buffer[..n]);
        file.write_all(&buffer[..n]).map_err(failed)?;
    }
    if hex(&hash.finalize()) != pinned.library_sha256 {
        return Err(not_the_library(pinned));
    }
    readable_by_all(file.as_file()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(target).map_err(|error| failed(error.error))?;
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    }
    Ok(())
}

#[cfg(unix)]
fn readable_by_all(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_by_all(_: &File) -> io::Result<()> {
    Ok(())
}

fn unwritable(folder: &Path, error: &io::Error) -> Failure {
    let folder = folder.display();
    Failure::environment(say!(
        "ONNX Runtime cannot be put into {folder}: {error}; make room there or set XDG_CACHE_HOME \
        to another folder",
        "no se puede guardar ONNX Runtime en {folder}: {error}; haga lugar allí o defina \
        XDG_CACHE_HOME con otra carpeta"
    ))
}

fn not_the_library(pinned: &PinnedLibrary) -> Failure {
    let member = pinned.member;
    Failure::environment(say!(
        "{member} in the wheel is not the pinned library: nothing was installed; fetch the wheel \
        again",
        "{member} del paquete no es la biblioteca fijada: no se instaló nada; vuelva a obtener el \
        paquete"
    ))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
