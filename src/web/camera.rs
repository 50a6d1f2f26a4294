//! Pictures that somebody wants to see, fetched from the station's camera when they are asked for:
//! by the pipeline's own client, so within its limits and from its host alone; a few at a time, and
//! kept for a while. Each station has a lane of its own: a camera that hangs keeps nobody waiting but
//! those who want its own pictures.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use bytes::Bytes;
use chrono::{Datelike, Utc};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::camera::http::{HttpClient, HttpLimits};
use crate::camera::{Found, Source, look_for};
use crate::service::request::picture_source;
use crate::web::problem::Problem;
use celaje_simulate::cache::Cache;
use celaje_sky::layout::{Layout, LayoutBook};
use celaje_sky::outcome::{Miss, MissReason};
use celaje_sky::say;
use celaje_sky::slot::Slot;
use celaje_sky::station::Station;
use celaje_vision::picture::decode::is_picture;

/// Requests to a camera at the same time.
const AT_ONCE: usize = 4;
/// Questions to a camera that may wait for one of them.
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
    slot: Slot,
    layout: Option<Layout>,
    answer: oneshot::Sender<Result<Arc<Shot>, Problem>>,
}

/// The way to a station's camera. When it is dropped, what is fetched is still answered.
struct Lane {
    /// No other lane ever has it: what is kept is of this camera at this address.
    number: u64,
    station: Arc<Station>,
    questions: mpsc::Sender<Question>,
}

/// The cameras of the stations that the settings name.
pub struct Cameras {
    lanes: Mutex<Lanes>,
    /// By the lane's number, and the slot.
    kept: Cache<(u64, Slot), Shot>,
    missing: Mutex<HashMap<(u64, Slot), (Instant, Problem)>>,
}

#[derive(Default)]
struct Lanes {
    all: Vec<Lane>,
    last: u64,
    limits: HttpLimits,
}

impl Cameras {
    /// Asks the cameras of `stations` from the thread that this is called on, within `limits`. To be
    /// called inside a tokio runtime.
    pub fn start(stations: &[Arc<Station>], limits: HttpLimits) -> Arc<Self> {
        let new = Arc::new(Self {
            lanes: Mutex::default(),
            kept: Cache::new(KEPT),
            missing: Mutex::new(HashMap::new()),
        });
        new.renew(stations, limits);
        new
    }

    /// From now on the cameras of these stations are asked, within these limits; on the thread that
    /// this is called on. What is known of cameras that stay as they are is kept.
    pub fn renew(&self, stations: &[Arc<Station>], limits: HttpLimits) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut lanes.all);
        let mut before = match lanes.limits == limits {
            true => before,
            false => Vec::new(),
        };
        for station in stations {
            let same = before.iter().position(|lane| lane.station == *station);
            let lane = match same {
                Some(place) => before.swap_remove(place),
                None => {
                    lanes.last += 1;
                    Lane::open(lanes.last, station, &limits)
                }
            };
            lanes.all.push(lane);
        }
        lanes.limits = limits;
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
        let lane = {
            let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
            let lane = lanes.all.iter().find(|lane| lane.station.id == station.id);
            lane.map(|lane| (lane.number, lane.questions.clone()))
        };
        // The settings have named it until just now.
        let (number, questions) = lane.ok_or_else(|| gone(slot))?;
        let key = (number, slot);
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
            slot,
            layout,
            answer,
        };
        questions.try_send(question).map_err(|_| Problem::busy())?;
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

    fn missing(&self) -> MutexGuard<'_, HashMap<(u64, Slot), (Instant, Problem)>> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane {
    fn open(number: u64, station: &Arc<Station>, limits: &HttpLimits) -> Self {
        let (questions, asked) = mpsc::channel(WAITING);
        let (station, limits) = (Arc::clone(station), limits.clone());
        tokio::spawn(answer(Arc::clone(&station), limits, asked));
        Self {
            number,
            station,
            questions,
        }
    }
}

/// Answers what is asked of a station's camera, until nobody can ask any more.
async fn answer(station: Arc<Station>, limits: HttpLimits, mut asked: mpsc::Receiver<Question>) {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    // Made when it is first needed. A client must not be shared between runtimes: it stays here.
    let mut made: Option<(Source, HttpClient)> = None;
    while let Some(mut question) = asked.recv().await {
        if made.is_none() {
            made = client(&station, &limits);
        }
        let Some((source, client)) = made.clone() else {
            let _ = question.answer.send(Err(Problem::internal()));
            continue;
        };
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else {
            return;
        };
        let station = Arc::clone(&station);
        tokio::spawn(async move {
            let _turn = turn;
            // Who asked may have gone; then the camera is left alone.
            let shot = tokio::select! {
                biased;
                () = question.answer.closed() => return,
                shot = fetch(&source, &client, &station, question.slot, question.layout) => shot,
            };
            let _ = question.answer.send(shot);
        });
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
    station: &Station,
    slot: Slot,
    layout: Option<Layout>,
) -> Result<Arc<Shot>, Problem> {
    let year = station.zone.local(Utc::now()).year();
    let remembered = layout.map(|layout| (slot.year(), layout));
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
