//! `GET /v1/exports/{id}`.

use std::sync::Arc;

use aipress_api::ExportView;
use aipress_store::ExportState;
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
    let found = export::find(&plane, &caller, &id).await?;
    if found.state == ExportState::Running {
        // Whoever asks waits for its end: that is looked for at once, not with the next look.
        plane.transfers.notify_one();
    }
    reply::ok(&export::view(&found))
}
