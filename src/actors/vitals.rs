//! How the actors are: restarts, last errors, what they are at.
//!
//! Shared by all actors of a pipeline, by the watchdog that looks for one that hangs, and by whoever
//! shows this to people.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use crate::actors::failpoint::Failpoints;
use crate::clock;
use celaje_sky::error::Failure;
use celaje_sky::restarts::{RestartBudget, Restarts, Verdict};
use celaje_sky::say;
use celaje_sky::slot::Slot;
use celaje_sky::text::Text;

/// An actor, or a pool of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Gives out credits, keeps the ledger.
    Scheduler,
    /// Asks the camera.
    Fetch,
    /// Makes frames of pictures.
    Decode,
    /// Queues frames for their batches.
    Inference,
    /// Runs the network.
    Session,
    /// Gathers outcomes.
    Gather,
    /// Writes the record.
    Store,
}

impl Part {
    /// All of them, in the order in which a slot comes to them.
    pub const ALL: [Self; 7] = [
        Self::Scheduler,
        Self::Fetch,
        Self::Decode,
        Self::Inference,
        Self::Session,
        Self::Gather,
        Self::Store,
    ];

    /// The name under which it is logged and reported.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Fetch => "fetch",
            Self::Decode => "decode",
            Self::Inference => "inference",
            Self::Session => "session",
            Self::Gather => "gather",
            Self::Store => "store",
        }
    }

    /// Its name for people.
    pub fn name(self) -> Text {
        match self {
            Self::Scheduler => say!("scheduler", "planificador"),
            Self::Fetch => say!("fetch", "descarga"),
            Self::Decode => say!("decode", "decodificación"),
            Self::Inference => say!("inference", "inferencia"),
            Self::Session => say!("session", "sesión"),
            Self::Gather => say!("gather", "reunión"),
            Self::Store => say!("store", "almacén"),
        }
    }
}

/// How one actor is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorReport {
    /// Which one.
    pub actor: Part,
    /// How often it failed and was restarted.
    pub restarts: u64,
    /// How often it was found to hang.
    pub hangs: u64,
    /// Messages that it is at now.
    pub working: usize,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_at: Option<DateTime<Utc>>,
}

/// A piece of work that an actor is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// Whose.
    pub part: Part,
    /// For which slots; none for what is no slot's.
    pub slots: Vec<Slot>,
    /// Whether it is but a question for a sign of life.
    pub ping: bool,
}

impl Work {
    /// Work of `part` that is no slot's.
    pub const fn of(part: Part) -> Self {
        Self {
            part,
            slots: Vec::new(),
            ping: false,
        }
    }
}

#[derive(Debug)]
struct State {
    restarts: u64,
    hangs: u64,
    lately: Restarts,
    last_error: Option<(DateTime<Utc>, String)>,
    /// What it still has to rest after its last failure.
    rest: Duration,
}

type Alarm = Box<dyn Fn(Failure) + Send + Sync>;

/// What is said of `work` that has gone on for `limit`.
pub fn hangs(work: &Work, limit: Duration) -> Failure {
    let (name, seconds) = (work.part.as_str(), limit.as_secs());
    let slots: Vec<String> = work.slots.iter().map(Slot::to_string).collect();
    let slots = slots.join(" ");
    let (of, de) = match slots.as_str() {
        "" => (String::new(), String::new()),
        slots => (format!(" (slot {slots})"), format!(" (turno {slots})")),
    };
    Failure::environment(say!(
        "the actor '{name}' hangs: it has been at one message for {seconds} s{of}; the run was ended, what is stored is safe: see the log and run the same command again",
        "el actor '{name}' está colgado: lleva {seconds} s con un mensaje{de}; la corrida se terminó, lo guardado está a salvo: vea el registro y repita la orden"
    ))
}

/// See the module.
pub struct Vitals {
    states: BTreeMap<Part, Mutex<State>>,
    work: Mutex<HashMap<u64, Work>>,
    numbers: AtomicU64,
    alarm: Mutex<Option<Alarm>>,
    failpoints: Failpoints,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Vitals {
    fn default() -> Self {
        Self::new(RestartBudget::default())
    }
}

impl Vitals {
    /// Actors that have not failed yet, and what is borne of each.
    pub fn new(budget: RestartBudget) -> Self {
        let fresh = || State {
            restarts: 0,
            hangs: 0,
            lately: Restarts::new(budget),
            last_error: None,
            rest: Duration::ZERO,
        };
        Self {
            states: Part::ALL
                .into_iter()
                .map(|part| (part, Mutex::new(fresh())))
                .collect(),
            work: Mutex::default(),
            numbers: AtomicU64::new(0),
            alarm: Mutex::new(None),
            failpoints: Failpoints::default(),
        }
    }

    /// With places where a test makes them fail.
    #[must_use]
    pub fn with_failpoints(mut self, failpoints: Failpoints) -> Self {
        self.failpoints = failpoints;
        self
    }

    /// Tells `alarm` of an actor that has failed too often or hangs, from now on.
    pub fn on_alarm(&self, alarm: impl Fn(Failure) + Send + Sync + 'static) {
        *lock(&self.alarm) = Some(Box::new(alarm));
    }

    /// Where a test makes them fail.
    pub const fn failpoints(&self) -> &Failpoints {
        &self.failpoints
    }

    fn state(&self, part: Part) -> Option<MutexGuard<'_, State>> {
        self.states.get(&part).map(lock)
    }

    /// `part` went wrong, and goes on.
    pub fn erred(&self, part: Part, what: &str) {
        if let Some(mut state) = self.state(part) {
            state.last_error = Some((Utc::now(), what.to_owned()));
        }
    }

    /// `part` failed and is restarted; past its budget the alarm is raised.
    pub fn failed(&self, part: Part, what: &str) {
        self.erred(part, what);
        let Some(mut state) = self.state(part) else {
            return;
        };
        state.restarts += 1;
        let verdict = state.lately.failed(clock::now());
        if let Verdict::GoOn(rest) = verdict {
            state.rest = rest;
        }
        drop(state);
        if verdict == Verdict::GiveUp {
            let name = part.as_str();
            self.raise(Failure::environment(say!(
                "the actor '{name}' fails at nearly everything that it is given, at last with '{what}'; the run was ended, what is stored is safe: see the log and run the same command again, with --retry-missed for pictures that it failed at",
                "el actor '{name}' falla con casi todo lo que recibe, al final con '{what}'; la corrida se terminó, lo guardado está a salvo: vea el registro y repita la orden, con --retry-missed para las imágenes con las que falló"
            )));
        }
    }

    /// `part` was done with a message.
    pub fn worked(&self, part: Part) {
        if let Some(mut state) = self.state(part) {
            state.lately.worked();
        }
    }

    /// `work` has gone on for `limit`: the alarm is raised.
    pub fn hangs(&self, work: &Work, limit: Duration) {
        let failure = hangs(work, limit);
        if let Some(mut state) = self.state(work.part) {
            state.hangs += 1;
            state.last_error = Some((Utc::now(), failure.text.en.clone()));
        }
        self.raise(failure);
    }

    fn raise(&self, failure: Failure) {
        tracing::error!(failure = failure.text.en, "the run is ended");
        if let Some(alarm) = lock(&self.alarm).as_ref() {
            alarm(failure);
        }
    }

    /// How long `part` has to rest before it goes on; asked for once after each failure.
    pub fn take_rest(&self, part: Part) -> Duration {
        self.state(part)
            .map(|mut state| std::mem::take(&mut state.rest))
            .unwrap_or_default()
    }

    /// A piece of work begins; gives its number.
    pub(super) fn begin(&self, work: Work) -> u64 {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        lock(&self.work).insert(number, work);
        number
    }

    /// It has ended.
    pub(super) fn end(&self, number: u64) {
        lock(&self.work).remove(&number);
    }

    /// The numbers of all that is being done.
    pub(super) fn at_work(&self) -> Vec<u64> {
        lock(&self.work).keys().copied().collect()
    }

    /// What has this number, while it is being done.
    pub(super) fn work(&self, number: u64) -> Option<Work> {
        lock(&self.work).get(&number).cloned()
    }

    /// How all of them are.
    pub fn report(&self) -> Vec<ActorReport> {
        let mut working: BTreeMap<Part, usize> = BTreeMap::new();
        for work in lock(&self.work).values().filter(|work| !work.ping) {
            *working.entry(work.part).or_default() += 1;
        }
        self.states
            .iter()
            .map(|(part, state)| {
                let state = lock(state);
                let error = state.last_error.clone();
                ActorReport {
                    actor: *part,
                    restarts: state.restarts,
                    hangs: state.hangs,
                    working: working.get(part).copied().unwrap_or(0),
                    last_error_at: error.as_ref().map(|(at, _)| at.trunc_subsecs(0)),
                    last_error: error.map(|(_, what)| what),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn past_the_budget_the_alarm_is_raised_with_what_was_last() {
        let vitals = Vitals::new(RestartBudget {
            failures: 2,
            ..RestartBudget::default()
        });
        let raised = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&raised);
        vitals.on_alarm(move |failure| heard.lock().unwrap().push(failure.text.en));
        vitals.failed(Part::Decode, "first");
        assert!(vitals.take_rest(Part::Decode) > Duration::ZERO);
        assert_eq!(vitals.take_rest(Part::Decode), Duration::ZERO);
        vitals.failed(Part::Decode, "second");
        vitals.failed(Part::Store, "elsewhere");
        assert!(raised.lock().unwrap().is_empty());
        vitals.failed(Part::Decode, "third");
        let raised = raised.lock().unwrap();
        assert_eq!(raised.len(), 1);
        assert!(raised[0].contains("'decode'") && raised[0].contains("'third'"));
        let report = vitals.report();
        let of = |part| report.iter().find(|one| one.actor == part).unwrap();
        assert_eq!(of(Part::Decode).restarts, 3);
        assert_eq!(of(Part::Decode).last_error.as_deref(), Some("third"));
        assert_eq!(of(Part::Store).restarts, 1);
        assert_eq!(of(Part::Fetch).last_error, None);
    }
}
