//! Films by ffmpeg, where it is installed.

use std::ffi::OsString;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::thread::JoinHandle;

use crate::figures::film::{FilmFault, FilmForm};

/// What ffmpeg says is told to this length.
const TOLD: usize = 400;

/// Whether ffmpeg is installed; once it is, it stays.
pub fn is_there() -> bool {
    static FOUND: OnceLock<()> = OnceLock::new();
    if FOUND.get().is_some() {
        return true;
    }
    let mut command = Command::new("ffmpeg");
    command.arg("-version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let found = command.status().is_ok_and(|status| status.success());
    if found {
        let _ = FOUND.set(());
    }
    found
}

/// ffmpeg at work on the pictures that it is fed. It ends when this is dropped.
pub(super) struct Ffmpeg {
    child: Child,
    pictures: Option<BufWriter<ChildStdin>>,
    /// Reads what it says, so that it never waits for a reader.
    said: Option<JoinHandle<String>>,
}

impl Ffmpeg {
    /// Has it write a film of `rate` pictures a second to `path`.
    pub(super) fn start(form: FilmForm, rate: u32, path: &Path) -> Result<Self, FilmFault> {
        let coding: &[&str] = match form {
            FilmForm::WebM => &["-c:v", "libvpx-vp9", "-crf", "34", "-b:v", "0", "-f", "webm"],
            FilmForm::WebP => &["-c:v", "libwebp", "-quality", "70", "-loop", "0", "-f", "webp"],
            _ => &["-c:v", "libx264", "-crf", "24", "-movflags", "+faststart", "-f", "mp4"],
        };
        // A name that begins with a dash, or looks like an address, is a file all the same.
        let mut file = OsString::from("file:");
        file.push(path);
        let rate = rate.to_string();
        let mut command = Command::new("ffmpeg");
        command
            .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-threads", "1", "-y"])
            .args(["-f", "image2pipe", "-c:v", "mjpeg", "-framerate", &rate, "-i", "pipe:0"])
            .args(["-an", "-pix_fmt", "yuv420p", "-threads", "1"])
            .args(coding)
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| match error.kind() {
            ErrorKind::NotFound => FilmFault::NoFfmpeg,
            _ => FilmFault::File(error),
        })?;
        let pictures = child.stdin.take().map(BufWriter::new);
        let said = child.stderr.take().map(|mut stderr| {
            std::thread::spawn(move || {
                let mut text = Vec::new();
                let _ = std::io::copy(&mut stderr, &mut Bounded(&mut text));
                String::from_utf8_lossy(&text).trim().replace('\n', "; ")
            })
        });
        Ok(Self { child, pictures, said })
    }

    pub(super) fn add(&mut self, jpeg: &[u8]) -> Result<(), FilmFault> {
        match &mut self.pictures {
            Some(pictures) => Ok(pictures.write_all(jpeg)?),
            None => Ok(()),
        }
    }

    /// Waits for the film; `fed` is what became of the pictures.
    pub(super) fn finish(mut self, fed: Result<usize, FilmFault>) -> Result<usize, FilmFault> {
        let flushed = self.pictures.take().map(|mut pictures| pictures.flush());
        let status = self.child.wait()?;
        let said = self.said.take().and_then(|said| said.join().ok()).unwrap_or_default();
        if !status.success() {
            let why = if said.is_empty() { status.to_string() } else { said };
            return Err(FilmFault::Ffmpeg(why));
        }
        flushed.transpose()?;
        fed
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        // It has ended by itself where it was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Takes the first bytes, and drops the rest.
struct Bounded<'a>(&'a mut Vec<u8>);

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let room = TOLD.saturating_sub(self.0.len()).min(bytes.len());
        self.0.extend_from_slice(&bytes[..room]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
