//! The state of the program.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::daemon::operator::ProgramState;
use crate::web::WebState;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::Problem;
use crate::web::query::{self, NONE};
use crate::web::reply::live;
use crate::web::routes::Routes;

pub(super) fn configure(routes: &mut Routes<'_>) {
    let operation = Operation::new(Tag::Program, "The state of the program")
        .query(NONE)
        .json::<ProgramState>("The state");
    routes.read(&["/api/v1/state"], operation, get);
}

async fn get(state: web::Data<WebState>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    query::nothing(request.query_string())?;
    live(&state.operator.state())
}
