//! Makes a worker ready for a writer: its model, its pictures, its actors.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::camera::Source;
use crate::clock::Clock;
use crate::queue::OpenLine;
use crate::queue::messages::{WorkMarks, WorkerQuestion, WriterWelcome};
use crate::service::RunPolicy;
use crate::service::inference::Arrangement;
use crate::service::request::{picture_folder, station_source};
use crate::service::wiring::Setup;
use crate::service::worker::pipeline::WorkerPipeline;
use crate::service::worker::{JobWorker, MOST_RUNS};
use crate::settings::Settings;
use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::say;
use celaje_sky::station::{PicturePlace, Station};
use celaje_sky::text::Text;
use celaje_vision::engine::backend::Engine;
use celaje_vision::engine::choose;
use celaje_vision::model::source::Model;

/// Models of writers that a worker keeps.
const MOST_MODELS: usize = 8;

/// Why a worker cannot work for a writer.
enum Unfit {
    /// It cannot work for this one: its line is left alone.
    Line(Failure),
    /// It cannot at present.
    Now(Failure),
    /// It cannot work at all.
    Worker(Failure),
}

impl<N: Fn(&Text)> JobWorker<N> {
    /// Makes ready to work for the writer of a line; false when this worker cannot.
    pub(super) async fn begin(&mut self, line: &OpenLine, welcome: WriterWelcome) -> Result<bool> {
        let at = self.at.as_ref().filter(|(name, _)| *name == line.name);
        if at.is_some_and(|(_, at)| at.marks == welcome.marks) && self.runs.contains(&welcome.run) {
            return Ok(true);
        }
        if self.left_alone.get(&line.name) == Some(&welcome) {
            return Ok(false);
        }
        let unfit = match self.make_ready(line, &welcome).await {
            Ok(pipeline) => {
                self.runs = [welcome.run].into();
                self.at = Some((line.name.clone(), pipeline));
                return Ok(true);
            }
            Err(unfit) => unfit,
        };
        // No job is taken of a line before this worker is ready for it.
        if let Some((_, pipeline)) = self.at.take_if(|(name, _)| *name == line.name) {
            pipeline.end();
        }
        match unfit {
            Unfit::Worker(failure) => return Err(failure),
            Unfit::Now(failure) => self.tell_once(&failure.text),
            Unfit::Line(failure) => {
                self.tell_once(&failure.text);
                if self.left_alone.len() >= MOST_RUNS {
                    self.left_alone.clear();
                }
                self.left_alone.insert(line.name.clone(), welcome);
            }
        }
        Ok(false)
    }

    async fn make_ready(
        &mut self,
        line: &OpenLine,
        welcome: &WriterWelcome,
    ) -> Result<WorkerPipeline, Unfit> {
        let version = crate::version::VERSION;
        if welcome.marks.version != version {
            let (id, theirs) = (&line.station, &welcome.marks.version);
            return Err(Unfit::Line(Failure::environment(say!(
                "the writer of station '{id}' is Celaje {theirs}, this worker {version}: they \
                 understand each other only where they are the same, so its jobs are left alone; \
                 install one version on all machines",
                "el escritor de la estación '{id}' es Celaje {theirs}, este trabajador {version}: \
                 solo se entienden si son iguales, así que sus tareas se dejan; instale una misma \
                 versión en todas las máquinas"
            ))));
        }
        let Some(mut station) = self.station(&welcome.marks.station).cloned() else {
            return Err(Unfit::Line(differs(&welcome.marks.station)));
        };
        let folder = welcome.folder.as_ref();
        let folder = folder.map(|theirs| self.setup.folder.as_ref().unwrap_or(theirs).clone());
        // Named as the station's are.
        if let (Some(folder), Some(source)) = (&folder, &mut station.source) {
            source.place = PicturePlace::Folder(folder.clone());
            source.is_archive = true;
        }
        let model = self.model(line, &welcome.marks.model).await?;
        let marks = WorkMarks::of(&station, &model);
        if marks != welcome.marks {
            return Err(Unfit::Line(differs(&station.id)));
        }
        // Two of them need the memory of two.
        if let Some((_, pipeline)) = self.at.take() {
            pipeline.end();
        }
        let settings = self.setup.settings.clone();
        let parts =
            in_background(move || WorkerParts::of(settings, station, model, folder)).await?;
        parts.notices.iter().for_each(&self.notice);
        WorkerPipeline::start(parts.setup, marks).map_err(Unfit::Worker)
    }

    /// The model with this hash: this worker's, one inside the program, or the writer's own.
    async fn model(&mut self, line: &OpenLine, sha256: &str) -> Result<Arc<Model>, Unfit> {
        let mut fetched = self.models.iter().map(|(model, _)| model);
        if let Some(model) = fetched.find(|model| model.sha256 == sha256) {
            return Ok(Arc::clone(model));
        }
        let (own, wanted) = (self.setup.settings.model.clone(), sha256.to_owned());
        let known = in_background(move || {
            let own = Model::resolve(own.as_deref()).map_err(Unfit::Worker)?;
            let inside = Model::BUNDLED_NAMES.iter();
            let inside = inside.filter_map(|name| Model::resolve(Some(Path::new(name))).ok());
            Ok(std::iter::once(own).chain(inside).find(|model| model.sha256 == wanted))
        });
        if let Some(model) = known.await? {
            return Ok(Arc::new(model));
        }
        let queue = &self.setup.queue;
        let network = queue.file(&line.name, WorkerQuestion::Model).await.map_err(Unfit::Now)?;
        let manifest = queue.file(&line.name, WorkerQuestion::Manifest).await;
        let manifest = manifest.map_err(Unfit::Now)?;
        let kept = in_background(move || keep(&network, &manifest)).await?;
        if kept.0.sha256 != sha256 {
            return Err(Unfit::Now(Failure::environment(say!(
                "what the writer gave is not its model; trying again; or give this worker the \
                 model with --model",
                "lo que entregó el escritor no es su modelo; se intenta otra vez; o dele el modelo \
                 a este trabajador con --model"
            ))));
        }
        let model = Arc::clone(&kept.0);
        if self.models.len() >= MOST_MODELS {
            self.models.clear();
        }
        self.models.push(kept);
        Ok(model)
    }
}

fn differs(id: &str) -> Failure {
    Failure::usage(say!(
        "station '{id}' or the manifest of its model is not described here as on the writer's \
         machine, so its jobs are left alone; copy its celaje.toml and its model's manifest",
        "la estación '{id}' o el manifiesto de su modelo no se describen aquí como en la máquina \
         del escritor, así que sus tareas se dejan; copie su celaje.toml y el manifiesto de su \
         modelo"
    ))
}

/// Does what reads files on another thread: the jobs in hand are told of meanwhile.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Unfit> + Send + 'static,
) -> Result<T, Unfit> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(Unfit::Worker(Failure::environment(say!(
            "this worker could not be made ready: {error}",
            "no se pudo preparar este trabajador: {error}"
        ))))
    })
}

/// Keeps the model of a writer in a folder of temporary files.
fn keep(network: &[u8], manifest: &[u8]) -> Result<(Arc<Model>, tempfile::TempDir), Unfit> {
    let unwritten = |error: std::io::Error| {
        Unfit::Worker(Failure::environment(say!(
            "the writer's model cannot be kept in the folder of temporary files: {error}",
            "no se puede guardar el modelo del escritor en la carpeta de archivos temporales: \
             {error}",
            error = io_text(&error),
        )))
    };
    let folder = tempfile::tempdir().map_err(unwritten)?;
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, network).map_err(unwritten)?;
    if !manifest.is_empty() {
        std::fs::write(path.with_extension("toml"), manifest).map_err(unwritten)?;
    }
    let model = Model::open(&path).map_err(Unfit::Line)?;
    Ok((Arc::new(model), folder))
}

/// What the actors are made of.
struct WorkerParts {
    setup: Setup<()>,
    notices: Vec<Text>,
}

impl WorkerParts {
    /// With the pictures of a `folder`, if the writer names one; else of the station's source.
    fn of(
        mut settings: Settings,
        station: Station,
        model: Arc<Model>,
        folder: Option<PathBuf>,
    ) -> Result<Self, Unfit> {
        let station = Arc::new(station);
        let source = match folder {
            Some(folder) if station.source.is_none() => picture_folder(&folder).map(Source::Folder),
            _ => station_source(&station),
        };
        let source = source.map_err(Unfit::Line)?;
        let library = settings.ort_lib.as_deref();
        let chosen = choose::engine(settings.engine, settings.device, library, &model);
        let (engine, notices): (Arc<dyn Engine>, Vec<Text>) = chosen.map_err(Unfit::Worker)?;
        Arrangement::settle(&mut settings, engine.as_ref());
        let setup = Setup {
            station,
            source,
            model,
            engine,
            database: (),
            tuning: settings.tuning,
            // A worker sees a part of a year: of a picture that is missing in one place it says
            // nothing before it has looked in the other one.
            policy: RunPolicy { retry_missed: true, reprocess: false },
            shadow: None,
            kept: None,
            flow: Arc::default(),
            clock: Clock::SYSTEM,
        };
        Ok(Self { setup, notices })
    }
}
