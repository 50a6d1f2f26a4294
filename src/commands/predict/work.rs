//! One picture: read, decoded, run, drawn.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::commands::predict::line::{Answer, Seen, Trouble};
use crate::commands::predict::{MAX_BYTES, PredictOptions};
use crate::image::decode::{Decoded, decode};
use crate::image::overlay;
use crate::image::prepare::{Frame, prepare_decoded, sha256};
use crate::model::backend::{Backend, Engine};
use crate::model::manifest::Manifest;
use crate::model::reading::{Reading, if_sky, run_one};
use crate::pipeline::outcome::MissReason;
use crate::sky::verdict::Verdict;

/// What a thread owns.
pub(super) struct Worker<'a> {
    backend: Box<dyn Backend>,
    buffer: Vec<f32>,
    options: &'a PredictOptions,
    manifest: &'a Manifest,
    engine: &'a Arc<dyn Engine>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(
        backend: Box<dyn Backend>,
        options: &'a PredictOptions,
        manifest: &'a Manifest,
        engine: &'a Arc<dyn Engine>,
    ) -> Self {
        Self {
            backend,
            buffer: Vec::new(),
            options,
            manifest,
            engine,
        }
    }

    /// The answer for a picture; a panic on the way is one too.
    pub(super) fn answer(&mut self, path: PathBuf, overlay: Option<&Path>) -> Answer {
        let attempt = catch_unwind(AssertUnwindSafe(|| self.see(&path, overlay)));
        let result = attempt.unwrap_or_else(|_| {
            // Whatever state the session was left in, a new one has none of it.
            if let Ok(backend) = self.engine.open() {
                self.backend = backend;
            }
            let detail = "reading this picture made the program fail; please report it".to_owned();
            Err(Trouble {
                reason: MissReason::Poison,
                detail,
            })
        });
        Answer { path, result }
    }

    fn see(&mut self, path: &Path, overlay: Option<&Path>) -> Result<Seen, Trouble> {
        let bytes = read(path)?;
        let picture = decode(&bytes, &self.options.limits)
            .map_err(|error| trouble(error.reason(), &error))?;
        let sha256 = sha256(&bytes);
        drop(bytes);
        let frame = prepare_decoded(&picture, sha256, self.manifest, &self.options.region)
            .map_err(|error| trouble(error.reason(), &error))?;
        let reading = run_one(
            self.backend.as_mut(),
            self.manifest,
            &frame,
            &self.options.region,
            &mut self.buffer,
        )
        .map_err(|error| trouble(MissReason::Model, &error))?;
        let reading = if_sky(reading).map_err(|what| trouble(MissReason::Model, &what))?;
        // Where the network finds no sky there is nothing to mark.
        let overlay = overlay.filter(|_| reading.is_some());
        if let (Some(target), Some(reading)) = (overlay, &reading) {
            draw(&picture, &frame, reading, target)?;
        }
        Ok(Seen {
            verdict: Verdict::of(&frame.stats, reading.as_ref(), None),
            overlay: overlay.map(Path::to_owned),
        })
    }
}

fn trouble(reason: MissReason, error: &dyn std::fmt::Display) -> Trouble {
    Trouble {
        reason,
        detail: error.to_string(),
    }
}

/// The bytes of a file, of any size up to [`MAX_BYTES`].
fn read(path: &Path) -> Result<Vec<u8>, Trouble> {
    let unreadable = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => trouble(MissReason::NotFound, &error),
        _ => trouble(MissReason::Unreadable, &error),
    };
    let file = File::open(path).map_err(unreadable)?;
    // A pipe says no size, and a file may grow: one byte more than allowed tells.
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let mut bytes = Vec::new();
    if size <= MAX_BYTES {
        file.take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
    }
    if size > MAX_BYTES || bytes.len() as u64 > MAX_BYTES {
        let limit = MAX_BYTES / 1_000_000;
        return Err(trouble(
            MissReason::TooLarge,
            &format!("more than {limit} MB"),
        ));
    }
    Ok(bytes)
}

fn draw(picture: &Decoded, frame: &Frame, reading: &Reading, target: &Path) -> Result<(), Trouble> {
    let failed = |error: &dyn std::fmt::Display| {
        trouble(
            MissReason::Unreadable,
            &format!("{} cannot be written: {error}", target.display()),
        )
    };
    let Some(classes) = &reading.classes else {
        return Ok(());
    };
    let png = overlay::png(picture, classes, &frame.geometry).map_err(|error| failed(&error))?;
    std::fs::write(target, png).map_err(|error| failed(&error))
}
