//! Output of the commands: results on stdout, the rest on stderr. A closed pipe is no error.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};

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
}
