//! `POST /v1/tenants/{id}/undelete`.

use aipress_api::Accepted;
use axum::extract::Path;
use axum::response::Response;

use crate::app::tenant::transition::Verb;
use crate::app::tenant::transition::transition;
use crate::http::call::Call;
use crate::http::json;

/// Undelete a site.
///
/// Within 7 days of its deletion, if its shard has a free slot (`409 no_capacity` otherwise).
#[utoipa::path(
    post,
    path = "/v1/tenants/{id}/undelete",
    tag = "tenants",
    operation_id = "tenant_undelete",
    params(("id" = String, Path, description = "Name or uid")),
    responses((
        status = 202, description = "Recorded and under way", body = Accepted,
        headers(("Location" = String, description = "The operation"), ("ETag" = String)),
    ))
)]
pub(crate) async fn undelete(Path(id): Path<String>, call: Call) -> Response {
    call.once(|scope, body| async move {
        json::decode_nothing(&body)?;
        transition(&scope, &id, Verb::Undelete).await
    })
    .await
}
