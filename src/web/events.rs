//! Server-sent events of what the program does.
//!
//! One task takes the program's events, numbers them and hands them on. Each listener has a place
//! in a bounded ring: one that falls behind is told how many it missed, and nobody waits for it.
//!
//! An id is an epoch, which differs each time the program starts, and a number. A
//! listener that reconnects with an id of another epoch has lost an unknown number of events.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use serde::Serialize;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::daemon::operator::Event;
use crate::store::reader::{LatestReading, MissItem, RunItem};
use crate::web::WebState;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::{Problem, ProblemCode};
use crate::web::query::{self, NONE, Parameter, Values};
use crate::web::routes::Routes;

/// Most listeners at once.
pub const LISTENERS: usize = 256;
/// Events that a listener may be behind, and that are sent again after a reconnection.
const KEPT: usize = 256;
/// A comment is sent after so much silence, to keep the connection open.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A numbered event, as it is sent.
#[derive(Clone, Debug)]
struct Frame {
    id: u64,
    text: Bytes,
}

/// Numbers the events and hands them to the listeners.
pub struct Hub {
    sender: broadcast::Sender<Frame>,
    recent: Mutex<Recent>,
    /// Differs each time the program starts.
    epoch: u64,
    listeners: AtomicUsize,
    closed: CancellationToken,
}

/// The last events.
#[derive(Default)]
struct Recent {
    frames: VecDeque<Frame>,
    /// The number of the last one.
    last: u64,
}

#[derive(Serialize)]
struct StationEvent<'a, T> {
    station: &'a str,
    #[serde(flatten)]
    item: &'a T,
}

impl Hub {
    /// Passes on `events` from now on. To be called inside a tokio runtime.
    pub fn start(mut events: broadcast::Receiver<Event>) -> Arc<Self> {
        let hub = Arc::new(Self {
            sender: broadcast::channel(KEPT).0,
            recent: Mutex::default(),
            epoch: RandomState::new().hash_one(std::process::id()),
            listeners: AtomicUsize::new(0),
            closed: CancellationToken::new(),
        });
        let taking = Arc::clone(&hub);
        tokio::spawn(async move {
            loop {
                let event = tokio::select! {
                    () = taking.closed.cancelled() => return,
                    event = events.recv() => event,
                };
                match event {
                    Ok(event) => taking.pass_on(&event),
                    Err(RecvError::Lagged(missed)) => taking.pass_on(&Event::Missed(missed)),
                    Err(RecvError::Closed) => return,
                }
            }
        });
        hub
    }

    fn pass_on(&self, event: &Event) {
        let (kind, data) = match event {
            Event::Observation(station, item) | Event::Judged(station, item) => {
                ("observation", row::<LatestReading>(station, item))
            }
            Event::Miss(station, item) => ("miss", row::<MissItem>(station, item)),
            Event::Run(run) => ("run", serde_json::to_string::<RunItem>(run)),
            Event::State => ("state", Ok("{}".to_owned())),
            Event::Missed(missed) => ("state", Ok(missed_data(Some(*missed)))),
        };
        let Ok(data) = data else {
            return;
        };
        let mut recent = self.recent();
        recent.last += 1;
        let id = recent.last;
        let name = self.name(id);
        let frame =
            Frame { id, text: Bytes::from(format!("id: {name}\nevent: {kind}\ndata: {data}\n\n")) };
        if recent.frames.len() == KEPT {
            recent.frames.pop_front();
        }
        recent.frames.push_back(frame.clone());
        // Under the lock, so that each listener gets each event once. No listener is no error.
        let _ = self.sender.send(frame);
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id of the event with this number.
    fn name(&self, id: u64) -> String {
        format!("{:x}-{id}", self.epoch)
    }

    /// The number in an id of this epoch.
    fn number(&self, name: &str) -> Option<u64> {
        let (epoch, id) = name.split_once('-')?;
        let epoch = u64::from_str_radix(epoch, 16).ok()?;
        (epoch == self.epoch).then(|| id.parse().ok())?
    }

    /// The first messages to a listener whose last event has the id `seen`, if any.
    fn greet(&self, recent: &Recent, seen: Option<&str>) -> VecDeque<Bytes> {
        let missed = |n: Option<u64>, before: u64| {
            let (name, data) = (self.name(before), missed_data(n));
            Bytes::from(format!("id: {name}\nevent: state\ndata: {data}\n\n"))
        };
        // The id lets a listener that receives no event reconnect at the same place.
        let hello = format!("retry: 5000\nid: {}\n: celaje\n\n", self.name(recent.last));
        let Some(seen) = seen else {
            return VecDeque::from([Bytes::from(hello)]);
        };
        let mut first = VecDeque::from([Bytes::from_static(b"retry: 5000\n: celaje\n\n")]);
        let known = self.number(seen).filter(|seen| *seen <= recent.last);
        let Some(seen) = known else {
            first.push_back(missed(None, recent.last));
            return first;
        };
        if let Some(oldest) = recent.frames.front()
            && seen + 1 < oldest.id
        {
            first.push_back(missed(Some(oldest.id - seen - 1), oldest.id - 1));
        }
        let newer = recent.frames.iter().filter(|frame| frame.id > seen);
        first.extend(newer.map(|frame| frame.text.clone()));
        first
    }

    /// Listeners now.
    pub fn listeners(&self) -> usize {
        self.listeners.load(Ordering::Relaxed)
    }

    /// Ends every listener's response.
    pub fn close(&self) {
        self.closed.cancel();
    }
}

/// The number of events that were lost; null if it is unknown.
fn missed_data(missed: Option<u64>) -> String {
    match missed {
        Some(missed) => format!("{{\"missed\":{missed}}}"),
        None => "{\"missed\":null}".to_owned(),
    }
}

fn row<T: Serialize>(station: &str, item: &T) -> serde_json::Result<String> {
    serde_json::to_string(&StationEvent { station, item })
}

/// Counts a listener until it is dropped.
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

const LAST_EVENT_ID: Parameter =
    Parameter::new("Last-Event-ID", Values::Text, "id of the last event that the client received");

pub(crate) fn configure(routes: &mut Routes<'_>) {
    let operation = Operation::new(Tag::Program, "Events as they happen")
        .details(
            "Server-sent events: `observation`, `miss`, `run`, `state`. A client that comes back \
             with Last-Event-ID receives what it missed of the last 256.",
        )
        .query(NONE)
        .header(LAST_EVENT_ID)
        .fails(&[ProblemCode::Busy])
        .media(&["text/event-stream"], "A stream without an end");
    routes.read(&["/api/v1/events"], operation, listen);
}

async fn listen(state: web::Data<WebState>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    query::nothing(request.query_string())?;
    let seat = Seat::take(&state.hub)?;
    let seen = request.headers().get("last-event-id");
    let seen = seen.map(|id| id.to_str().unwrap_or_default().trim());
    let (first, receiver) = {
        let recent = state.hub.recent();
        (state.hub.greet(&recent, seen), state.hub.sender.subscribe())
    };
    let listener = Listener { seat, first, receiver };
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
                "event: state\ndata: {}\n\n",
                missed_data(Some(missed))
            ))),
            Err(RecvError::Closed) => None,
        },
        () = tokio::time::sleep(HEARTBEAT) => Some(Bytes::from_static(b": alive\n\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting(hub: &Hub, seen: Option<&str>) -> Vec<String> {
        let texts = hub.greet(&hub.recent(), seen);
        texts.iter().map(|text| String::from_utf8(text.to_vec()).unwrap()).collect()
    }

    #[actix::test]
    async fn who_comes_back_is_told_what_was_missed_or_that_nobody_knows() {
        let (_sender, events) = broadcast::channel(4);
        let hub = Hub::start(events);
        let (name, last) = (|id: u64| hub.name(id), KEPT as u64 + 10);
        assert!(greeting(&hub, None)[0].contains(&format!("id: {}\n", name(0))));
        // Nothing was missed of nothing.
        assert_eq!(greeting(&hub, Some(&name(0))).len(), 1);
        for _ in 0..last {
            hub.pass_on(&Event::State);
        }
        assert!(greeting(&hub, None)[0].contains(&format!("id: {}\n", name(last))));
        assert_eq!(greeting(&hub, Some(&name(last))).len(), 1);
        let one = greeting(&hub, Some(&name(last - 1)));
        assert!(one[1].contains(&format!("id: {}\n", name(last))), "{one:?}");
        // The oldest one that is kept is number 11.
        let all = greeting(&hub, Some(&name(10)));
        assert_eq!(all.len(), 1 + KEPT);
        assert!(!all.iter().any(|text| text.contains("missed")));
        let more = greeting(&hub, Some(&name(3)));
        assert_eq!(more.len(), 2 + KEPT);
        let told = format!("id: {}\nevent: state\ndata: {{\"missed\":7}}\n\n", name(10));
        assert_eq!(more[1], told);
        // Of another life of the program, or of the future.
        let other = format!("{:x}-{}", hub.epoch ^ 1, 5);
        let future = name(last + 1);
        for stranger in ["5", "", "x-y", "-", &other, &future] {
            let told = greeting(&hub, Some(stranger));
            assert_eq!(told.len(), 2, "{stranger}");
            let resync = format!("id: {}\nevent: state\ndata: {{\"missed\":null}}\n\n", name(last));
            assert_eq!(told[1], resync, "{stranger}");
        }
    }

    #[actix::test]
    async fn what_is_lost_on_the_way_is_told_to_all() {
        let (sender, events) = broadcast::channel(2);
        for _ in 0..6 {
            sender.send(Event::State).unwrap();
        }
        let hub = Hub::start(events);
        let mut receiver = hub.sender.subscribe();
        let first = receiver.recv().await.unwrap();
        let text = String::from_utf8(first.text.to_vec()).unwrap();
        assert!(text.ends_with("event: state\ndata: {\"missed\":4}\n\n"), "{text}");
    }
}
