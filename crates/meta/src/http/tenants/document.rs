//! `GET /v1/tenants/{id}/document`.

use std::sync::Arc;

use aipress_api::TenantDocument;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;

use crate::app::tenant;
use crate::http::reply;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::problem::ApiError;

/// Show a site as a document.
///
/// What is shown can be put as it is: `status` is not read.
#[utoipa::path(
    get,
    path = "/v1/tenants/{id}/document",
    tag = "tenants",
    operation_id = "tenant_document",
    params(("id" = String, Path, description = "Name (of a site that is not erased) or uid")),
    responses((
        status = 200, description = "The document", body = TenantDocument,
        headers(("ETag" = String)),
    ))
)]
pub(crate) async fn document(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let found = tenant::find(&plane, &caller, Action::TenantRead, &id).await?;
    reply::ok(&tenant::document::of(&found, &plane.sites))
}
