//! The state of the daemon: workers write it, and whoever holds the [`Operator`] reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Notify, broadcast};

use crate::actors::guard::Oversight;
use crate::actors::health::ActorReport;
use crate::actors::shadow::ShadowCounts;
use crate::clock::{Clock, KnownTime};
use crate::daemon::jobs::JobQueue;
use crate::daemon::operator::{
    ActorState, CameraState, ClockStanding, Event, JobId, JobState, JobStatus, Mode, Operator,
    ProgramState, Refused, ShadowState, StationState,
};
use crate::daemon::queue::DaemonQueue;
use crate::daemon::watcher::RecordWatcher;
use crate::service::request::{check_due, check_range, refuse_the_latest};
use crate::store::{Agreement, SharedDatabase, WeakDatabase};
use crate::version::VERSION;
use celaje_sky::clock::SAME_TIME;
use celaje_sky::flow::Flow;
use celaje_sky::say;
use celaje_sky::slot::SlotRange;
use celaje_sky::station::Station;

/// Events that a slow receiver may fall behind before it misses some.
const EVENTS: usize = 1024;

pub struct DaemonState {
    started_at: DateTime<Utc>,
    clock: Clock,
    /// Sees what is committed, as any reader does.
    watcher: RecordWatcher,
    /// The workers have it open.
    database: WeakDatabase,
    events: broadcast::Sender<Event>,
    flow: Arc<Flow>,
    stopping: AtomicBool,
    /// The database is not in its place.
    record_lost: AtomicBool,
    record_losses: AtomicU64,
    queue: DaemonQueue,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    engine: String,
    model: String,
    shadow: Option<(String, Arc<ShadowCounts>)>,
    agreement: BTreeMap<String, Agreement>,
    trouble: BTreeMap<String, String>,
    /// What the hosts of the stations' cameras show, where they were asked and tell it.
    hosts: BTreeMap<String, Option<KnownTime>>,
    stations: Vec<StationEntry>,
    jobs: JobQueue,
}

/// A station and what its worker reports.
struct StationEntry {
    station: Arc<Station>,
    state: StationState,
    /// How its actors are.
    oversight: Option<Oversight>,
    bells: StationBells,
}

/// What wakes a station's workers.
#[derive(Clone, Default)]
pub struct StationBells {
    /// The one that asks for due slots.
    pub live: Arc<Notify>,
    /// The one that fills the past by a queue, if there is one.
    pub filling: Arc<Notify>,
}

impl StationBells {
    /// Wakes them all.
    pub fn ring(&self) {
        self.live.notify_one();
        self.filling.notify_one();
    }
}

/// What a station's doubt of the clock is kept under: no station has such an id.
fn clock_of(station: &str) -> String {
    format!("{station} clock")
}

impl StationEntry {
    fn actors(&self, alone: bool) -> Vec<ActorState> {
        let reports = self.oversight.as_ref().map(Oversight::report);
        let told = |report: ActorReport| {
            let part = report.actor.as_str();
            ActorState {
                name: match alone {
                    true => part.to_owned(),
                    false => format!("{}/{part}", self.station.id),
                },
                restarts: report.restarts,
                last_error: report.last_error,
                last_error_at: report.last_error_at,
                working: report.working as u64,
            }
        };
        reports.unwrap_or_default().into_iter().map(told).collect()
    }
}

impl DaemonState {
    /// Forwards the events of `watcher`. To be called inside a tokio runtime.
    pub fn new(
        watcher: RecordWatcher,
        database: WeakDatabase,
        flow: Arc<Flow>,
        clock: Clock,
    ) -> Arc<Self> {
        let events = broadcast::channel(EVENTS).0;
        let (mut seen, sender) = (watcher.events(), events.clone());
        tokio::spawn(async move {
            loop {
                match seen.recv().await {
                    Ok(event) => {
                        let _ = sender.send(event);
                    }
                    Err(broadcast::error::RecvError::Lagged(missed)) => {
                        let _ = sender.send(Event::Missed(missed));
                    }
                    Err(broadcast::error::RecvError::Closed) => return,
                }
            }
        });
        Arc::new(Self {
            started_at: clock.now(),
            clock,
            watcher,
            database,
            events,
            flow,
            stopping: AtomicBool::new(false),
            record_lost: AtomicBool::new(false),
            record_losses: AtomicU64::new(0),
            queue: DaemonQueue::default(),
            inner: Mutex::default(),
        })
    }

    /// The queue through which workers fill the past.
    pub const fn queue(&self) -> &DaemonQueue {
        &self.queue
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends [`Event::State`].
    pub fn changed(&self) {
        let _ = self.events.send(Event::State);
    }

    /// Sets the model, the engine and the shadow model.
    pub fn set_models(
        &self,
        model: &str,
        engine: &str,
        shadow: Option<(String, Arc<ShadowCounts>)>,
    ) {
        let mut inner = self.inner();
        (inner.model, inner.engine) = (model.to_owned(), engine.to_owned());
        inner.shadow = shadow;
        inner.agreement.clear();
    }

    /// Adds a station, or exchanges its settings; gives what wakes its workers.
    pub fn add_station(&self, station: &Arc<Station>) -> StationBells {
        let mut inner = self.inner();
        if let Some(known) = inner.stations.iter_mut().find(|known| known.station.id == station.id)
        {
            known.station = Arc::clone(station);
            return known.bells.clone();
        }
        let bells = StationBells::default();
        inner.stations.push(StationEntry {
            station: Arc::clone(station),
            state: StationState {
                id: station.id.clone(),
                next_slot: None,
                next_tick: None,
                last_tick: None,
                camera: CameraState::default(),
            },
            oversight: None,
            bells: bells.clone(),
        });
        bells
    }

    /// Removes a station and ends its jobs.
    pub fn remove_station(&self, id: &str) {
        let why = say!(
            "the settings name the station '{id}' no more",
            "los ajustes ya no nombran la estación '{id}'"
        );
        let mut inner = self.inner();
        inner.stations.retain(|known| known.station.id != id);
        inner.trouble.remove(id);
        inner.trouble.remove(&clock_of(id));
        inner.hosts.remove(id);
        self.queue.set_trouble(id, None);
        inner.agreement.remove(id);
        inner.jobs.leave(id, &why.to_string(), self.clock.now());
        drop(inner);
        self.changed();
    }

    /// Sets where the health of a station's actors is kept.
    pub fn set_oversight(&self, id: &str, oversight: Oversight) {
        let mut inner = self.inner();
        let mut stations = inner.stations.iter_mut();
        if let Some(known) = stations.find(|known| known.station.id == id) {
            known.oversight = Some(oversight);
        }
    }

    /// Sets the next slot of a station, and when it is due.
    pub fn set_next(&self, id: &str, slot: Option<String>, tick: DateTime<Utc>) {
        self.with_station(id, |state| {
            (state.next_slot, state.next_tick) = (slot, Some(tick));
        });
    }

    /// Notes that a station's picture was requested.
    pub fn ticked(&self, id: &str, now: DateTime<Utc>) {
        self.with_station(id, |state| state.last_tick = Some(now));
        self.changed();
    }

    /// When the program was started.
    pub const fn started_at(&self) -> DateTime<Utc> {
        self.started_at
    }

    /// Sets where a station's pictures are.
    pub fn set_camera(&self, id: &str, address: String) {
        self.with_station(id, |state| {
            if state.camera.address != address {
                state.camera = CameraState { address, ..CameraState::default() };
            }
        });
    }

    /// Notes what came of a station's due slot, and gives what `note` makes of it.
    pub fn camera<T>(
        &self,
        id: &str,
        note: impl FnOnce(&mut CameraState) -> Option<T>,
    ) -> Option<T> {
        let mut turn = None;
        self.with_station(id, |state| turn = note(&mut state.camera));
        turn
    }

    fn with_station(&self, id: &str, change: impl FnOnce(&mut StationState)) {
        let mut inner = self.inner();
        if let Some(known) = inner.stations.iter_mut().find(|known| known.station.id == id) {
            change(&mut known.state);
        }
    }

    /// Sets why a station (by its id) or the settings fail, none when they work again; whether that
    /// is news.
    pub fn set_trouble(&self, of: &str, why: Option<String>) -> bool {
        let mut inner = self.inner();
        let before = match why {
            Some(why) => inner.trouble.insert(of.to_owned(), why),
            None => inner.trouble.remove(of),
        };
        let after = inner.trouble.get(of).cloned();
        drop(inner);
        let is_news = before != after;
        if is_news {
            self.changed();
        }
        is_news
    }

    /// Sets why the clock looks wrong to a station; none when it looks right again.
    pub fn set_clock_doubt(&self, station: &str, why: Option<String>) {
        self.set_trouble(&clock_of(station), why);
    }

    /// Whether the clock looks wrong to a station.
    pub fn doubts_the_clock(&self, station: &str) -> bool {
        self.inner().trouble.contains_key(&clock_of(station))
    }

    /// Sets what the host of a station's camera shows; none if it tells no time. Until then the
    /// clock is in doubt.
    pub fn set_host_time(&self, station: &str, host: Option<KnownTime>) {
        let before = self.inner().hosts.insert(station.to_owned(), host);
        if host.is_some() || before.flatten().is_some() {
            self.changed();
        }
    }

    /// Sets whether the database is not in its place any more.
    pub fn set_record_lost(&self, lost: bool) {
        if lost && !self.record_lost.load(Ordering::Relaxed) {
            self.record_losses.fetch_add(1, Ordering::Relaxed);
        }
        self.record_lost.store(lost, Ordering::Relaxed);
    }

    /// Sets how the shadow's readings of a station compare with the record.
    pub fn set_agreement(&self, station: &str, agreement: Agreement) {
        self.inner().agreement.insert(station.to_owned(), agreement);
    }

    /// Name and version of the shadow.
    pub fn shadow(&self) -> Option<String> {
        self.inner().shadow.as_ref().map(|(model, _)| model.clone())
    }

    /// Reads or changes the job queue.
    pub fn jobs<T>(&self, work: impl FnOnce(&mut JobQueue) -> T) -> T {
        work(&mut self.inner().jobs)
    }

    /// Refuses new jobs from now on.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether new jobs are refused.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Why no sky of a station is safe by its rule, though its pictures are read: its camera's host
    /// shows another time.
    fn two_clocks(&self, inner: &Inner, station: &Station) -> Option<String> {
        let (id, rule) = (&station.id, station.safety.as_ref()?);
        let (host, now) = ((*inner.hosts.get(id)?)?.now(self.clock)?, self.clock.now());
        if (host - now).abs() <= rule.stale_after || inner.trouble.contains_key(&clock_of(id)) {
            return None;
        }
        let [now, host] = [now, host].map(|time| time.format("%Y-%m-%dT%H:%MZ").to_string());
        let text = say!(
            "no sky of the station '{id}' is safe: the clock of this machine shows {now} and the \
             camera's {host}; set the one that is wrong, or trust_clock = true if that is the \
             camera's",
            "ningún cielo de la estación '{id}' es seguro: el reloj de esta máquina marca {now} y \
             el de la cámara, {host}; ponga en hora el que esté mal, o trust_clock = true si es el \
             de la cámara"
        );
        Some(text.to_string())
    }

    fn shadow_state(inner: &Inner) -> Option<ShadowState> {
        let (model, counts) = inner.shadow.as_ref()?;
        let (mut compared, mut exact, mut within_one, mut sum) = (0, 0, 0, 0.0);
        for agreement in inner.agreement.values() {
            compared += agreement.compared;
            exact += agreement.exact;
            within_one += agreement.within_one;
            sum += agreement.bias * agreement.compared as f64;
        }
        let share = |n: u64| (compared > 0).then(|| n as f64 / compared as f64);
        Some(ShadowState {
            model: model.clone(),
            judged: counts.judged(),
            skipped: counts.skipped(),
            failed: counts.failed(),
            last_error: counts.last_error(),
            compared,
            exact: share(exact),
            within_one: share(within_one),
            bias: (compared > 0).then(|| sum / compared as f64),
        })
    }
}

impl Operator for DaemonState {
    fn start_backfill(&self, station: &str, range: SlotRange) -> Result<JobId, Refused> {
        if self.is_stopping() {
            return Err(Refused::Stopping);
        }
        let mut inner = self.inner();
        let Some(known) = inner.stations.iter().find(|known| known.station.id == station) else {
            return Err(Refused::UnknownStation(station.to_owned()));
        };
        let (place, bells) = (Arc::clone(&known.station), known.bells.clone());
        let now = self.clock.now();
        refuse_the_latest(&place)
            .and_then(|()| check_range(range, &place))
            .and_then(|()| check_due(range, &place, now))
            .map_err(|failure| Refused::BadRange(failure.text))?;
        let job = inner.jobs.ask(station, range, now)?;
        drop(inner);
        bells.ring();
        self.changed();
        Ok(job)
    }

    fn cancel(&self, job: JobId) -> Result<(), Refused> {
        let mut inner = self.inner();
        inner.jobs.cancel(job, self.clock.now())?;
        let station = inner.jobs.find(job).map(|job| job.state.station.clone());
        let mut stations = inner.stations.iter();
        let of_it = stations.find(|known| Some(&known.station.id) == station.as_ref());
        if let Some(known) = of_it {
            known.bells.ring();
        }
        drop(inner);
        self.changed();
        Ok(())
    }

    fn camera_is_gone(&self, station: &str) -> bool {
        let inner = self.inner();
        let known = inner.stations.iter().find(|known| known.station.id == station);
        known.is_some_and(|known| known.state.camera.up == Some(false))
    }

    fn clock_standing(&self, station: &str, tolerated: TimeDelta) -> ClockStanding {
        let inner = self.inner();
        if inner.trouble.contains_key(&clock_of(station)) {
            return ClockStanding::InDoubt;
        }
        match inner.hosts.get(station) {
            None => ClockStanding::Unheard,
            Some(None) => ClockStanding::Unknown,
            Some(Some(host)) => match host.now(self.clock).map(|host| host - self.clock.now()) {
                Some(off) if off.abs() <= SAME_TIME => ClockStanding::Confirmed,
                Some(off) if off.abs() <= tolerated => ClockStanding::Unknown,
                Some(_) | None => ClockStanding::InDoubt,
            },
        }
    }

    fn state(&self) -> ProgramState {
        let inner = self.inner();
        let jobs: Vec<JobState> = inner.jobs.states();
        // The stations of one machine may have one trouble.
        let mut trouble: BTreeSet<String> = inner.trouble.values().cloned().collect();
        let stations = inner.stations.iter().map(|known| &known.station);
        trouble.extend(stations.filter_map(|one| self.two_clocks(&inner, one)));
        let trouble: Vec<String> = trouble.into_iter().collect();
        ProgramState {
            version: VERSION.to_owned(),
            started_at: self.started_at,
            mode: Mode::Daemon,
            trouble: (!trouble.is_empty()).then(|| trouble.join("; ")),
            engine: Some(inner.engine.clone()),
            model: Some(inner.model.clone()),
            shadow_model: inner.shadow.as_ref().map(|(model, _)| model.clone()),
            shadow: Self::shadow_state(&inner),
            stations: inner.stations.iter().map(|known| known.state.clone()).collect(),
            jobs,
            actors: inner
                .stations
                .iter()
                .flat_map(|known| known.actors(inner.stations.len() == 1))
                .collect(),
            queue: self.queue.state(self.clock),
            flow: Some(self.flow.report()),
            pictures: self.watcher.state().pictures,
            record_lost: self.record_lost.load(Ordering::Relaxed),
            record_losses: self.record_losses.load(Ordering::Relaxed),
        }
    }

    fn record(&self) -> Result<SharedDatabase, Refused> {
        if self.is_stopping() {
            return Err(Refused::Stopping);
        }
        self.database.upgrade().ok_or(Refused::Stopping)
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}

impl DaemonState {
    /// Whether the job is cancelled or gone.
    pub fn is_cancelled(&self, job: JobId) -> bool {
        self.jobs(|jobs| jobs.find(job).is_none_or(|job| job.cancelled))
    }

    /// Closes a job.
    pub fn end_job(&self, job: JobId, status: JobStatus, error: Option<String>) {
        self.jobs(|jobs| jobs.end(job, status, error, self.clock.now()));
        self.changed();
    }
}
