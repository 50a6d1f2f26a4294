//! The camera as a witness of this machine's clock: what its host shows, and whether it has a
//! picture of now.

use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, Datelike, Utc};

use crate::camera::http::{HttpClient, HttpLimits};
use crate::camera::{SearchResult, Source, look_for};
use crate::clock::Clock;
use crate::draining::Draining;
use crate::store::Database;
use crate::store::error::StoreError;
use celaje_sky::clock::{ClockDoubt, ClockEvidence};
use celaje_sky::error::{Failure, Result};
use celaje_sky::layout::LayoutBook;
use celaje_sky::retry::RetryPolicy;
use celaje_sky::slot::{Slot, SlotRange};
use celaje_sky::station::Station;
use celaje_sky::ticks::{SlotSchedule, TickPolicy, Turn};
use celaje_vision::picture::decode::is_picture;

/// Longest wait for a picture that only tests the clock.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct ClockWitness<'a> {
    source: &'a Source,
    station: &'a Station,
    client: HttpClient,
}

impl<'a> ClockWitness<'a> {
    /// The camera of `station`; none for pictures that somebody collected.
    pub fn of(source: &'a Source, station: &'a Station, limits: &HttpLimits) -> Option<Self> {
        if source.is_archive() {
            return None;
        }
        let limits = HttpLimits {
            total_timeout: limits.total_timeout.min(PATIENCE),
            retry: RetryPolicy { retries: 0, ..limits.retry },
            ..limits.clone()
        };
        let client = HttpClient::new(source.base(), &station.trust, limits, Draining::default());
        Some(Self { source, station, client: client.ok()? })
    }

    /// What the host's clock shows, if it says; none when it does not answer.
    pub async fn host_time(&self) -> Option<Option<DateTime<Utc>>> {
        match self.source.base() {
            Some(base) => self.client.host_time(base).await.ok(),
            None => Some(None),
        }
    }

    /// Whether there is a picture of the newest slot that is due at `now`, or of the one before.
    pub async fn has_picture(&self, clock: Clock) -> bool {
        // The latest picture tells of no time.
        if self.source.has_only_the_latest() {
            return false;
        }
        let now = clock.now();
        let Station { minutes, zone, layout, .. } = self.station;
        let newest = |now| {
            let policy = TickPolicy::default();
            match SlotSchedule::new(minutes.clone(), *zone, policy, now).turn(now) {
                Turn::Try { slot, .. } => Some(slot),
                Turn::Wait(_) => None,
            }
        };
        let last = newest(now);
        let before = last.and_then(|slot: Slot| newest(slot.utc()));
        for slot in [last, before].into_iter().flatten() {
            let book = LayoutBook::new(*layout, zone.local(now).year(), None).always_ask_both();
            let found = look_for(self.source, &self.client, &Mutex::new(book), slot, clock).await;
            if matches!(found, SearchResult::Picture(picture, _) if is_picture(&picture.bytes)) {
                return true;
            }
        }
        false
    }
}

/// What the record of `station` tells of a clock.
pub fn evidence(
    database: &mut Database,
    station: &Station,
    clock: Clock,
) -> Result<ClockEvidence, StoreError> {
    let utc = |local| Slot::at(local, station.zone).map(Slot::utc);
    let last = database.last_entry(station.zone.local(clock.now()))?.and_then(utc);
    Ok(ClockEvidence {
        newest: database.newest_slot()?.and_then(utc),
        last_sign: last.max(clock.program_made()),
        ..ClockEvidence::since(clock.earliest())
    })
}

/// Refuses to ask a camera for slots that may not have come: this machine's clock says that they
/// have, the host's that they have not, and there is no picture of now.
pub async fn check_range_has_come(
    range: SlotRange,
    clock: Clock,
    known: ClockEvidence,
    witness: &ClockWitness<'_>,
) -> Result<()> {
    let (now, Station { minutes, zone, .. }) = (clock.now(), witness.station);
    let due = TickPolicy::default().due(range, minutes, *zone, now).range;
    let Some(end) = due.and_then(|due| Slot::at(due.to(), *zone)).map(Slot::utc) else {
        return Ok(());
    };
    let has_come = |time: DateTime<Utc>| time >= end;
    let program = clock.program_made();
    if known.newest.is_some_and(has_come) || program.is_some_and(has_come) {
        return Ok(());
    }
    let answer = witness.host_time().await;
    let evidence = ClockEvidence { host: answer.flatten(), ..known };
    if evidence.host.is_some_and(|host| host >= known.earliest && has_come(host)) {
        return Ok(());
    }
    let Some(doubt) = evidence.doubt(now) else {
        return Ok(());
    };
    if !matches!(doubt, ClockDoubt::TooEarly(_)) && witness.has_picture(clock).await {
        return Ok(());
    }
    Err(match answer {
        Some(_) => Failure::environment(doubt.text()),
        None => Failure::unreachable(doubt.text()),
    })
}
