//! `POST /v1/imports`.

use aipress_api::ImportCreate;
use aipress_api::ImportView;
use axum::response::Response;

use crate::app::transfer::import;
use crate::http::call::Call;
use crate::http::json;

/// Announce an import.
///
/// The archive is uploaded next (`PATCH …/data`), then the import is completed.
#[utoipa::path(
    post,
    path = "/v1/imports",
    tag = "transfers",
    operation_id = "import_create",
    request_body = ImportCreate,
    responses((status = 201, description = "Announced", body = ImportView))
)]
pub(crate) async fn create(call: Call) -> Response {
    call.once(|scope, body| async move { import::announce(&scope, json::decode(&body)?).await })
        .await
}
