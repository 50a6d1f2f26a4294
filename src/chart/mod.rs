//! Charts: the record of a station drawn as SVG, as PNG and as a line of the terminal. Pure.
//!
//! | module | draws |
//! | --- | --- |
//! | [`day`] | a timeline of okta readings, one day to a month, as SVG |
//! | [`png`] | any of these SVG documents as a PNG |
//! | [`skill`] | what readings are worth: confusion matrix and reliability diagram, as SVG |
//! | [`spark`] | a row of block characters |
//! | [`sun`] | day, twilight and night over a range, which the timeline shades |
//!
//! An SVG names a font and carries none; the PNG is drawn with the font that the program carries.

pub mod day;
mod frame;
mod heading;
mod legend;
mod panel;
pub mod png;
pub mod skill;
pub mod spark;
pub mod sun;
mod svg;
mod theme;
pub mod throughput;
mod time;
mod words;
