//! `DELETE /v1/tenants/{id}`.

use aipress_api::Accepted;
use axum::extract::Path;
use axum::response::Response;

use crate::app::tenant::transition::Verb;
use crate::app::tenant::transition::transition;
use crate::http::call::Call;
use crate::http::json;

/// Delete a site.
///
/// Its slot is freed, its files and database are kept aside, and it keeps its name: for 7 days it
/// can be undeleted; then it is erased.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{id}",
    tag = "tenants",
    operation_id = "tenant_delete",
    params(("id" = String, Path, description = "Name or uid")),
    responses((
        status = 202, description = "Recorded and under way", body = Accepted,
        headers(("Location" = String, description = "The operation"), ("ETag" = String)),
    ))
)]
pub(crate) async fn delete(Path(id): Path<String>, call: Call) -> Response {
    call.once(|scope, body| async move {
        json::decode_nothing(&body)?;
        transition(&scope, &id, Verb::Delete).await
    })
    .await
}
