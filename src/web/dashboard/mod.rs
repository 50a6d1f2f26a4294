//! The dashboard: a page, its style and its scripts, carried by the program, and the charts that it
//! shows.
//!
//! | path | is |
//! | --- | --- |
//! | `/` | the page |
//! | `/assets/…` | its files ([`assets`]) |
//! | `/charts/{kind}.svg`, `.png` | charts ([`charts`]) |
//! | `/dashboard/operations` | data of the operations view ([`operations`]) |
//!
//! The page asks the API like anybody else. Its charts are drawn by [`chart`](celaje_chart) and put
//! into the page, so that page, print and download are one drawing.

pub mod assets;
pub mod charts;
mod data;
mod gather;
pub mod keogram;
pub mod operations;

use std::time::Duration;

use actix_web::web;

use crate::web::limiter::Limiter;
use crate::web::reads;

/// Charts that are gathered and drawn at the same time: fewer than the pool has connections, so
/// that one is left for other queries however many charts are asked for.
const CHARTS_AT_ONCE: usize = 2;
/// Charts that may wait: each of a hundred dashboards shows one or two that follow the record.
const CHARTS_WAITING: usize = 256;
/// The longest time a chart waits; a page gives up after as much.
const CHART_PATIENCE: Duration = Duration::from_secs(25);

/// Bounds the charts that are gathered and drawn at once.
pub(super) fn chart_limiter() -> Limiter {
    Limiter::new(CHARTS_AT_ONCE, CHARTS_WAITING, CHART_PATIENCE)
}

/// Its paths.
pub fn configure(config: &mut web::ServiceConfig) {
    reads(config, &["/"], assets::page);
    reads(config, &["/assets/{name}"], assets::asset);
    reads(config, &["/favicon.ico"], assets::icon);
    reads(config, &["/charts/{file}"], charts::get);
    reads(config, &["/dashboard/operations"], operations::get);
}
