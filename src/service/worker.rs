//! A worker: the pipeline without a record. It takes jobs from the queue and says what came of each
//! slot.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::{oneshot, watch};

use crate::actors::collect::{Collect, Collected};
use crate::actors::fetch::FetchShared;
use crate::actors::guard::Oversight;
use crate::actors::health::{ActorHealth, Part};
use crate::actors::pool::Executor;
use crate::actors::scheduler::{Drain, Fail, RunEnd, Scheduler, StartRun};
use crate::actors::watchdog::{HangHandler, Patience, Watchdog};
use crate::actors::work::hang_failure;
use crate::camera::Source;
use crate::camera::gate::Gate;
use crate::clock::Clock;
use crate::draining::Draining;
use crate::queue::messages::{JobOutcomes, WorkMarks, WorkerQuestion, WriterWelcome};
use crate::queue::{JobInHand, OpenLine, Queue};
use crate::service::inference::Arrangement;
use crate::service::request::{picture_folder, station_source};
use crate::service::supervision::Supervision;
use crate::service::wiring::{Setup, Wiring, clients, fetch_shared, watched};
use crate::service::{FOLDER_READS, RunPolicy};
use crate::settings::Settings;
use celaje_sky::error::{Failure, Result};
use celaje_sky::outcome::Outcome;
use celaje_sky::plan::Plan;
use celaje_sky::run::Run;
use celaje_sky::say;
use celaje_sky::slot::{Slot, SlotRange};
use celaje_sky::station::{PicturePlace, Station};
use celaje_sky::text::Text;
use celaje_vision::engine::choose;
use celaje_vision::model::source::Model;

/// Slots that are enough to take at once, where several jobs may be taken.
const ENOUGH: usize = 512;
/// Jobs that are taken at once at most.
const MOST_JOBS: usize = 8;
/// Rest when no line has a job, or the queue does not answer.
const REST: Duration = Duration::from_millis(300);
/// How long a worker that was told to end tries to hand over what it has done.
const LAST_TRIES: Duration = Duration::from_secs(20);

/// What a worker is started with.
pub struct WorkerSetup {
    /// The stations that it knows, its model and sizes.
    pub settings: Settings,
    /// Where the pictures of folders are on this machine, where that is not where the writer says.
    pub folder: Option<PathBuf>,
    /// Where jobs come from.
    pub queue: Queue,
    /// Who it is, for the writer.
    pub name: String,
    /// Begins when it is to end.
    pub drain: Draining,
}

/// What a worker has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerReport {
    /// Jobs.
    pub jobs: u64,
    /// Pictures that were read.
    pub read: u64,
    /// Slots without one.
    pub missed: u64,
}

/// Runs that a worker remembers: it asks the writer again about others.
const MOST_RUNS: usize = 100;

/// A worker at work.
pub struct JobWorker<N> {
    setup: WorkerSetup,
    /// Told what a person should know.
    notice: N,
    report: WorkerReport,
    /// What it works at; another station's takes its place.
    at: Option<(String, WorkerPipeline)>,
    /// The run for which it was made ready, and those before it whose jobs were left.
    runs: BTreeSet<String>,
    /// Stations that it does not know, each of them told once.
    unknown: HashSet<String>,
    /// Models from writers.
    models: Vec<Arc<Model>>,
    /// Where they lie.
    fetched: Option<tempfile::TempDir>,
}

impl<N: Fn(&Text)> JobWorker<N> {
    /// A worker that has nothing to do yet.
    pub fn new(setup: WorkerSetup, notice: N) -> Self {
        Self {
            setup,
            notice,
            report: WorkerReport::default(),
            at: None,
            runs: BTreeSet::new(),
            unknown: HashSet::new(),
            models: Vec::new(),
            fetched: None,
        }
    }

    /// Works until it is to end. A job that it has is finished as far as it has begun.
    ///
    /// # Errors
    /// When it cannot work for the writer, or cannot work at all.
    pub async fn work(&mut self) -> Result<WorkerReport> {
        let mut last = String::new();
        while !self.setup.drain.is_on() {
            let mut lines = self.setup.queue.open_lines().await.unwrap_or_else(|error| {
                tracing::debug!(%error, "no lines");
                Vec::new()
            });
            // Each in its turn.
            lines.sort_by(|a, b| a.name.cmp(&b.name));
            let next = lines.partition_point(|line| line.name <= last);
            if next < lines.len() {
                lines.rotate_left(next);
            }
            let mut worked = false;
            for line in lines {
                if self.setup.drain.is_on() || worked {
                    break;
                }
                last.clone_from(&line.name);
                worked = self.work_at(&line).await?;
            }
            if !worked {
                let drain = self.setup.drain.clone();
                let _ = tokio::time::timeout(REST, drain.begun()).await;
            }
        }
        if let Some((_, pipeline)) = self.at.take() {
            pipeline.end();
        }
        Ok(self.report)
    }

    /// Does jobs of a line; false when there were none.
    async fn work_at(&mut self, line: &OpenLine) -> Result<bool> {
        if self.station(&line.station).is_none() {
            if self.unknown.insert(line.station.clone()) {
                let id = &line.station;
                (self.notice)(&say!(
                    "station '{id}' has jobs, but this worker's celaje.toml does not name it",
                    "la estación '{id}' tiene tareas, pero el celaje.toml de este trabajador no \
                     la nombra"
                ));
            }
            return Ok(false);
        }
        // Before a job is taken: without the writer one would not know what it asks for.
        if self.at.as_ref().is_none_or(|(name, _)| *name != line.name) {
            let Some(welcome) = self.setup.queue.welcome(&line.name).await else {
                return Ok(false);
            };
            self.begin(line, welcome).await?;
        }
        let mut jobs = Vec::new();
        while jobs.iter().map(|job: &JobInHand| job.job.slots.len()).sum::<usize>() < ENOUGH
            && jobs.len() < MOST_JOBS
        {
            // Only the first one is waited for.
            let most = if jobs.is_empty() { 1 } else { MOST_JOBS - jobs.len() };
            match self.setup.queue.take(&line.name, most, jobs.is_empty()).await {
                Ok(taken) if taken.is_empty() => break,
                Ok(taken) => jobs.extend(taken),
                Err(error) => {
                    tracing::debug!(%error, "no jobs");
                    break;
                }
            }
        }
        // Another run may ask for another folder, or for what has come into it since.
        if jobs.iter().any(|job| !self.runs.contains(&job.job.run)) {
            let Some(welcome) = self.setup.queue.welcome(&line.name).await else {
                for job in &jobs {
                    job.give_back().await;
                }
                return Ok(false);
            };
            self.begin(line, welcome).await?;
            self.runs.extend(jobs.iter().take(MOST_JOBS).map(|job| job.job.run.clone()));
            if self.runs.len() > MOST_RUNS {
                self.runs.clear();
            }
        }
        let Some((_, pipeline)) = &self.at else { return Ok(false) };
        let marks = pipeline.marks.clone();
        let (jobs, others): (Vec<_>, Vec<_>) =
            jobs.into_iter().partition(|job| job.job.marks == marks);
        if !others.is_empty() {
            self.other_marks(line, &others).await?;
        }
        if jobs.is_empty() {
            return Ok(!others.is_empty());
        }
        self.do_jobs(line, jobs).await.map(|()| true)
    }

    /// Jobs that were given out for other settings: of a writer that is gone, if the present one
    /// does not work at them.
    async fn other_marks(&mut self, line: &OpenLine, jobs: &[JobInHand]) -> Result<()> {
        let Some(welcome) = self.setup.queue.welcome(&line.name).await else {
            for job in jobs {
                job.give_back().await;
            }
            return Ok(());
        };
        for job in jobs {
            if job.job.marks == welcome.marks {
                job.give_back().await;
            } else {
                job.done().await;
            }
        }
        self.begin(line, welcome).await
    }

    fn station(&self, id: &str) -> Option<&Station> {
        let settings = &self.setup.settings;
        std::iter::once(&settings.station).chain(&settings.stations).find(|known| known.id == id)
    }

    /// Makes ready to work for a writer.
    async fn begin(&mut self, line: &OpenLine, welcome: WriterWelcome) -> Result<()> {
        if self
            .at
            .as_ref()
            .is_some_and(|(name, at)| *name == line.name && at.marks == welcome.marks)
            && self.runs.contains(&welcome.run)
        {
            return Ok(());
        }
        self.runs = BTreeSet::from([welcome.run.clone()]);
        if let Some((_, pipeline)) = self.at.take() {
            pipeline.end();
        }
        let version = crate::version::VERSION;
        if welcome.marks.version != version {
            let theirs = &welcome.marks.version;
            return Err(Failure::environment(say!(
                "the writer is Celaje {theirs}, this worker {version}: they understand each other \
                 only where they are the same; install one version on all machines",
                "el escritor es Celaje {theirs}, este trabajador {version}: solo se entienden si \
                 son iguales; instale una misma versión en todas las máquinas"
            )));
        }
        let Some(station) = self.station(&welcome.marks.station).cloned() else { return Ok(()) };
        let model = self.model(line, &welcome.marks.model).await?;
        let marks = WorkMarks::of(&station, &model);
        if marks != welcome.marks {
            let id = &station.id;
            return Err(Failure::usage(say!(
                "station '{id}' or the manifest of its model is not described here as on the \
                 writer's machine; copy its celaje.toml and its model's manifest",
                "la estación '{id}' o el manifiesto de su modelo no se describen aquí como en la \
                 máquina del escritor; copie su celaje.toml y el manifiesto de su modelo"
            )));
        }
        let pipeline = self.start(station, model, marks, welcome.folder)?;
        self.at = Some((line.name.clone(), pipeline));
        Ok(())
    }

    /// The model with this hash: this worker's, one inside the program, or the writer's own.
    async fn model(&mut self, line: &OpenLine, sha256: &str) -> Result<Arc<Model>> {
        let own = Model::resolve(self.setup.settings.model.as_deref())?;
        let inside = Model::BUNDLED_NAMES.iter().map(|name| Model::resolve(Some(name.as_ref())));
        let known = inside.filter_map(Result::ok).map(Arc::new).chain(self.models.iter().cloned());
        let found = std::iter::once(Arc::new(own)).chain(known).find(|one| one.sha256 == sha256);
        if let Some(model) = found {
            return Ok(model);
        }
        let queue = &self.setup.queue;
        let network = queue.file(&line.name, WorkerQuestion::Model).await?;
        let manifest = queue.file(&line.name, WorkerQuestion::Manifest).await?;
        let unwritten = |error: std::io::Error| {
            Failure::environment(say!(
                "the writer's model cannot be kept in the folder of temporary files: {error}",
                "no se puede guardar el modelo del escritor en la carpeta de archivos temporales: \
                 {error}"
            ))
        };
        let folder = tempfile::tempdir().map_err(unwritten)?;
        let path = folder.path().join("model.onnx");
        std::fs::write(&path, network).map_err(unwritten)?;
        if !manifest.is_empty() {
            std::fs::write(path.with_extension("toml"), manifest).map_err(unwritten)?;
        }
        let model = Arc::new(Model::open(&path)?);
        if model.sha256 != sha256 {
            return Err(Failure::environment(say!(
                "what the writer gave is not its model; start this worker again, or give it the \
                 model with --model",
                "lo que entregó el escritor no es su modelo; vuelva a iniciar este trabajador, o \
                 dele el modelo con --model"
            )));
        }
        self.fetched = Some(folder);
        self.models.push(Arc::clone(&model));
        Ok(model)
    }

    fn start(
        &self,
        mut station: Station,
        model: Arc<Model>,
        marks: WorkMarks,
        writers: Option<PathBuf>,
    ) -> Result<WorkerPipeline> {
        let mut settings = self.setup.settings.clone();
        let folder = writers.map(|folder| self.setup.folder.clone().unwrap_or(folder));
        let files = match (folder, &mut station.source) {
            (None, _) => None,
            (Some(folder), None) => Some(picture_folder(&folder)?),
            (Some(folder), Some(source)) => {
                source.place = PicturePlace::Folder(folder);
                source.is_archive = true;
                None
            }
        };
        let station = Arc::new(station);
        let source = match files {
            Some(files) => Source::Folder(files),
            None => station_source(&station)?,
        };
        let library = settings.ort_lib.as_deref();
        let (engine, notices) = choose::engine(settings.engine, settings.device, library, &model)?;
        notices.iter().for_each(&self.notice);
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
        WorkerPipeline::start(setup, marks)
    }

    /// Does jobs and hands over what came of them.
    async fn do_jobs(&mut self, line: &OpenLine, jobs: Vec<JobInHand>) -> Result<()> {
        let Some((_, pipeline)) = &self.at else { return Ok(()) };
        let mut slots: Vec<Slot> =
            jobs.iter().flat_map(|job| job.job.slots.iter().copied()).collect();
        slots.sort_unstable();
        slots.dedup();
        let run = pipeline.run(&slots, &self.setup.drain);
        let end = while_at(&jobs, run).await?;
        let mut outcomes = pipeline.collected.take();
        if let Some(failure) = end.failure {
            for job in &jobs {
                job.give_back().await;
            }
            return Err(failure);
        }
        let marks = pipeline.marks.clone();
        for job in &jobs {
            let told = told_of(job, &mut outcomes, &marks, &self.setup.name);
            for outcome in &told.outcomes {
                match outcome {
                    Outcome::Observed(_) => self.report.read += 1,
                    Outcome::Missed(_) => self.report.missed += 1,
                }
            }
            if !while_at(&jobs, self.hand_over(line, &told)).await {
                return Ok(());
            }
            job.done().await;
            self.report.jobs += 1;
        }
        Ok(())
    }

    /// Puts outcomes into the queue, for as long as it takes; false when this worker is to end
    /// before the queue has them.
    async fn hand_over(&self, line: &OpenLine, told: &JobOutcomes) -> bool {
        let mut until = None;
        loop {
            match self.setup.queue.tell(&line.name, told).await {
                Ok(()) => return true,
                Err(error) => tracing::warn!(%error, "the queue does not take outcomes; trying on"),
            }
            if self.setup.drain.is_on() {
                let until = *until.get_or_insert(Clock::instant() + LAST_TRIES);
                if Clock::instant() >= until {
                    return false;
                }
            }
            tokio::time::sleep(REST).await;
        }
    }
}

/// What came of a job.
fn told_of(
    job: &JobInHand,
    outcomes: &mut HashMap<Slot, Outcome>,
    marks: &WorkMarks,
    worker: &str,
) -> JobOutcomes {
    let mut told = JobOutcomes {
        marks: marks.clone(),
        worker: worker.to_owned(),
        outcomes: Vec::new(),
        left: Vec::new(),
    };
    for slot in &job.job.slots {
        match outcomes.remove(slot) {
            Some(outcome) => told.outcomes.push(outcome),
            None => told.left.push(*slot),
        }
    }
    told
}

/// Does `work`, and meanwhile says of the jobs that they are worked at.
async fn while_at<T>(jobs: &[JobInHand], work: impl Future<Output = T>) -> T {
    let every = jobs.first().map_or(REST, JobInHand::every);
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tick.reset();
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = tick.tick() => for job in jobs {
                job.goes_on().await;
            },
        }
    }
}

/// The actors of a worker.
struct WorkerPipeline {
    marks: WorkMarks,
    scheduler: Addr<Scheduler>,
    collected: Collected,
    fetch: Arc<FetchShared>,
    station: Arc<Station>,
    credits: usize,
    arbiters: Vec<Arbiter>,
    _watchdog: Watchdog,
}

impl WorkerPipeline {
    fn start(setup: Setup<()>, marks: WorkMarks) -> Result<Self> {
        let supervision = Supervision::of_program();
        let drain = Draining::default();
        let gate = Arc::new(match setup.source.base() {
            Some(_) => setup.tuning.gate(),
            None => Gate::of(setup.tuning.concurrency.min(FOLDER_READS)),
        });
        let fetch = fetch_shared(&setup, Vec::new(), Arc::clone(&gate), drain.clone());
        let clients = clients(&setup, &gate, &drain, &supervision)?;
        let oversight = Oversight {
            health: Arc::new(ActorHealth::new(supervision.budget, setup.clock)),
            ..Oversight::default()
        };
        let (station, credits) = (Arc::clone(&setup.station), setup.tuning.credits());
        let collected = Collected::default();
        let outcomes = Collect(collected.clone()).start();
        let (parts, started) = std::sync::mpsc::channel();
        let (overseen, shared) = (oversight.clone(), Arc::clone(&fetch));
        // The closure runs at once, on this thread; inside it the scheduler's address is known.
        let scheduler = Supervisor::start(move |ctx: &mut Context<Scheduler>| {
            let wiring = Wiring {
                scheduler: &ctx.address(),
                oversight: &overseen,
                executor: &Executor::Threads,
                flow: Arc::clone(&setup.flow),
            };
            let (commits, lessons) = (outcomes.clone().recipient(), outcomes.recipient());
            let reading = wiring.start_reading(&setup, commits.clone(), lessons, &shared, clients);
            let _ = parts.send(reading.arbiters);
            let (tuning, window) = (setup.tuning.clone(), gate);
            let (progress, _) = watch::channel(Default::default());
            Scheduler::new(reading.fetchers, commits, progress, drain)
                .with_doubts(move || shared.settle())
                .with_capacity(move || tuning.credits_with(window.size()))
                .with_flow(setup.flow)
                .with_guard(overseen.guard(Part::Scheduler))
        });
        let alarmed = scheduler.downgrade();
        oversight.health.on_alarm(move |failure| {
            if let Some(scheduler) = alarmed.upgrade() {
                scheduler.do_send(Fail(failure));
            }
        });
        let arbiters: Vec<Arbiter> = started.try_recv().unwrap_or_default();
        let patience = Patience::default();
        let last_resort = supervision.last_resort;
        let handler = HangHandler {
            hung: Box::new(move |work| {
                tracing::error!("{}", hang_failure(&work, patience.limit));
            }),
            // The queue gives its job to another worker.
            last_resort: Box::new(move || last_resort()),
        };
        let watchdog = Watchdog::start(oversight, watched(&arbiters), patience, handler);
        let _watchdog = watchdog.map_err(|error| {
            Failure::environment(say!(
                "the system gives no thread: {error}",
                "el sistema no da un hilo: {error}"
            ))
        })?;
        Ok(Self { marks, scheduler, collected, fetch, station, credits, arbiters, _watchdog })
    }

    /// Makes an outcome of each of the `slots`, which ascend, until the worker is to end.
    async fn run(&self, slots: &[Slot], drain: &Draining) -> Result<RunEnd> {
        let gone = || {
            Failure::environment(say!(
                "the scheduler ended unexpectedly; see the log and start this worker again",
                "el planificador terminó de forma inesperada; vea el registro y vuelva a iniciar \
                 este trabajador"
            ))
        };
        let locals: Arc<[_]> = slots.iter().map(|slot| slot.local()).collect();
        let (Some(first), Some(last)) = (locals.first(), locals.last()) else {
            return Err(gone());
        };
        let range = SlotRange::new(*first, *last).map_err(|_| gone())?;
        self.collected.take();
        self.fetch.begin(Vec::new());
        let slots = range.slots(&self.station.minutes, self.station.zone).among(locals);
        let planned = slots.clone().count() as u64;
        let run = Run::new(Plan::new(slots, Vec::new(), Vec::new()), planned, self.credits);
        let (done, ended) = oneshot::channel();
        self.scheduler.do_send(StartRun { run, done });
        let mut ended = std::pin::pin!(ended);
        let end = tokio::select! {
            end = &mut ended => end,
            () = drain.begun() => {
                self.scheduler.do_send(Drain);
                ended.await
            }
        };
        self.fetch.close();
        end.map_err(|_| gone())
    }

    fn end(self) {
        drop(self.scheduler);
        for arbiter in self.arbiters {
            arbiter.stop();
        }
    }
}
