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
mod dome;
pub mod keogram;
pub mod operations;

use std::time::Duration;

use crate::web::limiter::Limiter;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::query::{NONE, Parameter, Values};
use crate::web::routes::Routes;

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

pub(crate) fn configure(routes: &mut Routes<'_>) {
    let file = |summary| Operation::new(Tag::Page, summary).tagged();
    let page = file("The dashboard").media(&["text/html"], "The page");
    routes.read(&["/"], page, assets::page);
    let media =
        &["text/html", "text/css", "text/javascript", "image/svg+xml", "application/manifest+json"];
    let asset = file("A file of the dashboard")
        .part(Parameter::new("name", Values::Text, "name of the file").like("app.css"))
        .query(NONE)
        .named()
        .media(media, "The file");
    routes.read(&["/assets/{name}"], asset, assets::asset);
    let icon = file("The icon").media(&["image/svg+xml"], "The icon");
    routes.read(&["/favicon.ico"], icon, assets::icon);
    routes.read(&["/charts/{file}"], charts::operation(), charts::get);
    routes.read(&["/dashboard/operations"], operations::operation(), operations::get);
}
