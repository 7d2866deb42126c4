//! `GET /v1/tenants/{id}`.

use std::sync::Arc;

use aipress_api::TenantView;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;

use crate::app::tenant;
use crate::http::reply;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::problem::ApiError;

/// Show a site.
#[utoipa::path(
    get,
    path = "/v1/tenants/{id}",
    tag = "tenants",
    operation_id = "tenant_show",
    params(("id" = String, Path, description = "Name (of a site that is not erased) or uid")),
    responses((
        status = 200, description = "The site", body = TenantView, headers(("ETag" = String)),
    ))
)]
pub(crate) async fn show(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let found = tenant::find(&plane, &caller, Action::TenantRead, &id).await?;
    reply::ok(&tenant::view(&found, &plane.sites))
}
