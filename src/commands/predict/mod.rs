//! `celaje predict`: pictures from disk, one line each; no database, no network.
//!
//! Several threads read, decode and run the model, each with a session of its own; the lines come
//! out in the order of the input (`ordered`).

pub(super) mod args;
mod inputs;
mod line;
mod work;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{ErrorKind, Write};
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use crate::commands::ordered;
use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::say;
use celaje_sky::station::region::Region;
use celaje_vision::engine::backend::Engine;
use celaje_vision::model::manifest::{Kind, Manifest};
use celaje_vision::picture::decode::Limits;

pub(super) use inputs::Pictures;
pub use inputs::{FRAME_SUFFIX, OVERLAY_SUFFIX};
use line::{Answer, PictureReading};
pub(super) use work::{Judged, Trouble, Worker, read};

/// What `celaje predict` is asked to do.
#[derive(Clone, Debug)]
pub struct PredictOptions {
    /// Files and folders, in the order in which they are answered.
    pub inputs: Vec<PathBuf>,
    /// One JSON object a line instead of tab-separated text.
    pub json: bool,
    /// Folder for a PNG of each picture with the mask over it; it is made when it is missing.
    pub overlay: Option<PathBuf>,
    /// Folder for what the network is fed.
    pub frames: Option<PathBuf>,
    /// The part of the pictures that is judged.
    pub region: Region,
    /// Threads; 0 means one a core.
    pub threads: usize,
    /// What a single picture may cost.
    pub limits: Limits,
}

impl Default for PredictOptions {
    fn default() -> Self {
        Self {
            inputs: Vec::new(),
            json: false,
            overlay: None,
            frames: None,
            region: Region::whole(),
            threads: 0,
            limits: Limits::default(),
        }
    }
}

/// How many pictures were read, and how many could not be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PredictSummary {
    /// Lines with an okta.
    pub read: u64,
    /// Lines with an error.
    pub failed: u64,
}

impl PredictSummary {
    /// The exit status of the process: 1 when a picture could not be read.
    pub const fn exit_status(self) -> u8 {
        if self.failed > 0 { 1 } else { 0 }
    }
}

/// A picture to be read.
struct Job {
    path: PathBuf,
    overlay: Option<PathBuf>,
    frame: Option<PathBuf>,
}

/// Reads the pictures and writes a line about each to `out`.
///
/// A folder is walked in the order of its names, folders within it too (links to folders are not
/// followed), for files ending in jpg, jpeg or png; a file that is named is tried whatever its
/// name. When `out` is closed by its reader the run ends quietly.
///
/// # Errors
/// Before any line: an input that does not exist, inputs without any picture, an overlay that
/// cannot be made, an engine that does not take the model. Later only when `out` cannot be written.
/// A picture that yields nothing is a line.
pub fn run(
    options: &PredictOptions,
    manifest: &Manifest,
    engine: &Arc<dyn Engine>,
    out: &mut dyn Write,
) -> Result<PredictSummary> {
    check_inputs(&options.inputs)?;
    prepare_overlay(options.overlay.as_deref(), manifest)?;
    if let Some(folder) = &options.frames {
        make_folder(folder, "--frames")?;
    }
    let workers = workers(options.threads, &options.region, options.limits, manifest, engine)?;
    let mut names = Names::default();
    let jobs = Pictures::new(&options.inputs).map(|path| {
        let mut place = |folder: &Option<PathBuf>, suffix| {
            let folder = folder.as_ref()?;
            Some(folder.join(names.unique(&path, suffix)))
        };
        Job {
            overlay: place(&options.overlay, OVERLAY_SUFFIX),
            frame: place(&options.frames, FRAME_SUFFIX),
            path,
        }
    });
    let mut summary = PredictSummary::default();
    let end = ordered::run(
        workers,
        jobs,
        |worker, job| answer(worker, job),
        |answer| {
            match answer.is_reading() {
                true => summary.read += 1,
                false => summary.failed += 1,
            }
            let line = if options.json { answer.json() } else { answer.text() };
            match writeln!(out, "{line}") {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(error),
            }
        },
    );
    let written = match end {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => out.flush(),
    };
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(cannot_write(&error)),
        _ => Ok(summary),
    }
}

/// A worker with a session of its own for each of `threads` (0: one a core).
///
/// # Errors
/// When the engine does not take the model.
pub(super) fn workers<'a>(
    threads: usize,
    region: &'a Region,
    limits: Limits,
    manifest: &'a Manifest,
    engine: &'a Arc<dyn Engine>,
) -> Result<Vec<Worker<'a>>> {
    let threads = match threads {
        0 => thread::available_parallelism().map_or(1, NonZero::get),
        n => n,
    };
    (0..threads)
        .map(|_| {
            let backend = engine.open(1).map_err(|error| {
                let name = &manifest.name;
                Failure::environment(say!(
                    "the model {name} does not run on this engine: {error}; try another --engine \
                    or --model",
                    "el modelo {name} no funciona con este motor: {error}; pruebe con otro \
                    --engine u otro --model"
                ))
            })?;
            Ok(Worker::new(backend, region, limits, manifest, engine))
        })
        .collect()
}

/// Reads a picture, and draws it where that is wanted.
fn answer(worker: &mut Worker<'_>, job: Job) -> Answer {
    let Job { path, overlay, frame } = job;
    let result = worker.judge(&path, |judged| {
        if let Some(target) = &frame {
            work::write_frame(judged.frame, target)?;
        }
        // Where the network finds no sky there is nothing to mark.
        let overlay = overlay.clone().filter(|_| judged.reading.is_some());
        if let (Some(target), Some(reading)) = (&overlay, &judged.reading) {
            work::draw(&judged, reading, target)?;
        }
        Ok(PictureReading { verdict: judged.verdict, overlay, frame: frame.clone() })
    });
    Answer { path, result }
}

fn cannot_write(error: &std::io::Error) -> Failure {
    Failure::environment(say!(
        "the output cannot be written: {error}",
        "no se puede escribir la salida: {error}",
        error = io_text(error),
    ))
}

pub(super) fn check_inputs(inputs: &[PathBuf]) -> Result<()> {
    if inputs.is_empty() {
        return Err(Failure::usage(say!(
            "no picture is named; give files or folders",
            "no se indicó ninguna imagen; indique archivos o carpetas"
        )));
    }
    for input in inputs {
        if let Err(error) = std::fs::metadata(input) {
            let path = input.display();
            return Err(if error.kind() == ErrorKind::NotFound {
                Failure::usage(say!(
                    "there is no file or folder {path}; check the path",
                    "no existe el archivo o carpeta {path}; revise la ruta"
                ))
            } else {
                Failure::environment(say!(
                    "{path} cannot be read: {error}",
                    "no se puede leer {path}: {error}",
                    error = io_text(&error),
                ))
            });
        }
    }
    if Pictures::new(inputs).next().is_none() {
        let named: Vec<String> =
            inputs.iter().map(|path| format!("'{}'", path.display())).collect();
        let named = named.join(", ");
        return Err(Failure::usage(say!(
            "there is no picture in {named}; name a folder with files ending in jpg, jpeg or png, \
            or the files themselves",
            "no hay ninguna imagen en {named}; indique una carpeta con archivos jpg, jpeg o png, o \
            los archivos mismos"
        )));
    }
    Ok(())
}

fn prepare_overlay(folder: Option<&Path>, manifest: &Manifest) -> Result<()> {
    let Some(folder) = folder else { return Ok(()) };
    let name = &manifest.name;
    if manifest.kind == Kind::Classification {
        return Err(Failure::usage(say!(
            "--overlay needs a model that marks sky and cloud, and {name} judges pictures as a \
            whole; leave --overlay out",
            "--overlay necesita un modelo que marque cielo y nubes, y {name} juzga la imagen \
            entera; quite --overlay"
        )));
    }
    make_folder(folder, "--overlay")
}

fn make_folder(folder: &Path, flag: &str) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| {
        let path = folder.display();
        Failure::environment(say!(
            "the folder {path} for {flag} cannot be made: {error}",
            "no se puede crear la carpeta {path} para {flag}: {error}",
            error = io_text(&error),
        ))
    })
}

/// File names, each given once.
#[derive(Default)]
struct Names {
    /// Hashes of lower-case names: eight bytes a picture, and a rare needless number.
    taken: HashSet<u64>,
}

impl Names {
    /// A name from that of the picture, with a number when it is taken.
    fn unique(&mut self, picture: &Path, suffix: &str) -> String {
        let stem = picture.file_stem().map_or("picture".into(), |stem| stem.to_string_lossy());
        let mut number = 1;
        loop {
            let name = match number {
                1 => format!("{stem}{suffix}"),
                n => format!("{stem}-{n}{suffix}"),
            };
            let mut hasher = DefaultHasher::new();
            name.to_lowercase().hash(&mut hasher);
            if self.taken.insert(hasher.finish()) {
                return name;
            }
            number += 1;
        }
    }
}

#[cfg(test)]
mod tests;
