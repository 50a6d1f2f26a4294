//! What happens, as it happens: server-sent events.
//!
//! One task takes the program's events, numbers them and hands them on. Each listener has a place in
//! a bounded ring: one that falls behind is told how many it missed, and nobody waits for it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use serde::Serialize;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::store::reader::{MissItem, ObservationItem, RunItem};
use crate::web::WebState;
use crate::web::operator::Event;
use crate::web::problem::Problem;
use crate::web::query;

/// Listeners at most.
pub const LISTENERS: usize = 256;
/// Events that a listener may be behind, and that one who comes back is told of.
const KEPT: usize = 256;
/// A sign of life after so much silence.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A numbered event, as it is sent.
#[derive(Clone, Debug)]
struct Frame {
    id: u64,
    text: Bytes,
}

/// Where listeners come to.
pub struct Hub {
    sender: broadcast::Sender<Frame>,
    recent: Mutex<VecDeque<Frame>>,
    listeners: AtomicUsize,
    closed: CancellationToken,
}

#[derive(Serialize)]
struct Told<'a, T> {
    station: &'a str,
    #[serde(flatten)]
    item: &'a T,
}

impl Hub {
    /// Takes what `events` says from now on. To be called inside a tokio runtime.
    pub fn start(mut events: broadcast::Receiver<Event>) -> Arc<Self> {
        let hub = Arc::new(Self {
            sender: broadcast::channel(KEPT).0,
            recent: Mutex::new(VecDeque::with_capacity(KEPT)),
            listeners: AtomicUsize::new(0),
            closed: CancellationToken::new(),
        });
        let taking = Arc::clone(&hub);
        tokio::spawn(async move {
            let mut id = 0;
            loop {
                let event = tokio::select! {
                    () = taking.closed.cancelled() => return,
                    event = events.recv() => event,
                };
                match event {
                    Ok(event) => {
                        id += 1;
                        taking.pass_on(id, &event);
                    }
                    Err(RecvError::Lagged(missed)) => {
                        tracing::debug!(missed, "events were not passed on");
                    }
                    Err(RecvError::Closed) => return,
                }
            }
        });
        hub
    }

    fn pass_on(&self, id: u64, event: &Event) {
        let (kind, data) = match event {
            Event::Observation(station, item) => {
                ("observation", row::<ObservationItem>(station, item))
            }
            Event::Miss(station, item) => ("miss", row::<MissItem>(station, item)),
            Event::Run(run) => ("run", serde_json::to_string::<RunItem>(run)),
            Event::State => ("state", Ok("{}".to_owned())),
        };
        let Ok(data) = data else {
            return;
        };
        let frame = Frame {
            id,
            text: Bytes::from(format!("id: {id}\nevent: {kind}\ndata: {data}\n\n")),
        };
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == KEPT {
            recent.pop_front();
        }
        recent.push_back(frame.clone());
        // Under the lock, so that nobody is told twice or not at all. No listener is no error.
        let _ = self.sender.send(frame);
    }

    /// Listeners now.
    pub fn listeners(&self) -> usize {
        self.listeners.load(Ordering::Relaxed)
    }

    /// Ends every listener's answer.
    pub fn close(&self) {
        self.closed.cancel();
    }
}

fn row<T: Serialize>(station: &str, item: &T) -> serde_json::Result<String> {
    serde_json::to_string(&Told { station, item })
}

/// A place among the listeners, given back when it is dropped.
struct Seat(Arc<Hub>);

impl Seat {
    fn take(hub: &Arc<Hub>) -> Result<Self, Problem> {
        let seat = Self(Arc::clone(hub));
        if hub.listeners.fetch_add(1, Ordering::AcqRel) >= LISTENERS {
            return Err(Problem::busy().after(30));
        }
        Ok(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.listeners.fetch_sub(1, Ordering::AcqRel);
    }
}

struct Listener {
    seat: Seat,
    first: VecDeque<Bytes>,
    receiver: broadcast::Receiver<Frame>,
}

/// `/api/v1/events`.
///
/// # Errors
/// When there are parameters, or no place is left.
pub async fn listen(
    state: web::Data<WebState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    query::nothing(request.query_string())?;
    let seat = Seat::take(&state.hub)?;
    let seen = request
        .headers()
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.trim().parse::<u64>().ok());
    let mut first = VecDeque::from([Bytes::from_static(b"retry: 5000\n: celaje\n\n")]);
    let receiver = {
        let recent = state
            .hub
            .recent
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // The number of another process says nothing here.
        let known = seen.filter(|seen| recent.back().is_some_and(|last| *seen <= last.id));
        if let Some(seen) = known {
            let missed = recent.iter().filter(|frame| frame.id > seen);
            first.extend(missed.map(|frame| frame.text.clone()));
        }
        state.hub.sender.subscribe()
    };
    let listener = Listener {
        seat,
        first,
        receiver,
    };
    let frames = stream::unfold(listener, |mut listener| async move {
        let text = next(&mut listener).await?;
        Some((Ok::<_, Problem>(text), listener))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        // Each event is to leave at once, not when a packer has enough of them.
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(Box::pin(frames)))
}

async fn next(listener: &mut Listener) -> Option<Bytes> {
    if let Some(text) = listener.first.pop_front() {
        return Some(text);
    }
    let closed = listener.seat.0.closed.clone();
    tokio::select! {
        () = closed.cancelled() => None,
        frame = listener.receiver.recv() => match frame {
            Ok(frame) => Some(frame.text),
            Err(RecvError::Lagged(missed)) => Some(Bytes::from(format!(
                "event: state\ndata: {{\"missed\":{missed}}}\n\n"
            ))),
            Err(RecvError::Closed) => None,
        },
        () = tokio::time::sleep(HEARTBEAT) => Some(Bytes::from_static(b": alive\n\n")),
    }
}
