//! Pictures that somebody wants to see, fetched from the station's camera when they are asked for:
//! by the pipeline's own client, so within its limits and from its host alone; a few at a time, and
//! kept for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use bytes::Bytes;
use chrono::{Datelike, Utc};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::camera::http::{HttpClient, HttpLimits};
use crate::camera::{Found, Source, look_for};
use crate::commands::backfill::picture_source;
use crate::image::decode::is_picture;
use crate::pipeline::layout::{Layout, LayoutBook};
use crate::pipeline::outcome::{Miss, MissReason};
use crate::pipeline::slot::Slot;
use crate::say;
use crate::simulate::cache::Cache;
use crate::station::Station;
use crate::web::problem::Problem;

/// Requests to cameras at the same time.
const AT_ONCE: usize = 4;
/// Questions that may wait for one of them.
const WAITING: usize = 32;
/// Bytes of pictures that are kept.
const KEPT: usize = 48 * 1024 * 1024;
/// How long a person waits for a picture.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a missing picture is believed missing.
const MISSING_FOR: Duration = Duration::from_secs(30);
/// Missing pictures that are remembered.
const MISSING: usize = 1024;

/// A picture as the camera gave it.
#[derive(Clone, Debug)]
pub struct Shot {
    /// The encoded bytes: a JPEG or a PNG.
    pub bytes: Bytes,
    /// Where it was found; no secrets.
    pub url: String,
}

impl Shot {
    /// Its media type.
    pub fn media_type(&self) -> &'static str {
        if self.bytes.starts_with(b"\x89PNG") {
            "image/png"
        } else {
            "image/jpeg"
        }
    }
}

struct Question {
    station: Arc<Station>,
    slot: Slot,
    layout: Option<Layout>,
    answer: oneshot::Sender<Result<Arc<Shot>, Problem>>,
}

/// The cameras of the stations that the settings name.
pub struct Cameras {
    questions: mpsc::Sender<Question>,
    /// By the station's place in the settings, and the slot.
    kept: Cache<(usize, Slot), Shot>,
    missing: Mutex<HashMap<(usize, Slot), (Instant, Problem)>>,
    stations: Vec<Arc<Station>>,
}

impl Cameras {
    /// Asks the cameras of `stations` from the thread that this is called on, within `limits`. To be
    /// called inside a tokio runtime.
    pub fn start(stations: Vec<Arc<Station>>, limits: HttpLimits) -> Arc<Self> {
        let (questions, mut asked) = mpsc::channel::<Question>(WAITING);
        tokio::spawn(async move {
            let turns = Arc::new(Semaphore::new(AT_ONCE));
            // A client must not be shared between runtimes, so they all live here.
            let mut clients: HashMap<String, (Source, HttpClient)> = HashMap::new();
            while let Some(question) = asked.recv().await {
                let id = question.station.id.clone();
                if !clients.contains_key(&id) {
                    match client(&question.station, &limits) {
                        Some(client) => drop(clients.insert(id.clone(), client)),
                        None => {
                            let _ = question.answer.send(Err(Problem::internal()));
                            continue;
                        }
                    }
                }
                let Some((source, client)) = clients.get(&id).cloned() else {
                    continue;
                };
                let Ok(turn) = Arc::clone(&turns).acquire_owned().await else {
                    return;
                };
                tokio::spawn(async move {
                    let shot = fetch(&source, &client, &question).await;
                    let _ = question.answer.send(shot);
                    drop(turn);
                });
            }
        });
        Arc::new(Self {
            questions,
            kept: Cache::new(KEPT),
            missing: Mutex::new(HashMap::new()),
            stations,
        })
    }

    /// The picture of a slot; `layout` is where it is looked for first.
    ///
    /// # Errors
    /// When there is none any more, the camera cannot be asked, or too many ask.
    pub async fn shot(
        &self,
        station: &Arc<Station>,
        slot: Slot,
        layout: Option<Layout>,
    ) -> Result<Arc<Shot>, Problem> {
        let place = self
            .stations
            .iter()
            .position(|known| known.id == station.id);
        let key = (place.unwrap_or(usize::MAX), slot);
        if let Some(shot) = self.kept.get(key) {
            return Ok(shot);
        }
        if let Some((since, problem)) = self.missing().get(&key)
            && since.elapsed() < MISSING_FOR
        {
            return Err(problem.clone());
        }
        let (answer, answered) = oneshot::channel();
        let question = Question {
            station: Arc::clone(station),
            slot,
            layout,
            answer,
        };
        self.questions
            .try_send(question)
            .map_err(|_| Problem::busy())?;
        let shot = match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(shot)) => shot,
            Ok(Err(_)) => Err(Problem::internal()),
            Err(_) => Err(Problem::new(
                StatusCode::GATEWAY_TIMEOUT,
                say!(
                    "the camera does not answer; try again later",
                    "la cámara no responde; vuelva a intentar más tarde"
                ),
            )),
        };
        match &shot {
            Ok(shot) => self.kept.put(key, Arc::clone(shot), shot.bytes.len() + 512),
            Err(problem) => {
                let mut missing = self.missing();
                if missing.len() >= MISSING {
                    missing.clear();
                }
                missing.insert(key, (Instant::now(), problem.clone()));
            }
        }
        shot
    }

    fn missing(&self) -> std::sync::MutexGuard<'_, HashMap<(usize, Slot), (Instant, Problem)>> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn client(station: &Station, limits: &HttpLimits) -> Option<(Source, HttpClient)> {
    let mut limits = limits.clone();
    limits.total_timeout = limits.total_timeout.min(PATIENCE);
    limits.keep_alive = AT_ONCE;
    // A person waits, and can ask again.
    limits.retry.retries = 0;
    let made = picture_source(None, &station.url_base).map(|source| {
        let client = HttpClient::new(&source, limits, CancellationToken::new());
        (source, client)
    });
    match made {
        Ok((source, Ok(client))) => Some((source, client)),
        Ok((_, Err(error))) => {
            tracing::error!(station = station.id, %error, "no client for its pictures");
            None
        }
        Err(failure) => {
            tracing::error!(station = station.id, %failure, "no client for its pictures");
            None
        }
    }
}

async fn fetch(
    source: &Source,
    client: &HttpClient,
    question: &Question,
) -> Result<Arc<Shot>, Problem> {
    let (station, slot) = (&question.station, question.slot);
    let year = station.zone.local(Utc::now()).year();
    let remembered = question.layout.map(|layout| (slot.year(), layout));
    let book = Mutex::new(LayoutBook::new(station.layout, year, remembered));
    match look_for(source, client, &book, slot).await {
        Found::Picture(picture, _) if is_picture(&picture.bytes) => Ok(Arc::new(Shot {
            bytes: picture.bytes,
            url: picture.url,
        })),
        Found::Picture(..) => Err(gone(slot)),
        Found::Miss(miss) => Err(problem(&miss)),
        Found::Cancelled => Err(Problem::busy()),
    }
}

fn gone(slot: Slot) -> Problem {
    Problem::not_found(say!(
        "the camera has no picture of {slot} any more",
        "la cámara ya no tiene una imagen de {slot}"
    ))
}

fn problem(miss: &Miss) -> Problem {
    let reason = miss.reason.as_str();
    match miss.reason {
        MissReason::NotFound => gone(miss.slot),
        MissReason::Timeout => Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            say!(
                "the camera does not answer in time; try again later",
                "la cámara no responde a tiempo; vuelva a intentar más tarde"
            ),
        ),
        _ => Problem::new(
            StatusCode::BAD_GATEWAY,
            say!(
                "the camera gave no picture ({reason}); try again later",
                "la cámara no dio una imagen ({reason}); vuelva a intentar más tarde"
            ),
        ),
    }
}

/// The layout that an address of a slot's picture is of.
pub fn layout_of(url: &str, slot: Slot) -> Layout {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    if path.ends_with(&format!("/{}", Layout::Year.path(slot))) {
        Layout::Year
    } else {
        Layout::Root
    }
}
