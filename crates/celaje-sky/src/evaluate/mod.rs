//! How good readings are: the figures of a model on labelled pictures. Pure, but for the labels.
//!
//! | module | is |
//! | --- | --- |
//! | [`labels`] | the rows of a table of labels, or of folders that are named by okta |
//! | [`figures`] | samples → shares, errors, confusion, calibration |
//! | [`bootstrap`] | intervals, by drawing the samples again |
//! | [`wilson`] | intervals of shares, by a formula |
//! | [`against`] | two sets of readings of the same pictures |

pub mod against;
pub mod bootstrap;
pub mod figures;
pub mod labels;
mod table;
pub mod wilson;
