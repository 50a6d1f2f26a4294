//! Watches a record that others write: looks for new rows once a second and tells them as events.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::clock::Clock;
use crate::daemon::operator::{ClockStanding, Event, JobId, Mode, Operator, ProgramState, Refused};
use crate::store::SharedDatabase;
use crate::store::error::StoreError;
use crate::store::reader::{LatestReading, ObservationItem, Reader, RunItem};
use crate::store::rows::{parse_timestamp, timestamp};
use crate::version::VERSION;
use celaje_sky::slot::SlotRange;

/// Time between two looks.
const PERIOD: Duration = Duration::from_secs(1);
/// Rows of a kind that one look reports.
const MOST: usize = 500;
/// The last runs, whose ends are noticed.
const RUNS: usize = 16;
/// Readings that wait for a second model's reading, and the looks that each waits.
const AWAITED: (usize, u32) = (32, 120);
/// Events that a receiver may be behind.
const KEPT: usize = 1024;

/// An [`Operator`] that only reads: it refuses every order.
pub struct RecordWatcher {
    started_at: DateTime<Utc>,
    clock: Clock,
    events: broadcast::Sender<Event>,
    totals: Arc<Mutex<WatchCounts>>,
    _ends: DropGuard,
}

#[derive(Default)]
struct WatchCounts {
    pictures: BTreeMap<String, u64>,
    trouble: Option<String>,
}

/// Finds the rows that are new since the last look.
struct RecordPoller {
    reader: Reader,
    position: Position,
    clock: Clock,
}

/// What the last look that succeeded has seen.
#[derive(Clone)]
struct Position {
    clock: Clock,
    version: i64,
    rowid: i64,
    /// The reading at `rowid`: a reading that replaces the newest one takes over its rowid.
    newest: Option<(String, ObservationItem)>,
    /// When the last miss was tried, and the misses of that second that are known.
    tried: String,
    known: VecDeque<(String, String)>,
    runs: HashMap<i64, RunItem>,
    awaited: VecDeque<AwaitedReading>,
}

/// A reading that a second model may still judge.
#[derive(Clone)]
struct AwaitedReading {
    station: String,
    item: ObservationItem,
    looks: u32,
}

impl RecordWatcher {
    /// Watches the record at `path` from now on. To be called inside a tokio runtime.
    pub fn start(path: &Path, clock: Clock) -> Result<Self, StoreError> {
        let mut poller = RecordPoller::new(path, clock)?;
        let (events, totals) =
            (broadcast::channel(KEPT).0, Arc::new(Mutex::new(WatchCounts::default())));
        let end = CancellationToken::new();
        let (ended, sender, noted) = (end.clone(), events.clone(), Arc::clone(&totals));
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = ended.cancelled() => return,
                    () = tokio::time::sleep(PERIOD) => {}
                }
                let looked = tokio::task::spawn_blocking(move || {
                    let found = poller.look();
                    (poller, found)
                });
                let Ok((back, found)) = looked.await else {
                    tracing::error!("the watch for new rows failed: no more events");
                    return;
                };
                poller = back;
                let mut totals = noted.lock().unwrap_or_else(PoisonError::into_inner);
                match found {
                    Ok(found) => {
                        totals.trouble = None;
                        for event in found {
                            totals.count(&event);
                            let _ = sender.send(event);
                        }
                    }
                    Err(error) => {
                        if totals.note(error.fault.to_string()) {
                            tracing::warn!(%error, "the record could not be read for new rows");
                        }
                    }
                }
            }
        });
        Ok(Self { started_at: clock.now(), clock, events, totals, _ends: end.drop_guard() })
    }
}

impl WatchCounts {
    /// Notes why the record cannot be read; whether that is news.
    fn note(&mut self, trouble: String) -> bool {
        let is_new = self.trouble.as_ref() != Some(&trouble);
        self.trouble = Some(trouble);
        is_new
    }

    fn count(&mut self, event: &Event) {
        let result = match event {
            Event::Observation(..) => "new",
            Event::Miss(_, item) => item.reason.as_str(),
            Event::Judged(..) | Event::Run(_) | Event::State | Event::Missed(_) => return,
        };
        *self.pictures.entry(result.to_owned()).or_default() += 1;
    }
}

impl RecordPoller {
    fn new(path: &Path, clock: Clock) -> Result<Self, StoreError> {
        let mut reader = Reader::open(path)?;
        let position = Position::now(&mut reader, clock)?;
        Ok(Self { reader, position, clock })
    }

    /// The events since the last look. After an error the next look finds them again.
    fn look(&mut self) -> Result<Vec<Event>, StoreError> {
        let version = self.reader.data_version()?;
        if version == self.position.version {
            return Ok(Vec::new());
        }
        if self.reader.last_rowid()? < self.position.rowid {
            // Another file, or this one packed anew: its rows have other numbers.
            self.position = Position::now(&mut self.reader, self.clock)?;
            return Ok(vec![Event::Missed(1)]);
        }
        let mut next = self.position.clone();
        let mut events = next.shadows(&mut self.reader)?;
        let all_readings = next.readings(&mut self.reader, &mut events)?;
        let all_misses = next.misses(&mut self.reader, &mut events)?;
        next.runs(&mut self.reader, &mut events)?;
        if all_readings && all_misses {
            next.version = version;
        }
        self.position = next;
        Ok(events)
    }
}

impl Position {
    fn now(reader: &mut Reader, clock: Clock) -> Result<Self, StoreError> {
        let version = reader.data_version()?;
        let rowid = reader.last_rowid()?;
        let newest = reader.written_after(rowid - 1, 1)?.pop();
        let tried = timestamp(clock.now());
        let known = reader.missed_since(&tried, MOST)?;
        let runs = reader.runs(None, None, RUNS)?;
        Ok(Self {
            clock,
            version,
            rowid,
            newest: newest.map(|row| (row.station, row.item)),
            tried,
            known: known.into_iter().map(|(station, item)| (station, item.slot)).collect(),
            runs: runs.into_iter().map(|run| (run.id, run)).collect(),
            awaited: VecDeque::new(),
        })
    }

    /// Readings that a second model has judged since they were reported.
    fn shadows(&mut self, reader: &mut Reader) -> Result<Vec<Event>, StoreError> {
        let mut events = Vec::new();
        for mut awaited in std::mem::take(&mut self.awaited) {
            let shadow = reader.shadow(&awaited.station, &awaited.item.slot)?;
            if shadow.is_some() {
                let AwaitedReading { station, item, .. } = awaited;
                events.push(Event::Judged(station, LatestReading { item, shadow }));
                continue;
            }
            awaited.looks += 1;
            if awaited.looks < AWAITED.1 {
                self.awaited.push_back(awaited);
            }
        }
        Ok(events)
    }

    /// New readings; whether these are all of them.
    fn readings(
        &mut self,
        reader: &mut Reader,
        events: &mut Vec<Event>,
    ) -> Result<bool, StoreError> {
        let rows = reader.written_after(self.rowid - 1, MOST)?;
        let all = rows.len() < MOST;
        for row in rows {
            let newest = (row.station, row.item);
            if row.rowid == self.rowid && self.newest.as_ref() == Some(&newest) {
                continue;
            }
            self.rowid = row.rowid;
            self.newest = Some(newest.clone());
            let (station, item) = newest;
            let shadow = reader.shadow(&station, &item.slot)?;
            if shadow.is_none() {
                self.await_shadow(&station, &item);
            }
            events.push(Event::Observation(station, LatestReading { item, shadow }));
        }
        Ok(all)
    }

    fn await_shadow(&mut self, station: &str, item: &ObservationItem) {
        if self.awaited.len() == AWAITED.0 {
            self.awaited.pop_front();
        }
        self.awaited.push_back(AwaitedReading {
            station: station.to_owned(),
            item: item.clone(),
            looks: 0,
        });
    }

    /// New misses; whether these are all of them.
    fn misses(&mut self, reader: &mut Reader, events: &mut Vec<Event>) -> Result<bool, StoreError> {
        // The clock was set back: what is tried from now on is new all the same.
        let now = timestamp(self.clock.now());
        if now < self.tried {
            let known = reader.missed_since(&now, MOST)?;
            self.tried = now;
            self.known = known.into_iter().map(|(station, item)| (station, item.slot)).collect();
        }
        // A moment has a resolution of a second: those of the last one are asked for again.
        let missed = reader.missed_since(&self.tried, MOST)?;
        let full = missed.len() == MOST;
        let before = events.len();
        for (station, item) in missed {
            if item.last_tried > self.tried {
                self.tried.clone_from(&item.last_tried);
                self.known.clear();
            }
            let key = (station.clone(), item.slot.clone());
            if !self.known.contains(&key) {
                self.known.push_back(key);
                events.push(Event::Miss(station, item));
            }
        }
        if full && events.len() == before {
            // More misses in one second than are reported: the rest is skipped.
            let tried = parse_timestamp(&self.tried).unwrap_or_else(|| self.clock.now());
            self.tried = timestamp(tried + TimeDelta::seconds(1));
            self.known.clear();
        }
        Ok(!full)
    }

    fn runs(&mut self, reader: &mut Reader, events: &mut Vec<Event>) -> Result<(), StoreError> {
        let runs = reader.runs(None, None, RUNS)?;
        for run in runs.iter().rev() {
            if self.runs.get(&run.id) != Some(run) {
                events.push(Event::Run(run.clone()));
            }
        }
        self.runs = runs.into_iter().map(|run| (run.id, run)).collect();
        Ok(())
    }
}

/// Shows a record and lets it be labelled; fetches nothing.
pub struct LabelDesk {
    /// Sees what is written.
    pub watcher: RecordWatcher,
    /// The record.
    pub database: SharedDatabase,
}

impl Operator for LabelDesk {
    fn start_backfill(&self, station: &str, range: SlotRange) -> Result<JobId, Refused> {
        self.watcher.start_backfill(station, range)
    }

    fn cancel(&self, job: JobId) -> Result<(), Refused> {
        self.watcher.cancel(job)
    }

    fn state(&self) -> ProgramState {
        self.watcher.state()
    }

    fn clock_standing(&self, station: &str, tolerated: TimeDelta) -> ClockStanding {
        self.watcher.clock_standing(station, tolerated)
    }

    fn record(&self) -> Result<SharedDatabase, Refused> {
        Ok(self.database.clone())
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.watcher.events()
    }
}

impl Operator for RecordWatcher {
    fn start_backfill(&self, _: &str, _: SlotRange) -> Result<JobId, Refused> {
        Err(Refused::ReadOnly)
    }

    fn cancel(&self, _: JobId) -> Result<(), Refused> {
        Err(Refused::ReadOnly)
    }

    fn state(&self) -> ProgramState {
        let totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        ProgramState {
            version: VERSION.to_owned(),
            started_at: self.started_at,
            mode: Mode::ReadOnly,
            trouble: totals.trouble.clone(),
            engine: None,
            model: None,
            shadow_model: None,
            shadow: None,
            stations: Vec::new(),
            jobs: Vec::new(),
            actors: Vec::new(),
            queue: None,
            flow: None,
            pictures: totals.pictures.clone(),
            record_lost: false,
            record_losses: 0,
        }
    }

    /// No host is asked. The clock of a test is right.
    fn clock_standing(&self, _: &str, _: TimeDelta) -> ClockStanding {
        match self.clock.is_the_machines() {
            true => ClockStanding::Unknown,
            false => ClockStanding::Confirmed,
        }
    }

    fn record(&self) -> Result<SharedDatabase, Refused> {
        Err(Refused::ReadOnly)
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_that_lasts_is_news_once() {
        let mut counts = WatchCounts::default();
        let news = ["gone", "gone", "locked", "gone"].map(|why| counts.note(why.to_owned()));
        assert_eq!(news, [true, false, true, true]);
    }
}
