//! Each actor alone, among collaborators that only record what they are told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod camera;
mod decode;
mod fetch;
mod gather;
mod inference;
mod scheduler;
mod session;
mod store;

use std::sync::Arc;
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::prelude::*;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use celaje_sky::credit::{Credit, Home, Returned};
use celaje_sky::slot::Slot;
use celaje_sky::station::region::Region;
use celaje_vision::picture::decode::Limits;
use celaje_vision::picture::prepare::{Frame, prepare};
use support::judge::{self, Trouble};

/// An actor that keeps what it is sent.
struct Recorder<M>(UnboundedSender<M>);

impl<M: Unpin + 'static> Actor for Recorder<M> {
    type Context = Context<Self>;
}

impl<M: Message<Result = ()> + Unpin + 'static> Handler<M> for Recorder<M> {
    type Result = ();

    fn handle(&mut self, message: M, _: &mut Context<Self>) {
        let _ = self.0.send(message);
    }
}

/// What a recorder was sent, in order.
struct Heard<M>(UnboundedReceiver<M>);

impl<M> Heard<M> {
    /// The next message; waits for it.
    async fn next(&mut self) -> M {
        tokio::time::timeout(Duration::from_secs(20), self.0.recv())
            .await
            .expect("nothing came")
            .expect("the sender is gone")
    }

    async fn several(&mut self, n: usize) -> Vec<M> {
        let mut heard = Vec::new();
        for _ in 0..n {
            heard.push(self.next().await);
        }
        heard
    }

    /// That nothing came, and nothing comes while everybody has had a turn.
    async fn nothing(&mut self) {
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert!(self.0.try_recv().is_err(), "something came");
    }
}

/// A recorder's address and what it hears.
fn recorder<M>() -> (Addr<Recorder<M>>, Heard<M>)
where
    M: Message<Result = ()> + Send + Unpin + 'static,
    Context<Recorder<M>>: ToEnvelope<Recorder<M>, M>,
{
    let (sender, receiver) = unbounded_channel();
    (Recorder(sender).start(), Heard(receiver))
}

/// Where credits go home to, and what came home.
fn home() -> (Home, Heard<Returned>) {
    let (sender, receiver) = unbounded_channel();
    let home = Arc::new(move |returned| {
        let _ = sender.send(returned);
    });
    (home, Heard(receiver))
}

/// The slot in this place of 2024-03-01.
fn slot(index: usize) -> Slot {
    support::slots(support::first(index + 1))[index]
}

/// A frame for the judging network.
fn frame(okta: u8, trouble: Trouble) -> Frame {
    let bytes = judge::picture(okta, trouble, 0);
    let manifest = &judge::model().manifest;
    prepare(&bytes, manifest, &Region::whole(), &Limits::default()).unwrap()
}

fn credit(index: usize, attempt: u32, home: &Home) -> Credit {
    Credit::new(slot(index), attempt, Arc::clone(home), Arc::default())
}
