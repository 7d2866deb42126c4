//! `POST /v1/tenants/{id}/suspend`.

use aipress_api::Accepted;
use axum::extract::Path;
use axum::response::Response;

use crate::app::tenant::transition::Verb;
use crate::app::tenant::transition::transition;
use crate::http::call::Call;
use crate::http::json;

/// Suspend a site.
///
/// It is kept as it is and not served.
#[utoipa::path(
    post,
    path = "/v1/tenants/{id}/suspend",
    tag = "tenants",
    operation_id = "tenant_suspend",
    params(("id" = String, Path, description = "Name or uid")),
    responses((
        status = 202, description = "Recorded and under way", body = Accepted,
        headers(("Location" = String, description = "The operation"), ("ETag" = String)),
    ))
)]
pub(crate) async fn suspend(Path(id): Path<String>, call: Call) -> Response {
    call.once(|scope, body| async move {
        json::decode_nothing(&body)?;
        transition(&scope, &id, Verb::Suspend).await
    })
    .await
}
