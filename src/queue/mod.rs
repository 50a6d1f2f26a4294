//! The queue between a writer and its workers: NATS JetStream.
//!
//! The record decides what is missing. A [job](messages::SlotJob) is a hint, an
//! [outcome](messages::JobOutcomes) a statement about one slot that may be made twice. A message is
//! acknowledged once what it says is done: a job when its outcomes lie in the queue, outcomes when
//! they are in the record. So nothing depends on what the queue keeps.
//!
//! A writer has a *line*: a subject for its jobs, one for outcomes, one on which it answers its
//! workers' questions. A line is named after the record and the station.

pub mod address;
mod link;
pub mod messages;
pub mod registry;
mod worker_line;
mod writer_line;

pub use link::{Queue, QueueError};
pub use worker_line::{JobInHand, OpenLine};
pub use writer_line::{LineState, LineTrouble, WriterAnswers, WriterLine};
