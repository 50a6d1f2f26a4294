//! Puts the pinned ONNX Runtime into the user's cache folder (`celaje runtime install`).
//!
//! The library is a file of the wheel that ONNX Runtime's makers publish for Python. `pip` fetches
//! the wheel, so that the user's own index, proxy and certificates apply. Only a library with the
//! pinned SHA-256 is installed.

use std::env::consts::{ARCH, OS};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use etcetera::BaseStrategy;
use sha2::{Digest, Sha256};

use crate::model::source::hex;
use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::say;
use celaje_sky::text::Text;

/// The pinned version of ONNX Runtime.
pub const VERSION: &str = "1.23.2";

/// Most bytes of a library; the pinned ones have 16 to 31 million.
const MOST_BYTES: u64 = 64_000_000;

/// Commands that run `pip`. The first that works is used.
const PIPS: &[&[&str]] = if cfg!(windows) {
    &[&["py", "-3", "-m", "pip"], &["python", "-m", "pip"], &["pip"]]
} else {
    &[&["python3", "-m", "pip"], &["python", "-m", "pip"], &["pip3"], &["pip"]]
};

/// The wheel with the library of one system.
struct PinnedWheel {
    /// Operating system and processor, as [`std::env::consts`] name them.
    system: (&'static str, &'static str),
    /// The name that `pip` has for the system.
    platform: &'static str,
    /// SHA-256 of the wheel, hexadecimal.
    sha256: &'static str,
    /// Path of the library in the wheel.
    member: &'static str,
    /// SHA-256 of the library, hexadecimal.
    library_sha256: &'static str,
}

/// The wheels for CPython 3.12.
static WHEELS: [PinnedWheel; 5] = [
    PinnedWheel {
        system: ("linux", "x86_64"),
        platform: "manylinux_2_27_x86_64",
        sha256: "0f9b4ae77f8e3c9bee50c27bc1beede83f786fe1d52e99ac85aa8d65a01e9b77",
        member: "onnxruntime/capi/libonnxruntime.so.1.23.2",
        library_sha256: "718c3fb0785d5ea06061b92c32ce4ad35be1bd4c71ae6192efe06f1ab21f0f8a",
    },
    PinnedWheel {
        system: ("linux", "aarch64"),
        platform: "manylinux_2_27_aarch64",
        sha256: "76ff670550dc23e58ea9bc53b5149b99a44e63b34b524f7b8547469aaa0dcb8c",
        member: "onnxruntime/capi/libonnxruntime.so.1.23.2",
        library_sha256: "ab8c4363e06ac80b3d1279ea55ebea44e906c5b131ba783ff684a067540c0e94",
    },
    PinnedWheel {
        system: ("macos", "aarch64"),
        platform: "macosx_13_0_arm64",
        sha256: "b8f029a6b98d3cf5be564d52802bb50a8489ab73409fa9db0bf583eabb7c2321",
        member: "onnxruntime/capi/libonnxruntime.1.23.2.dylib",
        library_sha256: "92500010659b052368797e30c1841956b0efd699a8061ef8b3b25f27449c86e7",
    },
    PinnedWheel {
        system: ("macos", "x86_64"),
        platform: "macosx_13_0_x86_64",
        sha256: "218295a8acae83905f6f1aed8cacb8e3eb3bd7513a13fe4ba3b2664a19fc4a6b",
        member: "onnxruntime/capi/libonnxruntime.1.23.2.dylib",
        library_sha256: "41e7960eccef34f60ca21d091d37bc97d0e70a0b4ce902babf5f795a76e1af74",
    },
    PinnedWheel {
        system: ("windows", "x86_64"),
        platform: "win_amd64",
        sha256: "25de5214923ce941a3523739d34a520aac30f21e631de53bba9174dc9c004435",
        member: "onnxruntime/capi/onnxruntime.dll",
        library_sha256: "462ea8e85b881b26388c595f96b1b9b39e57565aa4725fe29136695c1ead179f",
    },
];

/// The outcome of [`install`].
pub struct InstalledLibrary {
    /// The library.
    pub path: PathBuf,
    /// False if the pinned library was there already.
    pub fresh: bool,
}

/// Celaje's folder inside the user's cache folder, if the user has a home.
pub(super) fn cache_folder() -> Option<PathBuf> {
    let strategy = etcetera::choose_base_strategy().ok()?;
    Some(strategy.cache_dir().join("celaje"))
}

/// Installs the pinned ONNX Runtime from `from`, a wheel or a library on disk, or from the package
/// index. If it is there already, nothing is done without `force`. Blocks as long as the download
/// takes.
///
/// # Errors
/// If no library is pinned for this system, it cannot be fetched, the file is another one, or the
/// cache folder cannot be written.
pub fn install(from: Option<&Path>, force: bool) -> Result<InstalledLibrary> {
    // The wheels for Linux need glibc.
    let known = |wheel: &&PinnedWheel| {
        wheel.system == (OS, ARCH) && (OS != "linux" || cfg!(target_env = "gnu"))
    };
    let wheel = WHEELS.iter().find(known).ok_or_else(|| {
        Failure::environment(say!(
            "no ONNX Runtime is pinned for {OS} on {ARCH}; install one yourself and name it with \
             --ort-lib, or use --engine rten",
            "no hay un ONNX Runtime fijado para {OS} en {ARCH}; instale uno e indíquelo con \
             --ort-lib, o use --engine rten"
        ))
    })?;
    let cache = cache_folder().ok_or_else(|| {
        Failure::environment(say!(
            "the user has no home folder to keep ONNX Runtime in; set XDG_CACHE_HOME",
            "el usuario no tiene carpeta personal donde guardar ONNX Runtime; defina XDG_CACHE_HOME"
        ))
    })?;
    install_into(&cache, wheel, PIPS, from, force)
}

fn install_into(
    cache: &Path,
    wheel: &PinnedWheel,
    pips: &[&[&str]],
    from: Option<&Path>,
    force: bool,
) -> Result<InstalledLibrary> {
    let folder = cache.join(format!("onnxruntime-{VERSION}"));
    let path = folder.join(Path::new(wheel.member).file_name().unwrap_or_default());
    let is_pinned = |library: &[u8]| hex(&Sha256::digest(library)) == wheel.library_sha256;
    if !force && fs::read(&path).is_ok_and(|library| is_pinned(&library)) {
        return Ok(InstalledLibrary { path, fresh: false });
    }
    let mut downloads = None;
    let file = match from {
        Some(file) => file.to_owned(),
        None => {
            let folder = tempfile::tempdir().map_err(|e| unwritable(&std::env::temp_dir(), &e))?;
            download(pips, wheel, downloads.insert(folder).path())?
        }
    };
    let library = library_in(&file, wheel).map_err(|error| {
        let file = file.display();
        Failure::environment(say!(
            "{file} cannot be read: {error}",
            "no se puede leer {file}: {error}",
            error = io_text(&error),
        ))
    })?;
    if !is_pinned(&library) {
        let (file, platform) = (file.display(), wheel.platform);
        return Err(Failure::environment(say!(
            "{file} is not the pinned ONNX Runtime: nothing was installed; the wheel wanted is \
             onnxruntime {VERSION} for cp312 and {platform}, and any other library can be named \
             with --ort-lib",
            "{file} no es el ONNX Runtime fijado: no se instaló nada; el paquete esperado es \
             onnxruntime {VERSION} para cp312 y {platform}, y cualquier otra biblioteca se puede \
             indicar con --ort-lib"
        )));
    }
    place(&library, &path).map_err(|error| unwritable(&folder, &error))?;
    Ok(InstalledLibrary { path, fresh: true })
}

/// Downloads the wheel into `folder`, which is empty, and gives its path. Messages of `pip` go to
/// standard error.
fn download(pips: &[&[&str]], wheel: &PinnedWheel, folder: &Path) -> Result<PathBuf> {
    let platform = wheel.platform;
    let failed = |en: &str, es: &str| {
        Failure::environment(say!(
            "ONNX Runtime cannot be fetched: {en}; install or mend Python's pip, or use --from \
             FILE with the wheel of onnxruntime {VERSION} for cp312 and {platform}, or --ort-lib \
             with another ONNX Runtime, or --engine rten, which is slower",
            "no se puede obtener ONNX Runtime: {es}; instale o corrija pip de Python, o use --from \
             ARCHIVO con el paquete onnxruntime {VERSION} para cp312 y {platform}, o --ort-lib con \
             otro ONNX Runtime, o --engine rten, que es más lento"
        ))
    };
    let pip = |command: &[&str]| {
        let mut pip = Command::new(command.first().unwrap_or(&""));
        // Python looks for modules in the working folder first.
        pip.args(command.iter().skip(1)).current_dir(folder).stdin(Stdio::null());
        pip.stdout(Stdio::null());
        pip
    };
    let works = |command: &&&[&str]| {
        let asked = pip(command).arg("--version").stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    let command = pips.iter().find(works);
    let command = command
        .ok_or_else(|| failed("Python's pip was not found", "no se encontró pip de Python"))?;
    let wanted = folder.join("wanted.txt");
    let line = format!("onnxruntime=={VERSION} --hash=sha256:{}\n", wheel.sha256);
    fs::write(&wanted, line).map_err(|error| unwritable(folder, &error))?;
    let status = pip(command)
        .args(["download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"])
        .args(["--only-binary=:all:", "--implementation=cp", "--python-version=3.12"])
        .args(["--abi=cp312", "--platform", platform, "--require-hashes", "--requirement"])
        .arg(wanted)
        .args(["--dest", "."])
        .status();
    let shown = command.join(" ");
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => {
            let (en, es) =
                (format!("{shown} failed ({status})"), format!("{shown} falló ({status})"));
            return Err(failed(&en, &es));
        }
        Err(error) => {
            let Text { en, es } = say!("{shown}: {why}", "{shown}: {why}", why = io_text(&error));
            return Err(failed(&en, &es));
        }
    }
    let mut files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    files
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| failed("pip left no wheel", "pip no dejó ningún paquete"))
}

/// The library in a wheel, or the whole of a file that is not a zip archive.
fn library_in(file: &Path, wheel: &PinnedWheel) -> io::Result<Vec<u8>> {
    let mut library = Vec::new();
    match zip::ZipArchive::new(File::open(file)?) {
        Ok(mut archive) => {
            archive.by_name(wheel.member)?.take(MOST_BYTES).read_to_end(&mut library)?
        }
        Err(_) => File::open(file)?.take(MOST_BYTES).read_to_end(&mut library)?,
    };
    Ok(library)
}

/// Writes the library beside its place and moves it there in one step, so that two installations at
/// once or a power cut leave all of it or nothing.
fn place(library: &[u8], path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let workshop = tempfile::tempdir_in(folder)?;
    let part = workshop.path().join("part");
    let mut file = File::create(&part)?;
    file.write_all(library)?;
    file.sync_all()?;
    fs::rename(part, path)
}

fn unwritable(folder: &Path, error: &io::Error) -> Failure {
    let folder = folder.display();
    Failure::environment(say!(
        "ONNX Runtime cannot be put into {folder}: {error}; make room there or set XDG_CACHE_HOME \
         to another folder",
        "no se puede guardar ONNX Runtime en {folder}: {error}; haga lugar allí o defina \
         XDG_CACHE_HOME con otra carpeta",
        error = io_text(error),
    ))
}

#[cfg(test)]
#[path = "install_tests.rs"]
mod tests;
