//! `GET /v1/exports/{id}`.

use std::sync::Arc;

use aipress_api::ExportView;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;

use crate::app::transfer::export;
use crate::http::reply;
use crate::plane::Plane;
use crate::policy::Caller;
use crate::problem::ApiError;

/// Show an export.
#[utoipa::path(
    get,
    path = "/v1/exports/{id}",
    tag = "transfers",
    operation_id = "export_show",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "The export", body = ExportView))
)]
pub(crate) async fn show(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    reply::ok(&export::view(&export::find(&plane, &caller, &id).await?))
}
