//! One life of the program: from opening the database to the end of its run, or its death.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use celaje::actors::failpoint::Failpoints;
use celaje::actors::health::ActorReport;
use celaje::actors::pool::Executor;
use celaje::camera::Source;
use celaje::clock::Clock;
use celaje::service::supervision::Supervision;
use celaje::service::{Pipeline, RunPolicy, RunReport, Setup};
use celaje::settings::tuning::Tuning;
use celaje::store::{Database, InterruptedRun};
use celaje_sky::error::Failure;
use celaje_sky::flow::FlowReport;
use celaje_sky::layout::Layout;
use celaje_sky::restarts::RestartBudget;

use crate::faults::{Faults, Perils};
use crate::support::judge::{self, Judge};
use crate::support::{first, stage, station};
use crate::world::{Camera, Outage, World};

/// Nobody waits longer than this, by the clock of the life: what does has been lost.
const STUCK: Duration = Duration::from_secs(6 * 3600);

/// What a life is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Life {
    pub perils: Perils,
    pub seed: u64,
    pub budget: RestartBudget,
    pub retry_missed: bool,
    pub reprocess: bool,
    pub outage: Outage,
    pub batch: usize,
    pub concurrency: usize,
    pub rows: usize,
}

/// How it went.
pub struct Lived {
    pub cut_off: Vec<InterruptedRun>,
    pub ending: Ending,
    pub requests: Vec<(usize, Layout)>,
    pub passed: Vec<celaje::actors::failpoint::Point>,
    pub thrown: u64,
}

pub enum Ending {
    Killed,
    Ran(Box<Ran>),
}

pub struct Ran {
    pub report: Result<RunReport, Failure>,
    pub flow: FlowReport,
    pub actors: Vec<ActorReport>,
    pub most_in_flight: usize,
    pub credits: usize,
    pub ended: bool,
}

impl Life {
    fn tuning(&self) -> Tuning {
        let mut tuning = stage::tuning();
        tuning.batch = self.batch;
        tuning.concurrency = self.concurrency;
        tuning.commit.rows = self.rows;
        tuning.shares_cores = false;
        tuning.http.retry.base = Duration::from_millis(200);
        tuning
    }

    /// Lives on the database at `db`.
    pub fn live(&self, world: &Arc<World>, db: &Path) -> Lived {
        let faults = Arc::new(Faults::new(self.perils, self.seed));
        let runner = actix::System::with_tokio_rt(|| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build()
                .unwrap()
        });
        let lived = runner.block_on(self.until_the_end(Arc::clone(world), db, Arc::clone(&faults)));
        // What still runs is dropped here, as it would be with the process.
        drop(runner);
        lived
    }

    async fn until_the_end(&self, world: Arc<World>, db: &Path, faults: Arc<Faults>) -> Lived {
        let station = station("http://camera/sky/");
        let opened = Database::open(db, &station).unwrap();
        let range = first(world.scenes.len());
        let camera = Arc::new(Camera::new(world, Arc::clone(&faults), self.outage));
        let tuning = self.tuning();
        let credits = tuning.credits();
        let setup = Setup {
            source: Source::Http(station.url_base.parse().unwrap()),
            station: Arc::new(station),
            model: judge::model(),
            engine: Judge::default().engine(),
            database: opened.database.into(),
            shadow: None,
            kept: None,
            flow: Arc::default(),
            clock: Clock::SYSTEM,
            tuning,
            policy: RunPolicy { retry_missed: self.retry_missed, reprocess: self.reprocess },
        };
        let (passing, waiting) = (Arc::clone(&faults), Arc::clone(&faults));
        let supervision = Supervision {
            budget: self.budget,
            failpoints: Failpoints::calling(move |point, _| passing.pass(point)),
            executor: Executor::Inline(Arc::new(move || waiting.delay())),
            script: Some(camera.clone()),
            ..Supervision::default()
        };
        let run = async {
            let pipeline = Pipeline::start_with(setup, supervision).unwrap();
            let mut progress = pipeline.progress();
            let most = actix::spawn(async move {
                let mut most = 0;
                while progress.changed().await.is_ok() {
                    most = most.max(progress.borrow_and_update().in_flight);
                }
                most
            });
            let report = tokio::time::timeout(STUCK, pipeline.run(range)).await;
            let (flow, vitals) = (pipeline.flow(), pipeline.oversight());
            let ended = pipeline.stop().await.is_some();
            Ran {
                report: report.expect("a slot was lost and nobody looks for it"),
                flow: flow.report(),
                actors: vitals.report(),
                most_in_flight: most.await.unwrap(),
                credits,
                ended,
            }
        };
        let ending = tokio::select! {
            biased;
            () = faults.death() => Ending::Killed,
            ran = run => Ending::Ran(Box::new(ran)),
        };
        Lived {
            cut_off: opened.cut_off,
            ending,
            requests: camera.requests(),
            passed: faults.passed(),
            thrown: faults.thrown(),
        }
    }
}
