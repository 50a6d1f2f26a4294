//! The description of the API, and a page to read it and to try it out, which needs nothing from
//! elsewhere.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::web::reads;
use crate::web::reply::fixed;

/// OpenAPI 3.1, in JSON; the version of the program is put in.
const DESCRIPTION: &str = include_str!("openapi.json");

/// Its paths.
pub fn configure(config: &mut web::ServiceConfig) {
    reads(config, &["/api/openapi.json"], async |request: HttpRequest| {
        fixed(&request, "application/json", description())
    });
    reads(config, &["/api"], async || {
        HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/api/")).finish()
    });
    reads(config, &["/api/"], async |request: HttpRequest| {
        fixed(&request, "text/html; charset=utf-8", include_str!("page.html").to_owned())
    });
    reads(config, &["/api/page.css"], async |request: HttpRequest| {
        fixed(&request, "text/css; charset=utf-8", include_str!("page.css").to_owned())
    });
    reads(config, &["/api/page.js"], async |request: HttpRequest| {
        fixed(&request, "text/javascript; charset=utf-8", include_str!("page.js").to_owned())
    });
}

/// The description with the version of this program.
pub fn description() -> String {
    let version = concat!("\"version\": \"", env!("CARGO_PKG_VERSION"), "\"");
    DESCRIPTION.replacen("\"version\": \"0\"", version, 1)
}
