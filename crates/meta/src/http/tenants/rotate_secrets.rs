//! `POST /v1/tenants/{id}/rotate-secrets`.

use aipress_api::Accepted;
use aipress_api::RotateSecrets;
use axum::extract::Path;
use axum::response::Response;

use crate::app::tenant::rotate_secrets;
use crate::http::call::Call;
use crate::http::json;

/// Give a site new passwords and salts.
///
/// No request fails: the old passwords are taken away when nobody can come with them any more. New
/// salts sign everybody out of wp-admin.
#[utoipa::path(
    post,
    path = "/v1/tenants/{id}/rotate-secrets",
    tag = "tenants",
    operation_id = "tenant_rotate_secrets",
    params(("id" = String, Path, description = "Name or uid")),
    request_body = RotateSecrets,
    responses((
        status = 202, description = "Recorded and under way", body = Accepted,
        headers(("Location" = String, description = "The operation"), ("ETag" = String)),
    ))
)]
pub(crate) async fn rotate_secrets(Path(id): Path<String>, call: Call) -> Response {
    call.once(|scope, body| async move {
        rotate_secrets::rotate_secrets(&scope, &id, json::decode(&body)?).await
    })
    .await
}
