//! `POST /v1/tenants/{id}/erase`.

use aipress_api::Accepted;
use axum::extract::Path;
use axum::response::Response;

use crate::app::tenant::transition::Verb;
use crate::app::tenant::transition::transition;
use crate::http::call::Call;
use crate::http::json;

/// Erase a deleted site for good.
///
/// Files, database and secrets are removed; the name is free once the operation has ended.
#[utoipa::path(
    post,
    path = "/v1/tenants/{id}/erase",
    tag = "tenants",
    operation_id = "tenant_erase",
    params(("id" = String, Path, description = "Name or uid")),
    responses((
        status = 202, description = "Recorded and under way", body = Accepted,
        headers(("Location" = String, description = "The operation"), ("ETag" = String)),
    ))
)]
pub(crate) async fn erase(Path(id): Path<String>, call: Call) -> Response {
    call.once(|scope, body| async move {
        json::decode_nothing(&body)?;
        transition(&scope, &id, Verb::Erase).await
    })
    .await
}
