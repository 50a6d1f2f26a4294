//! Shows a record that others write: looks for new rows once a second, and does nothing else.

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

/// How often it looks.
const PERIOD: Duration = Duration::from_secs(1);
/// Rows of a kind that are told of after one look.
const MOST: usize = 500;
/// Runs that are looked at again: others may have ended meanwhile.
const RUNS: usize = 16;
/// Readings, and for how many looks, that a second model may still judge.
const AWAITED: (usize, u32) = (32, 120);
/// Events that a receiver may be behind.
const KEPT: usize = 1024;

/// An [`Operator`] that refuses what it is told.
pub struct RecordWatcher {
    started_at: DateTime<Utc>,
    events: broadcast::Sender<Event>,
    seen: Arc<Mutex<Seen>>,
    _ends: DropGuard,
}

#[derive(Default)]
struct Seen {
    pictures: BTreeMap<String, u64>,
    trouble: Option<String>,
}

/// What was there at the last look.
struct Looker {
    reader: Reader,
    version: i64,
    rowid: i64,
    /// When a miss was last tried, and which of that second are known.
    tried: String,
    known: VecDeque<(String, String)>,
    runs: HashMap<i64, RunItem>,
    awaited: VecDeque<Awaited>,
}

/// A reading that was told of before a second model had judged it.
struct Awaited {
    station: String,
    item: ObservationItem,
    looks: u32,
}

impl RecordWatcher {
    /// Looks at the record at `path` from now on. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn start(path: &Path) -> Result<Self, StoreError> {
        let mut looker = Looker::new(path)?;
        let (events, seen) = (
            broadcast::channel(KEPT).0,
            Arc::new(Mutex::new(Seen::default())),
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
                    let found = looker.look();
                    (looker, found)
                });
                let Ok((back, found)) = looked.await else {
                    tracing::error!("looking for new rows failed: no more events");
                    return;
                };
                looker = back;
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

impl Seen {
    fn count(&mut self, event: &Event) {
        let result = match event {
            Event::Observation(..) => "new",
            Event::Miss(_, item) => item.reason.as_str(),
            Event::Judged(..) | Event::Run(_) | Event::State | Event::Missed(_) => return,
        };
        *self.pictures.entry(result.to_owned()).or_default() += 1;
    }
}

impl Looker {
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

    /// Readings that a second model has judged since they were told of.
    fn look_at_shadows(&mut self) -> Result<Vec<Event>, StoreError> {
        let mut found = Vec::new();
        for mut awaited in std::mem::take(&mut self.awaited) {
            let shadow = self.reader.shadow(&awaited.station, &awaited.item.slot)?;
            if shadow.is_some() {
                let Awaited { station, item, .. } = awaited;
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

    /// A new reading as it is told.
    fn told(&mut self, station: String, item: ObservationItem) -> Result<Event, StoreError> {
        let shadow = self.reader.shadow(&station, &item.slot)?;
        if shadow.is_none() {
            if self.awaited.len() == AWAITED.0 {
                self.awaited.pop_front();
            }
            self.awaited.push_back(Awaited {
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
        // A moment has a resolution of a second: those of the last one are asked for again.
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
            // More in one second than are told of: the rest of them is not.
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
