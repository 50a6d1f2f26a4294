//! Publishes simulated pictures over HTTP as a sky camera does.
//!
//! * `/<YYYY>/<name>.jpg` and `/<name>.jpg`, as the [`Layout`] says,
//! * `/truth/<name>.json` and `/truth/<name>.png`: what the picture shows,
//! * `/`: a page that says what this is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::dev::{ServerHandle, Service};
use actix_web::http::header::{ETAG, EntityTag, HttpDate, IfNoneMatch, LAST_MODIFIED};
use actix_web::{App, HttpResponse, HttpServer, web};
use bytes::Bytes;
use chrono::{NaiveDateTime, Timelike, Utc};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::options::{Layout, SimulateOptions};
use super::{DrawError, Studio, Truth};
use celaje_sky::error::{Failure, io_text};
use celaje_sky::say;
use celaje_sky::slot::Slot;

/// Bytes of a picture at the default size, by which the cache reckons how many it will keep.
const TYPICAL_PICTURE: usize = 40_000;

/// What was asked of a server so far.
#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    pictures: AtomicU64,
    drawn: AtomicU64,
}

/// A server that runs until it is stopped; dropping this does not stop it.
#[derive(Clone)]
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    /// `http://<address>/`, which a station can have as its base URL.
    pub base_url: String,
    /// The server itself.
    pub handle: ServerHandle,
    counters: Arc<Counters>,
    shared: Arc<Shared>,
}

impl Running {
    /// Requests of any kind so far.
    pub fn requests(&self) -> u64 {
        self.counters.requests.load(Ordering::Relaxed)
    }

    /// Pictures (JPEG) handed out so far, to GET and to HEAD.
    pub fn pictures(&self) -> u64 {
        self.counters.pictures.load(Ordering::Relaxed)
    }

    /// Pictures drawn so far; the others came from the cache.
    pub fn drawn(&self) -> u64 {
        self.counters.drawn.load(Ordering::Relaxed)
    }

    /// Bytes of pictures kept at present.
    pub fn cached_bytes(&self) -> u64 {
        self.shared.cache.weight()
    }

    /// Lets the requests in hand finish, then stops the server.
    pub async fn stop(&self) {
        self.handle.stop(true).await;
    }
}

/// What one slot's picture is made of, as kept.
struct Picture {
    jpeg: Bytes,
    truth: Truth,
}

/// A kept picture weighs its bytes and about what the entry takes.
#[derive(Clone)]
struct PictureWeight;

impl Weighter<Slot, Arc<Picture>> for PictureWeight {
    fn weight(&self, _: &Slot, picture: &Arc<Picture>) -> u64 {
        (picture.jpeg.len() + size_of::<Picture>() + 256) as u64
    }
}

struct Shared {
    studio: Studio,
    options: SimulateOptions,
    cache: Cache<Slot, Arc<Picture>, PictureWeight>,
    counters: Arc<Counters>,
}

/// Starts the server. Called inside a running actix system or tokio runtime; returns as soon as
/// it listens.
///
/// # Errors
/// When the address cannot be listened on, or the size is not one that can be drawn.
pub fn start(options: SimulateOptions) -> celaje_sky::error::Result<Running> {
    let (width, height) = options.size;
    if !super::SIDE.contains(&width) || !super::SIDE.contains(&height) {
        let (least, most) = (super::SIDE.start(), super::SIDE.end());
        return Err(Failure::usage(say!(
            "a simulated picture cannot be {width}x{height} pixels: give a width and a height \
             from {least} to {most}",
            "una imagen simulada no puede ser de {width}x{height} píxeles: indique un ancho y un \
             alto de {least} a {most}"
        )));
    }
    let wanted = SocketAddr::new(options.bind, options.port);
    let counters = Arc::new(Counters::default());
    let shared = Arc::new(Shared {
        studio: Studio::new(options.spec()),
        cache: Cache::with_weighter(
            options.cache_bytes / TYPICAL_PICTURE,
            options.cache_bytes as u64,
            PictureWeight,
        ),
        counters: Arc::clone(&counters),
        options,
    });
    let for_workers = Arc::clone(&shared);
    let cannot_listen = |e: std::io::Error| {
        Failure::environment(say!(
            "the simulator cannot listen on {wanted} ({e}): choose another port, or 0 for a free \
            one",
            "el simulador no puede escuchar en {wanted} ({e}): elija otro puerto, o 0 para uno \
            libre",
            e = io_text(&e),
        ))
    };
    let server = HttpServer::new(move || {
        let counters = Arc::clone(&for_workers.counters);
        App::new()
            .app_data(web::Data::from(Arc::clone(&for_workers)))
            .wrap_fn(move |request, service| {
                counters.requests.fetch_add(1, Ordering::Relaxed);
                service.call(request)
            })
            .configure(routes)
    })
    .workers(2)
    // Each drawing needs some ten megabytes: no more at once than there are cores to draw them.
    .worker_max_blocking_threads(
        std::thread::available_parallelism().map_or(1, |n| n.get().div_ceil(2)),
    )
    .disable_signals()
    .shutdown_timeout(5)
    .bind(wanted)
    .map_err(cannot_listen)?;
    let addr = server.addrs().first().copied().unwrap_or(wanted);
    let server = server.run();
    let handle = server.handle();
    tokio::spawn(server);
    Ok(Running { addr, base_url: format!("http://{addr}/"), handle, counters, shared })
}

fn routes(config: &mut web::ServiceConfig) {
    let both = |path: &str| web::resource(path.to_owned());
    config
        .service(both("/").route(web::get().to(index)).route(web::head().to(index)))
        .service(both("/truth/{name}").route(web::get().to(truth)).route(web::head().to(truth)))
        .service(both("/{name}").route(web::get().to(in_root)).route(web::head().to(in_root)))
        .service(
            both("/{year}/{name}").route(web::get().to(in_year)).route(web::head().to(in_year)),
        );
}

async fn index(shared: web::Data<Shared>) -> HttpResponse {
    let o = &shared.options;
    let (scene, seed, (width, height)) = (o.scene.as_str(), o.seed, o.size);
    let text = say!(
        "Celaje's simulated sky camera: drawn pictures, no real sky.\n\
         Scene {scene}, seed {seed}, {width}x{height} pixels.\n\
         Pictures: /<YYYY>/<YYYY>-<MMDDHHmm>.jpg or /<YYYY>-<MMDDHHmm>.jpg\n\
         What they show: /truth/<YYYY>-<MMDDHHmm>.json (and .png)\n",
        "Cámara de cielo simulada de Celaje: imágenes dibujadas, no un cielo real.\n\
         Escena {scene}, semilla {seed}, {width}x{height} píxeles.\n\
         Imágenes: /<AAAA>/<AAAA>-<MMDDHHmm>.jpg o /<AAAA>-<MMDDHHmm>.jpg\n\
         Lo que muestran: /truth/<AAAA>-<MMDDHHmm>.json (y .png)\n"
    );
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body(format!("{}\n{}", text.es, text.en))
}

async fn in_root(
    shared: web::Data<Shared>,
    name: web::Path<String>,
    seen: web::Header<IfNoneMatch>,
) -> HttpResponse {
    match shared.options.layout {
        Layout::Root | Layout::Both => picture(shared, &name, &seen).await,
        Layout::Year => missing(),
    }
}

async fn in_year(
    shared: web::Data<Shared>,
    path: web::Path<(String, String)>,
    seen: web::Header<IfNoneMatch>,
) -> HttpResponse {
    let (year, name) = path.into_inner();
    let fits = name.get(..4) == Some(year.as_str());
    match shared.options.layout {
        Layout::Year | Layout::Both if fits => picture(shared, &name, &seen).await,
        _ => missing(),
    }
}

async fn picture(shared: web::Data<Shared>, name: &str, seen: &IfNoneMatch) -> HttpResponse {
    let Some(slot) = shared.slot(name) else {
        return missing();
    };
    let tag = shared.tag(slot);
    if let IfNoneMatch::Items(tags) = seen
        && tags.iter().any(|t| t.weak_eq(&tag))
    {
        return HttpResponse::NotModified().insert_header((ETAG, tag.to_string())).finish();
    }
    match shared.picture(slot).await {
        Ok(picture) => {
            shared.counters.pictures.fetch_add(1, Ordering::Relaxed);
            HttpResponse::Ok()
                .content_type("image/jpeg")
                .insert_header((ETAG, tag.to_string()))
                .insert_header((LAST_MODIFIED, HttpDate::from(slot_time(slot)).to_string()))
                .body(picture.jpeg.clone())
        }
        Err(e) => broken(&e),
    }
}

async fn truth(shared: web::Data<Shared>, name: web::Path<String>) -> HttpResponse {
    let found = |end: &str| {
        let stem = name.strip_suffix(end)?;
        shared.slot(&format!("{stem}.jpg"))
    };
    if let Some(slot) = found(".json") {
        return match shared.picture(slot).await {
            Ok(picture) => HttpResponse::Ok().json(&picture.truth),
            Err(e) => broken(&e),
        };
    }
    let Some(slot) = found(".png") else {
        return missing();
    };
    let drawing = web::Data::clone(&shared);
    match web::block(move || drawing.studio.truth(slot).1.to_png()).await {
        Ok(Ok(png)) => HttpResponse::Ok().content_type("image/png").body(png),
        Ok(Err(e)) => broken(&e),
        Err(e) => broken(&e),
    }
}

fn missing() -> HttpResponse {
    HttpResponse::NotFound().content_type("text/plain; charset=utf-8").body("404 Not Found\n")
}

fn broken(error: &dyn std::fmt::Display) -> HttpResponse {
    tracing::error!(%error, "a simulated picture failed");
    HttpResponse::InternalServerError().finish()
}

fn slot_time(slot: Slot) -> std::time::SystemTime {
    slot.utc().into()
}

impl Shared {
    /// The slot of a picture's name; none when there is no such picture.
    fn slot(&self, name: &str) -> Option<Slot> {
        let local: NaiveDateTime = Slot::parse_file_name(name)?;
        let o = &self.options;
        if !o.minutes.as_slice().contains(&local.minute()) {
            return None;
        }
        let slot = Slot::at(local, o.zone)?;
        let exists = match o.range {
            Some(range) => (range.from()..=range.to()).contains(&local),
            None => slot.utc() <= Utc::now(),
        };
        exists.then_some(slot)
    }

    /// The same for the same bytes: a picture is a function of these.
    fn tag(&self, slot: Slot) -> EntityTag {
        let o = &self.options;
        let (width, height) = o.size;
        let wrong = o.conditions.number();
        EntityTag::new_strong(format!(
            "{}-{}-{width}x{height}-{}-{wrong}-{slot}",
            o.scene.as_str(),
            o.seed,
            o.quality
        ))
    }

    /// The picture, drawn when it is not kept.
    async fn picture(self: &Arc<Self>, slot: Slot) -> Result<Arc<Picture>, DrawError> {
        if let Some(kept) = self.cache.get(&slot) {
            return Ok(kept);
        }
        let shared = Arc::clone(self);
        let drawn = web::block(move || shared.studio.draw(slot)).await;
        let drawn = drawn.map_err(|e| DrawError::Interrupted(e.to_string()))??;
        self.counters.drawn.fetch_add(1, Ordering::Relaxed);
        let picture = Arc::new(Picture { jpeg: Bytes::from(drawn.jpeg), truth: drawn.truth });
        self.cache.insert(slot, Arc::clone(&picture));
        Ok(picture)
    }
}
