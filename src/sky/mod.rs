//! What is known about the sky: okta rules, the sun, the quality of a picture. Pure.

pub mod confidence;
pub mod okta;
pub mod quality;
pub mod sun;
