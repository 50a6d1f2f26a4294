//! The messages of alerts.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::store::reader::AlertMessage;
use crate::web::WebState;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::Problem;
use crate::web::query::{self, NONE};
use crate::web::reply::live;
use crate::web::routes::Routes;

/// Messages that are listed.
const MOST: i64 = 100;

pub(super) fn configure(routes: &mut Routes<'_>) {
    let operation = Operation::new(Tag::Program, "The last messages of alerts, the newest first")
        .query(NONE)
        .record()
        .json::<Vec<AlertMessage>>("The messages, without their text");
    routes.read(&["/api/v1/alerts"], operation, list);
}

async fn list(state: web::Data<WebState>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    query::nothing(request.query_string())?;
    let messages = state.pool.ask(|reader| reader.alert_messages(MOST)).await?;
    live(&messages)
}
