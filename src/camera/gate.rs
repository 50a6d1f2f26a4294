//! The gate before a host: how many requests are in flight, and how many begin in a second.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::camera::fault::AccessFault;
use crate::clock::Clock;
use celaje_sky::window::{Answer, Pace, Window};

/// Things to mend that are kept until they are told: each folder of a tree may be one.
const MOST_FAULTS: usize = 8;

#[derive(Debug)]
struct GateState {
    window: Window,
    pace: Pace,
    /// Requests at the host: of the places, some are taken by slots that wait for their next try.
    asking: usize,
    /// The most that were there at once.
    peak: usize,
    /// What a person has to mend, of this host's answers.
    faults: BTreeSet<AccessFault>,
    /// Places that a window has lost while they were taken: they are not handed on.
    owed: usize,
}

/// Lets requests to one host through, in the order in which they come; shared by all that ask it.
#[derive(Debug)]
pub struct Gate {
    state: Mutex<GateState>,
    /// Places of the window, and those owed, that are free.
    places: Semaphore,
}

/// The right to have a request in flight; dropped, the next one comes in.
#[derive(Debug)]
pub struct GatePass<'a> {
    gate: &'a Gate,
    place: Option<SemaphorePermit<'a>>,
}

impl Gate {
    /// A gate with this window and pace.
    pub fn new(window: Window, pace: Pace) -> Self {
        Self {
            places: Semaphore::new(window.size()),
            state: Mutex::new(GateState {
                window,
                pace,
                asking: 0,
                peak: 0,
                owed: 0,
                faults: BTreeSet::new(),
            }),
        }
    }

    /// A gate for `n` requests at a time.
    pub fn of(n: usize) -> Self {
        Self::new(Window::fixed(n), Pace::new(None))
    }

    fn state(&self) -> MutexGuard<'_, GateState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place in the window.
    pub async fn enter(&self) -> GatePass<'_> {
        // It is never closed; were it, nobody would have to wait.
        let place = self.places.acquire().await.ok();
        GatePass { gate: self, place }
    }

    /// Waits until a request may begin, should there be a limit on how many do in a second.
    pub async fn turn(&self) {
        let wait = self.state().pace.turn(Clock::instant());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// A request goes to the host.
    pub fn asks(&self) -> RequestInFlight<'_> {
        let mut state = self.state();
        state.asking += 1;
        state.peak = state.peak.max(state.asking);
        RequestInFlight(self)
    }

    /// Takes note of how a request went.
    fn answered(&self, answer: Answer) {
        let mut state = self.state();
        let before = state.window.size();
        let full = state.asking >= before;
        state.window.answered(answer, Clock::instant(), full);
        let now = state.window.size();
        if now > before {
            let more = now - before;
            let forgiven = more.min(state.owed);
            state.owed -= forgiven;
            self.places.add_permits(more - forgiven);
        } else if now < before {
            let fewer = before - now;
            state.owed += fewer - self.places.forget_permits(fewer);
            tracing::debug!(before, now, "fewer requests in flight");
        }
    }

    /// Requests that may be in flight now.
    pub fn size(&self) -> usize {
        self.state().window.size()
    }

    /// The most requests that were in flight at once so far.
    pub fn peak(&self) -> usize {
        self.state().peak
    }
}

impl Gate {
    /// Takes note of what a person has to mend.
    pub fn report(&self, fault: AccessFault) {
        let faults = &mut self.state().faults;
        if faults.len() < MOST_FAULTS {
            faults.insert(fault);
        }
    }

    /// What was reported so far; it counts as told from now on.
    pub fn take_faults(&self) -> BTreeSet<AccessFault> {
        std::mem::take(&mut self.state().faults)
    }
}

impl Drop for GatePass<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        if state.owed > 0 {
            state.owed -= 1;
            if let Some(place) = self.place.take() {
                place.forget();
            }
        }
    }
}

/// A request at the host; dropped, it is there no more.
#[derive(Debug)]
pub struct RequestInFlight<'a>(&'a Gate);

impl RequestInFlight<'_> {
    /// Takes note of how it went.
    pub fn answered(self, answer: Answer) {
        self.0.answered(answer);
    }
}

impl Drop for RequestInFlight<'_> {
    fn drop(&mut self) {
        self.0.state().asking -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    #[actix::test]
    async fn no_more_than_the_window_are_let_in_and_all_get_their_turn() {
        let gate = Arc::new(Gate::of(3));
        let tasks: Vec<_> = (0..40)
            .map(|_| {
                let gate = Arc::clone(&gate);
                actix::spawn(async move {
                    let _pass = gate.enter().await;
                    let _asking = gate.asks();
                    tokio::time::sleep(Duration::from_millis(1)).await;
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(gate.peak(), 3);
        assert_eq!(gate.state().asking, 0);
    }

    #[actix::test]
    async fn a_window_that_grows_lets_in_those_who_wait() {
        let gate = Arc::new(Gate::new(Window::adaptive(64), Pace::new(None)));
        let mut passes = Vec::new();
        for _ in 0..gate.size() {
            passes.push((gate.enter().await, gate.asks()));
        }
        let waiting = {
            let gate = Arc::clone(&gate);
            actix::spawn(async move { drop(gate.enter().await) })
        };
        tokio::task::yield_now().await;
        let (_, asking) = passes.pop().unwrap();
        asking.answered(Answer::Good(Duration::from_millis(1)));
        waiting.await.unwrap();
        assert!(gate.size() > passes.len() + 1);
    }

    #[actix::test]
    async fn a_window_that_shrinks_hands_no_place_on() {
        let gate = Gate::new(Window::adaptive(64), Pace::new(None));
        for _ in 0..6 {
            let _asking: Vec<_> = (0..gate.size()).map(|_| gate.asks()).collect();
            gate.answered(Answer::Good(Duration::from_millis(1)));
        }
        let size = gate.size();
        let mut passes = Vec::new();
        for _ in 0..size {
            passes.push(gate.enter().await);
        }
        gate.answered(Answer::Bad);
        assert!(gate.size() < size);
        passes.truncate(gate.size());
        assert_eq!(gate.places.available_permits(), 0);
        passes.pop();
        assert_eq!(gate.places.available_permits(), 1);
    }
}
