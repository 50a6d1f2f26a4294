//! The interface of the running program: commands, states and events. The web turns them into HTTP.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::store::SharedDatabase;
use crate::store::reader::{LatestReading, MissItem, RunItem};
use celaje_sky::flow::FlowReport;
use celaje_sky::outcome::MissReason;
use celaje_sky::say;
use celaje_sky::slot::SlotRange;
use celaje_sky::text::Text;

/// The number of a backfill that was asked for; counts from 1 in a process.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(transparent)]
pub struct JobId(pub u64);

/// Why the program refuses a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It only shows a record.
    ReadOnly,
    /// It does not work for this station.
    UnknownStation(String),
    /// There is no such job, or it has ended.
    UnknownJob(JobId),
    /// As many jobs wait as may; the number.
    Full(usize),
    /// The range cannot be filled; why.
    BadRange(Text),
    /// It is about to end.
    Stopping,
}

impl Refused {
    /// The reason in a sentence.
    pub fn text(&self) -> Text {
        match self {
            Self::ReadOnly => say!(
                "this server only shows a record; \
                 start 'celaje serve' without --read-only to fill it",
                "este servidor solo muestra un registro; \
                 inicie 'celaje serve' sin --read-only para llenarlo"
            ),
            Self::UnknownStation(id) => say!(
                "this server does not work for the station '{id}'; /api/v1/stations lists them",
                "este servidor no trabaja para la estación '{id}'; /api/v1/stations las enumera"
            ),
            Self::UnknownJob(JobId(id)) => say!(
                "no backfill {id} waits or runs; GET /api/v1/backfills lists them",
                "ningún backfill {id} espera ni corre; GET /api/v1/backfills los enumera"
            ),
            Self::Full(most) => say!(
                "{most} backfills wait already; cancel one or try again when one has ended",
                "ya esperan {most} backfills; cancele uno o vuelva a intentar cuando alguno termine"
            ),
            Self::BadRange(text) => text.clone(),
            Self::Stopping => say!(
                "the program is about to end; try again when it runs again",
                "el programa está por terminar; vuelva a intentar cuando esté en marcha"
            ),
        }
    }
}

/// What is known of this machine's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockStanding {
    /// The camera's host, another machine, shows the same time.
    Confirmed,
    /// Nobody tells the time, or a host whose clock is a little off.
    Unknown,
    /// The host has not answered yet: an old reading is old, of others nobody knows.
    Unheard,
    /// It looks wrong, or differs much from the host's.
    InDoubt,
}

/// Commands to the running program, and its state. No call waits.
pub trait Operator: Send + Sync {
    /// Queues a range to be filled.
    fn start_backfill(&self, station: &str, range: SlotRange) -> Result<JobId, Refused>;

    /// Cancels a waiting job, or drains a running one.
    fn cancel(&self, job: JobId) -> Result<(), Refused>;

    fn state(&self) -> ProgramState;

    /// What is known of the clock at a station, whose camera's host may show a time that differs by
    /// `tolerated`.
    fn clock_standing(&self, station: &str, tolerated: TimeDelta) -> ClockStanding;

    /// Whether a station's camera is known to give no picture.
    fn camera_is_gone(&self, station: &str) -> bool {
        let stations = self.state().stations;
        stations.iter().any(|known| known.id == station && known.camera.up == Some(false))
    }

    /// The record to write labels and calibrations to. What is done with it waits for the program's
    /// own transactions.
    fn record(&self) -> Result<SharedDatabase, Refused>;

    /// Events from now on. Bounded: a slow receiver misses some.
    fn events(&self) -> broadcast::Receiver<Event>;
}

/// What the program is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It shows a record that others write.
    ReadOnly,
    /// It watches its cameras and writes the record.
    Daemon,
}

/// The state of the program.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "State")]
pub struct ProgramState {
    /// Version and commit.
    pub version: String,
    /// When the program was started.
    pub started_at: DateTime<Utc>,
    /// What it was started for.
    pub mode: Mode,
    /// What keeps it from its work, unless that is the database; null if nothing does.
    pub trouble: Option<String>,
    /// Inference engine, its version and device.
    pub engine: Option<String>,
    /// Name and version of the model.
    pub model: Option<String>,
    /// Name and version of the second model.
    pub shadow_model: Option<String>,
    /// The work of the second model.
    pub shadow: Option<ShadowState>,
    /// The stations that it watches.
    pub stations: Vec<StationState>,
    /// Backfills, of this process, that wait, run or ended lately; the oldest first.
    pub jobs: Vec<JobState>,
    /// The queue through which workers on other machines fill the past; null without one.
    pub queue: Option<QueueState>,
    /// Its actors.
    pub actors: Vec<ActorState>,
    /// What flowed through the pipeline since the program was started.
    pub flow: Option<FlowReport>,
    /// Pictures since the program was started, by what came of them: `new`, or the
    /// reason of a miss.
    pub pictures: BTreeMap<String, u64>,
    /// Whether the database that it writes is not in its place any more.
    #[serde(skip)]
    pub record_lost: bool,
    /// How often that happened since the program was started.
    #[serde(skip)]
    pub record_losses: u64,
}

/// The work of a second model, and its agreement with the first.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ShadowState {
    /// Name and version.
    pub model: String,
    /// Pictures that it judged since it was started.
    pub judged: u64,
    /// Pictures that it had no time for.
    pub skipped: u64,
    /// Pictures that it failed on.
    pub failed: u64,
    /// Its last error.
    pub last_error: Option<String>,
    /// Slots in which both models see the sky, of all times.
    pub compared: u64,
    /// The share of these with the same okta, 0 to 1.
    pub exact: Option<f64>,
    /// The share of these at most one okta apart.
    pub within_one: Option<f64>,
    /// Mean of shadow less record, oktas.
    pub bias: Option<f64>,
}

/// A station that the program watches.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct StationState {
    /// Its id.
    pub id: String,
    /// The next slot that is waited for, station local time.
    pub next_slot: Option<String>,
    /// When it will be asked for.
    pub next_tick: Option<DateTime<Utc>>,
    /// When a picture was last asked for.
    pub last_tick: Option<DateTime<Utc>>,
    /// Its camera.
    pub camera: CameraState,
}

/// The camera of a station, as its due slots found it since the program was started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CameraState {
    /// Where its pictures are.
    pub address: String,
    /// Whether it gives pictures: no slot went without one since it last did, or, where it keeps
    /// its latest picture alone, no new one is overdue; null before the first one.
    pub up: Option<bool>,
    /// Since when that is so.
    pub since: Option<DateTime<Utc>>,
    /// When it last gave a picture.
    pub last_success: Option<DateTime<Utc>>,
    /// When it last answered, with or without a picture.
    pub last_answer: Option<DateTime<Utc>>,
    /// Why it gives none: the reason of the last slot's miss.
    pub fault: Option<String>,
}

/// A camera that began or ceased to give pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CameraTurn {
    /// No picture came of a slot; when the last one came.
    Gone(Option<DateTime<Utc>>),
    /// A picture came again; since when there was none.
    Back(Option<DateTime<Utc>>),
}

impl CameraState {
    /// A picture came at `now`.
    pub fn gave(&mut self, now: DateTime<Utc>) -> Option<CameraTurn> {
        let turn = (self.up == Some(false)).then_some(CameraTurn::Back(self.since));
        if self.up != Some(true) {
            (self.up, self.since) = (Some(true), Some(now));
        }
        (self.last_success, self.last_answer, self.fault) = (Some(now), Some(now), None);
        turn
    }

    /// None came by `now`, for this reason; with `is_last` the slot will have none.
    pub fn failed(
        &mut self,
        reason: MissReason,
        is_last: bool,
        now: DateTime<Utc>,
    ) -> Option<CameraTurn> {
        if reason.is_answered() {
            self.last_answer = Some(now);
        }
        if !is_last {
            return None;
        }
        self.fault = Some(reason.as_str().to_owned());
        let turn = (self.up != Some(false)).then_some(CameraTurn::Gone(self.last_success));
        if turn.is_some() {
            (self.up, self.since) = (Some(false), Some(now));
        }
        turn
    }
}

/// The state of a backfill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// Waits for its turn.
    Queued,
    /// Runs.
    Running,
    /// Every slot has an outcome.
    Finished,
    /// Cancelled, or interrupted by the end of the program.
    Cancelled,
    /// It ended with an error.
    Failed,
}

/// A backfill.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Job")]
pub struct JobState {
    /// Its number.
    pub job: JobId,
    /// Its station.
    pub station: String,
    /// First minute, station local time.
    pub from: String,
    /// Last minute.
    pub to: String,
    /// Its state.
    pub status: JobStatus,
    /// Its run in the record, once it has one.
    pub run: Option<i64>,
    /// When it was asked for.
    pub asked_at: DateTime<Utc>,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Its progress.
    pub progress: JobProgress,
    /// Why it failed.
    pub error: Option<String>,
}

/// The progress of a backfill or run.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "Progress")]
pub struct JobProgress {
    /// Slots of the range that were due when it began.
    pub planned: u64,
    /// Slots of the range that were not due when it began.
    pub pending: u64,
    /// Observations written.
    pub new: u64,
    /// Slots that were stored already.
    pub duplicates: u64,
    /// Slots without an observation, by reason.
    pub missed: BTreeMap<String, u64>,
    /// Slots on the way now.
    pub in_flight: u64,
    /// Slots a second, lately; null until it is known.
    pub rate: Option<f64>,
    /// Seconds left at that rate.
    pub eta_s: Option<f64>,
}

/// The queue between the program and its workers.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Queue")]
pub struct QueueState {
    /// Its servers; no secrets.
    pub address: String,
    /// Whether it is reached.
    pub connected: bool,
    /// Since when that is so; null before it was first reached.
    pub since: Option<DateTime<Utc>>,
    /// Why the past is not filled; null if nothing keeps it from that.
    pub trouble: Option<String>,
    /// The workers that said within the last minute that they are there, by name.
    pub workers: Vec<WorkerState>,
    /// Outcomes of workers since the program was started, by what became of them.
    pub outcomes: OutcomeCounts,
    /// Slots that were given out again since then.
    pub given_again: u64,
}

/// A worker on another machine.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Worker")]
pub struct WorkerState {
    /// The name that it has for this run of it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Jobs that it has in hand.
    pub jobs: u64,
    /// Slots of which it has said something since it was started.
    pub slots: u64,
    /// Slots a second in the last minute; null until that is known.
    pub rate: Option<f64>,
    /// Seconds since it was last heard.
    pub silent_s: f64,
}

/// Outcomes of workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OutcomeCounts {
    /// Written.
    pub taken: u64,
    /// Of slots that were not asked for, or that the record had by then.
    pub repeated: u64,
    /// Of another version, station or model.
    pub refused: u64,
    /// Not possible.
    pub broken: u64,
}

/// An actor of the pipeline.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ActorState {
    /// Its name.
    pub name: String,
    /// How often it was restarted.
    pub restarts: u64,
    /// Its last error.
    pub last_error: Option<String>,
    /// When that happened.
    pub last_error_at: Option<DateTime<Utc>>,
    /// Slots that it works on now.
    pub working: u64,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A reading was stored; the id of its station, and the row.
    Observation(String, LatestReading),
    /// The shadow model has judged a reading that was sent before; its station, and the row.
    Judged(String, LatestReading),
    /// A slot was missed; the id of its station, and the row.
    Miss(String, MissItem),
    /// A run began, went on or ended.
    Run(RunItem),
    /// The state of the program changed.
    State,
    /// So many events were lost on their way.
    Missed(u64),
}
