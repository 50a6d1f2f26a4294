//! Charts: the record of a station drawn as SVG, PNG, PDF and as a line of the terminal. Pure.
//!
//! | module | draws |
//! | --- | --- |
//! | [`timeline`] | okta readings slot by slot, one day to a month |
//! | [`means`] | mean amount or confidence by hour, day or month; [`bucket`] counts them |
//! | [`distribution`] | how often each amount was read |
//! | [`heat`] | a year as a calendar, and the months by the hour |
//! | [`raster`] | weeks to a year: a row a day, a cell a slot, the sun's times over it |
//! | [`dark_hours`] | the usable hours of darkness by month, with their interval |
//! | [`dark_years`] | the same, a row a year: the best months, the last year against the others |
//! | [`dome`] | the sky by direction, with moon and planets |
//! | [`nights`] | the share of clear nights by month |
//! | [`keogram`] | a day of pictures, a strip each |
//! | [`skill`] | the skill of a model: confusion matrix and reliability diagram |
//! | [`throughput`] | a benchmark |
//! | [`glyph`] | the symbols of cloud amount |
//! | [`caption`] | a line of text burnt into a picture |
//! | [`spark`] | a row of block characters |
//! | [`png`] | any of these SVG documents as a PNG |
//! | [`paper`], [`pdf`] | text, tables and charts on pages, and the pages as a PDF |
//!
//! A chart describes itself in a `plot::Layout` (size, heading, legend) and draws its marks into a
//! `plot::Plot`, which has the frame, axes, grid and shades. [`look`] is language and size,
//! [`theme`] the colours, [`sun`] what the timeline is shaded by. A mark is a group with a
//! `<title>` and `data-` attributes that say what it stands for.

mod axis;
pub mod bucket;
pub mod caption;
pub mod dark_hours;
pub mod dark_years;
pub mod distribution;
pub mod dome;
mod font;
pub mod glyph;
pub mod heat;
pub mod keogram;
pub mod legend;
pub mod look;
pub mod means;
pub mod nights;
pub mod paper;
mod pattern;
pub mod pdf;
mod plot;
pub mod png;
pub mod raster;
pub mod skill;
pub mod spark;
pub mod sun;
mod svg;
#[cfg(test)]
mod testing;
pub mod theme;
pub mod throughput;
pub mod timeline;
pub mod words;
