//! A pipeline on a database of its own, and what must hold after every run of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use celaje::camera::Source;
use celaje::camera::http::HttpLimits;
use celaje::camera::kept::KeptPictures;
use celaje::clock::Clock;
use celaje::service::supervision::Supervision;
use celaje::service::{Pipeline, RunPolicy, RunReport, Setup, Shadow};
use celaje::settings::tuning::CommitPolicy;
use celaje::settings::tuning::Tuning;
use celaje::store::{Database, SharedDatabase};
use celaje_sky::retry::RetryPolicy;
use celaje_sky::slot::SlotRange;
use celaje_sky::station::{LayoutChoice, Station};
use celaje_vision::engine::backend::Engine;
use celaje_vision::model::source::Model;
use celaje_vision::picture::decode::Limits;
use tempfile::TempDir;

use super::judge::{self, Judge};
use super::record::Record;
use super::server::Server;

/// Small and hurried: quick retries, short patience.
pub fn tuning() -> Tuning {
    Tuning {
        concurrency: 4,
        adaptive: false,
        max_rps: None,
        batch: 4,
        batch_deadline: Duration::from_millis(2),
        threads: 2,
        session_threads: 1,
        decoders: 2,
        shares_cores: true,
        commit: CommitPolicy { rows: 8, wait: Duration::from_millis(2) },
        http: HttpLimits {
            connect_timeout: Duration::from_secs(2),
            read_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(10),
            body_limit: 100_000,
            keep_alive: 4,
            retry: RetryPolicy { base: Duration::from_millis(2), ..RetryPolicy::default() },
        },
        picture: Limits::default(),
        patience: Duration::from_secs(20),
    }
}

/// See the module.
pub struct Stage {
    folder: TempDir,
    pub station: Station,
    pub source: Source,
    pub model: Arc<Model>,
    pub engine: Arc<dyn Engine>,
    pub tuning: Tuning,
    pub policy: RunPolicy,
    pub supervision: Supervision,
    pub shadow: Option<Shadow>,
    pub kept: Option<Arc<KeptPictures>>,
    pub clock: Clock,
}

impl Stage {
    /// Pictures of `server`, judged by their colour.
    pub fn new(server: &Server) -> Self {
        Self::at(&server.base())
    }

    pub fn at(base: &str) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            station: super::station(base),
            source: Source::Http(base.parse().unwrap()),
            model: judge::model(),
            engine: Judge::default().engine(),
            tuning: tuning(),
            policy: RunPolicy::default(),
            supervision: Supervision::default(),
            shadow: None,
            kept: None,
            clock: Clock::SYSTEM,
        }
    }

    pub fn with_layout(mut self, layout: LayoutChoice) -> Self {
        self.station.layout = layout;
        self
    }

    pub fn with_engine(mut self, engine: Arc<dyn Engine>) -> Self {
        self.engine = engine;
        self
    }

    pub fn with_timeouts(mut self, read: u64, total: u64) -> Self {
        self.tuning.http.read_timeout = Duration::from_millis(read);
        self.tuning.http.total_timeout = Duration::from_millis(total);
        self
    }

    pub fn db(&self) -> PathBuf {
        self.folder.path().join("cielo.db")
    }

    pub fn record(&self) -> Record {
        Record::open(&self.db())
    }

    /// The started pipeline.
    pub fn start(&self) -> Pipeline {
        let opened = Database::open(&self.db(), &self.station).unwrap();
        self.start_on(opened.database.into())
    }

    /// The pipeline, started on a database that is open already.
    pub fn start_on(&self, database: SharedDatabase) -> Pipeline {
        let setup = Setup {
            station: Arc::new(self.station.clone()),
            source: self.source.clone(),
            model: Arc::clone(&self.model),
            engine: Arc::clone(&self.engine),
            database,
            shadow: self.shadow.clone(),
            kept: self.kept.clone(),
            flow: Arc::default(),
            clock: self.clock,
            tuning: self.tuning.clone(),
            policy: self.policy,
        };
        Pipeline::start_with(setup, self.supervision.clone()).unwrap()
    }

    /// Runs the range from start to stop, and checks what must always hold.
    pub async fn run(&self, range: SlotRange) -> RunReport {
        let pipeline = self.start();
        let report = pipeline.run(range).await.unwrap();
        assert!(pipeline.stop().await.is_some(), "an actor did not end");
        self.check(range, &report);
        report
    }

    /// Every slot is booked once and stored once, and the runs table says so too.
    pub fn check(&self, range: SlotRange, report: &RunReport) {
        let end = &report.end;
        let ledger = &end.ledger;
        let planned = end.planned;
        let slots = range.slots(&self.station.minutes, self.station.zone).count() as u64;
        assert_eq!(planned + report.not_due, slots);
        assert_eq!(ledger.total(), ledger.new_rows() + ledger.duplicates() + ledger.missed());
        let mut record = self.record();
        let whole = end.failure.is_none() && report.pending() == 0;
        if whole {
            assert_eq!(ledger.total(), planned);
        }
        let time = |t: chrono::NaiveDateTime| t.format("%Y-%m-%dT%H:%M").to_string();
        // The texts of slots within the last minute follow that of the minute.
        let (from, to) = (time(range.from()), format!("{}:59", time(range.to())));
        let within = format!("slot_local BETWEEN '{from}' AND '{to}'");
        let rows = record.count(&format!("observations WHERE {within}")) as u64;
        let misses = record.count(&format!("misses WHERE {within}")) as u64;
        let both = "observations JOIN misses USING (station, slot_local)";
        assert_eq!(record.count(both), 0, "a slot is stored and missed");
        // What was lost on the way of an interrupted run may still have an earlier run's miss.
        if whole {
            assert_eq!(rows + misses, planned, "a slot is neither stored nor missed");
            assert_eq!(misses, ledger.missed());
            assert_eq!(rows, ledger.new_rows() + ledger.duplicates());
            let booked: Vec<(String, u64)> = ledger
                .missed_by_reason()
                .iter()
                .map(|(reason, n)| (reason.as_str().to_owned(), *n))
                .collect();
            let stored = record.texts(&format!("SELECT reason FROM misses WHERE {within}"));
            for (reason, n) in &booked {
                let stored = stored.iter().filter(|r| *r == reason).count() as u64;
                assert_eq!(stored, *n, "{reason}: {booked:?}");
            }
        }
        let status = match (&end.failure, whole) {
            (Some(_), _) => "failed",
            (None, false) => "interrupted",
            (None, true) => "finished",
        };
        let run = format!(
            "{status} {planned} {} {} {}",
            ledger.new_rows(),
            ledger.duplicates(),
            ledger.missed()
        );
        assert_eq!(record.runs().last(), Some(&run));
    }
}

impl Stage {
    /// Makes the database, as an earlier run that found `year` in this place would leave it.
    pub fn start_remembering(&self, year: i32, layout: celaje_sky::layout::Layout) {
        let mut opened = Database::open(&self.db(), &self.station).unwrap();
        opened.database.remember_layout(year, layout).unwrap();
    }
}
