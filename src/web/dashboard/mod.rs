//! The dashboard: a page, its style and its scripts, carried by the program, and the charts that it
//! shows.
//!
//! | path | is |
//! | --- | --- |
//! | `/` | the page |
//! | `/assets/…` | what it is made of ([`assets`]) |
//! | `/charts/{kind}.svg`, `.png` | charts ([`charts`]) |
//! | `/dashboard/operations` | what only the view of operations asks for ([`operations`]) |
//!
//! The page asks the API like anybody else. Its charts are drawn by [`chart`](celaje_chart) and put
//! into the page, so that page, print and download are one drawing.

pub mod assets;
pub mod charts;
pub mod easel;
mod gather;
pub mod keogram;
pub mod operations;
mod sheet;

use actix_web::web;

use crate::web::reads;

/// Its paths.
pub fn configure(config: &mut web::ServiceConfig) {
    reads(config, &["/"], assets::page);
    reads(config, &["/assets/{name}"], assets::asset);
    reads(config, &["/favicon.ico"], assets::icon);
    reads(config, &["/charts/{file}"], charts::get);
    reads(config, &["/dashboard/operations"], operations::get);
}
