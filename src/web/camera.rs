//! Pictures that a person wants to see, fetched from the station's camera on demand: by the
//! pipeline's own client, so within its limits and from its host alone; a few at a time, and kept
//! for a while. Each station has a queue of its own, so a camera that hangs delays only its own
//! pictures.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::Datelike;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::camera::http::{HttpClient, HttpLimits};
use crate::camera::kept::KeepPolicy;
use crate::camera::picture_folder::PictureFolder;
use crate::camera::{SearchResult, Source, look_for};
use crate::clock::Clock;
use crate::service::request::station_source;
use crate::web::limiter::{Limiter, Permit};
use crate::web::problem::{Problem, ProblemCode};
use celaje_sky::layout::{Layout, LayoutBook};
use celaje_sky::outcome::{Miss, MissReason};
use celaje_sky::say;
use celaje_sky::slot::Slot;
use celaje_sky::station::Station;
use celaje_sky::text::Text;
use celaje_vision::picture::decode::is_picture;

/// Requests to a camera at the same time.
const AT_ONCE: usize = 4;
/// Requests to a camera that may wait.
const WAITING: usize = 32;
/// Bytes of pictures that are kept.
const KEPT: u64 = 48 * 1024 * 1024;
/// Pictures that the cache expects; so few that it is not split.
const EXPECTED: usize = 16;
/// The longest time a person waits for a picture.
const PATIENCE: Duration = Duration::from_secs(20);
/// Time before a missing picture is asked for again.
const MISSING_FOR: Duration = Duration::from_secs(30);
/// Missing pictures that are remembered.
const MISSING: usize = 1024;

/// A picture as the camera gave it.
#[derive(Clone, Debug)]
pub struct Shot {
    /// The encoded bytes: a JPEG or a PNG.
    pub bytes: Bytes,
    /// Where it was found; no secrets. Empty of a copy.
    pub url: String,
}

impl Shot {
    /// Its media type.
    pub fn media_type(&self) -> &'static str {
        if self.bytes.starts_with(b"\x89PNG") { "image/png" } else { "image/jpeg" }
    }
}

struct PictureRequest {
    slot: Slot,
    layout: Option<Layout>,
    answer: oneshot::Sender<Result<Arc<Shot>, Problem>>,
    permit: Permit,
}

/// The requests to a station's camera. Those in flight are answered even after it is dropped.
struct CameraQueue {
    /// Never reused: a cached picture belongs to this camera at this address.
    number: u64,
    station: Arc<Station>,
    limiter: Arc<Limiter>,
    requests: mpsc::Sender<PictureRequest>,
}

/// A queue's number, and the slot.
type PictureKey = (u64, Slot);

#[derive(Clone)]
struct PictureWeight;

impl Weighter<PictureKey, Arc<Shot>> for PictureWeight {
    fn weight(&self, _: &PictureKey, shot: &Arc<Shot>) -> u64 {
        shot.bytes.len() as u64 + 512
    }
}

/// The cameras of the stations that the settings name.
pub struct Cameras {
    queues: Mutex<CameraQueues>,
    kept: Cache<PictureKey, Arc<Shot>, PictureWeight>,
    missing: Cache<PictureKey, (Instant, Problem)>,
    /// Where all pictures are, instead of at the cameras.
    folder: Option<PictureFolder>,
    /// Copies on disk, which are asked before the camera is.
    copies: Mutex<Option<KeepPolicy>>,
    clock: Clock,
}

#[derive(Default)]
struct CameraQueues {
    all: Vec<CameraQueue>,
    last: u64,
    limits: HttpLimits,
}

impl Cameras {
    /// Asks the cameras of `stations` from the thread that this is called on, within `limits`. To
    /// be called inside a tokio runtime.
    pub fn start(stations: &[Arc<Station>], limits: HttpLimits, clock: Clock) -> Arc<Self> {
        Self::or_folder(None, stations, limits, clock)
    }

    /// The same; with a `folder`, pictures are taken from there.
    pub fn or_folder(
        folder: Option<PictureFolder>,
        stations: &[Arc<Station>],
        limits: HttpLimits,
        clock: Clock,
    ) -> Arc<Self> {
        let new = Arc::new(Self {
            queues: Mutex::default(),
            kept: Cache::with_weighter(EXPECTED, KEPT, PictureWeight),
            missing: Cache::new(MISSING),
            folder,
            copies: Mutex::default(),
            clock,
        });
        new.renew(stations, limits);
        new
    }

    /// Replaces the stations and the limits, on the thread that this is called on. What is cached
    /// of cameras that stay as they are remains.
    pub fn renew(&self, stations: &[Arc<Station>], limits: HttpLimits) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut queues.all);
        if queues.limits != limits {
            before.clear();
        }
        for station in stations {
            let same = before.iter().position(|queue| queue.station == *station);
            let queue = match same {
                Some(place) => before.swap_remove(place),
                None => {
                    queues.last += 1;
                    CameraQueue::open(queues.last, station, &self.folder, &limits, self.clock)
                }
            };
            queues.all.push(queue);
        }
        queues.limits = limits;
    }

    /// The picture of a slot; `layout` is where it is looked for first.
    ///
    /// # Errors
    /// When the picture is gone, the camera fails, or too many requests wait.
    pub async fn shot(
        &self,
        station: &Arc<Station>,
        slot: Slot,
        layout: Option<Layout>,
    ) -> Result<Arc<Shot>, Problem> {
        let queue = {
            let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
            let mut all = queues.all.iter();
            let queue = all.find(|queue| queue.station.id == station.id);
            queue.map(|queue| {
                let limiter = Arc::clone(&queue.limiter);
                (queue.number, limiter, queue.requests.clone())
            })
        };
        // The settings may have dropped the station a moment ago.
        let (number, limiter, requests) = queue.ok_or_else(|| gone(slot))?;
        let key = (number, slot);
        if let Some(shot) = self.kept.get(&key) {
            return Ok(shot);
        }
        if let Some(bytes) = self.copy(station, slot).await {
            let shot = Arc::new(Shot { bytes, url: String::new() });
            self.kept.insert(key, Arc::clone(&shot));
            return Ok(shot);
        }
        if let Some((since, problem)) = self.missing.get(&key)
            && Clock::since(since) < MISSING_FOR
        {
            return Err(problem);
        }
        let deadline = tokio::time::Instant::from_std(Clock::instant() + PATIENCE);
        let permit = limiter.permit().await?;
        let (answer, answered) = oneshot::channel();
        let request = PictureRequest { slot, layout, answer, permit };
        requests.try_send(request).map_err(|_| Problem::busy())?;
        let shot = match tokio::time::timeout_at(deadline, answered).await {
            Ok(Ok(shot)) => shot,
            Ok(Err(_)) => Err(Problem::internal()),
            Err(_) => Err(Problem::new(
                ProblemCode::CameraTimeout,
                say!(
                    "the camera does not answer; try again later",
                    "la cámara no responde; vuelva a intentar más tarde"
                ),
            )),
        };
        match &shot {
            Ok(shot) => self.kept.insert(key, Arc::clone(shot)),
            Err(problem) => self.missing.insert(key, (Clock::instant(), problem.clone())),
        }
        shot
    }
}

impl Cameras {
    /// Looks for copies as `policy` keeps them, from now on.
    pub fn look_for_copies(&self, policy: &KeepPolicy) {
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        *copies = Some(policy.clone());
    }

    /// The copies on disk; none where nobody keeps any.
    pub fn copies(&self) -> Option<KeepPolicy> {
        self.copies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn copy(&self, station: &Arc<Station>, slot: Slot) -> Option<Bytes> {
        let (policy, station) = (self.copies()?, Arc::clone(station));
        let read = tokio::task::spawn_blocking(move || policy.read(&station.id, slot)).await;
        read.ok().flatten()
    }
}

impl CameraQueue {
    fn open(
        number: u64,
        station: &Arc<Station>,
        folder: &Option<PictureFolder>,
        limits: &HttpLimits,
        clock: Clock,
    ) -> Self {
        let (requests, received) = mpsc::channel(AT_ONCE + WAITING);
        let (station, limits) = (Arc::clone(station), limits.clone());
        let folder = folder.clone();
        tokio::spawn(answer(Arc::clone(&station), folder, limits, clock, received));
        Self {
            number,
            station,
            limiter: Arc::new(Limiter::new(AT_ONCE, WAITING, PATIENCE)),
            requests,
        }
    }
}

/// Answers the requests to a station's camera until the queue and its callers are gone.
async fn answer(
    station: Arc<Station>,
    folder: Option<PictureFolder>,
    limits: HttpLimits,
    clock: Clock,
    mut requests: mpsc::Receiver<PictureRequest>,
) {
    // Made when it is first needed. A client must not be shared between runtimes: it stays here.
    let mut made: Option<(Source, HttpClient)> = None;
    while let Some(request) = requests.recv().await {
        if made.is_none() {
            made = client(&station, folder.as_ref(), &limits);
        }
        let Some((source, client)) = made.clone() else {
            let _ = request.answer.send(Err(Problem::internal()));
            continue;
        };
        let station = Arc::clone(&station);
        tokio::spawn(async move {
            let PictureRequest { slot, layout, mut answer, permit: _permit } = request;
            // A caller who is gone leaves the camera to others.
            let shot = tokio::select! {
                biased;
                () = answer.closed() => return,
                shot = fetch(&source, &client, &station, slot, layout, clock) => shot,
            };
            let _ = answer.send(shot);
        });
    }
}

fn client(
    station: &Arc<Station>,
    folder: Option<&PictureFolder>,
    limits: &HttpLimits,
) -> Option<(Source, HttpClient)> {
    let mut limits = limits.clone();
    limits.total_timeout = limits.total_timeout.min(PATIENCE);
    limits.keep_alive = AT_ONCE;
    // A person waits, and can ask again.
    limits.retry.retries = 0;
    let source = match folder {
        Some(folder) => Ok(Source::Folder(folder.clone())),
        None => station_source(station),
    };
    let made = source.map(|source| {
        let client =
            HttpClient::new(source.base(), &station.trust, limits, CancellationToken::new());
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
    clock: Clock,
) -> Result<Arc<Shot>, Problem> {
    // What it has now is another picture.
    if source.has_only_the_latest() {
        return Err(gone(slot));
    }
    let year = station.zone.local(clock.now()).year();
    let remembered = layout.map(|layout| (slot.year(), layout));
    let book = Mutex::new(LayoutBook::new(station.layout, year, remembered));
    // Folders may have changed since the last look.
    source.begin(Vec::new());
    match look_for(source, client, &book, slot, clock).await {
        SearchResult::Picture(picture, _) if is_picture(&picture.bytes) => {
            Ok(Arc::new(Shot { bytes: picture.bytes, url: picture.url }))
        }
        SearchResult::Picture(..) => Err(gone(slot)),
        SearchResult::Miss(miss) => Err(problem(&miss)),
        SearchResult::Cancelled => Err(Problem::busy()),
    }
}

fn gone(slot: Slot) -> Problem {
    Problem::not_found(say!(
        "the camera has no picture of {slot} any more",
        "la cámara ya no tiene una imagen de {slot}"
    ))
}

fn problem(miss: &Miss) -> Problem {
    match miss.reason {
        MissReason::NotFound => gone(miss.slot),
        MissReason::Timeout => Problem::new(
            ProblemCode::CameraTimeout,
            say!(
                "the camera does not answer in time; try again later",
                "la cámara no responde a tiempo; vuelva a intentar más tarde"
            ),
        ),
        _ => {
            let Text { en, es } = failed(miss);
            Problem::new(
                ProblemCode::CameraFailed,
                say!("{en}; try again later", "{es}; vuelva a intentar más tarde"),
            )
        }
    }
}

/// What came of a request in place of a picture.
fn failed(miss: &Miss) -> Text {
    match (miss.reason, miss.http_status) {
        (MissReason::Unreachable, _) => {
            say!("the camera cannot be reached", "no se llega a la cámara")
        }
        (MissReason::HttpStatus, Some(status)) => say!(
            "the camera refuses the picture (HTTP {status})",
            "la cámara niega la imagen (HTTP {status})"
        ),
        (MissReason::Reset, _) => {
            say!("the connection to the camera broke off", "se cortó la conexión con la cámara")
        }
        (MissReason::RedirectRefused, _) => say!(
            "the camera's address leads to another host",
            "la dirección de la cámara lleva a otro servidor"
        ),
        (MissReason::TooLarge, _) => say!(
            "the camera's picture is larger than is allowed",
            "la imagen de la cámara es más grande de lo permitido"
        ),
        (MissReason::Unreadable, _) => {
            say!("the picture's file cannot be read", "no se puede leer el archivo de la imagen")
        }
        (MissReason::Empty | MissReason::NotAnImage | MissReason::Truncated, _) => say!(
            "the camera gave something that is no picture",
            "la cámara dio algo que no es una imagen"
        ),
        _ => say!("the camera gave no picture", "la cámara no dio una imagen"),
    }
}

/// The layout that the address of a slot's picture belongs to.
pub(crate) fn layout_of(url: &str, slot: Slot) -> Layout {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    if path.ends_with(&format!("/{}", Layout::Year.path(slot))) {
        Layout::Year
    } else {
        Layout::Root
    }
}
