//! `POST /v1/tenants/{id}/clone`.

use aipress_api::Accepted;
use aipress_api::CloneCreate;
use axum::extract::Path;
use axum::response::Response;

use crate::app::transfer::clone;
use crate::http::call::Call;
use crate::http::json;

/// Make a new site of a site.
///
/// Database and files are copied as they are now, the address is changed in the copy. The new site
/// is there whole, or not at all.
#[utoipa::path(
    post,
    path = "/v1/tenants/{id}/clone",
    tag = "transfers",
    operation_id = "tenant_clone",
    params(("id" = String, Path, description = "Name or uid of the site that is copied")),
    request_body = CloneCreate,
    responses((
        status = 202, description = "Recorded and under way", body = Accepted,
        headers(("Location" = String, description = "The operation"), ("ETag" = String)),
    ))
)]
pub(crate) async fn clone(Path(id): Path<String>, call: Call) -> Response {
    call.once(|scope, body| async move { clone::clone(&scope, &id, json::decode(&body)?).await })
        .await
}
