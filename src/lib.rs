//! Celaje turns a sky camera into a trustworthy record of cloud cover.
//!
//! A station's camera publishes a picture a *slot*, a fixed minute of its local clock. A *backfill*
//! takes a range of slots, fetches their pictures, has a neural network judge each, and stores an
//! observation, or a *miss* with its reason, for every one of them. What it does is laid out in
//! three layers:
//!
//! * The pure core decides: [`pipeline`] (slots, plan, run, batches, retries, where a year's
//!   pictures are), [`sky`] (oktas, confidence, quality, the sun), [`evaluate`] (what readings are
//!   worth) and [`chart`].
//! * The edges do: [`camera`] fetches, [`image`](mod@image) decodes and resizes, [`model`] runs
//!   networks on one of two engines, [`store`] is the record in SQLite, [`simulate`] draws a camera
//!   to try all this on.
//! * [`actors`] carry slots from edge to edge, [`app`] wires them, and [`commands`] are what the
//!   program `celaje` does with them, as [`settings`] and [`cli`] say.
//!
//! The pure core is of use without the rest:
//!
//! ```
//! use celaje::pipeline::slot::{Minutes, Slot, SlotRange, Zone};
//! use celaje::sky::okta::Okta;
//! use celaje::sky::sun;
//!
//! // A file name stands for a minute of the station's clock …
//! let local = Slot::parse_file_name("2024-01311202.jpg").ok_or("no picture's name")?;
//! let zone: Zone = "America/Argentina/Ushuaia".parse()?;
//! let slot = Slot::at(local, zone).ok_or("a time that the clock skips")?;
//! assert_eq!(slot.to_string(), "2024-01-31T12:02");
//! assert!(sun::position(slot.utc(), -53.79, -67.70).elevation > 40.0);
//!
//! // … a range of minutes for its slots, both ends included …
//! let hour = SlotRange::new(local, local + chrono::TimeDelta::minutes(50))?;
//! assert_eq!(hour.slots(&Minutes::default(), zone).count(), 6);
//!
//! // … and a cloud fraction for an okta: any trace of cloud is 1 at least, any gap 7 at most.
//! let okta = Okta::from_fraction(0.97);
//! assert_eq!((okta.eighths(), okta.category().as_str()), (7, "BKN"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `ARCHITECTURE.md`, in the repository, says which room a change belongs in and why the house is
//! built as it is.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod actors;
pub mod app;
pub mod camera;
pub mod chart;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod daemon;
pub mod draining;
pub mod error;
pub mod evaluate;
#[doc(hidden)]
pub mod fuzzed;
pub mod image;
pub mod model;
pub mod pipeline;
pub mod settings;
pub mod simulate;
pub mod sky;
pub mod station;
pub mod store;
pub mod text;
pub mod usage;
pub mod web;
