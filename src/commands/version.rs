//! `celaje --version`: the program, its commit, how it was installed, and the engines.

use std::path::{Path, PathBuf};

use crate::commands::output;
use crate::settings::{Layer, Settings};
use crate::version::VERSION;
use celaje_sky::error::Result;
use celaje_sky::say;
use celaje_sky::text::Text;
use celaje_vision::engine::library;
use celaje_vision::engine::rten::VERSION as RTEN;
use celaje_vision::engine::search::{Search, versions_of_python};

pub(super) fn run(config: Option<&Path>) -> Result<u8> {
    let named = Settings::read(Layer::default(), config).map(|settings| settings.ort_lib);
    output::prose(long(named))?;
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
    let program = std::env::current_exe().unwrap_or_default();
    let installed = installed_by(&program, in_container());
    let from = say!("installed by", "instalado con");
    format!("celaje {short}\nONNX Runtime: {library} [{cuda}]\nrten: {RTEN}\n{from}: {installed}")
}

/// Whether Docker or Podman run the program.
fn in_container() -> bool {
    ["/.dockerenv", "/run/.containerenv"].iter().any(|file| Path::new(file).exists())
}

/// How `program` came to this machine, judged by where it lies.
fn installed_by(program: &Path, container: bool) -> Text {
    let folder = program.parent().unwrap_or(program);
    let path = folder.display();
    if is_python_environment(folder) {
        say!("pip ({path})", "pip ({path})")
    } else if folder == Path::new("/usr/bin") {
        say!("a package of the system ({path})", "un paquete del sistema ({path})")
    } else if folder.ends_with(".cargo/bin") {
        say!("cargo ({path})", "cargo ({path})")
    } else if folder.parent().is_some_and(|target| target.join(".rustc_info.json").exists()) {
        say!("cargo build ({path})", "cargo build ({path})")
    } else if container {
        say!("a container image ({path})", "una imagen de contenedor ({path})")
    } else {
        say!("hand ({path})", "una copia a mano ({path})")
    }
}

/// Whether pip put `celaje` into the environment whose `bin` folder this is.
fn is_python_environment(bin: &Path) -> bool {
    let entries = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let lib = bin.parent().map(|prefix| prefix.join("lib")).unwrap_or_default();
    versions_of_python(&lib).into_iter().flat_map(entries).any(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with("celaje-") && name.ends_with(".dist-info")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_the_program_tells_how_it_was_installed() {
        let told = |program: &str| installed_by(Path::new(program), false).en;
        assert_eq!(told("/usr/bin/celaje"), "a package of the system (/usr/bin)");
        assert_eq!(told("/home/ana/.cargo/bin/celaje"), "cargo (/home/ana/.cargo/bin)");
        assert_eq!(told("/opt/celaje/celaje"), "hand (/opt/celaje)");
        let container = installed_by(Path::new("/usr/local/bin/celaje"), true).en;
        assert_eq!(container, "a container image (/usr/local/bin)");
        let target = tempfile::tempdir().unwrap();
        std::fs::write(target.path().join(".rustc_info.json"), "{}").unwrap();
        let built = target.path().join("release");
        // In a container, too, cargo is what made it.
        let told = installed_by(&built.join("celaje"), true).en;
        assert_eq!(told, format!("cargo build ({})", built.display()));
        // Debian's own Python has the second name.
        for folder in ["site-packages", "dist-packages"] {
            let prefix = tempfile::tempdir().unwrap();
            let bin = prefix.path().join("bin");
            let packages = prefix.path().join("lib/python3.11").join(folder);
            std::fs::create_dir_all(packages.join("celaje-0.1.0.dist-info")).unwrap();
            // In a container, too, pip is what put it there.
            let told = [false, true].map(|within| installed_by(&bin.join("celaje"), within).en);
            assert_eq!(told, [(); 2].map(|()| format!("pip ({})", bin.display())));
        }
    }
}
