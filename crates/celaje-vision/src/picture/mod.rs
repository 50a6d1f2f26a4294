//! Turns a picture's bytes into the input of a network.
//!
//! [`decode`] turns bytes into pixels, [`prepare`] cuts, resizes and measures the picture.

pub mod avi;
mod container;
pub mod decode;
pub mod error;
pub mod geometry;
mod huffman;
pub mod prepare;
mod scaled;
pub mod smaller;
pub mod stats;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
