//! `GET /v1/operations/{id}`.

use std::sync::Arc;

use aipress_api::OperationView;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;

use crate::app::operation;
use crate::http::reply;
use crate::plane::Plane;
use crate::policy::Caller;
use crate::problem::ApiError;

/// Show an operation with its steps.
#[utoipa::path(
    get,
    path = "/v1/operations/{id}",
    tag = "operations",
    operation_id = "operation_show",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "The operation", body = OperationView))
)]
pub(crate) async fn show(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let found = super::find(&plane, &caller, &id).await?;
    reply::ok(&operation::view(&found))
}
