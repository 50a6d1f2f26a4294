//! While the clock looks wrong, nothing is asked for and no miss is written.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::Clock;
use crate::daemon::worker::StationWorker;
use celaje_sky::clock::{ClockDoubt, ClockEvidence};
use celaje_sky::slot::Slot;

/// How often a clock that looks wrong is looked at: once it is set, work goes on.
const LOOKS_EVERY: Duration = Duration::from_secs(1);
/// Time between two questions to a host that gave no answer, or another time.
const ASKS_EVERY: Duration = Duration::from_secs(60);

/// What is known of the clock of the camera's host.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HostClock {
    time: HostTime,
    asked: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
enum HostTime {
    #[default]
    Unknown,
    /// Its answers bear no date.
    Untold,
    /// What it showed at an instant.
    Shown(DateTime<Utc>, Instant),
}

impl HostClock {
    /// The time by it.
    fn now(self) -> Option<DateTime<Utc>> {
        let HostTime::Shown(time, at) = self.time else {
            return None;
        };
        let passed = Clock::since(at);
        TimeDelta::from_std(passed).ok().and_then(|passed| time.checked_add_signed(passed))
    }

    /// Whether the host is to be asked: it has not answered yet, or what it said `differs`, which a
    /// machine that slept sees as well.
    fn is_to_be_asked(self, differs: bool) -> bool {
        let rested = self.asked.is_none_or(|asked| Clock::since(asked) >= ASKS_EVERY);
        rested
            && match self.time {
                HostTime::Unknown => true,
                HostTime::Untold => false,
                HostTime::Shown(..) => differs,
            }
    }

    /// Notes the answer, or that there was none.
    fn answered(&mut self, answer: Option<Option<DateTime<Utc>>>) {
        let now = Clock::instant();
        self.asked = Some(now);
        if let Some(date) = answer {
            self.time = date.map_or(HostTime::Untold, |date| HostTime::Shown(date, now));
        }
    }
}

impl StationWorker {
    /// Why the clock looks wrong now; the host is asked for its time where that helps.
    pub(super) async fn clock_doubt(&mut self) -> Option<ClockDoubt> {
        let clock = self.common.clock;
        let mut evidence =
            ClockEvidence { earliest: clock.earliest(), host: self.host_clock.now(), newest: None };
        let doubt = evidence.doubt(clock.now());
        if matches!(doubt, Some(ClockDoubt::TooEarly(_))) {
            return doubt;
        }
        if self.host_clock.is_to_be_asked(doubt.is_some()) {
            self.liveness.beat(ASKS_EVERY);
            let answer = tokio::select! {
                answer = self.factory.host_time() => answer,
                () = self.stop.cancelled() => None,
            };
            self.host_clock.answered(answer);
            evidence.host = self.host_clock.now();
        }
        evidence.doubt(clock.now())?;
        evidence.newest = self.newest_reading().await;
        evidence.doubt(clock.now())
    }

    async fn newest_reading(&self) -> Option<DateTime<Utc>> {
        let pipeline = self.pipeline.as_ref()?;
        let newest = pipeline.with_database(|database| database.newest_slot()).await;
        let local = newest.ok()?.ok()??;
        Slot::at(local, self.factory.station.zone).map(Slot::utc)
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
            if let Err(failure) = self.start() {
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
