//! Whether the program lives, and whether it can do its work.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use crate::web::WebState;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::Problem;
use crate::web::routes::Routes;

pub(crate) fn configure(routes: &mut Routes<'_>) {
    const TEXT: &[&str] = &["text/plain"];
    let alive =
        Operation::new(Tag::Monitoring, "Whether the program is alive").media(TEXT, "It is");
    routes.read(&["/livez"], alive, live);
    let is_ready = Operation::new(Tag::Monitoring, "Whether the program can do its work")
        .record()
        .media(TEXT, "It can")
        .media_at(503, TEXT, "It cannot; the text says why");
    routes.read(&["/readyz"], is_ready, ready);
}

async fn live() -> HttpResponse {
    text(StatusCode::OK, "ok\n".to_owned())
}

/// Ready when the record can be read and the program knows of nothing that keeps it from its work.
async fn ready(state: web::Data<WebState>) -> Result<HttpResponse, Problem> {
    let is_read = state.pool.ask(|reader| reader.last_rowid()).await.is_ok();
    let unread = (!is_read).then(|| "the record cannot be read".to_owned());
    let trouble: Vec<String> =
        unread.into_iter().chain(state.operator.state().trouble).map(|why| why + "\n").collect();
    Ok(match trouble.is_empty() {
        true => text(StatusCode::OK, "ok\n".to_owned()),
        false => text(StatusCode::SERVICE_UNAVAILABLE, trouble.concat()),
    })
}

fn text(status: StatusCode, body: String) -> HttpResponse {
    HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(body)
}
