//! `GET /v1/tenants/{id}/route`.

use std::sync::Arc;

use aipress_api::RouteView;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;

use crate::app;
use crate::app::tenant;
use crate::http::reply;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::problem::ApiError;

/// Show where a site lives.
#[utoipa::path(
    get,
    path = "/v1/tenants/{id}/route",
    tag = "tenants",
    operation_id = "tenant_route",
    params(("id" = String, Path, description = "Name or uid")),
    responses((status = 200, description = "Its shard and hosts", body = RouteView))
)]
pub(crate) async fn route(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let found = tenant::find(&plane, &caller, Action::TenantRead, &id).await?;
    reply::ok(&app::route::view(&plane, &found))
}
