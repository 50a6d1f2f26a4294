//! Models and the engines that run them.
//!
//! A [`source::Model`] is an ONNX file with the [`manifest::Manifest`] that says what it expects
//! and what its numbers mean. A [`backend::Engine`] opens [`backend::Backend`]s, sessions of it:
//! [`choose::engine`] takes ONNX Runtime when its [`library`] is there, else the built-in [`rten`].
//! [`arrange`] finds out how many at a time are best. [`reading`] turns a network's numbers into an okta.

pub mod arrange;
pub mod backend;
mod batch;
pub mod choose;
#[doc(hidden)]
pub mod fake;
pub mod header;
pub mod install;
mod judged;
pub mod library;
mod logistic;
mod look;
pub mod manifest;
pub mod onnxruntime;
mod pinned;
pub mod reading;
pub mod rten;
pub mod search;
mod segmentation;
pub mod source;
#[cfg(test)]
pub(crate) mod toy;
pub mod validate;
