//! The web side as its clients meet it: real requests over loopback to a real server on a record.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/broker.rs"]
mod broker;
#[path = "../support/sink.rs"]
mod sink;

mod alerts;
mod alpaca;
mod api;
mod backfills;
mod client;
mod described;
mod events;
mod guard;
mod indi;
mod labels;
mod legacy;
mod mqtt;
mod pictures;
mod safety;
mod schema;
mod site;
mod watching;
mod year;
