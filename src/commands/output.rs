//! Output of the commands: results on stdout, the rest on stderr. A closed pipe is no error.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;

use celaje_sky::error::{Failure, Result};
use celaje_sky::say;

/// Prints a line of results; an error when stdout cannot be written (a full disk).
pub fn line(text: impl Display) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Failure::environment(say!(
            "the output cannot be written: {e}",
            "no se puede escribir la salida: {e}"
        ))),
        _ => Ok(()),
    }
}

/// Replaces a file atomically: writes a temporary file in the same folder and renames it.
pub fn replace_file(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    let partial = path.with_file_name(name);
    let written = write_as(&partial, path, bytes).and_then(|()| std::fs::rename(&partial, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    written
}

/// Writes a file that is as private as the one it takes the place of.
fn write_as(partial: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::File::create(partial)?;
    if let Ok(before) = std::fs::metadata(path) {
        file.set_permissions(before.permissions())?;
    }
    file.write_all(bytes)
}

/// Prints progress on stderr, if that is a terminal.
pub fn progress(text: impl Display) {
    if std::io::stderr().is_terminal() {
        note(text);
    }
}

/// Prints model and engine on stderr, if that is a terminal: `auto` leaves the engine open.
pub fn tell_engine(model: &str, engine: &str) {
    if std::io::stderr().is_terminal() {
        note(say!("model {model} on {engine}", "modelo {model} en {engine}"));
    }
}

/// Prints a line on stderr; failure to write is ignored.
pub fn note(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_or_stays() {
        let folder = tempfile::tempdir().unwrap();
        let names = || {
            let entries = std::fs::read_dir(folder.path()).unwrap();
            entries.map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>()
        };
        let path = folder.path().join("a.png");
        for bytes in [&b"first"[..], b"2"] {
            replace_file(&path, bytes).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
            assert_eq!(names(), ["a.png"]);
        }
        // What cannot be replaced stays, and nothing is left beside it.
        let taken = folder.path().join("taken");
        std::fs::create_dir(&taken).unwrap();
        assert!(replace_file(&taken, b"3").is_err());
        assert!(taken.is_dir());
        assert_eq!(names().len(), 2);
    }
}
