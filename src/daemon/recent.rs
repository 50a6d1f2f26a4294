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
use crate::daemon::operator::{ClockStanding, Event, Mode, Operator};
use crate::store::error::StoreError;
use crate::store::reader::{ObservationItem, Reader, ReadingFilter};
use celaje_sky::quality::Quality;
use celaje_sky::safety::age::{AgeMeasure, CountedReading, HeldReading};
use celaje_sky::safety::{SafetyRule, SafetyState, SkyReading, assess};
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
    began: Instant,
    inner: Mutex<KeptReadings>,
    ends: CancellationToken,
    _ends: DropGuard,
}

#[derive(Default)]
struct KeptReadings {
    stations: Vec<Arc<Station>>,
    readings: BTreeMap<String, BTreeMap<DateTime<Utc>, KeptReading>>,
}

struct KeptReading {
    reading: SkyReading,
    /// When it came; none where it was in the record when the program began.
    came: Option<Instant>,
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
            began: Clock::instant(),
            inner: Mutex::default(),
            ends: ends.clone(),
            _ends: ends.drop_guard(),
        });
        recent.inner().stations = stations.to_vec();
        recent.load(None)?;
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

    /// Reads the last day of every station anew; what was not known `came` then.
    fn load(&self, came: Option<Instant>) -> Result<(), StoreError> {
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
            items.iter().for_each(|item| self.add(&station.id, item, came));
        }
        Ok(())
    }

    /// Adds a row that `came` then, or replaces that of the same moment, which came when it did.
    fn add(&self, station: &str, item: &ObservationItem, came: Option<Instant>) {
        let Some(reading) = reading_of(item) else {
            return;
        };
        let oldest = self.clock.now() - KEPT_FOR;
        let mut inner = self.inner();
        let kept = inner.readings.entry(station.to_owned()).or_default();
        let came = kept.get(&reading.at).map_or(came, |known| known.came);
        kept.insert(reading.at, KeptReading { reading, came });
        // The last one tells how old the record is.
        let newest = kept.last_key_value().map(|(at, _)| *at);
        kept.retain(|at, _| *at >= oldest || Some(*at) == newest);
        while kept.len() > MOST {
            kept.pop_first();
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
        let now = self.clock.now();
        let Some(station) = self.station(id) else {
            // The settings named it once: whoever still asks is to hear that it is not safe.
            self.inner().readings.get(id)?;
            let unnamed = Station { safety: None, ..Station::rio_grande() };
            return Some(assess(&unnamed, std::iter::empty(), now));
        };
        let counted = self.counted(&station, now, |one| one.dated());
        if counted.is_none() && station.safety.is_some() {
            return Some(SafetyState::in_doubt());
        }
        Some(assess(&station, counted.unwrap_or_default().iter(), now))
    }

    /// What `taken` makes of the readings of a station that count; none while nobody knows how old
    /// the newest one is.
    fn counted<T>(
        &self,
        station: &Station,
        now: DateTime<Utc>,
        taken: impl Fn(&CountedReading<'_>) -> T,
    ) -> Option<Vec<T>> {
        let stale_after = stale_after(station);
        let standing = self.operator.clock_standing(&station.id, stale_after);
        if standing == ClockStanding::InDoubt {
            return None;
        }
        let measure = self.measure(station, now, standing);
        let inner = self.inner();
        let counted = measure.counted(self.held(&inner, &station.id))?;
        let is_old = counted.last().is_some_and(|last| now - last.moment > stale_after);
        if standing == ClockStanding::Unheard && !is_old {
            return None;
        }
        Some(counted.iter().map(taken).collect())
    }

    fn measure(
        &self,
        station: &Station,
        now: DateTime<Utc>,
        standing: ClockStanding,
    ) -> AgeMeasure {
        AgeMeasure {
            now,
            is_confirmed: standing == ClockStanding::Confirmed,
            running: self.clock.goes_on(self.began),
            stale_after: stale_after(station),
        }
    }

    /// The readings of a station in memory, ascending.
    fn held<'a>(
        &'a self,
        inner: &'a KeptReadings,
        id: &str,
    ) -> impl Iterator<Item = HeldReading<'a>> {
        let kept = inner.readings.get(id).into_iter().flat_map(BTreeMap::values);
        kept.map(|kept| HeldReading {
            reading: &kept.reading,
            came: kept.came.map(|came| self.clock.goes_on(came)),
        })
    }

    /// Whether the program runs for long enough to know what it knew before it was started anew.
    pub fn has_settled(&self, station: &Station) -> bool {
        let safe_after = station.safety.as_ref().map_or(TimeDelta::zero(), |rule| rule.safe_after);
        self.clock.goes_on(self.began) > stale_after(station) + safe_after
    }

    /// What is to be said of the night over `station`, which the settings need not have.
    pub fn tonight(&self, station: &Station) -> Tonight {
        let now = self.clock.now();
        let counted = self.counted(station, now, |one| one.dated());
        let measure = self.measure(station, now, ClockStanding::Unknown);
        let told: Vec<SkyReading> = {
            let inner = self.inner();
            let told = measure.told(self.held(&inner, &station.id)).into_iter();
            told.map(|one| one.dated()).collect()
        };
        Tonight::of(station, counted.as_deref(), &told, now)
    }

    /// The last reading up to now.
    pub fn latest(&self, id: &str) -> Option<SkyReading> {
        let inner = self.inner();
        let past = inner.readings.get(id)?.range(..=self.clock.now());
        past.last().map(|(_, kept)| kept.reading.clone())
    }

    /// The readings of the last `span`, ascending.
    pub fn since(&self, id: &str, span: TimeDelta) -> Vec<SkyReading> {
        let now = self.clock.now();
        let inner = self.inner();
        let Some(readings) = inner.readings.get(id) else {
            return Vec::new();
        };
        readings.range(now - span..=now).map(|(_, kept)| kept.reading.clone()).collect()
    }

    /// The last reading, unless it is stale by the station's rule, or nobody knows how old it is.
    pub fn fresh(&self, id: &str) -> Option<SkyReading> {
        let (station, now) = (self.station(id)?, self.clock.now());
        let taken = |counted: &CountedReading<'_>| (counted.moment, counted.reading.clone());
        let (moment, latest) = self.counted(&station, now, taken)?.pop()?;
        (now - moment < stale_after(&station)).then_some(latest)
    }

    /// Whether a station's camera is known to be gone, or its last reading is old or shows no sky.
    /// That nobody confirms the clock is none.
    pub fn has_problem(&self, station: &Station) -> bool {
        let stale_after = stale_after(station);
        let standing = self.operator.clock_standing(&station.id, stale_after);
        if standing == ClockStanding::InDoubt || self.operator.camera_is_gone(&station.id) {
            return true;
        }
        let (now, inner) = (self.clock.now(), self.inner());
        let past = inner.readings.get(&station.id).map(|readings| readings.range(..=now));
        past.and_then(Iterator::last).is_none_or(|(at, kept)| {
            let came = kept.came.map(|came| self.clock.goes_on(came));
            let age = came.unwrap_or_default().max(now - *at);
            kept.reading.oktas().is_none() || age >= stale_after
        })
    }

    /// The stations of the record that the settings do not name, by their ids; none where the
    /// program only shows what others write.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn unnamed(&self) -> Result<Vec<String>, StoreError> {
        if self.operator.state().mode == Mode::ReadOnly {
            return Ok(Vec::new());
        }
        let mut ids = Reader::open(&self.db)?.station_ids()?;
        ids.retain(|id| self.station(id).is_none());
        Ok(ids)
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
        came: None,
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
                recent.add(&station, &reading.item, Some(Clock::instant()));
            }
            Ok(Event::Missed(_)) | Err(RecvError::Lagged(_)) => {
                let came = Some(Clock::instant());
                let read = tokio::task::spawn_blocking(move || recent.load(came));
                if !matches!(read.await, Ok(Ok(()))) {
                    tracing::warn!("the readings that were missed could not be read");
                }
            }
            Ok(_) => {}
            Err(RecvError::Closed) => return,
        }
    }
}
