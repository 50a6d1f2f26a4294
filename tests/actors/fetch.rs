//! A fetch actor before the scripted server.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio_util::sync::CancellationToken;

use celaje::actors::decode::Decode;
use celaje::actors::fetch::{Fetch, FetchItem, FetchOutlets, FetchShared};
use celaje::actors::scheduler::FetchAgain;
use celaje::actors::store::{Commit, StoreTask};
use celaje::camera::Source;
use celaje::camera::gate::Gate;
use celaje::camera::health::HostHealth;
use celaje::camera::http::{HttpClient, HttpLimits};
use celaje_sky::credit::{Fate, Home, Returned};
use celaje_sky::layout::{Layout, LayoutBook};
use celaje_sky::outcome::{Miss, MissReason, Outcome};
use celaje_sky::station::{LayoutChoice, Trust};

use crate::support::server::{Reply, Server, closed};
use crate::support::{asked, stage};
use crate::{Heard, Recorder, credit, home, recorder, slot};

/// A fetch actor among recorders.
struct Scene {
    fetch: Addr<Fetch>,
    pictures: Heard<Decode>,
    misses: Heard<Commit>,
    layouts: Heard<StoreTask>,
    again: Heard<FetchAgain>,
    drain: CancellationToken,
    home: Home,
    returned: Heard<Returned>,
    _scheduler: Addr<Recorder<FetchAgain>>,
}

impl Scene {
    fn new(base: &str, choice: LayoutChoice, concurrency: usize) -> Self {
        let source = Source::Http(base.parse().unwrap());
        let drain = CancellationToken::new();
        let limits = HttpLimits { ..stage::tuning().http };
        let client =
            HttpClient::new(source.base(), &Trust::default(), limits, drain.clone()).unwrap();
        let book = LayoutBook::new(choice, 2024, []);
        let health = HostHealth::new(Duration::from_secs(60));
        let gate = Arc::new(Gate::of(concurrency));
        let shared = FetchShared::new(source, book, health, gate, drain.clone());
        let (decode, pictures) = recorder();
        let (store, misses) = recorder();
        let (remember, layouts) = recorder();
        let (scheduler, again) = recorder();
        let outlets = FetchOutlets {
            decode: decode.recipient(),
            store: store.recipient(),
            layouts: remember.recipient(),
            scheduler: scheduler.downgrade().recipient(),
        };
        let (home, returned) = home();
        Self {
            fetch: Supervisor::start(move |_| Fetch::new(Arc::new(shared), client, outlets)),
            pictures,
            misses,
            layouts,
            again,
            drain,
            home,
            returned,
            _scheduler: scheduler,
        }
    }

    fn fetch(&self, index: usize) {
        let credit = credit(index, 1, &self.home);
        self.fetch.do_send(FetchItem { credit });
    }

    /// The next miss; its credit is settled.
    async fn missed(&mut self) -> Miss {
        let Commit(mut finished) = self.misses.next().await;
        assert_eq!(finished.len(), 1);
        let finished = finished.pop().unwrap();
        assert_eq!(finished.outcome.slot(), finished.credit.slot());
        let Outcome::Missed(miss) = finished.outcome else { panic!("a miss") };
        finished.credit.settle(Fate::Missed(miss.reason));
        miss
    }
}

#[actix::test]
async fn a_picture_goes_on_with_its_credit() {
    let server = Server::start(|_, nth| match nth {
        0 => Reply::status(503),
        _ => Reply::Body(b"bytes".to_vec()),
    });
    let base = server.base().replace("http://", "http://user:secret@");
    let mut scene = Scene::new(&base, LayoutChoice::Root, 4);
    scene.fetch(0);
    let Decode { picture, credit } = scene.pictures.next().await;
    assert_eq!(&picture.bytes[..], b"bytes");
    assert_eq!((picture.layout, picture.attempts), (Layout::Root, 2));
    assert_eq!(credit.slot(), slot(0));
    assert_eq!(picture.url, format!("{}2024-03010002.jpg", server.base()));
    // The secret goes to the server and nowhere else.
    assert!(server.heads()[0].contains("authorization: Basic "));
    // The credit is not settled here: it comes home lost when the message is.
    scene.returned.nothing().await;
    drop(credit);
    assert_eq!(scene.returned.next().await.fate, None);
    scene.misses.nothing().await;
}

#[actix::test]
async fn a_missing_picture_goes_to_the_store() {
    let server = Server::start(|_, _| Reply::not_found());
    let mut scene = Scene::new(&server.base(), LayoutChoice::Auto, 4);
    scene.fetch(0);
    let miss = scene.missed().await;
    assert_eq!(
        (miss.slot, miss.reason, miss.http_status, miss.attempts),
        (slot(0), MissReason::NotFound, Some(404), 2)
    );
    let asked_for = server.requests();
    assert!(asked_for[0] != asked_for[1] && asked_for.len() == 2);
    scene.pictures.nothing().await;
    scene.layouts.nothing().await;
}

#[actix::test]
async fn what_is_learned_is_told_once() {
    let server = Server::start(|path, _| match asked(path) {
        Some(asked) if asked.layout == Layout::Year => Reply::Body(vec![0xff, 0xd8, 0xff]),
        _ => Reply::not_found(),
    });
    let mut scene = Scene::new(&server.base(), LayoutChoice::Auto, 4);
    for index in 0..5 {
        scene.fetch(index);
    }
    scene.pictures.several(5).await;
    let StoreTask::RememberLayout { year, layout } = scene.layouts.next().await else {
        panic!("something else than a layout");
    };
    assert_eq!((year, layout), (2024, Layout::Year));
    scene.layouts.nothing().await;
    scene.again.nothing().await;
    // One scout asked twice; the others waited for what it found.
    assert_eq!(server.requests().len(), 6);
}

#[actix::test]
async fn slots_believed_missing_are_handed_back_when_the_year_has_moved() {
    let server = Server::start(|path, _| match asked(path) {
        Some(asked) if (asked.index == 0) == (asked.layout == Layout::Root) => {
            Reply::Body(vec![0xff, 0xd8, 0xff])
        }
        _ => Reply::not_found(),
    });
    let mut scene = Scene::new(&server.base(), LayoutChoice::Auto, 1);
    scene.fetch(0);
    scene.pictures.next().await;
    for index in [1, 2] {
        scene.fetch(index);
        assert_eq!(scene.missed().await.attempts, 1);
    }
    scene.fetch(3);
    assert_eq!(scene.pictures.next().await.credit.slot(), slot(3));
    let FetchAgain(slots) = scene.again.next().await;
    assert_eq!(slots, [slot(1), slot(2)]);
}

#[actix::test]
async fn requests_in_flight_are_bounded() {
    let server = Server::start(|_, _| Reply::Body(vec![0xff, 0xd8, 0xff]).late(10));
    let mut scene = Scene::new(&server.base(), LayoutChoice::Root, 3);
    for index in 0..20 {
        scene.fetch(index);
    }
    scene.pictures.several(20).await;
    assert_eq!(server.most_at_once(), 3);
}

#[actix::test]
async fn a_host_that_is_down_is_not_asked_for_every_slot() {
    let base = format!("http://{}/", closed());
    let mut scene = Scene::new(&base, LayoutChoice::Root, 1);
    let mut tried = 0;
    for index in 0..30 {
        scene.fetch(index);
        let miss = scene.missed().await;
        assert_eq!(miss.reason, MissReason::Unreachable);
        assert_eq!(miss.http_status, None);
        tried += usize::from(miss.attempts > 0);
    }
    assert!((8..=20).contains(&tried), "{tried}");
}

#[actix::test]
async fn draining_gives_up_what_waits_and_finishes_what_is_asked_for() {
    let server = Server::start(|path, _| match asked(path) {
        Some(asked) if asked.index == 0 => {
            Reply::Status(503, vec![("retry-after", "60".to_owned())])
        }
        _ => Reply::Body(vec![0xff, 0xd8, 0xff]).late(100),
    });
    let mut scene = Scene::new(&server.base(), LayoutChoice::Root, 2);
    for index in 0..4 {
        scene.fetch(index);
    }
    while server.requests().len() < 2 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    scene.drain.cancel();
    let mut cancelled: Vec<_> = Vec::new();
    for returned in scene.returned.several(3).await {
        assert_eq!(returned.fate, Some(Fate::Cancelled));
        cancelled.push(returned.slot);
    }
    cancelled.sort();
    assert_eq!(cancelled, [slot(0), slot(2), slot(3)]);
    assert_eq!(scene.pictures.next().await.credit.slot(), slot(1));
    assert_eq!(server.requests().len(), 2);
}
