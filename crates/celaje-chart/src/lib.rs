//! Charts: the record of a station drawn as SVG, as PNG and as a line of the terminal. Pure.
//!
//! | module | draws |
//! | --- | --- |
//! | [`day`] | a timeline of okta readings, one day to a month, as SVG |
//! | [`history`] | mean amount and confidence an hour, a day or a month; [`bucket`] counts them |
//! | [`distribution`] | how often each amount was read |
//! | [`heat`] | a year as a calendar, and the months by the hour |
//! | [`nights`] | the share of clear nights by month |
//! | [`keogram`] | a day of pictures, a strip each |
//! | [`glyph`] | the symbols of cloud amount |
//! | [`png`] | any of these SVG documents as a PNG |
//! | [`skill`] | what readings are worth: confusion matrix and reliability diagram, as SVG |
//! | [`spark`] | a row of block characters |
//! | [`sun`] | day, twilight and night over a range, which the timeline shades |
//!
//! An SVG names a font and carries none; the PNG is drawn with the font that the program carries.
//! [`look`] is layout and colours. What can be pointed at is a group with a `<title>` and `data-`
//! attributes that say what it stands for.

pub mod bucket;
pub mod day;
pub mod distribution;
mod frame;
pub mod glyph;
mod heading;
pub mod heat;
pub mod history;
pub mod keogram;
mod legend;
pub mod look;
pub mod nights;
mod panel;
mod plot;
pub mod png;
pub mod skill;
pub mod spark;
pub mod sun;
mod svg;
mod theme;
pub mod throughput;
mod time;
mod words;
