//! `GET /v1/tenants/{id}/inventory` and `POST /v1/tenants/{id}/inventory/refresh`.

use std::sync::Arc;

use aipress_api::inventory::InventoryView;
use axum::body::Body;
use axum::extract::Extension;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;

use crate::app;
use crate::change::Origin;
use crate::http::call;
use crate::http::envelope::RequestId;
use crate::http::json;
use crate::http::query::Params;
use crate::http::reply;
use crate::http::tenants::wp::no_dry_run;
use crate::plane::Plane;
use crate::policy::Caller;
use crate::problem::ApiError;

/// Show what a site has.
///
/// WordPress, PHP, plugins and themes with versions and pending updates, users, sizes: as last
/// seen, at `observedAt`. It is looked at when something changes and once a day.
#[utoipa::path(
    get,
    path = "/v1/tenants/{id}/inventory",
    tag = "tenants",
    operation_id = "tenant_inventory",
    params(("id" = String, Path, description = "Name or uid")),
    responses((status = 200, description = "What it has", body = InventoryView))
)]
pub(crate) async fn show(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    reply::ok(&app::inventory::fetch(&plane, &caller, &id).await?)
}

/// Look now what a site has.
///
/// Answers with what is found, within some seconds. What could not be asked is named in `problems`.
#[utoipa::path(
    post,
    path = "/v1/tenants/{id}/inventory/refresh",
    tag = "tenants",
    operation_id = "tenant_inventory_refresh",
    params(("id" = String, Path, description = "Name or uid")),
    responses((status = 200, description = "What it has", body = InventoryView))
)]
pub(crate) async fn refresh(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path(id): Path<String>,
    request_id: Option<Extension<RequestId>>,
    params: Params,
    body: Body,
) -> Result<Response, ApiError> {
    no_dry_run(&params)?;
    json::decode_nothing(&call::read(body).await?)?;
    let origin =
        Origin { actor: caller.actor(), request_id: request_id.map(|Extension(RequestId(id))| id) };
    reply::ok(&app::inventory::refresh(&plane, &caller, &origin, &id).await?)
}
