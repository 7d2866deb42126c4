//! `POST /v1/imports/{id}/complete`.

use aipress_api::Accepted;
use aipress_api::ImportComplete;
use aipress_api::ImportView;
use axum::extract::Path;
use axum::response::Response;

use crate::app::transfer::import;
use crate::http::call::Call;
use crate::http::json;

/// Make the site.
///
/// The archive is looked at as a whole first: `422` says what is wrong with it, and nothing was
/// made. The site is there whole in the end, or not at all.
#[utoipa::path(
    post,
    path = "/v1/imports/{id}/complete",
    tag = "transfers",
    operation_id = "import_complete",
    params(("id" = String, Path, description = "Its id")),
    request_body = ImportComplete,
    responses(
        (status = 200, description = "Only looked at (`checkOnly`)", body = ImportView),
        (status = 202, description = "Recorded and under way", body = Accepted,
         headers(("Location" = String, description = "The operation"), ("ETag" = String))),
    )
)]
pub(crate) async fn complete(Path(id): Path<String>, call: Call) -> Response {
    call.once(|scope, body| async move {
        let body = if body.is_empty() { ImportComplete::default() } else { json::decode(&body)? };
        import::complete(&scope, &id, body).await
    })
    .await
}
