//! What is known about the sky: oktas and what hides them, the sun, the quality of a picture. Pure.

pub mod confidence;
pub mod cover;
pub mod okta;
pub mod quality;
pub mod sun;
pub mod verdict;
