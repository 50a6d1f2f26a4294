//! The web side as its clients meet it: real requests over loopback to a real server on a record.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/broker.rs"]
mod broker;
#[path = "../support/sink.rs"]
mod sink;

mod alerts;
mod alpaca;
mod api;
mod armed;
mod backfills;
mod client;
mod described;
mod events;
mod export;
mod failing;
mod guard;
mod indi;
mod labels;
mod legacy;
mod mail;
mod mqtt;
#[path = "../support/netcdf.rs"]
#[allow(dead_code)]
mod netcdf;
#[path = "../support/pdf.rs"]
#[allow(dead_code)]
mod pdf;
mod pictures;
mod report;
mod safety;
mod schema;
mod site;
mod timelapse;
mod tonight;
mod watching;
mod year;
