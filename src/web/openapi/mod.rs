//! The description of the API (OpenAPI 3.1), made from the routes and the types that they answer
//! with, and a page to read it and to try it out, which needs nothing from elsewhere.

mod document;
pub(crate) mod operation;

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};

use crate::web::openapi::operation::{Operation, Tag};
use crate::web::reply::fixed;
use crate::web::routes::Routes;

static DESCRIPTION: LazyLock<String> = LazyLock::new(|| {
    let mut routes = Routes::default();
    crate::web::add_routes(&mut routes);
    document::of(&routes.described).to_string()
});

/// The files of the page, by their paths.
const FILES: [(&str, &str, &str); 4] = [
    ("/api/", "text/html; charset=utf-8", include_str!("page.html")),
    ("/api/page.css", "text/css; charset=utf-8", include_str!("page.css")),
    ("/api/spanish.js", "text/javascript; charset=utf-8", include_str!("spanish.js")),
    ("/api/page.js", "text/javascript; charset=utf-8", include_str!("page.js")),
];

pub(crate) fn configure(routes: &mut Routes<'_>) {
    let operation = Operation::new(Tag::Page, "This description")
        .media(&["application/json"], "OpenAPI 3.1")
        .tagged();
    routes.read(&["/api/openapi.json"], operation, async |request: HttpRequest| {
        fixed(&request, "application/json", description().to_owned())
    });
    let operation = Operation::new(Tag::Page, "To the page of this description")
        .empty(308, "Location is /api/");
    routes.read(&["/api"], operation, async || {
        HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/api/")).finish()
    });
    for (path, media, text) in FILES {
        let bare = media.split(';').next().unwrap_or(media);
        let operation = Operation::new(Tag::Page, "A file of the page of this description")
            .media(&[bare], "The file")
            .tagged();
        routes.read(&[path], operation, async move |request: HttpRequest| {
            fixed(&request, media, text.to_owned())
        });
    }
}

/// The description, as JSON.
pub fn description() -> &'static str {
    &DESCRIPTION
}
