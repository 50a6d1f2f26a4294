//! Draws what the model sees in a picture over it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use actix_web::http::StatusCode;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::commands::model_and_engine;
use crate::image::decode::{Limits, decode};
use crate::image::overlay;
use crate::image::prepare::{prepare_decoded, sha256};
use crate::model::backend::{Backend, Engine};
use crate::model::manifest::Manifest;
use crate::model::reading::{if_sky, run_one};
use crate::say;
use crate::settings::Settings;
use crate::simulate::cache::Cache;
use crate::station::region::Region;
use crate::text::Text;
use crate::web::problem::Problem;

/// Overlays that may wait while one is drawn.
const WAITING: usize = 8;
/// Bytes of overlays that are kept.
const KEPT: usize = 16 * 1024 * 1024;

/// A model, opened when it is first needed.
pub struct Judge {
    settings: Settings,
    opened: OnceLock<Result<Opened, Text>>,
    places: Semaphore,
    /// One is drawn at a time: each needs a core, which the pipeline has its own use for.
    turn: Semaphore,
    /// By the picture's SHA-256.
    kept: Cache<[u8; 32], Bytes>,
}

struct Opened {
    manifest: Manifest,
    engine: Arc<dyn Engine>,
    backend: Mutex<Option<Box<dyn Backend>>>,
}

impl Judge {
    /// Judges by the model and the engine that `settings` name.
    pub fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            settings,
            opened: OnceLock::new(),
            places: Semaphore::new(WAITING),
            turn: Semaphore::new(1),
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
        let Ok(place) = self.places.try_acquire() else {
            return Err(Problem::busy());
        };
        let Ok(turn) = self.turn.acquire().await else {
            return Err(Problem::busy());
        };
        let judge = Arc::clone(self);
        let drawn = tokio::task::spawn_blocking(move || {
            let drawn = Bytes::from(judge.draw(&bytes, &region)?);
            judge
                .kept
                .put(key, Arc::new(drawn.clone()), drawn.len() + 256);
            Ok(drawn)
        })
        .await;
        drop(turn);
        drop(place);
        drawn.unwrap_or_else(|error| {
            tracing::error!(%error, "an overlay could not be drawn");
            Err(Problem::internal())
        })
    }

    fn open(&self) -> &Result<Opened, Text> {
        self.opened.get_or_init(|| {
            let opened = model_and_engine(&self.settings, |notice| {
                tracing::info!(%notice, "the model of overlays");
            });
            match opened {
                Ok((model, engine)) => Ok(Opened {
                    manifest: model.manifest,
                    engine,
                    backend: Mutex::new(None),
                }),
                Err(failure) => Err(failure.text),
            }
        })
    }

    fn draw(&self, bytes: &[u8], region: &Region) -> Result<Vec<u8>, Problem> {
        let limits: &Limits = &self.settings.tuning.picture;
        let opened = self
            .open()
            .as_ref()
            .map_err(|text| Problem::new(StatusCode::SERVICE_UNAVAILABLE, text.clone()))?;
        let picture = decode(bytes, limits).map_err(|error| broken(&error))?;
        let frame = prepare_decoded(&picture, sha256(bytes), &opened.manifest, region)
            .map_err(|error| broken(&error))?;
        let classes = {
            let mut kept = opened
                .backend
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            // Taken out, so that a session that fails is not used again.
            let mut backend = match kept.take() {
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
            *kept = Some(backend);
            if_sky(reading).map_err(|error| failed(&error))?
        };
        let Some(classes) = classes.and_then(|reading| reading.classes) else {
            return Err(Problem::not_found(say!(
                "there is no overlay: the model finds no sky in this picture, or draws no mask",
                "no hay máscara: el modelo no encuentra cielo en esta imagen, o no dibuja máscaras"
            )));
        };
        overlay::png(&picture, &classes, &frame.geometry).map_err(|error| failed(&error))
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
