//! The readings of the last day in memory, and what follows from them at a moment: whether a sky is
//! safe. A question costs no query, and what stops the readings makes every answer unsafe.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::clock::Clock;
use crate::daemon::operator::{ClockStanding, Event, Operator};
use crate::store::error::StoreError;
use crate::store::reader::{ObservationItem, Reader, ReadingFilter};
use celaje_sky::quality::Quality;
use celaje_sky::safety::{SafetyRule, SafetyState, SkyReading, assess, is_of_later_time};
use celaje_sky::station::Station;
use celaje_sky::tonight::Tonight;

/// How far back readings are kept.
const KEPT_FOR: TimeDelta = TimeDelta::hours(24);
/// Readings of a station at most: one a minute.
const MOST: usize = 1500;

pub struct RecentReadings {
    db: PathBuf,
    clock: Clock,
    operator: Arc<dyn Operator>,
    inner: Mutex<KeptReadings>,
    ends: CancellationToken,
    _ends: DropGuard,
}

#[derive(Default)]
struct KeptReadings {
    stations: Vec<Arc<Station>>,
    readings: BTreeMap<String, BTreeMap<DateTime<Utc>, SkyReading>>,
    /// Of each station the newest reading that came while the program ran, and when it came.
    came: BTreeMap<String, (DateTime<Utc>, Instant)>,
}

impl RecentReadings {
    /// Reads the record at `db` and follows the events of `operator`. To be called inside a tokio
    /// runtime.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn start(
        db: &Path,
        stations: &[Arc<Station>],
        operator: Arc<dyn Operator>,
        clock: Clock,
    ) -> Result<Arc<Self>, StoreError> {
        let events = operator.events();
        let ends = CancellationToken::new();
        let recent = Arc::new(Self {
            db: db.to_owned(),
            clock,
            operator,
            inner: Mutex::default(),
            ends: ends.clone(),
            _ends: ends.drop_guard(),
        });
        recent.inner().stations = stations.to_vec();
        recent.load()?;
        tokio::spawn(follow(Arc::downgrade(&recent), recent.ends.clone(), events));
        Ok(recent)
    }

    fn inner(&self) -> MutexGuard<'_, KeptReadings> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over the stations of other settings.
    pub fn renew(&self, stations: &[Arc<Station>]) {
        self.inner().stations = stations.to_vec();
    }

    /// Reads the last day of every station anew.
    fn load(&self) -> Result<(), StoreError> {
        let stations = self.inner().stations.clone();
        let mut reader = Reader::open(&self.db)?;
        let now = self.clock.now();
        for station in &stations {
            let local = |instant| station.zone.local(instant);
            // An hour more on both sides, for clocks that were changed.
            let span = (local(now - KEPT_FOR - TimeDelta::hours(1)), local(now) + KEPT_FOR);
            let mut items = Vec::new();
            let all = ReadingFilter::all(&station.id, span);
            reader.observations(&all, MOST * 2, |item| items.push(item))?;
            // It may be of a later time than a clock that was set back.
            items.extend(reader.latest(&station.id)?);
            items.iter().for_each(|item| self.add(&station.id, item));
        }
        Ok(())
    }

    /// Adds a row, or replaces that of the same moment.
    fn add(&self, station: &str, item: &ObservationItem) {
        let Some(reading) = reading_of(item) else {
            return;
        };
        let oldest = self.clock.now() - KEPT_FOR;
        let mut inner = self.inner();
        let kept = inner.readings.entry(station.to_owned()).or_default();
        kept.insert(reading.at, reading);
        kept.retain(|at, _| *at >= oldest);
        while kept.len() > MOST {
            kept.pop_first();
        }
    }

    /// Notes that a row came just now.
    fn note(&self, station: &str, item: &ObservationItem) {
        let Some(SkyReading { at, .. }) = reading_of(item) else { return };
        let mut inner = self.inner();
        let came = inner.came.entry(station.to_owned()).or_insert((at, Clock::instant()));
        if at > came.0 {
            *came = (at, Clock::instant());
        }
    }

    /// The station of the settings with this id.
    pub fn station(&self, id: &str) -> Option<Arc<Station>> {
        self.inner().stations.iter().find(|station| station.id == id).cloned()
    }

    /// The stations, in the order of the settings.
    pub fn stations(&self) -> Vec<Arc<Station>> {
        self.inner().stations.clone()
    }

    /// Whether the sky over a station is safe now; none for a station that was never known.
    pub fn safety(&self, id: &str) -> Option<SafetyState> {
        let known = self.station(id);
        let is_in_doubt = known.as_ref().is_some_and(|station| self.is_clock_in_doubt(station));
        let now = self.clock.now();
        let inner = self.inner();
        let readings = inner.readings.get(id);
        let station = match known {
            Some(station) if is_in_doubt && station.safety.is_some() => {
                return Some(SafetyState::in_doubt());
            }
            Some(station) => station,
            // The settings named it once: whoever still asks is to hear that it is not safe.
            None => Arc::new(Station { safety: None, ..readings.map(|_| Station::rio_grande())? }),
        };
        // What is of a later time was read by a clock that was wrong.
        let past = readings.into_iter().flat_map(|all| all.range(..=now));
        Some(assess(&station, past.map(|(_, reading)| reading), now))
    }

    /// Whether nobody knows how old the readings of a station are: the clock looks wrong; or one is
    /// of a later time, or the last one came longer ago than it is fresh, which both show that the
    /// clock was set back.
    fn is_clock_in_doubt(&self, station: &Station) -> bool {
        let fresh = stale_after(station);
        let now = self.clock.now();
        let (came, newest) = {
            let inner = self.inner();
            let newest = inner.readings.get(&station.id).and_then(BTreeMap::last_key_value);
            (inner.came.get(&station.id).copied(), newest.map(|(at, _)| *at))
        };
        let is_old = |(at, came): (DateTime<Utc>, Instant)| {
            self.clock.goes_on(came) > fresh && now - at <= fresh
        };
        match self.operator.clock_standing(&station.id, fresh) {
            ClockStanding::InDoubt => true,
            ClockStanding::Confirmed => false,
            ClockStanding::Unknown => {
                came.is_some_and(is_old)
                    || newest.is_some_and(|newest| is_of_later_time(newest, now, fresh))
            }
        }
    }

    /// What is to be said of the night over `station`, which the settings need not have.
    pub fn tonight(&self, station: &Station) -> Tonight {
        let readings = self.inner().readings.get(&station.id).cloned().unwrap_or_default();
        let now = self.clock.now();
        let readings: Vec<_> = readings.into_values().filter(|reading| reading.at <= now).collect();
        Tonight::of(station, &readings, now, self.is_clock_in_doubt(station))
    }

    /// The last reading up to now.
    pub fn latest(&self, id: &str) -> Option<SkyReading> {
        let inner = self.inner();
        let past = inner.readings.get(id)?.range(..=self.clock.now());
        past.last().map(|(_, reading)| reading.clone())
    }

    /// The readings of the last `span`, ascending.
    pub fn since(&self, id: &str, span: TimeDelta) -> Vec<SkyReading> {
        let now = self.clock.now();
        let inner = self.inner();
        let Some(readings) = inner.readings.get(id) else {
            return Vec::new();
        };
        readings.range(now - span..=now).map(|(_, reading)| reading.clone()).collect()
    }

    /// The last reading, unless it is stale by the station's rule, or nobody knows how old it is.
    pub fn fresh(&self, id: &str) -> Option<SkyReading> {
        let station = self.station(id)?;
        let latest = self.latest(id).filter(|_| !self.is_clock_in_doubt(&station))?;
        (self.clock.now() - latest.at <= stale_after(&station)).then_some(latest)
    }

    /// The time.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }
}

/// The age from which a station's reading is none.
pub fn stale_after(station: &Station) -> TimeDelta {
    match &station.safety {
        Some(rule) => rule.stale_after,
        None => SafetyRule::usual(&station.minutes).stale_after,
    }
}

/// A row as rules see it; none where another tool wrote it without its moment or amount.
pub fn reading_of(item: &ObservationItem) -> Option<SkyReading> {
    Some(SkyReading {
        at: item.slot_utc.as_deref()?.parse().ok()?,
        cover: item.cover()?,
        cloud_fraction: item.cloud_fraction,
        parts: item.parts(),
        confidence: item.confidence,
        quality: Quality::parse(item.quality.as_deref().unwrap_or_default()),
    })
}

/// Adds what is stored, until nobody holds `recent` any more.
async fn follow(
    recent: std::sync::Weak<RecentReadings>,
    ends: CancellationToken,
    mut events: Receiver<Event>,
) {
    loop {
        let event = tokio::select! {
            () = ends.cancelled() => return,
            event = events.recv() => event,
        };
        let Some(recent) = recent.upgrade() else {
            return;
        };
        match event {
            Ok(Event::Observation(station, reading)) => {
                recent.add(&station, &reading.item);
                recent.note(&station, &reading.item);
            }
            Ok(Event::Missed(_)) | Err(RecvError::Lagged(_)) => {
                let read = tokio::task::spawn_blocking(move || recent.load());
                if !matches!(read.await, Ok(Ok(()))) {
                    tracing::warn!("the readings that were missed could not be read");
                }
            }
            Ok(_) => {}
            Err(RecvError::Closed) => return,
        }
    }
}
