//! A model: an ONNX file with the manifest that says what it expects and what its numbers mean.

pub mod manifest;
pub mod source;
pub mod validate;
