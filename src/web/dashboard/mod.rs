//! The dashboard.

use actix_web::web;

/// Its paths.
pub fn configure(_config: &mut web::ServiceConfig) {}
