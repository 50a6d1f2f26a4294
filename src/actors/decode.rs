//! Decode actors: picture bytes → a small frame for the network, on threads of their own.

use std::sync::Arc;

use actix::prelude::*;

use crate::actors::cores::{Cores, Turn};
use crate::actors::failpoint::Point;
use crate::actors::guard::{Guard, Panicked};
use crate::actors::inference::Infer;
use crate::actors::inline::Worker;
use crate::actors::shadow::ToShadow;
use crate::actors::store::{Commit, Finished};
use crate::camera::Picture;
use celaje_sky::credit::Credit;
use celaje_sky::flow::Stage;
use celaje_sky::outcome::{Miss, Outcome};
use celaje_sky::station::region::Region;
use celaje_vision::model::manifest::Manifest;
use celaje_vision::picture::decode::Limits;
use celaje_vision::picture::prepare::prepare;

/// Decodes a picture and hands it on.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Decode {
    /// The encoded picture.
    pub picture: Picture,
    /// Whose slot it is.
    pub credit: Credit,
}

/// What the decode actors of a run share.
pub struct DecodeShared {
    /// Says how a picture is made to fit.
    pub manifest: Arc<Manifest>,
    /// The part of a picture that is judged.
    pub region: Region,
    /// Bounds against decompression bombs.
    pub limits: Limits,
    /// What it computes on; none to leave that to the system.
    pub cores: Option<Arc<Cores>>,
    /// Judges once more what decodes.
    pub shadow: Option<ToShadow>,
    /// Takes frames.
    pub inference: Recipient<Infer>,
    /// Takes misses.
    pub store: Recipient<Commit>,
    /// Keeps panics inside their messages.
    pub guard: Guard,
}

/// See the module.
pub struct DecodeActor(Arc<DecodeShared>);

impl DecodeActor {
    /// A decoder; holds no state between messages.
    pub const fn new(shared: Arc<DecodeShared>) -> Self {
        Self(shared)
    }

    fn decode(
        &self,
        Decode {
            picture,
            mut credit,
        }: Decode,
    ) {
        let shared = &self.0;
        let cores = shared.cores.as_ref();
        let _core = cores.map(|cores| cores.take(1, Turn::Last));
        credit.taken_up();
        let _at_work = shared.guard.at_work([credit.slot()]);
        shared.guard.pass_with(Point::Decode, credit.slot());
        match prepare(
            &picture.bytes,
            &shared.manifest,
            &shared.region,
            &shared.limits,
        ) {
            Ok(frame) => {
                if let Some(shadow) = &shared.shadow {
                    let (slot, bytes) = (credit.slot(), &picture.bytes);
                    shadow.hand_on(slot, bytes, &frame, &shared.manifest, &shared.region);
                }
                credit.goes_to(Stage::Batch);
                shared.inference.do_send(Infer {
                    frame,
                    url: picture.url,
                    credit,
                });
            }
            Err(error) => {
                let outcome = Outcome::Missed(Miss {
                    slot: credit.slot(),
                    reason: error.reason(),
                    http_status: None,
                    attempts: picture.attempts,
                    detail: error.to_string(),
                    unasked: None,
                });
                let missed = Finished::new(outcome, credit);
                shared.store.do_send(Commit(vec![missed]));
            }
        }
    }
}

impl Worker<Decode> for DecodeActor {
    fn work(&mut self, message: Decode) -> Result<(), Panicked> {
        self.0.guard.run(|| self.decode(message))
    }
}

impl Actor for DecodeActor {
    type Context = SyncContext<Self>;

    fn started(&mut self, _: &mut SyncContext<Self>) {
        self.0.guard.rest_here();
    }
}

impl Handler<Decode> for DecodeActor {
    type Result = ();

    fn handle(&mut self, message: Decode, ctx: &mut SyncContext<Self>) {
        if self.work(message).is_err() {
            ctx.stop();
        }
    }
}
