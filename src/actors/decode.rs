//! The decode stage: picture bytes → a small frame for the network.

use std::sync::Arc;

use actix::prelude::*;

use crate::actors::failpoint::Point;
use crate::actors::guard::Guard;
use crate::actors::inference::Infer;
use crate::actors::pool::Stage;
use crate::actors::shadow::ToShadow;
use crate::actors::store::{Commit, Finished};
use crate::camera::Picture;
use crate::camera::kept::KeptPictures;
use crate::clock::Clock;
use celaje_sky::credit::Credit;
use celaje_sky::flow::FlowStage;
use celaje_sky::outcome::{Miss, Outcome};
use celaje_sky::slot::Slot;
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

/// What the decoders of a pipeline share.
pub struct DecodeShared {
    /// Says how a picture is made to fit.
    pub manifest: Arc<Manifest>,
    /// The part of a picture that is judged.
    pub region: Region,
    /// Bounds against decompression bombs.
    pub limits: Limits,
    /// Keeps copies of what decodes.
    pub kept: Option<Arc<KeptPictures>>,
    /// Says which copies are young enough.
    pub clock: Clock,
    /// Judges once more what decodes.
    pub shadow: Option<ToShadow>,
    /// Takes frames.
    pub inference: Recipient<Infer>,
    /// Takes misses.
    pub store: Recipient<Commit>,
    /// Keeps panics inside their messages.
    pub guard: Guard,
}

pub struct DecodeStage(Arc<DecodeShared>);

impl DecodeStage {
    /// A decoder; holds no state between messages.
    pub const fn new(shared: Arc<DecodeShared>) -> Self {
        Self(shared)
    }

    fn decode(&self, Decode { picture, mut credit }: Decode) {
        let shared = &self.0;
        credit.taken_up();
        shared.guard.pass(Point::Decode, credit.slot());
        match prepare(&picture.bytes, &shared.manifest, &shared.region, &shared.limits) {
            Ok(frame) => {
                if let Some(shadow) = &shared.shadow {
                    let (slot, bytes) = (credit.slot(), &picture.bytes);
                    shadow.hand_on(slot, bytes, &frame, &shared.manifest, &shared.region);
                }
                if let Some(kept) = &shared.kept {
                    kept.keep(credit.slot(), &picture.bytes, shared.clock.now());
                }
                credit.goes_to(FlowStage::Batch);
                let Picture { url, taken_at, .. } = picture;
                shared.inference.do_send(Infer { frame, url, taken_at, credit });
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

impl Stage for DecodeStage {
    type In = Decode;

    fn slots(input: &Decode) -> Vec<Slot> {
        vec![input.credit.slot()]
    }

    fn work(&mut self, input: Decode) {
        self.decode(input);
    }
}
