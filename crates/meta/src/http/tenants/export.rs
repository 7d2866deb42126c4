//! `POST /v1/tenants/{id}/exports`.

use aipress_api::ExportAccepted;
use axum::extract::Path;
use axum::response::Response;

use crate::app::transfer::export;
use crate::http::call::Call;
use crate::http::json;

/// Export a site.
///
/// Its shard writes an archive (`.aip`: a tar compressed by zstd), which can be downloaded at once
/// as it grows, and is kept for 24 h.
#[utoipa::path(
    post,
    path = "/v1/tenants/{id}/exports",
    tag = "transfers",
    operation_id = "tenant_export",
    params(("id" = String, Path, description = "Name or uid")),
    responses((
        status = 202, description = "Recorded and under way", body = ExportAccepted,
        headers(("Location" = String, description = "The operation")),
    ))
)]
pub(crate) async fn export(Path(id): Path<String>, call: Call) -> Response {
    call.once(|scope, body| async move {
        json::decode_nothing(&body)?;
        export::begin(&scope, &id).await
    })
    .await
}
