//! How the program is.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::web::WebState;
use crate::web::problem::Problem;
use crate::web::query;
use crate::web::reply::live;

/// `/api/v1/state`.
pub(super) async fn get(
    state: web::Data<WebState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    query::nothing(request.query_string())?;
    live(&state.operator.state())
}
