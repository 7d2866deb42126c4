//! `DELETE /v1/imports/{id}`.

use aipress_api::ImportView;
use axum::extract::Path;
use axum::response::Response;

use crate::app::transfer::import;
use crate::http::call::Call;
use crate::http::json;

/// Give up an upload.
#[utoipa::path(
    delete,
    path = "/v1/imports/{id}",
    tag = "transfers",
    operation_id = "import_delete",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "Gone, with what was uploaded", body = ImportView))
)]
pub(crate) async fn delete(Path(id): Path<String>, call: Call) -> Response {
    call.once(|scope, body| async move {
        json::decode_nothing(&body)?;
        import::remove(&scope, &id).await
    })
    .await
}
