//! From a picture's bytes to what a network is fed.
//!
//! [`decode`] turns bytes into pixels or says what is wrong with them; [`prepare`] cuts, resizes
//! and measures.

mod container;
pub mod decode;
pub mod error;
pub mod geometry;
mod huffman;
pub mod prepare;
pub mod stats;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(feature = "turbojpeg")]
mod turbo;
