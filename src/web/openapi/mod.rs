//! The description of the API, and a page to read it and to try it out, which needs nothing from
//! elsewhere.

use std::hash::{DefaultHasher, Hash, Hasher};

use actix_web::http::header::{self, EntityTag, IfNoneMatch};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};

use crate::web::reads;

/// OpenAPI 3.1, in JSON; the version of the program is put in.
const DESCRIPTION: &str = include_str!("openapi.json");

/// Its paths.
pub fn configure(config: &mut web::ServiceConfig) {
    reads(
        config,
        &["/api/openapi.json"],
        async |request: HttpRequest| fixed(&request, "application/json", &description()),
    );
    reads(config, &["/api"], async || {
        HttpResponse::PermanentRedirect()
            .insert_header((header::LOCATION, "/api/"))
            .finish()
    });
    reads(config, &["/api/"], async |request: HttpRequest| {
        fixed(
            &request,
            "text/html; charset=utf-8",
            include_str!("page.html"),
        )
    });
    reads(config, &["/api/page.css"], async |request: HttpRequest| {
        fixed(
            &request,
            "text/css; charset=utf-8",
            include_str!("page.css"),
        )
    });
    reads(config, &["/api/page.js"], async |request: HttpRequest| {
        fixed(
            &request,
            "text/javascript; charset=utf-8",
            include_str!("page.js"),
        )
    });
}

/// The description with the version of this program.
pub fn description() -> String {
    let version = concat!("\"version\": \"", env!("CARGO_PKG_VERSION"), "\"");
    DESCRIPTION.replacen("\"version\": \"0\"", version, 1)
}

fn fixed(request: &HttpRequest, media_type: &'static str, body: &str) -> HttpResponse {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    let tag = EntityTag::new_weak(format!("{:x}", hasher.finish()));
    let seen = request.get_header::<IfNoneMatch>();
    let same =
        matches!(&seen, Some(IfNoneMatch::Items(tags)) if tags.iter().any(|t| t.weak_eq(&tag)));
    let mut response = if same {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response
        .insert_header((header::ETAG, tag.to_string()))
        .insert_header((header::CACHE_CONTROL, "no-cache"));
    if same {
        return response.finish();
    }
    response.content_type(media_type).body(body.to_owned())
}
