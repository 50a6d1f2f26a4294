//! Where pictures come from: a web server, or a folder laid out like one.

pub mod body_buffer;
pub mod fault;
pub mod file_name;
pub mod folder;
pub mod gate;
pub mod health;
pub mod http;
pub mod kept;
mod picture;
pub mod picture_folder;
pub mod scheme;
mod search;
mod source;
pub mod trust;
mod validators;

pub use self::picture::{Body, Picture, Refusal, SearchResult};
pub use self::search::look_for;
pub use self::source::Source;
