//! Decode actors: bytes to frames, or to misses.

use std::sync::Arc;

use actix::prelude::*;
use bytes::Bytes;

use celaje::actors::decode::{Decode, DecodeShared, DecodeStage};
use celaje::actors::guard::Guard;
use celaje::actors::health::Part;
use celaje::actors::inference::Infer;
use celaje::actors::pool::Executor;
use celaje::actors::store::Commit;
use celaje::camera::Picture;
use celaje_sky::credit::{Home, Returned};
use celaje_sky::layout::Layout;
use celaje_sky::outcome::Outcome;
use celaje_sky::station::region::Region;
use celaje_vision::model::manifest::Manifest;
use celaje_vision::picture::decode::Limits;

use crate::support::judge::{self, Trouble};
use crate::support::pictures;
use crate::{Heard, credit, home, recorder, slot};

/// A decode actor among recorders.
struct Scene {
    decode: Recipient<Decode>,
    frames: Heard<Infer>,
    misses: Heard<Commit>,
    home: Home,
    returned: Heard<Returned>,
}

impl Scene {
    fn new(manifest: Manifest) -> Self {
        let (inference, frames) = recorder();
        let (store, misses) = recorder();
        let shared = Arc::new(DecodeShared {
            kept: None,
            clock: celaje::clock::Clock::SYSTEM,
            manifest: Arc::new(manifest),
            region: Region::whole(),
            limits: Limits::default(),
            shadow: None,
            inference: inference.recipient(),
            store: store.recipient(),
            guard: Guard::alone(Part::Decode),
        });
        let (home, returned) = home();
        Self {
            decode: Executor::Threads.pool(1, Guard::alone(Part::Decode), None, move || {
                DecodeStage::new(Arc::clone(&shared))
            }),
            frames,
            misses,
            home,
            returned,
        }
    }

    fn decode(&self, index: usize, bytes: Vec<u8>) {
        self.decode.do_send(Decode {
            picture: Picture {
                bytes: Bytes::from(bytes),
                url: format!("http://host/{index}"),
                layout: Layout::Root,
                attempts: 3,
                taken_at: Some(slot(index).utc()),
            },
            credit: credit(index, 1, &self.home),
        });
    }
}

#[actix::test]
async fn a_picture_becomes_a_frame_and_goes_on_with_its_credit() {
    let mut scene = Scene::new(judge::model().manifest.clone());
    for index in 0..4 {
        scene.decode(index, judge::picture(index as u8, Trouble::None, 0));
    }
    for index in 0..4 {
        let Infer { frame, url, taken_at, credit } = scene.frames.next().await;
        assert_eq!((frame.width, frame.height), (48, 32));
        assert_eq!(frame.pixels.len(), 16 * 16 * 3);
        let red = i32::from(frame.pixel(8, 8)[0]);
        assert!((red - 30 * index).abs() <= 3, "{red} for {index}");
        assert_eq!(url, format!("http://host/{index}"));
        assert_eq!(credit.slot(), slot(index as usize));
        assert_eq!(taken_at, Some(credit.slot().utc()));
    }
    scene.misses.nothing().await;
}

#[actix::test]
async fn bytes_that_are_no_picture_are_misses_with_their_reason() {
    let mut scene = Scene::new(judge::model().manifest.clone());
    let whole = pictures::jpeg(0.5);
    let bodies = [
        ("empty", Vec::new()),
        ("not_an_image", pictures::html()),
        ("not_an_image", pictures::noise(999)),
        ("truncated", whole[..whole.len() / 3].to_vec()),
        ("too_many_pixels", pictures::bomb()),
    ];
    for (index, (_, bytes)) in bodies.iter().enumerate() {
        scene.decode(index, bytes.clone());
    }
    for (index, (reason, _)) in bodies.iter().enumerate() {
        let Commit(finished) = scene.misses.next().await;
        let [finished] = finished.as_slice() else { panic!("one at a time") };
        let Outcome::Missed(miss) = &finished.outcome else { panic!("a miss") };
        assert_eq!((miss.slot, miss.reason.as_str()), (slot(index), *reason));
        // The requests that were made for it.
        assert_eq!(miss.attempts, 3);
        assert_eq!(finished.credit.slot(), slot(index));
    }
    scene.frames.nothing().await;
}

#[actix::test]
async fn a_panic_loses_one_credit_and_not_the_actor() {
    let mut manifest = judge::model().manifest.clone();
    // More than there is address space: no manifest that was checked says so.
    (manifest.input.width, manifest.input.height) = (u32::MAX, u32::MAX);
    let mut scene = Scene::new(manifest);
    for index in 0..3 {
        scene.decode(index, judge::picture(4, Trouble::None, 0));
        let returned = scene.returned.next().await;
        assert_eq!((returned.slot, returned.fate), (slot(index), None));
    }
    scene.decode(3, Vec::new());
    let Commit(finished) = scene.misses.next().await;
    assert_eq!(finished[0].outcome.slot(), slot(3));
}
