//! Slots as they become due.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::clock::Clock;
use crate::daemon::operator::CameraTurn;
use crate::daemon::worker::StationWorker;
use crate::daemon::worker::passes::{PassBounds, PassEnd};
use crate::service::{Pass, RunPolicy};
use crate::store::{RunCounts, RunId, RunKind, RunStatus};
use celaje_sky::ledger::Ledger;
use celaje_sky::outcome::MissReason;
use celaje_sky::slot::{Slot, SlotRange};

/// Bound of a slot's last attempt: the next slot is due already.
const LAST_TRY: Duration = Duration::from_secs(5);

/// The one live run of a process.
#[derive(Clone, Copy)]
pub(super) struct LiveRun {
    run: RunId,
    counts: RunCounts,
    last: Slot,
}

impl LiveRun {
    pub(super) const fn run(&self) -> RunId {
        self.run
    }
}

impl StationWorker {
    /// Tries a due slot. An attempt that still runs when the next slot is due is cut short; a last
    /// attempt that is cut short is queued as missing.
    pub(super) async fn try_slot(&mut self, slot: Slot, last: bool) {
        let time = self.common.clock;
        let range = SlotRange::of(slot);
        let live = match self.live {
            Some(live) => Some(live),
            None => self.begin_live(range, slot).await,
        };
        self.common.state.ticked(self.id(), time.now());
        let Some(mut live) = live else {
            self.clockwork.tried(slot, last, false, time.now());
            return;
        };
        let pass = Pass {
            range,
            run: live.run,
            // A picture that an earlier run missed may be there by now.
            policy: RunPolicy { retry_missed: true, reprocess: false },
            holds_misses: !last,
        };
        let end = match last {
            true => PassEnd::At(Clock::instant() + LAST_TRY),
            false => PassEnd::Due(self.clockwork.next_due(time.now())),
        };
        let report = self.pass(pass, PassBounds { end, job: None }).await;
        let cut_short = report.as_ref().is_some_and(|report| report.pending() > 0);
        let ledger = report.map(|report| report.end.ledger).unwrap_or_default();
        // A picture that crashes the program is not asked for again.
        let asked = ledger.missed_by_reason();
        let settled = asked.keys().all(|reason| *reason == MissReason::Poison);
        let got = settled && ledger.total() > 0;
        self.watch_the_camera(slot, last, &ledger);
        self.clockwork.tried(slot, last, got, time.now());
        if last && cut_short && !self.stop.is_cancelled() {
            self.catch_up(range, true);
        }
        if got || (last && ledger.total() > 0) {
            let counts = &mut live.counts;
            counts.new += ledger.new_rows();
            counts.duplicates += ledger.duplicates();
            counts.missed += ledger.missed();
            counts.total = counts.new + counts.duplicates + counts.missed;
            live.last = live.last.max(slot);
            self.live = Some(live);
            self.write_live(live).await;
            self.look_at_the_shadow().await;
        }
        tracing::info!(
            station = self.id(),
            %slot,
            got,
            last,
            missed = ?ledger.missed_by_reason(),
            "slot"
        );
    }

    /// Says once that the camera gives no picture, and once that it does again.
    fn watch_the_camera(&mut self, slot: Slot, last: bool, ledger: &Ledger) {
        // An attempt that is not the last tells nothing yet, and the last one may ask no more.
        let found = std::mem::take(&mut self.faults);
        if !found.is_empty() {
            self.live_faults = found;
        }
        let now = self.common.clock.now();
        let missed = ledger.missed_by_reason().keys();
        let reason = missed.copied().next();
        let before = slot.utc() < self.common.state.started_at();
        let running = self.common.clock.goes_on(self.begun);
        let gap = self.factory.station.minutes.longest_gap();
        let cadence = &mut self.cadence;
        let is_new = match reason {
            None => ledger.new_rows() > 0,
            Some(reason) => !reason.is_without_picture(),
        };
        if is_new {
            cadence.came(running);
        }
        let turn = self.common.state.camera(&self.factory.station.id, |camera| match reason {
            _ if is_new => camera.gave(now),
            // The latest picture is no picture of a slot that was due before the program began.
            Some(MissReason::Stale) if before => None,
            // A camera that is slower than the slots shows the same picture for some of them.
            Some(MissReason::Stale) if !(last && cadence.is_overdue(running, gap)) => {
                camera.failed(MissReason::Stale, false, now)
            }
            Some(reason) => camera.failed(reason, last, now),
            // It was stored before.
            None => None,
        });
        let (station, camera) = (self.id(), self.factory.address());
        let shown = |time: Option<DateTime<Utc>>| time.map(|time| time.to_rfc3339());
        match turn {
            Some(CameraTurn::Gone(last)) => {
                let (reason, last) = (reason.map(MissReason::as_str), shown(last));
                let why: Vec<_> =
                    self.live_faults.iter().map(|fault| fault.text().to_string()).collect();
                let why = (!why.is_empty()).then(|| why.join("; "));
                tracing::warn!(
                    station,
                    camera,
                    %slot,
                    reason,
                    last,
                    why,
                    "the camera gives no picture"
                );
            }
            Some(CameraTurn::Back(since)) => {
                let since = shown(since);
                tracing::warn!(station, camera, %slot, since, "the camera gives pictures again");
                self.told.clear();
            }
            None => {}
        }
        if is_new || last {
            self.faults = std::mem::take(&mut self.live_faults);
            self.tell_faults();
        }
    }

    async fn begin_live(&mut self, range: SlotRange, slot: Slot) -> Option<LiveRun> {
        let begun = self.pipeline.as_ref()?.begin(RunKind::Live, range, 0).await;
        match begun {
            Ok(run) => {
                let counts = RunCounts::default();
                self.live = Some(LiveRun { run, counts, last: slot });
                self.live
            }
            Err(failure) => {
                self.troubled(&failure.to_string());
                self.end_pipeline().await;
                None
            }
        }
    }

    async fn write_live(&self, live: LiveRun) {
        let Some(pipeline) = &self.pipeline else {
            return;
        };
        let LiveRun { run, counts, last } = live;
        let written = pipeline
            .with_database(move |database| database.extend_run(run, last.local(), &counts))
            .await;
        if !matches!(written, Ok(Ok(()))) {
            tracing::warn!(station = self.id(), "the live run's counts could not be written");
        }
    }

    pub(super) async fn end_live(&mut self) {
        if let Some(live) = self.live.take() {
            self.finish(live.run, live.counts, RunStatus::Finished).await;
        }
    }
}
