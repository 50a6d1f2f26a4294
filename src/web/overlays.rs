//! Overlays: the cloud mask of the model, drawn over the picture.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

use crate::clock::Clock;
use crate::service::inference::open_model;
use crate::settings::Settings;
use crate::web::limiter::Limiter;
use crate::web::problem::{Problem, ProblemCode};
use celaje_sky::dome::SkyDome;
use celaje_sky::say;
use celaje_sky::station::region::Region;
use celaje_sky::text::Text;
use celaje_vision::engine::backend::{Backend, Engine};
use celaje_vision::model::manifest::Manifest;
use celaje_vision::picture::decode::{Limits, decode_small};
use celaje_vision::picture::prepare::{Frame, prepare};
use celaje_vision::reading::overlay;
use celaje_vision::reading::{ClassMap, if_sky, run_one, sky_dome};

/// Pixels each way that an overlay has at least, if the picture has them; a larger one is halved.
const SIDE: u32 = 1440;
/// Overlays that may wait while one is drawn.
const WAITING: usize = 7;
/// The longest time an overlay waits; a page gives up after as much.
const PATIENCE: Duration = Duration::from_secs(25);
/// Bytes of overlays that are kept.
const KEPT: u64 = 16 * 1024 * 1024;
/// Overlays that the cache expects; so few that it is not split.
const EXPECTED: usize = 16;
/// Pause before a model that failed to open is tried again.
const AGAIN: Duration = Duration::from_secs(60);

/// Draws overlays with a model that is opened when it is first needed.
pub struct OverlayRenderer {
    settings: Settings,
    opened: Mutex<Option<Attempt>>,
    again: Duration,
    /// One overlay at a time: each needs a core, which the pipeline has its own use for.
    limiter: Limiter,
    /// By the SHA-256 of the picture; the region is the one that the overlay was drawn with.
    kept: Cache<[u8; 32], (Region, Bytes), OverlayWeight>,
}

#[derive(Clone)]
struct OverlayWeight;

impl Weighter<[u8; 32], (Region, Bytes)> for OverlayWeight {
    fn weight(&self, _: &[u8; 32], (_, png): &(Region, Bytes)) -> u64 {
        png.len() as u64 + 256
    }
}

/// The last attempt to open the model.
enum Attempt {
    Opened(OpenedModel),
    Failed(Text, Instant),
}

struct OpenedModel {
    manifest: Manifest,
    engine: Arc<dyn Engine>,
    backend: Option<Box<dyn Backend>>,
}

impl OverlayRenderer {
    /// Uses the model and the engine that `settings` name.
    pub fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            settings,
            opened: Mutex::new(None),
            again: AGAIN,
            limiter: Limiter::new(1, WAITING, PATIENCE),
            kept: Cache::with_weighter(EXPECTED, KEPT, OverlayWeight),
        })
    }

    /// The picture `bytes` with the mask over it, as a PNG.
    ///
    /// # Errors
    /// When the picture does not decode, the model fails or sees no sky, or too many requests wait.
    pub async fn overlay(self: &Arc<Self>, bytes: Bytes, region: Region) -> Result<Bytes, Problem> {
        let key = Sha256::digest(&bytes).into();
        if let Some((with, drawn)) = self.kept.get(&key)
            && with == region
        {
            return Ok(drawn);
        }
        let permit = self.limiter.permit().await?;
        let renderer = Arc::clone(self);
        let drawing = permit.run(move || {
            let drawn = Bytes::from(renderer.draw(&bytes, &region)?);
            renderer.kept.insert(key, (region, drawn.clone()));
            Ok(drawn)
        });
        drawing.await?
    }

    fn attempt(&self) -> MutexGuard<'_, Option<Attempt>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` on the opened model. The caller holds the only permit, so the lock is free.
    fn with_model<T>(
        &self,
        work: impl FnOnce(&mut OpenedModel) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let mut attempt = self.attempt();
        let is_old = |failed: &Attempt| match failed {
            Attempt::Opened(_) => false,
            Attempt::Failed(_, at) => Clock::since(*at) >= self.again,
        };
        if attempt.as_ref().is_none_or(is_old) {
            *attempt = Some(self.open());
        }
        match attempt.as_mut() {
            Some(Attempt::Opened(opened)) => work(opened),
            Some(Attempt::Failed(text, _)) => {
                let after = u32::try_from(self.again.as_secs()).unwrap_or(u32::MAX);
                Err(Problem::new(ProblemCode::Unavailable, text.clone()).after(after))
            }
            None => Err(Problem::internal()),
        }
    }

    /// The bounds of a picture.
    pub(crate) fn limits(&self) -> Limits {
        self.settings.tuning.picture
    }

    fn open(&self) -> Attempt {
        let opened = open_model(&self.settings, |notice| {
            tracing::info!(%notice, "the model of overlays");
        });
        match opened {
            Ok((model, engine)) => Attempt::Opened(OpenedModel {
                manifest: model.manifest.clone(),
                engine,
                backend: None,
            }),
            Err(failure) => Attempt::Failed(failure.text, Clock::instant()),
        }
    }

    /// The sky of the picture `bytes` by direction; none where it shows no sky, or the region has
    /// no lens.
    ///
    /// # Errors
    /// As of an overlay.
    pub async fn dome(
        self: &Arc<Self>,
        bytes: Bytes,
        region: Region,
    ) -> Result<Option<SkyDome>, Problem> {
        let permit = self.limiter.permit().await?;
        let renderer = Arc::clone(self);
        let looking = permit.run(move || {
            let (frame, classes) = renderer.classes(&bytes, &region)?;
            let shape = f64::from(frame.height) / f64::from(frame.width.max(1));
            let seen = classes.zip(region.lens);
            Ok(seen.map(|(classes, lens)| sky_dome(&classes, &frame.geometry, &lens, shape)))
        });
        looking.await?
    }

    /// The picture as the model takes it, and its cells; none where it shows no sky.
    fn classes(&self, bytes: &[u8], region: &Region) -> Result<(Frame, Option<ClassMap>), Problem> {
        self.with_model(|opened| {
            let frame = prepare(bytes, &opened.manifest, region, &self.limits())
                .map_err(|error| broken(&error))?;
            // Taken out, so that a session that fails is not used again.
            let mut backend = match opened.backend.take() {
                Some(backend) => backend,
                None => opened.engine.open(1).map_err(|error| failed(&error))?,
            };
            let reading =
                run_one(backend.as_mut(), &opened.manifest, &frame, region, &mut Vec::new())
                    .map_err(|error| failed(&error))?;
            opened.backend = Some(backend);
            let reading = if_sky(reading).map_err(|error| failed(&error))?;
            Ok((frame, reading.and_then(|reading| reading.classes)))
        })
    }

    fn draw(&self, bytes: &[u8], region: &Region) -> Result<Vec<u8>, Problem> {
        let (frame, classes) = self.classes(bytes, region)?;
        let classes = classes.ok_or_else(no_overlay)?;
        let picture = decode_small(bytes, &self.limits(), SIDE).map_err(|error| broken(&error))?;
        overlay::png(&picture, &classes, &frame.geometry).map_err(|error| failed(&error))
    }
}

fn no_overlay() -> Problem {
    Problem::not_found(say!(
        "there is no overlay: the model finds no sky in this picture, or draws no mask",
        "no hay máscara: el modelo no encuentra cielo en esta imagen, o no dibuja máscaras"
    ))
}

fn broken(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(
        ProblemCode::CameraFailed,
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

    fn renderer(folder: &std::path::Path, again: Duration) -> OverlayRenderer {
        let config = folder.join("empty.toml");
        std::fs::write(&config, "").unwrap();
        let flags = Layer {
            db: Some(folder.join("a.db")),
            model: Some(folder.join("sky.onnx")),
            engine: Some(celaje_vision::engine::choose::EngineChoice::Rten),
            ..Layer::default()
        };
        let settings = Settings::resolve(flags, Some(&config), |_| None).unwrap();
        let renderer = Arc::into_inner(OverlayRenderer::new(settings)).unwrap();
        OverlayRenderer { again, ..renderer }
    }

    #[test]
    fn a_model_that_cannot_be_opened_is_tried_again_after_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let attempts = |renderer: &OverlayRenderer| {
            let _ = renderer.with_model(|_| Ok(()));
            match &*renderer.attempt() {
                Some(Attempt::Failed(_, at)) => *at,
                _ => panic!("there is no such model"),
            }
        };
        let patient = renderer(folder.path(), AGAIN);
        assert_eq!(attempts(&patient), attempts(&patient), "not yet");
        let hurried = renderer(folder.path(), Duration::ZERO);
        assert_ne!(attempts(&hurried), attempts(&hurried));
    }
}
