//! The camera as a witness of this machine's clock: what its host shows, and whether its folders
//! list a picture of now. It is asked for no slot: one of a wrong clock may not have come.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::camera::Source;
use crate::camera::http::{HttpClient, HttpLimits, is_of_this_machine};
use crate::clock::Clock;
use crate::draining::Draining;
use crate::store::Database;
use crate::store::error::StoreError;
use celaje_sky::clock::{ClockDoubt, ClockEvidence, LONGEST_DIFFERENCE, NameSign};
use celaje_sky::error::{Failure, Result};
use celaje_sky::retry::RetryPolicy;
use celaje_sky::slot::{Slot, SlotRange};
use celaje_sky::station::Station;
use celaje_sky::ticks::TickPolicy;

/// Longest wait for an answer that only tests the clock.
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

    /// Whether the camera's host is this machine, by its address.
    pub async fn is_on_this_machine(&self) -> bool {
        match self.source.base() {
            Some(base) => {
                let asked = tokio::time::timeout(PATIENCE, is_of_this_machine(base)).await;
                asked.unwrap_or(false)
            }
            None => true,
        }
    }

    /// Whether the camera's folders say what pictures there are.
    pub fn lists_all(&self) -> bool {
        matches!(self.source, Source::Scheme(scheme) if scheme.is_tree())
    }

    /// The slot of the first picture in the camera's folders, if there is one; none when they
    /// cannot be listed.
    pub async fn first_slot(&self) -> Option<Option<Slot>> {
        let Source::Scheme(scheme) = self.source else { return None };
        let Station { minutes, zone, source, .. } = self.station;
        let Some(taken) = scheme.first_moment(&self.client).await.ok()? else {
            return Some(None);
        };
        let tolerance = source.as_ref()?.tolerance;
        let around = minutes.shortest();
        let range =
            SlotRange::exact(zone.local(taken - around), zone.local(taken + around)).ok()?;
        let mut slots = range.slots(minutes, *zone);
        Some(slots.find(|slot| minutes.window(*slot, tolerance).contains(taken)))
    }

    /// What the names in the camera's folders say of `clock`, where these can be listed.
    pub async fn names(&self, clock: Clock) -> NameSign {
        let Source::Scheme(scheme) = self.source else { return NameSign::None };
        let now = clock.now();
        let (from, to) = (now - LONGEST_DIFFERENCE, now + LONGEST_DIFFERENCE);
        match scheme.listed(&self.client, from, to).await {
            Some((true, false)) => NameSign::OfNow,
            Some((true, true)) => NameSign::OfAnyTime,
            Some((false, _)) | None => NameSign::None,
        }
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
/// have, the host's that they have not, and no folder lists a picture of now.
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
    if !matches!(doubt, ClockDoubt::TooEarly(_)) {
        let seen = ClockEvidence { names: witness.names(clock).await, ..evidence };
        if seen.confirms(now) {
            return Ok(());
        }
    }
    Err(match answer {
        Some(_) => Failure::environment(doubt.text()),
        None => Failure::unreachable(doubt.text()),
    })
}
