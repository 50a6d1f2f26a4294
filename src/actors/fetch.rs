//! Fetch actors: each with an HTTP client of its own on an arbiter of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::WeakRecipient;
use actix::prelude::*;

use crate::actors::decode::Decode;
use crate::actors::failpoint::Point;
use crate::actors::guard::Guard;
use crate::actors::health::Part;
use crate::actors::scheduler::FetchAgain;
use crate::actors::store::{Commit, Finished, StoreTask};
use crate::camera::gate::Gate;
use crate::camera::health::{Advice, HostHealth};
use crate::camera::http::HttpClient;
use crate::camera::{SearchResult, Source, look_for};
use crate::clock::Clock;
use crate::draining::Draining;
use celaje_sky::credit::{Credit, Fate};
use celaje_sky::flow::FlowStage;
use celaje_sky::layout::{Layout, LayoutBook, Lesson};
use celaje_sky::outcome::{Miss, MissReason, Outcome};
use celaje_sky::slot::Slot;

/// How long a slot waits for what the scout of its year finds.
const SCOUT_WAIT: Duration = Duration::from_secs(2);

/// Fetches the picture of a credit's slot.
#[derive(Message)]
#[rtype(result = "()")]
pub struct FetchItem {
    /// Whose slot it is.
    pub credit: Credit,
}

/// What the fetch actors of a run share.
pub struct FetchShared {
    source: Source,
    book: Mutex<LayoutBook>,
    health: Mutex<HostHealth>,
    /// Bounds the requests in flight to the host.
    gate: Arc<Gate>,
    /// One scout at a time for each year of which nothing is known.
    scouts: Mutex<HashMap<i32, Arc<tokio::sync::Mutex<()>>>>,
    drain: Draining,
    clock: Clock,
}

impl FetchShared {
    /// State for runs that ask the host through `gate`.
    pub fn new(
        source: Source,
        book: LayoutBook,
        health: HostHealth,
        gate: Arc<Gate>,
        drain: impl Into<Draining>,
    ) -> Self {
        Self {
            source,
            book: Mutex::new(book),
            health: Mutex::new(health),
            gate,
            scouts: Mutex::new(HashMap::new()),
            drain: drain.into(),
            clock: Clock::SYSTEM,
        }
    }

    /// Takes the time from `clock`.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Whether the camera has its latest picture alone.
    pub fn has_only_the_latest(&self) -> bool {
        self.source.has_only_the_latest()
    }

    /// What is to be fetched again before the run may end: see [`LayoutBook::settle`].
    pub fn settle(&self) -> Vec<Slot> {
        lock(&self.book).settle()
    }

    /// Begins a pass: what is known of the host is forgotten, and it is asked. `stored` is the
    /// SHA-256 of the newest pictures in the record.
    pub fn begin(&self, stored: Vec<String>) {
        lock(&self.health).forget();
        self.source.begin(stored);
    }

    /// What an earlier run left in doubt: see [`LayoutBook::remind`].
    pub fn remind(&self, left: Vec<(Slot, Layout)>) {
        lock(&self.book).remind(left);
    }

    /// Ends a run, and gives the slots that are in doubt no more: see [`LayoutBook::close`].
    pub fn close(&self) -> Vec<Slot> {
        lock(&self.book).close()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where fetched pictures, misses and lessons go.
#[derive(Clone)]
pub struct FetchOutlets {
    /// Takes pictures.
    pub decode: Recipient<Decode>,
    /// Takes misses.
    pub store: Recipient<Commit>,
    /// Takes where a year's pictures were found.
    pub layouts: Recipient<StoreTask>,
    /// Takes slots that have to be fetched again; weak, since the scheduler is upstream.
    pub scheduler: WeakRecipient<FetchAgain>,
}

pub struct Fetch {
    shared: Arc<FetchShared>,
    client: HttpClient,
    outlets: FetchOutlets,
    guard: Guard,
}

impl Fetch {
    /// A fetch actor; `client` is to be used on this actor's arbiter alone.
    pub fn new(shared: Arc<FetchShared>, client: HttpClient, outlets: FetchOutlets) -> Self {
        Self { shared, client, outlets, guard: Guard::alone(Part::Fetch) }
    }

    /// Takes part in the pipeline's supervision.
    #[must_use]
    pub fn with_guard(mut self, guard: Guard) -> Self {
        self.guard = guard;
        self
    }
}

impl Actor for Fetch {
    type Context = Context<Self>;
}

impl Supervised for Fetch {}

impl Handler<FetchItem> for Fetch {
    type Result = ();

    /// Starts the request as a task of the arbiter: it survives a restart of the actor, and a
    /// panic in it stays in it, the credit going home without a fate.
    fn handle(&mut self, FetchItem { credit }: FetchItem, _: &mut Context<Self>) {
        let (shared, client, outlets) =
            (Arc::clone(&self.shared), self.client.clone(), self.outlets.clone());
        let guard = self.guard.clone();
        actix::spawn(async move {
            let fetched = guard.run_async(async {
                guard.pass(Point::Fetch, credit.slot());
                fetch(&shared, &client, &outlets, credit).await;
            });
            let _ = fetched.await;
        });
    }
}

async fn fetch(
    shared: &FetchShared,
    client: &HttpClient,
    outlets: &FetchOutlets,
    mut credit: Credit,
) {
    let slot = credit.slot();
    match ask(shared, client, &mut credit).await {
        SearchResult::Picture(picture, lesson) => {
            if let Lesson::Learned(again) = lesson {
                outlets.layouts.do_send(StoreTask::RememberLayout {
                    year: slot.year(),
                    layout: picture.layout,
                });
                let scheduler = outlets.scheduler.upgrade();
                if let (Some(scheduler), false) = (scheduler, again.is_empty()) {
                    scheduler.do_send(FetchAgain(again));
                }
            }
            credit.goes_to(FlowStage::Decode);
            outlets.decode.do_send(Decode { picture, credit });
        }
        SearchResult::Miss(miss) => {
            let missed = Finished::new(Outcome::Missed(miss), credit);
            outlets.store.do_send(Commit(vec![missed]));
        }
        SearchResult::Cancelled => credit.settle(Fate::Cancelled),
    }
}

async fn ask(shared: &FetchShared, client: &HttpClient, credit: &mut Credit) -> SearchResult {
    let slot = credit.slot();
    let scout = {
        let wanted = lock(&shared.book).wants_scout(slot.year());
        wanted.then(|| Arc::clone(lock(&shared.scouts).entry(slot.year()).or_default()))
    };
    // Held while this slot is looked for, so that the next one profits from what it found.
    let turn = match &scout {
        Some(turn) => tokio::time::timeout(SCOUT_WAIT, turn.lock()).await.ok(),
        None => None,
    };
    let _turn = turn.filter(|_| lock(&shared.book).wants_scout(slot.year()));
    let _pass = tokio::select! {
        biased;
        () = shared.drain.begun() => return SearchResult::Cancelled,
        pass = shared.gate.enter() => pass,
    };
    credit.taken_up();
    loop {
        if !host_is_up(shared).await {
            return if shared.drain.is_on() {
                SearchResult::Cancelled
            } else {
                SearchResult::Miss(Miss {
                    slot,
                    reason: MissReason::Unreachable,
                    http_status: None,
                    attempts: 0,
                    detail: "the host cannot be reached; not asked again for this slot".to_owned(),
                    unasked: None,
                })
            };
        }
        let found = look_for(&shared.source, client, &shared.book, slot, shared.clock).await;
        match &found {
            SearchResult::Miss(miss) if miss.reason == MissReason::Unreachable => {
                let (mut health, now) = (lock(&shared.health), Clock::instant());
                health.unreachable(now);
                if health.is_waited_for(now) && !shared.drain.is_on() {
                    // It was asked for while nobody knew yet; it waits with the others.
                    continue;
                }
            }
            SearchResult::Miss(miss) if miss.http_status.is_none() => {}
            SearchResult::Miss(_) | SearchResult::Picture(..) => lock(&shared.health).answered(),
            SearchResult::Cancelled => {}
        }
        return found;
    }
}

/// Waits while the host is down; false when it is given up (or the run drains).
async fn host_is_up(shared: &FetchShared) -> bool {
    loop {
        let advice = lock(&shared.health).advise(Clock::instant());
        match advice {
            Advice::Ask => return true,
            Advice::GiveUp => return false,
            Advice::Wait(time) => tokio::select! {
                () = shared.drain.begun() => return false,
                () = tokio::time::sleep(time) => {}
            },
        }
    }
}
