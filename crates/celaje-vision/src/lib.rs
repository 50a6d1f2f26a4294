//! Turns a picture's bytes into a reading of its sky.
//!
//! | module | does |
//! | --- | --- |
//! | [`picture`] | checks and decodes the bytes, cuts and resizes the picture, measures its light |
//! | [`model`] | reads an ONNX file and its manifest |
//! | [`engine`] | runs a model on ONNX Runtime or on the built-in engine |
//! | [`reading`] | turns a network's numbers into a cloud fraction and an okta |
//! | [`flags`] | finds defects of a picture |
//! | [`verdict`] | combines reading and measures into what is recorded |
//! | [`lens_circle`] | finds the circle of a fisheye lens in its pictures |
//! | [`drawn_mask`] | compares a reading's cells with a mask that a person drew |
#![warn(missing_docs)]

pub mod drawn_mask;
pub mod engine;
pub mod flags;
pub mod lens_circle;
pub mod model;
pub mod picture;
pub mod reading;
pub mod verdict;
