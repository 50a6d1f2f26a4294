//! A worker: the pipeline without a record. It takes jobs from the queue and says what came of each
//! slot.

mod pipeline;
mod ready;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::draining::Draining;
use crate::queue::messages::{JobOutcomes, WorkMarks, WorkerNote, WriterWelcome};
use crate::queue::registry::BEAT;
use crate::queue::{JobInHand, OpenLine, Queue};
use crate::settings::Settings;
use crate::version::VERSION;
use celaje_sky::error::Result;
use celaje_sky::outcome::Outcome;
use celaje_sky::say;
use celaje_sky::slot::Slot;
use celaje_sky::station::Station;
use celaje_sky::text::Text;
use celaje_vision::model::source::Model;

use pipeline::WorkerPipeline;

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

/// Runs that a worker remembers: it asks the writer again about others. Lines that it leaves alone
/// and sentences that it has said, likewise.
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
    /// Lines that it cannot work for, and what their writers said.
    left_alone: HashMap<String, WriterWelcome>,
    /// When it last told all writers that it is there.
    noted: Option<Instant>,
    /// What was told: once is enough.
    told: HashSet<String>,
    /// Models from writers, and where they lie.
    models: Vec<(Arc<Model>, tempfile::TempDir)>,
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
            left_alone: HashMap::new(),
            noted: None,
            told: HashSet::new(),
            models: Vec::new(),
        }
    }

    /// Works until it is to end. A job that it has is finished as far as it has begun.
    ///
    /// # Errors
    /// When it cannot work at all.
    pub async fn work(&mut self) -> Result<WorkerReport> {
        let mut last = String::new();
        while !self.setup.drain.is_on() {
            if let Some(denied) = self.setup.queue.denied() {
                return Err(denied);
            }
            let mut lines = self.setup.queue.lines().await.unwrap_or_else(|error| {
                tracing::debug!(%error, "no lines");
                Vec::new()
            });
            self.say_that_it_is_there(&lines).await;
            lines.retain(|line| line.has_jobs);
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

    /// Tells the writers of the queue that it is there, unless it did so a moment ago.
    async fn say_that_it_is_there(&mut self, lines: &[OpenLine]) {
        if self.noted.is_some_and(|noted| Clock::since(noted) < BEAT) {
            return;
        }
        self.noted = Some(Clock::instant());
        for line in lines.iter().take(MOST_RUNS) {
            self.setup.queue.note(&line.name, self.note_of(0)).await;
        }
    }

    fn note_of(&self, jobs: usize) -> WorkerNote {
        WorkerNote {
            name: self.setup.name.clone(),
            version: VERSION.to_owned(),
            jobs: jobs as u64,
            slots: self.report.read + self.report.missed,
        }
    }

    /// Does jobs of a line; false when there were none.
    async fn work_at(&mut self, line: &OpenLine) -> Result<bool> {
        if self.station(&line.station).is_none() {
            let id = &line.station;
            self.tell_once(&say!(
                "station '{id}' has jobs, but this worker's celaje.toml does not name it",
                "la estación '{id}' tiene tareas, pero el celaje.toml de este trabajador no la \
                 nombra"
            ));
            return Ok(false);
        }
        // Before a job is taken: without the writer one would not know what it asks for.
        let is_new = self.at.as_ref().is_none_or(|(name, _)| *name != line.name);
        if is_new && !self.welcomed(line).await? {
            return Ok(false);
        }
        let jobs = self.take(line).await;
        // Another run may ask for another folder, or for what has come into it since.
        if jobs.iter().any(|job| !self.runs.contains(&job.job.run)) {
            if !while_at(&jobs, self.welcomed(line)).await? {
                give_back(&jobs).await;
                return Ok(false);
            }
            self.runs.extend(jobs.iter().take(MOST_JOBS).map(|job| job.job.run.clone()));
            if self.runs.len() > MOST_RUNS {
                self.runs.clear();
            }
        }
        let Some((_, pipeline)) = &self.at else { return Ok(false) };
        let marks = pipeline.marks.clone();
        let (jobs, others): (Vec<_>, Vec<_>) =
            jobs.into_iter().partition(|job| job.job.marks == marks);
        if !others.is_empty() && !self.other_marks(line, &others).await? {
            give_back(&jobs).await;
            return Ok(false);
        }
        if jobs.is_empty() {
            return Ok(!others.is_empty());
        }
        self.do_jobs(line, jobs).await.map(|()| true)
    }

    /// Takes jobs of a line.
    async fn take(&self, line: &OpenLine) -> Vec<JobInHand> {
        let mut jobs: Vec<JobInHand> = Vec::new();
        while jobs.iter().map(|job| job.job.slots.len()).sum::<usize>() < ENOUGH
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
        jobs
    }

    /// Asks the writer what it works at, and makes ready for it; false when it is not there, or
    /// this worker cannot work for it.
    async fn welcomed(&mut self, line: &OpenLine) -> Result<bool> {
        match self.setup.queue.welcome(&line.name).await {
            Some(welcome) => self.begin(line, welcome).await,
            None => Ok(false),
        }
    }

    /// Jobs that were given out for other settings: of a writer that is gone, if the present one
    /// does not work at them.
    async fn other_marks(&mut self, line: &OpenLine, jobs: &[JobInHand]) -> Result<bool> {
        let Some(welcome) = self.setup.queue.welcome(&line.name).await else {
            give_back(jobs).await;
            return Ok(true);
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

    /// Tells a person, unless it was told before.
    fn tell_once(&mut self, text: &Text) {
        if self.told.len() >= MOST_RUNS {
            self.told.clear();
        }
        if self.told.insert(text.en.clone()) {
            (self.notice)(text);
        }
    }

    fn station(&self, id: &str) -> Option<&Station> {
        let settings = &self.setup.settings;
        std::iter::once(&settings.station).chain(&settings.stations).find(|known| known.id == id)
    }

    /// Does jobs and hands over what came of them.
    async fn do_jobs(&mut self, line: &OpenLine, jobs: Vec<JobInHand>) -> Result<()> {
        let Some((_, pipeline)) = &self.at else { return Ok(()) };
        let mut slots: Vec<Slot> =
            jobs.iter().flat_map(|job| job.job.slots.iter().copied()).collect();
        slots.sort_unstable();
        slots.dedup();
        let run = pipeline.run(&slots, &self.setup.drain);
        let noting = noting(&self.setup.queue, &line.name, self.note_of(jobs.len()));
        let run = async {
            tokio::select! {
                end = run => end,
                never = noting => match never {},
            }
        };
        let end = while_at(&jobs, run).await?;
        let outcomes = pipeline.collected.take();
        if let Some(failure) = end.failure {
            give_back(&jobs).await;
            return Err(failure);
        }
        let marks = pipeline.marks.clone();
        for (n, job) in jobs.iter().enumerate() {
            let told = told_of(job, &outcomes, &marks, &self.setup.name);
            match while_at(&jobs[n..], self.hand_over(line, job, &told)).await {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(denied) => {
                    give_back(&jobs[n..]).await;
                    return Err(denied);
                }
            }
            job.done().await;
            self.report.jobs += 1;
            for outcome in &told.outcomes {
                match outcome {
                    Outcome::Observed(_) => self.report.read += 1,
                    Outcome::Missed(_) => self.report.missed += 1,
                }
            }
        }
        Ok(())
    }

    /// Puts outcomes into the queue, for as long as it takes; false when this worker is to end
    /// before the queue has them.
    async fn hand_over(
        &self,
        line: &OpenLine,
        job: &JobInHand,
        told: &JobOutcomes,
    ) -> Result<bool> {
        let (mut until, mut is_first) = (None, true);
        loop {
            match self.setup.queue.tell(&line.name, job, told).await {
                Ok(()) => return Ok(true),
                Err(error) if is_first => {
                    is_first = false;
                    tracing::warn!(%error, "the queue does not take outcomes; trying on");
                }
                Err(error) => tracing::debug!(%error, "the queue does not take outcomes"),
            }
            if let Some(denied) = self.setup.queue.denied() {
                return Err(denied);
            }
            if self.setup.drain.is_on() {
                let until = *until.get_or_insert(Clock::instant() + LAST_TRIES);
                if Clock::instant() >= until {
                    return Ok(false);
                }
            }
            tokio::time::sleep(REST).await;
        }
    }
}

/// Tells the writer of a line again and again that a worker is there.
async fn noting(queue: &Queue, line: &str, note: WorkerNote) -> Infallible {
    loop {
        queue.note(line, note.clone()).await;
        tokio::time::sleep(BEAT).await;
    }
}

async fn give_back(jobs: &[JobInHand]) {
    for job in jobs {
        job.give_back().await;
    }
}

/// What came of a job.
fn told_of(
    job: &JobInHand,
    outcomes: &HashMap<Slot, Outcome>,
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
        // Two jobs may ask for one slot.
        match outcomes.get(slot) {
            Some(outcome) => told.outcomes.push(outcome.clone()),
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
