//! `POST /v1/tenants`.

use aipress_api::Accepted;
use aipress_api::TenantCreate;
use axum::response::Response;

use crate::app::tenant;
use crate::http::call::Call;
use crate::http::json;

/// Make a site.
///
/// Answers at once; the operation can be followed from that moment. `409 no_capacity` when no
/// shard can take it: then nothing was made.
#[utoipa::path(
    post,
    path = "/v1/tenants",
    tag = "tenants",
    operation_id = "tenant_create",
    request_body = TenantCreate,
    responses((
        status = 202, description = "Recorded and under way", body = Accepted,
        headers(("Location" = String, description = "The operation"), ("ETag" = String)),
    ))
)]
pub(crate) async fn create(call: Call) -> Response {
    call.once(
        |scope, body| async move { tenant::create::create(&scope, json::decode(&body)?).await },
    )
    .await
}
