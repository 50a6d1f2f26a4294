//! Figures of a station: its charts, and the report that has them all. Commands and pages share
//! them.

pub(crate) mod data;
mod gather;
pub(crate) mod order;
pub mod report;
