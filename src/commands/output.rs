//! Output of the commands: results on stdout, the rest on stderr. A closed pipe is no error.

use std::ffi::OsString;
use std::fmt::Display;
use std::fs::File;
use std::io::{BufWriter, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::say;

/// Prints a line of results; an error when stdout cannot be written (a full disk).
pub fn line(text: impl Display) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Failure::environment(say!(
            "the output cannot be written: {e}",
            "no se puede escribir la salida: {e}",
            e = io_text(&e),
        ))),
        _ => Ok(()),
    }
}

/// Replaces a file atomically: writes a temporary file in the same folder and renames it.
pub fn replace_file(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut replacement = Replacement::of(path)?;
    replacement.write_all(bytes)?;
    replacement.finish()
}

/// A file that takes another's place once it is written whole; dropped before that it leaves
/// nothing.
pub struct Replacement<'a> {
    path: &'a Path,
    partial: PathBuf,
    file: BufWriter<File>,
}

impl<'a> Replacement<'a> {
    pub fn of(path: &'a Path) -> std::io::Result<Self> {
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}.tmp", std::process::id()));
        let partial = path.with_file_name(name);
        let file = File::create(&partial)?;
        // As private as the one before.
        if let Ok(before) = std::fs::metadata(path) {
            file.set_permissions(before.permissions())?;
        }
        Ok(Self { path, partial, file: BufWriter::new(file) })
    }

    pub fn finish(mut self) -> std::io::Result<()> {
        self.file.flush()?;
        std::fs::rename(&self.partial, self.path)
    }
}

impl Write for Replacement<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Replacement<'_> {
    fn drop(&mut self) {
        // It is gone where it has taken its place.
        let _ = std::fs::remove_file(&self.partial);
    }
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

/// Prints a line on stderr, on a terminal broken between words; failure to write is ignored.
pub fn note(text: impl Display) {
    let mut out = std::io::stderr().lock();
    let width = terminal_size::terminal_size_of(std::io::stderr());
    let text = text.to_string();
    let text = width.map_or(text.clone(), |(width, _)| wrapped(&text, width.0.into()));
    let _ = writeln!(out, "{text}");
}

/// Prints prose among the results; on a terminal it is broken between words.
pub fn prose(text: impl Display) -> Result<()> {
    let width = terminal_size::terminal_size_of(std::io::stdout());
    match width {
        Some((width, _)) => line(wrapped(&text.to_string(), width.0.into())),
        None => line(text),
    }
}

/// The text with no line longer than `width` characters, as far as there are blanks to break at. A
/// broken line goes on below its own first word.
fn wrapped(text: &str, width: usize) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            out.push('\n');
        }
        let indent = line.len() - line.trim_start_matches(' ').len();
        let mut used = 0;
        for (n, word) in line[indent..].split(' ').enumerate() {
            let length = word.chars().count();
            if n == 0 {
                out.push_str(&line[..indent]);
                used = indent;
            } else if used + 1 + length > width {
                out.push('\n');
                out.push_str(&line[..indent]);
                used = indent;
            } else {
                out.push(' ');
                used += 1;
            }
            out.push_str(word);
            used += length;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words() {
        for (text, width, broken) in [
            ("una nube sola", 20, "una nube sola"),
            ("una nube sola", 9, "una nube\nsola"),
            ("  año: una nube", 10, "  año: una\n  nube"),
            ("a  b", 80, "a  b"),
            ("http://camera.example/sky/ is long", 10, "http://camera.example/sky/\nis long"),
            ("one\n\ntwo three", 5, "one\n\ntwo\nthree"),
        ] {
            assert_eq!(wrapped(text, width), broken);
        }
    }

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
