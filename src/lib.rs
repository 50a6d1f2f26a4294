//! Celaje turns a sky camera into a trustworthy record of cloud cover.
//!
//! `ARCHITECTURE.md`, in the repository, says which room a change belongs in.

pub mod actors;
pub mod camera;
pub mod clock;
pub mod commands;
pub mod daemon;
pub mod draining;
pub mod export;
pub mod figures;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod fuzzed;
pub mod queue;
pub mod service;
pub mod settings;
pub mod store;
pub mod usage;
pub(crate) mod version;
pub mod web;
