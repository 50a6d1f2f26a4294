//! The health of the actors: restarts, hangs, last errors.
//!
//! A station's pipelines share one [`ActorHealth`], so that the counts outlive a pipeline.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use celaje_sky::error::Failure;
use celaje_sky::restarts::{RestartBudget, Restarts, Verdict};
use celaje_sky::say;

/// An actor, or a pool of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Gives out credits, keeps the ledger.
    Scheduler,
    /// Asks the camera.
    Fetch,
    /// Decodes pictures into frames.
    Decode,
    /// Queues frames for their batches.
    Inference,
    /// Runs the network.
    Session,
    /// Gathers outcomes.
    Gather,
    /// Writes the record.
    Store,
    /// Reads with a second model. Its failures do not count, and it is in no report.
    Shadow,
}

impl Part {
    /// The actors that fill the record, in the order of a slot's way.
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
            Self::Shadow => "shadow",
        }
    }
}

/// The health of one actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorReport {
    /// The actor.
    pub actor: Part,
    /// Failures after which it was restarted.
    pub restarts: u64,
    /// Hangs.
    pub hangs: u64,
    /// Messages that it is working on.
    pub working: usize,
    /// The last error.
    pub last_error: Option<String>,
    /// The time of the last error.
    pub last_error_at: Option<DateTime<Utc>>,
}

#[derive(Debug)]
struct PartHealth {
    restarts: u64,
    hangs: u64,
    lately: Restarts,
    last_error: Option<(DateTime<Utc>, String)>,
    /// The rest that is due after the last failure.
    rest: Duration,
}

type Alarm = Box<dyn Fn(Failure) + Send + Sync>;

pub struct ActorHealth {
    states: BTreeMap<Part, Mutex<PartHealth>>,
    alarm: Mutex<Option<Alarm>>,
    /// When an error was is told by it.
    clock: Clock,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for ActorHealth {
    fn default() -> Self {
        Self::new(RestartBudget::default(), Clock::SYSTEM)
    }
}

impl ActorHealth {
    /// Healthy actors, each with this budget of failures.
    pub fn new(budget: RestartBudget, clock: Clock) -> Self {
        let fresh = || PartHealth {
            restarts: 0,
            hangs: 0,
            lately: Restarts::new(budget),
            last_error: None,
            rest: Duration::ZERO,
        };
        Self {
            states: Part::ALL.into_iter().map(|part| (part, Mutex::new(fresh()))).collect(),
            alarm: Mutex::new(None),
            clock,
        }
    }

    /// Has `alarm` called when an actor fails too often or hangs.
    pub fn on_alarm(&self, alarm: impl Fn(Failure) + Send + Sync + 'static) {
        *lock(&self.alarm) = Some(Box::new(alarm));
    }

    fn state(&self, part: Part) -> Option<MutexGuard<'_, PartHealth>> {
        self.states.get(&part).map(lock)
    }

    /// Notes an error of `part`, which goes on.
    pub fn erred(&self, part: Part, what: &str) {
        if let Some(mut state) = self.state(part) {
            state.last_error = Some((self.clock.now(), what.to_owned()));
        }
    }

    /// Notes a failure of `part`, which restarts; past its budget this raises the alarm.
    pub fn failed(&self, part: Part, what: &str) {
        self.erred(part, what);
        let Some(mut state) = self.state(part) else {
            return;
        };
        state.restarts += 1;
        let verdict = state.lately.failed(Clock::instant());
        if let Verdict::GoOn(rest) = verdict {
            state.rest = rest;
        }
        drop(state);
        if verdict == Verdict::GiveUp {
            let name = part.as_str();
            self.raise(Failure::environment(say!(
                "the actor '{name}' fails at nearly everything that it is given, at last with \
                '{what}'; the run was ended, what is stored is safe: see the log and run the same \
                command again, with --retry-missed for pictures that it failed at",
                "el actor '{name}' falla con casi todo lo que recibe, al final con '{what}'; la \
                corrida se terminó, lo guardado está a salvo: vea el registro y repita la orden, \
                con --retry-missed para las imágenes con las que falló"
            )));
        }
    }

    /// Notes that `part` has done a message.
    pub fn worked(&self, part: Part) {
        if let Some(mut state) = self.state(part) {
            state.lately.worked();
        }
    }

    /// Notes that `part` hangs, and raises the alarm with `failure`.
    pub fn hangs(&self, part: Part, failure: Failure) {
        if let Some(mut state) = self.state(part) {
            state.hangs += 1;
            state.last_error = Some((self.clock.now(), failure.text.en.clone()));
        }
        self.raise(failure);
    }

    fn raise(&self, failure: Failure) {
        tracing::error!(failure = failure.text.en, "the run is ended");
        if let Some(alarm) = lock(&self.alarm).as_ref() {
            alarm(failure);
        }
    }

    /// Takes the rest that `part` owes after its last failure.
    pub fn take_rest(&self, part: Part) -> Duration {
        self.state(part).map(|mut state| std::mem::take(&mut state.rest)).unwrap_or_default()
    }

    /// How all actors are; `working` counts the messages that an actor is working on.
    pub fn report(&self, working: impl Fn(Part) -> usize) -> Vec<ActorReport> {
        self.states
            .iter()
            .map(|(part, state)| {
                let state = lock(state);
                let error = state.last_error.clone();
                ActorReport {
                    actor: *part,
                    restarts: state.restarts,
                    hangs: state.hangs,
                    working: working(*part),
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
        let budget = RestartBudget { failures: 2, ..RestartBudget::default() };
        let health = ActorHealth::new(budget, Clock::SYSTEM);
        let raised = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&raised);
        health.on_alarm(move |failure| heard.lock().unwrap().push(failure.text.en));
        health.failed(Part::Decode, "first");
        assert!(health.take_rest(Part::Decode) > Duration::ZERO);
        assert_eq!(health.take_rest(Part::Decode), Duration::ZERO);
        health.failed(Part::Decode, "second");
        health.failed(Part::Store, "elsewhere");
        assert!(raised.lock().unwrap().is_empty());
        health.failed(Part::Decode, "third");
        let raised = raised.lock().unwrap();
        assert_eq!(raised.len(), 1);
        assert!(raised[0].contains("'decode'") && raised[0].contains("'third'"));
        let report = health.report(|_| 0);
        let of = |part| report.iter().find(|one| one.actor == part).unwrap();
        assert_eq!(of(Part::Decode).restarts, 3);
        assert_eq!(of(Part::Decode).last_error.as_deref(), Some("third"));
        assert_eq!(of(Part::Store).restarts, 1);
        assert_eq!(of(Part::Fetch).last_error, None);
    }
}
