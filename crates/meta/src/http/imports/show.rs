//! `GET /v1/imports/{id}`.

use std::sync::Arc;

use aipress_api::ImportView;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;

use crate::app::transfer::import;
use crate::http::reply;
use crate::plane::Plane;
use crate::policy::Caller;
use crate::problem::ApiError;

/// Show an import.
#[utoipa::path(
    get,
    path = "/v1/imports/{id}",
    tag = "transfers",
    operation_id = "import_show",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "The import", body = ImportView))
)]
pub(crate) async fn show(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let found = import::find(&plane, &caller, &id).await?;
    reply::ok(&import::view(&plane, &found))
}
