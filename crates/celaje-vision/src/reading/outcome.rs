//! A reading, or why there is none.

use crate::reading::class_map::ClassMap;
use celaje_sky::okta::{Okta, OktaRange};
use celaje_sky::station::zone::SkyParts;

/// The cloud amount of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Cloud amount.
    pub okta: Okta,
    /// Cloud / (cloud + sky), 0 to 1, by solid angle where the region has a lens, else by cells;
    /// none from a classification.
    pub cloud_fraction: Option<f64>,
    /// The same for parts of the sky; none from a classification.
    pub parts: SkyParts,
    /// Probability that `okta` is right, 0 to 1.
    pub confidence: f64,
    /// The oktas among which the true one is with a probability of 90 %; `okta` is one of them.
    pub range: OktaRange,
    /// Share of background among the cells in the middle of the picture that are not dark; none
    /// from a classification, and if all of them are dark.
    pub middle_background: Option<f64>,
    /// Probability that something lies on the lens (drops, dew, snow), 0 to 1; none from a network
    /// without the class `obstructed`.
    pub lens: Option<f64>,
    /// The class of each cell, if it was asked for; none from a classification.
    pub classes: Option<ClassMap>,
}

/// Why a network's output is no reading.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadingError {
    /// Hardly any cell has the class sky or cloud.
    #[error("the model finds neither sky nor cloud in the region of interest")]
    NoSky,
    /// The output has numbers that are not finite, or another size than the manifest says.
    #[error("{0}")]
    Model(String),
}
