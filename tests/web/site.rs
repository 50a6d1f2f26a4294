//! A record, a server on it, and an operator that only notes its orders.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use celaje::daemon::operator::{
    ActorState, ClockStanding, Event, JobId, JobProgress, JobState, JobStatus, Mode, Operator,
    OutcomeCounts, ProgramState, QueueState, Refused, WorkerState,
};
use celaje::settings::{Layer, Settings};
use celaje::store::reader::ObservationItem;
use celaje::store::{CommitMode, Database, PictureSource, RunId, RunStart, SharedDatabase};
use celaje::web::token::Token;
use celaje::web::{self, Running, WebOptions};
use celaje_sky::cover::Cover;
use celaje_sky::okta::OktaRange;
use celaje_sky::outcome::{Miss, MissReason, Observation, Outcome};
use celaje_sky::quality::{Flag, Quality};
use celaje_sky::slot::{Slot, SlotRange};
use celaje_sky::station::Station;
use celaje_sky::station::zone::SkyParts;
use celaje_sky::sun::{DayPhase, position};
use chrono::{NaiveDateTime, TimeDelta, Utc};
use tempfile::TempDir;
use tokio::sync::broadcast;

use crate::client::{self, Reply};
use crate::described;

pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Notes its orders, and says that a backfill runs.
pub struct FakeOperator {
    pub orders: Mutex<Vec<String>>,
    pub trouble: Mutex<Option<String>>,
    pub sender: broadcast::Sender<Event>,
    pub refuse: Mutex<Option<Refused>>,
    /// Its camera's host shows the same time, unless a test says otherwise.
    pub clock: Mutex<ClockStanding>,
    /// The record, and the station that it is opened for.
    record: (PathBuf, Station),
}

impl Operator for FakeOperator {
    fn start_backfill(&self, station: &str, range: SlotRange) -> Result<JobId, Refused> {
        if let Some(refused) = self.refuse.lock().unwrap().clone() {
            return Err(refused);
        }
        let mut orders = self.orders.lock().unwrap();
        orders.push(format!("start {station} {} {}", range.from(), range.to()));
        Ok(JobId(orders.len() as u64))
    }

    fn cancel(&self, job: JobId) -> Result<(), Refused> {
        if job.0 != 7 {
            return Err(Refused::UnknownJob(job));
        }
        self.orders.lock().unwrap().push("cancel 7".to_owned());
        Ok(())
    }

    fn state(&self) -> ProgramState {
        let progress = JobProgress {
            planned: 10,
            new: 4,
            rate: Some(2.0),
            eta_s: Some(3.0),
            ..JobProgress::default()
        };
        ProgramState {
            version: "test".to_owned(),
            started_at: Utc::now(),
            mode: Mode::Daemon,
            trouble: self.trouble.lock().unwrap().clone(),
            engine: Some("fake".to_owned()),
            model: Some("a \"model\"".to_owned()),
            shadow_model: None,
            shadow: None,
            stations: Vec::new(),
            jobs: vec![JobState {
                job: JobId(7),
                station: "rio-grande".to_owned(),
                from: "2024-01-01T00:00".to_owned(),
                to: "2024-01-02T00:00".to_owned(),
                status: JobStatus::Running,
                run: Some(1),
                asked_at: Utc::now(),
                started_at: None,
                finished_at: None,
                progress,
                error: None,
            }],
            actors: vec![ActorState {
                name: "fetch".to_owned(),
                restarts: 2,
                last_error: Some("broke".to_owned()),
                last_error_at: None,
                working: 0,
            }],
            queue: Some(QueueState {
                address: "nats://127.0.0.1:4222".to_owned(),
                connected: true,
                since: Some(Utc::now()),
                trouble: None,
                workers: vec![WorkerState {
                    name: "ab12".to_owned(),
                    version: "test".to_owned(),
                    jobs: 3,
                    slots: 500,
                    rate: Some(12.5),
                    silent_s: 2.0,
                }],
                outcomes: OutcomeCounts { taken: 480, repeated: 20, refused: 2, broken: 1 },
                given_again: 7,
            }),
            flow: Some(celaje_sky::flow::Flow::default().report()),
            pictures: BTreeMap::from([("new".to_owned(), 3), ("not_found".to_owned(), 1)]),
            record_lost: false,
            record_losses: 0,
        }
    }

    fn clock_standing(&self, _: &str, _: TimeDelta) -> ClockStanding {
        *self.clock.lock().unwrap()
    }

    fn record(&self) -> Result<SharedDatabase, Refused> {
        match self.refuse.lock().unwrap().clone() {
            Some(refused) => Err(refused),
            None => Ok(Database::open(&self.record.0, &self.record.1).unwrap().database.into()),
        }
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.sender.subscribe()
    }
}

pub struct Site {
    pub folder: TempDir,
    pub db: PathBuf,
    pub running: Running,
    pub operator: Arc<FakeOperator>,
    pub station: Station,
    /// The path under which a proxy shows it.
    base: String,
}

pub fn at(text: &str) -> NaiveDateTime {
    celaje::store::rows::parse_slot(text).unwrap()
}

/// A reading whose okta, 0 to 9, follows from its slot.
pub fn reading(station: &Station, slot: Slot, base: &str) -> Outcome {
    let code = (slot.local().and_utc().timestamp() / 600).rem_euclid(10) as u8;
    let cover = Cover::from_code(code).unwrap();
    let seen = cover != Cover::Obscured;
    let sun = position(slot.utc(), station.latitude, station.longitude);
    let phase = DayPhase::from_elevation(sun.elevation);
    let mut quality = Quality::default();
    match phase {
        DayPhase::Day => {}
        DayPhase::Twilight => quality.add(Flag::Twilight),
        DayPhase::Night => quality.add(Flag::Night),
    }
    if !seen {
        quality.add(Flag::NoSky);
    }
    Outcome::Observed(Box::new(Observation {
        slot,
        url: format!("{base}{}/{}", slot.year(), slot.file_name()),
        cover,
        cloud_fraction: seen.then(|| f64::from(code) / 8.0),
        parts: SkyParts::default(),
        confidence: seen.then_some(0.75),
        range: cover.okta().map(|okta| OktaRange::of(okta).widened(1)),
        quality,
        model: "model 1".to_owned(),
        model_sha256: "0".repeat(64),
        taken_at: None,
        solar_elevation: sun.elevation,
        day_phase: phase,
        width: 800,
        height: 600,
        image_sha256: format!("{:064x}", slot.utc().timestamp()),
    }))
}

pub fn miss(slot: Slot) -> Outcome {
    Outcome::Missed(Miss {
        slot,
        reason: MissReason::NotFound,
        http_status: Some(404),
        attempts: 2,
        detail: "HTTP 404, \"gone\"".to_owned(),
        unasked: None,
    })
}

pub fn begin(database: &mut Database, range: SlotRange) -> RunId {
    let start = RunStart {
        range,
        source: PictureSource::default(),
        kind: celaje::store::RunKind::Backfill,
        version: "1".to_owned(),
        engine: "fake".to_owned(),
        model: "model 1".to_owned(),
    };
    database.begin_run(&start).unwrap()
}

/// Stores readings of the whole range, and a miss at 12:02 of each day.
pub fn fill(database: &mut Database, station: &Station, from: &str, to: &str, base: &str) {
    let range = SlotRange::new(at(from), at(to)).unwrap();
    let run = begin(database, range);
    let outcomes: Vec<_> = range
        .slots(&station.minutes, station.zone)
        .map(|slot| match slot.to_string().ends_with("T12:02") {
            true => miss(slot),
            false => reading(station, slot, base),
        })
        .collect();
    for some in outcomes.chunks(5000) {
        database.commit(run, CommitMode::Insert, some).unwrap();
    }
}

/// A record of these minutes, and nothing else.
pub fn record(from: &str, to: &str, base: &str) -> (TempDir, PathBuf, Station) {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("record.db");
    let station = Station { url_base: base.to_owned(), ..Station::rio_grande() };
    let mut database = Database::open(&db, &station).unwrap().database;
    fill(&mut database, &station, from, to, base);
    (folder, db, station)
}

impl Site {
    /// Two days of January and their misses, served with a token.
    pub fn new() -> Self {
        Self::of("2024-01-01T00:00", "2024-01-02T23:59", "http://127.0.0.1:9/", |_| {})
    }

    pub fn of(from: &str, to: &str, base: &str, change: impl FnOnce(&mut WebOptions)) -> Self {
        let (folder, db, station) = record(from, to, base);
        let config = folder.path().join("empty.toml");
        std::fs::write(&config, "").unwrap();
        let flags = Layer {
            db: Some(db.clone()),
            url_base: Some(base.to_owned()),
            engine: Some(celaje_vision::engine::choose::EngineChoice::Rten),
            ..Layer::default()
        };
        let settings = Settings::resolve(flags, Some(&config), |_| None).unwrap();
        let operator = Arc::new(FakeOperator {
            orders: Mutex::default(),
            trouble: Mutex::default(),
            sender: broadcast::channel(64).0,
            refuse: Mutex::default(),
            clock: Mutex::new(ClockStanding::Confirmed),
            record: (db.clone(), station.clone()),
        });
        let mut options = WebOptions {
            token: Some(Token::new(TOKEN, "this test").unwrap()),
            ..WebOptions::new("127.0.0.1:0".parse().unwrap(), &settings)
        };
        change(&mut options);
        let base = options.base.as_str().to_owned();
        let running = web::start(options, Arc::clone(&operator) as Arc<dyn Operator>).unwrap();
        Self { folder, db, running, operator, station, base }
    }

    pub fn addr(&self) -> SocketAddr {
        self.running.addr
    }

    pub async fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let (addr, sent, wanted) = (self.addr(), method.to_owned(), target.to_owned());
        let headers: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let body = body.to_vec();
        let reply = tokio::task::spawn_blocking(move || {
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            client::request(addr, &sent, &wanted, &headers, &body)
        });
        let reply = reply.await.unwrap();
        let path = target.strip_prefix(&self.base).filter(|path| path.starts_with('/'));
        if target != self.base {
            described::check(method, path.unwrap_or(target), &reply);
        }
        reply
    }

    pub async fn get(&self, target: &str) -> Reply {
        self.ask("GET", target, &[("Accept-Language", "en")], b"").await
    }

    /// Changes the record as another program would.
    pub fn execute(&self, statements: &str) {
        use diesel::connection::SimpleConnection;
        use diesel::{Connection, SqliteConnection};

        let mut other = SqliteConnection::establish(self.db.to_str().unwrap()).unwrap();
        other.batch_execute(statements).unwrap();
    }

    /// The record, opened to write.
    pub fn database(&self) -> Database {
        Database::open(&self.db, &self.station).unwrap().database
    }
}

pub fn item(slot: &str) -> ObservationItem {
    ObservationItem {
        slot: slot.to_owned(),
        slot_utc: None,
        okta: 3,
        cloud_fraction: None,
        confidence: None,
        okta_low: None,
        okta_high: None,
        category: None,
        description: None,
        quality: Some("night,frozen".to_owned()),
        model: None,
        solar_elevation: None,
        day_phase: None,
        url: None,
        zenith_fraction: None,
        zones: None,
        taken_at: None,
        picture_name: None,
    }
}
