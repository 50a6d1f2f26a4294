//! The rules of Celaje: what a slot is, what a run does with it, and what an okta means.
//!
//! Everything here is pure: no input or output but reading a mask or a table, no clock, no thread.
//! Where time matters it is a parameter.
//!
//! ```
//! use celaje_sky::okta::Okta;
//! use celaje_sky::slot::{SlotGrid, Slot, SlotRange, Zone};
//! use celaje_sky::sun;
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
//! assert_eq!(hour.slots(&SlotGrid::default(), zone).count(), 6);
//!
//! // … and a cloud fraction for an okta: any trace of cloud is 1 at least, any gap 7 at most.
//! let okta = Okta::from_fraction(0.97);
//! assert_eq!((okta.eighths(), okta.category().as_str()), (7, "BKN"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(missing_docs)]

pub mod alert;
pub mod audit;
pub mod backoff;
pub mod batching;
pub mod cadence;
pub mod clock;
pub mod confidence;
pub mod cover;
pub mod credit;
pub mod dark_hours;
pub mod dome;
pub mod error;
pub mod evaluate;
pub mod flow;
pub mod hangs;
pub mod labelling;
pub mod layout;
pub mod ledger;
pub mod moment;
pub mod moon;
pub mod naming;
pub mod night;
pub mod okta;
pub mod outcome;
pub mod plan;
pub mod planets;
pub mod quality;
pub mod random;
pub mod restarts;
pub mod retry;
pub mod run;
pub mod safety;
pub mod skill;
pub mod slot;
pub mod station;
pub mod station_calibration;
pub mod sun;
pub mod text;
pub mod ticks;
pub mod tonight;
pub mod trend;
pub mod window;
pub mod wording;
