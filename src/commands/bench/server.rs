//! The camera of a benchmark: a process of its own, so that its work is not counted as Celaje's.
//!
//! It serves a folder's pictures again and again, as slow and as far away as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::body::SizedStream;
use actix_web::{App, HttpResponse, HttpServer, web};
use bytes::Bytes;

use crate::usage::Usage;
use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::say;
use celaje_sky::slot::Slot;

/// Bytes that a slow line carries at a time.
const PIECE: usize = 16 << 10;

/// How the camera is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Line {
    /// Before each answer.
    pub latency: Duration,
    /// Bytes a second, all connections together; none for as many as go through.
    pub bytes_per_s: Option<f64>,
}

/// A running camera; it ends when this is dropped, or with this process.
pub struct Camera {
    child: Child,
    base: String,
}

impl Camera {
    /// Starts a camera for the pictures of `folder`.
    ///
    /// # Errors
    /// When this program cannot be started once more.
    pub fn start(folder: &Path, line: Line) -> Result<Self> {
        let cannot = |why: std::io::Error| {
            Failure::environment(say!(
                "the camera of the benchmark does not start: {why}",
                "la cámara de la prueba no arranca: {why}",
                why = io_text(&why),
            ))
        };
        let mut command = Command::new(std::env::current_exe().map_err(cannot)?);
        command.arg("bench-camera").arg(folder);
        command.arg(format!("--latency={}", line.latency.as_secs_f64() * 1000.0));
        if let Some(rate) = line.bytes_per_s {
            command.arg(format!("--bandwidth={}", rate * 8.0 / 1e6));
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(cannot)?;
        let mut base = String::new();
        if let Some(out) = child.stdout.as_mut() {
            BufReader::new(out).read_line(&mut base).map_err(cannot)?;
        }
        let base = base.trim().to_owned();
        if base.is_empty() {
            let _ = child.kill();
            return Err(cannot(std::io::ErrorKind::BrokenPipe.into()));
        }
        Ok(Self { child, base })
    }

    /// Its base address.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The time that it has spent on a processor; none where the system does not count it.
    pub async fn cpu(&self) -> Option<Duration> {
        let url = format!("{}cpu", self.base);
        let client = reqwest::Client::builder().no_proxy().build().ok()?;
        let text = client.get(url).send().await.ok()?.text().await.ok()?;
        text.parse().ok().map(Duration::from_micros)
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Shared {
    pictures: Vec<Bytes>,
    line: Line,
    /// When the line is free again.
    free: Mutex<Instant>,
}

/// Serves the pictures of `folder` until standard input ends; prints its address first.
///
/// # Errors
/// When there is nothing to serve, or no port to listen on.
pub async fn serve(folder: PathBuf, line: Line) -> Result<u8> {
    let cannot = |why: String| {
        Failure::environment(say!(
            "the camera of the benchmark cannot serve: {why}",
            "la cámara de la prueba no puede servir: {why}"
        ))
    };
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .and_then(|entries| entries.map(|entry| entry.map(|e| e.path())).collect())
        .map_err(|e| cannot(io_text(&e).to_string()))?;
    paths.sort();
    let pictures: Vec<Bytes> = paths
        .iter()
        .map(|path| std::fs::read(path).map(Bytes::from))
        .collect::<std::io::Result<_>>()
        .map_err(|e| cannot(io_text(&e).to_string()))?;
    if pictures.is_empty() {
        return Err(cannot(folder.display().to_string()));
    }
    let shared =
        web::Data::from(Arc::new(Shared { pictures, line, free: Mutex::new(Instant::now()) }));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(shared.clone())
            .route("/cpu", web::get().to(cpu))
            .route("/{year}/{name}", web::get().to(picture))
    })
    .workers(1)
    .disable_signals()
    .bind((Ipv4Addr::LOCALHOST, 0))
    .map_err(|e| cannot(io_text(&e).to_string()))?;
    let port = server.addrs().first().map_or(0, |addr| addr.port());
    let mut out = std::io::stdout();
    let _ = writeln!(out, "http://127.0.0.1:{port}/").and_then(|()| out.flush());
    let server = server.run();
    let handle = server.handle();
    // The parent process holds the other end, which closes however that process ends.
    let ended = tokio::task::spawn_blocking(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
    });
    tokio::spawn(async move {
        let _ = ended.await;
        handle.stop(false).await;
    });
    server.await.map_err(|e| cannot(io_text(&e).to_string()))?;
    Ok(0)
}

async fn cpu() -> String {
    Usage::now().map_or(String::new(), |used| used.cpu.as_micros().to_string())
}

async fn picture(shared: web::Data<Shared>, path: web::Path<(String, String)>) -> HttpResponse {
    let (year, name) = path.into_inner();
    let local = Slot::parse_file_name(&name).filter(|_| name.starts_with(&year));
    let Some(local) = local else {
        return HttpResponse::NotFound().finish();
    };
    if !shared.line.latency.is_zero() {
        tokio::time::sleep(shared.line.latency).await;
    }
    let number = local.and_utc().timestamp().unsigned_abs() / 600;
    let place = usize::try_from(number).unwrap_or(0) % shared.pictures.len();
    let jpeg = shared.pictures[place].clone();
    let mut answer = HttpResponse::Ok();
    answer.content_type("image/jpeg");
    let Some(rate) = shared.line.bytes_per_s else {
        return answer.body(jpeg);
    };
    let size = jpeg.len() as u64;
    let pieces =
        futures_util::stream::unfold((jpeg, shared), move |(mut rest, shared)| async move {
            if rest.is_empty() {
                return None;
            }
            let piece = rest.split_to(PIECE.min(rest.len()));
            let time = Duration::from_secs_f64(piece.len() as f64 / rate);
            let carried = {
                let mut free = shared.free.lock().unwrap_or_else(PoisonError::into_inner);
                *free = (*free).max(Instant::now()) + time;
                *free
            };
            tokio::time::sleep_until(carried.into()).await;
            Some((Ok::<_, std::io::Error>(piece), (rest, shared)))
        });
    answer.body(SizedStream::new(size, Box::pin(pieces)))
}
