//! The pure part of the pipeline: no actor, no clock of its own, no input or output.

pub mod audit;
pub mod batching;
pub mod credit;
pub mod flow;
pub mod hangs;
pub mod layout;
pub mod ledger;
pub mod outcome;
pub mod plan;
pub mod restarts;
pub mod retry;
pub mod run;
pub mod slot;
pub mod ticks;
pub mod window;
