//! A model: an ONNX file and its manifest, which describes input and output.

pub mod manifest;
pub mod source;
pub mod validate;
