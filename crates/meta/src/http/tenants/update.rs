//! `PATCH /v1/tenants/{id}`.

use aipress_api::Accepted;
use aipress_api::TenantPatch;
use axum::extract::Path;
use axum::response::Response;

use crate::app::tenant;
use crate::http::call::Call;
use crate::http::json;

/// Change fields of a site.
///
/// `spec` and `metadata` are JSON merge patches (RFC 7396). Metadata changes at once. A patch that changes nothing is answered 200 with an
/// operation that has ended, the same generation and the same etag.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{id}",
    tag = "tenants",
    operation_id = "tenant_update",
    params(("id" = String, Path, description = "Name or uid")),
    request_body = TenantPatch,
    responses(
        (status = 200, description = "Nothing to change", body = Accepted, headers(("ETag" = String))),
        (status = 202, description = "Recorded and under way", body = Accepted,
         headers(("Location" = String, description = "The operation"), ("ETag" = String))),
    )
)]
pub(crate) async fn update(Path(id): Path<String>, call: Call) -> Response {
    call.once(|scope, body| async move {
        tenant::update::update(&scope, &id, json::decode(&body)?).await
    })
    .await
}
