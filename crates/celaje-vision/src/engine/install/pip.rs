//! Downloads a wheel with the `pip` of this machine, whatever its index and proxy are.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::engine::install::PinnedLibrary;
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;

/// How `pip` is run.
#[derive(Clone, Debug)]
pub struct Pip {
    /// Commands to try, program first; the first that exists and has `pip` is used.
    pub commands: Vec<Vec<String>>,
    /// A download that takes longer is ended.
    pub timeout: Duration,
}

impl Default for Pip {
    fn default() -> Self {
        let commands: &[&[&str]] = if cfg!(windows) {
            &[&["py", "-3", "-m", "pip"], &["python", "-m", "pip"], &["pip"]]
        } else {
            &[&["python3", "-m", "pip"], &["python", "-m", "pip"], &["pip3"], &["pip"]]
        };
        Self {
            commands: commands.iter().map(|c| c.iter().map(|&s| s.to_owned()).collect()).collect(),
            timeout: Duration::from_secs(10 * 60),
        }
    }
}

/// Lines of `pip`'s output that are shown when it fails, and characters of each.
const SHOWN_LINES: usize = 4;
const SHOWN_CHARACTERS: usize = 300;

enum Attempt {
    Done,
    /// The program does not exist or has no `pip`.
    Absent,
    /// It failed; the end of its output.
    Failed(String),
    TimedOut,
}

impl Pip {
    /// Downloads the pinned wheel into `folder`, an empty folder, and gives its path.
    ///
    /// # Errors
    /// When there is no `pip`, or it fails, or it takes too long: one sentence with the ways out.
    pub fn download(&self, pinned: &PinnedLibrary, folder: &Path) -> Result<PathBuf> {
        for command in &self.commands {
            let Some((program, arguments)) = command.split_first() else {
                continue;
            };
            tracing::debug!(?command, "fetching ONNX Runtime");
            let shown = command.join(" ");
            let attempt = self.attempt(program, arguments, pinned, folder).map_err(|error| {
                failed(&say!(
                    "{shown} cannot be run: {error}",
                    "no se puede ejecutar {shown}: {error}"
                ))
            })?;
            match attempt {
                Attempt::Absent => {}
                Attempt::Done => {
                    return wheel_in(folder, pinned).ok_or_else(|| {
                        failed(&say!("{shown} left no wheel", "{shown} no dejó ningún paquete"))
                    });
                }
                Attempt::Failed(output) => {
                    return Err(failed(&say!(
                        "{shown} failed: {output}",
                        "{shown} falló: {output}"
                    )));
                }
                Attempt::TimedOut => {
                    let seconds = self.timeout.as_secs();
                    return Err(failed(&say!(
                        "{shown} took longer than {seconds} s and was ended",
                        "{shown} tardó más de {seconds} s y fue detenido"
                    )));
                }
            }
        }
        Err(failed(&say!("Python's pip was not found", "no se encontró pip de Python")))
    }

    fn attempt(
        &self,
        program: &str,
        arguments: &[String],
        pinned: &PinnedLibrary,
        folder: &Path,
    ) -> io::Result<Attempt> {
        // Output goes to a file: a pipe that nobody reads would make pip wait for ever.
        let mut output = tempfile::tempfile()?;
        let child = Command::new(program)
            .args(arguments)
            .args(["download", "--quiet", "--no-input", "--disable-pip-version-check"])
            .args(["--no-deps", "--only-binary=:all:", "--implementation", "cp"])
            .args(["--python-version", "3.12", "--abi", "cp312"])
            .args(["--platform", pinned.platform, "--dest"])
            .arg(folder)
            .arg(format!("onnxruntime=={}", pinned.version))
            // Python looks for modules in the working folder first: not in the user's.
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?)
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Attempt::Absent),
            Err(error) => return Err(error),
        };
        let Some(status) = wait(&mut child, self.timeout)? else {
            return Ok(Attempt::TimedOut);
        };
        if status.success() {
            return Ok(Attempt::Done);
        }
        let output = tail(&mut output)?;
        // 127 is what a shell and a shim say of a command that does not exist.
        let absent = output.contains("No module named pip") || status.code() == Some(127);
        Ok(if absent { Attempt::Absent } else { Attempt::Failed(last_lines(&output)) })
    }
}

/// Waits for the child; ends it when the time is over (`None`).
fn wait(child: &mut Child, timeout: Duration) -> io::Result<Option<ExitStatus>> {
    let end = Instant::now() + timeout;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The last part of the output.
fn tail(output: &mut File) -> io::Result<String> {
    use io::{Read, Seek, SeekFrom};
    const BYTES: u64 = 16 * 1024;
    let length = output.seek(SeekFrom::End(0))?;
    output.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
    let mut bytes = Vec::new();
    output.take(BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What is shown of the output: its last lines, without credentials.
fn last_lines(output: &str) -> String {
    let lines: Vec<&str> = output.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..]
        .iter()
        .map(|line| mask(line).chars().take(SHOWN_CHARACTERS).collect::<String>())
        .collect::<Vec<_>>()
        .join(" / ")
}

/// Hides user, password and query of every address in a line.
fn mask(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let is_end = |c: char| c.is_whitespace() || "\"'<>(){}[],;".contains(c);
        let (address, next) = after.split_at(after.find(is_end).unwrap_or(after.len()));
        // A password may hold any sign that its writer forgot to escape: hide up to the last @.
        let address = match address.rsplit_once('@') {
            Some((_, host)) => {
                out.push_str("***@");
                host
            }
            None => address,
        };
        match address.split_once('?') {
            Some((path, _)) => {
                out.push_str(path);
                out.push_str("?***");
            }
            None => out.push_str(address),
        }
        rest = next;
    }
    out.push_str(rest);
    out
}

/// The wheel in `folder`: the one with the pinned name, else whatever came (its hash tells).
fn wheel_in(folder: &Path, pinned: &PinnedLibrary) -> Option<PathBuf> {
    let exact = folder.join(pinned.wheel);
    if exact.is_file() {
        return Some(exact);
    }
    let entries = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    entries.into_iter().find(|path| path.extension().is_some_and(|e| e == "whl"))
}

fn failed(what: &celaje_sky::text::Text) -> Failure {
    let celaje_sky::text::Text { en, es } = what;
    Failure::environment(say!(
        "ONNX Runtime cannot be fetched: {en}; install or mend Python's pip, or use --from FILE \
        with the wheel on disk, or --ort-lib with another ONNX Runtime, or --engine rten, which is \
        slower",
        "no se puede obtener ONNX Runtime: {es}; instale o corrija pip de Python, o use --from \
        ARCHIVO con el paquete en disco, o --ort-lib con otro ONNX Runtime, o --engine rten, que \
        es más lento"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_hidden() {
        for (line, wanted) in [
            (
                "Looking in indexes: https://me:secret@host/simple",
                "Looking in indexes: https://***@host/simple",
            ),
            ("a http://u:p/w@x@host b https://t@h/ c", "a http://***@host b https://***@h/ c"),
            ("('https://host/f.whl?token=abc', 3)", "('https://host/f.whl?***', 3)"),
            ("no address @ all", "no address @ all"),
            ("ends with ://", "ends with ://"),
        ] {
            assert_eq!(mask(line), wanted);
        }
    }

    #[test]
    fn only_the_last_lines_are_shown() {
        let output: String = (0..50).map(|i| format!("line {i}\n\n")).collect();
        assert_eq!(last_lines(&output), "line 46 / line 47 / line 48 / line 49");
        assert_eq!(last_lines(""), "");
    }
}
