//! The whole pipeline, in this process, against a camera server that does as a script says.
//!
//! After every run [`support::stage::Stage::run`] checks what must always hold: every slot of the
//! range is booked once, is in exactly one of the two tables, and the runs table agrees.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod ends;
mod faults;
mod hosts;
mod jumps;
mod latest;
mod layouts;
mod mixed;
mod models;
mod ordinary;
mod policies;
mod schemes;
mod shadow;
mod supervision;
mod unreadable;

use support::judge::{Trouble, picture};
use support::server::Reply;
use support::{Asked, asked};

/// A script that serves pictures from wherever they are asked for; `fault` may say otherwise for
/// the `nth` request for a slot's path.
fn camera(
    fault: impl Fn(Asked, usize) -> Option<Reply> + Send + Sync + 'static,
) -> impl Fn(&str, usize) -> Reply + Send + Sync + 'static {
    move |path, nth| match asked(path) {
        Some(asked) => fault(asked, nth).unwrap_or_else(|| healthy(asked.index)),
        None => Reply::not_found(),
    }
}

/// The picture of the slot in this place; its okta is [`okta`]'s.
fn healthy(index: usize) -> Reply {
    Reply::Body(picture(okta(index), Trouble::None, (index % 97) as u8))
}

/// The okta that the slot in this place shows.
fn okta(index: usize) -> u8 {
    (index * 5 % 9) as u8
}
