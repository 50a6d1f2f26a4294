//! Inference engines behind one trait.
//!
//! A [`backend::Engine`] opens sessions of a model, [`backend::Backend`]s. [`choose::engine`] takes
//! ONNX Runtime if its [`library`] is there, else the built-in [`rten`].

mod agreement;
pub mod backend;
mod batch;
pub mod choose;
#[cfg(feature = "testing")]
pub mod fake;
pub mod install;
pub mod library;
mod onnxruntime;
mod page_locked;
pub mod rten;
pub mod search;
#[cfg(any(test, feature = "testing"))]
pub mod toy;
