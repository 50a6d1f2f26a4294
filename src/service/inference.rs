//! Opens the model and the engine that runs it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::settings::Settings;
use celaje_sky::error::Result;
use celaje_sky::text::Text;
use celaje_vision::engine::backend::Engine;
use celaje_vision::engine::choose;
use celaje_vision::model::source::Model;

/// Opens the model that the settings name, and the engine; `notice` gets what the user should know
/// of either.
pub fn open_model(
    settings: &Settings,
    notice: impl Fn(&Text),
) -> Result<(Arc<Model>, Arc<dyn Engine>)> {
    let model = Model::resolve(settings.model.as_deref())?;
    model.notice.iter().for_each(&notice);
    let library = settings.ort_lib.as_deref();
    let (engine, notices) = choose::engine(settings.engine, settings.device, library, &model)?;
    notices.iter().for_each(notice);
    Ok((Arc::new(model), engine))
}

/// How a model is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Arrangement {
    /// Sessions at work at the same time.
    pub sessions: usize,
    /// Threads that each of them computes with.
    pub threads: usize,
    /// Pictures in a full batch.
    pub batch: usize,
}

impl Arrangement {
    /// Sets in the tuning what suits the engine and was not asked for, and gives all of it.
    pub fn settle(settings: &mut Settings, engine: &dyn Engine) -> Self {
        let tuning = &mut settings.tuning;
        tuning.shares_cores = !engine.on_card();
        if !settings.batch_given {
            tuning.batch = engine.usual_batch();
        }
        if !settings.sessions_given && engine.on_card() {
            // One batch is copied while the other one runs.
            tuning.threads = 2;
        }
        Self { sessions: tuning.threads, threads: tuning.session_threads, batch: tuning.batch }
    }
}
