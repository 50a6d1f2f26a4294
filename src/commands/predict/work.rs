//! One picture: read, decoded, run, drawn.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use crate::commands::replacement::replace_file;
use celaje_sky::error::io_text;
use celaje_sky::outcome::MissReason;
use celaje_sky::say;
use celaje_sky::station::region::Region;
use celaje_vision::engine::backend::{Backend, Engine};
use celaje_vision::model::manifest::Manifest;
use celaje_vision::picture::decode::{Limits, decode};
use celaje_vision::picture::prepare::{Frame, prepare};
use celaje_vision::reading::overlay;
use celaje_vision::reading::{Reading, if_sky, run_one};
use celaje_vision::verdict::Verdict;

/// A picture that was judged.
pub(in crate::commands) struct Judged<'a> {
    /// The picture's file.
    bytes: &'a [u8],
    limits: &'a Limits,
    pub(in crate::commands) frame: &'a Frame,
    /// With its class map, from a segmentation; none where the network finds no sky.
    pub(in crate::commands) reading: Option<Reading>,
    pub(in crate::commands) verdict: Verdict,
}

/// Why a picture was not.
#[derive(Debug)]
pub(in crate::commands) struct Trouble {
    pub(in crate::commands) reason: MissReason,
    pub(in crate::commands) detail: String,
}

/// What a thread owns.
pub(in crate::commands) struct Worker<'a> {
    backend: Box<dyn Backend>,
    buffer: Vec<f32>,
    region: &'a Region,
    limits: Limits,
    manifest: &'a Manifest,
    engine: &'a Arc<dyn Engine>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(
        backend: Box<dyn Backend>,
        region: &'a Region,
        limits: Limits,
        manifest: &'a Manifest,
        engine: &'a Arc<dyn Engine>,
    ) -> Self {
        Self { backend, buffer: Vec::new(), region, limits, manifest, engine }
    }

    /// What `then` makes of a picture once it is judged; a panic on the way is a trouble too.
    pub(in crate::commands) fn judge<T>(
        &mut self,
        path: &Path,
        then: impl FnOnce(Judged<'_>) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let attempt = catch_unwind(AssertUnwindSafe(|| self.see(path, then)));
        attempt.unwrap_or_else(|_| {
            // Whatever state the session was left in, a new one has none of it.
            if let Ok(backend) = self.engine.open(1) {
                self.backend = backend;
            }
            Err(trouble(
                MissReason::Poison,
                &say!(
                    "reading this picture made the program fail; please report it",
                    "leer esta imagen hizo fallar el programa; por favor repórtelo"
                ),
            ))
        })
    }

    fn see<T>(
        &mut self,
        path: &Path,
        then: impl FnOnce(Judged<'_>) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let bytes = read(path, &self.limits)?;
        let frame = prepare(&bytes, self.manifest, self.region, &self.limits)
            .map_err(|error| trouble(error.reason(), &error.text()))?;
        let reading =
            run_one(self.backend.as_mut(), self.manifest, &frame, self.region, &mut self.buffer)
                .map_err(|error| trouble(MissReason::Model, &error))?;
        let reading = if_sky(reading).map_err(|what| trouble(MissReason::Model, &what))?;
        let verdict = Verdict::of(&frame.stats, reading.as_ref(), None);
        let (bytes, limits) = (bytes.as_slice(), &self.limits);
        then(Judged { bytes, limits, frame: &frame, reading, verdict })
    }
}

fn trouble(reason: MissReason, error: &dyn std::fmt::Display) -> Trouble {
    Trouble { reason, detail: error.to_string() }
}

/// The bytes of a file, if they are no more than `limits` allow.
pub(in crate::commands) fn read(path: &Path, limits: &Limits) -> Result<Vec<u8>, Trouble> {
    let unreadable = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => trouble(MissReason::NotFound, &io_text(&error)),
        _ => trouble(MissReason::Unreadable, &io_text(&error)),
    };
    let most = limits.max_bytes as u64;
    let file = File::open(path).map_err(unreadable)?;
    // A pipe has no size and a file may grow: the byte beyond the limit tells.
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let mut bytes = Vec::new();
    if size <= most {
        file.take(most + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    }
    if size > most || bytes.len() as u64 > most {
        let text = say!(
            "more than the {most} bytes allowed (--max-bytes)",
            "más que los {most} bytes permitidos (--max-bytes)"
        );
        return Err(trouble(MissReason::TooLarge, &text));
    }
    Ok(bytes)
}

fn unwritten(target: &Path, error: &dyn std::fmt::Display) -> Trouble {
    let shown = target.display();
    let text = say!("{shown} cannot be written: {error}", "no se puede escribir {shown}: {error}");
    trouble(MissReason::Unreadable, &text)
}

/// Writes what the network is fed as a PNG.
pub(super) fn write_frame(frame: &Frame, target: &Path) -> Result<(), Trouble> {
    let failed = |error: &dyn std::fmt::Display| unwritten(target, error);
    let (width, height) = frame.geometry.input;
    let png = overlay::encode(width, height, &frame.pixels).map_err(|error| failed(&error))?;
    replace_file(target, &png).map_err(|error| failed(&io_text(&error)))
}

/// Writes the picture with its classes over it as a PNG; of a classification there is none.
pub(super) fn draw(judged: &Judged<'_>, reading: &Reading, target: &Path) -> Result<(), Trouble> {
    let failed = |error: &dyn std::fmt::Display| unwritten(target, error);
    let Some(classes) = &reading.classes else {
        return Ok(());
    };
    let picture = decode(judged.bytes, judged.limits).map_err(|error| failed(&error))?;
    let png =
        overlay::png(&picture, classes, &judged.frame.geometry).map_err(|error| failed(&error))?;
    replace_file(target, &png).map_err(|error| failed(&io_text(&error)))
}
