//! While the clock looks wrong, nothing is asked for and no miss is written.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::clock::{Clock, KnownTime};
use crate::daemon::worker::StationWorker;
use crate::service::witness::{self, ClockWitness};
use celaje_sky::clock::{ClockDoubt, ClockEvidence, SAME_TIME};

/// How often a clock that looks wrong is looked at: once it is set, work goes on.
const LOOKS_EVERY: Duration = Duration::from_secs(1);
/// Time between two questions to a host that gave no answer, or another time,
const ASKS_EVERY: Duration = Duration::from_secs(60);
/// and to one that showed the same time, from which it may differ later.
const ASKS_AGAIN: Duration = Duration::from_secs(600);

/// What is known of the right time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ClockWatch {
    host: HostTime,
    /// What this machine's clock showed when something spoke for it.
    confirmed: Option<KnownTime>,
    host_asked: Option<Instant>,
    names_asked: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
enum HostTime {
    #[default]
    Unknown,
    /// Its answers bear no date.
    Untold,
    Shown(KnownTime),
}

fn has_rested(asked: Option<Instant>) -> bool {
    asked.is_none_or(|asked| Clock::since(asked) >= ASKS_EVERY)
}

impl ClockWatch {
    /// What is known without a question.
    fn evidence(&self, clock: Clock) -> ClockEvidence {
        let host = match self.host {
            HostTime::Shown(host) => host.now(clock),
            HostTime::Unknown | HostTime::Untold => None,
        };
        let confirmed = self.confirmed.and_then(|known| known.now(clock));
        ClockEvidence { host, confirmed, ..ClockEvidence::since(clock.earliest()) }
    }

    /// Whether the host is to be asked: it has not answered yet, or for a while, or what it said
    /// differs, which a machine that slept sees as well.
    fn wants_host_time(&self, clock: Clock) -> bool {
        let rest = match self.host {
            HostTime::Untold => return false,
            HostTime::Unknown => ASKS_EVERY,
            HostTime::Shown(host) => {
                let off = host.now(clock).map(|host| (host - clock.now()).abs());
                if off.is_some_and(|off| off <= SAME_TIME) { ASKS_AGAIN } else { ASKS_EVERY }
            }
        };
        self.host_asked.is_none_or(|asked| Clock::since(asked) >= rest)
    }

    /// Notes what the host showed, or that it did not answer.
    fn host_answered(&mut self, answer: Option<Option<DateTime<Utc>>>) {
        self.host_asked = Some(Clock::instant());
        if let Some(date) = answer {
            self.host = date.map_or(HostTime::Untold, |time| HostTime::Shown(KnownTime::of(time)));
        }
    }
}

impl StationWorker {
    /// Why the clock looks wrong now; camera and record are asked where nothing speaks for it.
    pub(super) async fn clock_doubt(&mut self) -> Option<ClockDoubt> {
        let clock = self.common.clock;
        let now = clock.now();
        if self.factory.trust_clock {
            self.common.state.set_host_time(self.id(), None);
            return ClockEvidence::since(clock.earliest()).doubt(now);
        }
        let mut evidence = self.clock_watch.evidence(clock);
        if now < evidence.earliest {
            return evidence.doubt(now);
        }
        if self.clock_watch.wants_host_time(clock) {
            let answer = self.ask_the_camera(async |witness| witness.host_time().await).await;
            let answer = answer.unwrap_or(Some(None));
            self.clock_watch.host_answered(answer);
            evidence = self.clock_watch.evidence(clock);
            // One that is silent is not one that tells no time.
            if answer.is_some() {
                let host = evidence.host.filter(|host| *host >= evidence.earliest);
                let host = self.another_clock(host).await.map(KnownTime::of);
                self.common.state.set_host_time(self.id(), host);
            }
        }
        let now = clock.now();
        if evidence.confirms(now) {
            return evidence.doubt(now);
        }
        let station = Arc::clone(&self.factory.station);
        let told = self.with_record(move |record| witness::evidence(record, &station, clock));
        if let Ok(Ok(told)) = told.await {
            evidence = ClockEvidence { host: evidence.host, confirmed: evidence.confirmed, ..told };
        }
        let mut now = clock.now();
        if evidence.doubt(now).is_some() && has_rested(self.clock_watch.names_asked) {
            let found = self.ask_the_camera(async move |witness| witness.names(clock).await);
            evidence.names = found.await.unwrap_or_default();
            self.clock_watch.names_asked = Some(Clock::instant());
            now = clock.now();
        }
        if evidence.confirms(now) {
            self.clock_watch.confirmed = Some(KnownTime::of(now));
        }
        evidence.doubt(now)
    }

    /// What the host shows, unless that is this machine's own clock: a server on this machine has
    /// no other one.
    async fn another_clock(&self, host: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        let (host, clock) = (host?, self.common.clock);
        let is_the_same = (host - clock.now()).abs() <= SAME_TIME;
        if !is_the_same || !clock.is_the_machines() {
            return Some(host);
        }
        let is_own = self.ask_the_camera(async |witness| witness.is_on_this_machine().await);
        (is_own.await == Some(false)).then_some(host)
    }

    /// The camera's answer; none if its pictures are files or the daemon stops.
    pub(super) async fn ask_the_camera<T>(
        &self,
        question: impl AsyncFnOnce(&ClockWitness<'_>) -> T,
    ) -> Option<T> {
        self.liveness.beat(ASKS_EVERY);
        let witness = self.factory.clock_witness()?;
        tokio::select! {
            answer = question(&witness) => Some(answer),
            () = self.stop.cancelled() => None,
        }
    }

    /// Says what is wrong, and waits a little.
    pub(super) async fn wait_for_the_clock(&mut self, doubt: &ClockDoubt) {
        let text = doubt.text();
        if !self.in_doubt {
            self.in_doubt = true;
            tracing::error!(station = self.id(), %text, "nothing is asked for until it is right");
        }
        self.common.state.set_clock_doubt(self.id(), Some(text.to_string()));
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.bell.notified() => {}
            () = tokio::time::sleep(LOOKS_EVERY) => {}
        }
    }

    /// The clock looks right: the pipeline begins anew with its year, and the schedule, if it was
    /// made by a wrong clock, with the newest slot that is due.
    pub(super) async fn trust_the_clock(&mut self) {
        if std::mem::take(&mut self.in_doubt) {
            tracing::info!(station = self.id(), "the clock looks right again");
            self.common.state.set_clock_doubt(self.id(), None);
            self.end_pipeline().await;
            if let Err(failure) = self.start().await {
                self.troubled(&failure.to_string());
            }
        }
        if !std::mem::replace(&mut self.has_begun, true) {
            let now = self.common.clock.now();
            self.clockwork = self.factory.schedule(now);
            // Not only after the last row: a run that was cut off may have left gaps before it.
            if let Some(range) = self.clockwork.behind(now) {
                self.look_again(range).await;
            }
        }
    }
}
