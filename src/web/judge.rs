//! Draws what the model sees in a picture over it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::service::inference::open_model;
use crate::settings::Settings;
use crate::web::problem::Problem;
use celaje_simulate::cache::Cache;
use celaje_sky::say;
use celaje_sky::station::region::Region;
use celaje_sky::text::Text;
use celaje_vision::engine::backend::{Backend, Engine};
use celaje_vision::model::manifest::Manifest;
use celaje_vision::picture::decode::{Limits, decode};
use celaje_vision::picture::prepare::{prepare_decoded, sha256};
use celaje_vision::reading::overlay;
use celaje_vision::reading::{if_sky, run_one};

/// Overlays that may wait while one is drawn.
const WAITING: usize = 8;
/// Bytes of overlays that are kept.
const KEPT: usize = 16 * 1024 * 1024;
/// How long a model that could not be opened is left alone.
const AGAIN: Duration = Duration::from_secs(60);

/// A model, opened when it is first needed; one that cannot be is tried again after a minute.
pub struct Judge {
    settings: Settings,
    opened: Mutex<Option<Tried>>,
    again: Duration,
    places: Arc<Semaphore>,
    /// One is drawn at a time: each needs a core, which the pipeline has its own use for.
    turn: Arc<Semaphore>,
    /// By the picture's SHA-256.
    kept: Cache<[u8; 32], Bytes>,
}

enum Tried {
    Opened(Opened),
    /// Not, and when that was.
    Failed(Text, Instant),
}

struct Opened {
    manifest: Manifest,
    engine: Arc<dyn Engine>,
    backend: Option<Box<dyn Backend>>,
}

impl Judge {
    /// Judges by the model and the engine that `settings` name.
    pub fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            settings,
            opened: Mutex::new(None),
            again: AGAIN,
            places: Arc::new(Semaphore::new(WAITING)),
            turn: Arc::new(Semaphore::new(1)),
            kept: Cache::new(KEPT),
        })
    }

    /// The picture `bytes` with the mask over it, as a PNG.
    ///
    /// # Errors
    /// When the picture or the model does not lend itself to it, or too many ask.
    pub async fn overlay(self: &Arc<Self>, bytes: Bytes, region: Region) -> Result<Bytes, Problem> {
        let key: [u8; 32] = Sha256::digest(&bytes).into();
        if let Some(drawn) = self.kept.get(key) {
            return Ok(Bytes::clone(&drawn));
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(Problem::busy());
        };
        let Ok(turn) = Arc::clone(&self.turn).acquire_owned().await else {
            return Err(Problem::busy());
        };
        let judge = Arc::clone(self);
        let drawn = tokio::task::spawn_blocking(move || {
            // Who asked may go; what is drawn is drawn alone all the same.
            let _place = (turn, place);
            let drawn = Bytes::from(judge.draw(&bytes, &region)?);
            judge
                .kept
                .put(key, Arc::new(drawn.clone()), drawn.len() + 256);
            Ok(drawn)
        })
        .await;
        drawn.unwrap_or_else(|error| {
            tracing::error!(%error, "an overlay could not be drawn");
            Err(Problem::internal())
        })
    }

    fn tried(&self) -> MutexGuard<'_, Option<Tried>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The opened model. Who calls has the turn: nobody waits for the lock.
    fn with_model<T>(
        &self,
        work: impl FnOnce(&mut Opened) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let mut tried = self.tried();
        let is_old = |failed: &Tried| match failed {
            Tried::Opened(_) => false,
            Tried::Failed(_, at) => at.elapsed() >= self.again,
        };
        if tried.as_ref().is_none_or(is_old) {
            *tried = Some(self.open());
        }
        match tried.as_mut() {
            Some(Tried::Opened(opened)) => work(opened),
            Some(Tried::Failed(text, _)) => {
                let after = u32::try_from(self.again.as_secs()).unwrap_or(u32::MAX);
                Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, text.clone()).after(after))
            }
            None => Err(Problem::internal()),
        }
    }

    fn open(&self) -> Tried {
        let opened = open_model(&self.settings, |notice| {
            tracing::info!(%notice, "the model of overlays");
        });
        match opened {
            Ok((model, engine)) => Tried::Opened(Opened {
                manifest: model.manifest.clone(),
                engine,
                backend: None,
            }),
            Err(failure) => Tried::Failed(failure.text, Instant::now()),
        }
    }

    fn draw(&self, bytes: &[u8], region: &Region) -> Result<Vec<u8>, Problem> {
        self.with_model(|opened| {
            let limits: &Limits = &self.settings.tuning.picture;
            let picture = decode(bytes, limits).map_err(|error| broken(&error))?;
            let frame = prepare_decoded(&picture, sha256(bytes), &opened.manifest, region)
                .map_err(|error| broken(&error))?;
            // Taken out, so that a session that fails is not used again.
            let mut backend = match opened.backend.take() {
                Some(backend) => backend,
                None => opened.engine.open(1).map_err(|error| failed(&error))?,
            };
            let reading = run_one(
                backend.as_mut(),
                &opened.manifest,
                &frame,
                region,
                &mut Vec::new(),
            )
            .map_err(|error| failed(&error))?;
            opened.backend = Some(backend);
            let classes = if_sky(reading).map_err(|error| failed(&error))?;
        let Some(classes) = classes.and_then(|reading| reading.classes) else {
            return Err(Problem::not_found(say!(
                "there is no overlay: the model finds no sky in this picture, or draws no mask",
                "no hay máscara: el modelo no encuentra cielo en esta imagen, o no dibuja máscaras"
            )));
        };
        overlay::png(&picture, &classes, &frame.geometry).map_err(|error| failed(&error))
        })
    }
}

fn broken(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(
        StatusCode::BAD_GATEWAY,
        say!(
            "the camera's picture does not decode ({error})",
            "la imagen de la cámara no se puede decodificar ({error})"
        ),
    )
}

fn failed(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "an overlay could not be drawn");
    Problem::internal()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Layer;

    fn judge(folder: &std::path::Path, again: Duration) -> Judge {
        let config = folder.join("empty.toml");
        std::fs::write(&config, "").unwrap();
        let flags = Layer {
            db: Some(folder.join("a.db")),
            model: Some(folder.join("sky.onnx")),
            engine: Some(celaje_vision::engine::choose::EngineChoice::Rten),
            ..Layer::default()
        };
        let settings = Settings::resolve(flags, Some(&config), |_| None).unwrap();
        let judge = Arc::into_inner(Judge::new(settings)).unwrap();
        Judge { again, ..judge }
    }

    #[test]
    fn a_model_that_cannot_be_opened_is_tried_again_after_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let tries = |judge: &Judge| {
            let _ = judge.with_model(|_| Ok(()));
            match &*judge.tried() {
                Some(Tried::Failed(_, at)) => *at,
                _ => panic!("there is no such model"),
            }
        };
        let patient = judge(folder.path(), AGAIN);
        assert_eq!(tries(&patient), tries(&patient), "not yet");
        let hurried = judge(folder.path(), Duration::ZERO);
        assert_ne!(tries(&hurried), tries(&hurried));
    }
}
