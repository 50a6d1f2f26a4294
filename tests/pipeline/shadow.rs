//! A second model beside the first: kept for comparison, and no harm to the record.

use std::sync::Arc;

use celaje::actors::shadow::ShadowCounts;
use celaje::service::Shadow;
use celaje_vision::engine::backend::{Backend, BackendError, Engine, InputBatch, OutputBatch};

use crate::camera;
use crate::support::first;
use crate::support::judge::{self, Judge};
use crate::support::server::Server;
use crate::support::stage::Stage;

/// An engine whose sessions do not work.
#[derive(Clone, Copy)]
enum Broken {
    Closed,
    Fails,
    Panics,
}

impl Engine for Broken {
    fn open(&self, _: usize) -> Result<Box<dyn Backend>, BackendError> {
        match self {
            Self::Closed => Err(BackendError::Load("a test asked for it".to_owned())),
            _ => Ok(Box::new(*self)),
        }
    }

    fn describe(&self) -> String {
        "broken".to_owned()
    }
}

impl Backend for Broken {
    fn run(&mut self, _: InputBatch<'_>) -> Result<OutputBatch, BackendError> {
        match self {
            Self::Panics => panic!("a test asked for it"),
            _ => Err(BackendError::Run("a test asked for it".to_owned())),
        }
    }
}

fn beside(engine: Arc<dyn Engine>) -> (Shadow, Arc<ShadowCounts>) {
    let counts = Arc::<ShadowCounts>::default();
    let shadow = Shadow { model: judge::model(), engine, counts: Arc::clone(&counts) };
    (shadow, counts)
}

#[actix::test]
async fn what_it_judges_is_kept_beside_the_record() {
    let server = Server::start(camera(|_, _| None));
    let mut stage = Stage::new(&server);
    let (shadow, counts) = beside(Judge::default().engine());
    stage.shadow = Some(shadow);
    let report = stage.run(first(40)).await;
    assert_eq!(report.end.ledger.new_rows(), 40);
    // What there was no time for is counted too.
    assert_eq!(counts.judged() + counts.skipped(), 40);
    assert!(counts.judged() > 0);
    let mut record = stage.record();
    assert_eq!(record.count("shadow_observations") as u64, counts.judged());
    let apart = "shadow_observations s JOIN observations o USING (station, slot_local) \
        WHERE s.okta <> o.okta OR s.model_sha256 <> o.model_sha256";
    assert_eq!(record.count(apart), 0);
}

#[actix::test]
async fn what_goes_wrong_in_it_harms_no_reading() {
    let server = Server::start(camera(|_, _| None));
    for broken in [Broken::Closed, Broken::Fails, Broken::Panics] {
        let mut stage = Stage::new(&server);
        let (shadow, counts) = beside(Arc::new(broken));
        stage.shadow = Some(shadow);
        let report = stage.run(first(40)).await;
        assert_eq!(report.end.ledger.new_rows(), 40);
        assert!(report.end.failure.is_none());
        assert_eq!(counts.failed() + counts.skipped(), 40);
        let why = counts.last_error().expect("it failed at least once");
        assert!(why.contains("a test asked for it"), "{why}");
        assert_eq!(stage.record().count("shadow_observations"), 0);
    }
}
