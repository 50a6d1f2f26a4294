//! Figures of a station: its charts, the report that has them all, films of its pictures. Commands
//! and pages share them.

pub(crate) mod data;
pub mod film;
pub(crate) mod gather;
pub(crate) mod order;
pub mod report;
