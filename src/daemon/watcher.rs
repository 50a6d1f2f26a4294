//! Watches a record that other processes may write: reads new rows once a second.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::daemon::operator::{Event, JobId, Mode, Operator, ProgramState, Refused};
use crate::store::error::StoreError;
use crate::store::reader::{ObservationItem, Reader, Reading, RunItem};
use crate::store::rows::{parse_timestamp, timestamp};
use crate::version::VERSION;
use celaje_sky::slot::SlotRange;

/// How often the record is polled.
const PERIOD: Duration = Duration::from_secs(1);
/// Rows of a kind that one poll turns into events.
const MOST: usize = 500;
/// Latest runs that a poll compares with the poll before.
const RUNS: usize = 16;
/// Readings that wait for the shadow model's reading, and for how many polls.
const AWAITED: (usize, u32) = (32, 120);
/// Events that a slow receiver may fall behind before it misses some.
const KEPT: usize = 1024;

/// An [`Operator`] that refuses every command.
pub struct RecordWatcher {
    started_at: DateTime<Utc>,
    events: broadcast::Sender<Event>,
    seen: Arc<Mutex<WatchCounts>>,
    _ends: DropGuard,
}

#[derive(Default)]
struct WatchCounts {
    pictures: BTreeMap<String, u64>,
    trouble: Option<String>,
}

/// The connection, and what the last poll found.
struct RecordPoller {
    reader: Reader,
    version: i64,
    rowid: i64,
    /// The latest attempt of a miss, and the misses of that second that were sent.
    tried: String,
    known: VecDeque<(String, String)>,
    runs: HashMap<i64, RunItem>,
    awaited: VecDeque<AwaitedReading>,
}

/// A reading that was sent before the shadow model had judged it.
struct AwaitedReading {
    station: String,
    item: ObservationItem,
    looks: u32,
}

impl RecordWatcher {
    /// Watches the record at `path`. To be called inside a tokio runtime.
    pub fn start(path: &Path) -> Result<Self, StoreError> {
        let mut poller = RecordPoller::new(path)?;
        let (events, seen) = (
            broadcast::channel(KEPT).0,
            Arc::new(Mutex::new(WatchCounts::default())),
        );
        let end = CancellationToken::new();
        let (ended, sender, noted) = (end.clone(), events.clone(), Arc::clone(&seen));
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
                    tracing::error!("looking for new rows failed: no more events");
                    return;
                };
                poller = back;
                let mut seen = noted.lock().unwrap_or_else(PoisonError::into_inner);
                match found {
                    Ok(found) => {
                        seen.trouble = None;
                        for event in found {
                            seen.count(&event);
                            let _ = sender.send(event);
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the record could not be looked at");
                        seen.trouble = Some(error.fault.to_string());
                    }
                }
            }
        });
        Ok(Self {
            started_at: Utc::now(),
            events,
            seen,
            _ends: end.drop_guard(),
        })
    }
}

impl WatchCounts {
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
    fn new(path: &Path) -> Result<Self, StoreError> {
        let mut reader = Reader::open(path)?;
        let version = reader.data_version()?;
        let rowid = reader.last_rowid()?;
        let tried = timestamp(Utc::now());
        let known = reader.missed_since(&tried, MOST)?;
        let runs = reader.runs(None, None, RUNS)?;
        Ok(Self {
            reader,
            version,
            rowid,
            tried,
            known: known
                .into_iter()
                .map(|(station, item)| (station, item.slot))
                .collect(),
            runs: runs.into_iter().map(|run| (run.id, run)).collect(),
            awaited: VecDeque::new(),
        })
    }

    /// Sent readings that the shadow model has judged since.
    fn look_at_shadows(&mut self) -> Result<Vec<Event>, StoreError> {
        let mut found = Vec::new();
        for mut awaited in std::mem::take(&mut self.awaited) {
            let shadow = self.reader.shadow(&awaited.station, &awaited.item.slot)?;
            if shadow.is_some() {
                let AwaitedReading { station, item, .. } = awaited;
                found.push(Event::Judged(station, Reading { item, shadow }));
                continue;
            }
            awaited.looks += 1;
            if awaited.looks < AWAITED.1 {
                self.awaited.push_back(awaited);
            }
        }
        Ok(found)
    }

    /// The event of a new reading.
    fn told(&mut self, station: String, item: ObservationItem) -> Result<Event, StoreError> {
        let shadow = self.reader.shadow(&station, &item.slot)?;
        if shadow.is_none() {
            if self.awaited.len() == AWAITED.0 {
                self.awaited.pop_front();
            }
            self.awaited.push_back(AwaitedReading {
                station: station.clone(),
                item: item.clone(),
                looks: 0,
            });
        }
        Ok(Event::Observation(station, Reading { item, shadow }))
    }

    fn look(&mut self) -> Result<Vec<Event>, StoreError> {
        let version = self.reader.data_version()?;
        if version == self.version {
            return Ok(Vec::new());
        }
        let mut found = self.look_at_shadows()?;
        let rows = self.reader.written_after(self.rowid, MOST)?;
        let mut whole = rows.len() < MOST;
        for row in rows {
            self.rowid = self.rowid.max(row.rowid);
            let told = self.told(row.station, row.item)?;
            found.push(told);
        }
        // Times have a resolution of a second: misses of the last second are read again.
        let missed = self.reader.missed_since(&self.tried, MOST)?;
        let full = missed.len() == MOST;
        whole &= !full;
        let before = found.len();
        for (station, item) in missed {
            if item.last_tried > self.tried {
                self.tried.clone_from(&item.last_tried);
                self.known.clear();
            }
            let key = (station.clone(), item.slot.clone());
            if !self.known.contains(&key) {
                self.known.push_back(key);
                found.push(Event::Miss(station, item));
            }
        }
        if full && found.len() == before {
            // More than a poll sends in one second: the rest is skipped.
            let next =
                parse_timestamp(&self.tried).unwrap_or_else(Utc::now) + TimeDelta::seconds(1);
            self.tried = timestamp(next);
            self.known.clear();
        }
        let runs = self.reader.runs(None, None, RUNS)?;
        for run in runs.iter().rev() {
            if self.runs.get(&run.id) != Some(run) {
                found.push(Event::Run(run.clone()));
            }
        }
        self.runs = runs.into_iter().map(|run| (run.id, run)).collect();
        if whole {
            self.version = version;
        }
        Ok(found)
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
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        ProgramState {
            version: VERSION.to_owned(),
            started_at: self.started_at,
            mode: Mode::ReadOnly,
            trouble: seen.trouble.clone(),
            engine: None,
            model: None,
            shadow_model: None,
            shadow: None,
            stations: Vec::new(),
            jobs: Vec::new(),
            actors: Vec::new(),
            flow: None,
            pictures: seen.pictures.clone(),
        }
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}
